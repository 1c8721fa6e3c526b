"""Rules of chat requests that no table of fields can say: how messages follow each other, what a model may be asked.

The texts are the makers' own where they are published (OpenAI's API reference, Model Studio's error code page).
"""

import json
import re
from typing import Any

from mtu_mcp.sandbox.conversation import text_of
from mtu_mcp.sandbox.instances import check_strict
from mtu_mcp.sandbox.refusals import Invalid, Refusal
from mtu_mcp.sandbox.roster import Model

Body = dict[str, Any]
_STREAM_ONLY = "This model only support stream mode, please enable the stream parameter to access the model."


def parameter_error(message: str, param: str | None = None) -> Refusal:
    """A refusal as Model Studio words them."""
    return Refusal(400, message, param=param, code="invalid_parameter_error")


def check_rules(body: Body, model: Model) -> None:
    """Every rule that fits the model's family."""
    check_turns(body["messages"])
    _check_tools(body)
    if "stream_options" in body and not body.get("stream"):
        msg = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise Refusal(400, msg, param="stream_options")
    if body.get("top_logprobs") and not body.get("logprobs"):
        raise Refusal(400, "The 'logprobs' parameter must be true to use 'top_logprobs'.", param="top_logprobs")
    if model.family == "openai":
        _check_openai(body, model)
        _check_beginning(body, model)
    elif model.family in {"qwen", "omni"}:
        _check_qwen(body, model)
    _check_sizes(body, model)
    _check_format(body, model)


def check_turns(messages: list[Body]) -> None:
    """Tool messages answer calls, and every call is answered before the talk goes on."""
    waiting: set[str] = set()
    for place, message in enumerate(messages):
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                msg = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
                raise Refusal(400, msg, param=f"messages[{place}].role")
            waiting.discard(message["tool_call_id"])
            continue
        if waiting:
            break
        waiting = {call["id"] for call in message.get("tool_calls", [])}
    if waiting:
        msg = (
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
            f"The following tool_call_ids did not have response messages: {', '.join(sorted(waiting))}"
        )
        raise Refusal(400, msg, param="messages")


def _check_openai(body: Body, model: Model) -> None:
    if "no-temperature" in model.traits:
        for name in ("temperature", "top_p"):
            if body.get(name, 1) != 1:
                msg = f"Unsupported value: '{name}' does not support {body[name]} with this model. Only the default (1) value is supported."
                raise Refusal(400, msg, param=name, code="unsupported_value")
        for name, instead in (("max_tokens", " Use 'max_completion_tokens' instead."), ("stop", "")):
            if name in body:
                msg = f"Unsupported parameter: '{name}' is not supported with this model.{instead}"
                raise Refusal(400, msg, param=name, code="unsupported_parameter")
    elif "reasoning_effort" in body and model.owner == "openai":
        raise Refusal(400, "Unrecognized request argument supplied: reasoning_effort", param="reasoning_effort")
    if "searches" in model.traits:
        for name in ("temperature", "top_p", "n", "presence_penalty", "frequency_penalty", "logprobs", "tools"):
            if name in body:
                msg = f"Model incompatible request argument supplied: {name}"
                raise Refusal(400, msg, param=name, code="unsupported_parameter")
    elif "web_search_options" in body:
        msg = "Web search options not supported with this model."
        raise Refusal(400, msg, param="web_search_options", code="unsupported_parameter")
    if "audio" in body.get("modalities", []):
        msg = "This model does not support audio output."
        raise Refusal(400, msg, param="modalities", code="unsupported_value")


def _check_beginning(body: Body, model: Model) -> None:
    """OpenAI and Google have no way to continue a begun answer, and OpenAI refuses fields of a message by name."""
    for name in ("partial", "prefix"):
        if body["messages"][-1].get(name) is not None and model.owner in {"openai", "google"}:
            path = f"messages[{len(body['messages']) - 1}].{name}"
            raise Invalid(f"Unknown parameter: '{path}'.", param=path, code="unknown_parameter")


def thinks(body: Body, model: Model) -> bool:
    """Whether the model thinks before this answer."""
    if "always-thinks" in model.traits:
        return True
    return "thinks" in model.traits and body.get("enable_thinking", "thinks-unasked" in model.traits)


