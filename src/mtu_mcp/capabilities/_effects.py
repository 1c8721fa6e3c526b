"""What was asked for and left no trace in the answer.

Many gateways rebuild a request from the fields they know and drop the others under status 200. What an answer shows can
be held against what was asked; where it shows nothing either way, nothing is said. OpenAI's models are left out of
the rule on thoughts: they keep them to themselves, and may need none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from mtu_mcp.gateway import ChatAnswer

_SLACK: Final = 1.1
"""A budget of thoughts is kept to within some tokens: a gateway's own count may differ from the maker's."""
_LEAST_OVER: Final = 64


def unheeded(options: Mapping[str, Any], reply: ChatAnswer) -> list[str]:
    """Return a sentence for each thing asked for that the answer shows to have had no effect.

    Args:
        options: The fields of the request.
        reply: What came of it.
    """
    if (reply.cut and reply.finish != "length") or not reply.text.strip():
        return []
    return list(filter(None, (_thoughts(options, reply), _budget(options, reply), _count(options, reply))))


def unsearched(shown: bool, field: str) -> str:
    """Say that an answer shows no sign of the search that its engine always shows; empty where it shows one.

    Args:
        shown: Whether it names a page or a search.
        field: What asks for the search.
    """
    return "" if shown else f"Nothing in the answer shows that a search was made; the gateway may have dropped {field}."


def _thoughts(options: Mapping[str, Any], reply: ChatAnswer) -> str:
    counted = reply.usage.reasoning_tokens if reply.usage else 0
    thought = bool(reply.reasoning.strip()) or counted > 0
    switch, wanted = _switch(options)
    if wanted is None or wanted is thought:
        return ""
    if wanted:
        return f"The answer shows no thoughts although they were asked for; the gateway seems to drop {switch}."
    return f"The model thought although it was told not to; the gateway seems to drop {switch}."


def _switch(options: Mapping[str, Any]) -> tuple[str, bool | None]:
    """The field that turns thinking on or off, and which of the two; None where an answer cannot show it."""
    if isinstance(asked := options.get("enable_thinking"), bool):
        return "enable_thinking", asked
    thinking = options.get("thinking")
    kind = cast("dict[str, Any]", thinking).get("type") if isinstance(thinking, dict) else None
    if kind in ("enabled", "disabled"):
        return "thinking", kind == "enabled"
    return "reasoning_effort", False if options.get("reasoning_effort") == "none" else None


def _budget(options: Mapping[str, Any], reply: ChatAnswer) -> str:
    most = options.get("thinking_budget")
    counted = reply.usage.reasoning_tokens if reply.usage else 0
    if isinstance(most, bool) or not isinstance(most, int) or counted <= max(most * _SLACK, most + _LEAST_OVER):
        return ""
    return (
        f"It thought for {counted:,} tokens although thinking_budget is {most:,}; the gateway seems to drop that field."
    )


def _count(options: Mapping[str, Any], reply: ChatAnswer) -> str:
    asked = options.get("n")
    came = len(reply.alternatives) + 1
    if isinstance(asked, bool) or not isinstance(asked, int) or asked <= came:
        return ""
    return f"{asked} answers were asked for and {came} came; the gateway or the model does not heed n."
