"""Function tools a caller passes to a model: how they are sent, asked for, answered and remembered.

Nothing is run here. The model's wishes go back to the caller as data, and the caller brings the results in a later turn
of the same conversation, under the ids it was given.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from mtu_mcp.errors import BadInput
from mtu_mcp.records import Turn

if TYPE_CHECKING:
    from mtu_mcp.gateway import ToolCall

MOST_TOOLS: Final = 128
"""OpenAI API reference: at most 128 tools a request."""
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""OpenAI API reference: what a function's name may be."""


def function_tools(given: Sequence[Any]) -> list[dict[str, Any]]:
    """Return function tools in the form of chat completions.

    Three forms are taken, since models mix them up: nested under "function", flat, and MCP's with "inputSchema".

    Raises:
        BadInput: Naming the tool that cannot be used and why.
    """
    if len(given) > MOST_TOOLS:
        raise BadInput(f"There are {len(given)} tools; a request takes {MOST_TOOLS}.")
    tools = [_function_tool(tool, place) for place, tool in enumerate(given)]
    names = [tool["function"]["name"] for tool in tools]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise BadInput(f"Two tools are called {twice}.", advice="Give each a name of its own.")
    return tools


def _function_tool(given: Any, place: int) -> dict[str, Any]:
    where = f"tools[{place}]"
    tool = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    inner: Any = tool.get("function", tool)
    if tool.get("type", "function") != "function" or not isinstance(inner, dict):
        raise BadInput(
            f"{where} is no function tool.", advice='Write {"name": ..., "description": ..., "parameters": ...}.'
        )
    function = cast("dict[str, Any]", inner)
    name = function.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadInput(f"{where} needs a name of at most 64 letters, digits, - and _, not {str(name)[:80]!r}.")
    schema = next((function[key] for key in ("parameters", "inputSchema", "input_schema") if key in function), None)
    if schema is not None and not isinstance(schema, dict):
        raise BadInput(f"{where}: parameters must be a JSON Schema.")
    kept = {key: function[key] for key in ("name", "description", "strict") if function.get(key) is not None}
    parameters = cast("dict[str, Any]", schema or {})
    return {"type": "function", "function": {**kept, "parameters": {"type": "object", "properties": {}, **parameters}}}


def as_wire(calls: Sequence[ToolCall]) -> list[dict[str, Any]] | None:
    """Return the calls as a message holds them, each with an id; None when there are none."""
    return [
        {
            "id": call.id or f"call_{number}",
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments or "{}"},
        }
        for number, call in enumerate(calls, 1)
    ] or None


def wished(calls: Sequence[ToolCall]) -> str:
    """Return the calls as text to act on: a sentence, and JSON with parsed arguments."""
    shown = [
        {"id": call["id"], "name": call["function"]["name"], "arguments": _parsed(call["function"]["arguments"])}
        for call in as_wire(calls) or ()
    ]
    how = "a tool" if len(shown) == 1 else f"{len(shown)} tools"
    return f"The model asks you to call {how}:\n```json\n{json.dumps(shown, ensure_ascii=False, indent=1)}\n```"


def _parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments


def result_turns(history: Sequence[Turn], results: Mapping[str, Any]) -> list[Turn]:
    """Return the turns that answer the open calls of a conversation.

    Args:
        history: The conversation so far.
        results: What each call gave, by its id (or by the tool's name, where that says which).

    Raises:
        BadInput: No call is open, a result answers none of them, or one of them has no result.
    """
    calls = open_calls(history)
    if not calls:
        raise BadInput(
            "No tool call waits for a result.",
            advice="Give tool_results in the conversation whose last answer asked for one.",
        )
    names = [call["function"]["name"] for call in calls]
    ids = {call["id"]: call["id"] for call in calls}
    ids |= {name: call["id"] for name, call in zip(names, calls, strict=True) if names.count(name) == 1}
    given = {ids.get(key, key): value for key, value in results.items()}
    wanted = ", ".join(f"{call['id']} ({name})" for call, name in zip(calls, names, strict=True))
    if set(given) != {call["id"] for call in calls}:
        raise BadInput(f"tool_results must answer exactly these calls: {wanted}.", advice="Use their ids as keys.")
    return [
        Turn("tool", _text(given[call["id"]]), extra={"tool_call_id": call["id"], "name": name})
        for call, name in zip(calls, names, strict=True)
    ]


def open_calls(history: Sequence[Turn]) -> list[dict[str, Any]]:
    """Return the calls the last turn asked for, which nobody has answered."""
    last = history[-1] if history else None
    return list(last.tool_calls or ()) if last is not None and last.role == "assistant" else []


def tools_of(history: Sequence[Turn]) -> list[dict[str, Any]]:
    """Return the tools the open calls were chosen from; the model has to be shown them again with the results."""
    return list(history[-1].extra.get("tools", ())) if open_calls(history) else []


def _text(result: Any) -> str:
    return result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)


def paired(turns: Sequence[Turn]) -> list[Turn]:
    """Return the turns so that every call has its result and every result its call, as the API demands.

    A call that was never answered, and a result whose call was left out, become plain words.
    """
    kept: list[Turn] = []
    place = 0
    while place < len(turns):
        turn = turns[place]
        place += 1
        if turn.role == "tool":
            kept.append(Turn("user", f"Result of {turn.extra.get('name', 'a tool')}: {turn.content}"))
            continue
        if not turn.tool_calls:
            kept.append(turn)
            continue
        answers = _run_of_results(turns, place)
        if {call["id"] for call in turn.tool_calls} == {answer.extra.get("tool_call_id") for answer in answers}:
            kept += [turn, *answers]
            place += len(answers)
        else:
            names = ", ".join(call["function"]["name"] for call in turn.tool_calls)
            kept.append(Turn("assistant", f"{turn.content}\n[asked to call {names}]".strip()))
    return kept


def _run_of_results(turns: Sequence[Turn], start: int) -> list[Turn]:
    end = start
    while end < len(turns) and turns[end].role == "tool":
        end += 1
    return list(turns[start:end])


def as_message(turn: Turn, content: Any) -> dict[str, Any]:
    """Return a stored turn as a message of a request."""
    message: dict[str, Any] = {"role": turn.role, "content": content}
    if turn.tool_calls:
        message["tool_calls"] = turn.tool_calls
    if turn.role == "tool":
        message["tool_call_id"] = turn.extra.get("tool_call_id", "")
    return message
