"""Headers and tags of sound formats made of frames or pages: MP3, FLAC, Ogg, ADTS AAC and AMR.

Nothing is decoded: lengths come from counting frames (MP3, AAC, AMR), from STREAMINFO (FLAC) or from the last granule position (Ogg).
Sources: ISO/IEC 11172-3 and 13818-3/-7 frame headers, id3.org ID3v2.3/2.4, RFC 9639 (FLAC), RFC 3533 (Ogg), RFC 7845 (Opus), RFC 4867 (AMR).
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

_MP3_KBPS = {
    (3, 1): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (3, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (3, 3): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (2, 1): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
}
_MP3_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_ADTS_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_AMR_NARROW = (12, 13, 15, 17, 19, 20, 26, 31, 5, 0, 0, 0, 0, 0, 0, 0)
_AMR_WIDE = (17, 23, 32, 36, 40, 46, 50, 58, 60, 5, 0, 0, 0, 0, 0, 0)
_ID3_CODECS = ("latin-1", "utf-16", "utf-16-be", "utf-8")


@dataclass(frozen=True, slots=True)
class Facts:
    """What headers tell: zero or empty where they do not."""

    seconds: float = 0.0
    rate: int = 0
    channels: int = 0
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


def mp3_facts(data: bytes) -> Facts:
    """Count the frames of an MP3 file (up to two hours' worth) and read its ID3v2 tag."""
    at = _id3_size(data)
    tags = id3_tags(data[:at])
    samples = rate = channels = misses = 0
    while at + 4 <= len(data) and misses < 65_536:
        frame = _mp3_frame(data, at)
        if frame is None:
            at, misses = at + 1, misses + 1
            continue
        size, count, frame_rate, frame_channels = frame
        rate, channels = rate or frame_rate, channels or frame_channels
        # A first frame with a Xing or Info header holds no sound.
        marked = not samples and any(mark in data[at : at + 48] for mark in (b"Xing", b"Info"))
        samples, at = samples + (0 if marked else count), at + size
    return Facts(samples / rate if rate else 0.0, rate, channels, tags)


def _mp3_frame(data: bytes, at: int) -> tuple[int, int, int, int] | None:
    """Read one MPEG audio frame header: ``(bytes, samples, rate, channels)``."""
    word = int.from_bytes(data[at : at + 4], "big")
    if word >> 21 != 0x7FF:
        return None
    version, layer, speed, rate_at = word >> 19 & 3, word >> 17 & 3, word >> 12 & 15, word >> 10 & 3
    if version == 1 or not layer or speed in {0, 15} or rate_at == 3:
        return None
    rate = _MP3_RATES[version][rate_at]
    family = 3 if version == 3 else 2
    kbps = _MP3_KBPS[family, layer if family == 3 or layer == 3 else 1][speed]
    samples = 384 if layer == 3 else 1152 if layer == 2 or family == 3 else 576
    slot = 4 if layer == 3 else 1
    size = (samples // 8 * kbps * 1000 // rate // slot + (word >> 9 & 1)) * slot
    return (size, samples, rate, 1 if word >> 6 & 3 == 3 else 2) if size > 4 else None


def _id3_size(data: bytes) -> int:
    return 10 + _synchsafe(data[6:10]) if data[:3] == b"ID3" and len(data) > 10 else 0


def _synchsafe(raw: bytes) -> int:
    value = 0
    for part in raw:
        value = value << 7 | part & 0x7F
    return value


def id3_tags(data: bytes) -> dict[str, str]:
    """Read comment, lyrics, title and free text (TXXX) of an ID3v2.3 or 2.4 tag; empty for any other."""
    if data[:3] != b"ID3" or len(data) < 20 or data[3] not in {3, 4}:
        return {}
    newest = data[3] == 4
    at, tags = 10, dict[str, str]()
    if data[5] & 0x40:
        at += _synchsafe(data[10:14]) if newest else 4 + int.from_bytes(data[10:14], "big")
    while at + 10 <= len(data) and data[at]:
        name = data[at : at + 4].decode("latin-1")
        size = _synchsafe(data[at + 4 : at + 8]) if newest else int.from_bytes(data[at + 4 : at + 8], "big")
        body = data[at + 10 : at + 10 + size]
        at += 10 + size
        if body and body[0] < len(_ID3_CODECS):
            _id3_frame(name, body, tags)
    return tags


def _id3_frame(name: str, body: bytes, tags: dict[str, str]) -> None:
    codec = _ID3_CODECS[body[0]]
    skip = 4 if name in {"COMM", "USLT"} else 1
    text = body[skip:].decode(codec, errors="replace")
    if name in {"COMM", "USLT", "TXXX"}:
        label, _, text = text.partition("\0")
    else:
        label = ""
    label, text = label.strip("\ufeff ").lower(), text.strip("\0\ufeff ")
    if name == "COMM":
        tags["transcript" if label.startswith("transcript") else "comment"] = text
    elif name == "USLT":
        tags["lyrics"] = text
    elif name == "TXXX" and label:
        tags[label] = text
    elif name == "TIT2":
        tags["title"] = text


def flac_facts(data: bytes) -> Facts:
    """Read STREAMINFO and the Vorbis comment of a FLAC file."""
    at, last = 4, False
    rate = channels = total = 0
    tags: dict[str, str] = {}
    while not last and at + 4 <= len(data):
        last, block = bool(data[at] & 0x80), data[at] & 0x7F
        size = int.from_bytes(data[at + 1 : at + 4], "big")
        body = data[at + 4 : at + 4 + size]
        if block == 0 and len(body) >= 18:
            packed = int.from_bytes(body[10:18], "big")
            rate, channels, total = packed >> 44, (packed >> 41 & 7) + 1, packed & 0xFFFFFFFFF
        elif block == 4:
            tags = vorbis_comments(body)
        at += 4 + size
    return Facts(total / rate if rate else 0.0, rate, channels, tags)


def ogg_facts(data: bytes) -> Facts:
    """Read the identification, comment and last page of an Ogg file that holds Vorbis, Opus or FLAC."""
    packets = _ogg_packets(data, 2)
    first = packets[0] if packets else b""
    rate = channels = lead = 0
    tags: dict[str, str] = {}
    if first.startswith(b"\x01vorbis") and len(first) >= 16:
        channels, rate = first[11], int.from_bytes(first[12:16], "little")
        tags = vorbis_comments(packets[1][7:]) if len(packets) > 1 else {}
    elif first.startswith(b"OpusHead") and len(first) >= 12:
        # RFC 7845: granule positions count 48 kHz samples whatever went in; the pre-skip is not played.
        channels, lead, rate = first[9], int.from_bytes(first[10:12], "little"), 48_000
        tags = vorbis_comments(packets[1][8:]) if len(packets) > 1 else {}
    elif first.startswith(b"\x7fFLAC"):
        facts = flac_facts(first[9:])
        rate, channels = facts.rate, facts.channels
        tags = vorbis_comments(packets[1][4:]) if len(packets) > 1 else {}
    at = data.rfind(b"OggS")
    granule = int.from_bytes(data[at + 6 : at + 14], "little", signed=True) if at >= 0 else 0
    return Facts(max(0, granule - lead) / rate if rate else 0.0, rate, channels, tags)


def _ogg_packets(data: bytes, wanted: int) -> list[bytes]:
    """Collect the first packets of the first stream, which may run over several pages."""
    packets: list[bytes] = []
    at, held = 0, b""
    while len(packets) < wanted and data[at : at + 4] == b"OggS" and at + 27 <= len(data):
        lacing = data[at + 27 : at + 27 + data[at + 26]]
        at += 27 + len(lacing)
        for size in lacing:
            held += data[at : at + size]
            at += size
            if size < 255:
                packets.append(held)
                held = b""
    return packets[:wanted]


def vorbis_comments(body: bytes) -> dict[str, str]:
    """Read ``NAME=value`` pairs of a Vorbis comment block, names in lower case."""
    tags: dict[str, str] = {}
    if len(body) < 8:
        return tags
    at = 4 + int.from_bytes(body[:4], "little")
    count = int.from_bytes(body[at : at + 4], "little")
    at += 4
    for _ in range(min(count, 1000)):
        if at + 4 > len(body):
            break
        (size,) = struct.unpack_from("<I", body, at)
        name, _, value = body[at + 4 : at + 4 + size].decode("utf-8", errors="replace").partition("=")
        tags[name.lower()] = value
        at += 4 + size
    return tags


def adts_facts(data: bytes) -> Facts:
    """Count the frames of a raw AAC stream."""
    at = blocks = rate = channels = 0
    while at + 7 <= len(data) and data[at] == 0xFF and data[at + 1] & 0xF6 == 0xF0:
        head = int.from_bytes(data[at : at + 7], "big")
        index, size = head >> 34 & 15, head >> 13 & 0x1FFF
        if index >= len(_ADTS_RATES) or size < 7:
            break
        rate, channels = rate or _ADTS_RATES[index], channels or (head >> 30 & 7)
        blocks += (head & 3) + 1
        at += size
    return Facts(blocks * 1024 / rate if rate else 0.0, rate, channels)


def amr_facts(data: bytes) -> Facts:
    """Count the 20 ms frames of an AMR file, narrow band (8 kHz) or wide (16 kHz)."""
    wide = data.startswith(b"#!AMR-WB\n")
    at, sizes, count = (9 if wide else 6), (_AMR_WIDE if wide else _AMR_NARROW), 0
    while at < len(data):
        at += 1 + sizes[data[at] >> 3 & 15]
        count += 1
    return Facts(count * 0.02, 16_000 if wide else 8_000, 1)
