"""The Responses API: what is asked and what is answered.

Only the call itself is made: reading an answer back later, cancelling it and background mode are missing from most
gateways, so an answer that is not finished when the call returns is given as cut.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mtu_mcp.errors import Filtered
from mtu_mcp.gateway.citations import Citation
from mtu_mcp.gateway.toolcalls import ToolCall
from mtu_mcp.gateway.usage import Usage

if TYPE_CHECKING:
    from mtu_mcp.gateway.exchange import Exchange
    from mtu_mcp.gateway.items import ResponseAssembler
    from mtu_mcp.gateway.wire import Wire

ENDPOINT: Final = "responses"


@dataclass(frozen=True, slots=True)
class ResponsesRequest:
    """One request of the Responses API.

    Attributes:
        model: The model's name.
        input: A text, or a list of items in the API's form.
        options: Further fields as they stand in the API's body; those that are None are left out.
        stream: False asks for one JSON body.
    """

    model: str
    input: Any
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    stream: bool = True


@dataclass(frozen=True, slots=True)
class ResponsesAnswer:
    """What was answered, as far as it came.

    Attributes:
        text: The texts of all messages; positions of citations count in it.
        reasoning: The summaries of the model's thoughts.
        citations: Sources, those cited in the text first.
        searches: What was searched for.
        visited: Pages the model opened.
        model: The model the answer names; the one asked for when it names none.
        finish: In the words of chat completions: "stop", "length", "tool_calls", "content_filter"; else the status.
        cut: Why it is incomplete, a clause without a full stop; empty when it is complete.
        tool_calls: Calls the model wants made; `id` is the `call_id`.
        refusal: The model's words when it declined.
        usage: What the gateway counted.
        id: The response's own name.
        request_id: The gateway's name for the request.
    """

    text: str
    reasoning: str = ""
    citations: tuple[Citation, ...] = ()
    searches: tuple[str, ...] = ()
    visited: tuple[str, ...] = ()
    model: str = ""
    finish: str = ""
    cut: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    refusal: str = ""
    usage: Usage | None = None
    id: str = ""
    request_id: str = ""


async def respond(wire: "Wire", request: ResponsesRequest) -> ResponsesAnswer:
    """Make one request.

    Raises:
        UpstreamError: The gateway refused, failed or broke off before anything of the answer was here.
        Filtered: Content rules left nothing of the answer.
    """
    from mtu_mcp.gateway.exchange import current_scope
    from mtu_mcp.gateway.items import ResponseAssembler
    from mtu_mcp.gateway.streams import hear
    from mtu_mcp.gateway.wire import Call

    payload = {**request.options, "model": request.model, "input": request.input, "stream": request.stream}
    async with wire.spend(ENDPOINT, request.model, payload) as entry:
        await current_scope().report(f"asking {request.model}")
        accept = "text/event-stream, application/json" if request.stream else "application/json"
        asked = entry.bounded(payload)
        call = Call(ENDPOINT, request.model, payload=asked, key=entry.idempotency_key, accept=accept)
        assembler = ResponseAssembler()
        async with wire.open(call) as body:
            await hear(body, assembler, entry)
            return _answer(assembler, request, entry)


def _answer(assembler: "ResponseAssembler", request: ResponsesRequest, entry: "Exchange") -> ResponsesAnswer:
    made = assembler.made()
    finish = assembler.finish
    cut = assembler.cut
    if finish == "content_filter" and not made.text:
        raise Filtered(
            "Content rules left nothing of the answer.",
            advice="Say it in other words, or use other material.",
            code="content_filter",
            request_id=entry.request_id,
        )
    if not cut and finish not in ("stop", ""):
        reasons = {"length": "stopped at the token limit", "content_filter": "content rules stopped the answer"}
        cut = reasons.get(finish) or f"the gateway left it {finish}"
        if finish != "length":
            entry.state = "cut"
    return ResponsesAnswer(
        text=made.text,
        reasoning=made.reasoning,
        citations=made.citations,
        searches=made.searches,
        visited=made.visited,
        model=assembler.model or request.model,
        finish="tool_calls" if finish == "stop" and made.tool_calls else finish,
        cut=cut,
        tool_calls=made.tool_calls,
        refusal=made.refusal,
        usage=assembler.usage,
        id=assembler.id,
        request_id=entry.request_id,
    )
