"""Files kept at the gateway: sent there, listed, read back, deleted.

What is read back goes to the output folder as it arrives and is shown from there: a batch's results may be larger than
any host reads, and are paid for.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import anyio.to_thread
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import ListRoots, Resolve
from mcp.types import CallToolResult, ListRootsResult
from pydantic import Field

from mtu_mcp.app import App, current_app
from mtu_mcp.capabilities._answers import Answer
from mtu_mcp.capabilities._asks import ask_roots, folders
from mtu_mcp.capabilities._opening import open_here
from mtu_mcp.capabilities._params import File
from mtu_mcp.capabilities._spec import Capability, Content, ResourceSpec, ToolSpec
from mtu_mcp.capabilities._upstream import offered, upload_of
from mtu_mcp.errors import BadInput, MtuError, NotFound, Rejected
from mtu_mcp.gateway import FileEntry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mtu_mcp.media import Family, Saved, Workspace

MOST_BYTES: Final = 512 * 1024 * 1024
"""The Files API takes files of at most 512 MB."""
SHOWN: Final = 100
FAMILIES: Final[tuple[Family, ...]] = ("document", "image", "audio", "video")
AnyFileName = Annotated[str, File(*FAMILIES)]

USUAL: Final = ("user_data", "file-extract")
"""Purposes of a file nobody gave one: OpenAI's, then Model Studio's, which knows no other for documents."""
_PURPOSE: Final = re.compile(r"\bpurpose\b|user_data", re.IGNORECASE)
"""Words of a refusal that is about the purpose; it costs nothing."""

Action = Literal["upload", "list", "read", "delete"]


def _roots(ctx: Context, file: str | None) -> ListRoots | None:
    return ask_roots(ctx, [file])


async def manage_files(
    action: Action,
    file: Annotated[AnyFileName | None, Field(description="To upload: path, URL or mtu://media/ link.")] = None,
    file_id: Annotated[str | None, Field(description="To read or delete; to list: those after it.")] = None,
    purpose: Annotated[
        str | None, Field(description="user_data, file-extract, batch, fine-tune, ...; also filters the list.")
    ] = None,
    *,
    app: Annotated[App, Resolve(current_app)],
    roots: Annotated[ListRootsResult | None, Resolve(_roots)],
) -> CallToolResult:
    """Upload, list, read or delete files kept at the gateway."""
    needed, given = ("file", file) if action == "upload" else ("file_id", file_id)
    if action != "list" and not (given or "").strip():
        raise BadInput(f"{action} needs {needed}.")
    answer = Answer(app)
    if action == "upload":
        await _upload(app, answer, app.workspace(folders(roots)), file or "", purpose)
    elif action == "list":
        await _list(app, answer, (file_id or "").strip(), (purpose or "").strip())
    elif action == "read":
        await _read(app, answer, (file_id or "").strip())
    else:
        async with offered(app, "files"):
            await app.gateway.delete_file((file_id or "").strip())
        answer.say(f"Deleted {(file_id or '').strip()} at the gateway.")
    return answer.finish()


async def _upload(app: App, answer: Answer, workspace: Workspace, file: str, purpose: str | None) -> None:
    media = await open_here(app, workspace, file, FAMILIES, MOST_BYTES)
    named = (purpose or "").strip()
    meant = [named] if named else ["batch"] if media.kind.extension == "jsonl" else list(USUAL)
    async with offered(app, "files"):
        try:
            entry = await app.gateway.upload_file(upload_of(media), meant[0])
        except Rejected as error:
            if len(meant) == 1 or not _PURPOSE.search(error.message):
                raise
            entry = await app.gateway.upload_file(upload_of(media), meant[1])
            answer.note(f"This gateway takes no {meant[0]}, so the purpose is {meant[1]}.")
    answer.say(f"Uploaded: {row(entry)}")
    if entry.status == "uploaded":
        answer.note("The gateway is still parsing it.")


async def _list(app: App, answer: Answer, after: str, purpose: str) -> None:
    async with offered(app, "files"):
        page = await app.gateway.list_files(after=after, limit=SHOWN, purpose=purpose)
    shown = page.files[:SHOWN]
    answer.say("\n".join(f"- {row(entry)}" for entry in shown) or "There are no such files.")
    if page.after or len(page.files) > len(shown):
        answer.note(f"There are more; file_id={shown[-1].id} lists those after it.")


async def _read(app: App, answer: Answer, file_id: str) -> None:
    async with offered(app, "files"):
        entry = await app.gateway.retrieve_file(file_id)
        answer.say(row(entry))
        try:
            saved = await _fetch(app, entry)
        except Rejected as error:
            answer.note(f"Its content cannot be read back. {error.message}")
            return
    text = await anyio.to_thread.run_sync(_stored_text, app, saved, answer.longest)
    answer.say(text)
    whole = "" if text and saved.size <= len(text.encode()) else "; the whole is there"
    answer.note(f"Saved {saved.path} ({saved.size:,} bytes){whole}")
    answer.link(saved)


def _stored_text(app: App, saved: Saved, longest: int) -> str:
    """The first `longest` characters of a saved file; empty when it is not text. Blocking."""
    if not saved.kind.mime.startswith("text/") and saved.kind.extension not in ("json", "jsonl"):
        return ""
    with app.library.open(saved.name) as stream:
        return stream.read(longest * 4).decode("utf-8-sig", "replace")[:longest]


async def _fetch(app: App, entry: FileEntry) -> Saved:
    hidden = await anyio.to_thread.run_sync(app.library.hidden)
    await app.gateway.file_content(entry.id, hidden, MOST_BYTES)
    stem, _, extension = entry.name.rpartition(".")
    about = {"file_id": entry.id, "filename": entry.name, "purpose": entry.purpose}
    return await app.library.adopt(hidden, title=stem or entry.name or entry.id, extension=extension, about=about)


def row(entry: FileEntry) -> str:
    """One file on one line."""
    parts = [entry.id, entry.name, f"{entry.size:,} bytes" if entry.size is not None else "", entry.purpose]
    parts += [entry.status + (f" ({entry.detail})" if entry.detail else ""), _day(entry.created)]
    return " · ".join(filter(None, parts))


def _day(moment: int | None) -> str:
    try:
        return datetime.fromtimestamp(moment, UTC).date().isoformat() if moment else ""
    except (ValueError, OverflowError, OSError):
        return ""


async def file(file_id: str) -> Content:
    """One file kept at the gateway: name, size, purpose, state."""
    app = current_app()
    try:
        async with offered(app, "files"):
            entry = await app.gateway.retrieve_file(file_id)
    except (Rejected, BadInput) as error:
        raise NotFound(error.message, advice="manage_files with action list shows the ids.") from error
    facts: dict[str, Any] = {
        "id": entry.id,
        "filename": entry.name,
        "bytes": entry.size,
        "created_at": entry.created,
        "expires_at": entry.expires,
        "purpose": entry.purpose,
        "status": entry.status,
        "detail": entry.detail,
    }
    known = {name: value for name, value in facts.items() if value not in (None, "")}
    return Content.of(known)


async def _complete_file(typed: str, given: Mapping[str, str]) -> list[str]:
    del given
    try:
        page = await current_app().gateway.list_files(limit=SHOWN)
    except MtuError:  # a suggestion is not worth an error
        return []
    wanted = typed.casefold()
    return [one.id for one in page.files if wanted in one.id.casefold() or wanted in one.name.casefold()]


CAPABILITY = Capability(
    tools=(
        ToolSpec(
            manage_files,
            title="Files at the gateway",
            toolset="files",
            writes=True,
            destructive=True,
            search_hint="upload list download delete remote files storage",
        ),
    ),
    resources=(
        ResourceSpec("mtu://files/{file_id}", file, "One file at the gateway", complete={"file_id": _complete_file}),
    ),
)
