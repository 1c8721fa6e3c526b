"""Pieces of any recording, or of a film's sound track, as small files of speech; PyAV (FFmpeg) does the decoding.

Decoded, two hours at 16 kHz are 230 MB, so the sound runs through: a piece is encoded while it is read, and only the
stretch that the next cut is looked for in is held, two megabytes. The container's format is the one its bytes were
found to be and never FFmpeg's own guess: some formats are lists of other files and addresses to open.
"""

import errno
import sys
from array import array
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from mtu_mcp.errors import BadInput, LimitExceeded
from mtu_mcp.media.names import quote
from mtu_mcp.media.silences import best_place

if TYPE_CHECKING:
    from mtu_mcp.media.pieces import Limits

RATE: Final = 16_000
"""Samples a second: what speech recognition works with."""
BIT_RATE: Final = 64_000
"""Bits a second of a piece: speech of one channel loses nothing that can be heard; 20 minutes are 9.6 MB."""
MOST_SECONDS: Final = 24 * 3600
_RATES: Final = (1_000, 1_000_000)
"""Samples a second that recordings have: at one a second a small file is a day of work to decode, at a thousand million
a gigabyte of it."""
_WIDTH: Final = 2
_FULL: Final = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_GAP: Final = (0.5, 600.0)
"""Seconds that may be missing between two packets: fewer are rounding, more are a broken clock."""
_MOST_BLANK: Final = 4
"""Times as much silence as sound that gaps are filled with, beside the longest gap; more is a broken clock too."""

_FORMATS: Final = {
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/flac": "flac",
    "audio/ogg": "ogg",
    "audio/mp4": "mov",
    "audio/3gpp": "mov",
    "audio/aac": "aac",
    "audio/amr": "amr",
    "audio/aiff": "aiff",
    "audio/x-ms-wma": "asf",
    "audio/webm": "matroska",
    "audio/x-matroska": "matroska",
    "video/mp4": "mov",
    "video/quicktime": "mov",
    "video/3gpp": "mov",
    "video/x-msvideo": "avi",
    "video/x-matroska": "matroska",
    "video/webm": "matroska",
    "video/x-flv": "flv",
    "video/x-ms-wmv": "asf",
    "video/mpeg": "mpeg",
    "video/mp2t": "mpegts",
    "video/ogg": "ogg",
}
"""Media type: FFmpeg's name of the format."""


def find_av() -> Any | None:
    """The decoding library, None when it is not installed."""
    try:
        import av
    except ImportError:
        return None
    return av


def can_decode(mime: str) -> bool:
    """Whether the library is asked to read such a file."""
    return mime in _FORMATS


@dataclass(frozen=True, slots=True)
class Stretch:
    """One piece on the disk: its file, seconds from and to, and seconds that the piece before has too."""

    path: Path
    start: float
    end: float
    overlap: float


