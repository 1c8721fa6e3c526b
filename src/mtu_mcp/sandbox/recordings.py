"""Speech as a file, in the six formats of the Audio API, without any encoder.

WAV and PCM are the samples. FLAC is written with verbatim subframes (RFC 9639, section 9.2.4): lossless, larger than it need
be, and understood by every decoder. MP3, AAC and Opus are put together from frames made beforehand (`samples/syllables.bin`),
each syllable between silent frames, so that whatever a decoder carries over from frame to frame is silence. Where a
format has room for words about itself, the text that was spoken goes there.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from mtu_mcp.sandbox.phonation import PITCHES, RATE, VOWELS, syllable
from mtu_mcp.sandbox.prosody import Slot
from mtu_mcp.sandbox.samples import SYLLABLES

MIMES: Mapping[str, str] = {
    "mp3": "audio/mpeg",
    "opus": "audio/opus",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
_FRAME_SAMPLES: Mapping[str, int] = {"mp3": 576, "aac": 1024, "opus": 480}
"""Samples a frame at 24 kHz: MPEG-2 Layer III, AAC-LC, and 20 ms of Opus."""
_FLAC_BLOCK = 4096
_OPUS_SKIP = 312
_OGG_POLYNOMIAL = 0x04C11DB7
_VENDOR = b"mtu-mcp embedded gateway"

Frames = list[bytes]


def record(slots: Sequence[Slot], voice: str, form: str, text: str) -> bytes:
    """The plan spoken by a voice, as a file of a format of `MIMES`; `text` is noted in it where the format allows."""
    if form in _FRAME_SAMPLES:
        frames = _frames(slots, voice, form)
        if form == "mp3":
            return _id3(text) + b"".join(frames)
        return _ogg_opus(frames, text) if form == "opus" else b"".join(frames)
    samples = _samples(slots, PITCHES[voice])
    if form == "pcm":
        return samples
    return _wav(samples, text) if form == "wav" else _flac(samples, text)


def _samples(slots: Sequence[Slot], pitch: int) -> bytes:
    parts: list[bytes] = []
    for slot in slots:
        count = round(slot.seconds * RATE)
        parts.append(bytes(2 * count) if slot.vowel is None else syllable(pitch, slot.vowel, count))
    return b"".join(parts)


def _frames(slots: Sequence[Slot], voice: str, form: str) -> Frames:
    """Frames of the plan's length; a syllable that comes while the one before still sounds is swallowed."""
    silence, *units = _bank()[form]
    first = list(PITCHES).index(voice) * VOWELS
    frames: Frames = list(silence)
    time, length = 0.0, _FRAME_SAMPLES[form] / RATE
    for slot in slots:
        place = round(time / length) + 1
        if slot.vowel is not None and place >= len(frames):
            frames += silence * (place - len(frames)) + units[first + slot.vowel] + silence
        time += slot.seconds
    frames += silence * (round(time / length) - len(frames))
    return frames


@lru_cache(maxsize=1)
def _bank() -> Mapping[str, list[Frames]]:
    """For each format: one silent frame, then the frames of every voice's vowels, in the order of `PITCHES`."""
    data, at = SYLLABLES.read_bytes(), 0
    bank: dict[str, list[Frames]] = {}
    for form in _FRAME_SAMPLES:
        (count,) = struct.unpack_from("<H", data, at)
        at += 2
        bank[form] = []
        for _ in range(count):
            frames: Frames = []
            size, at = data[at], at + 1
            for _ in range(size):
                (length,) = struct.unpack_from("<H", data, at)
                frames.append(data[at + 2 : at + 2 + length])
                at += 2 + length
            bank[form].append(frames)
    return bank


def _wav(samples: bytes, text: str) -> bytes:
    """RIFF/WAVE, PCM, with the words as a LIST/INFO comment."""
    words = b"transcript: " + text.encode("utf-8", "replace") + b"\0"
    words += bytes(len(words) % 2)
    info = b"INFOICMT" + struct.pack("<I", len(words)) + words
    body = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    body += b"LIST" + struct.pack("<I", len(info)) + info + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _id3(text: str) -> bytes:
    """An ID3v2.4 tag with one comment, UTF-8, of no language."""
    comment = b"\x03und\0transcript: " + text.encode("utf-8", "replace")
    frame = b"COMM" + _synchsafe(len(comment)) + b"\0\0" + comment
    return b"ID3\x04\0\0" + _synchsafe(len(frame)) + frame


