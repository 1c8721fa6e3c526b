"""Small pictures for a conversation; the whole one stays in its file.

Hosts show or pay for what is inline, and several refuse a result over a megabyte. Decoding is the dangerous part:
few formats, a limit on pixels before any is decoded, a thread of its own, and no preview rather than an error.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mtu_mcp.errors import MtuError

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS: Final = 64_000_000
"""Pixels decoded at most: beyond any camera phone's usual picture, 256 MB as RGBA."""
_MAX_BYTES: Final = 100_000_000
_FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
_MIMES: Final = {"JPEG": "image/jpeg", "PNG": "image/png"}


@dataclass(frozen=True, slots=True)
class Preview:
    """A small picture: its bytes, their media type, its size in pixels."""

    data: bytes
    mime: str
    width: int
    height: int


async def preview(source: bytes | Path, *, side: int = 512, max_bytes: int = 150_000) -> Preview | None:
    """Make a small picture of a large one.

    Args:
        source: The picture, or the file it is in; the file must have been checked before.
        side: The longer side's pixels at most; a smaller picture keeps its size.
        max_bytes: The most bytes the preview may have.

    Returns:
        JPEG, or PNG where something is transparent and it fits; None when it is no picture that can be decoded
        safely: another format, damaged, more than `MAX_PIXELS`.
    """
    import anyio.to_thread

    return await anyio.to_thread.run_sync(_preview, source, side, max_bytes)


def within_pixels(source: bytes) -> bool:
    """Whether the header claims a known size of at most `MAX_PIXELS`."""
    from mtu_mcp.media.measuring import measure_stream

    size = measure_stream(io.BytesIO(source), "image/*").dimensions
    return size is not None and size[0] * size[1] <= MAX_PIXELS


def _preview(source: bytes | Path, side: int, max_bytes: int) -> Preview | None:
    from PIL import Image

    try:
        data = _read(source) if isinstance(source, Path) else source
        if not within_pixels(data):
            return None
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            # What the decoder says counts too: it may read another size than the header's first words.
            if image.width * image.height > MAX_PIXELS:
                return None
            small = _shrunk(image, side)
        return next((made for made in _encodings(small) if len(made.data) <= max_bytes), None)
    except (OSError, ValueError, SyntaxError, ArithmeticError, LookupError, MemoryError, MtuError, EOFError):
        return None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None


def _read(path: Path) -> bytes:
    from mtu_mcp.media.opening import open_inside

    with open_inside(str(path.parent), path.name) as stream:
        data = stream.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise ValueError("too large to show")
    return data


def _shrunk(image: "Image.Image", side: int) -> "Image.Image":
    from PIL import ImageOps

    image.draft("RGB", (side, side))
    image.thumbnail((side, side))
    upright = ImageOps.exif_transpose(image)
    transparent = upright.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in upright.info
    small = upright.convert("RGBA" if transparent else "RGB")
    return small.convert("RGB") if transparent and small.getchannel("A").getextrema() == (255, 255) else small


def _encodings(small: "Image.Image") -> Iterator[Preview]:
    """Encodings of the picture, the best first, ever smaller."""
    if small.mode == "RGBA":
        yield _encoded(small, "PNG", {"optimize": True})
        small = _on_white(small)
    for quality in (82, 65, 45):
        yield _encoded(small, "JPEG", {"quality": quality, "optimize": True})
    while min(small.size) > 32:
        small = small.reduce(2)
        yield _encoded(small, "JPEG", {"quality": 65, "optimize": True})


def _encoded(image: "Image.Image", form: str, options: dict[str, object]) -> Preview:
    out = io.BytesIO()
    image.save(out, form, **options)
    return Preview(out.getvalue(), _MIMES[form], image.width, image.height)


def _on_white(image: "Image.Image") -> "Image.Image":
    from PIL import Image

    ground = Image.new("RGB", image.size, "white")
    ground.paste(image, mask=image.getchannel("A"))
    return ground
