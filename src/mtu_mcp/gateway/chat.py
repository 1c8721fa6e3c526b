"""Chat completions: what is asked and what is answered.

The answer always comes as a stream unless the caller says otherwise: some models speak no other way, a host can be told
how far it is, and what arrived before a break is kept. What does the work is imported when there is work: tools name these
types long before the first question.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from mtu_mcp.errors import Filtered, Rejected, UpstreamFailure
from mtu_mcp.gateway.citations import Citation
from mtu_mcp.gateway.toolcalls import ToolCall
from mtu_mcp.gateway.usage import Usage

if TYPE_CHECKING:
    from mtu_mcp.gateway.assembly import ChatAssembler
    from mtu_mcp.gateway.exchange import Exchange
    from mtu_mcp.gateway.wire import Wire

ENDPOINT: Final = "chat/completions"


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One question to a chat model.

    Attributes:
        model: The model's name.
        messages: In the API's own form.
        stream: False asks for one JSON body.
        options: Further fields as they stand in the API's body; those that are None are left out.
        grows: Whether each piece of the stream holds the whole text so far; None decides by the model's name.
    """

    model: str
    messages: Sequence[Mapping[str, Any]]
    stream: bool = True
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    grows: bool | None = None


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """What a chat model answered, as far as it came.

    Attributes:
        text: The answer, thoughts taken out; with n > 1 the first of them.
        reasoning: The model's thoughts, when it shows them.
        model: The model the answer names; the one asked for when it names none.
        finish: Why it ended: "stop", "length", "tool_calls", "content_filter", "error", or "" when it did not say.
        cut: Why it is incomplete, a clause without a full stop; empty when it is complete.
        tool_calls: Calls the model wants made.
        citations: Sources it names.
        usage: What the gateway counted.
        id: The answer's own name.
        audio: Headerless 16-bit little-endian PCM, 24 kHz, mono; a gateway's whole file of another kind is kept whole.
        refusal: The model's words when it declined.
        visited: Addresses a researching model looked at.
        queries: What it searched for.
        request_id: The gateway's name for the request.
        alternatives: The other answers, with n > 1.
    """

    text: str
    reasoning: str = ""
    model: str = ""
    finish: str = ""
    cut: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    citations: tuple[Citation, ...] = ()
    usage: Usage | None = None
    id: str = ""
    audio: bytes = b""
    refusal: str = ""
    visited: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()
    request_id: str = ""
    alternatives: tuple[str, ...] = ()


async def ask(wire: "Wire", request: ChatRequest) -> ChatAnswer:
    """Ask a chat model.

    Raises:
        UpstreamError: The gateway refused, failed or broke off before anything of the answer was here.
        Filtered: Content rules left nothing of the answer.
    """
    from mtu_mcp.gateway.exchange import current_scope

    payload = _payload(request)
    async with wire.spend(ENDPOINT, request.model, payload) as entry:
        await current_scope().report(f"asking {request.model}")
        try:
            return await _attempt(wire, request, entry.bounded(payload), entry)
        except Rejected as error:
            # A gateway that does not know the parameter refused before anything was billed.
            changed = entry.rebounded(payload, error.message)
            if "stream_options" in payload and "stream_options" in error.message:
                bare = {name: value for name, value in payload.items() if name != "stream_options"}
                changed = entry.bounded(bare)
            if changed is None:
                raise
            # The same key under another body could be answered with the refusal again.
            entry.idempotency_key = str(uuid4())
            return await _attempt(wire, request, changed, entry)


async def _attempt(wire: "Wire", request: ChatRequest, payload: Mapping[str, Any], entry: "Exchange") -> ChatAnswer:
    from mtu_mcp.gateway.assembly import ChatAssembler
    from mtu_mcp.gateway.streams import hear
    from mtu_mcp.gateway.wire import Call

    accept = "text/event-stream, application/json" if request.stream else "application/json"
    call = Call(ENDPOINT, request.model, payload=payload, key=entry.idempotency_key, accept=accept)
    assembler = ChatAssembler(request.model, request.grows)
    async with wire.open(call) as body:
        await hear(body, assembler, entry)
        return _answer(assembler, request, entry)


def _payload(request: ChatRequest) -> dict[str, Any]:
    payload = {**request.options, "model": request.model, "messages": list(request.messages)}
    payload["stream"] = request.stream
    if request.stream:
        asked = payload.get("stream_options")
        payload["stream_options"] = {**(asked if isinstance(asked, Mapping) else {}), "include_usage": True}
    else:
        payload.pop("stream_options", None)
    return payload


def _answer(assembler: "ChatAssembler", request: ChatRequest, entry: "Exchange") -> ChatAnswer:
    answer = ChatAnswer(
        text=assembler.partial,
        reasoning=assembler.reasoning,
        model=assembler.model or request.model,
        finish=assembler.finish,
        cut=assembler.cut,
        tool_calls=assembler.tool_calls.value(assembler.strike),
        citations=assembler.citations,
        usage=assembler.usage,
        id=assembler.id,
        audio=assembler.audio,
        refusal=assembler.refusal,
        visited=assembler.visited,
        queries=assembler.queries,
        request_id=entry.request_id,
        alternatives=assembler.alternatives,
    )
    if answer.finish == "content_filter" and not answer.text:
        raise Filtered(
            "Content rules left nothing of the answer.",
            advice="Say it in other words, or use other material.",
            code="content_filter",
            request_id=entry.request_id,
        )
    if answer.finish == "error" and not assembler.begun:
        raise UpstreamFailure("The gateway ended with an error and no words.", request_id=entry.request_id)
    if answer.cut:
        return answer
    reasons = {
        "length": "stopped at the token limit",
        "content_filter": "content rules stopped the answer",
        "error": "the gateway ended with an error",
    }
    if reason := reasons.get(answer.finish, ""):
        if answer.finish != "length":
            entry.state = "cut"
        return replace(answer, cut=reason)
    return answer
