"""How long a model should think, in the words of its maker.

OpenAI and those who follow it take `reasoning_effort`. Qwen has a switch (`enable_thinking`) and a budget in tokens
(`thinking_budget`); DeepSeek a switch alone. The budgets are our own steps: nobody publishes what an effort is in tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mtu_mcp.catalogue import Entry

Effort = Literal["none", "minimal", "low", "medium", "high"]
BUDGETS: Final = {"minimal": 1_024, "low": 4_096, "medium": 16_384}
"""Tokens of thought; "high" leaves the model its own most."""


def thinking_fields(
    entry: Entry, effort: str | None, options: Mapping[str, Any], *, plain: bool
) -> tuple[dict[str, Any], str]:
    """Return the fields that ask for an effort, and a remark where it cannot be asked for.

    Args:
        entry: What is known of the model.
        effort: What was asked for; None leaves it to the model.
        options: Further fields of the call, which come first.
        plain: Whether the answer has to follow a schema or a beginning, which Qwen does only without thinking.
    """
    if entry.vendor == "Alibaba":
        return _qwen(entry, effort, options, plain=plain)
    if effort is None:
        return {}, ""
    if "always_thinks" in entry.traits and effort == "none":
        return {}, f"{entry.name} always thinks."
    if entry.vendor == "DeepSeek":
        if "always_thinks" in entry.traits:
            return {}, ""
        return {"thinking": {"type": "disabled" if effort == "none" else "enabled"}}, ""
    if entry.vendor == "OpenAI" and entry.source and not entry.can("reasoning"):
        return {}, "" if effort == "none" else f"{entry.name} does not think, so effort was not sent."
    return {"reasoning_effort": effort}, ""


def _qwen(entry: Entry, effort: str | None, options: Mapping[str, Any], *, plain: bool) -> tuple[dict[str, Any], str]:
    if "enable_thinking" in options:
        return {}, ""
    if "always_thinks" in entry.traits:
        remark = f"{entry.name} always thinks." if effort == "none" else ""
        return ({"thinking_budget": BUDGETS[effort]} if effort in BUDGETS else {}), remark
    may_think = bool({"thinks_when_asked", "thinks_by_default"} & set(entry.traits)) or not entry.source
    if plain and ("thinks_by_default" in entry.traits or effort not in (None, "none")):
        return {"enable_thinking": False}, f"{entry.name} cannot think while it follows a schema or a beginning."
    if effort is None:
        return {}, ""
    if not may_think:
        return {}, "" if effort == "none" else f"{entry.name} does not think, so effort was not sent."
    if effort == "none":
        return {"enable_thinking": False}, ""
    return {"enable_thinking": True, **({"thinking_budget": BUDGETS[effort]} if effort in BUDGETS else {})}, ""
