"""What a model may write where a file is wanted: a path, an address, a data: URI, or mtu://media/NAME.

One function opens all four, so that every tool takes all four and the checks sit in one place. What comes back is
not the bytes but where they are: a recording of 200 MB is measured and sent from disk, never held.
"""

import io
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from mtu_mcp.errors import BadInput, LimitExceeded
from mtu_mcp.media import kinds, names
from mtu_mcp.media.kinds import Kind
from mtu_mcp.media.media import Media

if TYPE_CHECKING:
    from mtu_mcp.media.download import Fetched
    from mtu_mcp.media.library import Library
    from mtu_mcp.media.workspace import Workspace

LIBRARY_PREFIX: Final = "mtu://media/"
_DOWNLOAD_SECONDS: Final = 120.0
_WITHOUT_PICTURE: Final = {
    "video/mp4": "m4a",
    "video/quicktime": "m4a",
    "video/3gpp": "3ga",
    "video/webm": "weba",
    "video/x-matroska": "mka",
}

_CLEANED: Final = ("image", "audio", "video")

Download = Callable[[str, int], Awaitable["Fetched"]]
"""Downloads an address: the address and the most bytes to take."""


async def open_reference(
    text: str,
    *,
    workspace: "Workspace",
    library: "Library",
    families: Sequence[str],
    max_bytes: int,
    keep_urls: bool = True,
    download: Download | None = None,
) -> Media:
    """Open whatever a model wrote where a file is wanted.

    Args:
        text: A path, a `file:`, `data:` or http(s) address, or `mtu://media/NAME`.
        workspace: The folders this call may read, and whether what is sent keeps its metadata.
        library: The output folder.
        families: The families accepted, such as `("audio", "video")`.
        max_bytes: The most bytes accepted; checked before reading.
        keep_urls: Pass http(s) addresses on for the gateway to fetch; else download them.
        download: Downloads an address; `fetch` with its own limits when None.

    Raises:
        BadInput: No usable reference, or the wrong family; the message says what it is and what is accepted.
        LimitExceeded: More than `max_bytes`, with both figures.
        NotFound: No such file.
        PathNotAllowed: Outside the allowed folders.
        UrlNotAllowed: A download this server will not make.
    """
    import anyio.to_thread

    text = text.strip()
    scheme = text[:12].partition(":")[0].lower() if ":" in text[:12] else ""
    if scheme in ("http", "https"):
        media = await _address(text, max_bytes, None if keep_urls else download or _download)
    elif scheme == "data":
        media = await anyio.to_thread.run_sync(_inline, text, max_bytes)
    elif scheme == "mtu":
        media = await anyio.to_thread.run_sync(_saved, text, library, max_bytes)
    else:
        media = await anyio.to_thread.run_sync(_file, text, workspace, max_bytes)
    _require_family(media, families)
    if media.kind.family in _CLEANED and not media.url and not workspace.keep_metadata:
        return await anyio.to_thread.run_sync(without_metadata, media)
    return media


def without_metadata(media: Media) -> Media:
    """A picture, sound or video that leaves without place, camera and owner, however often it is opened. Blocking.

    A file stays where it is and is cleaned each time it is opened, so that many large ones are never held together.

    Raises:
        LimitExceeded: The file grew since it was checked.
    """
    from mtu_mcp.media.privacy import strip_metadata
    from mtu_mcp.media.redaction import redacted

    picture = media.kind.family == "image"
    if media.data is not None and picture:
        data = strip_metadata(media.data, media.kind)
        return replace(media, data=data, size=len(data))
    if media.data is not None:
        return replace(media, data=redacted(io.BytesIO(media.data), media.kind.mime).read())
    if not picture:
        # The length stays, so a film is never read through only to be measured.
        return replace(media, opener=lambda: redacted(media.open(), media.kind.mime))

    def cleaned() -> BinaryIO:
        return io.BytesIO(strip_metadata(media.read(), media.kind))

    with cleaned() as stream:
        size = stream.seek(0, io.SEEK_END)
    return replace(media, size=size, opener=cleaned)


async def _download(url: str, max_bytes: int) -> "Fetched":
    from mtu_mcp.media.download import fetch

    return await fetch(url, max_bytes=max_bytes, timeout=_DOWNLOAD_SECONDS)


