"""A chat answer from its chunks.

Every key of a chunk may be absent, null, empty or of the wrong type, and the last chunk of an honest stream has no
choices at all. Pieces of text are kept in lists and joined once at the end, so a long answer costs no more per chunk
than a short one.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from mtu_mcp.gateway import sound
from mtu_mcp.gateway.citations import Citation, distinct, read_annotations, read_grounding, read_sources
from mtu_mcp.gateway.complaints import Complaint
from mtu_mcp.gateway.shapes import content, mapping, sequence, shortened, text
from mtu_mcp.gateway.streams import Assembler, characters
from mtu_mcp.gateway.texts import Growth, Text, ThoughtSplitter, growth_of
from mtu_mcp.gateway.toolcalls import ToolCalls

_MOST_CHOICES: Final = 128
_MOST_PLACES: Final = 10_000


class _Choice:
    """One of the answers: its text, and the thoughts that came inside the text."""

    def __init__(self, growth: Growth) -> None:
        self.text = Text(growth)
        self.thoughts = Text()
        self._splitter = ThoughtSplitter() if growth == "append" else None

    def add(self, piece: str) -> None:
        if self._splitter is None:
            self.text.add(piece)
        else:
            self._keep(*self._splitter.add(piece))

    def value(self) -> str:
        if self._splitter is not None:
            self._keep(*self._splitter.flush())
        return self.text.value()

    def _keep(self, thoughts: str, words: str) -> None:
        self.thoughts.add(thoughts)
        self.text.add(words)


class ChatAssembler(Assembler):
    """Puts a chat answer together.

    Args:
        model: The model asked, by whose name cumulative streams are known.
        grows: Overrides what the name says; see `ChatRequest`.
    """

    expected: ClassVar[tuple[str, ...]] = ("choices", "usage")

    def __init__(self, model: str, grows: bool | None = None) -> None:
        super().__init__()
        self.finish = ""
        self.tool_calls = ToolCalls()
        self._growth: Growth = growth_of(model, grows)
        self._choices: dict[int, _Choice] = {0: _Choice(self._growth)}
        self._reasoning = Text()
        self._refusal = Text()
        self._sound: list[str] = []
        self._citations: list[Citation] = []
        self._visited: dict[str, None] = {}
        self._queries: dict[str, None] = {}
        self._doing = ""

    @property
    def begun(self) -> bool:
        """Whether text, sound, a refusal or a tool call is here; thoughts are not the answer."""
        return bool(self._choices[0].text.size or self._sound or self._refusal.size or self.tool_calls)

    @property
    def complete(self) -> bool:
        """Whether a finish reason came."""
        return bool(self.finish)

    @property
    def letters(self) -> int:
        """Characters of all answers and their thoughts."""
        inside = sum(one.text.size + one.thoughts.size for one in self._choices.values())
        return inside + self._reasoning.size + self._refusal.size

    @property
    def activity(self) -> str:
        """One of "thinking", "searching: ...", "reading ..." and "answering (... characters)"."""
        first = self._choices[0]
        if first.text.size:
            return f"answering ({characters(first.text.size)})"
        thinking = self._reasoning.size or first.thoughts.size
        return self._doing or ("thinking" if thinking else "waiting for the answer")

    @property
    def partial(self) -> str:
        """The text so far."""
        return self.strike(self._choices[0].value())

    @property
    def reasoning(self) -> str:
        """The thoughts, whether they came in a field of their own or inside the text."""
        return self.strike((self._reasoning.value() + self._choices[0].thoughts.value()).strip())

    @property
    def refusal(self) -> str:
        """The model's words when it declined."""
        return self.strike(self._refusal.value())

    @property
    def audio(self) -> bytes:
        """The sound so far."""
        return sound.joined(self._sound)

    @property
    def citations(self) -> tuple[Citation, ...]:
        """Sources, each once."""
        return distinct(self._citations)

    @property
    def visited(self) -> tuple[str, ...]:
        """Addresses looked at, each once."""
        return tuple(self._visited)

    @property
    def queries(self) -> tuple[str, ...]:
        """Searches made, each once."""
        return tuple(self._queries)

    @property
    def alternatives(self) -> tuple[str, ...]:
        """The answers besides the first, in order."""
        return tuple(self.strike(self._choices[index].value()) for index in sorted(self._choices) if index)

    def take(self, raw: Mapping[str, Any], name: str) -> None:  # noqa: ARG002 - chat chunks have no names
        """Take one chunk."""
        self._envelope(raw)
        for item in sequence(raw.get("choices")):
            choice = mapping(item)
            self._ground(choice)
            # A relay may answer a stream with one whole message in a chunk.
            self._delta(self._index(choice), mapping(choice.get("delta")) or mapping(choice.get("message")))
            self._finished(choice)

    def take_whole(self, raw: Mapping[str, Any]) -> None:
        """Take a chat.completion object."""
        self._envelope(raw)
        for item in sequence(raw.get("choices")):
            choice = mapping(item)
            self._ground(choice)
            message = mapping(choice.get("message")) or mapping(choice.get("delta"))
            self._delta(self._index(choice), message or choice)
            self._finished(choice)

    def _envelope(self, raw: Mapping[str, Any]) -> None:
        if not self.id:
            self.id = text(raw.get("id"))
        if not self.model:
            self.model = text(raw.get("model"))
        if raw.get("usage"):
            self.count(raw["usage"])
        for key in ("visitedURLs", "readURLs"):
            for place in sequence(raw.get(key)):
                self._note(self._visited, place)
        if "search_results" in raw or "search_info" in raw or "citations" in raw:
            self._citations += read_sources(raw)
        self._ground(raw)
        if not self.request_id and raw.get("request_id"):
            self.request_id = text(raw.get("request_id"))

    def _ground(self, body: Mapping[str, Any]) -> None:
        """Gemini's sources, beside the choices or inside one."""
        pages, queries = read_grounding(body)
        self._citations += pages
        for query in queries:
            self._note(self._queries, query)

    def _index(self, choice: Mapping[str, Any]) -> int:
        index = choice.get("index")
        return index if type(index) is int and 0 <= index < _MOST_CHOICES else 0

    def _finished(self, choice: Mapping[str, Any]) -> None:
        finish = choice.get("finish_reason")
        # Jina says "thinking_end" in the middle, before the answer.
        if not finish or not isinstance(finish, str) or finish == "thinking_end":
            return
        if self._index(choice) == 0:
            self.finish = finish

    def _delta(self, index: int, delta: Mapping[str, Any]) -> None:
        kind = delta.get("type")
        words = content(delta.get("content")) if delta.get("content") else ""
        for part in sequence(delta.get("content")):  # Mistral's thoughts are parts of the content
            self._reasoning.add(content(mapping(part).get("thinking")))
        if kind == "think":
            self._think(delta, words)
        elif kind == "error":
            self.complaint = self.complaint or Complaint(message=words or "no reason given")
        elif words:
            self._choice(index).add(words)
        elif isinstance(spoken := delta.get("text"), str):
            self._choice(index).add(spoken)
        if thought := delta.get("reasoning_content") or delta.get("reasoning"):
            self._reasoning.add(content(thought))
        if refused := delta.get("refusal"):
            self._refusal.add(text(refused))
        if delta.get("audio"):
            self._listen(index, mapping(delta["audio"]))
        if delta.get("tool_calls"):
            self.tool_calls.add(delta["tool_calls"])
        if delta.get("function_call"):
            self.tool_calls.add_function_call(delta["function_call"])
        if delta.get("annotations"):
            self._citations += read_annotations(delta["annotations"])
        self._ground(delta)

    def _think(self, delta: Mapping[str, Any], words: str) -> None:
        """Jina's thoughts, with the pages and searches between them."""
        self._reasoning.add(words.replace("<think>", "").replace("</think>", "") if "think>" in words else words)
        if place := self._note(self._visited, delta.get("url")):
            self._doing = f"reading {place}"
        if query := self._note(self._queries, delta.get("query")):
            self._doing = f"searching: {query}"

    def _listen(self, index: int, audio: Mapping[str, Any]) -> None:
        if isinstance(piece := audio.get("data"), str) and piece:
            self._sound.append(piece)
        if isinstance(spoken := audio.get("transcript"), str):
            self._choice(index).add(spoken)

    def _choice(self, index: int) -> _Choice:
        if index not in self._choices:
            self._choices[index] = _Choice(self._growth)
        return self._choices[index]

    def _note(self, where: dict[str, None], raw: object) -> str:
        found = text(raw).strip()
        if found and len(where) < _MOST_PLACES:
            where[found] = None
        return shortened(found, 120)
