"""Code that goes on: after a prefix, or between a prefix and a suffix.

A model trained to fill gaps reads both sides in one prompt with three marks (the Qwen coders, on `completions`); the legacy models take
the suffix in a field of its own. Where a gateway lacks the endpoint, or the model only chats, a chat model is given the prefix as
the beginning of its own answer (partial mode) and told what follows; the answer then says so.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from mcp.server.mcpserver.resolve import Resolve
from mcp.types import CallToolResult
from pydantic import Field

from mtu_mcp.app import App, current_app
from mtu_mcp.capabilities._answers import LONGEST_TEXT, Answer, incomplete
from mtu_mcp.capabilities._params import ModelName, Options
from mtu_mcp.capabilities._spec import Capability, ToolSpec
from mtu_mcp.capabilities._upstream import asking, choose, further_fields, remark
from mtu_mcp.catalogue.tokens import estimate_text_tokens
from mtu_mcp.errors import BadInput, LimitExceeded, NotOffered, Rejected
from mtu_mcp.gateway import ChatRequest, Completion, CompletionRequest

ENDPOINT: Final = "completions"
MARKS: Final = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
"""Where the two sides stand in the prompt of a Qwen coder (Model Studio, code completion)."""
MOST_STOPS: Final = 4
"""Stop sequences a call may hold, by the API reference."""
BRIEF: Final = (
    "Continue the code exactly where it stops. Answer with the code that comes next and nothing else: no explanation, no "
    "Markdown fence, and none of the code that is already there."
)
_FENCE: Final = re.compile(r"^\s*```[^\n]*\n(.*?)\n?```\s*$", re.DOTALL)


async def complete_code(
    prefix: Annotated[str, Field(description="Code before the gap.", min_length=1)],
    suffix: Annotated[str | None, Field(description="Code after it.")] = None,
    max_tokens: Annotated[int, Field(ge=1)] = 512,
    stop: Annotated[list[str] | None, Field(max_length=MOST_STOPS)] = None,
    model: ModelName = None,
    options: Options = None,
    *,
    app: Annotated[App, Resolve(current_app)],
) -> CallToolResult:
    """Continue code, or fill the gap before a suffix."""
    suffix = suffix or ""
    if not prefix.strip():
        raise BadInput("prefix is empty.", advice="Models fill a gap only after some code.")
    extra = {"max_tokens": max_tokens, **further_fields(options, "suffix", "max_tokens", "stop")}
    if stop:
        extra["stop"] = stop
    answer = Answer(app)
    choice = await choose(app, "code" if model or app.settings.model_code else "fill_in", model)
    name, why = choice.model, await _unable(app, choice.model, bool(suffix), named=bool(model) or choice.expected)
    if not why:
        answer.note(remark(choice))
        _require_room(app, name, prefix, suffix, max_tokens)
        try:
            async with asking(app, ENDPOINT, name, "fill_in"):
                written = await app.gateway.complete(_request(app, name, prefix, suffix, extra))
        except (NotOffered, Rejected) as error:
            if isinstance(error, Rejected) and "chat" not in error.message:
                raise
            why = error.message if isinstance(error, NotOffered) else f"{name} does not complete text."
        else:
            return await _told(answer, written)
    written = await _by_chat(app, answer, model, name, prefix, suffix, extra, why)
    return await _told(answer, written)


async def _unable(app: App, model: str, gap: bool, *, named: bool) -> str:
    """Say why a model need not be tried on this endpoint; empty when it may."""
    able = app.catalogue.entry(model).capabilities
    if able and not {"fill_in", "complete"} & set(able):
        return f"{model} does not fill gaps." if gap else f"{model} is no completion model."
    offer = await app.catalogue.offered()
    if offer.live and not named and model not in offer.names:
        return "This gateway lists no model that fills gaps."
    return ""


def _request(app: App, model: str, prefix: str, suffix: str, extra: dict[str, Any]) -> CompletionRequest:
    """The prompt as the model reads it: with marks, or with the suffix in its own field.

    Raises:
        BadInput: The code holds one of the marks, which would move the gap.
    """
    if app.catalogue.entry(model).can("complete"):
        return CompletionRequest(model, prefix, {**extra, "suffix": suffix or None})
    if found := next((mark for mark in MARKS if mark in prefix or mark in suffix), ""):
        raise BadInput(
            f"The code holds {found}, which {model} takes for its own mark.", advice="Write it in two strings."
        )
    before, after, middle = MARKS
    return CompletionRequest(
        model, f"{before}{prefix}{after}{suffix}{middle}" if suffix else f"{before}{prefix}{after}", extra
    )


def _require_room(app: App, model: str, prefix: str, suffix: str, max_tokens: int) -> None:
    window = app.catalogue.entry(model).context
    tokens = estimate_text_tokens(prefix) + estimate_text_tokens(suffix) + max_tokens
    if window and tokens > window:
        raise LimitExceeded(
            f"prefix, suffix and max_tokens are about {tokens:,} tokens; {model} holds {window:,}.",
            advice="Send the code nearest to the gap.",
        )


async def _by_chat(
    app: App, answer: Answer, asked: str | None, first: str, prefix: str, suffix: str, extra: dict[str, Any], why: str
) -> Completion:
    """Let a chat model go on: its own answer begins with the prefix."""
    offered = (await app.catalogue.offered()).names
    able = app.catalogue.entry(first)
    again = first if first in offered and able.can("code") and able.can("chat") else None
    model = (await choose(app, "code", asked or again)).model
    if not asked and not app.settings.model_code and model not in offered:
        model = (await choose(app, "chat", None)).model
    _require_room(app, model, prefix, suffix, extra["max_tokens"])
    order = f"{BRIEF}\n\nBehind it follows, and must not be repeated:\n{suffix}" if suffix else BRIEF
    entry = app.catalogue.entry(model)
    if entry.vendor == "Alibaba":
        last = {"role": "assistant", "content": prefix, "partial": True}
        messages: list[dict[str, Any]] = [{"role": "user", "content": order}, last]
        answer.note(f"{_asked_so(why, first, model)} in chat (partial mode).")
    else:
        messages = [{"role": "system", "content": order}, {"role": "user", "content": prefix}]
        answer.note(f"{_asked_so(why, first, model)} in chat.")
    if "max_completion_tokens" in entry.traits:
        extra = {name: value for name, value in extra.items() if name not in ("max_tokens", "stop")}
    async with asking(app, "chat/completions", model, "chat"):
        reply = await app.gateway.chat(ChatRequest(model, messages, options=extra))
    return Completion(_bare(reply.text, prefix, suffix), reply.model, reply.finish, reply.cut, reply.usage)


def _asked_so(why: str, first: str, model: str) -> str:
    """Say why the code is asked for in chat, and of which model where that is another."""
    return f"{why.rstrip('.')}, so {'it' if model == first else model} was asked"


def _bare(text: str, prefix: str, suffix: str) -> str:
    """The code alone: chat models fence it and say again what was there, above all where a gateway drops `partial`."""
    if fenced := _FENCE.match(text):
        text = fenced[1]
    text = text.removeprefix(prefix)
    return text.removesuffix(suffix) if suffix.strip() else text


async def _told(answer: Answer, written: Completion) -> CallToolResult:
    if not written.text:
        answer.say("(The model added nothing: for it, the code is complete.)")
    elif len(written.text) > LONGEST_TEXT:
        await answer.say_long(written.text, title="code", about={"model": written.model}, extension="txt")
    else:
        ticks = max((len(run) for run in re.findall(r"`+", written.text)), default=0)
        fence = "`" * max(3, ticks + 1)
        end = "" if written.text.endswith("\n") else "\n"
        answer.say(f"{fence}\n{written.text}{end}{fence}")
    answer.note(incomplete(written.cut))
    return answer.finish()


CAPABILITY = Capability(
    tools=(
        ToolSpec(
            complete_code,
            title="Complete code",
            toolset="text",
            read_only=True,
            search_hint="autocomplete fill in the middle FIM",
        ),
    )
)
