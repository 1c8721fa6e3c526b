"""The Assistants API, version 2: assistants, and the files that version 1 gave them. Served only behind a switch.

OpenAI removed it on 2026-08-26; some gateways go on. Version 1 is known by its header alone: its file routes want
`assistants=v1`, all others `assistants=v2`.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mtu_mcp.sandbox.assistants_fields import ASSISTANT, ASSISTANT_CHANGES, require_version
from mtu_mcp.sandbox.bodies import read_checked
from mtu_mcp.sandbox.desk import Desk, desk_of
from mtu_mcp.sandbox.fields import string
from mtu_mcp.sandbox.paging import PAGES, find, missing, page, read_query
from mtu_mcp.sandbox.refusals import Invalid
from mtu_mcp.sandbox.replies import json_reply

Body = dict[str, Any]
DRAWER = "assistant"
_FILES = "assistant.file"


async def create_assistant(request: Request) -> Response:
    """Make one."""
    require_version(request)
    desk = desk_of(request)
    body = await read_checked(request, ASSISTANT)
    desk.model(body["model"], "chat")
    usual: Body = {"name": None, "description": None, "instructions": None, "tools": [], "tool_resources": {}}
    usual |= {"metadata": {}, "temperature": 1.0, "top_p": 1.0, "response_format": "auto"}
    made: Body = {"id": desk.new_id("asst_"), "object": "assistant", "created_at": desk.now(), **usual, **body}
    desk.keep(DRAWER, made["id"], made)
    return json_reply(made)


async def list_assistants(request: Request) -> Response:
    """All, the newest first."""
    require_version(request)
    asked = read_query(request, PAGES)
    return json_reply(page(list(desk_of(request).drawer(DRAWER).values()), asked, kind="assistant"))


async def get_assistant(request: Request) -> Response:
    """One."""
    require_version(request)
    return json_reply(find_assistant(desk_of(request), request.path_params["assistant"]))


async def modify_assistant(request: Request) -> Response:
    """Change what is named."""
    require_version(request)
    desk = desk_of(request)
    found = find_assistant(desk, request.path_params["assistant"])
    body = await read_checked(request, ASSISTANT_CHANGES)
    if "model" in body:
        desk.model(body["model"], "chat")
    found |= body
    return json_reply(found)


async def delete_assistant(request: Request) -> Response:
    """Forget one."""
    require_version(request)
    desk = desk_of(request)
    wanted = find_assistant(desk, request.path_params["assistant"])["id"]
    del desk.drawer(DRAWER)[wanted]
    return json_reply({"id": wanted, "object": "assistant.deleted", "deleted": True})


def find_assistant(desk: Desk, wanted: str) -> Body:
    """The assistant of that id; 404 when there is none."""
    return find(desk.drawer(DRAWER), wanted, "assistant")


def _given(request: Request) -> tuple[Body, list[Body]]:
    """The assistant of the path and the files version 1 gave it."""
    require_version(request, 1)
    desk = desk_of(request)
    assistant = find_assistant(desk, request.path_params["assistant"])
    files: list[Body] = desk.drawer(_FILES).setdefault(assistant["id"], [])
    return assistant, files


async def create_file(request: Request) -> Response:
    """Give an assistant an uploaded file."""
    assistant, files = _given(request)
    desk = desk_of(request)
    body = await read_checked(request, {"file_id": string(1).required()})
    if desk.files.find(body["file_id"]) is None:
        raise Invalid(f"No such File object: {body['file_id']}", param="file_id", code="file_not_found")
    made = {
        "id": body["file_id"],
        "object": "assistant.file",
        "created_at": desk.now(),
        "assistant_id": assistant["id"],
    }
    if all(each["id"] != made["id"] for each in files):
        files.append(made)
    return json_reply(made)


async def list_files(request: Request) -> Response:
    """The files of an assistant, the newest first."""
    _, files = _given(request)
    return json_reply(page(files, read_query(request, PAGES), kind="assistant file"))


async def get_file(request: Request) -> Response:
    """One of them."""
    _, files = _given(request)
    return json_reply(_file(files, request.path_params["file"]))


async def delete_file(request: Request) -> Response:
    """Take it away from the assistant; the file itself stays."""
    _, files = _given(request)
    found = _file(files, request.path_params["file"])
    files.remove(found)
    return json_reply({"id": found["id"], "object": "assistant.file.deleted", "deleted": True})


def _file(files: list[Body], wanted: str) -> Body:
    found = next((each for each in files if each["id"] == wanted), None)
    if found is None:
        raise missing("assistant file", wanted)
    return found


_ONE = "/v1/assistants/{assistant}"
ROUTES = [
    Route("/v1/assistants", create_assistant, methods=["POST"]),
    Route("/v1/assistants", list_assistants, methods=["GET"]),
    Route(_ONE, get_assistant, methods=["GET"]),
    Route(_ONE, modify_assistant, methods=["POST"]),
    Route(_ONE, delete_assistant, methods=["DELETE"]),
    Route(f"{_ONE}/files", create_file, methods=["POST"]),
    Route(f"{_ONE}/files", list_files, methods=["GET"]),
    Route(f"{_ONE}/files/{{file}}", get_file, methods=["GET"]),
    Route(f"{_ONE}/files/{{file}}", delete_file, methods=["DELETE"]),
]
