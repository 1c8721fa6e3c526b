"""Calls whose work may outlive them: handed off before the host gives up, joined when asked twice, kept when stopped.

Every body that may spend runs as a task of the server, and the call only waits for it. So there is one place that decides
what happens when a caller's time is over (the work goes on, the caller gets a job's id), when the last one who waits
leaves (the work is stopped, what had arrived is kept) and when the same is asked again (nothing is paid twice). A call
that is answered in time writes nothing down. What runs and asks the same is found in memory; the database is asked for
answers that nobody was given and for work of other servers on the same file.

An answer counts as delivered when the call it belongs to went on to be answered without having been cancelled.
"""

from __future__ import annotations

import functools
import json
import logging
import time
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import anyio
from mcp.types import CallToolResult, ListRootsResult, ResourceLink, TextContent

from mtu_mcp.app import App, UnderWay
from mtu_mcp.capabilities._handed import KIND, lose_the_dead, plain, restored, stored
from mtu_mcp.errors import MtuError
from mtu_mcp.gateway import current_scope
from mtu_mcp.server.edge import failed, hide_key
from mtu_mcp.server.work import Work, noted

if TYPE_CHECKING:
    from mtu_mcp.gateway import Scope
    from mtu_mcp.records import Job

    Body = Callable[..., Awaitable[CallToolResult]]

logger = logging.getLogger(__name__)

REUSED_SECONDS: Final = 86_400.0
"""How old an answer that nobody was given may be when it is given to one who asks the same."""
NEWS_SECONDS: Final = 5.0
"""Seconds between two notes of a job's progress in the database."""
GONE: Final = "The caller stopped it, or its host no longer waited."
BY_JOB: Final = "It was stopped with get_job."


class Calls:
    """The calls at work on one server.

    Args:
        app: The running server.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._works: dict[str, Work] = {}
        self._looked = False

    def detached(self, fn: Body) -> Body:
        """Wrap a tool's body so that its work may outlive the call. Without a call (`Scope.asked`) it just runs."""

        @functools.wraps(fn)
        async def called(*args: Any, **kwargs: Any) -> CallToolResult:
            scope = current_scope()
            if not scope.asked or self._app.tasks is None:
                return await fn(*args, **kwargs)
            work = self._works.get(_key(scope, kwargs))
            if work is not None:
                work.hear(scope)
                answer = await self._wait(work, scope)
                same = "The same call was running already; this is its answer, paid for once."
                return noted(answer, same) if work.ended.is_set() else answer
            work = self._begin(scope, functools.partial(fn, *args, **kwargs), kwargs)
            return await self._wait(work, scope)

        return called

    def _begin(self, scope: Scope, body: Body, values: dict[str, Any]) -> Work:
        key = _key(scope, values)
        arguments: dict[str, Any] = json.loads(hide_key(json.dumps(plain(values), ensure_ascii=False)))
        first = next((value for value in arguments.values() if isinstance(value, str) and value.strip()), "")
        title = f"{scope.tool}: {' '.join(first.split())[:80]}".rstrip(": ")
        request = {"tool": scope.tool, "arguments": arguments, "call": scope.call}
        work = self._works[key] = Work(key, title, request, scope)
        work.hear(scope)
        assert self._app.tasks is not None
        self._app.tasks.start_soon(self._run, work, body)
        return work

    async def _run(self, work: Work, body: Body) -> None:
        """Do the work to its end, whatever that is, and then let those who wait know."""
        try:
            with work.stop:
                work.result = await self._earlier(work) or await body()
        except Exception as error:  # noqa: BLE001 - it belongs to those who wait
            work.failure = error
        finally:
            with anyio.CancelScope(shield=True):
                await self._settle(work)
            self._forget(work)
            work.ended.set()

    def _forget(self, work: Work) -> None:
        if self._works.get(work.key) is work:
            del self._works[work.key]

    async def _wait(self, work: Work, scope: Scope) -> CallToolResult:
        """Wait for the answer, or until it is time to hand off."""
        work.waiting += 1
        try:
            with anyio.CancelScope(deadline=scope.until):
                await work.ended.wait()
            if not work.ended.is_set():
                if (job := await self._hand_off(work)) is not None:
                    return _still_running(job, work)
                await work.ended.wait()
            answer = self._answer(work)
        except BaseException:
            self._leave(work)
            raise
        finally:
            work.waiting -= 1
            work.leave(scope)
        return answer

    def _answer(self, work: Work) -> CallToolResult:
        work.delivered = True
        if work.failure is not None:
            raise work.failure
        if work.result is None:
            kept = f" What had arrived is kept: mtu://jobs/{work.job.id}" if work.job else ""
            return failed(f"The call was stopped. {work.why}{kept}")
        return work.result

    def _leave(self, work: Work) -> None:
        """A caller was cancelled: without any other, the work is stopped, or its answer kept."""
        if work.delivered or work.waiting > 1 or work.job is not None:
            return
        if not work.ended.is_set():
            self._forget(work)
            work.cancel(GONE)
        elif work.result is not None and self._app.tasks is not None:
            self._app.tasks.start_soon(self._settle, work)

    async def _hand_off(self, work: Work) -> Job | None:
        """Give the work a job, unless it has just ended or nothing can be written down; then it is waited for."""
        with anyio.CancelScope(shield=True):
            async with work.lock:
                if work.job is None and not work.ended.is_set():
                    work.job = await self._enter(work)
                if work.job is None or work.ended.is_set():
                    return None
                work.owed += 1
                return work.job

    async def _enter(self, work: Work) -> Job | None:
        jobs, tasks = self._app.records.jobs, self._app.tasks
        try:
            made = await jobs.create(KIND, work.title, work.request, fingerprint=work.key)
            job = await jobs.change(made.id, state="running")
        except MtuError as error:
            logger.warning("a call could not be handed off: %s", error)
            return None
        if job is None or tasks is None:
            return None
        work.scope.job = job.id
        cancel = functools.partial(work.cancel, BY_JOB)
        self._app.under_way[job.id] = UnderWay(work.ended, cancel, lambda: hide_key(work.told))
        tasks.start_soon(self._hold, work, job.id)
        return job

    async def _hold(self, work: Work, job_id: str) -> None:
        """Show others that this process works on a job, and note how far it is."""
        jobs, last = self._app.records.jobs, ""
        try:
            async with jobs.hold(job_id):
                await self._app.budget.assign(work.scope.call, job_id)
                while not work.ended.is_set():
                    with anyio.move_on_after(NEWS_SECONDS):
                        await work.ended.wait()
                    if work.told != last and not work.ended.is_set():
                        last = work.told
                        await jobs.change(job_id, note=hide_key(last)[:300])
        except Exception as error:  # noqa: BLE001 - the work goes on, unseen
            logger.warning("the progress of %s could not be noted: %s", job_id, error)

    async def _settle(self, work: Work) -> None:
        """Write down what came of the work, where somebody may ask for it."""
        with anyio.CancelScope(shield=True):
            async with work.lock:
                try:
                    await self._write(work)
                    if work.job is not None:
                        self._app.under_way.pop(work.job.id, None)
                except Exception as error:  # noqa: BLE001 - the answer goes out whatever is wrong with the database
                    logger.warning("what came of a call could not be kept: %s", error)

    async def _write(self, work: Work) -> None:
        jobs = self._app.records.jobs
        if work.earlier is not None and (work.waiting or work.delivered):
            await jobs.change(work.earlier.id, expect=(work.earlier.state,), delivered=time.time())
        if work.job is None and not _worth_keeping(work):
            return
        if work.job is None:
            work.job = await jobs.create(KIND, work.title, work.request, fingerprint=work.key)
        delivered = time.time() if work.waiting and work.waiting >= work.owed and not work.stopped else None
        await jobs.change(work.job.id, cost=work.cost(), delivered=delivered, **_outcome(work))

    async def _earlier(self, work: Work) -> CallToolResult | None:
        """The answer to the same call that nobody was given, or word of the server that is at it."""
        records = self._app.records
        if records.path is not None and not records.path.exists():
            return None
        try:
            if not self._looked:
                await lose_the_dead(self._app)
                self._looked = True
            found = await records.jobs.same(work.key, time.time() - REUSED_SECONDS)
            if found is not None and found.active:
                await lose_the_dead(self._app)
                found = await records.jobs.same(work.key, time.time() - REUSED_SECONDS)
        except MtuError:
            return None
        if found is None:
            return None
        work.reusable = False
        if found.active:
            return _still_running(found, work)
        work.earlier = found
        at = time.strftime("%H:%M", time.localtime(found.created))
        note = f"This is the answer to the same call of {at} ({found.id}), which nobody had been given; it was not paid for again."
        return noted(restored(found), note)


