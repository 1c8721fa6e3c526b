"""SQLite's failures in words a person can act on.

SQLite tells a lock from a broken file only by a number; each kind has another remedy, and every remedy names the
variable that moves the database, since that always works.
"""

import errno
from typing import TYPE_CHECKING

from mtu_mcp.errors import RecordsError
from mtu_mcp.settings import variable

if TYPE_CHECKING:
    import sqlite3

_VARIABLE = variable("database_url")
_ELSEWHERE = f"set {_VARIABLE} to another file (or to :memory: to keep nothing) and restart the host"


def explain(error: "sqlite3.Error | OSError", where: str) -> RecordsError:
    """The error to raise for one of SQLite's or the system's.

    Args:
        error: What SQLite or the file system raised.
        where: The database file, for the message.
    """
    if isinstance(error, OSError):
        return _explain_system(error, where)
    code = getattr(error, "sqlite_errorcode", None)
    kind = code & 0xFF if isinstance(code, int) else None
    message, advice = _KINDS.get(kind, _OTHER)
    return RecordsError(message.format(where=where, error=_short(error)), advice=advice)


def too_new(where: str, found: int, known: int) -> RecordsError:
    """The file was written by a later version of this program."""
    return RecordsError(
        f"The database {where} was written by a newer mtu-mcp (format {found}; this one knows up to {known}).",
        advice=f"Update mtu-mcp, or {_ELSEWHERE}.",
    )


def foreign(where: str) -> RecordsError:
    """The file is an SQLite database, but not one of ours."""
    return RecordsError(
        f"The database {where} belongs to another program, so nothing was written to it.",
        advice=_capital(f"{_ELSEWHERE}."),
    )


def folder(where: str) -> RecordsError:
    """The path is a folder's."""
    return RecordsError(
        f"The database {where} is a folder.", advice=f"Set {_VARIABLE} to a file in it and restart the host."
    )


def unreadable(where: str, name: str) -> RecordsError:
    """A row holds something this program did not write."""
    return RecordsError(
        f"The conversation {name!r} in {where} holds a turn that cannot be read.",
        advice="Delete that conversation, or restore the file from a backup.",
    )


def unwritable(error: Exception) -> RecordsError:
    """A value is not JSON, so it cannot be kept."""
    return RecordsError(
        f"A turn was not kept, because it is not JSON: {_short(error)}.",
        advice="Keep text, numbers, lists and objects only; sound and pictures by reference.",
    )


def closed(where: str) -> RecordsError:
    """The server is shutting down."""
    return RecordsError(f"The database {where} is closed, because the server is stopping.", advice="Start it again.")


def _explain_system(error: OSError, where: str) -> RecordsError:
    if error.errno == errno.ENOSPC:
        message, advice = _KINDS[13]
        return RecordsError(message.format(where=where), advice=advice)
    return RecordsError(
        f"The database {where} cannot be opened or made: {error.strerror or error}.",
        advice=f"Check that its folder can be written, or {_ELSEWHERE}.",
    )


def _short(error: Exception) -> str:
    return str(error).strip().rstrip(".")[:200]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


_LOCKED = (
    "The database {where} is locked by another program that is writing to it.",
    f"Try again in a moment; if it stays so, close that program, or {_ELSEWHERE}.",
)
_READ_ONLY = (
    "The database {where} cannot be written: {error}.",
    f"Check the permissions of the file and its folder, or {_ELSEWHERE}.",
)
_DAMAGED = (
    "The database {where} is damaged or is not an SQLite file: {error}.",
    f"Move the file away (a new one is then made) or restore a backup, or {_ELSEWHERE}.",
)
# Primary result codes: https://www.sqlite.org/rescode.html
_KINDS: dict[int | None, tuple[str, str]] = {
    3: _READ_ONLY,
    5: _LOCKED,
    6: _LOCKED,
    8: _READ_ONLY,
    10: ("The disk failed under the database {where}: {error}.", f"Check the disk, or {_ELSEWHERE}."),
    11: _DAMAGED,
    13: ("The disk that holds the database {where} is full.", f"Free some space, or {_ELSEWHERE}."),
    14: (
        "The database {where} cannot be opened: {error}.",
        f"Check that the folder exists and can be written, or {_ELSEWHERE}.",
    ),
    26: _DAMAGED,
}
_OTHER = ("The database {where} refused: {error}.", f"Move the file away (a new one is then made), or {_ELSEWHERE}.")
