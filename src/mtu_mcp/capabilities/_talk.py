"""Conversations kept by name: what is sent again with a new question, and what is stored after the answer.

Pictures and sound are stored as references, never as bytes: a later turn opens the file again under the rules that
hold then, and says so when it is gone. History that no longer fits the model's window is left out oldest first, in
whole turns; it stays in the database, so a model with a larger window sees it again.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

import anyio.to_thread

from mtu_mcp.capabilities._calls import as_message, as_wire, paired
from mtu_mcp.capabilities._parts import text_part
from mtu_mcp.catalogue.tokens import estimate_text_tokens, fit
from mtu_mcp.errors import MtuError, Rejected
from mtu_mcp.records import Turn

if TYPE_CHECKING:
    from mtu_mcp.app import App
    from mtu_mcp.gateway import ChatAnswer
    from mtu_mcp.media import Media

UNKNOWN_WINDOW: Final = 100_000
"""Tokens assumed for a model whose window is not known; most current ones have 128,000."""
RESERVE: Final = 4_096
"""Tokens left free for the answer."""
MEDIA_TOKENS: Final = 1_300
"""Counted for each picture, sound or video of an earlier turn; a picture is at most 1,282 on Qwen-Omni."""

TOO_LONG: Final = re.compile(
    r"context[_ ]length|maximum context|input length|input token count|prompt is too long|too many tokens",
    re.IGNORECASE,
)
"""What OpenAI, Model Studio, Gemini, Anthropic and DeepSeek say of a request beyond the model's window."""

Content = str | list[dict[str, Any]]
Restore = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]


@dataclass(slots=True)
class Talk:
    """A conversation opened for one more turn.

    Attributes:
        system: The instructions given last, which every turn sends again.
        history: Earlier turns that fit, oldest first, without instructions.
        left_out: How many earlier turns do not fit.
        notes: What the reader should know about the history.
    """

    name: str | None
    system: str = ""
    history: list[Turn] = field(default_factory=list[Turn])
    left_out: int = 0
    notes: list[str] = field(default_factory=list[str])


