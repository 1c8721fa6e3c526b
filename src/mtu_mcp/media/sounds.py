"""Seconds, rate and channels of sound files.

WAV, AIFF, FLAC and Ogg say it in their headers; formats made of frames alone (MP3, AAC, AMR) are walked frame by
frame, because an average over the first few is wrong for any recording with a variable bit rate.
"""

from collections.abc import Callable
from typing import Final

from mtu_mcp.media.frames import AMR_WIDE, Frame, adts_frame, amr_frame, mpeg_frame
from mtu_mcp.media.kinds import synchsafe
from mtu_mcp.media.measurement import NOTHING, Measurement
from mtu_mcp.media.window import Window

_MAX_FRAMES: Final = 2_000_000
"""Frames walked at most: about 14 hours of MP3."""
_MAX_CHUNKS: Final = 1000
_MAX_JUNK: Final = 1 << 18
"""Bytes that may lie around the frames, such as tags with a cover picture; more means the file is not understood."""

# Sample formats whose blocks are samples: PCM, float, A-law, mu-law (RFC 2361).
_PLAIN_FORMATS: Final = frozenset({1, 3, 6, 7})
_EXTENSIBLE: Final = 0xFFFE
_UNKNOWN_SIZE: Final = 0xFFFFFFFF
_LONGEST_PAGE: Final = 600
"""Seconds that no page of Ogg holds: it has at most 255 packets, and the longest, of FLAC, last 1.5 s."""
_MAX_PAGES: Final = 2000
"""Pages before the first sound; a cover picture in the comments takes some hundred."""


def read_mpeg(window: Window) -> Measurement:
    """MP3 and MP2: the frame count of a Xing or Info header, else every frame."""
    offset = _next_frame(window, _after_tags(window), mpeg_frame)
    frame = mpeg_frame(window.at(offset, 4))
    if frame is None:
        return NOTHING
    head = window.at(offset, min(frame.length, 64))
    at = max(head.find(b"Xing"), head.find(b"Info"))
    if at > 0 and head[at + 7] & 1:
        count = int.from_bytes(head[at + 8 : at + 12])
        # A frame has at least 24 bytes; a header that claims more frames than fit is not believed.
        if 0 < count * 24 <= window.size:
            return _sound(count * frame.samples, frame.rate, frame.channels)
    return _walk(window, offset + (frame.length if at > 0 else 0), mpeg_frame)


def read_adts(window: Window) -> Measurement:
    """Bare AAC: every frame."""
    return _walk(window, _next_frame(window, _after_tags(window), adts_frame), adts_frame)


def read_amr(window: Window) -> Measurement:
    """AMR and AMR-WB (RFC 4867, section 5): every frame is 20 ms."""
    wide = window.at(0, len(AMR_WIDE)) == AMR_WIDE

    def read(header: bytes) -> Frame | None:
        return amr_frame(header[0], wide=wide) if header else None

    return _walk(window, 9 if wide else 6, read)


def read_wav(window: Window) -> Measurement:
    """WAV, RF64 and WAVE_FORMAT_EXTENSIBLE; a recording cut short counts for what is there."""
    form, fact, offset = b"", 0, 12
    for _ in range(_MAX_CHUNKS):
        name, size = window.at(offset, 4), window.number(offset + 4, 4, little=True)
        if len(name) < 4:
            break
        if name == b"fmt ":
            form = window.at(offset + 8, min(size, 40))
        elif name == b"fact":
            fact = window.number(offset + 8, 4, little=True)
        elif name == b"data":
            there = window.size - offset - 8
            # Programs writing to a pipe leave 0 or the largest number; RF64 keeps the size elsewhere.
            return _wav(form, fact, there if size in (0, _UNKNOWN_SIZE) else min(size, there))
        offset += 8 + size + size % 2
    return NOTHING