def _key(scope: Scope, values: dict[str, Any]) -> str:
    """What makes two calls the same: who asks what, and the folders that relative paths are looked up in."""
    roots = [str(root.uri) for value in values.values() if isinstance(value, ListRootsResult) for root in value.roots]
    return sha256("\0".join((scope.owner, scope.asked, *roots)).encode("utf-8", "replace")).hexdigest()


def _worth_keeping(work: Work) -> bool:
    """Whether something is left that nobody was given."""
    if work.stopped:
        return bool(work.parts())
    if work.result is None or work.result.is_error or not work.reusable:
        return False
    return not work.waiting and not work.delivered


def _outcome(work: Work) -> dict[str, Any]:
    if work.failure is not None:
        text = hide_key(str(work.failure))
        return {"state": "failed", "result": stored(failed(text)), "note": ""}
    if work.result is None:
        part = hide_key(work.parts())
        said = (
            f"What had arrived when it was stopped:\n\n{part}" if part else "Nothing had arrived when it was stopped."
        )
        result = CallToolResult(content=[TextContent(type="text", text=said)])
        return {"state": "cancelled", "result": stored(result), "note": work.why}
    return {"state": "failed" if work.result.is_error else "done", "result": stored(work.result), "note": ""}


def _still_running(job: Job, work: Work) -> CallToolResult:
    seconds = max(0.0, time.time() - job.created if job is not work.job else time.time() - work.began)
    heard = f" Last heard: {hide_key(work.told)}." if work.told else ""
    text = (
        f"{work.scope.tool} is still running after {seconds:.0f} s, and goes on as {job.id}.{heard}\n"
        f'Its answer comes from get_job with job="{job.id}" and wait=30, as often as needed. The same call made again '
        "waits for the same work; it is not paid for twice. get_job with cancel=true stops it."
    )
    uri = f"mtu://jobs/{job.id}"
    link = ResourceLink(type="resource_link", name=job.id, uri=uri, title=job.title, mime_type="application/json")
    return CallToolResult(content=[TextContent(type="text", text=text), link])
