"""Asking a text model where it lives: chat completions, or the Responses API for models that live only there.

The request is written for chat completions and translated when need be, so that no caller has to know. Earlier turns are
sent whole rather than by `previous_response_id`: a conversation here may have begun with another model, and gateways
that relay Responses rarely keep them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from mtu_mcp.capabilities._upstream import asking
from mtu_mcp.errors import NotOffered, Rejected, UnknownModel, UpstreamError
from mtu_mcp.gateway import ChatAnswer, ChatRequest, ResponsesRequest

if TYPE_CHECKING:
    from mtu_mcp.app import App
    from mtu_mcp.catalogue import Capability

LEAST_OUTPUT: Final = 16
"""OpenAI API reference: the lowest max_output_tokens."""
_SAYS_SO: Final = re.compile(r"\bv1/responses\b|\bresponses api\b", re.IGNORECASE)
"""OpenAI: "This model is only supported in v1/responses and not in v1/chat/completions."."""


async def ask(
    app: App,
    model: str,
    messages: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
    capability: Capability = "chat",
) -> ChatAnswer:
    """Ask a model.

    Raises:
        UpstreamError: As the gateway said it; an unknown model comes with the nearest names.
    """
    if "responses_only" not in app.catalogue.entry(model).traits and model not in app.elsewhere:
        try:
            async with asking(app, "chat/completions", model, capability):
                return await app.gateway.chat(ChatRequest(model, messages, options=options))
        except (Rejected, UnknownModel, NotOffered) as error:
            if not _SAYS_SO.search(error.message):
                raise
            app.elsewhere.add(model)
    return await _respond(app, model, messages, options, capability)


async def _respond(
    app: App, model: str, messages: Sequence[Mapping[str, Any]], options: Mapping[str, Any], capability: Capability
) -> ChatAnswer:
    try:
        async with asking(app, "responses", model, capability):
            reply = await app.gateway.respond(ResponsesRequest(model, as_items(messages), options=as_fields(options)))
    except NotOffered as error:
        raise _nowhere(model, error) from error
    return ChatAnswer(
        text=reply.text,
        reasoning=reply.reasoning,
        model=reply.model,
        finish=reply.finish,
        cut=reply.cut,
        tool_calls=reply.tool_calls,
        citations=reply.citations,
        usage=reply.usage,
        id=reply.id,
        refusal=reply.refusal,
        visited=reply.visited,
        queries=reply.searches,
        request_id=reply.request_id,
    )


def _nowhere(model: str, error: UpstreamError) -> NotOffered:
    return NotOffered(
        f"{model} lives in the Responses API alone, which this gateway does not offer.",
        advice="Use another model.",
        status=error.status,
        code=error.code,
        request_id=error.request_id,
    )


def as_items(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the messages as items of the Responses API."""
    items: list[dict[str, Any]] = []
    for message in messages:
        content = message.get("content")
        if message["role"] == "tool":
            items.append({"type": "function_call_output", "call_id": message["tool_call_id"], "output": content or ""})
            continue
        if content:
            items.append({"role": message["role"], "content": _content(content)})
        calls: list[dict[str, Any]] = message.get("tool_calls") or []
        items += [{"type": "function_call", "call_id": call["id"], **call["function"]} for call in calls]
    return items


def _content(content: Any) -> Any:
    if isinstance(content, str):
        return content
    parts: list[dict[str, Any]] = []
    for part in cast("list[dict[str, Any]]", content):
        if part.get("type") == "image_url":
            parts.append({"type": "input_image", "image_url": part["image_url"]["url"]})
        else:
            parts.append({"type": "input_text", "text": str(part.get("text", ""))})
    return parts


def as_fields(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of chat completions under the names and in the shapes of the Responses API.

    Nothing is to be kept by the gateway (`store`): the conversation is kept here, and Responses would keep it by default.
    """
    fields: dict[str, Any] = {"store": False, **options}
    for name in ("max_completion_tokens", "max_tokens"):
        if (limit := fields.pop(name, None)) is not None:
            fields["max_output_tokens"] = max(LEAST_OUTPUT, limit)
    if (effort := fields.pop("reasoning_effort", None)) is not None:
        fields["reasoning"] = {"effort": effort}
    if (wanted := fields.pop("response_format", None)) is not None:
        fields["text"] = {"format": _format(wanted)}
    if "tools" in fields:
        fields["tools"] = [_flat(tool) for tool in fields["tools"]]
    if "tool_choice" in fields:
        fields["tool_choice"] = _flat(fields["tool_choice"])
    return fields


def _format(wanted: Mapping[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = wanted.get("json_schema") or {}
    # Responses is strict unless told otherwise, chat completions is not.
    return {"type": wanted.get("type", "text"), **({"strict": False, **schema} if schema else {})}


def _flat(tool: Any) -> Any:
    """A tool, or the choice of one, without the nesting of chat completions."""
    inner = cast("dict[str, Any]", tool).get("function") if isinstance(tool, dict) else None
    if not isinstance(inner, dict):
        return cast("Any", tool)
    function = cast("dict[str, Any]", inner)
    return {"type": "function", **({"strict": False} if "parameters" in function else {}), **function}
