"""The Files API: upload, list, retrieve, delete, content.

The form of POST /files is checked as strictly as a JSON body. Purposes and limits are those of the OpenAI API reference
and, for `file-extract` and the whole `dashscope` dialect, of Model Studio's; what may be read back differs between the two.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mtu_mcp.sandbox.bodies import Sent, read_form
from mtu_mcp.sandbox.desk import Desk, desk_of
from mtu_mcp.sandbox.fields import Table, anything, integer, one_of, string
from mtu_mcp.sandbox.filing import EXTRACT, StoredFile
from mtu_mcp.sandbox.paging import page, read_query
from mtu_mcp.sandbox.paper import READABLE, can_read
from mtu_mcp.sandbox.refusals import Invalid, Refusal
from mtu_mcp.sandbox.replies import json_reply

MIB = 1024 * 1024
MAX_BYTES = 512 * MIB
MAX_BATCH = {"openai": 200 * MIB, "dashscope": 500 * MIB}
MAX_TUNING = {"openai": 512 * MIB, "dashscope": 300 * MIB}
MAX_DOCUMENT = 150 * MIB
MAX_PICTURE = 20 * MIB
_PICTURES = ("bmp", "png", "jpg", "jpeg", "gif")
_DASHSCOPE_PURPOSES = (EXTRACT, "batch", "fine-tune")
_PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals", EXTRACT)
_SEALED = frozenset({"assistants", "vision", "user_data", EXTRACT})
"""Purposes whose content cannot be downloaded."""
_UPLOAD: Table = {"file": anything().required(), "purpose": string(1).required()}
_EXPIRY: Table = {
    "expires_after[anchor]": one_of("created_at"),
    "expires_after[seconds]": integer(3600, 2_592_000),
}


async def upload_file(request: Request) -> Response:
    """Keep a file."""
    desk = desk_of(request)
    dashscope = desk.dialect == "dashscope"
    body = await read_form(request, _UPLOAD if dashscope else {**_UPLOAD, **_EXPIRY})
    purpose = one_of(*(_DASHSCOPE_PURPOSES if dashscope else _PURPOSES)).check(body["purpose"], "purpose")
    sent = body["file"]
    if not isinstance(sent, Sent):
        raise Invalid("Invalid type for 'file': expected a file.", param="file", code="invalid_type")
    if ("expires_after[anchor]" in body) != ("expires_after[seconds]" in body):
        missing = "seconds" if "expires_after[anchor]" in body else "anchor"
        msg = f"Missing required parameter: 'expires_after.{missing}'."
        raise Invalid(msg, param=f"expires_after.{missing}", code="missing_required_parameter")
    _check_file(desk, sent, purpose)
    lasts = body.get("expires_after[seconds]")
    stored = desk.files.add(
        sent.data,
        sent.name.replace("\\", "/").rpartition("/")[2],
        purpose,
        expires=None if lasts is None else desk.now() + lasts,
        wait=desk.options.parse_polls if purpose == EXTRACT else 0,
        ready=desk.options.clock() + desk.options.parse_seconds if purpose == EXTRACT else 0.0,
        error="" if purpose != EXTRACT or can_read(sent.name, sent.data) else "The file cannot be parsed.",
    )
    return json_reply(stored.as_json(desk.options.clock()))


def _check_file(desk: Desk, sent: Sent, purpose: str) -> None:
    extension = sent.name.rpartition(".")[2].lower() if "." in sent.name else ""
    if not sent.data:
        raise Refusal(400, "File is empty.", param="file", code="invalid_file")
    if purpose in {"batch", "fine-tune"} and extension != "jsonl":
        what = "Batch" if purpose == "batch" else "Fine-tuning"
        msg = f"Invalid file format for {what} API. Must be .jsonl"
        raise Refusal(400, msg, param="file", code="invalid_file_format")
    if purpose == EXTRACT and extension not in READABLE:
        msg = f"File type '{extension}' is not supported. Supported types: {', '.join(READABLE)}."
        raise Refusal(400, msg, param="file", code="invalid_parameter_error")
    most = _most_bytes(desk, purpose, extension)
    if len(sent.data) > most:
        if purpose == EXTRACT:
            msg = f"File [id:{sent.name}] exceeds size limit of {most} bytes."
            raise Refusal(400, msg, param="file", code="invalid_parameter_error")
        msg = f"File is too large: {len(sent.data)} bytes. The maximum for purpose '{purpose}' is {most} bytes."
        raise Refusal(413, msg, param="file", code="file_too_large")


def _most_bytes(desk: Desk, purpose: str, extension: str) -> int:
    rules = "dashscope" if desk.dialect == "dashscope" else "openai"
    if purpose == EXTRACT:
        usual = MAX_PICTURE if extension in _PICTURES else MAX_DOCUMENT
    else:
        usual = {"batch": MAX_BATCH[rules], "fine-tune": MAX_TUNING[rules]}.get(purpose, MAX_BYTES)
    return min(usual, desk.options.file_bytes or usual)


async def list_files(request: Request) -> Response:
    """Files, newest first unless asked otherwise, a page at a time."""
    desk = desk_of(request)
    dashscope = desk.dialect == "dashscope"
    most = 2_000 if dashscope else 10_000
    table: Table = {"after": string(1), "limit": integer(1, most), "purpose": string(1)}
    table = {**table, **({name: string(1) for name in ("create_after", "create_before")} if dashscope else {})}
    asked = read_query(request, table if dashscope else {**table, "order": one_of("asc", "desc")})
    if "after" in asked:
        _stored(desk, asked["after"], "after")
    found = [each for each in desk.files.all() if asked.get("purpose", each.purpose) == each.purpose]
    rows = [each.as_json(desk.options.clock()) for each in found]
    return json_reply(page(rows, asked, kind="file", ids=not dashscope, usual=most))


async def retrieve_file(request: Request) -> Response:
    """One file's facts; asking is what moves its parsing on."""
    desk = desk_of(request)
    stored = _found(request)
    answer = stored.as_json(desk.options.clock())
    stored.wait = max(0, stored.wait - 1)
    return json_reply(answer)


async def delete_file(request: Request) -> Response:
    """Forget a file."""
    stored = _found(request)
    desk_of(request).files.remove(stored.id)
    return json_reply({"id": stored.id, "object": "file", "deleted": True})


async def file_content(request: Request) -> Response:
    """A file's bytes, where its purpose allows it."""
    stored = _found(request)
    sealed = stored.purpose in _SEALED
    if sealed or (desk_of(request).dialect == "dashscope" and stored.purpose != "batch_output"):
        raise Refusal(400, f"Not allowed to download files of purpose: {stored.purpose}")
    return Response(stored.data, media_type="application/octet-stream")


def _found(request: Request) -> StoredFile:
    return _stored(desk_of(request), request.path_params["file"], "id")


def _stored(desk: Desk, wanted: str, param: str) -> StoredFile:
    stored = desk.files.find(wanted)
    if stored is None:
        raise Refusal(404, f"No such File object: {wanted}", param=param)
    return stored


ROUTES = [
    Route("/v1/files", upload_file, methods=["POST"]),
    Route("/v1/files", list_files, methods=["GET"]),
    Route("/v1/files/{file}", retrieve_file, methods=["GET"]),
    Route("/v1/files/{file}", delete_file, methods=["DELETE"]),
    Route("/v1/files/{file}/content", file_content, methods=["GET"]),
]
