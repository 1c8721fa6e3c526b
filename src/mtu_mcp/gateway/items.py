"""A Responses answer from its items and events.

The last event carries the whole response, and then that is the answer. When a stream is cut, or a relay sends an empty
`output` at the end, the items that were finished and the deltas of the others stand in for it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from mtu_mcp.gateway.citations import Citation, distinct, read_annotations
from mtu_mcp.gateway.complaints import Complaint, read_complaint
from mtu_mcp.gateway.shapes import compact, mapping, repaired, sequence, shortened, text, whole
from mtu_mcp.gateway.streams import Assembler, characters
from mtu_mcp.gateway.texts import Text
from mtu_mcp.gateway.toolcalls import ToolCall

_STATUS = {"completed": "stop", "max_output_tokens": "length", "content_filter": "content_filter"}
_MOST_ITEMS = 10_000


@dataclass(frozen=True, slots=True)
class Made:
    """What the items of an answer hold."""

    text: str
    reasoning: str
    refusal: str
    citations: tuple[Citation, ...]
    searches: tuple[str, ...]
    visited: tuple[str, ...]
    tool_calls: tuple[ToolCall, ...]


class ResponseAssembler(Assembler):
    """Puts a Responses answer together."""

    expected: ClassVar[tuple[str, ...]] = ("output", "type", "status")

    def __init__(self) -> None:
        super().__init__()
        self.finish = ""
        self._output: list[Mapping[str, Any]] = []
        self._items: dict[int, Mapping[str, Any]] = {}
        self._pieces: dict[int, Text] = {}
        self._annotations: list[Citation] = []
        self._thoughts = Text()
        self._refusal = Text()
        self._size = 0
        self._called = False
        self._doing = ""

    @property
    def begun(self) -> bool:
        """Whether text, a refusal or a tool call is here."""
        return bool(self._size or self._refusal.size or self._called)

    @property
    def complete(self) -> bool:
        """Whether a last event, or a whole answer, gave a status."""
        return bool(self.finish)

    @property
    def letters(self) -> int:
        """Characters of the answer and the thoughts."""
        return self._size + self._thoughts.size + self._refusal.size

    @property
    def activity(self) -> str:
        """One of "thinking", "searching: ...", "reading ..." and "answering (... characters)"."""
        if self._size:
            return f"answering ({characters(self._size)})"
        return self._doing or ("thinking" if self._thoughts.size else "waiting for the answer")

    @property
    def partial(self) -> str:
        """The text so far."""
        return self.made().text

    def take(self, raw: Mapping[str, Any], name: str) -> None:
        """Take one event."""
        kind = text(raw.get("type")) or name
        if kind in (
            "response.completed",
            "response.incomplete",
            "response.failed",
            "response.cancelled",
            "response.done",
        ):
            self._close(mapping(raw.get("response")), kind.removeprefix("response."))
        elif kind == "error":
            self.complaint = read_complaint(raw) or Complaint(message="no reason given")
        elif kind.startswith("response.output_item."):
            self._item(raw, done=kind.endswith("done"))
        elif kind.startswith("response.web_search_call.") and not self._doing:
            self._doing = "searching"
        elif kind in ("response.created", "response.in_progress", "response.queued"):
            self._envelope(mapping(raw.get("response")))
        else:
            self._delta(kind, raw)

    def take_whole(self, raw: Mapping[str, Any]) -> None:
        """Take a response object."""
        response = mapping(raw.get("response")) or raw
        # Without output or status it is some other endpoint's answer, and no finished one of this.
        self._close(response, "completed" if isinstance(response.get("output"), list) else "")

    def made(self) -> Made:
        """What the answer holds so far."""
        items = self._output if any(_has_content(item) for item in self._output) else self._finished_items()
        made = _made(items, self.strike)
        if made.text or not self._size:
            return made
        # Nothing finished: the deltas are all there is, and positions count from the start of the text.
        return Made(
            text=self.strike("".join(self._pieces[index].value() for index in sorted(self._pieces))),
            reasoning=made.reasoning or self.strike(self._thoughts.value()),
            refusal=made.refusal or self.strike(self._refusal.value()),
            citations=distinct((*self._annotations, *made.citations)),
            searches=made.searches,
            visited=made.visited,
            tool_calls=made.tool_calls,
        )

    def _finished_items(self) -> list[Mapping[str, Any]]:
        return [self._items[index] for index in sorted(self._items)]

    def _envelope(self, response: Mapping[str, Any]) -> None:
        self.id = text(response.get("id")) or self.id
        self.model = text(response.get("model")) or self.model
        self.request_id = text(response.get("request_id")) or self.request_id
        self.count(response.get("usage"))

    def _close(self, response: Mapping[str, Any], status: str) -> None:
        self._envelope(response)
        self._output = [mapping(item) for item in sequence(response.get("output"))[:_MOST_ITEMS]]
        status = text(response.get("status")) or status
        if status == "failed" or response.get("error"):
            self.complaint = read_complaint(response) or Complaint(message="the response failed without a reason")
        reason = text(mapping(response.get("incomplete_details")).get("reason"))
        self.finish = _STATUS.get(reason or status, reason or status)
        whole_answer = _made(self._output, self.strike)
        self._size = self._size or len(whole_answer.text)
        self._called = self._called or bool(whole_answer.tool_calls)
        self._refusal.add(whole_answer.refusal if not self._refusal.size else "")

    def _item(self, raw: Mapping[str, Any], *, done: bool) -> None:
        item = mapping(raw.get("item"))
        if item.get("type") == "web_search_call":
            self._doing = _searching(mapping(item.get("action"))) or self._doing or "searching"
        if not done or len(self._items) >= _MOST_ITEMS:
            return
        index = whole(raw.get("output_index"))
        self._items[len(self._items) if index is None else index] = item
        self._called = self._called or item.get("type") == "function_call"

    def _delta(self, kind: str, raw: Mapping[str, Any]) -> None:
        piece = raw.get("delta")
        if kind == "response.output_text.delta" and isinstance(piece, str):
            index = whole(raw.get("output_index")) or 0
            if index not in self._pieces and len(self._pieces) < _MOST_ITEMS:
                self._pieces[index] = Text()
            self._pieces.get(index, Text()).add(piece)
            self._size += len(piece)
        elif kind in ("response.reasoning_summary_text.delta", "response.reasoning_text.delta"):
            self._thoughts.add(text(piece))
        elif kind == "response.refusal.delta":
            self._refusal.add(text(piece))
        elif kind == "response.output_text.annotation.added" and len(self._annotations) < _MOST_ITEMS:
            self._annotations += read_annotations([raw.get("annotation")])


def _has_content(item: Mapping[str, Any]) -> bool:
    return bool(item.get("content")) or item.get("type") in ("function_call", "web_search_call")


def _made(items: Iterable[Mapping[str, Any]], strike: Callable[[str], str]) -> Made:
    """Read finished items. Texts of one message are joined as they are, messages by an empty line."""
    parts: list[str] = []
    size = 0
    refusals: list[str] = []
    thoughts: list[str] = []
    cited: list[Citation] = []
    found: list[Citation] = []
    searches: dict[str, None] = {}
    visited: dict[str, None] = {}
    calls: list[ToolCall] = []
    for item in items:
        kind = item.get("type")
        if kind == "message" or (kind is None and item.get("content")):
            start = "\n\n" if size else ""
            for part in sequence(item.get("content")):
                words = text(mapping(part).get("text"))
                if words:
                    parts += (start, words)
                    cited += read_annotations(mapping(part).get("annotations"), size + len(start))
                    size += len(start) + len(words)
                    start = ""
                refusals.append(text(mapping(part).get("refusal")))
        elif kind == "reasoning":
            thoughts += (text(mapping(part).get("text")) for part in _parts_of_thought(item))
        elif kind == "function_call":
            name_id = text(item.get("call_id")) or text(item.get("id"))
            calls.append(ToolCall(name_id, text(item.get("name")), repaired(compact(item.get("arguments")))))
        elif kind == "web_search_call":
            _note_search(mapping(item.get("action")), searches, visited, found)
    return Made(
        text=strike("".join(parts)),
        reasoning="\n\n".join(filter(None, thoughts)),
        refusal=strike("".join(refusals)),
        citations=distinct((*cited, *found)) if not cited else distinct(cited),
        searches=tuple(searches),
        visited=tuple(visited),
        tool_calls=tuple(calls),
    )


def _parts_of_thought(item: Mapping[str, Any]) -> Iterable[object]:
    return (*sequence(item.get("summary")), *sequence(item.get("content")))


def _note_search(
    action: Mapping[str, Any], searches: dict[str, None], visited: dict[str, None], found: list[Citation]
) -> None:
    for query in (action.get("query"), *sequence(action.get("queries"))):
        if words := text(query).strip():
            searches[words] = None
    if place := text(action.get("url")).strip():
        visited[place] = None
    found += read_annotations(action.get("sources"))


def _searching(action: Mapping[str, Any]) -> str:
    query = text(action.get("query")) or text(next(iter(sequence(action.get("queries"))), ""))
    if query:
        return f"searching: {shortened(query, 120)}"
    place = shortened(text(action.get("url")), 120)
    return f"reading {place}" if place else ""
