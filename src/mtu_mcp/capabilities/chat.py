"""Asking any text model, alone or within a conversation that is kept and can go on with another model."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import ListRoots, Resolve
from mcp.types import CallToolResult, ListRootsResult
from pydantic import Field

from mtu_mcp.app import App, current_app
from mtu_mcp.capabilities._answers import Answer
from mtu_mcp.capabilities._asks import ask_roots, folders
from mtu_mcp.capabilities._params import ConversationName, ModelName, Options
from mtu_mcp.capabilities._parts import Part, image_part, text_part
from mtu_mcp.capabilities._spec import Capability, ToolSpec
from mtu_mcp.capabilities._talk import as_messages, assistant_turn, converse, keep, open_talk, remembered, user_turn
from mtu_mcp.capabilities._upstream import asking, choose, further_fields, remark, require_words
from mtu_mcp.errors import BadInput
from mtu_mcp.gateway import ChatAnswer, ChatRequest
from mtu_mcp.records import Turn

if TYPE_CHECKING:
    from mtu_mcp.media import Media, Workspace

MOST_IMAGE_BYTES = 20 * 1024 * 1024
"""The largest picture the OpenAI models document for one request part."""

Effort = Literal["none", "minimal", "low", "medium", "high"]


async def _roots(ctx: Context, images: list[str] | None, conversation: str | None) -> ListRoots | None:
    return ask_roots(ctx, [*(images or ()), *await remembered(current_app(), conversation)])


async def chat(
    prompt: Annotated[str, Field(description="What to ask.", min_length=1)],
    model: ModelName = None,
    conversation: ConversationName = None,
    system: Annotated[str | None, Field(description="Instructions for the model.")] = None,
    images: Annotated[list[str] | None, Field(description="Pictures to show it: paths or URLs.")] = None,
    json_schema: Annotated[dict[str, Any] | None, Field(description="JSON Schema the answer must follow.")] = None,
    effort: Annotated[Effort | None, Field(description="How long a reasoning model thinks.")] = None,
    max_tokens: Annotated[int | None, Field(ge=1)] = None,
    options: Options = None,
    *,
    app: Annotated[App, Resolve(current_app)],
    roots: Annotated[ListRootsResult | None, Resolve(_roots)],
) -> CallToolResult:
    """Ask a language model behind the Mtu API (Qwen, GPT, DeepSeek, Gemini and others), once or in a named
    conversation that can continue later and on another model.
    """
    require_words("prompt", prompt)
    chosen = await choose(app, "chat", model)
    entry = app.catalogue.entry(chosen.model)
    workspace = app.workspace(folders(roots))
    pictures = await _open_images(app, workspace, images or [])
    limit = "max_completion_tokens" if "max_completion_tokens" in entry.traits else "max_tokens"
    extra = _options(json_schema, effort, {limit: max_tokens}, options)

    async def restore(part: Mapping[str, Any]) -> Part:
        if part["family"] not in ("image", "unknown"):
            return text_part(f"[{part['family']}: {part['name']}]")
        [again] = await _open_images(app, workspace, [part["reference"]])
        return await image_part(again)

    async with open_talk(app, conversation, chosen.model, [prompt, system or ""]) as talk:
        talk.system = system or talk.system
        content = [*[await image_part(one) for one in pictures], text_part(prompt)] if pictures else prompt

        async def send() -> ChatAnswer:
            earlier = await as_messages(talk, restore if entry.can("vision") else None)
            messages = [*earlier, {"role": "user", "content": content}]
            return await app.gateway.chat(ChatRequest(chosen.model, messages, options=extra))

        async with asking(app, "chat/completions", chosen.model, "chat"):
            reply = await converse(talk, send)
        turns = [Turn("system", system, created=time.time())] if system else []
        turns += [await user_turn(app, talk, prompt, images or [], pictures), assistant_turn(reply)]
        unkept = await keep(app, talk, turns)
    answer = Answer(app)
    await answer.relay(reply, title=conversation or prompt)
    answer.note(remark(chosen), *talk.notes, unkept)
    return answer.finish()


async def _open_images(app: App, workspace: Workspace, images: list[str]) -> list[Media]:
    from mtu_mcp.media import open_reference

    return [
        await open_reference(
            image, workspace=workspace, library=app.library, families=("image",), max_bytes=MOST_IMAGE_BYTES
        )
        for image in images
    ]


def _options(
    json_schema: dict[str, Any] | None,
    effort: str | None,
    limit: dict[str, int | None],
    options: dict[str, Any] | None,
) -> dict[str, Any]:
    extra = further_fields(options)
    if json_schema is not None:
        schema = _object_schema(json_schema)
        extra["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    if effort is not None:
        extra["reasoning_effort"] = effort
    return {**{name: value for name, value in limit.items() if value is not None}, **extra}


def _object_schema(given: Any) -> dict[str, Any]:
    """Return the schema itself: models also write the API's wrappings, {"name", "schema"} and that in "json_schema"."""
    for wrapping in ("json_schema", "schema"):
        given = given.get(wrapping, given) if isinstance(given, dict) else given  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if not isinstance(given, dict) or given.get("type", "object") != "object":  # pyright: ignore[reportUnknownMemberType]
        raise BadInput("json_schema must be a JSON Schema whose type is object.")
    return {"type": "object", **given}


CAPABILITY = Capability(
    tools=(
        ToolSpec(
            chat,
            title="Chat with a model",
            search_hint="ask LLM GPT Qwen DeepSeek Gemini second opinion conversation",
        ),
    )
)
