"""Responses kept at the gateway: get, delete, cancel, input items; and those that are answered in the background.

A background response is finished at once and shown unfinished: queued when it is made, in progress at the first look,
done at the second. So a client has to poll, and nothing here has to wait. Source: the API reference of Responses.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mtu_mcp.sandbox.desk import Desk, desk_of
from mtu_mcp.sandbox.fields import Table, boolean, integer, listing, one_of
from mtu_mcp.sandbox.paging import PAGE, find, page, read_nothing, read_query
from mtu_mcp.sandbox.refusals import Refusal
from mtu_mcp.sandbox.replies import json_reply, stream_reply
from mtu_mcp.sandbox.responses_events import events
from mtu_mcp.sandbox.responses_fields import INCLUDABLE

Body = dict[str, Any]
_INCLUDE: Table = {"include": listing(one_of(*INCLUDABLE))}
_GET: Table = {**_INCLUDE, "stream": boolean(), "starting_after": integer(0), "include_obfuscation": boolean()}
_LIST: Table = {**_INCLUDE, **PAGE}
_DRAWER = "response"


def keep(desk: Desk, body: Body, response: Body) -> Body:
    """Keep a response unless `store` is false; return it as it is to be shown now."""
    if not body.get("store", True):
        return response
    asked: str | list[Body] = body["input"]
    items: list[Body] = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
    kept: Body = {"response": response, "items": [_item(desk, item) for item in items], "shown": []}
    if body.get("background"):
        response["background"] = True
        kept["shown"] = [] if body.get("stream") else ["in_progress", "queued"]
    desk.keep(_DRAWER, response["id"], kept)
    return _look(kept)


def _item(desk: Desk, item: Body) -> Body:
    if item.get("type", "message") != "message":
        return {"id": desk.new_id("item_"), **item}
    content: Any = item["content"]
    kind = "output_text" if item["role"] == "assistant" else "input_text"
    parts = [{"type": kind, "text": content}] if isinstance(content, str) else content
    known = {"id": item.get("id") or desk.new_id("msg_"), "type": "message", "status": "completed"}
    return known | {"role": item["role"], "content": parts}


def _look(kept: Body) -> Body:
    """The response as it stands; looking is what moves it on."""
    stages: list[str] = kept["shown"]
    if not stages:
        return kept["response"]
    return kept["response"] | _unfinished(stages.pop())


def _unfinished(status: str) -> Body:
    return {"status": status, "output": [], "usage": None, "completed_at": None, "incomplete_details": None}


async def get_response(request: Request) -> Response:
    """One response, as it stands; `stream` gives its events again, those after `starting_after`."""
    asked = read_query(request, _GET)
    kept = _found(request)
    if not asked.get("stream"):
        return json_reply(_look(kept))
    kept["shown"].clear()
    told = list(events(kept["response"]))
    return stream_reply(request, told[asked.get("starting_after", -1) + 1 :])


async def delete_response(request: Request) -> Response:
    """Forget it; it can no longer be continued either."""
    wanted = _found(request)["response"]["id"]
    desk = desk_of(request)
    del desk.drawer(_DRAWER)[wanted]
    desk.memory.pop(wanted, None)
    return json_reply({"id": wanted, "object": "response", "deleted": True})


async def cancel_response(request: Request) -> Response:
    """Stop one in the background; one that is done stays as it is."""
    await read_nothing(request)
    kept = _found(request)
    if not kept["response"]["background"]:
        msg = "Cannot cancel a synchronous response. Only responses created with the background parameter set to true can be cancelled."
        raise Refusal(400, msg, code="response_not_cancellable")
    if kept["shown"]:
        kept["response"] |= _unfinished("cancelled")
        kept["shown"].clear()
    return json_reply(kept["response"])


async def list_items(request: Request) -> Response:
    """What was sent for it, the last first unless asked otherwise."""
    asked = read_query(request, _LIST)
    return json_reply(page(_found(request)["items"], asked, kind="item"))


def _found(request: Request) -> Body:
    return find(desk_of(request).drawer(_DRAWER), request.path_params["response"], "response")


_ONE = "/v1/responses/{response}"
ROUTES = [
    Route(_ONE, get_response, methods=["GET"]),
    Route(_ONE, delete_response, methods=["DELETE"]),
    Route(f"{_ONE}/cancel", cancel_response, methods=["POST"]),
    Route(f"{_ONE}/input_items", list_items, methods=["GET"]),
]
