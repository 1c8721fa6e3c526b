"""Headers of the audio formats that are nothing but frames: MPEG audio, AAC in ADTS, AMR.

Both recognising such a file and measuring it need the same few bits, so they are read here once. A header that
breaks any rule is no header: two-byte sync words turn up in every kind of file.
"""

from dataclasses import dataclass
from typing import Final

# Sampling rates and bit rates (kbit/s): ISO/IEC 11172-3 table for MPEG-1, ISO/IEC 13818-3 for MPEG-2; 2.5 halves once more.
_MPEG_RATES: Final = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_MPEG1_LAYER2: Final = (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384)
_MPEG1_LAYER3: Final = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MPEG2_LAYER23: Final = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_AAC_RATES: Final = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)

# Bytes of a whole frame by its type, the header byte included: RFC 4867 section 5.3 and 3GPP TS 26.101/26.201.
AMR_WIDE: Final = b"#!AMR-WB\n"
_AMR_NARROW_SIZES: Final = (13, 14, 16, 18, 20, 21, 27, 32, 6, 0, 0, 0, 0, 0, 0, 1)
_AMR_WIDE_SIZES: Final = (18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 0, 0, 0, 0, 1, 1)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: bytes with its header, samples a channel, samples a second, channels."""

    length: int
    samples: int
    rate: int
    channels: int


def mpeg_frame(header: bytes) -> Frame | None:
    """Read a four-byte MPEG audio header, layers II and III; None when it is none.

    Layer I is left out: nobody ships it, and a UTF-16 byte order mark looks like it.
    """
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    rates = _MPEG_RATES.get(version)
    bit_rate_index, rate_index = header[2] >> 4, header[2] >> 2 & 3
    if rates is None or layer not in (1, 2) or bit_rate_index in (0, 15) or rate_index == 3:
        return None
    if version == 3:
        bit_rate = (_MPEG1_LAYER3 if layer == 1 else _MPEG1_LAYER2)[bit_rate_index]
    else:
        bit_rate = _MPEG2_LAYER23[bit_rate_index]
    rate = rates[rate_index]
    samples = 576 if version != 3 and layer == 1 else 1152
    length = samples // 8 * bit_rate * 1000 // rate + (header[2] >> 1 & 1)
    return Frame(length, samples, rate, 1 if header[3] >> 6 == 3 else 2)


def adts_frame(header: bytes) -> Frame | None:
    """Read a seven-byte ADTS header (ISO/IEC 13818-7, 6.2); None when it is none."""
    if len(header) < 7 or header[0] != 0xFF or header[1] & 0xF6 != 0xF0:
        return None
    rate_index = header[2] >> 2 & 15
    length = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    if rate_index >= len(_AAC_RATES) or length < 7:
        return None
    channels = (header[2] & 1) << 2 | header[3] >> 6
    blocks = (header[6] & 3) + 1
    return Frame(length, 1024 * blocks, _AAC_RATES[rate_index], 8 if channels == 7 else channels)


def amr_frame(header: int, *, wide: bool) -> Frame | None:
    """Read an AMR frame's one-byte header; None when its type is not in use."""
    length = (_AMR_WIDE_SIZES if wide else _AMR_NARROW_SIZES)[header >> 3 & 15]
    rate = 16000 if wide else 8000
    return Frame(length, rate // 50, rate, 1) if length and not header & 0x83 else None


def follows_itself(head: bytes, offset: int) -> bool:
    """Whether MPEG or ADTS frames follow one another from `offset`, as far as `head` reaches.

    One header proves nothing; a second where the first says it must be is no accident.
    """
    for read in (mpeg_frame, adts_frame):
        frame = read(head[offset : offset + 7])
        if frame is None:
            continue
        after = head[offset + frame.length : offset + frame.length + 7]
        if len(after) < 7 or read(after) is not None:
            return True
    return False
