"""ISO base media files: MP4, MOV, M4A, 3GP (ISO/IEC 14496-12).

Only boxes on the way to the figures are entered. Sizes in the file are claims: no box leaves its parent, the number
of boxes visited is bounded, and the media data is never read.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from mtu_mcp.media.measurement import NOTHING, Measurement
from mtu_mcp.media.window import Window

_MAX_BOXES: Final = 20_000
_MAX_RUN: Final = 200_000
_SOUND: Final = b"soun"
_PICTURE: Final = b"vide"


@dataclass(slots=True)
class _Track:
    number: int = 0
    handler: bytes = b""
    scale: int = 0
    duration: int = 0
    samples: int = 0
    width: int = 0
    height: int = 0
    rate: int = 0
    channels: int = 0
    default: int = 0
    """Units a sample in fragments that do not say."""


@dataclass(slots=True)
class _Film:
    scale: int = 0
    duration: int = 0
    tracks: list[_Track] = field(default_factory=list[_Track])


@dataclass(frozen=True, slots=True)
class Box:
    """One box: its name, where its content starts and ends, the bytes of size and name before it."""

    name: bytes
    start: int
    end: int
    header: int = 8


class Boxes:
    """Walks boxes, counting them across the whole file."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self._left = _MAX_BOXES

    def inside(self, start: int, end: int) -> Iterator[Box]:
        """The boxes of a stretch, in order."""
        while start + 8 <= end and self._left > 0:
            self._left -= 1
            size, name, header = self.window.number(start, 4), self.window.at(start + 4, 4), 8
            if size == 1:
                size, header = self.window.number(start + 8, 8), 16
            elif size == 0:
                size = end - start
            if size < header:
                return
            yield Box(name, start + header, min(start + size, end), header)
            start += size

    def first(self, box: Box, *path: bytes) -> Box | None:
        """The first box along a path of names below `box`."""
        found: Box | None = box
        for name in path:
            if found is None:
                return None
            found = next((inner for inner in self.inside(found.start, found.end) if inner.name == name), None)
        return found


def read_iso(window: Window) -> Measurement:
    """Seconds, size as shown, sound, video frames; fragmented files are added up fragment by fragment."""
    boxes = Boxes(window)
    film: _Film | None = None
    for box in boxes.inside(0, window.size):
        if box.name == b"moov" and film is None:
            film = _film(boxes, box)
        elif box.name == b"moof" and film is not None:
            _add_fragment(boxes, box, film)
    if film is None:
        return NOTHING
    picture = next((track for track in film.tracks if track.handler == _PICTURE), None)
    sound = next((track for track in film.tracks if track.handler == _SOUND), None)
    return Measurement(
        width=picture.width or None if picture else None,
        height=picture.height or None if picture else None,
        seconds=_seconds(film),
        rate=sound.rate or None if sound else None,
        channels=sound.channels or None if sound else None,
        has_sound=sound is not None,
        frames=picture.samples or None if picture else None,
        has_picture=picture is not None,
    )


def _seconds(film: _Film) -> float | None:
    if film.scale and film.duration:
        return film.duration / film.scale
    lengths = [track.duration / track.scale for track in film.tracks if track.scale and track.duration]
    return max(lengths, default=None)


def _film(boxes: Boxes, moov: Box) -> _Film:
    film = _Film()
    for box in boxes.inside(moov.start, moov.end):
        if box.name == b"mvhd":
            film.scale, film.duration = _scale_and_duration(boxes.window, box)
        elif box.name == b"trak" and len(film.tracks) < 100:
            film.tracks.append(_track(boxes, box))
        elif box.name == b"mvex":
            _defaults(boxes, box, film)
    return film


def _scale_and_duration(window: Window, box: Box) -> tuple[int, int]:
    """From `mvhd` and `mdhd`, which begin alike; a duration of all ones means unknown."""
    wide = window.number(box.start, 1) == 1
    scale = window.number(box.start + (20 if wide else 12), 4)
    duration = window.number(box.start + (24 if wide else 16), 8 if wide else 4)
    return scale, 0 if duration in (0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF) else duration


def _track(boxes: Boxes, trak: Box) -> _Track:
    window, track = boxes.window, _Track()
    if header := boxes.first(trak, b"tkhd"):
        wide = window.number(header.start, 1) == 1
        track.number = window.number(header.start + (20 if wide else 12), 4)
        at = header.start + (52 if wide else 40)
        track.width, track.height = window.number(at + 36, 2), window.number(at + 40, 2)
        # A matrix with nothing on its diagonal turns by a quarter: phones store upright films lying.
        if not window.number(at, 4) and window.number(at + 4, 4):
            track.width, track.height = track.height, track.width
    media = boxes.first(trak, b"mdia")
    if media is None:
        return track
    if header := boxes.first(media, b"mdhd"):
        track.scale, track.duration = _scale_and_duration(window, header)
    if handler := boxes.first(media, b"hdlr"):
        track.handler = window.at(handler.start + 8, 4)
    if table := boxes.first(media, b"minf", b"stbl"):
        _read_table(boxes, table, track)
    return track


def _read_table(boxes: Boxes, table: Box, track: _Track) -> None:
    window = boxes.window
    for box in boxes.inside(table.start, table.end):
        if box.name in (b"stsz", b"stz2"):
            track.samples = window.number(box.start + 8, 4)
        elif box.name == b"stsd":
            entry = box.start + 16
            if track.handler == _SOUND:
                track.channels, track.rate = window.number(entry + 16, 2), window.number(entry + 24, 2)
            elif track.handler == _PICTURE and not (track.width and track.height):
                track.width, track.height = window.number(entry + 24, 2), window.number(entry + 26, 2)


def _defaults(boxes: Boxes, mvex: Box, film: _Film) -> None:
    for box in boxes.inside(mvex.start, mvex.end):
        if box.name == b"mehd":
            wide = boxes.window.number(box.start, 1) == 1
            film.duration = boxes.window.number(box.start + 4, 8 if wide else 4)
        elif box.name == b"trex":
            number = boxes.window.number(box.start + 4, 4)
            for track in film.tracks:
                if track.number == number:
                    track.default = boxes.window.number(box.start + 12, 4)


def _add_fragment(boxes: Boxes, moof: Box, film: _Film) -> None:
    window = boxes.window
    for part in boxes.inside(moof.start, moof.end):
        header = boxes.first(part, b"tfhd") if part.name == b"traf" else None
        if header is None:
            continue
        number = window.number(header.start + 4, 4)
        track = next((known for known in film.tracks if known.number == number), None)
        if track is None:
            continue
        flags = window.number(header.start + 1, 3)
        at = header.start + 8 + (8 if flags & 1 else 0) + (4 if flags & 2 else 0)
        default = window.number(at, 4) if flags & 8 else track.default
        for run in boxes.inside(part.start, part.end):
            if run.name == b"trun":
                _add_run(window, run, track, default)


def _add_run(window: Window, run: Box, track: _Track, default: int) -> None:
    flags, count = window.number(run.start + 1, 3), window.number(run.start + 4, 4)
    if not flags & 0x100:
        track.duration += count * default
    else:
        at = run.start + 8 + (4 if flags & 1 else 0) + (4 if flags & 4 else 0)
        width = 4 * (flags >> 8 & 15).bit_count()
        count = min(count, _MAX_RUN, max(0, run.end - at) // width)
        track.duration += sum(window.number(at + index * width, 4) for index in range(count))
    track.samples += count