async def _address(url: str, max_bytes: int, download: Download | None) -> Media:
    from mtu_mcp.media.download import check_form

    check_form(url, allow_http=True)
    if download is None:
        last = unquote(urlsplit(url).path).rpartition("/")[2]
        return Media(name=names.safe_name(last), kind=kinds.kind_of_name(last), url=url)
    fetched = await download(url, max_bytes)
    if fetched.spool is not None:
        import anyio.to_thread

        # The opener holds the file: it is there as long as this, or what is sent of it, is.
        media = await anyio.to_thread.run_sync(_described, fetched.spool.path, fetched.spool.open, max_bytes)
        return replace(media, name=_fitting(fetched.name or "file", media.kind))
    return from_bytes(fetched.data, fetched.name)


def from_bytes(data: bytes, name: str = "") -> Media:
    """Media made of bytes in memory; its kind comes from the bytes, its extension from the kind."""
    kind = settled(kinds.kind_of(data[: kinds.HEAD], name), io.BytesIO(data))
    return Media(name=_fitting(name or "file", kind), kind=kind, size=len(data), data=data)


def _inline(text: str, max_bytes: int) -> Media:
    header, comma, body = text.partition(",")
    if not comma or len(header) > 300:
        raise BadInput("The data: URI has no comma after its media type.", advice="Write data:image/png;base64,...")
    if not header.lower().endswith(";base64"):
        _require_size(len(body) // 3, max_bytes, "The data: URI")
        data = unquote_to_bytes(body)
    else:
        # Four characters make three bytes; the bound holds before anything is decoded. White space comes on top.
        _require_size(len(body) * 3 // 5, max_bytes, "The data: URI")
        data = decode_base64(unquote(body) if "%" in body else body)
    _require_size(len(data), max_bytes, "The data: URI")
    if not data:
        raise BadInput("The data: URI is empty.")
    return from_bytes(data)


def decode_base64(text: str) -> bytes:
    """Decode base64, either alphabet, with white space or missing padding.

    Raises:
        BadInput: It holds anything else.
    """
    import binascii

    plain = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return binascii.a2b_base64(plain + "=" * (-len(plain) % 4), strict_mode=True)
    except ValueError as error:
        raise BadInput(
            "The data: URI is not valid base64.", advice="Encode the file again, or give its path."
        ) from error


def _saved(text: str, library: "Library", max_bytes: int) -> Media:
    if not text.lower().startswith(LIBRARY_PREFIX):
        raise BadInput(f"{names.quote(text)} is no file.", advice=f"Saved files are {LIBRARY_PREFIX}NAME.")
    saved = library.find(unquote(text[len(LIBRARY_PREFIX) :]))
    return _described(saved.path, lambda: library.open(saved.name), max_bytes)


def _file(text: str, workspace: "Workspace", max_bytes: int) -> Media:
    path = workspace.locate(text)
    return _described(path, lambda: workspace.open(path), max_bytes)


def _described(path: Path, opener: Callable[[], BinaryIO], max_bytes: int) -> Media:
    with opener() as stream:
        size = stream.seek(0, io.SEEK_END)
        _require_size(size, max_bytes, names.quote(path.name))
        if not size:
            raise BadInput(f"{names.quote(path.name)} is empty.")
        stream.seek(0)
        kind = settled(kinds.kind_of(stream.read(kinds.HEAD), path.name), stream)
    return Media(name=_fitting(path.name, kind), kind=kind, size=size, path=path, opener=opener)


def settled(kind: Kind, stream: BinaryIO) -> Kind:
    """The kind, with containers for video that hold sound alone told apart: voice memos, browser recordings."""
    extension = _WITHOUT_PICTURE.get(kind.mime)
    if extension is None:
        return kind
    from mtu_mcp.media.measuring import measure_stream

    figures = measure_stream(stream, kind.mime)
    return kinds.kind_of_name("x." + extension) if figures.has_sound and figures.has_picture is False else kind


def _fitting(name: str, kind: Kind) -> str:
    """A name whose extension fits the bytes: receivers go by it."""
    safe = names.safe_name(name)
    if kind.family == "unknown" or kinds.kind_of_name(safe) == kind:
        return safe
    return f"{safe.rpartition('.')[0] or safe}.{kind.extension}"


def _require_size(size: int, max_bytes: int, what: str) -> None:
    if size > max_bytes:
        raise LimitExceeded(
            f"{what} has {size:,} bytes; at most {max_bytes:,} are accepted here.",
            advice="Use a smaller, shorter or more compressed file.",
        )


def _require_family(media: Media, families: Sequence[str]) -> None:
    family = media.kind.family
    if family in families or (media.url and family == "unknown"):
        return
    accepted = " or ".join(families)
    what = "of no known kind" if family == "unknown" else f"{media.kind.mime} ({family})"
    raise BadInput(f"{names.quote(media.name)} is {what}; accepted here: {accepted}.", advice=f"Give one: {accepted}.")
