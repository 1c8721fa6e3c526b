"""Opening a file that was checked a moment ago, so that what is opened is what was checked.

Between a check and an open, a folder on the way can be swapped for a link. Where the system can open relative to
an open folder (Linux, macOS), every step from the allowed folder down is opened without following links, so there
is no moment to use. Elsewhere (Windows) the system is asked, after opening, where the opened file really is.
A file is never opened before it is known to be regular: opening a device can already do something.
"""

import os
import stat
import sys
from typing import BinaryIO, Final

from mtu_mcp.errors import NotFound, PathNotAllowed, StorageError
from mtu_mcp.media.names import quote, without_prefix

CAN_WALK: Final = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW") and hasattr(os, "O_DIRECTORY")

_READ: Final = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NOINHERIT", 0)
)
# O_PATH (Linux) passes through folders that may be entered but not listed.
_STEP: Final = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)


def open_inside(folder: str, relative: str, *, walk: bool = CAN_WALK) -> BinaryIO:
    """Open a regular file for reading, following no link below `folder`.

    Args:
        folder: An allowed folder, links resolved.
        relative: The file's path from there, links resolved, no `..`.
        walk: Whether to go step by step; only for systems that can.

    Raises:
        PathNotAllowed: The file is not regular, or the way to it changed since it was checked.
        NotFound: It is gone.
        StorageError: The disk cannot read it.
    """
    parts = [part for part in relative.replace(os.sep, "/").split("/") if part]
    if not parts or ".." in parts:
        raise PathNotAllowed(f"{quote(relative)} is not a file inside {quote(folder)}.")
    shown = os.path.join(folder, *parts)  # noqa: PTH118  the strings must stay as the system gave them
    try:
        descriptor = _walk(folder, parts) if walk else _compare(shown)
    except FileNotFoundError as error:
        raise NotFound(f"{quote(shown)} is gone.", advice="Name a file that exists.") from error
    except PermissionError as error:
        raise PathNotAllowed(
            f"{quote(shown)} may not be read by this user.", advice="Change its permissions."
        ) from error
    except NotADirectoryError as error:
        raise _changed(shown) from error
    except OSError as error:
        raise _failed(shown, error) from error
    return os.fdopen(descriptor, "rb")


def _walk(folder: str, parts: list[str]) -> int:
    here = os.open(folder, _STEP)
    try:
        for part in parts[:-1]:
            below = os.open(part, _STEP | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = below
        seen = os.stat(parts[-1], dir_fd=here, follow_symlinks=False)
        _require_regular(seen, parts[-1])
        descriptor = os.open(parts[-1], _READ, dir_fd=here)
    finally:
        os.close(here)
    return _same(descriptor, seen, parts[-1])


def _compare(path: str) -> int:
    seen = os.lstat(path)
    _require_regular(seen, path)
    descriptor = _same(os.open(path, _READ), seen, path)
    try:
        real = _where(descriptor) or os.path.realpath(path)
        if os.path.normcase(real) != os.path.normcase(path) or not os.path.samestat(os.lstat(path), seen):
            raise _changed(path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _where(descriptor: int) -> str:
    """The real path of an open file, as the system knows it; empty where it does not tell."""
    if sys.platform == "win32":
        import ctypes
        import msvcrt

        buffer = ctypes.create_unicode_buffer(32_768)
        handle = ctypes.c_void_p(msvcrt.get_osfhandle(descriptor))
        length = ctypes.windll.kernel32.GetFinalPathNameByHandleW(handle, buffer, len(buffer), 0)
        return without_prefix(buffer.value) if 0 < length < len(buffer) else ""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115  a path of the kernel's, not of the disk's
    except OSError:
        return ""


def _same(descriptor: int, seen: os.stat_result, shown: str) -> int:
    """The descriptor, if it is the regular file that was seen; closed otherwise."""
    try:
        opened = os.fstat(descriptor)
        _require_regular(opened, shown)
        if not os.path.samestat(opened, seen):
            raise _changed(shown)
        if hasattr(os, "O_NONBLOCK"):
            os.set_blocking(descriptor, True)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _require_regular(status: os.stat_result, shown: str) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise _changed(shown)
    if not stat.S_ISREG(status.st_mode):
        raise PathNotAllowed(f"{quote(shown)} is not a regular file.", advice="Name a file, not a device or a folder.")


def _changed(shown: str) -> PathNotAllowed:
    return PathNotAllowed(
        f"The way to {quote(shown)} changed while it was being opened.", advice="Name the file by its real path."
    )


def _failed(shown: str, error: OSError) -> PathNotAllowed | StorageError:
    # A link where there was none a moment ago: ELOOP on Linux and macOS, EMLINK on FreeBSD.
    import errno

    if error.errno in (errno.ELOOP, errno.EMLINK):
        return _changed(shown)
    return StorageError(f"{quote(shown)} cannot be read: {error.strerror}.", advice="Check the disk.")
