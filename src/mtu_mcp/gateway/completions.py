"""Text completions: a prompt goes on, without messages.

The legacy endpoint of OpenAI, and the way the Qwen coders fill in the middle: the marks stand inside the prompt. A gateway may
answer a stream with one body or the reverse; both are read. What does the work is imported when there is work, as in `chat`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from mtu_mcp.errors import BadAnswer, Rejected

if TYPE_CHECKING:
    from mtu_mcp.gateway.exchange import Exchange
    from mtu_mcp.gateway.usage import Usage
    from mtu_mcp.gateway.wire import Wire

ENDPOINT: Final = "completions"


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """A text to be continued.

    Attributes:
        model: The model's name.
        prompt: The text; with a fill-in model, `<|fim_prefix|>before<|fim_suffix|>after<|fim_middle|>`.
        options: Further fields as they stand in the API's body; those that are None are left out.
    """

    model: str
    prompt: str
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Completion:
    """What comes next, as far as it came.

    Attributes:
        text: The continuation alone.
        model: The model the answer names; the one asked for when it names none.
        finish: Why it ended: "stop", "length", "content_filter", or "" when it did not say.
        cut: Why it is incomplete, a clause without a full stop; empty when it is complete.
        usage: What the gateway counted.
        request_id: The gateway's name for the request.
    """

    text: str
    model: str = ""
    finish: str = ""
    cut: str = ""
    usage: "Usage | None" = None
    request_id: str = ""


async def complete(wire: "Wire", request: CompletionRequest) -> Completion:
    """Continue a text.

    Raises:
        UpstreamError: The gateway refused, failed or broke off before anything of the answer was here.
    """
    from mtu_mcp.gateway.exchange import current_scope

    asked = {**request.options, "model": request.model, "prompt": request.prompt, "stream": True}
    async with wire.spend(ENDPOINT, request.model, asked) as entry:
        asked = dict(entry.bounded(asked))
        await current_scope().report(f"asking {request.model}")
        try:
            return await _attempt(wire, request.model, asked | {"stream_options": {"include_usage": True}}, entry)
        except Rejected as error:
            # Not every document of this endpoint has the parameter; it was refused before anything was billed.
            if "stream_options" not in error.message:
                raise
            entry.idempotency_key = str(uuid4())
            return await _attempt(wire, request.model, asked, entry)


async def _attempt(wire: "Wire", model: str, payload: Mapping[str, Any], entry: "Exchange") -> Completion:
    from mtu_mcp.gateway.continuations import CompletionAssembler
    from mtu_mcp.gateway.streams import hear
    from mtu_mcp.gateway.wire import Call

    accept = "text/event-stream, application/json"
    call = Call(ENDPOINT, model, payload=payload, key=entry.idempotency_key, accept=accept)
    heard = CompletionAssembler()
    async with wire.open(call) as body:
        await hear(body, heard, entry)
    if not heard.begun:
        raise BadAnswer("The gateway's answer holds no completion.", advice="Try again.", request_id=entry.request_id)
    reasons = {"length": "stopped at the token limit", "content_filter": "content rules stopped the answer"}
    cut = heard.cut or reasons.get(heard.finish, "")
    return Completion(heard.partial, heard.model or model, heard.finish, cut, heard.usage, entry.request_id)
