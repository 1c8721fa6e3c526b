"""Putting bytes on a disk so that they are there whole or not at all.

A file is written under a hidden name, flushed to the disk, and only then given its own name, in one step that
fails when the name is taken. So a reader never sees half a file, and of two writers who chose one name one is told.
"""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from mtu_mcp.errors import StorageError

Create = Callable[[Path], BinaryIO]
"""Opens a file for writing that must not exist yet."""

_FULL: Final = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG})
_READ_ONLY: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


def create(path: Path) -> BinaryIO:
    """Open a new file for writing; an existing one or a link in its place is an error."""
    return path.open("xb")


def write_whole(path: Path, data: bytes, create: Create) -> None:
    """Write a new file and flush it to the disk; nothing is left behind when that fails.

    Raises:
        OSError: As the disk gives it.
    """
    stream = create(path)
    try:
        with stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def publish(hidden: Path, path: Path) -> None:
    """Give a finished file its name, in one step, never in place of another file.

    Raises:
        FileExistsError: The name is taken; the hidden file stays.
        OSError: As the disk gives it.
    """
    if os.name == "nt":
        hidden.rename(path)  # fails on Windows when the name is taken
        return
    try:
        path.hardlink_to(hidden)
    except FileExistsError:
        raise
    except OSError:
        # Some file systems (FAT, network shares) have no links: claim the name, then replace the empty claim.
        claim_and_replace(hidden, path)
    else:
        hidden.unlink()


def claim_and_replace(hidden: Path, path: Path) -> None:
    """`publish` for file systems without links; the name holds an empty file for a moment."""
    path.open("xb").close()
    try:
        hidden.replace(path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def flush_folder(folder: Path) -> None:
    """Make the names themselves last a power cut, where the system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    except OSError:
        return  # Windows opens no folders
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)


def storage_error(folder: Path, error: OSError) -> StorageError:
    """Say what the disk's error means for the reader."""
    if error.errno in _FULL:
        return StorageError(
            f"The disk with {folder} is full: nothing was saved.", advice="Free some space or set MTU_OUTPUT_DIR."
        )
    if error.errno in _READ_ONLY:
        return StorageError(
            f"{folder} cannot be written ({error.strerror}).", advice="Set MTU_OUTPUT_DIR to a folder that can."
        )
    return StorageError(
        f"Saving in {folder} failed ({error.strerror or error}).", advice="Check the disk, or set MTU_OUTPUT_DIR."
    )