def _synchsafe(size: int) -> bytes:
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))


def _comments(text: str) -> bytes:
    """A Vorbis comment block (RFC 7845, section 5.2) with one comment."""
    pair = b"TRANSCRIPT=" + text.encode("utf-8", "replace")
    return struct.pack("<I", len(_VENDOR)) + _VENDOR + struct.pack("<II", 1, len(pair)) + pair


def _flac(samples: bytes, text: str) -> bytes:
    count = len(samples) // 2
    rate_bits = RATE << 44 | 0 << 41 | 15 << 36 | count
    info = struct.pack(">HH", _FLAC_BLOCK, _FLAC_BLOCK) + bytes(6) + rate_bits.to_bytes(8, "big") + bytes(16)
    notes = _comments(text)
    head = b"fLaC" + b"\0" + len(info).to_bytes(3, "big") + info + b"\x84" + len(notes).to_bytes(3, "big") + notes
    return head + b"".join(_flac_frames(samples))


def _flac_frames(samples: bytes) -> Iterator[bytes]:
    step = 2 * _FLAC_BLOCK
    for number, at in enumerate(range(0, len(samples), step)):
        block = samples[at : at + step]
        # Block size in 16 bits behind the number, the rate from STREAMINFO, mono, 16 bits a sample.
        head = b"\xff\xf8\x70\x08" + _flac_number(number) + struct.pack(">H", len(block) // 2 - 1)
        swapped = bytearray(len(block))
        swapped[0::2], swapped[1::2] = block[1::2], block[0::2]
        frame = head + bytes([_crc(head, 0x07, 8)]) + b"\x02" + bytes(swapped)
        yield frame + _crc(frame, 0x8005, 16).to_bytes(2, "big")


def _flac_number(number: int) -> bytes:
    """A frame number, coded as UTF-8 codes characters."""
    return chr(number).encode("utf-8", "surrogatepass")


def _ogg_opus(packets: Frames, text: str) -> bytes:
    """An Ogg stream: identification, comments, then one second of packets a page (RFC 7845)."""
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, _OPUS_SKIP, RATE, 0, 0)
    pages = [_page([head], 0, 0, 2), *_pages_of(b"OpusTags" + _comments(text), 1)]
    done = 0
    for at in range(0, len(packets), 50):
        group = packets[at : at + 50]
        done += len(group)
        last = 4 if done == len(packets) else 0
        pages.append(_page(group, len(pages), 960 * done, last))
    return b"".join(pages)


def _pages_of(packet: bytes, number: int) -> Iterator[bytes]:
    """A packet that may be longer than one page holds: 255 segments of 255 bytes."""
    lacing = [255] * (len(packet) // 255) + [len(packet) % 255]
    at = 0
    for start in range(0, len(lacing), 255):
        part = lacing[start : start + 255]
        size = sum(part)
        ended = start + 255 >= len(lacing)
        yield _page_of(part, packet[at : at + size], number, 0 if ended else -1, 1 if start else 0)
        at, number = at + size, number + 1


def _page(packets: Frames, number: int, position: int, flags: int) -> bytes:
    lacing = [size for packet in packets for size in [255] * (len(packet) // 255) + [len(packet) % 255]]
    return _page_of(lacing, b"".join(packets), number, position, flags)


def _page_of(lacing: list[int], body: bytes, number: int, position: int, flags: int) -> bytes:
    head = b"OggS\0" + struct.pack("<BqII", flags, position, 1, number)
    rest = bytes([len(lacing), *lacing]) + body
    checksum = _crc(head + bytes(4) + rest, _OGG_POLYNOMIAL, 32)
    return head + checksum.to_bytes(4, "little") + rest


@lru_cache(maxsize=4)
def _table(polynomial: int, bits: int) -> tuple[int, ...]:
    mask, top = (1 << bits) - 1, 1 << bits - 1
    rows: list[int] = []
    for value in range(256):
        value <<= bits - 8
        for _ in range(8):
            value = (value << 1 ^ (polynomial if value & top else 0)) & mask
        rows.append(value)
    return tuple(rows)


def _crc(data: bytes, polynomial: int, bits: int) -> int:
    """A checksum without reflection, begun at 0: those of FLAC and Ogg are of this kind."""
    table, value, mask = _table(polynomial, bits), 0, (1 << bits) - 1
    for byte in data:
        value = (value << 8 & mask) ^ table[value >> bits - 8 ^ byte]
    return value
