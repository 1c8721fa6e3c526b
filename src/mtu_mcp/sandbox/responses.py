"""POST /responses: text, function calls and web search, whole or as a stream of typed events.

`store` defaults to true on the wire: what is kept can be read, continued by `previous_response_id` and deleted while the
process lives (see `stored_responses`, which also shows those in the background as unfinished for a while).
"""

from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mtu_mcp.sandbox.attachments import measure_picture, open_url
from mtu_mcp.sandbox.bodies import read_checked
from mtu_mcp.sandbox.conversation import Talk, answer, read_talk
from mtu_mcp.sandbox.corpus import Hit, search, write_up
from mtu_mcp.sandbox.desk import SIGNATURE, Desk, desk_of
from mtu_mcp.sandbox.drafts import Draft, compact
from mtu_mcp.sandbox.instances import check_strict, make_instance
from mtu_mcp.sandbox.refusals import Refusal
from mtu_mcp.sandbox.replies import json_reply, stream_reply
from mtu_mcp.sandbox.responses_events import events
from mtu_mcp.sandbox.responses_fields import SEARCH_TOOLS, TABLE, UNOFFERED
from mtu_mcp.sandbox.roster import Model
from mtu_mcp.sandbox.stored_responses import keep
from mtu_mcp.sandbox.tokens import FLASH, count_image, count_text
from mtu_mcp.sandbox.tool_choice import pick_calls

Body = dict[str, Any]
_SOURCES = {"low": 3, "medium": 5, "high": 8}


@dataclass(slots=True)
class Input:
    """The input as a chat: messages, sentences about pictures, and their tokens."""

    messages: list[Body] = field(default_factory=list[Body])
    pictures: list[str] = field(default_factory=list[str])
    picture_tokens: int = 0


async def create_response(request: Request) -> Response:
    """Answer one request."""
    desk = desk_of(request)
    body = await read_checked(request, TABLE)
    model = desk.model(body["model"], "responses")
    check_request(body, model)
    given = read_input(desk, body)
    draft, searched = _draft(desk, body, given)
    draft = draft.shortened([], body.get("max_output_tokens"))
    response = _response(desk, body, given, draft, searched)
    if body.get("store", True):
        desk.remember(response["id"], [*given.messages, {"role": "assistant", "content": draft.text}])
    shown = keep(desk, body, response)
    return stream_reply(request, events(response)) if body.get("stream") else json_reply(shown)


def check_request(body: Body, model: Model) -> None:
    """Refuse what no response can be made of."""
    if body.get("background") and not body.get("store", True):
        msg = "Background responses must be stored: 'store' must not be false when 'background' is true."
        raise Refusal(400, msg, param="background", code="invalid_value")
    if "previous_response_id" in body and "conversation" in body:
        msg = "Mutually exclusive parameters: 'previous_response_id' and 'conversation'."
        raise Refusal(400, msg, param="previous_response_id", code="mutually_exclusive_parameters")
    for name in ("conversation", "prompt"):
        if name in body:
            msg = f"'{name}' is not offered (embedded gateway)."
            raise Refusal(400, msg, param=name, code="unsupported_parameter")
    _check_tools(body.get("tools", []))
    if "no-temperature" in model.traits:
        for name in ("temperature", "top_p"):
            if body.get(name, 1) != 1:
                msg = f"Unsupported parameter: '{name}' is not supported with this model."
                raise Refusal(400, msg, param=name, code="unsupported_parameter")
    elif body.get("reasoning"):
        msg = "Unsupported parameter: 'reasoning.effort' is not supported with this model."
        raise Refusal(400, msg, param="reasoning.effort", code="unsupported_parameter")
    if body.get("max_output_tokens", 0) > model.output:
        msg = f"max_output_tokens is too large: this model supports at most {model.output} completion tokens."
        raise Refusal(400, msg, param="max_output_tokens", code="invalid_value")
    wanted: Body = body.get("text", {}).get("format", {})
    if wanted.get("type") == "json_schema" and wanted.get("strict"):
        check_strict(wanted["schema"], wanted["name"])


