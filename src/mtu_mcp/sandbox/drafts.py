"""An answer before it is put on the wire, and the rules that shorten it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mtu_mcp.sandbox.tokens import pieces


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One function the answer asks to be called; `arguments` is JSON text (or free input of a custom tool)."""

    id: str
    name: str
    arguments: str
    custom: bool = False

    def as_json(self) -> dict[str, Any]:
        """As a message holds it."""
        if self.custom:
            return {"id": self.id, "type": "custom", "custom": {"name": self.name, "input": self.arguments}}
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.arguments}}


@dataclass(frozen=True, slots=True)
class Draft:
    """One choice of an answer. `sound` is PCM s16le mono 24 kHz; `picture` is Markdown sent in one piece after the text;
    `grounding` is Gemini's own metadata, sent beside the choices.
    """

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    annotations: tuple[dict[str, Any], ...] = ()
    finish: str = "stop"
    sound: bytes = b""
    refusal: str = ""
    picture: str = ""
    grounding: dict[str, Any] | None = None

    @property
    def tokens(self) -> int:
        """Tokens written, thoughts and arguments included."""
        arguments = "".join(call.name + call.arguments for call in self.tool_calls)
        shown = 1290 if self.picture else 0  # what Google counts for one picture
        return len(pieces(self.text + self.refusal)) + len(pieces(arguments)) + self.reasoning_tokens + shown

    @property
    def reasoning_tokens(self) -> int:
        """Tokens of the thoughts."""
        return len(pieces(self.reasoning))

    def shortened(self, stop: Sequence[str], limit: int | None) -> "Draft":
        """Cut before the first stop sequence and after `limit` tokens (finish "length")."""
        text, finish = self.text, self.finish
        places = [text.find(mark) for mark in stop if mark and mark in text]
        if places:
            text, finish = text[: min(places)], "stop"
        if limit is not None and not self.tool_calls:
            room = max(limit - self.reasoning_tokens, 0)
            parts = pieces(text)
            if len(parts) > room:
                text, finish = "".join(parts[:room]), "length"
        annotations = tuple(each for each in self.annotations if _within(each, len(text)))
        return replace(self, text=text, finish=finish, annotations=annotations)


def _within(annotation: dict[str, Any], length: int) -> bool:
    return annotation.get("url_citation", annotation).get("end_index", 0) <= length


@dataclass(slots=True)
class Usage:
    """Tokens of a call. `details` are the input's by kind, those that apply."""

    prompt: int = 0
    completion: int = 0
    reasoning: int = 0
    details: dict[str, int] = field(default_factory=dict[str, int])
    output: dict[str, int] = field(default_factory=dict[str, int])
    cached: int = 0
    newly_cached: int = 0

    def as_chat(self, family: str) -> dict[str, Any]:
        """The `usage` of chat/completions, with the details its family of model writes."""
        total = {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
        }
        if family in {"qwen", "omni"}:
            given = {f"{kind}_tokens": number for kind, number in self.details.items() if number}
            made = {f"{kind}_tokens": number for kind, number in self.output.items() if number}
            made |= {"reasoning_tokens": self.reasoning} if self.reasoning else {}
            if self.cached or self.newly_cached:
                given |= {"cached_tokens": self.cached, "cache_creation_input_tokens": self.newly_cached}
            return total | {"prompt_tokens_details": given, "completion_tokens_details": made}
        return total | {
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": self.reasoning,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }


def compact(value: Any) -> str:
    """JSON text as models write it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
