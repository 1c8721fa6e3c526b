"""One way to call any operation: what it costs is counted, what fails is worded, as for the endpoints with methods.

The answer is left as it came, because whoever calls an operation by name wants the API's own objects. Only a stream is
changed: its events are gathered into a list, since the caller gets one answer. What never ends is hung up on: a large
file goes to the disk as it comes, and of events and text only so much is kept as a person could ask for.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

import anyio.to_thread

from mtu_mcp.errors import BadAnswer, UpstreamError
from mtu_mcp.gateway import arguments as checked
from mtu_mcp.gateway import failures
from mtu_mcp.gateway.complaints import reported
from mtu_mcp.gateway.exchange import News, current_scope
from mtu_mcp.gateway.forms import Form, fields
from mtu_mcp.gateway.operations import Invocation, Operation, Outcome, Store
from mtu_mcp.gateway.shapes import loads, mapping, text, weight
from mtu_mcp.gateway.sound import decoded
from mtu_mcp.gateway.usage import Usage
from mtu_mcp.gateway.wire import Call

if TYPE_CHECKING:
    from mtu_mcp.gateway.body import Body
    from mtu_mcp.gateway.exchange import Exchange, State
    from mtu_mcp.gateway.uploads import Upload
    from mtu_mcp.gateway.wire import Wire

MOST_BYTES: Final = 256 * 1024 * 1024
HELD: Final = 4 * 1024 * 1024
"""Bytes of a file that are held before it goes to the disk."""
MOST_GATHERED: Final = 128 * 1024 * 1024
"""Bytes of one stream's events, as `weight` reckons them: 130,000 pieces of a chat, which take twice that in memory. The
longest answers of models have 128,000."""
_EACH: Final = 100
MOST_TEXT: Final = 16 * 1024 * 1024
"""Bytes kept of a text; captions of a whole day are a tenth of it."""
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
            outcome = await _read(body, operation, invocation.store)
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


async def _read(body: "Body", operation: Operation, store: Callable[[], Store] | None) -> Outcome:
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
        return await _file(body, body.packets(MOST_BYTES), _Held(store), whole=True)
    if form == "events" and (operation.answers == "json" or "event-stream" in body.media_type):
        if operation.answers == "media":
            return await _spoken(body, _Held(store))
        gathered, cut = await _gathered(body)
        return Outcome(result=gathered, cut=cut, request_id=body.request_id)
    if page:
        raise body.unreadable(await body.read())
    if operation.answers == "media" and form != "json":
        return await _file(body, body.packets(MOST_BYTES), _Held(store))
    if operation.answers == "text" and form != "json":
        held = _Held(None)
        outcome = await _file(body, body.packets(MOST_TEXT), held)
        return replace(outcome, text=held.data.decode("utf-8-sig", "replace"), data=None)
    result = await body.json(_EXPECTED)
    if operation.answers == "media":
        raise body.odd("JSON where a file was expected")
    return Outcome(result=result, request_id=body.request_id)


class _Held:
    """Bytes as they come: in memory while they are few, then where the caller has room for them.

    Args:
        make: Makes that room; None keeps all of them in memory.
    """

    def __init__(self, make: Callable[[], Store] | None) -> None:
        self.data = bytearray()
        self.stored: Store | None = None
        self._make = make

    async def add(self, piece: bytes) -> None:
        self.data += piece
        if self._make and len(self.data) > HELD:
            await anyio.to_thread.run_sync(self._put, self._make)

    async def close(self) -> None:
        if self.stored and self._make:
            await anyio.to_thread.run_sync(self._put, self._make)

    def _put(self, make: Callable[[], Store]) -> None:
        self.stored = self.stored or make()
        self.stored.write(bytes(self.data))
        self.data.clear()


async def _file(body: "Body", pieces: AsyncIterator[bytes], held: _Held, *, whole: bool = False) -> Outcome:
    """What comes in pieces, put together.

    Args:
        body: Whose pieces they are.
        pieces: The pieces.
        held: Where they go.
        whole: Whether a part of it is of no use; else what arrived before it broke off is kept, for it is paid for.

    Raises:
        UpstreamError: It broke off, and nothing of use is here.
        StorageError: There is no room for it.
    """
    cut = ""
    try:
        async for piece in pieces:
            await held.add(piece)
    except UpstreamError as error:
        if whole or not (held.data or held.stored):
            raise
        cut = error.message
    await held.close()
    data = None if held.stored else bytes(held.data)
    return Outcome(data=data, stored=held.stored, cut=cut, media_type=body.media_type, request_id=body.request_id)


async def _spoken(body: "Body", held: _Held) -> Outcome:
    """The file that came as events, and the last of these, which tells what it took."""
    last: list[Any] = []

    async def pieces() -> AsyncIterator[bytes]:
        async with aclosing(_read_events(body)) as events:
            async for raw, _ in events:
                last[:] = [raw]
                if piece := decoded(text(mapping(raw).get("audio"))):
                    yield piece

    outcome = await _file(body, pieces(), held)
    if not outcome.data and not outcome.stored:
        raise body.odd("a stream without sound")
    return replace(outcome, result=last)


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
    size = 0
    async with aclosing(_read_events(body)) as events:
        async for raw, taken in events:
            size += taken
            if size > MOST_GATHERED:
                raise BadAnswer(
                    f"The stream would take more than {MOST_GATHERED:,} bytes of memory, the most that is kept of one."
                )
            gathered.append(raw)


async def _read_events(body: "Body") -> AsyncGenerator[tuple[Any, int]]:
    """Each event as its JSON, with the bytes it takes in memory.

    Raises:
        UpstreamError: The stream broke, or one of them is an error.
    """
    heard = 0
    async with aclosing(body.events()) as packets:
        async for events in packets:
            for event in events:
                try:
                    raw = loads(event.data)
                except ValueError:
                    continue
                if complaint := reported(raw, ("type", *_EXPECTED)):
                    raise failures.from_complaint(body.asked, complaint, body.request_id)
                heard += 1
                yield raw, weight(event.data) + _EACH
            await current_scope().report(f"{heard:,} events have arrived")


def _settle(entry: "Exchange", outcome: Outcome) -> None:
    """Note the model that answered and what it used: of an object, or of the last event that tells it."""
    entry.request_id = outcome.request_id
    entry.state = "cut" if outcome.cut else entry.state
    result: object = outcome.result
    told = cast("list[object]", result) if isinstance(result, list) else [result]
    for item in filter(None, map(mapping, told)):
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
