"""Many requests at half the price: a batch is handed in, becomes a job, and its results are read with `get_job`.

Nothing waits for a batch here: it may take a day. What is asked of the gateway, and in which order, is what makes it
safe to die at any moment; see `_batching`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import anyio
import anyio.to_thread
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import ListRoots, Resolve
from mcp.types import CallToolResult, ListRootsResult
from pydantic import Field

from mtu_mcp.amounts import counted
from mtu_mcp.app import App, current_app
from mtu_mcp.capabilities import _batching
from mtu_mcp.capabilities._answers import Answer, told_sum
from mtu_mcp.capabilities._asks import ask_roots, folders
from mtu_mcp.capabilities._jobs import JobKind, register
from mtu_mcp.capabilities._lines import MOST_BYTES, MOST_LINES, Lines, checked, require_limits, written
from mtu_mcp.capabilities._opening import open_here
from mtu_mcp.capabilities._params import DocumentName, ModelName, Options
from mtu_mcp.capabilities._spec import Capability, ToolSpec
from mtu_mcp.capabilities._upstream import asking, choose, further_fields, offered, remark
from mtu_mcp.errors import BadAnswer, BadInput, MtuError, NotOffered, Unreachable, UpstreamFailure
from mtu_mcp.gateway import BatchRequest, Upload

if TYPE_CHECKING:
    from mtu_mcp.catalogue import Capability as Ability
    from mtu_mcp.media import Media, Workspace
    from mtu_mcp.records import Job

KEPT_PROMPTS: Final = 50
"""Beginnings of prompts kept with the job, for its table."""
_ABILITIES: Final[Mapping[str, Ability]] = {"embeddings": "embed", "moderations": "moderate", "completions": "complete"}

Endpoint = Literal["chat/completions", "responses", "embeddings", "completions", "moderations"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is about to be handed in."""

    upload: Upload
    lines: Lines
    title: str
    why: str = ""
    prompts: Mapping[str, str] = field(default_factory=dict[str, str])

    def request(self, window: str) -> dict[str, Any]:
        """What the job remembers."""
        facts = {"model": self.lines.model, "endpoint": self.lines.endpoint, "lines": self.lines.count}
        return {**facts, "window": window, "prompts": dict(self.prompts)}


def _roots(ctx: Context, file: str | None) -> ListRoots | None:
    return ask_roots(ctx, [file])


async def run_batch(
    prompts: Annotated[list[str] | None, Field(max_length=MOST_LINES)] = None,
    file: Annotated[DocumentName | None, Field(description="Instead: JSONL of batch requests.")] = None,
    endpoint: Endpoint = "chat/completions",
    system: str | None = None,
    model: ModelName = None,
    completion_window: Annotated[str, Field(pattern=r"^\d{1,3}[hd]$")] = "24h",
    options: Options = None,
    *,
    app: Annotated[App, Resolve(current_app)],
    roots: Annotated[ListRootsResult | None, Resolve(_roots)],
) -> CallToolResult:
    """Run many prompts at half price within a day. Becomes a job: get_job gives the results."""
    if bool(prompts) == bool((file or "").strip()):
        raise BadInput("Give prompts or a file, one of the two.")
    if file:
        if system or model or options:
            raise BadInput("With a file, model, system and options stand in its lines.")
        plan = await _from_file(app, app.workspace(folders(roots)), file)
    else:
        extra = further_fields(options, "custom_id")
        plan = await _from_prompts(app, prompts or [], endpoint, system or "", model, extra)
    require_limits(plan.lines, app.catalogue.entry(plan.lines.model).vendor)
    job = await _hand_in(app, plan, completion_window)
    answer = Answer(app)
    answer.say(
        f"Handed in as {job.id}: {counted(plan.lines.count, 'request')} to {plan.lines.model}, to be done within "
        f"{completion_window} at half the price."
    )
    answer.say(f"get_job(job={job.id!r}, wait=60) gives the results; mtu://jobs/{job.id} its state.")
    held = float(job.request.get("held") or 0.0)
    answer.note(plan.why, f"At most {told_sum(held)} is held for it; it is charged when it has ended." if held else "")
    return answer.finish()


