"""Sound files put end to end, without decoding them.

WAV is samples behind a header, MP3 and AAC are frames that stand alone: these join by taking the wrapping off. FLAC numbers
its frames, and Ogg counts samples through the whole stream; gluing them makes files that many players stop in the middle of, so
they are not joined here.
"""

import struct
from collections.abc import Callable, Sequence
from typing import Final

from mtu_mcp.media.frames import Frame, adts_frame, mpeg_frame
from mtu_mcp.media.kinds import Kind, synchsafe

_UNKNOWN_SIZES: Final = (0, 0xFFFFFFFF)
_LONGEST_WAV: Final = 0xFFFFFFFF - 64


def join_sounds(parts: Sequence[bytes], kind: Kind) -> bytes | None:
    """Files of one kind as one file, or None where that is not safe.

    Notes inside the parts (titles, comments) are left out: each speaks of its part alone.
    """
    if kind.extension == "wav":
        return _join_wav(parts)
    if kind.extension == "mp3":
        return b"".join(_bare(part, mpeg_frame, counted=True) for part in parts)
    return b"".join(_bare(part, adts_frame) for part in parts) if kind.extension == "aac" else None


def mended(data: bytes, kind: Kind) -> bytes:
    """The file with a length written in its header: a WAV that was streamed says "unknown", which some players refuse."""
    if kind.extension != "wav":
        return data
    form, samples, declared = _wav_parts(data)
    return _wav(form, samples) if form and declared in _UNKNOWN_SIZES else data


def ends_early(data: bytes, kind: Kind) -> bool:
    """Whether a file says of itself that there should be more of it."""
    if kind.extension == "wav":
        _, samples, declared = _wav_parts(data)
        return declared not in _UNKNOWN_SIZES and len(samples) < declared
    if kind.extension == "ogg":
        at = data.rfind(b"OggS")
        return len(data) < at + 6 or not data[at + 5] & 4  # the flag of the last page (RFC 3533, section 6)
    if kind.extension in ("mp3", "aac"):
        read = mpeg_frame if kind.extension == "mp3" else adts_frame
        return _frames_end(data, _after_tag(data), read) > len(data)
    return False


def _join_wav(parts: Sequence[bytes]) -> bytes | None:
    read = [_wav_parts(part) for part in parts]
    form = read[0][0] if read else b""
    if not form or any(other[:16] != form[:16] for other, _, _ in read):
        return None
    block = int.from_bytes(form[12:14], "little") or 1
    samples = b"".join(samples[: len(samples) - len(samples) % block] for _, samples, _ in read)
    return _wav(form, samples) if len(samples) < _LONGEST_WAV else None


def _wav_parts(data: bytes) -> tuple[bytes, bytes, int]:
    """The format, the samples that are there, and how many bytes of them the header promises."""
    form, at = b"", 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if name == b"fmt ":
            form = data[at + 8 : at + 8 + size]
        elif name == b"data":
            samples = data[at + 8 :] if size in _UNKNOWN_SIZES else data[at + 8 : at + 8 + size]
            return (form if len(form) >= 16 else b""), samples, size
        at += 8 + size + size % 2
    return b"", b"", 0


def _wav(form: bytes, samples: bytes) -> bytes:
    padded = samples + bytes(len(samples) % 2)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(samples)) + padded
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _bare(data: bytes, read: Callable[[bytes], Frame | None], *, counted: bool = False) -> bytes:
    """The frames alone: without tags, without the frame that counts the others, without half a frame at the end."""
    start = _after_tag(data)
    if counted and (frame := read(data[start : start + 7])):
        head = data[start : start + min(frame.length, 64)]
        if b"Xing" in head or b"Info" in head:
            start += frame.length
    return data[start : _frames_end(data, start, read, whole=True)]


def _frames_end(data: bytes, start: int, read: Callable[[bytes], Frame | None], *, whole: bool = False) -> int:
    """Where the last frame ends, or would end; with `whole`, the last one that is all there."""
    at = start
    while frame := read(data[at : at + 7]):
        if whole and at + frame.length > len(data):
            break
        at += frame.length
    return at


def _after_tag(data: bytes) -> int:
    return 10 + synchsafe(data[6:10]) if data.startswith(b"ID3") and len(data) > 10 else 0
