"""Text out of a file the model names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio.to_thread

from mtu_mcp.errors import BadInput

if TYPE_CHECKING:
    from mtu_mcp.app import App

MOST_BYTES: Final = 4 * 1024 * 1024
"""Bytes of a text file; a thick novel has one million."""


async def read_text(app: App, roots: Sequence[Path], reference: str) -> tuple[str, str]:
    """Return a text file's name and its text.

    Args:
        app: The running server.
        roots: The host's folders.
        reference: A path, URL, data URI or mtu://media/ link.

    Raises:
        BadInput: It is no text, or empty.
        LimitExceeded: It is longer than `MOST_BYTES`.
    """
    from mtu_mcp.media import open_reference

    media = await open_reference(
        reference,
        workspace=app.workspace(roots),
        library=app.library,
        families=("document", "unknown"),
        max_bytes=MOST_BYTES,
        keep_urls=False,
        download=app.download,
    )
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