def _check_tools(tools: list[Body]) -> None:
    for place, tool in enumerate(tools):
        if tool["type"] in UNOFFERED:
            msg = f"The tool '{tool['type']}' is not offered (embedded gateway)."
            raise Refusal(400, msg, param=f"tools[{place}].type", code="unsupported_parameter")


def read_input(desk: Desk, body: Body) -> Input:
    """The whole talk: what was remembered, the instructions (never inherited) and the new items."""
    given = Input()
    if previous := body.get("previous_response_id"):
        if previous not in desk.memory:
            msg = f"Previous response with id '{previous}' not found."
            raise Refusal(400, msg, param="previous_response_id", code="previous_response_not_found")
        given.messages += desk.memory[previous]
    asked: str | list[Body] = body["input"]
    items: list[Body] = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
    for place, item in enumerate(items):
        _read_item(desk, item, f"input[{place}]", given)
    wanted: Body = body.get("text", {}).get("format", {})
    said = " ".join(str(message["content"]) for message in given.messages) + body.get("instructions", "")
    if wanted.get("type") == "json_object" and "json" not in said.lower():
        msg = "Response input messages must contain the word 'json' in some form to use 'text.format' of type 'json_object'."
        raise Refusal(400, msg, param="input")
    return given


def _read_item(desk: Desk, item: Body, path: str, given: Input) -> None:
    kind = item.get("type", "message")
    if kind == "function_call_output":
        given.messages.append({"role": "tool", "content": _text(desk, item["output"], f"{path}.output", given)})
    elif kind == "message":
        text = _text(desk, item["content"], f"{path}.content", given)
        given.messages.append({"role": item["role"], "content": text})
    elif kind == "item_reference":
        raise Refusal(404, f"Item with id '{item['id']}' not found.", param="input")


def _text(desk: Desk, content: str | list[Body], path: str, given: Input) -> str:
    if isinstance(content, str):
        return content
    texts: list[str] = []
    given.pictures.clear()
    for place, part in enumerate(content):
        where = f"{path}[{place}]"
        if part["type"] in {"input_file", "input_audio"} or (
            part["type"] == "input_image" and not part.get("image_url")
        ):
            raise Refusal(400, f"'{part['type']}' by id, file or sound is not offered here.", param=where)
        if part["type"] == "input_image":
            picture = measure_picture(open_url(desk, part["image_url"], where), where)
            given.pictures.append(picture.words)
            given.picture_tokens += count_image(picture.height, picture.width, FLASH)
        else:
            texts.append(part.get("text") or part.get("refusal") or "")
    return "\n".join(texts)


def _draft(desk: Desk, body: Body, given: Input) -> tuple[Draft, "tuple[str, list[Hit]] | None"]:
    """The answer, and the query with the pages found if the web was searched."""
    talk = read_talk([{"role": "system", "content": body.get("instructions", "")}, *given.messages])
    tools: list[Body] = body.get("tools", [])
    finder = next((tool for tool in tools if tool["type"] in SEARCH_TOOLS), None)
    choice: Any = body.get("tool_choice", "auto")
    functions = [tool for tool in tools if tool["type"] not in SEARCH_TOOLS]
    forced = isinstance(choice, dict) and choice.get("type") in SEARCH_TOOLS  # pyright: ignore[reportUnknownMemberType]
    if forced and finder is None:
        msg = "Invalid value for 'tool_choice': that tool is not in 'tools'."
        raise Refusal(400, msg, param="tool_choice", code="invalid_value")
    if not forced and functions:
        auto = choice == "required" and finder is not None
        calls = pick_calls(
            desk, functions, "auto" if auto else choice, talk, parallel=body.get("parallel_tool_calls", True)
        )
        if calls:
            return Draft(tool_calls=calls, finish="tool_calls"), None
    wanted: Body = body.get("text", {}).get("format", {})
    if wanted.get("type", "text") != "text":
        return Draft(_object(wanted, talk)), None
    if finder is not None and choice != "none" and talk.question:
        return _searched(finder, talk)
    pictures = f"I was sent {'; '.join(given.pictures)}. " if given.pictures else ""
    return Draft(f"{pictures}{answer(talk)} {SIGNATURE}"), None


