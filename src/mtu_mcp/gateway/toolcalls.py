"""Tool calls from fragments.

The API keys fragments by `index` and names the call in the first one only. Relays differ: `id` may be "" or repeated
later, `index` missing or 0 for every one of several calls, and arguments may come as an object instead of text.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from mtu_mcp.gateway.shapes import compact, mapping, repaired, sequence, text, whole

_MOST: Final = 256


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call the model wants made; `arguments` is JSON text as the model wrote it, not always valid."""

    id: str
    name: str
    arguments: str


@dataclass(slots=True)
class _Growing:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list[str])


class ToolCalls:
    """Collects the fragments of one answer's calls."""

    def __init__(self) -> None:
        self._calls: list[_Growing] = []
        self._by_index: dict[int, _Growing] = {}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(self, raw: object) -> None:
        """Take the `tool_calls` of a delta or of a message."""
        for item in sequence(raw):
            fragment = mapping(item)
            function = mapping(fragment.get("function")) or mapping(fragment.get("custom"))
            if function or fragment.get("id"):
                self._add(whole(fragment.get("index")), text(fragment.get("id")), function)

    def add_function_call(self, raw: object) -> None:
        """Take the older field `function_call`, of which there is at most one."""
        if function := mapping(raw):
            self._add(0, "", function)

    def value(self, strike: Callable[[str], str] = str) -> tuple[ToolCall, ...]:
        """The calls so far; `strike` takes the key out of what was put together."""
        return tuple(
            ToolCall(call.id, strike(call.name), strike(repaired("".join(call.arguments)))) for call in self._calls
        )

    def _add(self, index: int | None, name_id: str, function: Any) -> None:
        name = text(function.get("name"))
        call = self._find(index, name_id, bool(name))
        if call is None:
            return
        call.id = call.id or name_id
        if name and name != call.name and not call.arguments:
            call.name += name
        raw = function.get("arguments")
        if piece := (raw if isinstance(raw, str) else compact(raw) or text(function.get("input"))):
            call.arguments.append(piece)

    def _find(self, index: int | None, name_id: str, named: bool) -> _Growing | None:
        last = self._by_index.get(index) if index is not None else self._calls[-1] if self._calls else None
        # Another id is another call, even under the index of the first.
        if last is not None and not (name_id and last.id and name_id != last.id and (named or index is None)):
            return last
        if len(self._calls) >= _MOST:
            return None
        call = _Growing()
        self._calls.append(call)
        if index is not None:
            self._by_index[index] = call
        return call
