"""Taking out of sound and video what its maker did not mean to send: place, camera, owner, tracks of positions.

Phones write where a film was made into its header, action cameras and drones write a track of positions beside the
picture, recorders write names, dates and serial numbers. Nothing is decoded or moved: what is private is overwritten where
it lies, so that it is an empty entry or padding. What says what the recording is about stays: title, comment, lyrics.
AMR and MPEG streams are sent as they are.
"""

import contextlib
import struct
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import BinaryIO, Final

from mtu_mcp.media import packets, tagging
from mtu_mcp.media.boxes import Box, Boxes
from mtu_mcp.media.containers import elements
from mtu_mcp.media.overlay import Patch, overlaid
from mtu_mcp.media.window import Window

_MAX_PATCHES: Final = 400_000
_MAX_CHUNKS: Final = 100_000
_MAX_SAMPLES: Final = 1_000_000

_UUID_GOES: Final = (
    bytes.fromhex("be7acfcb97a942e89c71999491e3afac"),  # XMP (XMP Specification Part 3, 1.1.3)
    b"USMT",  # Sony's titles and dates
)
_SIDE_TRACKS: Final = frozenset({b"meta", b"camm", b"text", b"sbtl", b"subt", b"gps "})
"""Handlers of tracks that are neither picture nor sound: GoPro's gpmd, Apple's mebx, Android's camm, drones' captions."""
_ITEMS_STAY: Final = frozenset({b"\xa9nam", b"\xa9cmt", b"\xa9lyr", b"desc", b"ldes"})

_SEGMENT: Final = 0x18538067
_TAGS: Final = 0x1254C367
_TAG_PATH: Final = frozenset({_TAGS, 0x7373})
_SIMPLE_TAG: Final = 0x67C8
_TAG_NAME: Final = 0x45A3
_ATTACHMENTS: Final = 0x1941A469


def redacted(stream: BinaryIO, mime: str) -> BinaryIO:
    """The stream without place, camera and owner; closing it closes the stream.

    Args:
        stream: A sound or a video, seekable.
        mime: Its media type, from its bytes.

    Returns:
        A stream of the same length; the same stream where there is nothing to take out or the kind is not known.
    """
    finder = _FINDERS.get(mime)
    if finder is None:
        return stream
    found: list[Patch] = []
    # What makes no sense is left to the receiver; what was found until then is still taken out.
    with contextlib.suppress(ValueError, IndexError, KeyError, struct.error, RecursionError):
        found.extend(islice(finder(Window(stream)), _MAX_PATCHES))
    stream.seek(0)
    return overlaid(stream, found)


def _iso(window: Window) -> Iterator[Patch]:
    boxes = Boxes(window)
    for box in boxes.inside(0, window.size):
        if box.name in (b"moov", b"moof"):
            yield from _film(boxes, box)
        else:
            yield from _private(boxes, box)


def _film(boxes: Boxes, film: Box) -> Iterator[Patch]:
    for box in boxes.inside(film.start, film.end):
        if box.name not in (b"trak", b"traf"):
            yield from _private(boxes, box)
            continue
        handler = boxes.first(box, b"mdia", b"hdlr")
        if handler and boxes.window.at(handler.start + 8, 4) in _SIDE_TRACKS:
            yield from _samples(boxes, box)
            yield from _free(box)
            continue
        for part in boxes.inside(box.start, box.end):
            yield from _private(boxes, part)


def _private(boxes: Boxes, box: Box) -> Iterator[Patch]:
    if box.name == b"udta":
        for part in boxes.inside(box.start, box.end):
            yield from _items(boxes, part) if part.name == b"meta" else _free(part)
    elif box.name == b"meta" or (box.name == b"uuid" and boxes.window.at(box.start, 16).startswith(_UUID_GOES)):
        yield from _free(box)


def _items(boxes: Boxes, meta: Box) -> Iterator[Patch]:
    """Music programs' list of items: titles and words stay, all else is emptied."""
    inner = Box(meta.name, meta.start + 4, meta.end)
    for part in boxes.inside(inner.start, inner.end):
        if part.name == b"ilst":
            for item in boxes.inside(part.start, part.end):
                yield from () if item.name in _ITEMS_STAY else _free(item)
        elif part.name not in (b"hdlr", b"free"):
            yield from _free(part)