def _object(wanted: Body, talk: Talk) -> str:
    if wanted["type"] == "json_schema":
        return compact(make_instance(wanted["schema"], talk.question))
    return compact({"answer": answer(talk), "question": talk.question, "source": SIGNATURE})


def _searched(finder: Body, talk: Talk) -> tuple[Draft, tuple[str, list[Hit]]]:
    only: list[str] = finder.get("filters", {}).get("allowed_domains", [])
    hits = search(talk.question, _SOURCES[finder.get("search_context_size", "medium")], only=only)
    text, places = write_up(hits, talk.question)
    notes = tuple(
        {"type": "url_citation", "start_index": start, "end_index": end, "url": hit.page.url, "title": hit.page.title}
        for start, end, hit in places
    )
    return Draft(f"{text} {SIGNATURE}", annotations=notes), (talk.question, hits)


def _output(desk: Desk, body: Body, draft: Draft, searched: "tuple[str, list[Hit]] | None") -> list[Body]:
    output: list[Body] = []
    if searched is not None:
        query, hits = searched
        action: Body = {"type": "search", "query": query, "queries": [query]}
        if "web_search_call.action.sources" in body.get("include", []):
            action["sources"] = [{"type": "url", "url": hit.page.url} for hit in hits]
        output.append({"id": desk.new_id("ws_"), "type": "web_search_call", "status": "completed", "action": action})
    for call in draft.tool_calls:
        item = {"id": desk.new_id("fc_"), "type": "function_call", "status": "completed", "call_id": call.id}
        output.append(item | {"name": call.name, "arguments": call.arguments})
    if not draft.tool_calls:
        status = "incomplete" if draft.finish == "length" else "completed"
        part = {"type": "output_text", "text": draft.text, "annotations": [*draft.annotations], "logprobs": []}
        message = {"id": desk.new_id("msg_"), "type": "message", "status": status, "role": "assistant"}
        output.append(message | {"content": [part]})
    return output


def prompt_tokens(given: Input, body: Body) -> int:
    """The tokens of the whole talk, its instructions and its pictures."""
    texts = [str(message["content"]) for message in given.messages]
    return count_text([*texts, body.get("instructions", "")]) + given.picture_tokens


def _response(desk: Desk, body: Body, given: Input, draft: Draft, searched: "tuple[str, list[Hit]] | None") -> Body:
    prompt = prompt_tokens(given, body)
    cut = draft.finish == "length"
    reasoning: Body = body.get("reasoning", {})
    now = desk.now()
    return {
        "id": desk.new_id("resp_"),
        "object": "response",
        "created_at": now,
        "completed_at": None if cut else now,
        "status": "incomplete" if cut else "completed",
        "background": False,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "max_tool_calls": body.get("max_tool_calls"),
        "model": body["model"],
        "output": _output(desk, body, draft, searched),
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": body.get("previous_response_id"),
        "prompt_cache_key": body.get("prompt_cache_key"),
        "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
        "safety_identifier": body.get("safety_identifier"),
        "service_tier": "default",
        "store": body.get("store", True),
        "temperature": body.get("temperature", 1.0),
        "text": {"format": {"type": "text"}, "verbosity": "medium"} | body.get("text", {}),
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools", []),
        "top_logprobs": body.get("top_logprobs", 0),
        "top_p": body.get("top_p", 1.0),
        "truncation": body.get("truncation", "disabled"),
        "usage": {
            "input_tokens": prompt,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": draft.tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": prompt + draft.tokens,
        },
        "user": body.get("user"),
        "metadata": body.get("metadata", {}),
    }


ROUTES = [Route("/v1/responses", create_response, methods=["POST"])]
