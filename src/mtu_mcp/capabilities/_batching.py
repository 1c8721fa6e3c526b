"""A batch as a job: how it is found again, how its results come in, how it ends.

The row is written before anything is sent, and again after each step (file uploaded, batch made, results here), so
whoever comes later knows how far it got. Where that is not known, because a process died or an answer was lost between
sending and hearing, the gateway's own list is asked for a batch of our file; it is never made a second time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread

from mtu_mcp.amounts import counted
from mtu_mcp.capabilities._charges import NOTHING, ending_of
from mtu_mcp.capabilities._results import Summary, receipt, summed_up, table
from mtu_mcp.capabilities._upstream import offered
from mtu_mcp.errors import BadAnswer, BadInput, MtuError, NotOffered, Rejected
from mtu_mcp.gateway import Batch
from mtu_mcp.money import Ending

if TYPE_CHECKING:
    from pathlib import Path

    from mtu_mcp.app import App
    from mtu_mcp.capabilities._answers import Answer
    from mtu_mcp.gateway import Usage
    from mtu_mcp.money import Charge
    from mtu_mcp.records import Job
    from mtu_mcp.records.jobs import State

KIND: Final = "batch"
MOST_RESULT_BYTES: Final = 2 * 1024 * 1024 * 1024
PAGES: Final = 5
_ENDED: Final[dict[str, State]] = {
    "completed": "done",
    "failed": "failed",
    "expired": "failed",
    "cancelled": "cancelled",
    "canceled": "cancelled",
}


async def refresh(app: App, job: Job) -> Job:
    """Find out how a batch stands and write it down; another process that is at it is left to it."""
    async with app.records.jobs.hold(job.id) as mine:
        current = await app.records.jobs.load(job.id) or job
        if not mine or not current.active:
            return current
        if not current.remote:
            current = await _recovered(app, current)
        if not current.remote or not current.active:
            return current
        return await _asked_after(app, current)


async def cancel(app: App, job: Job) -> Job:
    """Stop a batch; what has run by then is fetched, for it is billed."""
    current = await refresh(app, job)
    if not current.active:
        return current
    if not current.remote:
        raise BadInput("The batch is just being handed in.", advice="Stop it in a minute.")
    async with app.records.jobs.hold(job.id) as mine:
        if not mine:
            return current
        try:
            async with offered(app, "batches"):
                batch = await app.gateway.cancel_batch(current.remote)
        except Rejected as error:  # it ended in the meantime
            return replace(await _asked_after(app, current), note=error.message)
        return await _settled(app, current, batch)


async def _asked_after(app: App, job: Job) -> Job:
    try:
        async with offered(app, "batches"):
            batch = await app.gateway.retrieve_batch(job.remote)
    except (Rejected, NotOffered) as error:
        note = f"The gateway no longer knows the batch {job.remote}: {error.message}"
        return await _lost(app, job, note)
    return await _settled(app, job, batch)


async def _recovered(app: App, job: Job) -> Job:
    """A job whose batch has no id here: the server ended, or the answer was lost, while it was handed in."""
    file_id = str(job.request.get("file_id") or "")
    if not file_id:
        note = "The server stopped before the file was uploaded. No batch was made and nothing is billed; run it again."
        return await _lost(app, job, note, Ending("failed", charge=NOTHING))
    after = ""
    try:
        for _ in range(PAGES):
            async with offered(app, "batches"):
                page = await app.gateway.list_batches(after=after, limit=100)
            for batch in page.batches:
                if batch.input_file_id == file_id:
                    note = "The batch was found again by its file."
                    return await _changed(app, job, state="running", remote=batch.id, note=note)
            after = page.after
            if not after:
                break
    except (Rejected, NotOffered) as error:
        return await _lost(app, job, f"Whether a batch was made of {file_id} cannot be told: {error.message}")
    note = f"The file {file_id} was uploaded, but the gateway lists no batch of it, so none was made; run it again."
    return await _lost(app, job, note, Ending("failed", charge=NOTHING))


async def _lost(app: App, job: Job, note: str, ending: Ending | None = None) -> Job:
    """Give a job up; what cannot be known of its cost is what was held for it."""
    charge = await app.budget.conclude(job.id, ending or Ending("lost"))
    return await _changed(app, job, state="lost", note=note, **({"cost": charge.cny} if charge else {}))


async def _settled(app: App, job: Job, batch: Batch) -> Job:
    """Write down how the batch stands; fetch what it wrote once it has ended."""
    told: dict[str, Any] = {
        "status": batch.status,
        "total": batch.total,
        "completed": batch.completed,
        "failed": batch.failed,
    }
    told = {**job.result, **{name: value for name, value in told.items() if value not in (None, "")}}
    state = _ENDED.get(batch.status)
    if state is None:
        return await _changed(app, job, state="running", result=told)
    if app.settings.read_only:
        note = "It has ended, but its results are not fetched because MTU_READ_ONLY is set."
        return replace(await _changed(app, job, result=told), note=note)
    notes = [f"The gateway did not take the file. {' '.join(batch.errors)}".strip()] if batch.errors else []
    for name, file_id in (("output", batch.output_file_id), ("errors", batch.error_file_id)):
        if file_id and name not in told:
            try:
                told[name] = await _fetched(app, job, name, file_id)
            except Rejected as error:
                notes.append(f"The {name} file {file_id} cannot be fetched: {error.message}")
                continue
            await _changed(app, job, result=told)
    return await _ended(app, job, batch, state, told, notes)


async def _ended(app: App, job: Job, batch: Batch, state: State, told: dict[str, Any], notes: list[str]) -> Job:
    got = int(told.get("output", {}).get("lines", 0)) + int(told.get("errors", {}).get("lines", 0))
    if state == "done" and not got:
        state = "failed"
        notes.append(f"The gateway calls the batch {job.remote} completed, but its results are not there.")
    elif state == "done" and batch.total is not None and got < batch.total:
        notes.append(f"The gateway counts {counted(batch.total, 'line')}; only {got:,} came back.")
    if batch.status == "expired":
        notes.append("Its window was over before all lines had run.")
    if state == "failed" and not notes:
        notes.append("The gateway gave no reason.")
    ending = ending_of(job, batch, told)
    charge = await app.budget.conclude(job.id, ending) or ending.charge
    cost = charge.cny if charge else None
    return await _changed(app, job, state=state, result=told, note=" ".join(notes), cost=cost)


async def _fetched(app: App, job: Job, name: str, file_id: str) -> dict[str, Any]:
    """Save one file of the batch and say what is in it."""
    hidden = await anyio.to_thread.run_sync(app.library.hidden)
    await app.gateway.file_content(file_id, hidden, MOST_RESULT_BYTES)
    model, endpoint = str(job.request.get("model") or ""), str(job.request.get("endpoint") or "").removeprefix("/v1/")

    def price(usage: Usage, served: str) -> Charge:
        return app.budget.line(model or served, endpoint or "chat/completions", usage)

    found = await anyio.to_thread.run_sync(_read, hidden, price)
    if found.count == found.unreadable:
        await anyio.to_thread.run_sync(hidden.unlink)
        raise BadAnswer(
            f"The gateway gave no results in the file {file_id}, but something that cannot be read.",
            advice=f"Look again later: get_job(job={job.id!r}).",
        )
    title = f"{job.title} {'results' if name == 'output' else 'errors'}"
    about = {"job": job.id, "batch": job.remote, "file_id": file_id, "request": dict(job.request)}
    saved = await app.library.adopt(hidden, title=title, extension="jsonl", about=about)
    facts: dict[str, Any] = {"file_id": file_id, "name": saved.name, "path": str(saved.path), "lines": found.count}
    facts |= {"rows": [list(row) for row in found.rows], "unreadable": found.unreadable}
    facts |= {"usage": asdict(found.usage), "uncounted": found.uncounted, "model": found.model}
    facts |= {"cost": found.cny, "basis": found.basis}
    return facts | ({"receipt": receipt(model or found.model, found)} if name == "output" else {})


def _read(path: Path, price: Callable[[Usage, str], Charge]) -> Summary:
    with path.open("rb") as stream:
        return summed_up(stream, price)


async def _changed(app: App, job: Job, **values: Any) -> Job:
    """Write a change; where another process was first, its word stands."""
    changed = await app.records.jobs.change(job.id, **values)
    return changed or await app.records.jobs.load(job.id) or job


async def show(app: App, answer: Answer, job: Job) -> None:
    """Tell of a batch: how far it is, a table of its first rows, its files, its price."""
    request, result = job.request, job.result
    counts = [
        f"{counted(request.get('lines', 0), 'request')} to {request.get('model', '')} ({request.get('endpoint', '')})"
    ]
    if result.get("status"):
        counts.append(f"the gateway says {result['status']}")
    if result.get("completed") is not None:
        counts.append(f"{result['completed']:,} answered, {result.get('failed') or 0:,} refused")
    answer.say("; ".join(counts) + ".")
    prompts: dict[str, str] = dict(request.get("prompts") or {})
    for name, what in (("output", "Results"), ("errors", "Refused")):
        part: dict[str, Any] = dict(result.get(name) or {})
        if not part:
            continue
        shown = table(part.get("rows") or [], prompts)
        answer.say(f"{what}:\n\n{shown}")
        more = f"; shown: {len(part['rows'])} of {part['lines']:,}" if part["lines"] > len(part["rows"]) else ""
        answer.note(f"{what}: {part['path']} ({counted(part['lines'], 'line')}{more})", str(part.get("receipt") or ""))
        if part.get("unreadable"):
            answer.note(f"{part['unreadable']:,} of these lines cannot be read.")
        await _link(app, answer, str(part["name"]))


async def _link(app: App, answer: Answer, name: str) -> None:
    try:
        answer.link(await anyio.to_thread.run_sync(app.library.find, name))
    except MtuError:
        answer.note(f"{name} is no longer in the output folder.")
