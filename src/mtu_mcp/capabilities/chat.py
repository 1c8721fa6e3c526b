"""Asking any text model, alone or within a conversation that is kept and can go on with another model.

What models differ in (how they are told to think, to follow a schema, to go on with a text) lives in the shared files;
here is the order in which it happens to one question.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import ListRoots, Resolve
from mcp.types import CallToolResult, ListRootsResult
from pydantic import Field

from mtu_mcp.app import App, current_app
from mtu_mcp.capabilities._answers import Answer
from mtu_mcp.capabilities._asks import ask_roots, folders
from mtu_mcp.capabilities._caching import FIELD, marked
from mtu_mcp.capabilities._calls import function_tools, result_turns, tools_of
from mtu_mcp.capabilities._effects import unheeded
from mtu_mcp.capabilities._endpoints import ask
from mtu_mcp.capabilities._params import ConversationName, Options, PictureName
from mtu_mcp.capabilities._parts import Part, image_part, text_part
from mtu_mcp.capabilities._pictures import take_out
from mtu_mcp.capabilities._replies import relay
from mtu_mcp.capabilities._schemas import mismatch, object_schema
from mtu_mcp.capabilities._spec import Capability, ToolSpec
from mtu_mcp.capabilities._talk import (
    Talk,
    as_messages,
    assistant_turn,
    converse,
    keep,
    open_talk,
    remembered,
    user_turn,
)
from mtu_mcp.capabilities._thinking import Effort, thinking_fields
from mtu_mcp.capabilities._upstream import choose, further_fields, remark, require_words
from mtu_mcp.capabilities._ways import Way, first_accepted, joined, prefix_ways, schema_ways
from mtu_mcp.errors import BadInput
from mtu_mcp.gateway import ChatAnswer
from mtu_mcp.records import Turn

if TYPE_CHECKING:
    from mtu_mcp.catalogue import Entry
    from mtu_mcp.media import Media, Workspace

MOST_IMAGE_BYTES = 20 * 1024 * 1024
"""The largest picture the OpenAI models document for one request part."""


async def _roots(ctx: Context, images: list[str] | None, conversation: str | None) -> ListRoots | None:
    return ask_roots(ctx, [*(images or ()), *await remembered(current_app(), conversation)])


async def chat(
    prompt: Annotated[str, Field(description="What to ask.")] = "",
    model: Annotated[
        str | None, Field(description="A listed name, or best, fast, cheap, vision, code, math, reasoning.")
    ] = None,
    conversation: ConversationName = None,
    system: Annotated[str | None, Field(description="Instructions.")] = None,
    images: Annotated[list[PictureName] | None, Field(description="Paths or URLs.")] = None,
    prefix: Annotated[str | None, Field(description="How the answer must begin.")] = None,
    json_schema: Annotated[dict[str, Any] | None, Field(description="The answer must follow it.")] = None,
    tools: Annotated[list[dict[str, Any]] | None, Field(description="Functions it may ask you to call.")] = None,
    tool_results: Annotated[dict[str, Any] | None, Field(description="By call id, in the conversation.")] = None,
    effort: Effort | None = None,
    max_tokens: Annotated[int | None, Field(ge=1)] = None,
    options: Options = None,
    *,
    app: Annotated[App, Resolve(current_app)],
    roots: Annotated[ListRootsResult | None, Resolve(_roots)],
) -> CallToolResult:
    """Ask another language model (Qwen, GPT, DeepSeek, Gemini...), once or in a named conversation that can continue
    later, also on another model.
    """
    if tool_results is None or prompt.strip():
        require_words("prompt", prompt)
    chosen = await choose(app, "chat", model)
    entry = app.catalogue.entry(chosen.model)
    workspace = app.workspace(folders(roots))
    pictures = await _open_images(app, workspace, images or [])
    wish = _wish(entry, json_schema, prefix, function_tools(tools or ()), effort, max_tokens, options)
    async with open_talk(app, conversation, chosen.model, [prompt, system or "", prefix or ""]) as talk:
        talk.system = system or talk.system
        results = result_turns(talk.history, tool_results) if tool_results is not None else []
        wish.recall(tools_of(talk.history) if results else [])
        question = await _question(prompt, pictures)
        asking = _Asking(app, entry, talk, workspace, wish, results, question)
        reply = await converse(talk, asking.send)
        answer = Answer(app)
        reply = await take_out(app, answer, reply, conversation or prompt)
        turns = [Turn("system", system, created=time.time())] if system else []
        turns += results
        turns += [await user_turn(app, talk, prompt, images or [], pictures)] if question else []
        unkept = await keep(app, talk, [*turns, assistant_turn(reply, wish.tools)])
    await relay(app, answer, reply, conversation or prompt)
    answer.note(*await _remarks(wish, reply, conversation), remark(chosen), *wish.remarks, *talk.notes, unkept)
    return answer.finish()


@dataclass(slots=True)
class _Wish:
    """What is asked for besides the question: fields of the request, and the ways to ask for the rest.

    Attributes:
        fields: Fields that are sent in any case.
        ways: Ways to ask for the schema or the beginning, best first.
        schema: The schema an answer is held against.
        prefix: The beginning of the answer.
        tools: Function tools, in the form of chat completions.
        marker: The cache marker, when one was asked for.
        remarks: What the reader should know.
    """

    fields: dict[str, Any]
    ways: list[Way]
    schema: dict[str, Any] | None
    prefix: str
    tools: list[dict[str, Any]]
    marker: Any
    remarks: list[str]

    def recall(self, tools: list[dict[str, Any]]) -> None:
        """Show the model the tools it chose from before, unless others were given."""
        self.tools = self.tools or tools


def _wish(
    entry: Entry,
    json_schema: dict[str, Any] | None,
    prefix: str | None,
    tools: list[dict[str, Any]],
    effort: str | None,
    max_tokens: int | None,
    options: dict[str, Any] | None,
) -> _Wish:
    extra = further_fields(options, "tools")
    marker = extra.pop(FIELD, None)
    schema = object_schema(json_schema) if json_schema is not None else None
    if schema is not None and prefix:
        raise BadInput("json_schema and prefix do not go together.", advice="Give one of them.")
    thinking, said = thinking_fields(entry, effort, extra, plain=bool(schema or prefix))
    limit = "max_completion_tokens" if "max_completion_tokens" in entry.traits else "max_tokens"
    fields = {**({limit: max_tokens} if max_tokens else {}), **thinking, **extra}
    ways = schema_ways(schema, entry.name) if schema and "response_format" not in extra else [Way()]
    return _Wish(fields, ways, schema, prefix or "", tools, marker, [said])


@dataclass(slots=True)
class _Asking:
    """One question on its way: everything `send` needs to send it, also again with less history."""

    app: App
    entry: Entry
    talk: Talk
    workspace: Workspace
    wish: _Wish
    results: list[Turn]
    question: list[dict[str, Any]]

    async def send(self) -> ChatAnswer:
        """Ask in the best way the gateway takes."""
        earlier = await as_messages(self.talk, self._restore if self.entry.can("vision") else None, self.results)
        messages = [*earlier, *self.question]
        wish = self.wish
        ways = wish.ways
        if wish.prefix:
            ways = prefix_ways(wish.prefix, self.entry, relay=await self.app.catalogue.is_relay())
        cached = ""
        if wish.marker is not None:
            messages, cached = marked(messages, self.entry, wish.marker)
        fields = {**wish.fields, **({"tools": wish.tools} if wish.tools else {})}

        async def ask_this(way: Way) -> ChatAnswer:
            return await ask(self.app, self.entry.name, way.messages(messages), {**fields, **(way.fields or {})})

        reply, way = await first_accepted(ways, ask_this)
        wish.remarks += [way.remark, cached, *unheeded({**fields, **(way.fields or {})}, reply)]
        return replace(reply, text=joined(wish.prefix, reply.text)) if wish.prefix and reply.text else reply

    async def _restore(self, part: Mapping[str, Any]) -> Part:
        if part["family"] not in ("image", "unknown"):
            return text_part(f"[{part['family']}: {part['name']}]")
        [again] = await _open_images(self.app, self.workspace, [part["reference"]])
        return await image_part(again)


async def _question(prompt: str, pictures: Sequence[Media]) -> list[dict[str, Any]]:
    """The question as messages; none when only the results of tools are given back."""
    if not pictures:
        return [{"role": "user", "content": prompt}] if prompt.strip() else []
    texts = [text_part(prompt)] if prompt.strip() else []
    return [{"role": "user", "content": [*[await image_part(one) for one in pictures], *texts]}]


async def _remarks(wish: _Wish, reply: ChatAnswer, conversation: str | None) -> list[str]:
    """What the reader should know of the answer itself."""
    if reply.tool_calls:
        if conversation is None:
            return ["The results can only be given back in a conversation: ask again with a conversation name."]
        return [f"Give the results back with tool_results, by id, in conversation {conversation!r}."]
    if wish.schema is None or reply.refusal:
        return []
    return [await mismatch(wish.schema, reply.text)]


async def _open_images(app: App, workspace: Workspace, images: list[str]) -> list[Media]:
    from mtu_mcp.media import open_reference

    return [
        await open_reference(
            image, workspace=workspace, library=app.library, families=("image",), max_bytes=MOST_IMAGE_BYTES
        )
        for image in images
    ]


CAPABILITY = Capability(
    tools=(
        ToolSpec(
            chat,
            title="Chat with a model",
            search_hint="LLM second opinion",
        ),
    )
)