@asynccontextmanager
async def open_talk(app: App, name: str | None, model: str, new: Sequence[str]) -> AsyncGenerator[Talk]:
    """Open the conversation for one turn; a second call in it waits until this one has been answered.

    Args:
        app: The running server.
        name: The conversation; None for a question that stands alone.
        model: Whose window the history has to fit.
        new: The texts of the turn to come.

    Raises:
        RecordsError: The database cannot be read; nothing has been spent.
    """
    if name is None:
        yield Talk(None)
        return
    conversations = app.records.conversations
    async with conversations.turn(name):
        kept = await conversations.load(name)
        stored = kept.turns if kept else ()
        system = next((str(turn.content) for turn in reversed(stored) if turn.role == "system"), "")
        turns = [turn for turn in stored if turn.role != "system"]
        window = app.catalogue.entry(model).input_window or UNKNOWN_WINDOW
        room = window - sum(map(estimate_text_tokens, (system, *new)))
        drop = fit([_tokens(turn) for turn in turns], room, min(RESERVE, window // 4))
        talk = Talk(name, system, turns[drop:], drop)
        yield talk
        if talk.left_out:
            talk.notes.append(
                f"The oldest {talk.left_out} of {len(turns)} turns no longer fit {model} and were not sent."
            )


async def converse(talk: Talk, send: Callable[[], Awaitable[ChatAnswer]]) -> ChatAnswer:
    """Send the conversation; while the gateway finds it too long, leave out the older half and send it again.

    Most lists of models do not tell a window, so the assumed one can be too large. Such a refusal costs nothing.
    """
    while True:
        try:
            return await send()
        except Rejected as error:
            if not talk.history or not TOO_LONG.search(f"{error.code} {error.message}"):
                raise
        tokens = [_tokens(turn) for turn in talk.history]
        # Nothing is kept of the last exchange when even that was too much.
        drop = fit(tokens, sum(tokens) // 2, 0) or len(tokens)
        if sum(tokens[drop:]) > sum(tokens) // 2:
            drop = len(tokens)
        talk.left_out += drop
        del talk.history[:drop]


async def keep(app: App, talk: Talk, turns: Sequence[Turn]) -> str:
    """Store the turns of an answered question; return a remark when that failed, for the answer is already paid for."""
    if talk.name is None:
        return ""
    try:
        await app.records.conversations.append(talk.name, turns)
    except MtuError as error:
        return f"This turn was not kept in conversation {talk.name!r}: {error}"
    return ""


async def as_messages(talk: Talk, restore: Restore | None = None, more: Sequence[Turn] = ()) -> list[dict[str, Any]]:
    """Return the instructions and the history as messages of a request.

    Args:
        talk: The opened conversation.
        restore: Turns a stored reference back into a part; None sends its name instead, for models that only read.
        more: Turns that come after the history, such as results of tools.
    """
    messages: list[dict[str, Any]] = [{"role": "system", "content": talk.system}] if talk.system else []
    for turn in paired([*talk.history, *more]):
        content = turn.content if isinstance(turn.content, str) else await _parts(turn.content, talk, restore)
        messages.append(as_message(turn, content))
    return messages


async def user_turn(app: App, talk: Talk, text: str, references: Sequence[str], opened: Sequence[Media]) -> Turn:
    """The user's turn as it is stored: its text, and stand-ins for its media.

    Media that came inside the call are saved to the output folder, so that a later turn can send them again.
    """
    if not opened or talk.name is None:
        return Turn("user", text, created=time.time())
    stored: list[dict[str, Any]] = []
    for given, media in zip(references, opened, strict=True):
        where = await _lasting(app, talk, given.strip(), media, text)
        stored.append({"type": "reference", "reference": where, "family": media.kind.family, "name": media.name})
    return Turn("user", [*stored, text_part(text)], created=time.time())


async def _lasting(app: App, talk: Talk, given: str, media: Media, title: str) -> str:
    """Return a reference that a later turn can open; empty when the media cannot be kept, which the notes then say."""
    if given[:5].lower() != "data:":
        # A relative path means something only under the folders of this call.
        return given if media.path is None or given[:4].lower() == "mtu:" else str(media.path)
    if app.settings.read_only:
        talk.notes.append(f"{media.name} is not kept for later turns because MTU_READ_ONLY is set.")
        return ""
    try:
        data = await anyio.to_thread.run_sync(media.read)
        about = {"conversation": talk.name}
        return (await app.library.save(data, title=title, extension=media.kind.extension, about=about)).uri
    except MtuError as error:  # the answer is already paid for
        talk.notes.append(f"{media.name} was not kept for later turns: {error}")
        return ""


async def remembered(app: App, name: str | None) -> list[str]:
    """Return the references of a conversation's earlier turns, for whom a call may need the host's folders."""
    if not name:
        return []
    try:
        kept = await app.records.conversations.load(name)
    except MtuError:  # the call itself will say so
        return []
    stored = [turn.content for turn in kept.turns] if kept else []
    parts = [part for content in stored if isinstance(content, list) for part in cast("list[dict[str, Any]]", content)]
    return [part["reference"] for part in parts if part.get("reference")]


def assistant_turn(reply: ChatAnswer, tools: Sequence[Mapping[str, Any]] = ()) -> Turn:
    """The model's turn as it is stored; with the tools it could choose from while it waits for one."""
    calls = as_wire(reply.tool_calls)
    return Turn(
        "assistant",
        reply.text or reply.refusal,
        model=reply.model,
        reasoning=reply.reasoning,
        tool_calls=calls,
        created=time.time(),
        extra={"tools": list(tools)} if calls and tools else {},
    )


async def _parts(content: Sequence[Mapping[str, Any]], talk: Talk, restore: Restore | None) -> Content:
    parts: list[dict[str, Any]] = []
    for part in content:
        if part.get("type") != "reference":
            parts.append(dict(part))
        elif restore is None or not part["reference"]:
            parts.append(text_part(f"[{part['family']}: {part['name']}]"))
        else:
            try:
                parts.append(await restore(part))
            except MtuError as error:
                talk.notes.append(f"{part['name']} from an earlier turn was not sent again: {error.message}")
                parts.append(text_part(f"[{part['family']} no longer available: {part['name']}]"))
    if all(part.get("type") == "text" for part in parts):
        return "\n".join(part["text"] for part in parts)
    return parts


def _tokens(turn: Turn) -> int:
    if isinstance(turn.content, str):
        return estimate_text_tokens(turn.content)
    media = sum(part.get("type") == "reference" for part in turn.content)
    text = "".join(json.dumps(part, ensure_ascii=False) for part in turn.content if part.get("type") == "text")
    return estimate_text_tokens(text) + media * MEDIA_TOKENS
