"""The ledger: one row for each upstream call that may cost money, entered before it is sent, settled once after.

The row holds the most the call may cost until it is settled. Looking at what is spent, comparing it with the caps and
entering the row are one transaction that takes the write lock first, so calls that run side by side cannot slip past a
cap together, not even those of two processes with one database. Nothing is ever deleted: a row whose process died
stays, as `lost`, and costs what it held.

Days and months are those of this machine's clock and time zone; a call belongs to the day on which it began.
"""

import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import astuple, fields, replace
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from mtu_mcp.errors import BadInput, OverBudget, RecordsError
from mtu_mcp.records import commitments
from mtu_mcp.records.caps import Caps, day_of, month_of, require_room, since
from mtu_mcp.records.commitments import Commitment, settlement, storable
from mtu_mcp.records.database import Changed, Database, unheard
from mtu_mcp.records.presence import Presence
from mtu_mcp.records.rows import Closing, Opening

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")

_MONTH: Final = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


class Spent(NamedTuple):
    """CNY spent or held today and this month, by everybody who uses this database."""

    day: float
    month: float


class Tally(NamedTuple):
    """The calls of one day that have a tool, a model, a state and a basis in common, and what they add up to."""

    day: str
    tool: str
    model: str
    state: str
    basis: str
    calls: int
    cny: float
    held: float
    input_tokens: int
    output_tokens: int
    seconds: float
    pictures: int
    searches: int


