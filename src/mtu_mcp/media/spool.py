"""Downloads too large to be held in memory: a file of one call's own, gone with the last who may open it."""

import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import BinaryIO, Final

from mtu_mcp.errors import StorageError
from mtu_mcp.media import writing
from mtu_mcp.media.partials import scratch

HELD: Final = 4 << 20
"""Bytes of a download that are held before it goes to the disk."""


class Spool:
    """A file that is written once, read as often as needed, and removed when nothing holds this object any more.

    A killed process leaves it in a hidden folder, which a later one sweeps. Every method is blocking.

    Args:
        folder: Where the hidden folder is made; None for the system's folder for such files, as is one that takes none.

    Raises:
        StorageError: No file can be made.
    """

    def __init__(self, folder: Path | None) -> None:
        made = _made(folder)
        self.path = made / "download"
        self._remove = weakref.finalize(self, shutil.rmtree, made, ignore_errors=True)

    def write(self, data: bytes) -> None:
        """Add bytes at the end.

        Raises:
            StorageError: The disk is full; the file is then removed at once, to make room.
        """
        try:
            with self.path.open("ab") as file:
                file.write(data)
        except OSError as error:
            self.remove()
            raise writing.storage_error(self.path.parent.parent, error) from error

    def flush(self) -> int:
        """Put all of it on the disk to stay, before it is given a name; return its bytes.

        Raises:
            StorageError: The disk is full.
        """
        try:
            with self.path.open("r+b") as file:  # Windows flushes only what may be written
                os.fsync(file.fileno())
                return file.seek(0, os.SEEK_END)
        except OSError as error:
            raise writing.storage_error(self.path.parent.parent, error) from error

    def open(self) -> BinaryIO:
        """Open the file for reading."""
        return self.path.open("rb")

    def remove(self) -> None:
        """Remove the file now; doing it twice does no harm."""
        self._remove()


def _made(folder: Path | None) -> Path:
    if folder is not None:
        try:
            return scratch(folder)
        except StorageError:
            pass
    try:
        return Path(tempfile.mkdtemp())
    except OSError as error:
        raise writing.storage_error(Path(tempfile.gettempdir()), error) from error
