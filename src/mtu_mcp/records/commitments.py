"""Rows of the ledger whose work goes on at the gateway after its call was answered: batches, background responses, runs.

Such a row belongs to no process, so none takes it along when it dies: `process` is empty, and `job` or `remote` say by
what name the news of its end will come. Whoever hears the news first settles it; for everybody else there is nothing
left to settle, since a row is settled in one statement that asks for its state.
"""

from dataclasses import astuple, dataclass, fields, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

    from mtu_mcp.records.rows import Closing


@dataclass(frozen=True, slots=True)
class Commitment:
    """An open row.

    Attributes:
        number: Of the row.
        endpoint: As in the API's paths.
        model: The model asked for.
        reserved: The most it may cost, CNY.
        basis: How that was reckoned.
        idempotency_key: Of its call.
        request_id: The gateway's name for its call.
    """

    number: int
    endpoint: str
    model: str
    reserved: float
    basis: str
    idempotency_key: str
    request_id: str


_OPEN: Final = "state IN ('running', 'lost') AND process = ''"


def entrust(connection: "sqlite3.Connection", number: int, job: str, remote: str, request_id: str) -> None:
    """Take a running row from its process; a word that is empty leaves what is written."""
    connection.execute(
        "UPDATE ledger SET process = '', job = CASE WHEN ? = '' THEN job ELSE ? END,"
        " remote = CASE WHEN ? = '' THEN remote ELSE ? END, request_id = CASE WHEN ? = '' THEN request_id ELSE ? END"
        " WHERE id = ? AND state = 'running'",
        (job, job, remote, remote, request_id, request_id, number),
    )


def find(connection: "sqlite3.Connection", *, job: str = "", remote: str = "") -> list[Commitment]:
    """The open rows of a job, or of work by the gateway's name for it, in the order they were entered.

    A row that was given up as lost is found too: when news of it comes after all, they are the truth.
    """
    column, name = ("job", job) if job else ("remote", remote)
    held = "CASE state WHEN 'lost' THEN cny ELSE reserved END"
    query = (
        f"SELECT id, endpoint, model, {held}, basis, idempotency_key, request_id FROM ledger"  # noqa: S608 - constants
        f" WHERE {column} = ? AND {column} <> '' AND {_OPEN} ORDER BY id"
    )
    rows = connection.execute(query, (name,)).fetchall()
    return [Commitment(*row) for row in rows]


def conclude(connection: "sqlite3.Connection", number: int, closing: "Closing", now: float) -> bool:
    """Settle an open row; whether it was open."""
    sets, values = settlement(closing)
    query = f"UPDATE ledger SET {sets}, reserved = 0, ended = ? WHERE id = ? AND {_OPEN}"  # noqa: S608 - constants
    return connection.execute(query, (*values, now, number)).rowcount > 0


def nothing(closing: "Closing", one: Commitment) -> "Closing":
    """The closing of a further row of work whose cost another row bears."""
    return replace(
        type(closing)(closing.state),
        basis="none",
        served=closing.served,
        request_id=one.request_id,
        idempotency_key=one.idempotency_key,
    )


def settlement(closing: "Closing") -> tuple[str, tuple[object, ...]]:
    """The columns that a closing sets, and their values. A job that is noted is never taken away again."""
    once = "job = CASE job WHEN '' THEN ? ELSE job END"
    sets = [once if one.name == "job" else f"{one.name} = ?" for one in fields(closing)]
    return ", ".join(sets), tuple(storable(value) for value in astuple(closing))


def storable(value: object) -> object:
    """The value as the database takes it: half a surrogate pair is replaced."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value
