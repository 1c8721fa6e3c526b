"""The multipart form that carries files (RFC 7578).

The form is written by hand instead of by httpx because httpx reads files in the event loop, which would hold up every
other call while a large video is read from a slow disk. Sizes are taken first so that the form has a Content-Length:
several gateways refuse chunked uploads. A file is opened anew for every attempt, so a retry sends it whole.
"""

import secrets
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import SEEK_END
from typing import Any, Final, cast

import anyio
import anyio.to_thread

from mtu_mcp.errors import BadInput
from mtu_mcp.gateway.shapes import compact
from mtu_mcp.gateway.uploads import Upload

_PIECE: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart form: text fields, then files, in order."""

    fields: Sequence[tuple[str, str]]
    files: Sequence[tuple[str, Upload]]
    boundary: str = field(default_factory=lambda: f"mtu-{secrets.token_hex(16)}")

    @property
    def content_type(self) -> str:
        """The Content-Type header that goes with the body."""
        return f"multipart/form-data; boundary={self.boundary}"

    async def measure(self) -> "MeasuredForm":
        """Find out how long the body will be.

        Raises:
            BadInput: A file cannot be read.
        """
        head = b"".join(self._field(name, value) for name, value in self.fields)
        parts = [(self._file_head(name, upload), upload, await size_of(upload)) for name, upload in self.files]
        return MeasuredForm(head, parts, f"--{self.boundary}--\r\n".encode())

    def _field(self, name: str, value: str) -> bytes:
        text = value.encode("utf-8", "replace")
        return f'--{self.boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + text + b"\r\n"

    def _file_head(self, name: str, upload: Upload) -> bytes:
        mime = upload.mime if upload.mime.isascii() and upload.mime.isprintable() else ""
        return (
            f'--{self.boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{upload.safe_name}"\r\n'
            f"Content-Type: {mime or 'application/octet-stream'}\r\n\r\n"
        ).encode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class MeasuredForm:
    """A form whose length is known, ready to be sent once."""

    head: bytes
    parts: Sequence[tuple[bytes, Upload, int]]
    tail: bytes

    @property
    def length(self) -> int:
        """Bytes of the whole body."""
        return len(self.head) + len(self.tail) + sum(len(head) + size + 2 for head, _, size in self.parts)

    async def stream(self) -> AsyncIterator[bytes]:
        """Give the body in pieces.

        Raises:
            BadInput: A file changed its size or went away while it was sent.
        """
        yield self.head
        for head, upload, size in self.parts:
            yield head
            if not upload.on_disk:
                yield upload.data or b""
            else:
                async for piece in _pieces(upload, size):
                    yield piece
            yield b"\r\n"
        yield self.tail


def fields(options: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Options as form fields, the way the API reads them: lists as `name[]`, objects as `name[key]`, None left out."""
    for name, value in options.items():
        if isinstance(value, list | tuple):
            plain = name.removesuffix("[]")
            yield from ((f"{plain}[]", _written(item)) for item in cast("Sequence[object]", value))
        elif isinstance(value, Mapping):
            yield from ((f"{name}[{key}]", _written(item)) for key, item in cast("Mapping[str, object]", value).items())
        elif value is not None:
            yield name, _written(value)


def _written(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else compact(value)


async def size_of(upload: Upload) -> int:
    """Bytes of a file.

    Raises:
        BadInput: It cannot be read.
    """
    if not upload.on_disk:
        return len(upload.data or b"")
    try:
        return await anyio.to_thread.run_sync(_length, upload)
    except OSError as error:
        raise _unreadable(upload, error) from error


def _length(upload: Upload) -> int:
    with upload.open() as file:
        return file.seek(0, SEEK_END)


async def _pieces(upload: Upload, size: int) -> AsyncIterator[bytes]:
    left = size
    try:
        async with anyio.wrap_file(await anyio.to_thread.run_sync(upload.open)) as file:
            while left and (piece := await file.read(min(_PIECE, left))):
                left -= len(piece)
                yield piece
    except OSError as error:
        raise _unreadable(upload, error) from error
    if left:
        raise BadInput(f"{upload.safe_name} became shorter while it was sent.", advice="Send it again.")


def _unreadable(upload: Upload, error: OSError) -> BadInput:
    return BadInput(f"{upload.safe_name} cannot be read ({error.strerror or type(error).__name__}).")