async def _from_prompts(
    app: App, prompts: Sequence[str], endpoint: str, system: str, model: str | None, extra: Mapping[str, Any]
) -> Plan:
    if empty := [number for number, prompt in enumerate(prompts, 1) if not prompt.strip()]:
        raise BadInput(f"Prompt {empty[0]} is empty.")
    chosen = await choose(app, _ABILITIES.get(endpoint, "chat"), model)
    bound = app.budget.usual_bound(chosen.model, endpoint, extra)
    told = {**extra, **({bound.field: bound.tokens} if bound else {})}
    data, lines = await anyio.to_thread.run_sync(written, prompts, endpoint, chosen.model, system, told)
    shown = {str(number): _opening(prompt) for number, prompt in enumerate(prompts[:KEPT_PROMPTS], 1)}
    title = f"{counted(len(prompts), 'prompt')} for {chosen.model}: {_opening(prompts[0])}"
    why = [remark(chosen)]
    if bound:
        why.append(
            f"Under the caps on spending each answer is bound to {bound.tokens:,} tokens; {bound.field} in options sets another bound."
        )
    upload = Upload("batch.jsonl", "application/jsonl", data=data)
    return Plan(upload, lines, title, " ".join(filter(None, why)), shown)


def _opening(text: str) -> str:
    line = " ".join(text[:240].split())
    return line if len(line) <= 60 else line[:59] + "…"


async def _from_file(app: App, workspace: Workspace, file: str) -> Plan:
    media = await open_here(app, workspace, file, ("document",), max(MOST_BYTES.values()))
    lines = await anyio.to_thread.run_sync(_check, media)
    # The gateway goes by the name's ending.
    name = media.name if media.name.lower().endswith(".jsonl") else f"{media.name.rpartition('.')[0] or 'batch'}.jsonl"
    upload = Upload(name, "application/jsonl", path=media.path, data=media.data, opener=media.opener)
    return Plan(upload, lines, f"{media.name}, {counted(lines.count, 'request')} to {lines.model}")


def _check(media: Media) -> Lines:
    with media.open() as stream:
        return checked(stream)


async def _hand_in(app: App, plan: Plan, window: str) -> Job:
    """Upload the file and make the batch; the job is in the database before, between and after.

    Raises:
        OverBudget: A cap leaves no room for what its lines may cost; nothing was sent, and there is no job.
    """
    jobs = app.records.jobs
    async with app.gateway.hand_in(plan.lines.model, plan.lines.demand) as entry:
        request = {**plan.request(window), "held": entry.held}
        job = await jobs.create(_batching.KIND, plan.title, request)
        await app.budget.entrust(entry, job.id)
        async with jobs.hold(job.id):
            async with _marking(app, job, handed_in=False), offered(app, "files"):
                file = await app.gateway.upload_file(plan.upload, "batch")
            await jobs.change(job.id, request={**request, "file_id": file.id}, note="The file is uploaded.")
            async with _marking(app, job, handed_in=True), asking(app, "batches", plan.lines.model, "chat"):
                named = {"ds_name": plan.title[:100], "ds_description": job.id}
                asked = BatchRequest(file.id, plan.lines.endpoint, plan.lines.model, window, named)
                batch = await app.gateway.create_batch(asked, entry)
            result = {"status": batch.status}
            return await jobs.change(job.id, state="running", remote=batch.id, result=result, note="") or job


@asynccontextmanager
async def _marking(app: App, job: Job, *, handed_in: bool) -> AsyncGenerator[None]:
    """Write down with the job how handing it in ended, when it did not end well.

    Args:
        app: The running server.
        job: The job.
        handed_in: Whether a lost answer may mean that the batch was made all the same.

    Raises:
        MtuError: As it was raised; the advice names the job where it may still go on.
    """
    try:
        yield
    except (BadAnswer, Unreachable, UpstreamFailure) as error:
        if not handed_in:
            await _mark(app, job, state="failed", note=error.message)
            raise
        note = f"It is not known whether the gateway took the batch: {error.message}"
        await _mark(app, job, note=note)
        advice = f"It may have been taken: get_job(job={job.id!r}) finds out. Do not hand it in again before."
        raise type(error)(error.message, advice=advice, status=error.status, code=error.code) from error
    except NotOffered as error:
        await _mark(app, job, state="failed", note=error.message)
        raise NotOffered(
            f"{error.message.rstrip('.')}, which a batch needs.", advice="Ask the prompts one by one with chat."
        ) from error
    except MtuError as error:
        await _mark(app, job, state="failed", note=error.message)
        raise
    except BaseException:  # cancelled
        with anyio.CancelScope(shield=True), anyio.move_on_after(2.0):
            if handed_in:
                await _mark(app, job, note="It was interrupted while it was handed in; the next look finds out.")
            else:
                await _mark(app, job, state="cancelled", note="It was interrupted before it was handed in.")
        raise


async def _mark(app: App, job: Job, **values: Any) -> None:
    try:
        await app.records.jobs.change(job.id, **values)
    except MtuError:  # the error that matters is on its way
        return


register(JobKind(_batching.KIND, _batching.refresh, _batching.cancel, _batching.show))

CAPABILITY = Capability(
    tools=(
        ToolSpec(
            run_batch,
            title="Batch",
            toolset="batches",
            writes=True,
            search_hint="many prompts bulk cheap JSONL",
        ),
    )
)
