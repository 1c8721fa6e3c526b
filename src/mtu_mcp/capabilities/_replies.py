"""What a chat model said and spoke, what it wants called and what it thought, put into an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mtu_mcp.capabilities._answers import incomplete
from mtu_mcp.capabilities._calls import wished

if TYPE_CHECKING:
    from mtu_mcp.app import App
    from mtu_mcp.capabilities._answers import Answer
    from mtu_mcp.gateway import ChatAnswer

MOST_THOUGHTS: Final = 600
"""Characters shown of a model's thoughts; they are often ten times as long as its answer."""


async def relay(app: App, answer: Answer, reply: ChatAnswer, title: str) -> None:
    """Add all of it, and why it ended early if it did; speech and long texts are saved under the title."""
    texts = [reply.text]
    if reply.refusal:
        texts.append(f"The model declined: {reply.refusal}")
    texts += [f"Answer {number}:\n{text}" for number, text in enumerate(reply.alternatives, 2)]
    if reply.tool_calls:
        texts.append(wished(reply.tool_calls))
    text = "\n\n".join(filter(str.strip, texts)).strip() or "(The model gave an empty answer.)"
    await answer.say_long(text, title=title, about={"model": reply.model})
    if reply.audio:
        from mtu_mcp.capabilities._sounds import keep_speech

        await keep_speech(app, answer, reply.audio, title, {"text": reply.text, "model": reply.model})
    answer.say(thoughts(reply.reasoning))
    answer.note(incomplete(reply.cut))


def thoughts(reasoning: str) -> str:
    """A model's thoughts as a quotation, cut after some lines; empty when it showed none."""
    shown = " ".join(reasoning.split())
    if not shown:
        return ""
    if len(shown) <= MOST_THOUGHTS:
        return f"Its thoughts:\n> {shown}"
    return f"Its thoughts (the first {MOST_THOUGHTS} of {len(shown):,} characters):\n> {shown[:MOST_THOUGHTS]}…"
