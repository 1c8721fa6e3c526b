"""Taking metadata out of pictures whose parts point at each other by their place in the file: HEIC, AVIF, TIFF; and GIF.

Leaving a part out would move all that follows and every pointer with it, so it is overwritten where it lies: same
length, no pixel touched. In HEIC and AVIF the way up is a property of the picture, not of its EXIF block, and in TIFF
it is a tag of its own; both stay.
"""

import struct
from collections.abc import Iterator
from itertools import islice
from typing import Final

# An EXIF block without entries (ISO/IEC 23008-12, A.2.1: four bytes of offset, then a TIFF head).
_NO_EXIF: Final = b"\0\0\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"
_MAX_PARTS: Final = 2000
_MAX_ENTRIES: Final = 20_000
_MAX_STRETCHES: Final = 64
"""Stretches overwritten at most; a camera writes two, and each may be as long as the file."""

# TIFF 6.0 and EXIF 2.32: description, maker, model, program, time, author, computer, rights, XMP, IPTC, Photoshop.
_TIFF_GOES: Final = frozenset({270, 271, 272, 305, 306, 315, 316, 33432, 700, 33723, 34377, 37510, 37724})
_TIFF_TABLES: Final = frozenset({34665, 34853, 40965})
"""Tags that point at a table of their own: EXIF, GPS, interoperability."""
_TIFF_SIZES: Final = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4)

_Span = tuple[int, int]


def blank_iso(data: bytes) -> bytes:
    """HEIC and AVIF (ISO/IEC 14496-12, 8.11: items, named in `iinf`, found through `iloc`).

    Raises:
        ValueError: It is cut short or makes no sense.
        struct.error: The same.
    """
    out = bytearray(data)
    meta = next((span for name, span in _boxes(data, 0, len(data)) if name == b"meta"), None)
    if meta is None:
        return data
    parts = dict(_boxes(data, meta[0] + 4, meta[1]))
    private = _private_items(data, parts[b"iinf"]) if b"iinf" in parts else {}
    if private:
        places = _places(data, parts[b"iloc"], parts.get(b"idat"))
        for item, start, end in islice((place for place in places if place[0] in private), _MAX_STRETCHES):
            blank = _NO_EXIF if private[item] == b"Exif" and end - start >= len(_NO_EXIF) else b""
            out[start:end] = blank + (b"\0" if private[item] == b"Exif" else b" ") * (end - start - len(blank))
    return bytes(out)


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, _Span]]:
    for _ in range(_MAX_PARTS):
        if start + 8 > end:
            return
        size, name = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1:
            size, head = struct.unpack_from(">Q", data, start + 8)[0], 16
        stop = end if size == 0 else start + size
        if size and (size < head or stop > end):
            raise ValueError("cut short")
        yield name, (start + head, stop)
        start = stop


def _private_items(data: bytes, span: _Span) -> dict[int, bytes]:
    """EXIF and XMP items by number; depth maps and thumbnails are pictures, not metadata."""
    found: dict[int, bytes] = {}
    for name, (start, end) in _boxes(data, span[0] + (6 if data[span[0]] == 0 else 8), span[1]):
        if name != b"infe" or data[start] < 2:
            continue
        wide = data[start] > 2
        item = int.from_bytes(data[start + 4 : start + (8 if wide else 6)])
        at = start + (10 if wide else 8)
        kind = data[at : at + 4]
        if kind == b"Exif" or (kind == b"mime" and b"rdf+xml" in data[at + 4 : end]):
            found[item] = kind
    return found


def _places(data: bytes, span: _Span, inside: _Span | None) -> Iterator[tuple[int, int, int]]:
    """Item, start and end of every stretch of bytes that belongs to an item."""
    at, version = span[0], data[span[0]]

    def number(size: int) -> int:
        nonlocal at
        if at + size > span[1]:
            raise ValueError("cut short")
        at += size
        return int.from_bytes(data[at - size : at])

    number(4)
    sizes = number(2)
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version else 0
    for _ in range(min(number(4 if version == 2 else 2), _MAX_PARTS)):
        item = number(4 if version == 2 else 2)
        inner = bool(number(2) & 15) if version else False
        elsewhere = number(2)
        base = number(base_size) + (inside[0] if inner and inside else 0)
        for _ in range(min(number(2), _MAX_STRETCHES)):
            number(index_size)
            start = base + number(offset_size)
            end = min(start + number(length_size), len(data))
            if not elsewhere and start < end:
                yield item, start, end


def blank_tiff(data: bytes) -> bytes:
    """TIFF: values of private tags become zeros, EXIF and GPS tables become empty.

    Raises:
        ValueError: It has more entries than any picture.
        struct.error: It is cut short.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return data
    tiff = _Tiff(data, order)
    table = struct.unpack_from(f"{order}I", data, 4)[0]
    while table and table not in tiff.seen:
        tiff.blank(table, whole=False)
        count = struct.unpack_from(f"{order}H", data, table)[0]
        table = struct.unpack_from(f"{order}I", data, table + 2 + 12 * count)[0]
    return bytes(tiff.out)


class _Tiff:
    """The tables of one file, each gone through once, whatever points at it."""

    def __init__(self, data: bytes, order: str) -> None:
        self._data = data
        self._order = order
        self._left = _MAX_ENTRIES
        self.out = bytearray(data)
        self.seen: set[int] = set()

    def blank(self, table: int, *, whole: bool) -> None:
        """Overwrite what is private in a table, or all of it."""
        if table in self.seen:
            return
        self.seen.add(table)
        count = struct.unpack_from(f"{self._order}H", self._data, table)[0]
        self._left -= count + 1
        if self._left < 0:
            raise ValueError("too many entries")
        for at in range(table + 2, table + 2 + 12 * count, 12):
            entry: tuple[int, int, int, int] = struct.unpack_from(f"{self._order}HHII", self._data, at)
            tag, form, values, place = entry
            if tag in _TIFF_TABLES:
                self.blank(place, whole=True)
            elif whole or tag in _TIFF_GOES:
                size = values * (_TIFF_SIZES[form] if form < len(_TIFF_SIZES) else 1)
                self._zero(at + 8 if size <= 4 else place, size)
        if whole:
            self._zero(table, 2 + 12 * count)

    def _zero(self, start: int, size: int) -> None:
        end = min(start + size, len(self.out))
        if start < end:
            self.out[start:end] = bytes(end - start)


def strip_gif(data: bytes) -> bytes:
    """GIF89a: comments and XMP are blocks of their own and can be left out.

    Raises:
        ValueError: It is cut short.
        IndexError: The same.
    """
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    out = [data[:at]]
    while data[at] != 0x3B:
        start = at
        if data[at] == 0x21:
            private = data[at + 1] == 0xFE or (data[at + 1] == 0xFF and data[at + 3 : at + 11] == b"XMP Data")
            at += 2
        elif data[at] == 0x2C:
            private = False
            at += 11 + (3 << (data[at + 9] & 7) + 1 if data[at + 9] & 0x80 else 0)
        else:
            raise ValueError("no block")
        while data[at]:
            at += 1 + data[at]
        at += 1
        if not private:
            out.append(data[start:at])
    return b"".join([*out, b"\x3b"])
