"""Proof that a process still runs, so that what a dead one left behind can be told from what a live one is doing.

Each process that enters spending keeps a lock on a small file of its own beside the database. The system lets go of it
when the process ends, however it ends, so whoever can take the lock knows that its owner is gone. Numbers of processes
prove nothing: they are used again, and in containers they are all alike. The lock is one of SQLite's, because that is
the same on every system this program runs on.
"""

import os
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

PATIENCE: Final = 12.0
"""Seconds in which a process that works on something gives two signs of life."""
_MARK: Final = "-live-"
_TRIES: Final = 5
_REMEMBERED: Final = 1000


class Presence:
    """This process as others see it. Blocking; nothing is on disk before `take`.

    Args:
        path: The database the lock stands beside; None for one in memory, which no other process sees.
        clock: Seconds that go on evenly.
    """

    def __init__(self, path: Path | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._held: sqlite3.Connection | None = None
        self._missed: dict[tuple[str, float], float] = {}
        self.name = f"{os.getpid()}-{secrets.token_hex(8)}"

    def take(self) -> None:
        """Hold the lock from now on; does nothing when it is held.

        Raises:
            OSError, sqlite3.Error: The file cannot be made or locked.
        """
        if self._path is None or self._held is not None:
            return
        self._tidy()
        file = self._file(self.name)
        for _ in range(_TRIES):
            lock = _locked(file, 5.0)
            if lock is not None and file.exists():
                self._held = lock
                return
            if lock is not None:  # somebody who was tidying up took it for a dead one's between opening and locking
                lock.close()
        raise OSError(f"{file} cannot be locked")

    def gone(self, name: str) -> bool:
        """Whether the process of that name has ended; its file is then removed."""
        if self._path is None or name == self.name:
            return False
        return _is_free(self._file(name))

    def silent(self, name: str, seen: float) -> bool:
        """Whether a process whose last sign of life is late gave none in `PATIENCE` seconds after it was first missed.

        Wall clocks jump and machines sleep: then everybody is late at once, and nobody is dead.

        Args:
            name: The process.
            seen: Its last sign of life, on any clock.
        """
        now = self._clock()
        if len(self._missed) > _REMEMBERED:
            self._missed.clear()
        return now - self._missed.setdefault((name, seen), now) > PATIENCE

    def leave(self) -> None:
        """Let go and remove the file."""
        held, self._held = self._held, None
        if held is not None:
            held.close()
            with suppress(OSError):
                self._file(self.name).unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        assert self._path is not None
        return self._path.with_name(f"{self._path.name}{_MARK}{name}")

    def _tidy(self) -> None:
        """Remove the files of processes that were killed."""
        assert self._path is not None
        mark = self._path.name + _MARK
        for file in self._path.parent.iterdir():
            if file.name.startswith(mark):
                _is_free(file)


def _is_free(file: Path) -> bool:
    """Whether nobody holds a file; it is then gone."""
    import sqlite3

    if not file.exists():
        return True
    try:
        lock = _locked(file, 0.0)
    except sqlite3.Error:
        return False
    if lock is None:
        return False
    with suppress(OSError):
        file.unlink(missing_ok=True)  # while it is locked, where the system allows that
    lock.close()
    with suppress(OSError):
        file.unlink(missing_ok=True)
    return True


def _locked(file: Path, seconds: float) -> "sqlite3.Connection | None":
    """An open lock on the file, None if another holds it."""
    import sqlite3

    connection = sqlite3.connect(file, timeout=seconds, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = MEMORY")  # nothing is written, so there need be no journal beside it
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        connection.close()
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            return None
        raise
    except BaseException:
        connection.close()
        raise
    return connection