def _free(box: Box) -> Iterator[Patch]:
    """A box becomes padding: another name, nothing in it, the same size."""
    name_at = box.start - box.header + 4
    yield Patch(name_at, name_at + 4, b"free")
    yield Patch(box.start, box.end)


def _samples(boxes: Boxes, trak: Box) -> Iterator[Patch]:
    """The bytes of a track, chunk by chunk (ISO/IEC 14496-12, 8.6 and 8.7)."""
    window, table = boxes.window, boxes.first(trak, b"mdia", b"minf", b"stbl")
    parts = {box.name: box for box in boxes.inside(table.start, table.end)} if table else {}
    sizes, runs = parts.get(b"stsz"), parts.get(b"stsc")
    places = parts.get(b"co64") or parts.get(b"stco")
    if not sizes or not runs or not places:
        return
    width = 8 if places.name == b"co64" else 4
    same, left = window.number(sizes.start + 4, 4), min(window.number(sizes.start + 8, 4), _MAX_SAMPLES)
    sample = 0
    for chunk in range(min(window.number(places.start + 4, 4), _MAX_CHUNKS)):
        count = min(_samples_in(window, runs, chunk + 1), left - sample)
        if count <= 0:
            return
        start = window.number(places.start + 8 + width * chunk, width)
        length = count * same or sum(
            window.number(sizes.start + 12 + 4 * index, 4) for index in range(sample, sample + count)
        )
        sample += count
        yield Patch(start, min(start + length, window.size))


def _samples_in(window: Window, runs: Box, chunk: int) -> int:
    """Samples in a chunk: entries say from which chunk on they hold; found by halving, as there may be many."""
    low, high = 0, min(window.number(runs.start + 4, 4), _MAX_CHUNKS)
    while high - low > 1:
        middle = (low + high) // 2
        if window.number(runs.start + 8 + 12 * middle, 4) <= chunk:
            low = middle
        else:
            high = middle
    return window.number(runs.start + 12 + 12 * low, 4) if high else 0


def _matroska(window: Window) -> Iterator[Patch]:
    """Tags and attachments (RFC 9559, 5.1.6 and 5.1.8)."""
    for name, start, end in elements(window, 0, window.size):
        if name == _SEGMENT:
            for inner, first, last in elements(window, start, end):
                if inner == _ATTACHMENTS:
                    yield from _void(first, last)
                elif inner == _TAGS:
                    yield from _tags(window, first, last)


def _tags(window: Window, start: int, end: int) -> Iterator[Patch]:
    for name, first, last in elements(window, start, end):
        if name in _TAG_PATH:
            yield from _tags(window, first, last)
        elif name == _SIMPLE_TAG:
            titles = [
                window.at(at, min(to - at, 64)) for one, at, to in elements(window, first, last) if one == _TAG_NAME
            ]
            if not any(tagging.stays(title) for title in titles):
                yield from _void(first, last)


def _void(start: int, end: int) -> Iterator[Patch]:
    """An element named Void (RFC 8794, 11.3.2) that fills its parent; a parent too small for one says nothing."""
    if end - start >= 9:
        yield Patch(start, end, b"\xec\x01" + (end - start - 9).to_bytes(7))


_FINDERS: Final[Mapping[str, Callable[[Window], Iterator[Patch]]]] = {
    **dict.fromkeys(("video/mp4", "video/quicktime", "video/3gpp", "audio/mp4", "audio/3gpp"), _iso),
    **dict.fromkeys(("video/x-matroska", "video/webm", "audio/x-matroska", "audio/webm"), _matroska),
    **dict.fromkeys(("audio/wav", "video/x-msvideo"), tagging.riff),
    **dict.fromkeys(("audio/mpeg", "audio/aac"), tagging.id3),
    **dict.fromkeys(("audio/ogg", "video/ogg"), packets.ogg),
    **dict.fromkeys(("audio/x-ms-wma", "video/x-ms-wmv"), packets.asf),
    "video/x-flv": packets.flv,
    "audio/aiff": tagging.aiff,
    "audio/flac": tagging.flac,
}