def _check_qwen(body: Body, model: Model) -> None:
    if "stream-only" in model.traits and not body.get("stream"):
        raise parameter_error(_STREAM_ONLY)
    if "always-thinks" in model.traits and body.get("enable_thinking") is False:
        raise parameter_error("The value of the enable_thinking parameter is restricted to True.")
    if body.get("enable_thinking") and not model.traits & {"thinks", "always-thinks"}:
        raise parameter_error("The value of the enable_thinking parameter is restricted to False.")
    if thinks(body, model) and "open" in model.traits and not body.get("stream"):
        raise parameter_error("parameter.enable_thinking must be set to false for non-streaming calls")
    if body.get("enable_search") and (
        model.traits & {"open"} or model.id.startswith(("qwen-omni", "qwen2.5-omni", "qwen3-omni"))
    ):
        raise parameter_error("This model does not support enable_search.")
    _check_search_options(body.get("search_options", {}))
    choice = body.get("tool_choice")
    if choice == "required" or (thinks(body, model) and isinstance(choice, dict)):
        raise parameter_error('"tool_choice" is one of the strings that should be ["none", "auto"]')
    if body.get("n", 1) > 1 and body.get("tools"):
        raise parameter_error("The parameter n must be 1 when tools are given.")
    if body["messages"][-1].get("partial") and thinks(body, model):
        raise parameter_error("The partial mode is not supported when enable_thinking is true.")


def _check_search_options(options: Body) -> None:
    """Model Studio: freshness and assigned_site_list belong to the turbo strategy."""
    if options.get("freshness") not in {None, 7, 30, 180, 365}:
        raise parameter_error("search_options.freshness must be one of 7, 30, 180, 365")
    if options.get("search_strategy", "turbo") != "turbo" and options.keys() & {"freshness", "assigned_site_list"}:
        raise parameter_error("freshness and assigned_site_list need search_strategy turbo")


def _check_sizes(body: Body, model: Model) -> None:
    for name in ("max_tokens", "max_completion_tokens"):
        if body.get(name, 0) > model.output:
            if model.family in {"qwen", "omni"}:
                raise parameter_error(f"Range of {name} should be [1, {model.output}]")
            msg = f"{name} is too large: {body[name]}. This model supports at most {model.output} completion tokens, whereas you provided {body[name]}."
            raise Refusal(400, msg, param=name, code="invalid_value")


def check_window(prompt: int, model: Model) -> None:
    """Refuse a prompt that does not fit the window."""
    if prompt <= model.context:
        return
    if model.family in {"qwen", "omni"}:
        raise parameter_error(f"Range of input length should be [1, {model.context}]")
    msg = (
        f"This model's maximum context length is {model.context} tokens. However, your messages resulted in {prompt} "
        "tokens. Please reduce the length of the messages."
    )
    raise Refusal(400, msg, param="messages", code="context_length_exceeded")


def _check_format(body: Body, model: Model) -> None:
    wanted: Body = body.get("response_format", {})
    kind = wanted.get("type", "text")
    if kind == "json_object":
        said = " ".join(text_of(message.get("content")) for message in body["messages"])
        if "json" not in said.lower():
            msg = (
                "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
            )
            raise Refusal(400, msg, param="messages")
    if kind != "text" and model.family == "qwen" and thinks(body, model):
        raise parameter_error("Json mode response is not supported when enable_thinking is true")
    if kind != "json_schema":
        return
    if model.family == "qwen" and "json-schema" not in model.traits:
        raise parameter_error("'response_format.type' json_schema is not supported by this model.")
    schema: Body | None = wanted.get("json_schema")
    if schema is None:
        msg = "Missing required parameter: 'response_format.json_schema'."
        raise Invalid(msg, param="response_format.json_schema", code="missing_required_parameter")
    if schema.get("strict"):
        check_strict(schema.get("schema", {}), schema["name"])


def _check_tools(body: Body) -> None:
    for place, tool in enumerate(body.get("tools", [])):
        path = f"tools[{place}].{tool['type']}"
        inner: Body | None = tool.get(tool["type"])
        if inner is None:
            raise Invalid(f"Missing required parameter: '{path}'.", param=path, code="missing_required_parameter")
        if not re.fullmatch(r"[a-zA-Z0-9_-]+", inner["name"]):
            msg = f"Invalid '{path}.name': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
            raise Invalid(msg, param=f"{path}.name", code="invalid_value")


def prompt_texts(body: Body) -> list[str]:
    """Every text of a request that is counted: messages, calls, and the tools' descriptions."""
    texts: list[str] = []
    for message in body["messages"]:
        calls = message.get("tool_calls")
        texts.append(text_of(message.get("content")) + (json.dumps(calls) if calls else ""))
    return [*texts, json.dumps(body["tools"])] if body.get("tools") else texts
