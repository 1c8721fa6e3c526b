"""Sound files put end to end."""

import io
import struct
import wave

import pytest

from mtu_mcp.media import Media, kind_of, measure_blocking
from mtu_mcp.media.splicing import ends_early, join_sounds, mended

MP3_FRAME = b"\xff\xf3\x34\xc4" + bytes(68)
"""MPEG-2 layer III, 24 kbit/s, 24 kHz, mono: 72 bytes, 24 ms."""
AAC_FRAME = b"\xff\xf1\x58\x40\x01\x7f\xfc" + bytes(4)
"""ADTS: AAC-LC, 24 kHz, mono, 11 bytes, 1,024 samples."""
ID3 = b"ID3\x04\0\0\0\0\0\x05hello"
XING = MP3_FRAME[:21] + b"Xing\0\0\0\1\0\0\0\x63" + bytes(39)


def wav(frames: int, rate: int = 24_000) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"\x01\x02" * frames)
    return out.getvalue()


def streamed(frames: int) -> bytes:
    """A WAV whose sizes say "unknown", as one sent while it is made."""
    data = wav(frames)
    return data[:4] + b"\xff\xff\xff\xff" + data[8:40] + b"\xff\xff\xff\xff" + data[44:]


def seconds(data: bytes) -> float:
    return measure_blocking(Media("x", kind_of(data), len(data), data=data)).seconds or 0.0


def joined(*parts: bytes) -> bytes | None:
    return join_sounds(parts, kind_of(parts[0]))


def test_wav_files_become_one_with_one_header() -> None:
    """RIFF/WAVE: one fmt chunk, one data chunk, both sizes true."""
    whole = joined(wav(24_000), streamed(12_000), wav(12_000) + b"LIST\x04\0\0\0INFO")
    assert whole is not None
    with wave.open(io.BytesIO(whole)) as file:
        assert file.getnframes() == 48_000
    assert struct.unpack("<I", whole[4:8])[0] == len(whole) - 8


def test_wav_files_of_different_rates_are_not_joined() -> None:
    """Joined, one of them would play at the wrong speed."""
    assert joined(wav(10), wav(10, 16_000)) is None


def test_frames_of_mp3_and_aac_follow_each_other_without_tags_and_counts() -> None:
    """ISO/IEC 11172-3 and 13818-7: frames stand alone; a Xing header counts only its own file's."""
    whole = joined(ID3 + XING + MP3_FRAME * 10, ID3 + MP3_FRAME * 5 + MP3_FRAME[:30])
    assert whole == MP3_FRAME * 15
    assert seconds(whole) == pytest.approx(15 * 576 / 24_000)
    both = joined(AAC_FRAME * 3, AAC_FRAME * 4)
    assert both == AAC_FRAME * 7
    assert seconds(both) == pytest.approx(7 * 1024 / 24_000)


def test_flac_and_ogg_are_not_joined() -> None:
    """RFC 9639 and RFC 3533: frames are numbered and samples counted through the whole stream."""
    assert joined(b"fLaC" + bytes(60), b"fLaC" + bytes(60)) is None
    assert joined(b"OggS\0\2" + bytes(60), b"OggS\0\2" + bytes(60)) is None


def test_a_streamed_wav_gets_its_length_written_in() -> None:
    """Some players refuse a WAV of unknown length."""
    data = mended(streamed(2_400), kind_of(streamed(2_400)))
    assert struct.unpack("<I", data[40:44])[0] == 4_800
    assert mended(wav(5), kind_of(wav(5))) == wav(5)
    assert mended(MP3_FRAME, kind_of(MP3_FRAME * 3)) == MP3_FRAME


@pytest.mark.parametrize(
    ("data", "early"),
    [
        (wav(100), False),
        (wav(100)[:-20], True),
        (streamed(100), False),
        (ID3 + MP3_FRAME * 4, False),
        (MP3_FRAME * 4 + MP3_FRAME[:40], True),
        (AAC_FRAME * 4, False),
        (AAC_FRAME * 4 + AAC_FRAME[:9], True),
        (b"OggS\0\2" + bytes(40) + b"OggS\0\4" + bytes(40), False),
        (b"OggS\0\2" + bytes(40) + b"OggS\0\0" + bytes(40), True),
        (b"RIFF\0\0", False),
        (b"", False),
    ],
)
def test_a_file_that_ends_before_it_says_is_found_out(data: bytes, early: bool) -> None:
    """RIFF sizes; the last page's flag in RFC 3533, section 6; half a frame at the end."""
    assert ends_early(data, kind_of(data)) is early
