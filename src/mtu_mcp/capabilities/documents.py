"""Questions over long documents, by a model whose window holds whole books.

The role is the first system message and the documents are the next ones, as Model Studio wants it; documents that come
later in a conversation are put before the question they came with. A document stays with its turn, so every later turn
sends it again in its place, by id where the gateway keeps it and as text where it does not.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import anyio
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import ListRoots, Resolve
from mcp.types import CallToolResult, ListRootsResult
from pydantic import Field

from mtu_mcp.app import App, current_app
from mtu_mcp.capabilities._answers import Answer
from mtu_mcp.capabilities._asks import ask_roots, folders
from mtu_mcp.capabilities._papers import LONGEST_PAUSE, PARSE_SECONDS, Desk, Paper, as_systems, remembered, stored
from mtu_mcp.capabilities._params import ConversationName, File, ModelName
from mtu_mcp.capabilities._replies import relay
from mtu_mcp.capabilities._spec import Capability, ToolSpec
from mtu_mcp.capabilities._talk import UNKNOWN_WINDOW, assistant_turn, keep, open_talk
from mtu_mcp.capabilities._upstream import asking, choose, remark, require_words
from mtu_mcp.catalogue.tokens import estimate_text_tokens
from mtu_mcp.errors import BadInput, LimitExceeded, Rejected
from mtu_mcp.gateway import ChatAnswer, ChatRequest, current_scope
from mtu_mcp.records import Turn

if TYPE_CHECKING:
    from mtu_mcp.capabilities._talk import Talk
    from mtu_mcp.catalogue import Choice

PaperName = Annotated[str, File("document", "image")]

ROLE: Final = "You answer questions about the documents you are given, and say so when they do not hold the answer."
MOST_DOCUMENTS: Final = 100
MOST_TEXT_TOKENS: Final = 1_000_000
MOST_SAID_TOKENS: Final = 9_000
"""Model Studio, long context: 100 files, a text of 1,000,000 tokens, 9,000 tokens of any message that is no document."""
RESERVE: Final = 4_096
"""Tokens kept free for the answer."""


def _roots(ctx: Context, documents: list[str] | None) -> ListRoots | None:
    return ask_roots(ctx, documents or ())


async def ask_document(
    question: str,
    documents: Annotated[
        list[PaperName] | None, Field(description="Paths, URLs or file ids.", max_length=MOST_DOCUMENTS)
    ] = None,
    text: Annotated[str | None, Field(description="A document as text.")] = None,
    texts: Annotated[list[dict[str, Any]] | None, Field(description="Several: {title, content}.")] = None,
    conversation: ConversationName = None,
    system: str | None = None,
    model: ModelName = None,
    *,
    app: Annotated[App, Resolve(current_app)],
    roots: Annotated[ListRootsResult | None, Resolve(_roots)],
) -> CallToolResult:
    """Ask about long documents. A conversation keeps them; more can be added later."""
    require_words("question", question)
    typed = [*([Paper("", text=text)] if text and text.strip() else []), *_typed(texts or [])]
    chosen = await _choose(app, model)
    answer = Answer(app)
    async with open_talk(app, conversation, chosen.model, [question, system or ""]) as talk:
        talk.system = system or talk.system
        earlier = [paper for turn in talk.history for paper in remembered(turn)]
        if not (documents or typed or earlier):
            raise BadInput(
                "There is no document.", advice="Give documents, text or texts, or go on with a conversation."
            )
        reads_files = app.catalogue.entry(chosen.model).can("document")
        desk = Desk(app, app.workspace(folders(roots)), earlier, uploads=reads_files)
        opened = [await desk.prepare(reference) for reference in dict.fromkeys(documents or ())]
        fresh = [paper for paper in (*opened, *typed) if paper not in earlier]
        messages = _messages(talk, fresh, question)
        _require_room(app, chosen.model, [*earlier, *fresh], talk.system, question)
        async with asking(app, "chat/completions", chosen.model, "document"):
            reply = await _ask(app, ChatRequest(chosen.model, messages))
        turns = [Turn("system", system, created=time.time())] if system else []
        turns.append(Turn("user", question, created=time.time(), extra=stored(fresh)))
        unkept = await keep(app, talk, [*turns, assistant_turn(reply)])
    await relay(app, answer, reply, conversation or question)
    answer.note(remark(chosen), *desk.notes, *talk.notes, _deposited(fresh), unkept)
    return answer.finish()


async def _choose(app: App, asked: str | None) -> Choice:
    """The model: where the gateway lists none for documents, one for chat, which is sent their text."""
    chosen = await choose(app, "document", asked)
    if chosen.expected or (asked or "").strip() or not (await app.catalogue.offered()).live:
        return chosen
    from dataclasses import replace

    other = await choose(app, "chat", None)
    return replace(other, why="the gateway lists no model for documents", expected=False)


def _typed(texts: Sequence[Mapping[str, Any]]) -> list[Paper]:
    """Documents written into the call; the content may also be called text."""
    papers: list[Paper] = []
    for number, given in enumerate(texts, 1):
        content = given.get("content", given.get("text"))
        if not isinstance(content, str) or not content.strip():
            raise BadInput(f"texts[{number - 1}] has no content.", advice="Write {title, content}, both as text.")
        name = given.get("file_name") or given.get("title") or f"document {number}"
        papers.append(Paper(str(name)[:200], text=content))
    return papers


def _messages(talk: Talk, fresh: Sequence[Paper], question: str) -> list[dict[str, Any]]:
    """The role, then each turn with its documents before it."""
    earlier = [paper for turn in talk.history for paper in remembered(turn)]
    newest = {paper.hash: paper.id for paper in (*earlier, *fresh) if paper.hash}
    seen: set[str] = set()
    messages: list[dict[str, Any]] = [{"role": "system", "content": talk.system or ROLE}]
    for turn in talk.history:
        messages += as_systems(remembered(turn), newest, seen)
        if turn.role in ("user", "assistant"):
            messages.append({"role": turn.role, "content": _words(turn.content)})
    return [*messages, *as_systems(fresh, newest, seen), {"role": "user", "content": question}]


def _words(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text") or f"[{part.get('family', 'media')}]" for part in content)


def _require_room(app: App, model: str, papers: Sequence[Paper], system: str, question: str) -> None:
    """Check the limits of a model before anything is sent; files at the gateway are counted there.

    Raises:
        LimitExceeded: With the limit and the figure.
    """
    entry = app.catalogue.entry(model)
    most = MOST_TEXT_TOKENS if entry.can("document") else (entry.input_window or UNKNOWN_WINDOW) - RESERVE
    tokens = sum(estimate_text_tokens(paper.text) for paper in papers if not paper.id)
    if tokens > most:
        raise LimitExceeded(
            f"The text has about {tokens:,} tokens; {model} takes {most:,}.",
            advice="Give a part of it, or a model with a larger window.",
        )
    if not entry.can("document"):
        return
    for name, said in (("question", question), ("system", system)):
        if (size := estimate_text_tokens(said)) > MOST_SAID_TOKENS:
            raise LimitExceeded(
                f"{name} has about {size:,} tokens; {model} takes {MOST_SAID_TOKENS:,} besides the documents.",
                advice="Give long material as text.",
            )


async def _ask(app: App, request: ChatRequest) -> ChatAnswer:
    """Ask; while the gateway still parses a file, wait and ask again, which costs nothing."""
    pause, waited = 0.05, 0.0
    while True:
        try:
            return await app.gateway.chat(request)
        except Rejected as error:
            if "invalid file" in error.message.lower():
                raise Rejected(
                    error.message, advice="The gateway has it no more: give the document itself again.", code=error.code
                ) from error
            if "parsing in progress" not in error.message.lower() or waited >= PARSE_SECONDS:
                raise
        await current_scope().report(f"the gateway is parsing the documents ({waited:.0f} s)")
        await anyio.sleep(pause)
        waited, pause = waited + pause, min(pause * 2, LONGEST_PAUSE)


def _deposited(papers: Sequence[Paper]) -> str:
    """Say which ids uploaded documents have, so that they can be asked again or deleted."""
    new = [f"{paper.name} is {paper.id}" for paper in papers if paper.id and paper.name != paper.id]
    return f"At the gateway {', '.join(new)}." if new else ""


CAPABILITY = Capability(
    tools=(
        ToolSpec(
            ask_document,
            title="Ask about documents",
            toolset="documents",
            search_hint="PDF Word docx report contract book summary qwen-long",
        ),
    )
)
