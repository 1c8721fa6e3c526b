"""Pictures on their way to a host: saved first, then shown small and linked.

Gemini models answer chat with the picture inside the text, as a Markdown link that holds all its bytes. Left there it
would fill a host's context with base64 and be lost; so it is taken out, kept, and its place says where it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from mtu_mcp.errors import MtuError

if TYPE_CHECKING:
    from mtu_mcp.app import App
    from mtu_mcp.capabilities._answers import Answer
    from mtu_mcp.gateway import ChatAnswer
    from mtu_mcp.media import Saved

MOST_SHOWN_BYTES: Final = 600_000
"""Claude Desktop takes 1 MB a result, base64 included."""
MOST_BYTES: Final = 64 * 1024 * 1024
_SIZE: Final = re.compile(r"\d{2,5}x\d{2,5}")
_FORMATS: Final = ("png", "jpeg", "webp")
_INSIDE: Final = re.compile(r"!\[[^\]]{0,200}\]\(\s*(data:image/[\w.+-]{1,40};base64,[A-Za-z0-9+/=_\-\s]*)\)")


def inside(text: str) -> list[str]:
    """Return the data URIs of the pictures inside a text."""
    return _INSIDE.findall(text) if "data:image/" in text else []


async def keep_picture(app: App, answer: Answer, data: bytes, title: str, about: Mapping[str, Any]) -> Saved | None:
    """Save one picture and show it; one that cannot be saved is still shown, for it is paid for."""
    from mtu_mcp.media import Media, kind_of, measure, preview

    kind = kind_of(data)
    figures = await measure(Media(title, kind, len(data), data=data))
    size = f" ({figures.width}x{figures.height})" if figures.dimensions else ""
    if kind.family != "image":
        answer.note(f"What came is {kind.mime}: what the gateway sent is no picture.")
    saved: Saved | None = None
    try:
        if app.settings.read_only:
            answer.say(f"A picture{size} was made; it is not kept because MTU_READ_ONLY is set.")
        else:
            saved = await app.library.save(data, title=title, extension=kind.extension, about=about)
    except MtuError as error:
        answer.say(f"A picture{size} was made, but could not be saved; below is all that is left of it.")
        answer.note(str(error))
    small = await preview(data) if saved else await preview(data, side=1024, max_bytes=MOST_SHOWN_BYTES)
    if small:
        answer.show(small)
    if saved:
        answer.say(f"Saved {saved.path}{size}")
        answer.link(saved)
    return saved


async def unlike(asked: Mapping[str, Any], data: bytes) -> str:
    """Say in which size or format a picture came that was asked for in another; empty where it is as asked."""
    from mtu_mcp.media import Media, kind_of, measure

    kind = kind_of(data)
    figures = await measure(Media("", kind, len(data), data=data))
    size, form = str(asked.get("size") or "").replace("*", "x"), str(asked.get("output_format") or "")
    pairs: list[tuple[str, str]] = []
    if _SIZE.fullmatch(size) and figures.dimensions and size != f"{figures.width}x{figures.height}":
        pairs.append((size, f"{figures.width}x{figures.height}"))
    if form in _FORMATS and kind.family == "image" and kind.mime != f"image/{form}":
        pairs.append((form, kind.mime.removeprefix("image/")))
    if not pairs:
        return ""
    wanted, came = zip(*pairs, strict=True)
    return f"Asked for {' '.join(wanted)}, but {' '.join(came)} came: the gateway or the model did not heed it."


async def take_out(app: App, answer: Answer, reply: ChatAnswer, title: str) -> ChatAnswer:
    """Return the answer with its pictures kept as files and named where they stood."""
    text = reply.text
    for uri in inside(text):
        data = await picture_bytes(app, answer, uri)
        saved = await keep_picture(app, answer, data, title, {"prompt": title, "model": reply.model}) if data else None
        place = f"[picture: {saved.uri}]" if saved else "[picture]"
        text = _INSIDE.sub(lambda _, place=place: place, text, count=1)
    return replace(reply, text=text.strip()) if text is not reply.text else reply


def without_pictures(text: str) -> str:
    """Return the words around the pictures."""
    return _INSIDE.sub("", text).strip()


async def picture_bytes(app: App, answer: Answer, uri: str) -> bytes:
    """Return the bytes of a data URI; none, and a remark, where it holds no picture."""
    from mtu_mcp.media import open_reference

    try:
        media = await open_reference(
            uri, workspace=app.workspace(), library=app.library, families=("image",), max_bytes=MOST_BYTES
        )
        return media.read()
    except MtuError as error:
        answer.note(f"A picture inside the answer cannot be read: {error.message}")
        return b""
