"""Explicit context cache of the Qwen models, after Model Studio's page: markers, sizes, five minutes.

`"cache_control": {"type": "ephemeral"}` on a part of a message keeps everything up to it. Under 1,024 tokens nothing is
kept; of more than four markers the last four count; a hit makes an entry live five minutes longer.
"""

import hashlib
import json
from typing import TYPE_CHECKING, Any

from mtu_mcp.sandbox.tokens import count_text

if TYPE_CHECKING:
    from mtu_mcp.sandbox.desk import Desk

Body = dict[str, Any]
LEAST_TOKENS = 1024
SECONDS = 300.0
MARKERS = 4


def use_cache(desk: "Desk", model: str, messages: list[Body]) -> tuple[int, int]:
    """Tokens read from the cache and tokens newly kept for a request, and remember what it marks."""
    marked = [each for each in _prefixes(model, messages) if each[1] >= LEAST_TOKENS][-MARKERS:]
    now = desk.options.clock()
    desk.cached = {key: until for key, until in desk.cached.items() if until > now}
    hit = max((tokens for key, tokens in marked if key in desk.cached), default=0)
    kept = max((tokens for _, tokens in marked), default=0)
    desk.cached |= {key: now + SECONDS for key, _ in marked}
    return hit, max(kept - hit, 0)


def _prefixes(model: str, messages: list[Body]) -> list[tuple[str, int]]:
    """For each marker the name of what stands before it, itself included, and its tokens."""
    found: list[tuple[str, int]] = []
    digest = hashlib.sha256(model.encode())
    texts: list[str] = []
    for message in messages:
        content: Any = message.get("content")
        parts: list[Body] = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]  # pyright: ignore[reportUnknownVariableType]
        for part in parts:
            plain = {name: value for name, value in part.items() if name != "cache_control"}
            digest.update(json.dumps([message["role"], plain], sort_keys=True).encode())
            texts.append(str(part.get("text", "")))
            if "cache_control" in part:
                found.append((digest.hexdigest(), count_text(texts)))
    return found
