"""One way to call any operation: what it costs is counted, what fails is worded, as for the endpoints with methods.

The answer is left as it came, because whoever calls an operation by name wants the API's own objects. Only a stream is
changed: its events are gathered into a list, since the caller gets one answer.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

import anyio.to_thread

from mtu_mcp.errors import BadAnswer, UpstreamError
from mtu_mcp.gateway import arguments as checked
from mtu_mcp.gateway import failures
from mtu_mcp.gateway.complaints import reported
from mtu_mcp.gateway.exchange import News, current_scope
from mtu_mcp.gateway.forms import Form, fields
from mtu_mcp.gateway.operations import Invocation, Operation, Outcome
from mtu_mcp.gateway.shapes import loads, mapping, text
from mtu_mcp.gateway.sound import decoded
from mtu_mcp.gateway.usage import Usage
from mtu_mcp.gateway.wire import Call

if TYPE_CHECKING:
    from mtu_mcp.gateway.body import Body
    from mtu_mcp.gateway.exchange import Exchange, State
    from mtu_mcp.gateway.uploads import Upload
    from mtu_mcp.gateway.wire import Wire

MOST_BYTES: Final = 256 * 1024 * 1024
_EXPECTED: Final = ("id", "object", "data", "choices", "results", "text", "created", "output", "deleted")


async def invoke(wire: "Wire", invocation: Invocation) -> Outcome:
    """Call an operation. One that spends is one Exchange, under an Idempotency-Key; only reads are tried again after
    a failure of the gateway.

    Raises:
        BadInput: The arguments do not fit, or a file cannot be read.
        UpstreamError: The gateway refused, failed or could not be reached.
    """
    operation = invocation.operation
    # In a thread, since the checker is loaded at its first use.
    await anyio.to_thread.run_sync(checked.check_arguments, operation, invocation.arguments)
    model = text(invocation.arguments.get("model"))
    call = _call(invocation, model)
    files = [(name, upload) for name, uploads in invocation.files.items() for upload in uploads]
    spending = wire.spend(operation.path, model, invocation.arguments, files) if operation.spends else nullcontext()
    async with spending as entry:
        if entry:
            call = replace(call, key=entry.idempotency_key, payload=call.payload and entry.bounded(call.payload))
        async with wire.open(call) as body:
            outcome = await _read(body, operation)
        if entry:
            _settle(entry, outcome)
        elif news := _news(outcome.result):
            await wire.heard(news)
        return outcome


def _call(invocation: Invocation, model: str) -> Call:
    operation, given = invocation.operation, invocation.arguments
    payload = checked.body_of(operation, given)
    form = None
    if operation.files:
        files = [(_field(name, uploads), each) for name, uploads in invocation.files.items() for each in uploads]
        form, payload = Form(list(fields(payload or {})), files), None
    return Call(
        operation.path,
        model,
        payload=payload,
        form=form,
        accept="*/*" if operation.answers in ("media", "bytes") else "application/json",
        verb=operation.method,
        path=checked.path_of(operation, given),
        headers=operation.headers,
    )


def _field(name: str, uploads: "Sequence[Upload]") -> str:
    return f"{name}[]" if len(uploads) > 1 else name


async def _read(body: "Body", operation: Operation) -> Outcome:
    form = await body.form()
    if form == "empty":
        if operation.effect in ("read", "answer"):
            raise BadAnswer(
                "The gateway's answer is empty.", advice="Try again.", status=200, request_id=body.request_id
            )
        return Outcome(request_id=body.request_id)
    # Only what calls itself HTML is a page where the answer may be any text or file.
    page = form == "page" and ("html" in body.media_type or operation.answers in ("json", "media"))
    if operation.answers == "bytes" and not page:
        return Outcome(data=await body.read(MOST_BYTES), media_type=body.media_type, request_id=body.request_id)
    if form == "events" and (operation.answers == "json" or "event-stream" in body.media_type):
        gathered, cut = await _gathered(body)
        if operation.answers == "media":
            return _spoken(gathered, cut, body)
        return Outcome(result=gathered, cut=cut, request_id=body.request_id)
    if page:
        raise body.unreadable(await body.read())
    if operation.answers == "media" and form != "json":
        return Outcome(data=await body.read(MOST_BYTES), media_type=body.media_type, request_id=body.request_id)
    if operation.answers == "text" and form != "json":
        return Outcome(text=(await body.read()).decode("utf-8-sig", "replace"), request_id=body.request_id)
    result = await body.json(_EXPECTED)
    if operation.answers == "media":
        raise body.odd("JSON where a file was expected")
    return Outcome(result=result, request_id=body.request_id)


def _spoken(gathered: list[Any], cut: str, body: "Body") -> Outcome:
    """The file that came in pieces, and the last event, which tells what it took."""
    pieces = [text(mapping(one).get("audio")) for one in gathered]
    data = b"".join(decoded(piece) for piece in pieces if piece)
    if not data:
        raise body.odd("a stream without sound")
    return Outcome(result=gathered[-1:], data=data, cut=cut, request_id=body.request_id)


async def _gathered(body: "Body") -> tuple[list[Any], str]:
    """The events of a stream, each as its JSON, and why they end early; [DONE] is left out.

    Raises:
        UpstreamError: It broke before its first event, or that is an error. What came before a later one is kept.
    """
    gathered: list[Any] = []
    try:
        await _gather(body, gathered)
    except UpstreamError as error:
        if not gathered:
            raise
        return gathered, error.message
    if not gathered:
        raise body.odd("a stream without events")
    return gathered, ""


async def _gather(body: "Body", gathered: list[Any]) -> None:
    async for events in body.events():
        for event in events:
            try:
                raw = loads(event.data)
            except ValueError:
                continue
            if complaint := reported(raw, ("type", *_EXPECTED)):
                raise failures.from_complaint(body.asked, complaint, body.request_id)
            gathered.append(raw)
        await current_scope().report(f"{len(gathered):,} events have arrived")


def _settle(entry: "Exchange", outcome: Outcome) -> None:
    """Note the model that answered and what it used: of an object, or of the last event that tells it."""
    entry.request_id = outcome.request_id
    entry.state = "cut" if outcome.cut else entry.state
    result: object = outcome.result
    told = cast("list[object]", result) if isinstance(result, list) else [result]
    for item in map(mapping, told):
        inner = mapping(item.get("response")) or item
        entry.served = text(inner.get("model")) or entry.served
        entry.usage = Usage.read(inner.get("usage")) or entry.usage
        if text(inner.get("id")) and (status := text(inner.get("status"))) in (*_GOING, *_ENDED):
            entry.remote, entry.goes_on = text(inner.get("id")), status in _GOING
    if entry.goes_on and outcome.cut:  # a stream of work that does not go on without its listener
        entry.goes_on = False


_GOING: Final = frozenset(
    (
        "queued",
        "in_progress",
        "requires_action",
        "validating",
        "validating_files",
        "running",
        "finalizing",
        "cancelling",
    )
)
_ENDED: "Final[Mapping[str, State]]" = {
    "completed": "done",
    "succeeded": "done",
    "incomplete": "cut",
    "expired": "cut",
    "failed": "failed",
    "cancelled": "cancelled",
    "canceled": "cancelled",
}
"""How work that goes on after its call is answered (batches, background responses, runs, fine-tuning) tells its state."""


def _news(result: object) -> News | None:
    """What an object that was read says of work that went on; None when it has not ended, or is no such thing."""
    read = mapping(result)
    name, state = text(read.get("id")), _ENDED.get(text(read.get("status")))
    return News(name, state, Usage.read(read.get("usage")), text(read.get("model"))) if name and state else None
