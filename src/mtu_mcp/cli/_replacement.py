"""Replacing a file that belongs to a host: what was there is kept, and no reader ever sees half a file."""

from __future__ import annotations

import difflib
import os
import re
import stat
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mtu_mcp.errors import SettingsError, StorageError

_LARGEST: Final = 64 * 1024 * 1024
_SECRET: Final = re.compile(
    r'("[^"\n]*(?:key|token|secret|passw|auth|credential|cookie)[^"\n]*"\s*:\s*)"(?!\$\{|")[^"\n]*"', re.IGNORECASE
)
_WORDS: Final = re.compile(r"\bsk-[\w-]{6,}|(?<=://)[^/\s\"@]+:[^/\s\"@]+(?=@)")
_MARK: Final = "\ufeff"


def read_file(path: Path) -> str:
    """Return a file's text; empty if it does not exist.

    Raises:
        StorageError: It cannot be read.
        SettingsError: It is no text, or too large to be settings.
    """
    try:
        if path.exists() and path.stat().st_size > _LARGEST:
            raise SettingsError(f"{path} is too large to be settings.", advice="Nothing was written.")
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read: {error.strerror or error}.", advice="Nothing was written."
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not text in UTF-8.", advice="Save it as UTF-8; nothing was written.") from error


def unmarked(text: str) -> tuple[str, str]:
    """Split off the byte order mark that some editors on Windows write."""
    return (_MARK, text[1:]) if text.startswith(_MARK) else ("", text)


def replace_file(
    path: Path, was: str, new: str, clock: Callable[[], float] = time.time, *, private: bool = False
) -> Path | None:
    """Put `new` in the place of `was`; return the backup of what was there, if there was something.

    Args:
        path: The file; it and its folder need not exist.
        was: What the change was made from.
        new: What is to be written.
        clock: Unix seconds, for the backup's name.
        private: Let nobody but the owner read it, whoever could before: it now holds a key.

    Raises:
        StorageError: It cannot be written, or was changed by somebody else meanwhile; it is as it was.
    """
    target = path.resolve()  # a link, as people who keep their settings in a repository have, stays a link
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if read_file(target) != was:
            raise StorageError(f"{path} was changed meanwhile.", advice="Nothing was written; run this again.")
        backup = keep_copy(target, clock) if target.exists() else None
        _write(target, new, private)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror or error}.",
            advice="It is as it was. Make it writable, or write into it by hand what --print shows.",
        ) from error
    return backup


def keep_copy(path: Path, clock: Callable[[], float] = time.time) -> Path:
    """Copy a file beside itself under a name with the time, for its owner alone.

    Raises:
        OSError: It cannot be copied.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(clock()))
    for number in range(1, 1000):
        backup = path.with_name(f"{path.name}.backup-{stamp}" + (f"-{number}" if number > 1 else ""))
        try:
            descriptor = os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        except FileExistsError:
            continue
        with os.fdopen(descriptor, "wb") as file:
            file.write(path.read_bytes())
        return backup
    raise FileExistsError(f"{path.name} has a thousand backups of this second")


def _write(path: Path, text: str, private: bool) -> None:
    """Write beside and rename; a new file may hold a key, so it is for its owner alone."""
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o600
    mode &= 0o600 if private else 0o777
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def masked(text: str) -> str:
    """Return a text for a person's eyes: keys, tokens and passwords are asterisks, whosever they are."""
    return _WORDS.sub("***", _SECRET.sub(r'\1"***"', text))


def changes(path: Path, was: str, new: str) -> list[str]:
    """Return the lines of a unified diff between two texts of a file, with secrets masked."""
    before, after = masked(was).splitlines(), masked(new).splitlines()
    return list(difflib.unified_diff(before, after, str(path), str(path), n=2, lineterm=""))
