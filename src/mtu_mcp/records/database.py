"""One SQLite connection, used from worker threads, one operation at a time.

SQLite calls block, so each runs in a thread; one connection is enough because a write costs milliseconds and the
calls it belongs to cost seconds. A limiter of one keeps the waiting on this side, so that a database that another
process holds cannot use up the threads other work needs.

The file is opened by the first operation, not when the object is made: the server answers `tools/list` without a
disk, and a broken database is reported by the operation that needs it. Another process may use the same file (two
hosts each start a server): the journal is a write-ahead log, so readers and a writer do not stop each other,
writers take the lock before they read, and wait for each other for `busy_seconds`.
"""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
import anyio.to_thread

from mtu_mcp.errors import RecordsError
from mtu_mcp.records import failures
from mtu_mcp.records.migrations import APPLICATION_ID, MIGRATIONS

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")
MEMORY: Final = ":memory:"

Changed = Callable[[str, str, str], None]
"""Hears of what was written: whose it is, its kind ("conversations", "jobs", "usage"), and which one of them."""


def unheard(owner: str, kind: str, name: str) -> None:
    """Nobody listens."""


class Database:
    """A file (or memory) that opens itself when it is first used.

    Args:
        path: The file, or `":memory:"`.
        busy_seconds: How long to wait for another process that is writing.

    Attributes:
        trouble: Why the last operation failed; empty when it did not.
    """

    def __init__(self, path: Path | str, *, busy_seconds: float = 5.0) -> None:
        self.path: Path | None = None if str(path) == MEMORY else Path(path)
        self._busy_seconds = busy_seconds
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._closed = False
        self.trouble = ""
        self._limiter = anyio.CapacityLimiter(1)
        # The limiter belongs to one event loop; this lock holds if two of them share the object.
        self._lock = threading.Lock()

    @property
    def where(self) -> str:
        """The file's name for messages."""
        return str(self.path or "in memory")

    async def read(self, work: "Callable[[sqlite3.Connection], T]") -> T:
        """Run `work` in a worker thread; what it sees is one moment of the database.

        Raises:
            RecordsError: The database cannot be used; says what to do.
        """
        return await anyio.to_thread.run_sync(self._run, "BEGIN", work, limiter=self._limiter)

    async def write(self, work: "Callable[[sqlite3.Connection], T]") -> T:
        """Run `work` in a worker thread as one transaction: all of it is on disk on return, or none of it.

        A cancelled caller still waits for the transaction that has begun, so its outcome is never unknown.

        Raises:
            RecordsError: Nothing was written; says what to do.
        """
        # IMMEDIATE: taking the write lock first means waiting for it works. A reader that turns writer fails at once
        # when another process wrote in between, whatever the timeout.
        return await anyio.to_thread.run_sync(self._run, "BEGIN IMMEDIATE", work, limiter=self._limiter)

    async def aclose(self) -> None:
        """Close after the operation that is running; later operations raise `RecordsError`. May be called twice."""
        # A server that is being cancelled must still flush; an operation is bounded by `busy_seconds`.
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self.close, limiter=self._limiter)

    def close(self) -> None:
        """The same, blocking, for the end of a process without an event loop."""
        with self._lock:
            self._closed = True
            self._drop()

    def _run(self, begin: str, work: "Callable[[sqlite3.Connection], T]") -> T:
        import sqlite3

        with self._lock:
            if self._closed:
                raise failures.closed(self.where)
            try:
                connection = self._open()
                result = _in_transaction(connection, begin, work)
            except sqlite3.ProgrammingError:
                raise
            except (sqlite3.Error, OSError) as error:
                # The next operation opens the file anew: it may have been repaired or replaced by then. What is
                # only in memory would be lost by that.
                if self.path is not None:
                    self._drop()
                explained = failures.explain(error, self.where)
                self.trouble = explained.message
                raise explained from error
            except RecordsError as error:
                self.trouble = error.message
                raise
            self.trouble = ""
            return result

    def _open(self) -> "sqlite3.Connection":
        """The connection; opened anew if the file was deleted or replaced, since SQLite would write into the void."""
        if self._connection is not None:
            if self.path is None or _identity(self.path) == self._file:
                return self._connection
            self._drop()
        if self.path is not None:
            _make_private(self.path)
        connection = _connect(str(self.path or MEMORY), self._busy_seconds)
        try:
            _prepare(connection, self._busy_seconds)
            _migrate(connection, self.where)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self._file = _identity(self.path) if self.path else None
        return connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _connect(target: str, busy_seconds: float) -> "sqlite3.Connection":
    import sqlite3

    # isolation_level=None: transactions are begun by us, never implicitly. The threads take turns by our lock.
    return sqlite3.connect(target, timeout=busy_seconds, isolation_level=None, check_same_thread=False)


def _prepare(connection: "sqlite3.Connection", busy_seconds: float) -> None:
    """Set what holds for a connection.

    synchronous=FULL: after kill -9 of this process NORMAL would do, the system still has every committed page. FULL
    also survives a power cut, for one flush per answer that took seconds and cost money.
    """
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")
    _use_write_ahead_log(connection, busy_seconds)


def _use_write_ahead_log(connection: "sqlite3.Connection", busy_seconds: float) -> None:
    """Switch the file to its write-ahead log; on disks that have none SQLite keeps its older journal, which is fine.

    SQLite does not wait for a lock here (the switch needs the file for itself), so two processes that make the file
    together would fail; hence the loop.
    """
    import sqlite3

    deadline = time.monotonic() + busy_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
        time.sleep(0.02)


def _migrate(connection: "sqlite3.Connection", where: str) -> None:
    """Bring the file to the newest format.

    Raises:
        RecordsError: The file is newer than this program, or another program's.
    """
    if _version(connection, where) == len(MIGRATIONS):
        return
    _in_transaction(connection, "BEGIN IMMEDIATE", lambda it: _run_steps(it, where))


def _run_steps(connection: "sqlite3.Connection", where: str) -> None:
    # Asked again under the lock: another process may have migrated while this one waited.
    for step in MIGRATIONS[_version(connection, where) :]:
        for statement in step:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _version(connection: "sqlite3.Connection", where: str) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    owner: int = connection.execute("PRAGMA application_id").fetchone()[0]
    if owner != APPLICATION_ID and connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        raise failures.foreign(where)
    if version > len(MIGRATIONS):
        raise failures.too_new(where, version, len(MIGRATIONS))
    return version


def _in_transaction(connection: "sqlite3.Connection", begin: str, work: "Callable[[sqlite3.Connection], T]") -> T:
    connection.execute(begin)
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def _make_private(path: Path) -> None:
    """Make the folder and the file readable by their owner alone, where the system knows such a thing.

    SQLite gives its journal files the permissions of the file itself.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.is_dir():
        raise failures.folder(str(path))
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