def _wav(form: bytes, fact: int, size: int) -> Measurement:
    if len(form) < 16:
        return NOTHING
    tag, channels = int.from_bytes(form[:2], "little"), int.from_bytes(form[2:4], "little")
    rate, block = int.from_bytes(form[4:8], "little"), int.from_bytes(form[12:14], "little")
    if tag == _EXTENSIBLE and len(form) >= 26:
        tag = int.from_bytes(form[24:26], "little")
    if tag in _PLAIN_FORMATS and block:
        return _sound(size // block, rate, channels)
    return _sound(fact, rate, channels) if fact else Measurement(rate=rate, channels=channels, has_sound=True)


def read_aiff(window: Window) -> Measurement:
    """AIFF and AIFC: the COMM chunk, whose rate is an 80-bit float."""
    offset = 12
    for _ in range(_MAX_CHUNKS):
        name, size = window.at(offset, 4), window.number(offset + 4, 4)
        if len(name) < 4:
            break
        if name == b"COMM":
            exponent = window.number(offset + 16, 2) - 16383 - 63
            if not -80 <= exponent <= 0:
                return NOTHING
            rate = window.number(offset + 18, 8) >> -exponent
            return _sound(window.number(offset + 10, 4), rate, window.number(offset + 8, 2))
        offset += 8 + size + size % 2
    return NOTHING


def read_flac(window: Window) -> Measurement:
    """FLAC: the STREAMINFO block (RFC 9639, section 8.2), which comes first; a total of 0 means unknown."""
    start = _after_tags(window)
    info = window.at(start + 8, 34)
    if window.at(start, 4) != b"fLaC" or len(info) < 34:
        return NOTHING
    packed = int.from_bytes(info[10:18])
    return _sound(packed & (1 << 36) - 1, packed >> 44, (packed >> 41 & 7) + 1)


def read_ogg(window: Window) -> Measurement:
    """Ogg with Opus, Vorbis, FLAC or Speex: the last page's position (RFC 3533) less Opus' pre-skip (RFC 7845).

    What was recorded from a running broadcast counts from when that began (RFC 7845, 4.1), so its first page's position
    goes off, though it is that of the page's end: what is left is short by a page, about a second.
    """
    serial = window.at(14, 4)
    packet = window.at(27 + window.number(26, 1), 80)
    skip = 0
    if packet.startswith(b"OpusHead"):
        rate, channels, skip = 48000, packet[9], int.from_bytes(packet[10:12], "little")
    elif packet.startswith(b"\x01vorbis"):
        rate, channels = int.from_bytes(packet[12:16], "little"), packet[11]
    elif packet.startswith(b"\x7fFLAC"):
        packed = int.from_bytes(packet[27:35])
        rate, channels = packed >> 44, (packed >> 41 & 7) + 1
    elif packet.startswith(b"Speex   "):
        rate, channels = int.from_bytes(packet[36:40], "little"), int.from_bytes(packet[48:52], "little")
    else:
        return NOTHING
    begin = _first_position(window, serial)
    skip = begin if begin > _LONGEST_PAGE * rate else skip
    return _sound(_last_position(window, serial) - skip, rate, channels)


def _first_position(window: Window, serial: bytes) -> int:
    """The position of the first page with sound; 0 when none is found."""
    at = 0
    for _ in range(_MAX_PAGES):
        head = window.at(at, 27)
        if len(head) < 27 or head[:4] != b"OggS":
            break
        position = int.from_bytes(head[6:14], "little", signed=True)
        if head[14:18] == serial and position > 0:
            return position
        at += 27 + head[26] + sum(window.at(at + 27, head[26]))
    return 0


def _last_position(window: Window, serial: bytes) -> int:
    # A page has at most 65,307 bytes, so the last two thirds of this tail hold a whole one.
    tail = window.at(max(0, window.size - 200_000), 200_000)
    at = tail.rfind(b"OggS")
    while at >= 0:
        position = int.from_bytes(tail[at + 6 : at + 14], "little", signed=True)
        if tail[at + 14 : at + 18] == serial and position >= 0:
            return position
        at = tail.rfind(b"OggS", 0, at)
    return 0


def _sound(samples: int, rate: int, channels: int) -> Measurement:
    seconds = samples / rate if samples > 0 and rate > 0 else None
    return Measurement(seconds=seconds, rate=rate or None, channels=channels or None, has_sound=True)


def _after_tags(window: Window) -> int:
    """Where the sound starts behind ID3v2 tags; there may be several."""
    offset = 0
    for _ in range(8):
        head = window.at(offset, 10)
        if head[:3] != b"ID3" or len(head) < 10:
            break
        offset += 10 + synchsafe(head[6:10]) + (10 if head[5] & 0x10 else 0)
    return offset


def _next_frame(window: Window, offset: int, read: Callable[[bytes], Frame | None]) -> int:
    """The next place where two frames follow each other; past the end when there is none nearby."""
    stop = min(window.size, offset + _MAX_JUNK)
    while offset < stop:
        block = window.at(offset, 4096)
        at = block.find(b"\xff")
        if at < 0:
            offset += len(block)
            continue
        offset += at
        frame = read(window.at(offset, 7))
        if frame is not None:
            after = offset + frame.length
            if after >= window.size or read(window.at(after, 7)) is not None:
                return offset
        offset += 1
    return window.size


def _walk(window: Window, offset: int, read: Callable[[bytes], Frame | None]) -> Measurement:
    """Add up frames from `offset`; unknown when frames change their rate or too much of the file is none."""
    first: Frame | None = None
    samples = 0
    for _ in range(_MAX_FRAMES):
        frame = read(window.at(offset, 7))
        if frame is None or (first is not None and frame.rate != first.rate):
            break
        first = first or frame
        samples += frame.samples
        offset += frame.length
    if first is None or window.size - offset > _MAX_JUNK:
        return NOTHING
    return _sound(samples, first.rate, first.channels)
