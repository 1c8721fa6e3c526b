"""What is private in formats made of packets: Ogg's comments, ASF's descriptions, FLV's messages.

Each function tells which bytes to overwrite so that everything stays where it is. A page of Ogg has a checksum over all of
it (RFC 3533, section 6), which decoders heed: it is worked out anew for pages with something overwritten.
"""

import contextlib
import struct
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from mtu_mcp.media.overlay import Patch
from mtu_mcp.media.tagging import comments, stays
from mtu_mcp.media.window import Window

_MAX_PAGES: Final = 400_000
_MAX_PACKET: Final = 32 << 20
"""Bytes of comments that are gone through; a cover picture has one or two million."""
_MAX_TAGS: Final = 1_000_000
_MAX_PARTS: Final = 10_000
_MAX_DEPTH: Final = 16

_COMMENTED: Final = {b"OpusHead": 8, b"\x01vorbis": 7, b"\x80theora": 7, b"Speex   ": 0}
"""How a stream begins, and how many bytes stand before the comments in its second packet."""
_FLAC: Final = b"\x7fFLAC"
_REVERSED: Final = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))


@dataclass(slots=True)
class _Stream:
    """One of the streams that an Ogg file weaves together, until its comments are gone through."""

    before: int = -1
    packets: int = 0
    spans: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])


def ogg(window: Window) -> Iterator[Patch]:
    """Ogg with Opus, Vorbis, Speex, Theora (RFC 7845, 5.2; Vorbis I, 5) or FLAC (RFC 9639, 10.1)."""
    pages = _Pages(window)
    # What was found before it makes no sense is still taken out, with its checksums.
    with contextlib.suppress(ValueError, IndexError, struct.error):
        pages.walk()
    for start, end in sorted(pages.touched):
        patches = sorted(pages.touched[start, end])
        page = bytearray(window.at(start, end - start))
        page[22:26] = bytes(4)
        for patch in patches:
            page[patch.start - start : patch.end - start] = patch.cut(patch.start, patch.end)
        yield from patches
        yield Patch(start + 22, start + 26, _checksum(page).to_bytes(4, "little"))


def _checksum(page: bytearray) -> int:
    """Polynomial 0x04C11DB7, highest bit first, from 0: that of zlib, with every byte and the result turned round."""
    turned = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(turned.to_bytes(4, "little").translate(_REVERSED))


