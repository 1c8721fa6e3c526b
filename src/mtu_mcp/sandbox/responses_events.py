"""The event sequence of a streamed response: every event has its `event:` line, its type and a rising number from 0."""

from collections.abc import Iterator
from typing import Any

from mtu_mcp.sandbox.replies import event
from mtu_mcp.sandbox.tokens import pieces

Body = dict[str, Any]


def events(response: Body) -> Iterator[str]:
    """The stream that leads to a finished `response`; there is no [DONE]."""
    for number, (kind, body) in enumerate(_sequence(response)):
        yield event({"type": kind, "sequence_number": number, **body}, kind)


def _sequence(response: Body) -> Iterator[tuple[str, Body]]:
    begun: Body = response | {"status": "in_progress", "output": [], "usage": None, "completed_at": None}
    begun |= {"incomplete_details": None}
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    for index, item in enumerate(response["output"]):
        make = {"message": _message, "web_search_call": _search, "function_call": _call}[item["type"]]
        yield from make(index, item)
    yield f"response.{response['status']}", {"response": response}


def _search(index: int, item: Body) -> Iterator[tuple[str, Body]]:
    place: Body = {"output_index": index, "item_id": item["id"]}
    started = {"id": item["id"], "type": item["type"], "status": "in_progress"}
    yield "response.output_item.added", {"output_index": index, "item": started}
    yield "response.web_search_call.in_progress", place
    yield "response.web_search_call.searching", place
    yield "response.web_search_call.completed", place
    yield "response.output_item.done", {"output_index": index, "item": item}


def _call(index: int, item: Body) -> Iterator[tuple[str, Body]]:
    place: Body = {"output_index": index, "item_id": item["id"]}
    started = item | {"status": "in_progress", "arguments": ""}
    yield "response.output_item.added", {"output_index": index, "item": started}
    for part in pieces(item["arguments"]):
        yield "response.function_call_arguments.delta", place | {"delta": part}
    done = {"arguments": item["arguments"], "name": item["name"]}
    yield "response.function_call_arguments.done", place | done
    yield "response.output_item.done", {"output_index": index, "item": item}


def _message(index: int, item: Body) -> Iterator[tuple[str, Body]]:
    place: Body = {"output_index": index, "item_id": item["id"], "content_index": 0}
    part: Body = item["content"][0]
    empty: Body = part | {"text": "", "annotations": []}
    started: Body = item | {"status": "in_progress", "content": []}
    yield "response.output_item.added", {"output_index": index, "item": started}
    yield "response.content_part.added", place | {"part": empty}
    for delta in pieces(part["text"]):
        yield "response.output_text.delta", place | {"delta": delta, "logprobs": []}
    for number, annotation in enumerate(part["annotations"]):
        yield "response.output_text.annotation.added", place | {"annotation_index": number, "annotation": annotation}
    yield "response.output_text.done", place | {"text": part["text"], "logprobs": []}
    yield "response.content_part.done", place | {"part": part}
    yield "response.output_item.done", {"output_index": index, "item": item}
