"""Jobs: work that goes on after the call that began it, and what came of it.

A job is a row that any process with this database can find again. Its state changes in one direction only, each change
one transaction that says which states it may start from, so two servers that learn the same news write it once. Who
works on a job holds it by a lease that is renewed while it works: a process that dies lets go by not renewing, and the
next one may find out what became of the work. Work that only its own process could go on with is then lost.
"""

import json
import secrets
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import anyio

from mtu_mcp.errors import RecordsError
from mtu_mcp.records.conversations import encoded, storable
from mtu_mcp.records.database import Changed, Database, unheard

if TYPE_CHECKING:
    import sqlite3

    from mtu_mcp.records.presence import Presence

State = Literal["queued", "running", "done", "failed", "cancelled", "lost"]

ACTIVE: Final[frozenset[State]] = frozenset({"queued", "running"})
"""States a job can still leave."""
LEASE: Final = 30.0
"""Seconds after the last sign of life of a holder when another may take the job."""
BEAT: Final = 5.0
_COLUMNS: Final = (
    "id, kind, state, title, created, updated, remote, request, result, note, cost, fingerprint, delivered"
)


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work.

    Attributes:
        id: What it is asked after by; hard to guess.
        kind: Who knows how to go on with it, such as "batch".
        state: "queued" until the other side has it, "running", then one of "done", "failed", "cancelled", "lost". Lost
            means that nobody can say any more what came of it.
        title: What it is, for a person.
        created: Seconds since the epoch.
        updated: The same, of the last change.
        remote: Its id on the other side; empty until there is one.
        request: What was asked, enough to go on after a restart.
        result: What came of it; empty until something did.
        note: What a reader should know besides.
        cost: CNY, estimated; None while not known.
        fingerprint: Same for calls that ask the same; empty where nobody compares.
        delivered: When its result was first given to somebody, seconds since the epoch; None until then.
    """

    id: str
    kind: str
    state: State
    title: str
    created: float
    updated: float
    remote: str = ""
    request: Mapping[str, Any] = field(default_factory=dict[str, Any])
    result: Mapping[str, Any] = field(default_factory=dict[str, Any])
    note: str = ""
    cost: float | None = None
    fingerprint: str = ""
    delivered: float | None = None

    @property
    def active(self) -> bool:
        """Whether something may still come of it."""
        return self.state in ACTIVE


class Jobs:
    """The jobs of one owner. Every method raises `RecordsError` when the database cannot be used.

    Args:
        database: Where they are kept.
        clock: Seconds since the epoch.
        owner: Whose they are; another owner's are not visible. Empty on a server that one person uses.
        presence: Proof that this process runs, by which others see at once when it no longer does.
        changed: Hears of every change.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], float],
        *,
        owner: str = "",
        presence: "Presence | None" = None,
        changed: Changed = unheard,
    ) -> None:
        self._database = database
        self._clock = clock
        self._owner = owner
        self._presence = presence
        self._changed = changed
        self._holder = presence.name if presence else secrets.token_hex(8)

    async def create(
        self, kind: str, title: str, request: Mapping[str, Any], *, fingerprint: str = "", begun: bool = False
    ) -> Job:
        """Enter a new job in the state "queued"; it is on disk on return.

        Args:
            kind: What kind of work it is.
            title: What it is, for a person.
            request: What was asked.
            fingerprint: Same for jobs that ask the same.
            begun: Whether this process is at work on it already: it is then "running", and held from the first moment,
                so that it is known to be lost should the process die in the next one; `hold` it as `taken`.
        """
        now, state = self._clock(), "running" if begun else "queued"
        made = Job(
            f"job-{secrets.token_hex(6)}",
            kind,
            state,
            title[:200],
            now,
            now,
            request=dict(request),
            fingerprint=fingerprint,
        )
        row = (made.id, self._owner, kind, state, storable(made.title), now, now, encoded(request), fingerprint)
        holder = (self._holder, now) if begun else ("", 0)

        def enter(connection: "sqlite3.Connection") -> None:
            if begun and self._presence is not None:
                self._presence.take()
            connection.execute(
                "INSERT INTO jobs (id, owner, kind, state, title, created, updated, request, fingerprint, holder, seen)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, *holder),
            )

        await self._database.write(enter)
        self._changed(self._owner, "jobs", made.id)
        return made

    async def load(self, job_id: str) -> Job | None:
        """The job of that id, or None."""
        return await self._database.read(lambda it: self._load(it, job_id))

    async def change(
        self, job_id: str, *, expect: Collection[State] = ACTIVE, state: State | None = None, **values: Any
    ) -> Job | None:
        """Change a job if it is in one of the states expected: all of the change or none of it.

        Args:
            job_id: Which job.
            expect: States it may be in; by default those it can leave.
            state: Its new state.
            values: Further fields: remote, request, result, note, cost, delivered.

        Returns:
            The job as it is then; None when it is not there or was in another state, and nothing was changed.
        """
        sets = {name: _stored(name, value) for name, value in values.items()}
        if state is not None:
            sets["state"] = state
        job = await self._database.write(lambda it: self._change(it, job_id, tuple(expect), sets))
        if job is not None:
            self._changed(self._owner, "jobs", job.id)
        return job

    async def list(self, limit: int = 50) -> "list[Job]":
        """The latest jobs, newest first."""
        query = f"SELECT {_COLUMNS} FROM jobs WHERE owner = ? ORDER BY created DESC, id DESC LIMIT ?"  # noqa: S608 - constants
        rows = await self._database.read(lambda it: it.execute(query, (self._owner, limit)).fetchall())
        return [self._job(row) for row in rows]

    async def same(self, fingerprint: str, since: float, *, besides: str = "") -> Job | None:
        """The latest job that asks the same and can still answer it: one that goes on, or one that ended well after
        `since` and whose result nobody was given; never the job `besides`, which is the asker's own.
        """
        query = (
            f"SELECT {_COLUMNS} FROM jobs WHERE owner = ? AND fingerprint = ? AND id <> ? AND (state IN ('queued', 'running')"  # noqa: S608 - constants
            " OR (state = 'done' AND delivered IS NULL AND updated >= ?)) ORDER BY created DESC LIMIT 1"
        )
        values = (self._owner, fingerprint, besides, since)
        row = await self._database.read(lambda it: it.execute(query, values).fetchone())
        return self._job(row) if row else None

    async def lose(self, kind: str, note: str) -> int:
        """Mark as lost what processes that are gone left running, of a kind nobody else can go on with; whoever's it is.

        What is known of the cost is what the ledger has of it.

        Returns:
            How many were lost.
        """
        if not await self._database.read(lambda it: self._forsaken(it, kind)):
            return 0
        lost = await self._database.write(lambda it: self._lose(it, kind, note))
        for job, owner in lost:
            self._changed(owner, "jobs", job)
        return len(lost)

    @asynccontextmanager
    async def hold(self, job_id: str, *, taken: bool = False) -> AsyncGenerator[bool]:
        """Work on a job: gives True if nobody else does, and keeps others off until the block ends or this process dies.

        Args:
            job_id: Which job.
            taken: Whether it was entered as begun by this process.
        """
        held = taken or await self._take(job_id)
        if not held:
            yield False
            return
        failure: Exception | None = None
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._renew, job_id)
                try:
                    yield True
                except Exception as error:  # noqa: BLE001 - raised again below, out of the group that would wrap it
                    failure = error
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(2.0):
                await self._release(job_id)
        if failure is not None:
            raise failure

    async def _take(self, job_id: str) -> bool:
        now = self._clock()
        look = "SELECT holder, seen FROM jobs WHERE id = ? AND owner = ?"
        query = "UPDATE jobs SET holder = ?, seen = ? WHERE id = ?"

        def take(connection: "sqlite3.Connection") -> bool:
            if self._presence is not None:
                self._presence.take()
            row = connection.execute(look, (job_id, self._owner)).fetchone()
            if row is None or (row[0] and not self._forsook(row[0], row[1])):
                return False
            return connection.execute(query, (self._holder, now, job_id)).rowcount > 0

        return await self._database.write(take)

    def _forsaken(self, connection: "sqlite3.Connection", kind: str) -> "list[tuple[str, str]]":
        query = (
            "SELECT id, owner, holder, max(seen, updated) FROM jobs WHERE kind = ?"
            " AND state IN ('queued', 'running') AND holder <> ?"
        )
        rows = connection.execute(query, (kind, self._holder)).fetchall()
        return [(job, owner) for job, owner, holder, seen in rows if self._forsook(holder, seen)]

    def _forsook(self, holder: str, seen: float) -> bool:
        """Whether whoever works on a job does so no more, by the lock or else by the last sign of life."""
        late = seen < self._clock() - LEASE
        if not holder or self._presence is None:
            return late
        return self._presence.gone(holder) or (late and self._presence.silent(holder, seen))

    def _lose(self, connection: "sqlite3.Connection", kind: str, note: str) -> "list[tuple[str, str]]":
        lost = self._forsaken(connection, kind)
        for job, _ in lost:
            connection.execute(
                "UPDATE jobs SET state = 'lost', updated = ?, holder = '', note = ?, cost = (SELECT sum(cny + reserved)"
                " FROM ledger WHERE job = jobs.id OR call = json_extract(jobs.request, '$.call')) WHERE id = ?",
                (self._clock(), storable(note), job),
            )
        return lost

    async def _renew(self, job_id: str) -> None:
        while True:
            await anyio.sleep(BEAT)
            with suppress(RecordsError):  # the work goes on; the next beat may be heard
                await self._beat(job_id)

    async def _beat(self, job_id: str) -> bool:
        """Give a sign of life; False when the job is not this process's any more."""
        query, values = "UPDATE jobs SET seen = ? WHERE id = ? AND holder = ?", (self._clock(), job_id, self._holder)
        return await self._database.write(lambda it: it.execute(query, values).rowcount > 0)

    async def _release(self, job_id: str) -> None:
        query, values = "UPDATE jobs SET holder = '' WHERE id = ? AND holder = ?", (job_id, self._holder)
        try:
            await self._database.write(lambda it: it.execute(query, values))
        except RecordsError:  # the lease runs out by itself
            return

    def _change(
        self, connection: "sqlite3.Connection", job_id: str, expect: tuple[State, ...], sets: Mapping[str, Any]
    ) -> Job | None:
        names = ", ".join(f"{name} = ?" for name in (*sets, "updated"))
        marks = ", ".join("?" * len(expect))
        query = f"UPDATE jobs SET {names} WHERE id = ? AND owner = ? AND state IN ({marks})"  # noqa: S608 - our names
        now = self._clock()
        changed = connection.execute(query, (*sets.values(), now, job_id, self._owner, *expect)).rowcount
        return self._load(connection, job_id) if changed else None

    def _load(self, connection: "sqlite3.Connection", job_id: str) -> Job | None:
        query = f"SELECT {_COLUMNS} FROM jobs WHERE id = ? AND owner = ?"  # noqa: S608 - constants
        row = connection.execute(query, (storable(job_id), self._owner)).fetchone()
        return self._job(row) if row else None

    def _job(self, row: tuple[Any, ...]) -> Job:
        values = dict(zip(_COLUMNS.split(", "), row, strict=True))
        try:
            values["request"], values["result"] = json.loads(values["request"]), json.loads(values["result"])
        except (ValueError, TypeError) as error:
            raise RecordsError(
                f"The job {values['id']} in {self._database.where} holds something that cannot be read.",
                advice="Restore the file from a backup.",
            ) from error
        return Job(**values)


_WRITTEN: Final = ("remote", "note")
_ENCODED: Final = ("request", "result")
_NUMBERS: Final = ("cost", "delivered")


def _stored(name: str, value: Any) -> Any:
    if name in _ENCODED:
        return encoded(value)
    if name in _WRITTEN:
        return storable(cast("str", value))
    if name in _NUMBERS:
        return value
    raise TypeError(f"a job has no field {name} that changes")
