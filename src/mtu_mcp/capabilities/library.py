"""What this server keeps: conversations, and the files it made. Both are read as resources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread

from mtu_mcp.app import current_app
from mtu_mcp.capabilities._spec import Capability, Content, ResourceSpec
from mtu_mcp.errors import LimitExceeded, MtuError, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mtu_mcp.media import Library

MOST_BYTES: Final = 7 * 1024 * 1024
"""Bytes of one file read as a resource; some clients close the connection at 10 MB of one message, base64 included."""


async def conversations() -> Content:
    """Conversations, the latest first."""
    kept = await current_app().records.conversations.list()
    rows = [
        {"name": one.name, "turns": one.turns, "model": one.model, "updated": one.updated, "starts": one.opening}
        for one in kept
    ]
    return Content.of(rows)


async def conversation(name: str) -> Content:
    """One conversation, as Markdown."""
    kept = await current_app().records.conversations.load(name)
    if kept is None:
        raise NotFound(f"There is no conversation {name!r}.", advice="mtu://conversations lists them.")
    lines = [f"# {kept.name}"]
    for turn in kept.turns:
        who = f"{turn.role} ({turn.model})" if turn.model else turn.role
        lines.append(f"## {who}\n\n{_text(turn.content)}")
    return Content("\n\n".join(lines), "text/markdown")


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text") or f"[{part.get('family')}: {part.get('name')}]" for part in content)


async def media() -> Content:
    """Files this server made, the latest first."""
    files = await anyio.to_thread.run_sync(current_app().library.list)
    rows = [
        {"name": one.name, "uri": one.uri, "mime": one.kind.mime, "bytes": one.size, "path": str(one.path)}
        for one in files
    ]
    return Content.of(rows)


async def media_file(name: str) -> Content:
    """One file this server made."""
    library = current_app().library
    saved = await anyio.to_thread.run_sync(library.find, name)
    if saved.size > MOST_BYTES:
        raise LimitExceeded(
            f"{name} has {saved.size:,} bytes, too many for a resource.", advice=f"It is at {saved.path}"
        )
    data = await anyio.to_thread.run_sync(_read, library, name)
    if saved.kind.mime.startswith("text/") or saved.kind.mime == "application/json":
        return Content(data.decode("utf-8", "replace"), saved.kind.mime)
    return Content(data, saved.kind.mime)


def _read(library: Library, name: str) -> bytes:
    with library.open(name) as stream:
        return stream.read(MOST_BYTES)


async def _complete_conversation(typed: str, given: Mapping[str, str]) -> list[str]:
    del given
    try:
        return list(await current_app().records.conversations.names(typed))
    except MtuError:  # typing a name must not fail; reading the list says what is wrong
        return []


async def _complete_media(typed: str, given: Mapping[str, str]) -> list[str]:
    del given
    try:
        files = await anyio.to_thread.run_sync(current_app().library.list)
    except MtuError:
        return []
    return [one.name for one in files if typed.casefold() in one.name.casefold()]


CAPABILITY = Capability(
    resources=(
        ResourceSpec("mtu://conversations", conversations, "Conversations"),
        ResourceSpec(
            "mtu://conversations/{name}",
            conversation,
            "One conversation",
            mime="text/markdown",
            complete={"name": _complete_conversation},
        ),
        ResourceSpec("mtu://media", media, "Files made"),
        ResourceSpec(
            "mtu://media/{name}",
            media_file,
            "One file",
            mime="application/octet-stream",
            complete={"name": _complete_media},
        ),
    )
)
