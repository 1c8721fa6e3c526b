"""Width and height of pictures from their headers, without decoding a pixel.

A decoder is the most attacked code there is and a bomb goes off in it; whether a picture may reach one is decided
by these few bytes.
"""

from typing import Final

from mtu_mcp.media.measurement import NOTHING, Measurement
from mtu_mcp.media.window import Window

_MAX_SEGMENTS: Final = 2000
# Start-of-frame markers of JPEG (ITU-T T.81, table B.1): C0-CF without DHT (C4), JPG (C8), DAC (CC).
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def picture_size(window: Window) -> Measurement:
    """The size of a PNG, JPEG, GIF, WebP or BMP picture; nothing for others and for broken ones."""
    head = window.at(0, 32)
    size: tuple[int, int] | None = None
    if head.startswith(b"\x89PNG") and head[12:16] == b"IHDR":
        size = window.number(16, 4), window.number(20, 4)
    elif head.startswith(b"GIF8"):
        size = window.number(6, 2, little=True), window.number(8, 2, little=True)
    elif head.startswith(b"\xff\xd8"):
        size = _jpeg(window)
    elif head[8:12] == b"WEBP":
        size = _webp(head)
    elif head.startswith(b"BM") and len(head) >= 26:
        # Signed: a negative height means rows from the top.
        width, height = (int.from_bytes(head[at : at + 4], "little", signed=True) for at in (18, 22))
        size = abs(width), abs(height)
    if size is None or not all(size):
        return NOTHING
    return Measurement(width=size[0], height=size[1])


def _jpeg(window: Window) -> tuple[int, int] | None:
    offset = 2
    for _ in range(_MAX_SEGMENTS):
        while window.at(offset + 1, 1) == b"\xff":
            offset += 1
        header = window.at(offset, 9)
        if len(header) < 4 or header[0] != 0xFF or header[1] in (0xD9, 0xDA):
            return None
        if header[1] in _FRAMES:
            return (int.from_bytes(header[7:9]), int.from_bytes(header[5:7])) if len(header) == 9 else None
        offset += 2 + (0 if 0xD0 <= header[1] <= 0xD8 or header[1] == 1 else int.from_bytes(header[2:4]))
    return None


def _webp(head: bytes) -> tuple[int, int] | None:
    # RFC 9649: VP8X carries 24-bit sizes less one, VP8L 14-bit sizes less one, VP8 14-bit sizes.
    if len(head) < 30:
        return None
    if head[12:16] == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if head[12:16] == b"VP8L" and head[20] == 0x2F:
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if head[12:16] == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
    return None
