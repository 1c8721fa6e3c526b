"""Calls whose work may outlive them: handed off before the host gives up, joined when asked twice, kept when stopped.

Every body that may spend runs as a task of the server, and the call only waits for it. So there is one place that decides
what happens when a caller's time is over (the work goes on, the caller gets a job's id), when the last one who waits
leaves (the work is stopped, what had arrived is kept) and when the same is asked again (nothing is paid twice). A call
that is answered in time writes nothing down. What runs and asks the same is found in memory; the database is asked for
answers that nobody was given and for work of other servers on the same file.

An answer counts as delivered when the call it belongs to went on to be answered without having been cancelled, and its
response left: over HTTP before the client went, on stdio into a pipe that held. One that comes in while nobody waits any
more is kept, and so is one that left while the host was cancelling: for some seconds it can be taken back.
"""

from __future__ import annotations

import functools
import json
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import copy_context
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import anyio
from mcp.types import CallToolResult, ListRootsResult

from mtu_mcp.app import App, UnderWay
from mtu_mcp.capabilities._handed import KIND, lose_the_dead, plain, restored
from mtu_mcp.delivery import current_delivery
from mtu_mcp.errors import MtuError
from mtu_mcp.gateway import current_scope
from mtu_mcp.server.edge import failed, hide_key
from mtu_mcp.server.outcomes import outcome, still_running, worth_keeping
from mtu_mcp.server.recall import Recall
from mtu_mcp.server.work import Work, noted

if TYPE_CHECKING:
    from contextvars import Context

    from mtu_mcp.delivery import Delivery
    from mtu_mcp.gateway import Scope
    from mtu_mcp.records import Job

    Body = Callable[..., Awaitable[CallToolResult]]

logger = logging.getLogger(__name__)

