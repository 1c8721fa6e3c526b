"""What is private in the tags of sound files: RIFF chunks, AIFF chunks, ID3 frames, FLAC comments.

Each function tells which bytes to overwrite so that an entry is empty and everything stays where it is.
"""

import struct
from collections.abc import Iterator
from typing import Final

from mtu_mcp.media.kinds import synchsafe
from mtu_mcp.media.overlay import Patch
from mtu_mcp.media.window import Window

_MAX_PARTS: Final = 10_000

_STAY: Final = frozenset({"TITLE", "COMMENT", "DESCRIPTION", "SUMMARY", "LYRICS", "UNSYNCEDLYRICS", "TRANSCRIPT"})
_FRAMES_STAY: Final = frozenset({b"COMM", b"USLT", b"SYLT", b"TIT1", b"TIT2", b"TIT3", b"COM", b"ULT", b"SLT", b"TT2"})

# EBU Tech 3285 (bext), the iXML specification, Exif 2.32 section 5 and makers' own.
_CHUNKS_GO: Final = frozenset({b"bext", b"iXML", b"axml", b"aXML", b"id3 ", b"ID3 ", b"_PMX", b"IDIT", b"strd"})
_LISTS_GO: Final = frozenset({b"exif", b"ncdt"})
_INFO_STAYS: Final = frozenset({b"INAM", b"ICMT", b"ISBJ"})
_AIFF_GOES: Final = frozenset({b"AUTH", b"APPL", b"ID3 "})


def stays(title: bytes) -> bool:
    """Whether a tag of this name tells what the recording is about."""
    return title.strip(b"\0 ").decode("utf-8", "replace").upper() in _STAY


def riff(window: Window) -> Iterator[Patch]:
    """WAV and AVI."""
    yield from _riff(window, 12, window.size)


def _riff(window: Window, start: int, end: int) -> Iterator[Patch]:
    for name, first, last in _chunks(window, start, end, little=True):
        kind = window.at(first, 4) if name == b"LIST" else b""
        if kind in (b"hdrl", b"strl"):
            yield from _riff(window, first + 4, last)
        elif kind == b"INFO":
            inner = _chunks(window, first + 4, last, little=True)
            yield from (Patch(at, to) for one, at, to in inner if one not in _INFO_STAYS)
        elif name in _CHUNKS_GO or kind in _LISTS_GO:
            yield Patch(first - 8, first - 4, b"JUNK")
            yield Patch(first, last)


def aiff(window: Window) -> Iterator[Patch]:
    """AIFF and AIFC, which know no padding: the chunk keeps its name and becomes empty."""
    return (Patch(at, to) for name, at, to in _chunks(window, 12, window.size, little=False) if name in _AIFF_GOES)


def _chunks(window: Window, start: int, end: int, *, little: bool) -> Iterator[tuple[bytes, int, int]]:
    for _ in range(_MAX_PARTS):
        name, size = window.at(start, 4), window.number(start + 4, 4, little=little)
        if len(name) < 4 or start >= end:
            return
        yield name, start + 8, min(start + 8 + size, end)
        start += 8 + size + size % 2


def id3(window: Window) -> Iterator[Patch]:
    """ID3v2 tags at the start; the 128 bytes of ID3v1 have no room for a place."""
    offset = 0
    while (head := window.at(offset, 10))[:3] == b"ID3" and len(head) == 10:
        end = min(offset + 10 + synchsafe(head[6:10]), window.size)
        if head[3] not in (2, 3, 4) or head[5] & ~0x10:
            # Scrambled, extended or of a version to come: an empty tag.
            yield Patch(offset + 5, offset + 6, bytes([head[5] & 0x10]))
            yield Patch(offset + 10, end)
        else:
            yield from _frames(window, offset + 10, end, head[3])
        offset = end + (10 if head[5] & 0x10 else 0)


def _frames(window: Window, at: int, end: int, version: int) -> Iterator[Patch]:
    letters, header = (3, 6) if version == 2 else (4, 10)
    for _ in range(_MAX_PARTS):
        name, raw = window.at(at, letters), window.at(at + letters, letters)
        if at + header > end or not name.strip(b"\0"):
            break
        size = synchsafe(raw) if version == 4 and max(raw) < 128 else int.from_bytes(raw)
        stop = at + header + size
        if stop > end:
            # A size that cannot be: nothing from here on can be told apart.
            yield Patch(at, end)
            break
        if name not in _FRAMES_STAY and not (name in (b"TXXX", b"TXX") and _own_text_stays(window.at(at + header, 64))):
            yield Patch(at + header, stop)
        at = stop


def _own_text_stays(content: bytes) -> bool:
    """A frame whose name is in it (ID3v2.4, 4.2.6): encoding, name, value."""
    title = content[1:]
    if content[:1] in (b"\x01", b"\x02"):
        # UTF-16; no name of interest holds anything but ASCII.
        title = title.removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff").split(b"\0\0")[0].replace(b"\0", b"")
    return stays(title.split(b"\0")[0])


def flac(window: Window) -> Iterator[Patch]:
    """FLAC (RFC 9639, section 8): application data and pictures become padding, comments are gone through."""
    yield from id3(window)
    offset = 0
    while (head := window.at(offset, 10))[:3] == b"ID3" and len(head) == 10:
        offset += 10 + synchsafe(head[6:10]) + (10 if head[5] & 0x10 else 0)
    offset += 4
    for _ in range(_MAX_PARTS):
        kind, length = window.number(offset, 1), window.number(offset + 1, 3)
        first, last = offset + 4, min(offset + 4 + length, window.size)
        if kind & 127 in (2, 6):
            yield Patch(offset, offset + 1, bytes([kind & 128 | 1]))
            yield Patch(first, last)
        elif kind & 127 == 4:
            yield from comments(window.at(first, last - first), first)
        offset = last
        if kind & 128 or offset >= window.size:
            return


def comments(block: bytes, start: int) -> Iterator[Patch]:
    """NAME=value pairs; a value that goes becomes spaces."""
    at = 4 + struct.unpack_from("<I", block)[0]
    count = min(struct.unpack_from("<I", block, at)[0], _MAX_PARTS)
    at += 4
    for _ in range(count):
        size = struct.unpack_from("<I", block, at)[0]
        pair = block[at + 4 : at + 4 + size]
        title, equals, value = pair.partition(b"=")
        if not stays(title):
            stop = start + at + 4 + len(pair)
            yield Patch(stop - len(value if equals else pair), stop, fill=0x20)
        at += 4 + size
