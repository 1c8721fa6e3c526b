"""The fields of POST /chat/completions, by family of model, as the API references list them.

OpenAI's table is the base. Qwen, DeepSeek, Qwen-Omni and Jina each add their own; a field of one family is unknown to
another and refused by name, except in the `new-api` dialect, which keeps a fixed list and drops the rest in silence.
"""

from collections.abc import Mapping
from typing import Any

from mtu_mcp.sandbox.fields import (
    Rule,
    Table,
    anything,
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
    wrong_type,
)
from mtu_mcp.sandbox.refusals import Invalid

_CACHE: Table = {"cache_control": record({"type": one_of("ephemeral").required()})}
_URL = record({"url": string(1).required(), "detail": one_of("auto", "low", "high", "original")}).required()
_TEXT: Table = {"text": string().required(), **_CACHE}
_USER_PARTS: Mapping[str, Table] = {
    "text": _TEXT,
    "image_url": {"image_url": _URL, **_CACHE},
    "input_audio": {"input_audio": record({"data": string(1).required(), "format": string(1)}).required(), **_CACHE},
    "file": {"file": record({"file_data": string(), "file_id": string(), "filename": string()}).required()},
}
_VIDEO_PARTS: Mapping[str, Table] = {
    "video_url": {"video_url": record({"url": string(1).required()}).required()},
    "video": {"video": listing(string(1), 1).required(), "fps": number(0.1, 10)},
}
_TEXT_PARTS: Mapping[str, Table] = {"text": _TEXT}
_SAID_PARTS: Mapping[str, Table] = {"text": _TEXT, "refusal": {"refusal": string().required()}}


