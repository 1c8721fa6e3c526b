"""Chat completions kept because they were asked with `store: true`: list, get, update, delete, messages.

What is kept is the completion as it was answered, with the request's settings beside it, and the messages that were
sent. Only `metadata` can change. Source: the API reference of stored completions.
"""

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mtu_mcp.sandbox.bodies import read_checked
from mtu_mcp.sandbox.chat_fields import METADATA
from mtu_mcp.sandbox.conversation import text_of
from mtu_mcp.sandbox.desk import Desk, desk_of
from mtu_mcp.sandbox.fields import Table, string
from mtu_mcp.sandbox.paging import PAGE, find, matches, page, read_query
from mtu_mcp.sandbox.replies import json_reply

Body = dict[str, Any]
_LIST: Table = {**PAGE, "model": string(1)}
_ECHOED: dict[str, Any] = {
    "tool_choice": None,
    "seed": None,
    "top_p": 1.0,
    "temperature": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "tools": None,
    "metadata": {},
    "response_format": None,
}
_DRAWER = "chat.completion"


def keep(desk: Desk, body: Body, completion: Body, request_id: str) -> None:
    """Keep a completion if its request asked for it."""
    if not body.get("store"):
        return
    echoed = {name: body.get(name, usual) for name, usual in _ECHOED.items()}
    kept = {**completion, "request_id": request_id, **echoed, "input_user": body.get("user")}
    messages = [_message(completion["id"], place, each) for place, each in enumerate(body["messages"])]
    desk.keep(_DRAWER, completion["id"], {"object": kept, "messages": messages})


def _message(completion_id: str, place: int, message: Body) -> Body:
    content: Any = message.get("content")
    parts: Sequence[Body] | None = None
    if isinstance(content, list):
        found: list[Body] = content  # pyright: ignore[reportUnknownVariableType]
        parts = [part for part in found if part["type"] in {"text", "image_url"}]
    made = {"id": f"{completion_id}-{place}", "role": message["role"], "content": text_of(content)}
    return made | {"name": message.get("name"), "content_parts": parts}


async def list_completions(request: Request) -> Response:
    """Those kept, oldest first unless asked otherwise."""
    asked = read_query(request, _LIST, filtered=True)
    rows = [each["object"] for each in desk_of(request).drawer(_DRAWER).values()]
    rows = [row for row in rows if row["model"] == asked.get("model", row["model"]) and matches(row, asked)]
    return json_reply(page(rows, asked, kind="completion", order="asc"))


async def get_completion(request: Request) -> Response:
    """One of them."""
    return json_reply(_found(request)["object"])


async def update_completion(request: Request) -> Response:
    """Replace its metadata."""
    kept = _found(request)
    body = await read_checked(request, {"metadata": METADATA.required()})
    kept["object"]["metadata"] = body["metadata"]
    return json_reply(kept["object"])


async def delete_completion(request: Request) -> Response:
    """Forget it."""
    wanted = _found(request)["object"]["id"]
    del desk_of(request).drawer(_DRAWER)[wanted]
    return json_reply({"object": "chat.completion.deleted", "id": wanted, "deleted": True})


async def list_messages(request: Request) -> Response:
    """The messages that were sent, the first one first."""
    asked = read_query(request, PAGE)
    return json_reply(page(_found(request)["messages"], asked, kind="message", order="asc"))


def _found(request: Request) -> Body:
    return find(desk_of(request).drawer(_DRAWER), request.path_params["completion"], "completion")


_ONE = "/v1/chat/completions/{completion}"
ROUTES = [
    Route("/v1/chat/completions", list_completions, methods=["GET"]),
    Route(_ONE, get_completion, methods=["GET"]),
    Route(_ONE, update_completion, methods=["POST"]),
    Route(_ONE, delete_completion, methods=["DELETE"]),
    Route(f"{_ONE}/messages", list_messages, methods=["GET"]),
]
