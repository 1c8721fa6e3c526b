"""Text that a tool takes as it is or out of a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio.to_thread

from mtu_mcp.capabilities._opening import open_here
from mtu_mcp.errors import BadInput

if TYPE_CHECKING:
    from mtu_mcp.app import App

MOST_BYTES: Final = 4 * 1024 * 1024
"""Bytes of a text file; a thick novel has one million."""


async def text_or_file(app: App, roots: Sequence[Path], text: str | None, file: str | None) -> tuple[str, str]:
    """Return the name of a text file and its text; of a text that came without a file, no name.

    Args:
        app: The running server.
        roots: The host's folders.
        text: The text itself.
        file: Or a path, URL, data URI or mtu://media/ link of it.

    Raises:
        BadInput: There are both or neither, or the file is no text, or empty.
        LimitExceeded: The file is longer than `MOST_BYTES`.
    """
    if (text is None) == (file is None):
        raise BadInput("Give either text or file.")
    return await _read(app, roots, file) if file is not None else ("", text or "")


async def _read(app: App, roots: Sequence[Path], file: str) -> tuple[str, str]:
    media = await open_here(app, app.workspace(roots), file, ("document", "unknown"), MOST_BYTES)
    text = decoded(await anyio.to_thread.run_sync(media.read))
    if text is None:
        raise BadInput(
            f"{media.name} is no plain text ({media.kind.mime}).",
            advice="Give a .txt, .md, .srt or .vtt file, or the text itself.",
        )
    if not text.strip():
        raise BadInput(f"{media.name} holds no text.")
    return media.name, text


def decoded(data: bytes) -> str | None:
    """Text from bytes: UTF-8, UTF-16 with its mark, or GB 18030, in which old Chinese files are; None when it is none."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _strictly(data, "utf-16")
    found = _strictly(data, "utf-8-sig")
    return found if found is not None else _strictly(data, "gb18030")


def _strictly(data: bytes, codec: str) -> str | None:
    try:
        text = data.decode(codec)
    except UnicodeDecodeError:
        return None
    # A file that happens to decode is still no text when it is full of control characters or of what nobody assigned.
    odd = sum(not (letter.isprintable() or letter.isspace()) for letter in text)
    return text if odd * 200 <= len(text) else None
