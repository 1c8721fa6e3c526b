"""Reading what a client sent: JSON bodies and multipart forms, noted in the journal."""

import json
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request

from mtu_mcp.sandbox.desk import desk_of, entry_of
from mtu_mcp.sandbox.fields import Table, check_body, check_form
from mtu_mcp.sandbox.refusals import Refusal

_SHOWN = 200
"""Characters of a string kept in the journal."""
_PART_BYTES = 64 * 1024 * 1024


async def read_json(request: Request) -> dict[str, Any]:
    """The JSON object sent, unchecked; 400 when the body is not one."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind and kind != "application/json":
        msg = f"Unsupported content type: '{kind}'. This API method only accepts 'application/json' requests."
        raise Refusal(400, msg)
    try:
        raw = await request.body()
        body: Any = json.loads(raw, parse_constant=_refuse_constant)
        if b"\\ud" in raw or b"\\uD" in raw:
            json.dumps(body, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError):
        msg = "We could not parse the JSON body of your request. The API expects a JSON payload."
        raise Refusal(400, msg) from None
    if not isinstance(body, dict):
        msg = "We could not parse the JSON body of your request: it must be a JSON object."
        raise Refusal(400, msg)
    found: dict[str, Any] = body  # pyright: ignore[reportUnknownVariableType]
    note(request, found)
    return found


def _refuse_constant(name: str) -> None:
    """NaN and Infinity are Python's, not JSON's."""
    raise ValueError(name)


async def read_checked(request: Request, table: Table) -> dict[str, Any]:
    """The JSON object sent, checked against a table; unknown fields are dropped in the `new-api` dialect."""
    return check_body(table, await read_json(request), unknown=unknown_fields(request))


async def read_form(request: Request, table: Table) -> dict[str, Any]:
    """A multipart form, checked against a table; files arrive as `Sent` (their bytes are read)."""
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith("multipart/form-data"):
        msg = f"Unsupported content type: '{kind}'. This API method only accepts 'multipart/form-data' requests."
        raise Refusal(400, msg)
    pairs: list[tuple[str, Any]] = []
    async with request.form(max_files=64, max_fields=256, max_part_size=_PART_BYTES) as form:
        for name, value in form.multi_items():
            pairs.append((name, await _received(value) if isinstance(value, UploadFile) else value))
    note(request, {name: str(value) if isinstance(value, Sent) else value for name, value in pairs})
    return check_form(table, pairs, unknown=unknown_fields(request))


class Sent:
    """A file of a form: `name` and `type` as the client stated them (trust neither) and its `data`."""

    def __init__(self, name: str, type: str, data: bytes) -> None:  # noqa: A002 - the header's word
        self.name = name
        self.type = type
        self.data = data

    def __str__(self) -> str:
        return f"{self.name} ({self.type}, {len(self.data)} bytes)"


async def _received(file: UploadFile) -> Sent:
    return Sent(file.filename or "", file.content_type or "", await file.read())


def unknown_fields(request: Request) -> str:
    """What this dialect does with fields it does not know."""
    return "drop" if desk_of(request).dialect == "new-api" else "refuse"


def note(request: Request, body: dict[str, Any]) -> None:
    """Write in the journal what was asked."""
    entry = entry_of(request)
    entry.asked = shortened(body)
    model = body.get("model")
    entry.model = model if isinstance(model, str) else ""
    entry.stream = body.get("stream") in {True, "true"} if isinstance(body.get("stream"), bool | str) else False
    desk_of(request).journal.touch()


def shortened(value: Any) -> Any:
    """A JSON value with its long strings cut, so that the journal does not keep pictures."""
    if isinstance(value, str):
        return value if len(value) <= _SHOWN else f"{value[:_SHOWN]}… ({len(value)} characters)"
    if isinstance(value, list):
        items: list[Any] = value  # pyright: ignore[reportUnknownVariableType]
        return [shortened(item) for item in items[:256]]
    if isinstance(value, dict):
        pairs: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
        return {key: shortened(item) for key, item in pairs.items()}
    return value