REUSED_SECONDS: Final = 86_400.0
"""How old an answer that nobody was given may be when it is given to one who asks the same."""
NEWS_SECONDS: Final = 5.0
"""Seconds between two notes of a job's progress in the database."""
GRACE: Final = 0.05
"""Seconds in which an answer that is under way may still end when nobody waits for it; a cancel is to close it in 0.5."""
SAVING: Final = 10.0
"""Seconds that writing down what is paid for may take."""
LOOK: Final = 0.02
TURNS: Final = 5
"""Turns of the event loop in which nothing comes after which nothing is there."""
LAST: Final = 0.2
"""Seconds after the grace in which a gateway that talks without a pause is listened to."""
IN_TIME: Final = 0.5
"""Seconds before a caller's time is over when waiting for another server's work ends."""
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
        self._recall = Recall()
        self._looked = False

    def detached(self, fn: Body) -> Body:
        """Wrap a tool's body so that its work may outlive the call. Without a call (`Scope.asked`) it just runs."""

        @functools.wraps(fn)
        async def called(*args: Any, **kwargs: Any) -> CallToolResult:
            scope = current_scope()
            if not scope.asked or self._app.tasks is None:
                return await fn(*args, **kwargs)
            work = await self._found(_key(scope, kwargs))
            if work is not None:
                work.hear(scope)
                answer = await self._wait(work, scope)
                same = "The same call was running already; this is its answer, paid for once."
                return noted(answer, same) if work.ended.is_set() else answer
            work = self._begin(scope, functools.partial(fn, *args, **kwargs), kwargs)
            return await self._wait(work, scope)

        return called

    async def _found(self, key: str) -> Work | None:
        """The work that asks the same, if there is any; one that is being stopped is waited for, as it may have its answer.

        What was given is not given again, also while that is being written down; but who had asked before it left joins.
        """
        while (work := self._works.get(key)) is not None:
            if work.delivered and not _asked_before(work):
                async with work.lock:
                    self._forget(work)
            elif not work.dying or await work.came():
                break
            else:
                self._forget(work)
        return work

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
            work.over.set()
            with anyio.CancelScope(shield=True):
                await self._settle(work)
            work.ended.set()
            self._let_go(work)

    def _forget(self, work: Work) -> None:
        if self._works.get(work.key) is work:
            del self._works[work.key]

    async def _wait(self, work: Work, scope: Scope) -> CallToolResult:
        """Wait for the answer, or until it is time to hand off."""
        work.waiting += 1
        work.held += 1
        delivery = None
        try:
            with anyio.CancelScope(deadline=scope.until):
                await work.ended.wait()
            if not work.ended.is_set():
                if (job := await self._hand_off(work)) is not None:
                    return still_running(job, work)
                await work.ended.wait()
            answer = self._answer(work)
            if (delivery := current_delivery()) is None or delivery.left:
                self._hold_back(work, delivery, copy_context())
                await self._given(work)
        except BaseException as error:
            if not isinstance(error, Exception):
                self._leave(work)
            raise
        finally:
            work.waiting -= 1
            work.leave(scope)
            if delivery is None or delivery.left:
                self._let_go(work)
            else:
                self._await_delivery(work, delivery)
        return answer

    def _answer(self, work: Work) -> CallToolResult:
        if work.failure is not None:
            raise work.failure
        if work.result is None:
            kept = f" What had arrived is kept: mtu://jobs/{work.job.id}" if work.job else ""
            return failed(f"The call was stopped. {work.why}{kept}")
        return work.result

    def _await_delivery(self, work: Work, delivery: Delivery) -> None:
        """Hold on to the work until its answer has left, or has not."""
        context, tasks = copy_context(), self._app.tasks  # whoever notices may be nobody's task

        async def given() -> None:
            await self._given(work)
            self._let_go(work)

        def left() -> None:
            self._hold_back(work, delivery, context)
            context.run(tasks.start_soon, given) if tasks else None

        if tasks is not None:
            delivery.once_left(left)
            delivery.otherwise(lambda: context.run(self._let_go, work))

    def _hold_back(self, work: Work, delivery: Delivery | None, context: Context) -> None:
        """Keep an answer that leaves where a cancel that comes too late still finds it."""
        work.left = min(work.left, time.monotonic())
        if delivery is not None and work.result is not None and not work.result.is_error:
            delivery.if_taken_back(functools.partial(self._take_back, work, context))
            self._recall.hold(delivery, work.size())

    def _take_back(self, work: Work, context: Context, delivery: Delivery) -> None:
        """The host had cancelled when the answer came, and threw it away: nobody was given it."""
        if self._recall.release(delivery) and (tasks := self._app.tasks) is not None:
            work.given -= 1
            work.held += 1
            self._works.setdefault(work.key, work)  # found by whoever asks again from now on
            context.run(tasks.start_soon, self._regain, work)

    async def _regain(self, work: Work) -> None:
        with anyio.CancelScope(shield=True):
            await self._mark(work)
        self._let_go(work)

    def _let_go(self, work: Work) -> None:
        """One less holds on to the work. The last one leaves it to whoever asks the same again, if nobody was given it."""
        work.held -= 1
        if work.held:
            return
        if work.result is None or work.given or self._app.tasks is None:
            self._forget(work)
            work.slim()
        else:
            self._app.tasks.start_soon(self._keep, work)

    async def _keep(self, work: Work) -> None:
        work.held += 1  # found by whoever asks again before it is written down
        await self._settle(work)
        work.held -= 1
        if not work.held:
            self._forget(work)

    def _leave(self, work: Work) -> None:
        """A caller was cancelled; without any other, the work is stopped."""
        if not (work.ended.is_set() or work.waiting > 1 or work.owed or self._app.tasks is None):
            self._app.tasks.start_soon(self._wind_down, work, anyio.current_time())

    async def _wind_down(self, work: Work, since: float) -> None:
        """Stop work that nobody waits for, unless its answer is here: what is paid for is not thrown away.

        The gateway gets `GRACE` to say its last words, and what has reached this machine by then is read before the
        connection is closed, however busy the loop was. When all of an answer is here, what is left is to write it
        down, and only the next question to the gateway is not asked any more.
        """
        while not (work.over.is_set() or work.waiting):
            over = anyio.current_time() - since
            late = not work.scope.exchanges or over > (GRACE if work.spending else SAVING)
            if late and (not work.spending or await self._fell_silent(work)):
                work.cancel(GONE)
                return
            with anyio.move_on_after(LOOK):
                await work.over.wait()

    async def _fell_silent(self, work: Work) -> bool:
        """Take in what waits in this machine's buffers; whether the gateway is still at it then, and nobody waits.

        A socket is read once in a turn of the event loop, and what was read is looked at in the next ones.
        """
        heard, turns, end = work.packets, 0, anyio.current_time() + LAST
        while turns < TURNS and (anyio.current_time() < end or not turns):
            await anyio.lowlevel.checkpoint()
            turns += 1
            if work.packets != heard:
                heard, turns = work.packets, 0
        return work.spending and not work.waiting

    async def _given(self, work: Work) -> None:
        """Note that the answer was given, where it is kept."""
        work.given += 1
        await self._mark(work)

    async def _mark(self, work: Work) -> None:
        """Write down whether everybody was given the answer who waited for it; a late cancel may have changed that."""
        async with work.lock:  # it may be about to be kept
            if (job := work.earlier or work.job) is not None:
                at = time.time() if work.delivered else None
                with suppress(MtuError):
                    await self._app.records.jobs.change(job.id, expect=("done",), delivered=at)

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
        if tasks is None:
            return None
        try:
            job = await jobs.create(KIND, work.title, work.request, fingerprint=work.key, begun=True)
        except MtuError as error:
            logger.warning("a call could not be handed off: %s", error)
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
            async with jobs.hold(job_id, taken=True):
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
        if work.job is None and not worth_keeping(work):
            return
        if work.job is None:
            work.job = await jobs.create(KIND, work.title, work.request, fingerprint=work.key)
        await jobs.change(work.job.id, cost=work.cost(), **outcome(work))

    async def _earlier(self, work: Work) -> CallToolResult | None:
        """The answer to the same call that nobody was given, or word of the server that is at it."""
        records = self._app.records
        if records.path is not None and not records.path.exists():
            return None
        try:
            if not self._looked:
                await lose_the_dead(self._app)
                self._looked = True
            async with (
                work.lock
            ):  # under load the call may be handed off before it gets here; its own job is not another's
                own = work.job.id if work.job else ""
                found = await records.jobs.same(work.key, time.time() - REUSED_SECONDS, besides=own)
            elsewhere = found is not None and found.active
            if found is not None and found.active:
                found = await self._elsewhere(found, work)
        except MtuError:
            return None
        if found is None:
            return None
        work.reusable = False
        if found.active:
            return still_running(found, work)
        work.earlier = found
        at = time.strftime("%H:%M", time.localtime(found.created))
        note = f"This is the answer to the same call of {at} ({found.id}), which nobody had been given; it was not paid for again."
        if elsewhere:
            note = f"Another server was at the same call ({found.id}); this is its answer, paid for once."
        return noted(restored(found), note)

    async def _elsewhere(self, found: Job, work: Work) -> Job | None:
        """Wait for another server's work while the caller has time; None when nothing came of it."""
        jobs, pause = self._app.records.jobs, 0.05
        while True:
            await lose_the_dead(self._app)
            job = await jobs.load(found.id)
            left = work.scope.until - anyio.current_time() - IN_TIME
            if job is None or not job.active:
                return job if job is not None and job.state == "done" else None
            if left <= 0:
                return job
            await anyio.sleep(min(pause, left))
            pause = min(pause * 1.5, 2.0)


def _asked_before(work: Work) -> bool:
    """Whether this request had come when the answer left; a loaded server gets to it later."""
    delivery = current_delivery()
    return delivery is not None and delivery.since < work.left


def _key(scope: Scope, values: dict[str, Any]) -> str:
    """What makes two calls the same: who asks what, and the folders that relative paths are looked up in."""
    roots = [str(root.uri) for value in values.values() if isinstance(value, ListRootsResult) for root in value.roots]
    return sha256("\0".join((scope.owner, scope.asked, *roots)).encode("utf-8", "replace")).hexdigest()
