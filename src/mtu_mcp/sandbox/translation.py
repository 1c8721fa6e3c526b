"""Qwen-MT on chat completions: one user message, `translation_options`, and its two ways of streaming.

Rules and texts are those of Model Studio's translation pages (2026-01): exactly one message, from the user; no system message;
`target_lang` is needed and a language it does not know is refused in Chinese; plus and turbo stream the whole translation so far in
every chunk, flash and lite only what is new. A gateway that drops `translation_options` leaves the model without a target: it then
follows a prompt in words if the message is one, and else gives the text back as it came.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mtu_mcp.sandbox.chat_fields import STREAM_OPTIONS
from mtu_mcp.sandbox.chat_rules import parameter_error
from mtu_mcp.sandbox.chat_wire import Envelope
from mtu_mcp.sandbox.conversation import text_of
from mtu_mcp.sandbox.desk import desk_of, entry_of
from mtu_mcp.sandbox.drafts import Draft, Usage
from mtu_mcp.sandbox.fields import (
    Table,
    boolean,
    check_body,
    either,
    integer,
    listing,
    mapping,
    number,
    one_of,
    record,
    string,
)
from mtu_mcp.sandbox.replies import json_reply, stream_reply
from mtu_mcp.sandbox.roster import Model
from mtu_mcp.sandbox.tokens import count_text
from mtu_mcp.sandbox.tongues import CODES, Task, read_prompt, translate

MAX_INPUT = 8_192
_PAIRS = listing(record({"source": string(1).required(), "target": string(1).required()}))
_TEXT_PART = record({"type": one_of("text").required(), "text": string().required()})
MT: Table = {
    "model": string(1).required(),
    "messages": listing(mapping(either(string(), listing(_TEXT_PART)))).required(),
    "stream": boolean(),
    "stream_options": STREAM_OPTIONS,
    "max_tokens": integer(1),
    "seed": integer(0, 2**31 - 1),
    "temperature": number(0, below=2),
    "top_p": number(0, 1),
    "top_k": integer(0),
    "repetition_penalty": number(0),
    "translation_options": record(
        {
            "source_lang": string(1),
            "target_lang": string(1).required(),
            "terms": _PAIRS,
            "tm_list": _PAIRS,
            "domains": string(1),
        }
    ),
}
_DROPPED = ("translation_options", "repetition_penalty")
"""What New API's request struct does not know (its source, 2025-12)."""


def create_translation(request: Request, raw: dict[str, Any], model: Model) -> Response:
    """Translate one text."""
    desk = desk_of(request)
    drops = desk.dialect == "new-api"
    if drops:
        raw = {name: value for name, value in raw.items() if name not in _DROPPED}
    body = check_body(MT, raw, unknown="drop" if drops else "refuse")
    text = _only_message(body["messages"])
    if "stream_options" in body and not body.get("stream"):
        raise parameter_error("The 'stream_options' parameter is only allowed when 'stream' is enabled.")
    tokens = count_text([text])
    if tokens > MAX_INPUT:
        raise parameter_error(f"Range of input length should be [1, {MAX_INPUT}]")
    options: dict[str, Any] | None = body.get("translation_options")
    entry_of(request).notes["translation_options"] = options
    said = _translated(text, options) if options else read_prompt("", text) or text
    draft = Draft(said).shortened((), body.get("max_tokens"))
    usage = Usage(tokens, draft.tokens)
    grows = any(name in model.id for name in ("plus", "turbo"))
    envelope = Envelope(desk.new_id("chatcmpl-"), desk.now(), model.id, model.family, grows=grows)
    if not body.get("stream"):
        return json_reply(envelope.completion([draft], usage))
    counted = body.get("stream_options", {}).get("include_usage", False)
    return stream_reply(request, envelope.chunks([draft], usage, counted=counted))


def _only_message(messages: list[dict[str, Any]]) -> str:
    if len(messages) != 1 or messages[0].get("role") != "user" or set(messages[0]) != {"role", "content"}:
        raise parameter_error("The messages of a translation model must hold one message, with the role 'user'.")
    text = text_of(messages[0]["content"])
    if not text.strip():
        raise parameter_error("Range of input length should be [1, 8192]")
    return text


def _translated(text: str, options: dict[str, Any]) -> str:
    source = options.get("source_lang", "auto").casefold()
    target = CODES.get(options["target_lang"].casefold())
    if target is None or (source != "auto" and source not in CODES):
        raise parameter_error("暂时不支持当前设置的语种！")
    terms = [(pair["source"], pair["target"]) for pair in options.get("terms", [])]
    memory = [(pair["source"], pair["target"]) for pair in options.get("tm_list", [])]
    return translate(text, Task(target, terms, memory))
