"""Chat answers on the wire: the completion object and the stream of chunks, with each family's habits.

Every chunk of a stream has the same id. OpenAI's first chunk carries the role and an empty content; Qwen's thinking
models begin with `content: null, reasoning_content: ""`; Qwen-Omni starts straight with content. Tool-call arguments
come in fragments keyed by `index`; Qwen repeats an empty id in the later ones.
"""

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mtu_mcp.sandbox.desk import FINGERPRINT
from mtu_mcp.sandbox.drafts import Draft, ToolCall, Usage
from mtu_mcp.sandbox.replies import DONE, event
from mtu_mcp.sandbox.tokens import pieces

SOUND_SLICE = 4803
"""Bytes of sound a chunk: odd, so that samples are split; a multiple of three, so that base64 has no inner padding."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What all parts of one answer share. `speaks` is where spoken text goes: "content" or "transcript"; with `grows` every
    chunk holds the whole text so far.
    """

    id: str
    created: int
    model: str
    family: str
    logprobs: int | None = None
    speaks: str = "content"
    tier: str = "default"
    grows: bool = False

    def _head(self, kind: str) -> dict[str, Any]:
        head = {"id": self.id, "object": kind, "created": self.created, "model": self.model}
        head["system_fingerprint"] = FINGERPRINT
        return head | ({"service_tier": self.tier} if self.family == "openai" else {})

    def completion(self, drafts: Sequence[Draft], usage: Usage) -> dict[str, Any]:
        """The whole answer as one object."""
        choices = [self._choice(place, draft) for place, draft in enumerate(drafts)]
        body = self._head("chat.completion") | {"choices": choices, "usage": usage.as_chat(self.family)}
        return body | _grounded(drafts)

    def _choice(self, place: int, draft: Draft) -> dict[str, Any]:
        empty = None if draft.tool_calls or draft.refusal else ""
        message: dict[str, Any] = {"role": "assistant", "content": draft.text + draft.picture or empty}
        if self.family == "openai":
            message |= {"refusal": draft.refusal or None, "annotations": list(draft.annotations)}
        if draft.reasoning:
            message["reasoning_content"] = draft.reasoning
        if draft.tool_calls:
            message["tool_calls"] = [call.as_json() for call in draft.tool_calls]
        logprobs = None if self.logprobs is None else {"content": self._certain(pieces(draft.text)), "refusal": None}
        return {"index": place, "message": message, "logprobs": logprobs, "finish_reason": draft.finish}

    def _certain(self, tokens: Iterable[str]) -> list[dict[str, Any]]:
        """Log probabilities of text that fixed rules wrote: each token was certain."""
        shown = [{"token": token, "logprob": 0.0, "bytes": list(token.encode())} for token in tokens]
        return [each | {"top_logprobs": [dict(each)] if self.logprobs else []} for each in shown]

    def _chunk(
        self,
        choices: list[dict[str, Any]],
        usage: dict[str, Any] | None,
        *,
        counted: bool,
        beside: dict[str, Any] | None = None,
    ) -> str:
        body = self._head("chat.completion.chunk") | {"choices": choices} | (beside or {})
        return event(body | {"usage": usage} if counted or self.family in {"qwen", "omni", "mt"} else body)

    def chunks(self, drafts: Sequence[Draft], usage: Usage, *, counted: bool) -> Iterator[str]:
        """The stream; `counted` asks for the last chunk with `choices: []` and the totals."""
        for place, draft in enumerate(drafts):
            for delta in self._deltas(draft):
                choice: dict[str, Any] = {"index": place, "delta": delta, "logprobs": None, "finish_reason": None}
                if self.logprobs is not None and delta.get("content"):
                    choice["logprobs"] = {"content": self._certain([delta["content"]]), "refusal": None}
                yield self._chunk([choice], None, counted=counted)
            end: dict[str, Any] = {"content": ""} if self.family in {"qwen", "omni", "mt"} else {}
            last = {"index": place, "delta": end, "logprobs": None, "finish_reason": draft.finish}
            yield self._chunk([last], None, counted=counted, beside=_grounded([draft]))
        if counted:
            yield self._chunk([], usage.as_chat(self.family), counted=True)
        yield DONE

    def _deltas(self, draft: Draft) -> Iterator[dict[str, Any]]:
        if draft.reasoning:
            yield {"role": "assistant", "content": None, "reasoning_content": ""}
            for part in pieces(draft.reasoning):
                yield {"content": None, "reasoning_content": part}
        elif self.family != "omni":
            yield {"role": "assistant", "content": "", **({"refusal": None} if self.family == "openai" else {})}
        if self.speaks == "transcript" and draft.sound:
            yield from ({"audio": {"transcript": part}} for part in pieces(draft.text))
        else:
            after = {"reasoning_content": None} if draft.reasoning else {}
            yield from ({"content": part} | after for part in self._parts(draft.text))
        yield from ({"refusal": part} for part in pieces(draft.refusal))
        if draft.picture:
            yield {"content": draft.picture}
        yield from self._sound(draft.sound)
        for index, call in enumerate(draft.tool_calls):
            yield from self._call(index, call)
        if draft.annotations:
            yield {"annotations": list(draft.annotations)}

    def _parts(self, text: str) -> list[str]:
        parts = pieces(text)
        # Some ten chunks: each holds all before it, so that one a token would cost the square of the length.
        step = len(parts) // 10 + 1
        return ["".join(parts[: at + step]) for at in range(0, len(parts), step)] if self.grows else parts

    def _sound(self, sound: bytes) -> Iterator[dict[str, Any]]:
        about = {"expires_at": self.created + 3600, "id": "audio_" + self.id.removeprefix("chatcmpl-")}
        for start in range(0, len(sound), SOUND_SLICE):
            data = base64.b64encode(sound[start : start + SOUND_SLICE]).decode()
            yield {"audio": {"data": data, **about}}

    def _call(self, index: int, call: ToolCall) -> Iterator[dict[str, Any]]:
        whole = call.as_json()
        inner, text = ("custom", "input") if call.custom else ("function", "arguments")
        yield {"tool_calls": [{"index": index, **whole, inner: {"name": call.name, text: ""}}]}
        again = {"id": ""} if self.family == "qwen" else {}
        for part in pieces(call.arguments):
            yield {"tool_calls": [{"index": index, **again, inner: {text: part}}]}


def _grounded(drafts: Sequence[Draft]) -> dict[str, Any]:
    """Gemini's metadata as LiteLLM passes it on, a list with one object a choice."""
    found = [draft.grounding for draft in drafts if draft.grounding]
    return {"vertex_ai_grounding_metadata": found} if found else {}
