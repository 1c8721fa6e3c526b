"""What every kind of job has in common: who knows how to go on with it, and how it is told.

A capability that starts jobs registers its kind here when it is imported; `get_job` finds it by the name in the row. So a
job of a kind this version does not know is shown as it was left, and a new kind needs no change to `get_job`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mtu_mcp.capabilities._answers import told_sum
from mtu_mcp.errors import BadInput

if TYPE_CHECKING:
    from mtu_mcp.app import App
    from mtu_mcp.capabilities._answers import Answer
    from mtu_mcp.records import Job


@dataclass(frozen=True, slots=True)
class JobKind:
    """One kind of job.

    Attributes:
        name: As it stands in the database.
        refresh: Finds out how the work stands, writes it down and returns the job; may be called at any time, by
            several processes.
        cancel: Stops the work and returns the job.
        show: Tells of the job's result in an answer.
    """

    name: str
    refresh: Callable[[App, Job], Awaitable[Job]]
    cancel: Callable[[App, Job], Awaitable[Job]]
    show: Callable[[App, Answer, Job], Awaitable[None]]


_kinds: dict[str, JobKind] = {}


def register(kind: JobKind) -> JobKind:
    """Make a kind known."""
    _kinds[kind.name] = kind
    return kind


async def refreshed(app: App, job: Job) -> Job:
    """The job as it stands now; as it was left when its kind is not known."""
    kind = _kinds.get(job.kind)
    return await kind.refresh(app, job) if kind and job.active else job


async def cancelled(app: App, job: Job) -> Job:
    """The job after it was told to stop.

    Raises:
        BadInput: Nobody here can stop it.
    """
    kind = _kinds.get(job.kind)
    if kind is None:
        raise BadInput(f"This version cannot stop jobs of the kind {job.kind!r}.")
    return await kind.cancel(app, job) if job.active else job


async def tell(app: App, answer: Answer, job: Job) -> None:
    """Say how a job stands and what came of it."""
    answer.say(f"{job.id} is {job.state}: {job.title}")
    kind = _kinds.get(job.kind)
    if kind is not None:
        await kind.show(app, answer, job)
    answer.note(job.note)


def row(job: Job) -> str:
    """One job on one line."""
    started = datetime.fromtimestamp(job.created, UTC).strftime("%Y-%m-%d %H:%M")
    cost = f" · {told_sum(job.cost)}" if job.cost is not None else ""
    return f"- {job.id} · {job.kind} · {job.state} · {started} UTC · {job.title}{cost}"
