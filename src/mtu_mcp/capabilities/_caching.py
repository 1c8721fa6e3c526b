"""Markers for a model's explicit context cache: what stands before one is kept and costs a tenth the next time.

Alibaba Cloud Model Studio and Anthropic take `cache_control` on the parts of a message, at most four; Model Studio
keeps nothing under 1,024 tokens. Other makers cache by themselves and some refuse the field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from mtu_mcp.catalogue.tokens import estimate_text_tokens

if TYPE_CHECKING:
    from mtu_mcp.catalogue import Entry

LEAST_TOKENS: Final = 1_024
FIELD: Final = "cache_control"


def marked(messages: Sequence[Mapping[str, Any]], entry: Entry, marker: Any) -> tuple[list[dict[str, Any]], str]:
    """Return the messages with markers on the instructions and on the last long text, and a remark if none was set.

    Args:
        messages: The request's messages.
        entry: What is known of the model.
        marker: The marker as the API has it, such as {"type": "ephemeral"}.
    """
    sent = [dict(message) for message in messages]
    if entry.vendor not in ("Alibaba", "Anthropic", ""):
        return sent, f"{entry.name} takes no cache markers; its maker caches by itself where it can."
    size = 0
    places: list[int] = []
    for place, message in enumerate(sent):
        size += estimate_text_tokens(_text(message))
        if size >= LEAST_TOKENS and message["role"] in ("system", "user"):
            places.append(place)
    if not places:
        return sent, f"Nothing was marked for the cache: it keeps {LEAST_TOKENS:,} tokens and more."
    for place in {places[0], places[-1]}:
        sent[place]["content"] = _marked_parts(sent[place]["content"], marker)
    return sent, ""


def _marked_parts(content: Any, marker: Any) -> list[dict[str, Any]]:
    given = [{"type": "text", "text": content}] if isinstance(content, str) else cast("list[dict[str, Any]]", content)
    parts = [dict(part) for part in given]
    last = max((place for place, part in enumerate(parts) if part.get("type") == "text"), default=None)
    if last is not None:
        parts[last][FIELD] = marker
    return parts


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = cast("list[dict[str, Any]]", content) if isinstance(content, list) else []
    return "".join(str(part.get("text", "")) for part in parts)