class Ledger:
    """The account of a database.

    Every method raises `RecordsError` when the database cannot be used.

    Args:
        database: Where it is kept.
        clock: Seconds since the epoch.
        zone: What days are told in; the machine's own zone by default.
        changed: Hears of every change.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], float] = time.time,
        zone: tzinfo | None = None,
        *,
        changed: Changed = unheard,
    ) -> None:
        self._database = database
        self._clock = clock
        self._zone = zone
        self._changed = changed
        self._presence = self.presence = Presence(database.path)
        self._swept = False
        self._late: list[Callable[[sqlite3.Connection], None]] = []

    async def reserve(self, opening: Opening, caps: Caps) -> int:
        """Enter a call that is about to be sent, and hold the most it may cost.

        Returns:
            The row's number.

        Raises:
            OverBudget: A cap leaves no room for it; nothing was entered.
        """
        return (await self.reserve_within(opening, caps))[0]

    async def reserve_within(
        self, opening: Opening, caps: Caps, usual: float = 0.0, most: float = 0.0
    ) -> tuple[int, float]:
        """Enter a call that may be bound by what there is room for: `reserved` is then the least that makes it worthwhile.

        All of `most` is held where that is a small part of the room; else the usual sum or such a part of the room,
        whichever is more, and less than the usual sum only where no more is left. So that calls side by side all find
        room, a part is an eighth of a day's or a month's, and half of one call's.

        Returns:
            The row's number, and the CNY it holds.

        Raises:
            OverBudget: A cap leaves no room for the least; nothing was entered.
        """
        found = await self._write(lambda it: self._reserve(it, opening, caps, usual, most))
        self._changed(opening.owner, "usage", "")
        return found

    async def settle(self, number: int, closing: Closing) -> None:
        """Put the cost of a call that ended in the place of what it held; a row is settled once.

        When the database cannot be written now, this is done with the next thing that is.
        """
        await self._write_or_keep(lambda it: _settle(it, number, closing, self._clock()))

    async def record(self, opening: Opening, closing: Closing) -> None:
        """Enter a call that has ended, and could not be entered before; kept for later as in `settle`."""
        started = self._clock()
        await self._write_or_keep(lambda it: self._record(it, opening, closing, started))

    async def entrust(self, number: int, *, job: str = "", remote: str = "", request_id: str = "") -> None:
        """Let a running row outlive this process: its work goes on at the gateway, and news of it comes by these names."""
        await self._write(lambda it: commitments.entrust(it, number, job, remote, request_id))
        self._changed("", "usage", "")

    async def committed(self, *, job: str = "", remote: str = "") -> list[Commitment]:
        """The rows of such work that are not settled."""
        return await self._database.read(lambda it: commitments.find(it, job=job, remote=remote))

    async def conclude(self, number: int, closing: Closing) -> bool:
        """Settle such a row; False when somebody else already has. Kept for later as in `settle`."""
        found: list[bool] = []
        await self._write_or_keep(lambda it: found.append(commitments.conclude(it, number, closing, self._clock())))
        return found[-1]

    async def assign(self, call: str, job: str) -> None:
        """Note of the rows of a call that a job goes on with them, where they have none of their own."""
        query = "UPDATE ledger SET job = ? WHERE call = ? AND job = ''"
        await self._write(lambda it: it.execute(query, (job, call)))

    async def spent(self) -> Spent:
        """What is spent and held today and this month."""
        now = self._now()
        return await self._database.read(lambda it: Spent(since(it, day_of(now)), since(it, month_of(now))))

    async def tallies(self, month: str = "", owner: str | None = None) -> list[Tally]:
        """The calls of a month ("2026-11"; the current one by default), added up; None is everybody's.

        Raises:
            BadInput: That is no month.
        """
        days = _days(month_named(month, self._now()), self._zone)
        with suppress(RecordsError):  # a database that cannot be written now can still be read
            await self._write(self._lose)
        return await self._database.read(lambda it: _tallies(it, days, owner))

    async def months(self) -> list[str]:
        """The months with calls, the latest first; always with the current one."""
        query = "SELECT min(started), max(started) FROM ledger"
        first, last = await self._database.read(lambda it: it.execute(query).fetchone())
        now = self._now()
        if first is None:
            return [f"{now:%Y-%m}"]
        at, end = (
            month_of(datetime.fromtimestamp(first, self._zone)),
            max(now, datetime.fromtimestamp(last, self._zone)),
        )
        found: list[str] = []
        while at <= end:
            found.append(f"{at:%Y-%m}")
            at = month_of(at + timedelta(days=32))
        return found[::-1]

    async def aclose(self) -> None:
        """Write what could not be written before, and let others know that this process has ended."""
        try:
            if self._late:
                with suppress(RecordsError):
                    await self._write(lambda _: None)
        finally:
            self._presence.leave()

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), self._zone)

    def _reserve(
        self, connection: "sqlite3.Connection", opening: Opening, caps: Caps, usual: float, most: float
    ) -> tuple[int, float]:
        self._begin(connection)
        started = self._clock()  # one moment for the check and the row: midnight may come between two
        now = datetime.fromtimestamp(started, self._zone)
        try:
            room, part = require_room(connection, opening, caps, now)
        except OverBudget:
            if not self._lose(connection):  # what a dead process held may have been in the way; it costs all the same
                raise
            room, part = require_room(connection, opening, caps, now)
        held = max(opening.reserved, min(most, room, max(usual, part)))
        return self._insert(connection, replace(opening, reserved=held), started), held

    def _begin(self, connection: "sqlite3.Connection") -> None:
        """Before the first row of this process: be seen to live, and find out who no longer does."""
        self._presence.take()
        if not self._swept:
            self._lose(connection)
            self._swept = True

    def _insert(self, connection: "sqlite3.Connection", opening: Opening, started: float) -> int:
        names = [field.name for field in fields(Opening)]
        places = ", ".join("?" * (len(names) + 3))
        row = connection.execute(
            f"INSERT INTO ledger ({', '.join(names)}, state, started, process) VALUES ({places})",  # noqa: S608 - constants
            (*(storable(value) for value in astuple(opening)), "running", started, self._presence.name),
        )
        assert row.lastrowid is not None
        return row.lastrowid

    def _record(self, connection: "sqlite3.Connection", opening: Opening, closing: Closing, started: float) -> None:
        query = "SELECT 1 FROM ledger WHERE idempotency_key = ?"
        if connection.execute(query, (opening.idempotency_key,)).fetchone():
            return
        _settle(connection, self._insert(connection, opening, started), closing, self._clock())

    async def _write_or_keep(self, work: "Callable[[sqlite3.Connection], None]") -> None:
        try:
            await self._write(work)
        except RecordsError:
            self._late.append(work)
            raise
        self._changed("", "usage", "")

    async def _write(self, work: "Callable[[sqlite3.Connection], T]") -> T:
        """Write, and first what could not be written before; that is forgotten once the whole is on disk."""
        late = list(self._late)

        def all_of_it(connection: "sqlite3.Connection") -> T:
            self._begin(connection)
            for earlier in late:
                earlier(connection)
            return work(connection)

        result = await self._database.write(all_of_it)
        self._late = [kept for kept in self._late if kept not in late]
        return result

    def _lose(self, connection: "sqlite3.Connection") -> int:
        """Mark what dead processes left running; it costs what it held, since nobody can know better."""
        query = "SELECT DISTINCT process FROM ledger WHERE state = 'running' AND process NOT IN (?, '')"
        names = [row[0] for row in connection.execute(query, (self._presence.name,))]
        lost = [name for name in names if self._presence.gone(name)]
        for name in lost:
            connection.execute(
                "UPDATE ledger SET state = 'lost', cny = reserved, reserved = 0, ended = ?"
                " WHERE state = 'running' AND process = ?",
                (self._clock(), name),
            )
        return len(lost)


def _tallies(connection: "sqlite3.Connection", days: list[tuple[str, float, float]], owner: str | None) -> list[Tally]:
    query = (
        "SELECT ?, tool, model, state, basis, count(*), sum(cny), sum(reserved), sum(input_tokens),"
        " sum(output_tokens), sum(seconds), sum(pictures), sum(searches) FROM ledger"
        " WHERE started >= ? AND started < ? AND (? IS NULL OR owner = ?)"
        " GROUP BY tool, model, state, basis ORDER BY tool, model, state, basis"
    )
    rows = (connection.execute(query, (*day, owner, owner)) for day in days)
    return [Tally(*row) for found in rows for row in found]


def month_named(month: str, now: datetime) -> datetime:
    """The first moment of a month.

    Raises:
        BadInput: That is no month.
    """
    if not month:
        return month_of(now)
    if not _MONTH.fullmatch(month) or month.startswith("0000"):
        raise BadInput(f"{month[:20]!r} is no month.", advice=f"Write it as {now:%Y-%m}.")
    return datetime(int(month[:4]), int(month[5:]), 1, tzinfo=now.tzinfo)


def _settle(connection: "sqlite3.Connection", number: int, closing: Closing, now: float) -> None:
    sets, values = settlement(closing)
    query = f"UPDATE ledger SET {sets}, reserved = 0, ended = ? WHERE id = ? AND state = 'running'"  # noqa: S608 - constants
    connection.execute(query, (*values, now, number))


def _days(first: datetime, zone: tzinfo | None) -> list[tuple[str, float, float]]:
    """Each day of a month: its name, its first moment, the next day's."""
    found: list[tuple[str, float, float]] = []
    for number in range(31):
        # Through the calendar, not by adding 24 hours: days on which clocks change are shorter or longer.
        day = (first.replace(tzinfo=None) + timedelta(days=number)).replace(tzinfo=zone)
        following = (first.replace(tzinfo=None) + timedelta(days=number + 1)).replace(tzinfo=zone)
        if day.month == first.month:
            found.append((f"{day:%Y-%m-%d}", day.timestamp(), following.timestamp()))
    return found
