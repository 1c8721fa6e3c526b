"""Cutting a recording that is too long for one request into pieces that are not, at pauses where there are any.

Two ways: the samples of a WAV file are sent as they are, with nothing but the standard library; everything else, and
a WAV file too where the library for it is installed, is decoded and sent as small files of speech. Where a cut falls
into speech, the next piece begins a little earlier, and whoever joins the texts finds the same words twice.
"""

import functools
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mtu_mcp.errors import BadInput, LimitExceeded
from mtu_mcp.media import decoding, waves
from mtu_mcp.media.kinds import kind_of_name
from mtu_mcp.media.names import quote
from mtu_mcp.media.pieces import Limits, Piece

if TYPE_CHECKING:
    from mtu_mcp.media.media import Media

EXTRA: Final = "pip install 'mtu-mcp[media]'"


def can_cut(media: "Media", av: Any | None) -> bool:
    """Whether a recording can be cut with what is installed. Blocking.

    Args:
        media: The recording.
        av: As `find_av` gives it.
    """
    if av is not None and decoding.can_decode(media.kind.mime):
        return True
    return media.kind.mime == "audio/wav" and _wave_of(media) is not None


def cut(media: "Media", folder: Path, limits: Limits, av: Any | None) -> Generator[Piece]:
    """Cut a recording, or a video's sound. Blocking; close it to stop early.

    Args:
        media: The recording.
        folder: Where pieces are written that have to be; it exists, and is the caller's to remove.
        limits: How long a piece may be.
        av: As `find_av` gives it.

    Raises:
        LimitExceeded: It is longer than a day, or what it takes to cut it is not installed; the message says how to install it.
        BadInput: There is no sound in it, or it cannot be decoded.
        OSError: As the disk gives it.
    """
    wave = _wave_of(media) if media.kind.mime == "audio/wav" else None
    if wave:
        _require_plausible(media, wave)
    if av is not None and decoding.can_decode(media.kind.mime):
        # FFmpeg would walk whatever follows the samples of a WAV file, eight bytes at a time.
        with waves.open_slice(media.open, wave, 0, wave.frames) if wave else media.open() as stream:
            mp3 = kind_of_name("x.mp3")
            stretches = decoding.cut_decoded(av, stream, media.kind.mime, media.name, folder, limits)
            for number, one in enumerate(stretches, 1):
                opener = functools.partial(one.path.open, "rb")
                yield Piece(number, one.start, one.end, one.overlap, f"piece-{number:03}.mp3", mp3, opener)
        return
    if wave is None:
        raise LimitExceeded(
            f"{quote(media.name)} ({(media.size or 0):,} bytes, {media.kind.mime}) is too long to be sent in one piece.",
            advice=f"Longer recordings are cut by a library that is not installed: {EXTRA}. PCM WAV files need none.",
        )
    with media.open() as stream:
        for number, (start, end, shared) in enumerate(waves.cuts(stream, wave, limits), 1):
            opener = functools.partial(waves.open_slice, media.open, wave, start, end)
            times = start / wave.rate, end / wave.rate, shared / wave.rate
            yield Piece(number, *times, f"piece-{number:03}.wav", media.kind, opener)


def _require_plausible(media: "Media", wave: waves.Wave) -> None:
    """Refuse by its head alone what would take long to be refused: the rate is the file's own word."""
    try:
        decoding.require_plausible(wave.rate)
    except ValueError as error:
        raise BadInput(f"{quote(media.name)} cannot be cut: {error}.", advice="Convert it, or check it.") from error
    decoding.require_short(media.name, wave.frames / wave.rate)


def _wave_of(media: "Media") -> waves.Wave | None:
    with media.open() as stream:
        return waves.read_wave(stream)
