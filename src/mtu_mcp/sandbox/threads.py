"""Threads and their messages, of the Assistants API; served behind the same switch.

A thread is locked while a run is at work in it, as the reference has it: no message may be added meanwhile.
"""

from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mtu_mcp.sandbox.assistants_fields import LABELS, MESSAGE, THREAD, THREAD_CHANGES, require_files, require_version
from mtu_mcp.sandbox.bodies import read_checked
from mtu_mcp.sandbox.desk import Desk, desk_of
from mtu_mcp.sandbox.fields import string
from mtu_mcp.sandbox.paging import PAGES, find, missing, page, read_query
from mtu_mcp.sandbox.refusals import Refusal
from mtu_mcp.sandbox.replies import json_reply

Body = dict[str, Any]
ACTIVE = frozenset({"queued", "in_progress", "requires_action", "cancelling"})
_DRAWER = "thread"


@dataclass(slots=True)
class Thread:
    """One thread: its object, its messages and runs by id in order, the steps of each run, the outputs it was sent."""

    object: Body
    messages: dict[str, Body] = field(default_factory=dict[str, Body])
    runs: dict[str, Body] = field(default_factory=dict[str, Body])
    steps: dict[str, list[Body]] = field(default_factory=dict[str, list[Body]])
    outputs: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    @property
    def active(self) -> Body | None:
        """The run at work, if any."""
        return next((run for run in self.runs.values() if run["status"] in ACTIVE), None)


def begin(desk: Desk, body: Body) -> Thread:
    """Make a thread with the messages a body brings along."""
    made: Body = {"id": desk.new_id("thread_"), "object": "thread", "created_at": desk.now()}
    made |= {"metadata": body.get("metadata", {}), "tool_resources": body.get("tool_resources", {})}
    thread = Thread(made)
    for place, message in enumerate(body.get("messages", [])):
        add_message(desk, thread, message, f"messages[{place}]")
    desk.keep(_DRAWER, made["id"], thread)
    return thread


def add_message(desk: Desk, thread: Thread, body: Body, path: str = "") -> Body:
    """Add a message as a client writes it, and return it as the API shows it."""
    attachments: list[Body] = body.get("attachments", [])
    require_files(desk, attachments, f"{path}.attachments" if path else "attachments")
    content: Any = body["content"]
    parts: list[Body] = [{"type": "text", "text": content}] if isinstance(content, str) else content
    shown = [_shown(part) for part in parts]
    made: Body = {"id": desk.new_id("msg_"), "object": "thread.message", "created_at": desk.now()}
    made |= {"thread_id": thread.object["id"], "role": body["role"], "content": shown, "attachments": attachments}
    made |= {
        "assistant_id": body.get("assistant_id"),
        "run_id": body.get("run_id"),
        "metadata": body.get("metadata", {}),
    }
    made |= {"status": "completed", "completed_at": desk.now(), "incomplete_at": None, "incomplete_details": None}
    thread.messages[made["id"]] = made
    return made


def _shown(part: Body) -> Body:
    """A part as the API shows it: text carries its annotations."""
    return {"type": "text", "text": {"value": part["text"], "annotations": []}} if part["type"] == "text" else part


async def create_thread(request: Request) -> Response:
    """Begin one; an empty body begins an empty one."""
    require_version(request)
    body = await read_checked(request, THREAD) if (await request.body()).strip() else {}
    return json_reply(begin(desk_of(request), body).object)


async def get_thread(request: Request) -> Response:
    """One."""
    return json_reply(find_thread(request).object)


async def modify_thread(request: Request) -> Response:
    """Change its metadata or resources."""
    thread = find_thread(request)
    thread.object |= await read_checked(request, THREAD_CHANGES)
    return json_reply(thread.object)


async def delete_thread(request: Request) -> Response:
    """Forget it with all that is in it."""
    wanted = find_thread(request).object["id"]
    del desk_of(request).drawer(_DRAWER)[wanted]
    return json_reply({"id": wanted, "object": "thread.deleted", "deleted": True})


def find_thread(request: Request, version: int = 2) -> Thread:
    """The thread of the path; 404 when there is none."""
    require_version(request, version)
    return find(desk_of(request).drawer(_DRAWER), request.path_params["thread"], "thread")


async def create_message(request: Request) -> Response:
    """Add a message, unless a run is at work."""
    thread = find_thread(request)
    body = await read_checked(request, MESSAGE)
    if run := thread.active:
        raise Refusal(400, f"Can't add messages to {thread.object['id']} while a run {run['id']} is active.")
    return json_reply(add_message(desk_of(request), thread, body))


async def list_messages(request: Request) -> Response:
    """The messages, the newest first; `run_id` narrows them to one run's."""
    thread = find_thread(request)
    asked = read_query(request, {**PAGES, "run_id": string(1)})
    rows = [each for each in thread.messages.values() if asked.get("run_id", each["run_id"]) == each["run_id"]]
    return json_reply(page(rows, asked, kind="message"))


async def get_message(request: Request) -> Response:
    """One message."""
    return json_reply(_message(request))


async def modify_message(request: Request) -> Response:
    """Change its metadata."""
    found = _message(request)
    found |= await read_checked(request, LABELS)
    return json_reply(found)


async def delete_message(request: Request) -> Response:
    """Forget it."""
    wanted = _message(request)["id"]
    del find_thread(request).messages[wanted]
    return json_reply({"id": wanted, "object": "thread.message.deleted", "deleted": True})


def _message(request: Request, version: int = 2) -> Body:
    return find(find_thread(request, version).messages, request.path_params["message"], "message")


def _files(message: Body) -> list[Body]:
    """The attachments as version 1 showed them."""
    about = {"object": "thread.message.file", "created_at": message["created_at"], "message_id": message["id"]}
    return [{"id": each["file_id"], **about} for each in message["attachments"]]


async def list_message_files(request: Request) -> Response:
    """The files of a message, in the words of version 1."""
    found = _message(request, 1)
    return json_reply(page(_files(found), read_query(request, PAGES), kind="message file"))


async def get_message_file(request: Request) -> Response:
    """One of them."""
    wanted = request.path_params["file"]
    found = next((each for each in _files(_message(request, 1)) if each["id"] == wanted), None)
    if found is None:
        raise missing("message file", wanted)
    return json_reply(found)


_ONE = "/v1/threads/{thread}"
_SAID = f"{_ONE}/messages/{{message}}"
ROUTES = [
    Route("/v1/threads", create_thread, methods=["POST"]),
    Route(_ONE, get_thread, methods=["GET"]),
    Route(_ONE, delete_thread, methods=["DELETE"]),
    Route(f"{_ONE}/messages", create_message, methods=["POST"]),
    Route(f"{_ONE}/messages", list_messages, methods=["GET"]),
    Route(_SAID, get_message, methods=["GET"]),
    Route(_SAID, modify_message, methods=["POST"]),
    Route(_SAID, delete_message, methods=["DELETE"]),
    Route(f"{_SAID}/files", list_message_files, methods=["GET"]),
    Route(f"{_SAID}/files/{{file}}", get_message_file, methods=["GET"]),
]
MODIFY = Route(_ONE, modify_thread, methods=["POST"])
"""Comes after POST /threads/runs, which its path would swallow."""
