"""Several ways to ask for one thing, tried in order: gateways differ, and a refusal that names a field costs nothing.

A schema can be asked for by a field or in words. A begun answer is continued by `partial` (Model Studio, Moonshot), by
`prefix` (DeepSeek; gateways of the New API kind know no other and drop `partial` in silence), by the bare message
(Anthropic), or in words.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mtu_mcp.capabilities._schemas import in_words, response_format
from mtu_mcp.errors import Rejected

if TYPE_CHECKING:
    from mtu_mcp.catalogue import Entry
    from mtu_mcp.gateway import ChatAnswer

Messages = list[dict[str, Any]]

CONTINUE: Final = (
    "The last assistant message is the beginning of your answer. Continue it exactly where it stops. "
    "Do not repeat it, do not comment on it."
)


@dataclass(frozen=True, slots=True)
class Way:
    """One way of asking.

    Attributes:
        flags: Words of the request whose mention in a refusal means that this way is not offered.
        fields: Fields of the request.
        ending: Messages after the question.
        instruction: Words put before the conversation.
        remark: What the reader should know when this way was used.
    """

    flags: tuple[str, ...] = ()
    fields: Mapping[str, Any] | None = None
    ending: tuple[Mapping[str, Any], ...] = ()
    instruction: str = ""
    remark: str = ""

    def messages(self, messages: Sequence[Mapping[str, Any]]) -> Messages:
        """The messages to send this way."""
        sent = [dict(message) for message in (*messages, *self.ending)]
        if not self.instruction:
            return sent
        if sent and sent[0]["role"] == "system" and isinstance(sent[0]["content"], str):
            return [{**sent[0], "content": f"{sent[0]['content']}\n\n{self.instruction}"}, *sent[1:]]
        return [{"role": "system", "content": self.instruction}, *sent]


def schema_ways(schema: dict[str, Any], model: str) -> list[Way]:
    """Ways to ask for a schema."""
    remark = f"{model} takes no JSON schema, so it was asked for in words."
    words = in_words(schema)
    return [
        Way(("response_format", "json_schema"), {"response_format": response_format(schema)}),
        Way(("response_format", "json_object"), {"response_format": {"type": "json_object"}}, (), words, remark),
        Way((), {}, (), words, remark),
    ]


def prefix_ways(prefix: str, entry: Entry, *, relay: bool) -> list[Way]:
    """Ways to have a begun answer continued.

    Args:
        prefix: The beginning.
        entry: What is known of the model.
        relay: Whether the gateway drops `partial` in silence.
    """
    begun = {"role": "assistant", "content": prefix}
    partial = Way(("partial",), None, ({**begun, "partial": True},))
    flagged = Way(("prefix",), None, ({**begun, "prefix": True},))
    remark = f"{entry.name} has no way to continue a text, so it was asked to in words."
    words = Way((), None, (begun,), CONTINUE, remark)
    if entry.vendor == "Anthropic":
        return [Way((), None, (begun,))]
    if entry.vendor in ("OpenAI", "Google"):
        return [words]
    if entry.vendor == "DeepSeek" or relay:
        return [flagged, words]
    return [partial, flagged, words]


async def first_accepted(ways: Sequence[Way], ask: Callable[[Way], Awaitable[ChatAnswer]]) -> tuple[ChatAnswer, Way]:
    """Ask in each way until one is not refused because of itself; return the answer and the way that gave it.

    Raises:
        UpstreamError: As the gateway said it, when no way is left or the refusal is about something else.
    """
    for way in ways[:-1]:
        try:
            return await ask(way), way
        except Rejected as error:
            if not any(flag in f"{error.code} {error.message}" for flag in way.flags):
                raise
    return await ask(ways[-1]), ways[-1]


def joined(prefix: str, text: str) -> str:
    """Return the whole text: the beginning and what continues it, whether or not the model repeated the beginning."""
    return text if text.startswith(prefix) else prefix + text
