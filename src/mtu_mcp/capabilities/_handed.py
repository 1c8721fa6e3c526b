"""Jobs of the kind "call": a tool's call whose work went on after its caller was answered, or that was stopped half-way.

The server makes them and `get_job` tells of them, so how a result is written down and read again is here. Text is kept
as it is. Pictures and sound are in the output folder already and come back from there by their links; what a result
shows of them is not kept twice.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

import anyio.to_thread
from mcp.types import AudioContent, CallToolResult, ImageContent
from pydantic import ValidationError

from mtu_mcp.capabilities._jobs import JobKind, register
from mtu_mcp.capabilities._views import VIEW
from mtu_mcp.errors import BadInput, MtuError

if TYPE_CHECKING:
    from mtu_mcp.app import App
    from mtu_mcp.capabilities._answers import Answer
    from mtu_mcp.records import Job

KIND: Final = "call"
LOST: Final = "The server that worked on it ended before it did, so nobody knows what came of it."
MEDIA: Final = "mtu://media/"


def stored(result: CallToolResult) -> dict[str, Any]:
    """A result as it is written down."""
    return slim(result).model_dump(mode="json", by_alias=True, exclude_none=True)


def slim(result: CallToolResult) -> CallToolResult:
    """A result without what it shows of pictures and sound, if they are kept as files."""
    filed = any(block.type == "resource_link" and block.uri.startswith(MEDIA) for block in result.content)
    said = [block for block in result.content if not (filed and isinstance(block, ImageContent | AudioContent))]
    return result.model_copy(update={"content": said})


def restored(job: Job) -> CallToolResult:
    """The result that was written down; an error for a model where there is none."""
    try:
        return CallToolResult.model_validate(job.result, by_name=False)
    except ValidationError:
        return CallToolResult.model_validate(
            {"content": [{"type": "text", "text": f"{job.id} is {job.state}. {job.note}".strip()}], "isError": True}
        )


async def lose_the_dead(app: App) -> None:
    """Say of calls whose process is gone that they are lost.

    Raises:
        RecordsError: The database cannot be used.
    """
    await app.records.jobs.lose(KIND, LOST)


async def _refresh(app: App, job: Job) -> Job:
    if job.id not in app.under_way:
        await lose_the_dead(app)
    return await app.records.jobs.load(job.id) or job


async def _cancel(app: App, job: Job) -> Job:
    work = app.under_way.get(job.id)
    if work is not None:
        work.cancel()
        await work.ended.wait()
    found = await _refresh(app, job)
    if found.active:
        raise BadInput(
            f"{job.id} is worked on by another server on this database.", advice="Stop it in the host that began it."
        )
    return found


async def _show(app: App, answer: Answer, job: Job) -> None:
    work = app.under_way.get(job.id) if job.active else None
    told = work.told() if work else ""
    facts = {"id": job.id, "tool": job.request.get("tool", ""), "state": job.state, "created": job.created}
    answer.tell_page(job={**facts, "heard": told})
    if job.active:
        answer.note(f"Last heard: {told}." if told else "")
        return
    from mtu_mcp.media import Preview

    result = restored(job)
    _tell_page(answer, result)
    for block in result.content if job.result else ():
        if block.type == "text":
            answer.say(block.text)
        elif block.type == "resource_link":
            await _link(app, answer, block.uri, block.name)
        elif block.type == "image":
            answer.show(Preview(b64decode(block.data), block.mime_type, 0, 0))
        elif block.type == "audio":
            answer.play(b64decode(block.data), block.mime_type)


def _tell_page(answer: Answer, result: CallToolResult) -> None:
    """What the page of the tool itself would have been told; its files come from the output folder."""
    known: dict[str, Any] = (result.meta or {}).get(VIEW, {})
    answer.tell_page(
        **{name: value for name, value in known.items() if name != "files"}, data=result.structured_content
    )


async def _link(app: App, answer: Answer, uri: str, name: str) -> None:
    if not uri.startswith(MEDIA):
        answer.say(f"{name}: {uri}")
        return
    try:
        saved = await anyio.to_thread.run_sync(app.library.find, name)
    except MtuError as error:
        answer.note(f"{name}: {error}")
        return
    if saved.kind.family == "image":
        from mtu_mcp.media import preview

        if (small := await preview(saved.path)) is not None:
            answer.show(small)
    answer.link(saved)


def plain(values: Mapping[str, Any], longest: int = 500) -> dict[str, Any]:
    """Arguments as a job shows them: long texts shortened, what is not JSON left out."""
    return {name: _short(value, longest) for name, value in values.items() if isinstance(value, _JSON)}


_JSON: Final = (str, int, float, bool, list, dict)


def _short(value: Any, longest: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= longest else f"{value[:longest]}… ({len(value):,} characters)"
    if isinstance(value, list):
        return [_short(item, longest) for item in cast("list[Any]", value)[:50]]
    if isinstance(value, dict):
        return {str(name): _short(item, longest) for name, item in list(cast("dict[Any, Any]", value).items())[:50]}
    return value if value is None or isinstance(value, str | int | float | bool) else None


register(JobKind(KIND, _refresh, _cancel, _show))