class _Pages:
    """One pass over the pages of a file, which may be several files one behind the other."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._streams: dict[bytes, _Stream] = {}
        self._pages: list[tuple[int, int]] = []
        self.touched: defaultdict[tuple[int, int], list[Patch]] = defaultdict(list)

    def walk(self) -> None:
        at = 0
        for _ in range(_MAX_PAGES):
            head = self._window.at(at, 27)
            lacing = self._window.at(at + 27, head[26]) if len(head) == 27 and head.startswith(b"OggS") else b""
            if not lacing and not head.startswith(b"OggS"):
                return
            body = at + 27 + len(lacing)
            end = body + sum(lacing)
            if head[5] & 2:
                self._streams[head[14:18]] = _Stream()
            if stream := self._streams.get(head[14:18]):
                self._pages.append((at, min(end, self._window.size)))
                if not self._read(stream, body, lacing):
                    del self._streams[head[14:18]]
            if not self._streams:
                self._pages.clear()
            at = end

    def _read(self, stream: _Stream, at: int, lacing: bytes) -> bool:
        """Take a page's packets; false once all that is private must have come."""
        for size in lacing:
            stream.spans.append((at, at + size))
            at += size
            if size == 255:
                continue
            packet = b"".join(self._window.at(start, end - start) for start, end in stream.spans[: _MAX_PACKET // 255])
            more = self._packet(stream, packet)
            stream.packets += 1
            stream.spans.clear()
            if not more:
                return False
        return True

    def _packet(self, stream: _Stream, packet: bytes) -> bool:
        if not stream.packets:
            if packet.startswith(_FLAC):
                return True
            stream.before = next((size for start, size in _COMMENTED.items() if packet.startswith(start)), -1)
            return stream.before >= 0
        if stream.before >= 0:
            self._overwrite(stream, comments(packet[stream.before :], stream.before))
            return False
        kind = packet[0]
        if kind & 127 == 4:
            self._overwrite(stream, comments(packet[4:], 4))
        elif kind & 127 in (2, 6):
            self._overwrite(stream, iter([Patch(0, 1, bytes([kind & 128 | 1])), Patch(4, len(packet))]))
        return kind < 128

    def _overwrite(self, stream: _Stream, patches: Iterator[Patch]) -> None:
        """Places in a packet become places in the file."""
        found: list[Patch] = []
        with contextlib.suppress(struct.error):
            found.extend(patches)
        spans, begin = iter(stream.spans), 0
        span = next(spans, (0, 0))
        for patch in sorted(found):
            at = patch.start
            while at < patch.end:
                while begin + span[1] - span[0] <= at:
                    begin += span[1] - span[0]
                    span = next(spans)
                stop = min(patch.end, begin + span[1] - span[0])
                start = span[0] + at - begin
                self._add(Patch(start, start + stop - at, patch.cut(at, stop)))
                at = stop

    def _add(self, patch: Patch) -> None:
        page = next(one for one in reversed(self._pages) if one[0] <= patch.start)
        self.touched[page].append(patch)


_HEADER: Final = "3026b2758e66cf11a6d900aa0062ce6c"
_DESCRIPTION: Final = "3326b2758e66cf11a6d900aa0062ce6c"
_MORE: Final = "40a4d0d207e3d21197f000a0c95ea850"
_EXTENSION: Final = "b503bf5f2ea9cf118ee300c00c205365"
_LIBRARIES: Final = ("eacbf8c5af5b77488467aa8c44fa4cca", "941c23449894d149a1411d134e457054")
_ASF_GOES: Final = ("fab3112223bdd211b4b700a0c955fc6e", "cbcf7abea997e8429c71999491e3afac")  # branding, XMP
_PADDING: Final = bytes.fromhex("74d40618dfca0945a4ba9aabcb96aae8")


def asf(window: Window) -> Iterator[Patch]:
    """WMA and WMV (Advanced Systems Format Specification 1.20.03, 3 and 10): words in the header and its extension."""
    if window.at(0, 16).hex() == _HEADER:
        yield from _objects(window, 30, min(window.number(16, 8, little=True), window.size))


def _objects(window: Window, at: int, end: int) -> Iterator[Patch]:
    for _ in range(_MAX_PARTS):
        name, size = window.at(at, 16).hex(), window.number(at + 16, 8, little=True)
        if at + 24 > end or size < 24:
            return
        stop = min(at + size, end)
        if name == _DESCRIPTION:
            yield from _description(window, at + 24, stop)
        elif name == _MORE:
            yield from _pairs(window, at + 24, stop)
        elif name in _LIBRARIES:
            yield from _records(window, at + 24, stop)
        elif name == _EXTENSION:
            yield from _objects(window, at + 46, stop)
        elif name in _ASF_GOES:
            yield Patch(at, at + 16, _PADDING)
            yield Patch(at + 24, stop)
        at += size


def _description(window: Window, at: int, end: int) -> Iterator[Patch]:
    """Title, author, copyright, description, rating: the first and the fourth stay."""
    first = at + 10
    for place in range(5):
        last = first + window.number(at + 2 * place, 2, little=True)
        if place not in (0, 3):
            yield Patch(first, min(last, end))
        first = last


def _pairs(window: Window, at: int, end: int) -> Iterator[Patch]:
    count, at = window.number(at, 2, little=True), at + 2
    for _ in range(min(count, _MAX_PARTS)):
        name = window.at(at + 2, window.number(at, 2, little=True))
        at += 2 + len(name)
        first = at + 4
        last = first + window.number(at + 2, 2, little=True)
        yield from _value(name, window.number(at, 2, little=True), first, min(last, end))
        at = last


def _records(window: Window, at: int, end: int) -> Iterator[Patch]:
    count, at = window.number(at, 2, little=True), at + 2
    for _ in range(min(count, _MAX_PARTS)):
        name = window.at(at + 12, window.number(at + 4, 2, little=True))
        first = at + 12 + len(name)
        last = first + window.number(at + 8, 4, little=True)
        yield from _value(name, window.number(at + 6, 2, little=True), first, min(last, end))
        at = last


def _value(name: bytes, kind: int, start: int, end: int) -> Iterator[Patch]:
    """Words and bytes become zeros; numbers, such as the shape of a pixel, are needed."""
    title = name.replace(b"\0", b"").upper().removeprefix(b"WM/")
    if kind in (0, 1) and start < end and not stays(title):
        yield Patch(start, end)


_PLACES: Final = (b"latitude", b"longitude", b"altitude", b"gps")
_NEEDED: Final = frozenset({b"audiocodecid", b"videocodecid"})


def flv(window: Window) -> Iterator[Patch]:
    """FLV (Video File Format Specification 10.1, annex E): the words in messages such as `onMetaData` become blanks."""
    at = window.number(5, 4) + 4
    for _ in range(_MAX_TAGS):
        kind, size = window.number(at, 1), window.number(at + 1, 3)
        if at + 11 > window.size:
            return
        if kind & 31 == 18:
            yield from _Message(window, at + 11, min(at + 11 + size, window.size)).patches()
        at += 15 + size


class _Message:
    """Values of AMF 0, one behind the other."""

    def __init__(self, window: Window, at: int, end: int) -> None:
        self._window = window
        self._at = at
        self._end = end

    def patches(self) -> Iterator[Patch]:
        if self._number(1) == 2:  # the message's own name
            size = self._number(2)
            self._at += size
        while self._at < self._end:
            yield from self._value(b"", 0)

    def _number(self, size: int) -> int:
        if self._at + size > self._end:
            raise ValueError("cut short")
        self._at += size
        return self._window.number(self._at - size, size)

    def _value(self, name: bytes, depth: int) -> Iterator[Patch]:
        kind = self._number(1)
        if depth > _MAX_DEPTH:
            raise ValueError("nested too deeply")
        if kind in (2, 12, 15):
            first = self._at + (2 if kind == 2 else 4)
            self._at = min(first + self._number(first - self._at), self._end)
            if not stays(name) and name.lower() not in _NEEDED:
                yield Patch(first, self._at, fill=0x20)
        elif kind in (3, 8):
            self._at += 4 * (kind == 8)
            yield from self._fields(depth)
        elif kind == 10:
            for _ in range(min(self._number(4), _MAX_TAGS)):
                yield from self._value(name, depth + 1)
        elif kind not in (5, 6, 9, 13):
            first = self._at
            self._at += {0: 8, 1: 1, 7: 2, 11: 10}[kind]
            if name.lower().startswith(_PLACES):
                yield Patch(first, self._at)

    def _fields(self, depth: int) -> Iterator[Patch]:
        while self._at < self._end:
            size = self._number(2)
            name = self._window.at(self._at, size)
            self._at += size
            if not name and self._window.number(self._at, 1) == 9:
                self._at += 1
                return
            yield from self._value(name, depth + 1)
