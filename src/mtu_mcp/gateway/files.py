"""Files kept at the gateway: documents to be read, batches to be run and what they wrote.

None of these calls is billed, so none is an Exchange. A file's content may be hundreds of megabytes: it goes to the disk
as it arrives, never into memory, and a cut download leaves nothing behind.
"""

import os
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread

from mtu_mcp.errors import Rejected, StorageError
from mtu_mcp.gateway import failures
from mtu_mcp.gateway.body import Body
from mtu_mcp.gateway.complaints import read_complaint
from mtu_mcp.gateway.exchange import current_scope
from mtu_mcp.gateway.forms import Form, fields
from mtu_mcp.gateway.paging import page_call, path_of, read_one, read_page
from mtu_mcp.gateway.shapes import loads, mapping, shortened, text, whole
from mtu_mcp.gateway.uploads import Upload
from mtu_mcp.gateway.wire import Call

if TYPE_CHECKING:
    from mtu_mcp.gateway.wire import Wire

ENDPOINT: Final = "files"
_EXPECTED: Final = ("id", "data", "object", "filename", "deleted")
_SMALL: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file as the gateway tells of it.

    Attributes:
        id: Its name at the gateway.
        name: The file name it was uploaded under.
        size: Bytes, None when not said.
        created: Unix seconds, None when not said.
        purpose: What it was uploaded for.
        status: "uploaded" until it is parsed, "processed", "error"; empty when not said.
        detail: Why it is in error.
        expires: Unix seconds, None when it stays.
        raw: Everything the gateway says of it.
    """

    id: str
    name: str = ""
    size: int | None = None
    created: int | None = None
    purpose: str = ""
    status: str = ""
    detail: str = ""
    expires: int | None = None
    raw: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class FilePage:
    """Some of the files; `after` asks for the next page and is empty on the last one."""

    files: tuple[FileEntry, ...]
    after: str = ""


async def upload(
    wire: "Wire", file: Upload, purpose: str, options: Mapping[str, Any] | None = None, key: str = ""
) -> FileEntry:
    """Send a file, read from the disk while it is sent.

    Args:
        wire: The way to the gateway.
        file: The file.
        purpose: What it is for, in the gateway's words.
        options: Further fields of the form; an object becomes `name[key]`, as in `expires_after`.
        key: The Idempotency-Key, if the caller may ask again.
    """
    form = Form(list(fields({"purpose": purpose, **(options or {})})), [("file", file)])
    await current_scope().report(f"uploading {file.safe_name}")
    async with wire.open(Call(ENDPOINT, form=form, key=key)) as body:
        return await read_one(body, _EXPECTED, _entry)


async def list_page(wire: "Wire", *, after: str = "", limit: int = 0, order: str = "", purpose: str = "") -> FilePage:
    """List files, a page at a time; what is empty or 0 is left to the gateway."""
    async with wire.open(page_call(ENDPOINT, after, limit=limit, order=order, purpose=purpose)) as body:
        return FilePage(*await read_page(body, _EXPECTED, _entry))


async def retrieve(wire: "Wire", file_id: str) -> FileEntry:
    """Ask after one file.

    Raises:
        Rejected: There is no such file.
    """
    async with wire.open(Call(ENDPOINT, path=path_of(ENDPOINT, file_id))) as body:
        return await read_one(body, _EXPECTED, _entry)


async def delete(wire: "Wire", file_id: str) -> None:
    """Delete one file.

    Raises:
        Rejected: There is no such file, or the gateway says that it was not deleted.
    """
    async with wire.open(Call(ENDPOINT, path=path_of(ENDPOINT, file_id), verb="DELETE")) as body:
        if await body.form() == "empty":  # 204
            return
        raw = mapping(await body.json(_EXPECTED))
        if raw.get("deleted") is False:
            raise Rejected(f"The gateway says that {file_id} was not deleted.", request_id=body.request_id)


async def content(wire: "Wire", file_id: str, path: Path, max_bytes: int) -> int:
    """Write a file's content into a new file as it arrives; return its bytes.

    Args:
        wire: The way to the gateway.
        file_id: Which file.
        path: Where to; must not exist yet. Nothing is left there unless all of it arrived.
        max_bytes: The most bytes taken.

    Raises:
        Rejected: There is no such file, or its purpose forbids it.
        BadAnswer: It is larger than `max_bytes`.
        StorageError: The disk did not take it.
    """
    call = Call(ENDPOINT, path=f"{path_of(ENDPOINT, file_id)}/content", accept="*/*")
    async with wire.open(call) as body:
        try:
            size = await _write(body, path, max_bytes)
            if size <= _SMALL:
                _require_content(body, await anyio.Path(path).read_bytes())
        except BaseException as error:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(_discard, path)
            if isinstance(error, OSError):
                reason = error.strerror or type(error).__name__
                raise StorageError(f"{path.parent} took no file ({reason}).", advice="Free some space.") from error
            raise
        return size


async def _write(body: Body, path: Path, max_bytes: int) -> int:
    size = 0
    async with await anyio.open_file(path, "xb") as file, aclosing(body.packets(max_bytes)) as packets:
        async for packet in packets:
            await file.write(packet)
            size += len(packet)
            await current_scope().report(f"downloading ({size:,} bytes)", size)
        await file.flush()
        await anyio.to_thread.run_sync(os.fsync, file.wrapped.fileno())
    return size


def _require_content(body: Body, data: bytes) -> None:
    """Refuse an error or a web page that came with status 200 in the file's place."""
    if body.is_page(data):
        raise body.unreadable(data)
    try:
        raw = mapping(loads(data))
    except ValueError:
        return
    if raw.get("error") and not raw.keys() - {"error", "request_id", "id", "object", "code", "message", "type"}:
        raise failures.from_complaint(body.asked, read_complaint(raw), body.request_id)


def _discard(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return  # the folder is gone, and the file with it


def _entry(value: object) -> FileEntry | None:
    raw = mapping(value)
    name = text(raw.get("id")).strip()
    if not name:
        return None
    detail = raw.get("status_details")
    return FileEntry(
        id=name,
        name=text(raw.get("filename")),
        size=whole(raw.get("bytes")),
        created=whole(raw.get("created_at")),
        purpose=text(raw.get("purpose")),
        status=text(raw.get("status")),
        detail=shortened(text(detail) or text(mapping(detail).get("message"))),
        expires=whole(raw.get("expires_at")),
        raw=raw,
    )
