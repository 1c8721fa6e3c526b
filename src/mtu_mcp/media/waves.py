"""Pieces of a WAV file without decoding it: a new head, and a view of the samples where they lie.

Nothing is copied and nothing is held; a piece is a file object over the recording itself, opened with the checks the
recording is opened with.
"""

import io
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from mtu_mcp.media.silences import best_place
from mtu_mcp.media.window import Window

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from mtu_mcp.media.pieces import Limits

_MAX_CHUNKS: Final = 1000
_UNKNOWN_SIZE: Final = 0xFFFFFFFF
_EXTENSIBLE: Final = 0xFFFE
_HIGH_BYTES: Final = {24: (1, 2, 3), 32: (2, 3, 4)}
"""The two highest bytes of a sample and how many it has."""


@dataclass(frozen=True, slots=True)
class Wave:
    """The samples of a WAV file.

    Attributes:
        form: The content of its `fmt ` chunk.
        start: Where the samples begin.
        size: Their bytes.
        rate: Frames a second; a frame holds one sample of each channel.
        channels: Samples in a frame.
        bits: Bits of a sample.
        floats: Whether a sample is a floating-point number.
    """

    form: bytes
    start: int
    size: int
    rate: int
    channels: int
    bits: int
    floats: bool

    @property
    def block(self) -> int:
        """Bytes of a frame."""
        return self.channels * self.bits // 8

    @property
    def frames(self) -> int:
        """How many there are."""
        return self.size // self.block


def read_wave(stream: BinaryIO) -> Wave | None:
    """Find the samples of a WAV file; None when they are compressed or make no sense."""
    window = Window(stream)
    form, offset = b"", 12
    if window.at(0, 4) != b"RIFF" or window.at(8, 4) != b"WAVE":
        return None
    for _ in range(_MAX_CHUNKS):
        name, size = window.at(offset, 4), window.number(offset + 4, 4, little=True)
        if len(name) < 4:
            return None
        if name == b"fmt ":
            form = window.at(offset + 8, min(size, 40))
        elif name == b"data":
            there = window.size - offset - 8
            return _wave(form, offset + 8, there if size in (0, _UNKNOWN_SIZE) else min(size, there))
        offset += 8 + size + size % 2
    return None


def _wave(form: bytes, start: int, size: int) -> Wave | None:
    if len(form) < 16:
        return None
    tag, channels, rate = (int.from_bytes(form[at : at + width], "little") for at, width in ((0, 2), (2, 2), (4, 4)))
    block, bits = int.from_bytes(form[12:14], "little"), int.from_bytes(form[14:16], "little")
    if tag == _EXTENSIBLE and len(form) >= 26:
        tag = int.from_bytes(form[24:26], "little")
    known = {1: (8, 16, 24, 32), 3: (32, 64)}.get(tag, ())
    if bits not in known or not rate or not channels or block != channels * bits // 8:
        return None
    return Wave(form, start, size, rate, channels, bits, floats=tag == 3)


def cuts(stream: BinaryIO, wave: Wave, limits: "Limits") -> Iterator[tuple[int, int, int]]:
    """Cut at pauses: first frame, the frame after the last, and frames that the piece before has too. Blocking."""
    most = max(1, min(int(limits.seconds * wave.rate), (limits.bytes - len(_head(wave, 0))) // wave.block))
    start = shared = 0
    while wave.frames - start > most:
        low, high = start + int(most * (1 - limits.searched)), start + int(most * 0.99)
        stream.seek(wave.start + low * wave.block)
        samples, full = _samples(stream.read((high - low) * wave.block), wave)
        place = best_place(samples, wave.rate * wave.channels, full)
        cut = max(start + 1, min(low + int(place.at * wave.rate), high))
        yield start, cut, shared
        shared = 0 if place.pause else min(int(limits.overlap * wave.rate), (cut - start) // 2)
        start = cut - shared
    yield start, wave.frames, shared


def _samples(data: bytes, wave: Wave) -> tuple[Sequence[float], float]:
    """Samples as numbers, and what full scale is; of wide integers the two highest bytes."""
    data = data[: len(data) // wave.block * wave.block]
    if wave.bits == 8:  # the only one without a sign
        return array("b", data.translate(bytes((value - 128) % 256 for value in range(256)))), 128.0
    if wave.floats:
        found, full = array("f" if wave.bits == 32 else "d"), 1.0
    else:
        found, full = array("h"), 32768.0
        if wave.bits in _HIGH_BYTES:
            low, high, width = _HIGH_BYTES[wave.bits]
            packed = bytearray(len(data) // width * 2)
            packed[0::2], packed[1::2] = data[low::width], data[high::width]
            data = bytes(packed)
    found.frombytes(data)
    if sys.byteorder == "big":
        found.byteswap()
    return found, full


def open_slice(opener: Callable[[], BinaryIO], wave: Wave, start: int, end: int) -> BinaryIO:
    """Open some frames of a WAV file as a WAV file. Blocking."""
    size = (end - start) * wave.block
    return cast(
        "BinaryIO", io.BufferedReader(_Slice(_head(wave, size), opener(), wave.start + start * wave.block, size))
    )


def _head(wave: Wave, size: int) -> bytes:
    size = min(size, _UNKNOWN_SIZE - 4096)  # a recording from a pipe may be longer than its head can say
    form = len(wave.form).to_bytes(4, "little") + wave.form + bytes(len(wave.form) % 2)
    body = b"WAVEfmt " + form + b"data" + size.to_bytes(4, "little")
    return b"RIFF" + (len(body) + size).to_bytes(4, "little") + body


class _Slice(io.RawIOBase):
    """A head, and a stretch of an open file; closing it closes the file."""

    def __init__(self, head: bytes, file: BinaryIO, start: int, size: int) -> None:
        super().__init__()
        self._head = head
        self._file = file
        self._start = start
        self._size = len(head) + size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, origin + offset)
        return self._at

    def readinto(self, buffer: "Buffer", /) -> int:
        room = memoryview(buffer).cast("B")
        if self._at < len(self._head):
            data = self._head[self._at : self._at + len(room)]
        else:
            inside = self._at - len(self._head)
            self._file.seek(self._start + inside)
            data = self._file.read(max(0, min(len(room), self._size - self._at)))
        room[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
