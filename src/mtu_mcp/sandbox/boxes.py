"""Headers and tags of nested containers: MP4 (and 3GP, MOV, M4A) and Matroska (and WebM).

Only headers are walked; samples are never decoded. Sources: ISO/IEC 14496-12 (boxes), the QuickTime ``ilst`` metadata
layout, RFC 8794 (EBML) and RFC 9559 (Matroska element ids).
"""

import struct
from collections.abc import Iterator

from mtu_mcp.sandbox.frames import Facts

_ILST_NAMES = {
    b"\xa9cmt": "comment",
    b"\xa9lyr": "lyrics",
    b"\xa9nam": "title",
    b"desc": "description",
    b"ldes": "description",
}
_NESTS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"udta", b"ilst"})

_SEGMENT, _INFO, _TIMESTAMP_SCALE, _DURATION = 0x18538067, 0x1549A966, 0x2AD7B1, 0x4489
_TRACKS, _TRACK, _AUDIO, _RATE, _CHANNELS = 0x1654AE6B, 0xAE, 0xE1, 0xB5, 0x9F
_TAGS, _TAG, _SIMPLE_TAG, _TAG_NAME, _TAG_STRING = 0x1254C367, 0x7373, 0x67C8, 0x45A3, 0x4487
_EBML_NESTS = frozenset({_SEGMENT, _INFO, _TRACKS, _TRACK, _AUDIO, _TAGS, _TAG})


def mp4_facts(data: bytes) -> Facts:
    """Read length, sound track shape and comment tags of an MP4, M4A, MOV or 3GP file."""
    seconds, rate, channels = 0.0, 0, 0
    tags: dict[str, str] = {}
    for path, start, end in _walk_boxes(data, 0, len(data), ()):
        name = path[-1]
        if name == b"mvhd":
            seconds = _movie_seconds(data[start:end])
        elif name == b"stsd" and not rate:
            rate, channels = _sound_entry(data[start:end])
        elif len(path) > 1 and path[-2] == b"ilst" and name in _ILST_NAMES:
            size = int.from_bytes(data[start : start + 4], "big")
            tags.setdefault(_ILST_NAMES[name], data[start + 16 : start + size].decode("utf-8", errors="replace"))
    return Facts(seconds, rate, channels, tags)


def _walk_boxes(
    data: bytes, at: int, end: int, path: tuple[bytes, ...]
) -> Iterator[tuple[tuple[bytes, ...], int, int]]:
    """Yield ``(path, start of body, end)`` of every box whose ancestors only hold boxes."""
    while at + 8 <= end:
        size, name = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1 and at + 16 <= end:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        stop = end if size == 0 else min(end, at + size)
        if stop <= at + head - 1 or size in range(1, 8):
            return
        here, body = (*path, name), at + head
        yield here, body, stop
        if name in _NESTS:
            yield from _walk_boxes(data, body, stop, here)
        elif name == b"meta":
            # ISO files give "meta" a version word; QuickTime files do not.
            yield from _walk_boxes(data, body if data[body + 4 : body + 8] == b"hdlr" else body + 4, stop, here)
        at = stop


def _movie_seconds(body: bytes) -> float:
    if body[:1] == b"\x01" and len(body) >= 32:
        scale, length = struct.unpack_from(">IQ", body, 20)
    elif len(body) >= 20:
        scale, length = struct.unpack_from(">II", body, 12)
    else:
        return 0.0
    return length / scale if scale else 0.0


def _sound_entry(body: bytes) -> tuple[int, int]:
    """Read an audio sample entry: its rate is 16.16 fixed point; (0, 0) for a track of another kind."""
    if len(body) < 44 or body[12:16] not in {
        b"mp4a",
        b"samr",
        b"sawb",
        b"Opus",
        b"fLaC",
        b"alac",
        b"ac-3",
        b".mp3",
        b"sowt",
    }:
        return 0, 0
    return int.from_bytes(body[40:42], "big"), int.from_bytes(body[32:34], "big")


def webm_facts(data: bytes) -> Facts:
    """Read length, sound track shape and tags of a Matroska or WebM file."""
    scale, ticks, rate, channels = 1_000_000, 0.0, 0, 0
    tags: dict[str, str] = {}
    for ident, start, end in _walk_elements(data, 0, len(data)):
        body = data[start:end]
        if ident == _TIMESTAMP_SCALE:
            scale = int.from_bytes(body, "big")
        elif ident == _DURATION:
            ticks = _ebml_float(body)
        elif ident == _RATE:
            rate = rate or round(_ebml_float(body))
        elif ident == _CHANNELS:
            channels = channels or int.from_bytes(body, "big")
        elif ident == _SIMPLE_TAG:
            pair = {inner: data[left:right] for inner, left, right in _walk_elements(data, start, end)}
            name = pair.get(_TAG_NAME, b"").decode("utf-8", errors="replace").lower()
            tags[name] = pair.get(_TAG_STRING, b"").decode("utf-8", errors="replace")
    return Facts(ticks * scale / 1e9, rate, channels, tags)


def _walk_elements(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    while at < end:
        ident, at = _ebml_number(data, at, keep_marker=True)
        size, at = _ebml_number(data, at, keep_marker=False)
        stop = end if size < 0 else min(end, at + size)
        yield ident, at, stop
        if ident in _EBML_NESTS:
            yield from _walk_elements(data, at, stop)
        at = stop


def _ebml_number(data: bytes, at: int, *, keep_marker: bool) -> tuple[int, int]:
    """Read one EBML variable-length number; -1 stands for "unknown size" (all value bits set)."""
    first = data[at]
    if not first:
        msg = "not an EBML number"
        raise ValueError(msg)
    width = 9 - first.bit_length()
    value = int.from_bytes(data[at : at + width], "big")
    mask = (1 << 7 * width) - 1
    if not keep_marker:
        value = -1 if value & mask == mask else value & mask
    return value, at + width


def _ebml_float(body: bytes) -> float:
    forms = {4: ">f", 8: ">d"}
    return float(struct.unpack(forms[len(body)], body)[0]) if len(body) in forms else 0.0