def cut_decoded(av: Any, stream: BinaryIO, mime: str, name: str, folder: Path, limits: "Limits") -> Iterator[Stretch]:
    """Write a recording piece by piece into a folder, cut at pauses. Blocking; close it to stop early.

    Raises:
        BadInput: There is no sound in it, or it cannot be decoded.
        LimitExceeded: It is longer than a day.
        OSError: As the disk gives it.
    """
    pieces = _Pieces(av, folder, limits)
    try:
        for pcm in _decoded(av, stream, mime):
            yield from pieces.feed(pcm)
            require_short(name, pieces.seconds)
        if not pieces.seconds:
            raise BadInput(f"There is no sound in {quote(name)}.", advice="Give a recording, or a video with sound.")
        yield from pieces.finish()
    except (av.FFmpegError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in _FULL:
            raise
        raise BadInput(
            f"{quote(name)} cannot be decoded ({str(error)[:200]}).", advice="Convert it to MP3 or WAV, or check it."
        ) from error
    finally:
        pieces.drop()


def require_short(name: str, seconds: float) -> None:
    """Refuse a recording that is, or says it is, longer than a day.

    Raises:
        LimitExceeded: It is.
    """
    if seconds > MOST_SECONDS:
        raise LimitExceeded(f"{quote(name)} is longer than 24 hours.", advice="Cut it into shorter files.")


def require_plausible(rate: int) -> None:
    """Refuse a rate that no recording has.

    Raises:
        ValueError: It is such a one.
    """
    if not _RATES[0] <= rate <= _RATES[1]:
        raise ValueError(f"it says it has {rate:,} samples a second, which no recording has")


def _decoded(av: Any, stream: BinaryIO, mime: str) -> Iterator[bytes]:
    """The sound as 16-bit samples of one channel, in small blocks; damaged packets are left out, gaps are silence."""
    with closing(av.open(stream, mode="r", format=_FORMATS[mime], metadata_errors="ignore")) as container:
        if not container.streams.audio:
            return
        track = container.streams.audio[0]
        sound = _Resampled(av)
        begin: float | None = None
        for packet in container.demux(track):
            for frame in _frames(av, packet):
                if frame.time is not None:
                    begin = frame.time if begin is None else begin
                    missing = frame.time - begin - sound.done / RATE
                    if _GAP[0] < missing < _GAP[1] and sound.may_blank:
                        yield sound.blank(int(missing * RATE))
                yield from sound.of(frame)
        yield from sound.rest()


class _Resampled:
    """Frames of any shape as 16-bit samples of one channel; joined files change their shape half-way."""

    def __init__(self, av: Any) -> None:
        self._av = av
        self._shape: tuple[str, str, int] | None = None
        self._resampler: Any = None
        self._blank = 0
        self.done = 0

    @property
    def may_blank(self) -> bool:
        """Whether gaps are still filled."""
        return self._blank <= _GAP[1] * RATE + _MOST_BLANK * (self.done - self._blank)

    def of(self, frame: Any) -> Iterator[bytes]:
        """The samples of a frame."""
        shape = frame.format.name, frame.layout.name, frame.sample_rate
        if shape != self._shape:
            require_plausible(frame.sample_rate)
            yield from self.rest()
            self._shape = shape
            self._resampler = self._av.AudioResampler(format="s16", layout="mono", rate=RATE)
        yield from self._samples(self._resampler.resample(frame))

    def rest(self) -> Iterator[bytes]:
        """What the resampler still holds."""
        if self._resampler is not None:
            yield from self._samples(self._resampler.resample(None))

    def blank(self, samples: int) -> bytes:
        """Silence."""
        self.done += samples
        self._blank += samples
        return bytes(samples * _WIDTH)

    def _samples(self, parts: list[Any]) -> Iterator[bytes]:
        for part in parts:
            self.done += part.samples
            yield bytes(part.planes[0])[: part.samples * _WIDTH]


def _frames(av: Any, packet: Any) -> list[Any]:
    try:
        return packet.decode()
    except av.FFmpegError:  # one bad packet is a click, not the end of a recording
        return []


class _Pieces:
    """Samples in, files out."""

    def __init__(self, av: Any, folder: Path, limits: "Limits") -> None:
        self._av = av
        self._folder = folder
        self._limits = limits
        self._most = max(RATE // 10, int(min(limits.seconds, limits.bytes * 7.5 / BIT_RATE) * RATE))
        self._held = bytearray()
        self._start = self._shared = self._count = self._written = 0
        self._file: _File | None = None

    @property
    def seconds(self) -> float:
        """How much was fed."""
        return (self._start + self._written + len(self._held) // _WIDTH) / RATE

    def feed(self, pcm: bytes) -> Iterator[Stretch]:
        """Take samples; gives the pieces that became complete."""
        self._held += pcm
        while self._written + len(self._held) // _WIDTH > self._most:
            yield self._cut()
        excess = len(self._held) // _WIDTH - int(self._most * self._limits.searched) - 1
        if excess > RATE:
            self._write(excess)

    def finish(self) -> Iterator[Stretch]:
        """Give the last piece; a remainder too short to hold a word is left out."""
        if self.seconds - self._start / RATE >= 0.1 or not self._count:
            yield self._close(len(self._held) // _WIDTH)

    def drop(self) -> None:
        """Close what is open."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _cut(self) -> Stretch:
        low = max(0, int(self._most * (1 - self._limits.searched)) - self._written)
        high = max(low + 1, int(self._most * 0.99) - self._written)
        samples = array("h", bytes(self._held[low * _WIDTH : high * _WIDTH]))
        if sys.byteorder == "big":
            samples.byteswap()
        place = best_place(samples, RATE, 32768.0)
        cut = max(1, min(low + int(place.at * RATE), high))
        again = 0 if place.pause else min(int(self._limits.overlap * RATE), cut)
        kept = bytes(self._held[(cut - again) * _WIDTH :])
        done = self._close(cut)
        self._held = bytearray(kept)
        self._start, self._shared, self._written = round(done.end * RATE) - again, again, 0
        return done

    def _close(self, samples: int) -> Stretch:
        self._write(samples)
        assert self._file is not None
        path = self._file.path
        self.drop()
        self._count += 1
        end = self._start + self._written
        return Stretch(path, self._start / RATE, end / RATE, self._shared / RATE)

    def _write(self, samples: int) -> None:
        if self._file is None:
            self._file = _File(self._av, self._folder / f"{self._count + 1:03}.mp3")
        self._file.write(bytes(self._held[: samples * _WIDTH]))
        del self._held[: samples * _WIDTH]
        self._written += samples


class _File:
    """One MP3 file while it is written."""

    def __init__(self, av: Any, path: Path) -> None:
        self._av = av
        self.path = path
        self._at = 0
        self._container = av.open(str(path), mode="w", format="mp3")
        self._stream = self._container.add_stream(
            "libmp3lame", rate=RATE, layout="mono", options={"compression_level": "7"}
        )
        self._stream.bit_rate = BIT_RATE

    def write(self, pcm: bytes) -> None:
        """Encode samples, a second at a time."""
        for start in range(0, len(pcm), RATE * _WIDTH):
            block = pcm[start : start + RATE * _WIDTH]
            frame = self._av.AudioFrame(format="s16", layout="mono", samples=len(block) // _WIDTH)
            frame.planes[0].update(block.ljust(frame.planes[0].buffer_size, b"\0"))
            frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), self._at
            self._at += frame.samples
            self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Write what the encoder still holds."""
        if self._at:
            self._container.mux(self._stream.encode(None))
        self._container.close()
