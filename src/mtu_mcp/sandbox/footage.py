"""What the headers of a video file tell: length, size, number of pictures, and whether it has sound.

Only headers are read. MP4, MOV and 3GP (ISO/IEC 14496-12 boxes), AVI (its main and stream headers) and Matroska are
known; FLV and WMV are recognised but not measured.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from mtu_mcp.sandbox.boxes import webm_facts

_NESTS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl"})


@dataclass(slots=True)
class Footage:
    """Zero or False where the headers do not tell."""

    kind: str
    seconds: float = 0.0
    width: int = 0
    height: int = 0
    pictures: int = 0
    sound: bool = False


def describe_footage(data: bytes) -> Footage | None:
    """Measure a video file; None when it is none that is known."""
    try:
        if data[4:8] == b"ftyp" or data[4:8] in {b"moov", b"mdat"}:
            return _read_mp4(data)
        if data[:4] == b"RIFF" and data[8:12] == b"AVI ":
            return _read_avi(data)
        if data[:4] == b"\x1aE\xdf\xa3":
            return _read_matroska(data)
    except (struct.error, IndexError, ValueError):
        return None
    if data[:3] == b"FLV":
        return Footage("FLV", sound=len(data) > 4 and bool(data[4] & 4))
    return Footage("WMV") if data[:4] == b"\x30\x26\xb2\x75" else None


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    while at + 8 <= end:
        size, name = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            size, head = struct.unpack_from(">Q", data, at + 8)[0], 16
        stop = min(end, at + size) if size else end
        if stop < at + head:
            return
        yield name, at + head, stop
        if name in _NESTS:
            yield from _boxes(data, at + head, stop)
        at = stop


def _read_mp4(data: bytes) -> Footage:
    found = Footage("MP4")
    handler, size = b"", (0, 0)
    for name, start, stop in _boxes(data, 0, len(data)):
        if name == b"mvhd":
            wide = data[start] == 1
            scale, length = struct.unpack_from(">IQ" if wide else ">II", data, start + (20 if wide else 12))
            found.seconds = length / scale if scale else 0.0
        elif name == b"tkhd":
            size = struct.unpack_from(">II", data, stop - 8)
        elif name == b"hdlr":
            handler = data[start + 8 : start + 12]
            found.sound = found.sound or handler == b"soun"
            if handler == b"vide":
                found.width, found.height = size[0] >> 16, size[1] >> 16
        elif name == b"stsz" and handler == b"vide":
            found.pictures = struct.unpack_from(">I", data, start + 8)[0]
    return found


def _read_avi(data: bytes) -> Footage:
    found = Footage("AVI", sound=b"auds" in data[:4096])
    at = data.find(b"avih", 0, 4096) + 8
    if at > 8:
        micros, pictures = struct.unpack_from("<I", data, at)[0], struct.unpack_from("<I", data, at + 16)[0]
        found.width, found.height = struct.unpack_from("<II", data, at + 32)
        found.pictures, found.seconds = pictures, micros * pictures / 1_000_000
    return found


def _read_matroska(data: bytes) -> Footage:
    facts = webm_facts(data)
    found = Footage("MKV", facts.seconds, sound=facts.rate > 0)
    track = data.find(b"\xe0", data.find(b"\x16\x54\xae\x6b"))
    for mark, name in ((b"\xb0", "width"), (b"\xba", "height")):
        at = data.find(mark, track, track + 64)
        if at > 0:
            length = data[at + 1] & 0x7F
            setattr(found, name, int.from_bytes(data[at + 2 : at + 2 + min(length, 4)], "big"))
    return found