def _parts(tables: Mapping[str, Table]) -> Rule:
    """A list of content parts, each checked by the table of its type."""

    def check(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise wrong_type(path, "an object", value)
        found: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
        table = tables.get(str(found.get("type")))
        kind = one_of(*tables).required()
        return check_body({"type": kind, **(table or {})}, found, path=path, unknown="refuse" if table else "keep")

    return listing(Rule("an object", check, str), 1)


def _content(tables: Mapping[str, Table]) -> Rule:
    return either(string(), _parts(tables))


_FUNCTION_CALL = record({"name": string(1, 64).required(), "arguments": string().required()})
_TOOL_CALL = record(
    {
        "id": string(1).required(),
        "type": one_of("function", "custom").required(),
        "function": _FUNCTION_CALL,
        "custom": record({"name": string(1).required(), "input": string().required()}),
        "index": integer(0),
    }
)


def _roles(user_parts: Mapping[str, Table]) -> Mapping[str, Table]:
    named: Table = {"name": string(1, 64)}
    assistant: Table = {
        **named,
        "content": _content(_SAID_PARTS),
        "refusal": string(),
        "tool_calls": listing(_TOOL_CALL, 1),
        "function_call": _FUNCTION_CALL,
        "audio": record({"id": string(1).required()}),
        "reasoning_content": string(),
        "partial": boolean(),
        "prefix": boolean(),
        "annotations": listing(anything()),
    }
    return {
        "developer": {**named, "content": _content(_TEXT_PARTS).required()},
        "system": {**named, "content": _content(_TEXT_PARTS).required()},
        "user": {**named, "content": _content(user_parts).required()},
        "assistant": assistant,
        "tool": {**named, "content": _content(_TEXT_PARTS).required(), "tool_call_id": string(1).required()},
        "function": {"name": string(1).required(), "content": string().required()},
    }


def _messages(user_parts: Mapping[str, Table]) -> Rule:
    roles = _roles(user_parts)

    def check(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise wrong_type(path, "an object", value)
        found: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
        table = roles.get(str(found.get("role")))
        kept = check_body({"role": one_of(*roles).required(), **(table or {})}, found, path=path)
        if kept["role"] == "assistant" and not kept.keys() & {
            "content",
            "tool_calls",
            "function_call",
            "refusal",
            "audio",
        }:
            msg = f"Invalid value for '{path}.content': expected a string, got null."
            raise Invalid(msg, param=f"{path}.content", code="invalid_value")
        return kept

    return listing(Rule("an object", check, str), 1, 2048).required()


_SCHEMA = record(
    {
        "name": string(1, 64).required(),
        "description": string(),
        "schema": mapping(anything()),
        "strict": boolean(),
    }
)
RESPONSE_FORMAT = record({"type": one_of("text", "json_object", "json_schema").required(), "json_schema": _SCHEMA})
FUNCTION: Table = {
    "name": string(1, 64).required(),
    "description": string(),
    "parameters": mapping(anything()),
    "strict": boolean(),
}
_TOOL = record(
    {
        "type": one_of("function", "custom").required(),
        "function": record(FUNCTION),
        "custom": record({"name": string(1, 64).required(), "description": string(), "format": mapping(anything())}),
    }
)
_NAMED_TOOL = record(
    {
        "type": one_of("function", "custom", "allowed_tools").required(),
        "function": record({"name": string(1).required()}),
        "custom": record({"name": string(1).required()}),
        "allowed_tools": record(
            {"mode": one_of("auto", "required").required(), "tools": listing(mapping(anything())).required()}
        ),
    }
)
PLACE: Table = {key: string() for key in ("city", "country", "region", "timezone")}
_WEB_SEARCH = record(
    {
        "search_context_size": one_of("low", "medium", "high"),
        "user_location": record({"type": one_of("approximate").required(), "approximate": record(PLACE).required()}),
    }
)
METADATA = mapping(string(0, 512), 16, 64)
EFFORT = one_of("none", "minimal", "low", "medium", "high", "xhigh", "max")
_PREDICTION = record({"type": one_of("content").required(), "content": _content(_TEXT_PARTS).required()})
STREAM_OPTIONS = record({"include_usage": boolean(), "include_obfuscation": boolean()})

_BASE: Table = {
    "model": string(1).required(),
    "audio": record({"format": string(1).required(), "voice": either(string(1), mapping(string()))}),
    "frequency_penalty": number(-2, 2),
    "presence_penalty": number(-2, 2),
    "function_call": either(one_of("none", "auto"), record({"name": string(1).required()})),
    "functions": listing(record(FUNCTION), 1, 128),
    "logit_bias": mapping(number(-100, 100)),
    "logprobs": boolean(),
    "top_logprobs": integer(0, 20),
    "max_completion_tokens": integer(1),
    "max_tokens": integer(1),
    "metadata": METADATA,
    "modalities": listing(one_of("text", "audio"), 1, 2),
    "moderation": mapping(anything()),
    "n": integer(1, 128),
    "parallel_tool_calls": boolean(),
    "prediction": _PREDICTION,
    "prompt_cache_key": string(),
    "prompt_cache_options": record({"mode": one_of("implicit", "explicit"), "ttl": string()}),
    "prompt_cache_retention": one_of("in_memory", "in-memory", "24h"),
    "reasoning_effort": EFFORT,
    "response_format": RESPONSE_FORMAT,
    "safety_identifier": string(0, 128),
    "seed": integer(-(2**63), 2**63 - 1),
    "service_tier": one_of("auto", "default", "flex", "scale", "priority", "fast"),
    "stop": either(string(), listing(string(), 0, 4)),
    "store": boolean(),
    "stream": boolean(),
    "stream_options": STREAM_OPTIONS,
    "temperature": number(0, 2),
    "top_p": number(0, 1),
    "tools": listing(_TOOL, 0, 128),
    "tool_choice": either(one_of("none", "auto", "required"), _NAMED_TOOL),
    "user": string(),
    "verbosity": one_of("low", "medium", "high"),
    "web_search_options": _WEB_SEARCH,
}
SEARCH_OPTIONS = record(
    {
        "forced_search": boolean(),
        "search_strategy": one_of("turbo", "max", "agent"),
        "enable_search_extension": boolean(),
        "freshness": integer(),
        "assigned_site_list": listing(string(1), 0, 25),
        "intention_options": record({"prompt_intervene": string()}),
    }
)
_QWEN: Table = {
    "temperature": number(0, below=2),
    "n": integer(1, 4),
    "seed": integer(0, 2**31 - 1),
    "top_k": integer(0),
    "repetition_penalty": number(0),
    "enable_thinking": boolean(),
    "thinking_budget": integer(1),
    "enable_search": boolean(),
    "search_options": SEARCH_OPTIONS,
    "vl_high_resolution_images": boolean(),
}
_DEEPSEEK: Table = {"thinking": record({"type": one_of("enabled", "disabled").required()})}
_JINA: Table = {
    "budget_tokens": integer(1),
    "max_attempts": integer(1),
    "team_size": integer(1),
    "no_direct_answer": boolean(),
    "max_returned_urls": integer(0),
    **{
        f"{kind}_{what}": listing(string(1))
        for kind, what in (
            ("boost", "hostnames"),
            ("bad", "hostnames"),
            ("only", "hostnames"),
            ("good", "domains"),
            ("bad", "domains"),
            ("only", "domains"),
        )
    },
    "search_provider": one_of("arxiv"),
    "language_code": string(),
    "search_language_code": string(),
    "with_images": boolean(),
    "max_annotations": integer(0),
    "min_annotation_relevance": number(0, 1),
}
_TABLES: Mapping[str, Table] = {
    "openai": {**_BASE, "messages": _messages(_USER_PARTS)},
    "qwen": {**_BASE, **_QWEN, "messages": _messages(_USER_PARTS)},
    "deepseek": {**_BASE, **_DEEPSEEK, "messages": _messages(_USER_PARTS)},
    "omni": {**_BASE, **_QWEN, "messages": _messages({**_USER_PARTS, **_VIDEO_PARTS})},
    "jina": {**_BASE, **_JINA, "messages": _messages(_USER_PARTS)},
}
_KEPT_BY_NEW_API = frozenset(
    [
        "model",
        "messages",
        "prompt",
        "prefix",
        "suffix",
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "reasoning_effort",
        "verbosity",
        "temperature",
        "top_p",
        "top_k",
        "stop",
        "n",
        "functions",
        "frequency_penalty",
        "presence_penalty",
        "response_format",
        "seed",
        "parallel_tool_calls",
        "tools",
        "tool_choice",
        "user",
        "logprobs",
        "top_logprobs",
        "modalities",
        "audio",
        "safety_identifier",
        "store",
        "prompt_cache_key",
        "prompt_cache_retention",
        "logit_bias",
        "metadata",
        "prediction",
        "web_search_options",
        "vl_high_resolution_images",
        "enable_thinking",
        "enable_search",
        "thinking",
    ]
)
"""Top-level fields New API's request struct knows; what is not here vanishes (its source, 2025-12)."""


def check_chat(family: str, body: dict[str, Any], *, drops: bool) -> dict[str, Any]:
    """A checked chat body for a family of model; `drops` is the `new-api` dialect's silent way with unknown fields."""
    if drops:
        body = {name: value for name, value in body.items() if name in _KEPT_BY_NEW_API}
        body = body | {"messages": _without_partial(body["messages"])} if "messages" in body else body
    return check_body(_TABLES[family], body, unknown="drop" if drops else "refuse")


def _without_partial(messages: Any) -> Any:
    """New API's message struct knows `prefix`, not `partial`."""
    if not isinstance(messages, list):
        return messages
    found: list[Any] = messages  # pyright: ignore[reportUnknownVariableType]
    for place, each in enumerate(found):
        if isinstance(each, dict):
            pairs: dict[str, Any] = each  # pyright: ignore[reportUnknownVariableType]
            found[place] = {key: value for key, value in pairs.items() if key != "partial"}
    return found
