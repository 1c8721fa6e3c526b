"""Work that goes on after the call that began it: its state, its result, an end to it.

Jobs are kept in the database, so they are found again after a restart and by another server on the same file. What one
kind of job is and how it goes on is the business of the capability that starts it.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Annotated, Any, Final

import anyio
from mcp.server.mcpserver.resolve import Resolve
from mcp.types import CallToolResult
from pydantic import Field

from mtu_mcp.app import App, current_app
from mtu_mcp.capabilities._answers import Answer
from mtu_mcp.capabilities._jobs import cancelled, refreshed, row, tell
from mtu_mcp.capabilities._spec import Capability, Content, ResourceSpec, ToolSpec
from mtu_mcp.delivery import LATE, current_delivery
from mtu_mcp.errors import MtuError, NotFound
from mtu_mcp.gateway import current_scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mtu_mcp.records import Job

LISTED: Final = 20
MOST_LISTED: Final = 100
LONGEST_WAIT: Final = 600
LONGEST_PAUSE: Final = 10.0
"""Seconds between two looks at a job that takes hours."""


async def get_job(
    job: Annotated[str | None, Field(description="Id; without one, lists jobs.")] = None,
    wait: Annotated[float, Field(description="Seconds.")] = 0,
    cancel: bool = False,
    *,
    app: Annotated[App, Resolve(current_app)],
) -> CallToolResult:
    """State or result of handed-off work."""
    answer = Answer(app)
    if not (job or "").strip():
        jobs = await app.records.jobs.list(LISTED)
        answer.say("\n".join(map(row, jobs)) or "There are no jobs.")
        return answer.finish()
    found = await _find(app, (job or "").strip())
    found = await (cancelled(app, found) if cancel else refreshed(app, found))
    # The host's own limit goes first: word of work that goes on says more than no answer.
    longest = min(LONGEST_WAIT, current_scope().until - anyio.current_time())
    found = await _waited(app, found, min(wait, longest) if wait > 0 else 0.0)
    await tell(app, answer, found)
    if found.active:
        answer.note(
            "The gateway is still ending it; ask again with wait." if cancel else "It goes on; ask again with wait."
        )
    elif found.delivered is None:
        await _given(app, found)
    return answer.finish()


async def _given(app: App, job: Job) -> None:
    """Note that a result was given: now, or once the answer has left where that can be told; a late cancel undoes it."""
    delivery, tasks, context = current_delivery(), app.tasks, copy_context()

    async def note(at: float | None) -> None:
        with suppress(MtuError):
            await app.records.jobs.change(job.id, expect=(job.state,), delivered=at)

    if delivery is None or delivery.left or tasks is None:
        await note(time.time())
        return

    def given() -> None:
        context.run(tasks.start_soon, note, time.time())
        asyncio.get_running_loop().call_later(LATE, delivery.let_be)  # until then it is held, for a cancel to find

    delivery.if_taken_back(lambda _: context.run(tasks.start_soon, note, None) and None)
    delivery.once_left(given)


async def _find(app: App, job_id: str) -> Job:
    found = await app.records.jobs.load(job_id)
    if found is None:
        raise NotFound(f"There is no job {job_id[:80]!r}.", advice="get_job without an id lists them.")
    return found


async def _waited(app: App, job: Job, seconds: float) -> Job:
    """Look again and again, more and more seldom, until the job ends or the time is over."""
    pause = 0.1
    with anyio.move_on_after(seconds) as limit:
        while job.active and seconds > 0:
            counts = job.result.get("status") or job.state
            await current_scope().report(f"{job.title}: {counts}", job.result.get("completed"), job.result.get("total"))
            work = app.under_way.get(job.id)
            with anyio.move_on_after(pause):
                await (work.ended.wait() if work else anyio.sleep(pause))
            pause = min(pause * 2, LONGEST_PAUSE)
            # Time running out must not interrupt the writing down of a result.
            with anyio.CancelScope(shield=True):
                job = await refreshed(app, job)
            if anyio.current_time() >= limit.deadline:
                break
    return job


async def one_job(job: str) -> Content:
    """One job: state, result, cost."""
    found = await _find(current_app(), job)
    return Content.of({**_facts(found), "remote": found.remote, "result": found.result})


async def all_jobs() -> Content:
    """Jobs, the latest first."""
    return Content.of([_facts(found) for found in await current_app().records.jobs.list(MOST_LISTED)])


def _facts(found: Job) -> dict[str, Any]:
    return {
        "id": found.id,
        "kind": found.kind,
        "state": found.state,
        "title": found.title,
        "created": found.created,
        "updated": found.updated,
        "note": found.note,
        "cost_cny": found.cost,
    }


async def _complete_job(typed: str, given: Mapping[str, str]) -> list[str]:
    del given
    wanted = typed.casefold()
    try:
        jobs = await current_app().records.jobs.list(MOST_LISTED)
    except MtuError:  # typing an id must not fail; reading the list says what is wrong
        return []
    return [job.id for job in jobs if wanted in job.id or wanted in job.title.casefold()]


CAPABILITY = Capability(
    tools=(ToolSpec(get_job, title="Jobs"),),
    resources=(
        ResourceSpec("mtu://jobs", all_jobs, "Jobs"),
        ResourceSpec("mtu://jobs/{job}", one_job, "One job", complete={"job": _complete_job}),
    ),
)
