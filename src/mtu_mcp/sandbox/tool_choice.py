"""Deciding whether to answer with tool calls, and with which arguments."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mtu_mcp.sandbox.conversation import Talk
from mtu_mcp.sandbox.desk import Desk
from mtu_mcp.sandbox.drafts import ToolCall, compact
from mtu_mcp.sandbox.instances import make_instance
from mtu_mcp.sandbox.refusals import Invalid

Tool = Mapping[str, Any]


def pick_calls(desk: Desk, tools: Sequence[Tool], choice: Any, talk: Talk, *, parallel: bool) -> tuple[ToolCall, ...]:
    """The calls to make: those `tool_choice` asks for, else those whose name the question plainly has.

    `tools` are flat or nested function tools (or custom ones). Nothing is called right after a tool has answered,
    unless the choice forces it.
    """
    by_name = {_name(tool): tool for tool in tools if _name(tool)}
    asked = {name: tool for name, tool in by_name.items() if _mentioned(name, talk.question)}
    mode, only = _read_choice(choice, by_name)
    if mode == "none":
        return ()
    pool = {name: tool for name, tool in by_name.items() if name in only} if only else by_name
    named = {name: tool for name, tool in asked.items() if name in pool}
    idle = {} if mode == "auto" else dict(list(pool.items())[:1])
    wanted = idle if mode == "auto" and talk.results else named or idle
    if not parallel:
        wanted = dict(list(wanted.items())[:1])
    return tuple(_call(desk, name, tool, talk.question) for name, tool in wanted.items())


def _read_choice(choice: Any, by_name: Mapping[str, Tool]) -> tuple[str, frozenset[str]]:
    if choice is None or isinstance(choice, str):
        if choice == "required" and not by_name:
            msg = "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified."
            raise Invalid(msg, param="tool_choice", code="invalid_value")
        return choice or "auto", frozenset()
    if choice.get("type") == "allowed_tools":
        allowed: dict[str, Any] = choice.get("allowed_tools", choice)
        return allowed.get("mode", "auto"), frozenset(_name(tool) for tool in allowed.get("tools", []))
    name = _name(choice)
    if name not in by_name:
        msg = f"Invalid value for 'tool_choice': tool '{name}' not found in 'tools' parameter."
        raise Invalid(msg, param="tool_choice", code="invalid_value")
    return "required", frozenset({name})


def _name(tool: Tool) -> str:
    inner = tool.get("function") or tool.get("custom") or tool
    return str(inner.get("name", ""))


def _mentioned(name: str, question: str) -> bool:
    """The name itself, or all of its words (`get_weather`: "weather", since verbs like get are left out)."""
    low = question.lower()
    if re.search(rf"\b{re.escape(name.lower())}\b", low):
        return True
    words = [word for word in re.split(r"[_\W]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()) if word]
    telling = [word for word in words if word not in {"get", "set", "find", "fetch", "the", "a", "do", "run", "my"}]
    return bool(telling) and all(re.search(rf"\b{re.escape(word)}", low) for word in telling)


def _call(desk: Desk, name: str, tool: Tool, question: str) -> ToolCall:
    if "custom" in tool or tool.get("type") == "custom":
        return ToolCall(desk.new_id("call_"), name, question, custom=True)
    inner = tool.get("function") or tool
    schema: dict[str, Any] = inner.get("parameters") or {"type": "object", "properties": {}}
    return ToolCall(desk.new_id("call_"), name, compact(make_instance(schema, question)))
