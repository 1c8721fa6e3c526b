"""AVI and Matroska (MKV, WebM): what their headers say.

A recording that was streamed while it was made often lacks its length; then it stays unknown, because
adding up such a file means parsing all of it.
"""

import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from mtu_mcp.media.measurement import NOTHING, Measurement
from mtu_mcp.media.window import Window

_MAX_ELEMENTS: Final = 5000

_SEGMENT: Final = 0x18538067
_INFO: Final = 0x1549A966
_TRACKS: Final = 0x1654AE6B
_TRACK: Final = 0xAE
_CLUSTER: Final = 0x1F43B675


def read_avi(window: Window) -> Measurement:
    """AVI: the main header and the stream headers ("AVI RIFF File Reference")."""
    found = Measurement(has_sound=False, has_picture=False)
    micros = 0
    for name, start, _ in _chunks(window, 12, window.size):
        if name == b"avih":
            micros, frames = _little(window, start), _little(window, start + 16)
            found = replace(
                found,
                frames=frames or None,
                width=_little(window, start + 32) or None,
                height=_little(window, start + 36) or None,
            )
        elif name == b"strh":
            kind = window.at(start, 4)
            scale, rate, length = (_little(window, start + at) for at in (20, 24, 32))
            if kind == b"auds":
                found = replace(found, has_sound=True)
            elif kind == b"vids" and not found.has_picture:
                found = replace(found, has_picture=True, seconds=length * scale / rate if length and rate else None)
        elif name == b"movi":
            break
    if found.seconds is None and found.frames and micros:
        found = replace(found, seconds=found.frames * micros / 1_000_000)
    return found if found.has_picture or found.has_sound else NOTHING


def _chunks(window: Window, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Chunks in order, lists entered, `movi` told but not entered."""
    for _ in range(_MAX_ELEMENTS):
        name, size = window.at(start, 4), _little(window, start + 4)
        if len(name) < 4 or start >= end:
            return
        if name == b"LIST":
            kind = window.at(start + 8, 4)
            if kind in (b"hdrl", b"strl"):
                start += 12
                continue
            if kind == b"movi":
                yield kind, start + 12, start + 8 + size
                return
        else:
            yield name, start + 8, start + 8 + size
        start += 8 + size + size % 2


def _little(window: Window, offset: int) -> int:
    return window.number(offset, 4, little=True)


def read_matroska(window: Window) -> Measurement:
    """MKV and WebM (RFC 9559): Info and Tracks of the first segment, up to the first cluster."""
    found = Measurement(has_sound=False, has_picture=False)
    for top, start, end in elements(window, 0, window.size):
        if top != _SEGMENT:
            continue
        for name, inner, stop in elements(window, start, end):
            if name == _INFO:
                found = replace(found, seconds=_length(window, inner, stop))
            elif name == _TRACKS:
                for track, first, last in elements(window, inner, stop):
                    found = _add_track(window, first, last, found) if track == _TRACK else found
            elif name == _CLUSTER:
                break
        break
    return found if found.has_picture or found.has_sound else NOTHING


def _length(window: Window, start: int, end: int) -> float | None:
    scale, duration = 1_000_000, 0.0
    for name, inner, stop in elements(window, start, end):
        if name == 0x2AD7B1:
            scale = window.number(inner, min(stop - inner, 8))
        elif name == 0x4489:
            duration = _float(window.at(inner, min(stop - inner, 8)))
    seconds = duration * scale / 1_000_000_000
    return seconds if 0 < seconds < 1e9 else None


def _add_track(window: Window, start: int, end: int, found: Measurement) -> Measurement:
    fields = {name: (inner, stop) for name, inner, stop in elements(window, start, end)}
    kind_at = fields.get(0x83)
    kind = window.number(kind_at[0], 1) if kind_at else 0
    if kind == 1 and not found.has_picture:
        sizes = _numbers(window, fields.get(0xE0))
        return replace(found, has_picture=True, width=sizes.get(0xB0) or None, height=sizes.get(0xBA) or None)
    if kind == 2 and not found.has_sound:
        inner = fields.get(0xE1)
        rates = [
            _float(window.at(at, min(stop - at, 8)))
            for name, at, stop in (elements(window, *inner) if inner else ())
            if name == 0xB5
        ]
        channels = _numbers(window, inner).get(0x9F, 1)
        return replace(
            found, has_sound=True, rate=int(rates[0]) if rates and 0 < rates[0] < 1e7 else None, channels=channels
        )
    return found


def _numbers(window: Window, place: tuple[int, int] | None) -> dict[int, int]:
    if place is None:
        return {}
    return {name: window.number(at, min(stop - at, 8)) for name, at, stop in elements(window, *place)}


def _float(raw: bytes) -> float:
    if len(raw) == 4:
        return float(struct.unpack(">f", raw)[0])
    return float(struct.unpack(">d", raw)[0]) if len(raw) == 8 else 0.0


def elements(window: Window, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """EBML elements (RFC 8794): id, start and end of the content; an unknown size reaches to the parent's end."""
    for _ in range(_MAX_ELEMENTS):
        name, name_length = _variable(window, start, keep_marker=True)
        size, size_length = _variable(window, start + name_length, keep_marker=False)
        if not name_length or not size_length or start >= end:
            return
        inner = start + name_length + size_length
        stop = end if size == (1 << 7 * size_length) - 1 else min(inner + size, end)
        yield name, inner, stop
        start = stop


def _variable(window: Window, offset: int, *, keep_marker: bool) -> tuple[int, int]:
    first = window.number(offset, 1)
    length = 9 - first.bit_length()
    if not first or len(window.at(offset, length)) < length:
        return 0, 0
    value = window.number(offset, length)
    return (value if keep_marker else value & (1 << 7 * length) - 1), length
