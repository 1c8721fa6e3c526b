"""Taking out of a picture what its maker did not mean to send: place, camera, owner, edits.

Nothing is decoded or encoded again: the metadata sits in segments of its own in JPEG, PNG and WebP, so leaving them
out changes no pixel and costs no quality. Which way is up is kept, else a model would see the picture lying. Pictures
whose parts point at each other are the matter of `blanking`, sound and video that of `redaction`.
"""

import re
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from mtu_mcp.media.blanking import blank_iso, blank_tiff, strip_gif
from mtu_mcp.media.kinds import Kind

# JPEG (ITU-T T.81): JFIF, colour profile and Adobe's colour transform stay; EXIF, XMP, Photoshop, comments go.
_JPEG_GOES: Final = frozenset(range(0xE1, 0xF0)) - {0xE2, 0xEE} | {0xFE}
_PNG_GOES: Final = frozenset({b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"tIME"})
_SCAN_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)


def strip_metadata(data: bytes, kind: Kind) -> bytes:
    """Leave out EXIF, GPS, XMP, IPTC and comments of a JPEG, PNG, WebP, GIF, HEIC, AVIF or TIFF picture.

    Args:
        data: The picture.
        kind: What it is.

    Returns:
        The picture without them, orientation kept; other kinds and pictures that cannot be read, unchanged.
    """
    strip = _STRIPPERS.get(kind.mime)
    if strip is None:
        return data
    try:
        return strip(data)
    except (ValueError, IndexError, KeyError, RecursionError, struct.error):
        return data


def _strip_jpeg(data: bytes) -> bytes:
    out = [b"\xff\xd8"]
    orientation, insert_at = 1, 1
    for marker, segment in _jpeg_segments(data):
        if marker == 0xE1 and segment[4:10] == b"Exif\x00\x00":
            orientation = _orientation(segment[10:])
        # APP2 carries colour profiles, but also further pictures with metadata of their own.
        if marker in _JPEG_GOES or (marker == 0xE2 and segment[4:15] != b"ICC_PROFILE"):
            continue
        out.append(segment)
        if marker == 0xE0:
            insert_at = len(out)
    if orientation != 1:
        exif = b"Exif\x00\x00" + _minimal_exif(orientation)
        out.insert(insert_at, b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif)
    return b"".join(out)


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Segments after the start, scans with their data; what follows the picture's end is left out."""
    offset = 2
    while offset + 4 <= len(data):
        marker = data[offset + 1]
        if data[offset] != 0xFF:
            raise ValueError("no marker")
        if marker == 0xFF:
            offset += 1
            continue
        if marker == 0xD9:
            break
        end = offset + 2 + struct.unpack_from(">H", data, offset + 2)[0]
        if marker == 0xDA:
            following = _SCAN_MARKER.search(data, end)
            # Without an end the picture was cut short; what is left of it is still cleaned.
            end = following.start() if following else len(data)
        if end > len(data) or end < offset + 4:
            raise ValueError("cut short")
        yield marker, data[offset:end]
        offset = end
    yield 0xD9, b"\xff\xd9"


def _strip_png(data: bytes) -> bytes:
    out = [data[:8]]
    offset = 8
    while offset + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, offset)
        end = offset + 12 + length
        if end > len(data):
            raise ValueError("cut short")
        if name not in _PNG_GOES:
            out.append(data[offset:end])
        elif name == b"eXIf" and (orientation := _orientation(data[offset + 8 : end - 4])) != 1:
            out.append(_png_chunk(name, _minimal_exif(orientation)))
        offset = end
        if name == b"IEND":
            return b"".join(out)
    raise ValueError("no end")


def _png_chunk(name: bytes, content: bytes) -> bytes:
    import zlib

    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _strip_webp(data: bytes) -> bytes:
    # RFC 9649, 2.7: VP8X flags announce EXIF (0x08) and XMP (0x04) chunks.
    out: list[bytes] = []
    offset, end = 12, min(len(data), 8 + struct.unpack_from("<I", data, 4)[0])
    while offset + 8 <= end:
        name, size = struct.unpack_from("<4sI", data, offset)
        stop = offset + 8 + size + size % 2
        if offset + 8 + size > end:
            raise ValueError("cut short")
        chunk = data[offset:stop]
        if name == b"VP8X":
            chunk = chunk[:8] + bytes([chunk[8] & ~0x0C]) + chunk[9:]
        if name == b"EXIF" and (orientation := _orientation(chunk[8:].removeprefix(b"Exif\x00\x00"))) != 1:
            exif = _minimal_exif(orientation)
            chunk = struct.pack("<4sI", name, len(exif)) + exif
            out[0] = out[0][:8] + bytes([out[0][8] | 0x08]) + out[0][9:]
        elif name in (b"EXIF", b"XMP "):
            chunk = b""
        out.append(chunk)
        offset = stop
    body = b"WEBP" + b"".join(out)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _orientation(exif: bytes) -> int:
    """The orientation in a TIFF block (EXIF 2.32, tag 0x0112), 1 when it has none."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None or len(exif) < 10:
        return 1
    start = struct.unpack_from(f"{order}I", exif, 4)[0]
    count = struct.unpack_from(f"{order}H", exif, start)[0]
    for index in range(min(count, 200)):
        tag, _, _, value = struct.unpack_from(f"{order}HHIH", exif, start + 2 + index * 12)
        if tag == 0x0112:
            return value if 1 <= value <= 8 else 1
    return 1


def _minimal_exif(orientation: int) -> bytes:
    return b"MM\x00*\x00\x00\x00\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)


_STRIPPERS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "image/jpeg": _strip_jpeg,
    "image/png": _strip_png,
    "image/webp": _strip_webp,
    "image/gif": strip_gif,
    "image/heic": blank_iso,
    "image/avif": blank_iso,
    "image/tiff": blank_tiff,
}
