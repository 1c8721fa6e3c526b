"""Sounds described from their own bytes: what the samples say, what the headers say, what the tags say."""

import io
import math
import struct
import sys
import wave
from array import array

import pytest

from mtu_mcp.sandbox import listening, recognition, samples, waveforms
from mtu_mcp.sandbox.listening import describe_sound

PARTS = ((0.5, 0.0), (1.0, 0.5), (0.6, 0.0), (0.4, 0.25))
"""Half a second of silence, a second of a tone, a pause, a quieter tone."""


def _tones(rate: int) -> list[float]:
    values: list[float] = []
    for seconds, height in PARTS:
        values += [height * math.sin(math.tau * 400 * at / rate) for at in range(int(seconds * rate))]
    return values


def _riff(form: int, channels: int, rate: int, bits: int, body: bytes, *more: tuple[bytes, bytes]) -> bytes:
    block = channels * bits // 8
    shape = struct.pack("<HHIIHH", form, channels, rate, rate * block, block, bits)
    chunks = b""
    for name, content in ((b"fmt ", shape), (b"data", body), *more):
        chunks += name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) & 1)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def _encoded(values: list[float], form: int, bits: int) -> bytes:
    if form == 3:
        packed = array("f" if bits == 32 else "d", values)
        if sys.byteorder == "big":
            packed.byteswap()
        return packed.tobytes()
    if bits == 8:
        return bytes(128 + round(value * 127) for value in values)
    top = 2 ** (bits - 1) - 1
    return b"".join(round(value * top).to_bytes(bits // 8, "little", signed=True) for value in values)


@pytest.mark.parametrize(("form", "bits"), [(1, 8), (1, 16), (1, 24), (1, 32), (3, 32), (3, 64)])
def test_every_sample_form_gives_the_same_loudness_and_spans(form, bits):
    """Formats of the RIFF/WAVE specification: PCM of 8 to 32 bits and IEEE float."""
    rate = 8000
    sound = describe_sound(_riff(form, 1, rate, bits, _encoded(_tones(rate), form, bits)), recognise=False)
    assert (sound.kind, sound.rate, sound.channels, sound.decoded) == ("wav", 8000, 1, True)
    assert sound.seconds == pytest.approx(2.5)
    assert sound.loudness_dbfs == pytest.approx(-12.7, abs=0.2)
    assert sound.spans == [pytest.approx((0.5, 1.5), abs=0.021), pytest.approx((2.1, 2.5), abs=0.021)]
    assert sound.transcript is None


def test_stereo_counts_frames_and_not_samples():
    """A second of stereo is a second."""
    left = _tones(8000)
    both = [value for each in left for value in (each, 0.0)]
    sound = describe_sound(_riff(1, 2, 8000, 16, _encoded(both, 1, 16)), recognise=False)
    assert sound.seconds == pytest.approx(2.5)
    assert sound.spans[0] == pytest.approx((0.5, 1.5), abs=0.021)


def test_silence_has_no_loudness_and_no_spans():
    """The logarithm of nothing is not a number to report."""
    sound = describe_sound(_riff(1, 1, 8000, 16, bytes(16_000)))
    assert (sound.loudness_dbfs, sound.spans, sound.transcript) == (None, [], None)


def test_a_transcript_in_a_wav_comment_is_read():
    """RIFF LIST/INFO: ICMT is the comment."""
    words = "Transcript: 你好 world".encode()
    info = b"INFO" + b"ICMT" + struct.pack("<I", len(words)) + words + b"\0" * (len(words) & 1)
    sound = describe_sound(_riff(1, 1, 8000, 16, bytes(16_000), (b"LIST", info)))
    assert (sound.transcript, sound.source) == ("你好 world", "the file's comment tag")


def test_a_comment_in_gb18030_is_read_too():
    """Chinese Windows programs write INFO chunks in the system's code page."""
    words = "早上好".encode("gb18030")
    info = b"INFO" + b"ICMT" + struct.pack("<I", len(words)) + words
    assert describe_sound(_riff(1, 1, 8000, 16, bytes(16_000), (b"LIST", info))).transcript == "早上好"


@pytest.mark.parametrize(
    ("name", "kind", "seconds", "words"),
    [
        ("RECORDING", "wav", 7.49, samples.RECORDING_WORDS),
        ("RECORDING_MP3", "mp3", 7.6, samples.RECORDING_WORDS),
        ("RECORDING_ZH", "wav", 3.43, samples.RECORDING_ZH_WORDS),
        ("SOUND", "wav", 2.0, None),
        ("VIDEO", "mp4", 3.0, None),
    ],
)
def test_the_samples_are_what_they_say(name, kind, seconds, words):
    """Our promise: real files travel with the package."""
    data = getattr(samples, name).read_bytes()
    sound = describe_sound(data, recognise=False)
    assert (sound.kind, sound.transcript) == (kind, words)
    assert sound.seconds == pytest.approx(seconds, abs=0.02)


def test_the_samples_are_small():
    """Our promise: less than 400 KB of samples in the wheel."""
    paths = (
        samples.PICTURE,
        samples.SOUND,
        samples.RECORDING,
        samples.RECORDING_MP3,
        samples.RECORDING_ZH,
        samples.VIDEO,
    )
    assert sum(path.stat().st_size for path in paths) < 400_000


def test_a_flac_file_tells_its_length_and_its_vorbis_comment():
    """RFC 9639: STREAMINFO and the comment block."""
    packed = (44_100 << 44 | (2 - 1) << 41 | 15 << 36 | 441_000).to_bytes(8, "big")
    streaminfo = bytes(10) + packed + bytes(16)
    pair = b"TRANSCRIPT=four score"
    comment = struct.pack("<I", 4) + b"test" + struct.pack("<II", 1, len(pair)) + pair
    data = b"fLaC" + b"\0" + len(streaminfo).to_bytes(3, "big") + streaminfo
    data += b"\x84" + len(comment).to_bytes(3, "big") + comment
    sound = describe_sound(data)
    assert (sound.kind, sound.seconds, sound.rate, sound.channels) == ("flac", 10.0, 44_100, 2)
    assert (sound.transcript, sound.decoded) == ("four score", False)


def test_an_opus_file_counts_48_khz_samples_less_the_pre_skip():
    """RFC 7845."""

    def page(granule: int, packet: bytes) -> bytes:
        head = b"OggS\0\0" + struct.pack("<qIII", granule, 1, 0, 0)
        return (
            head
            + bytes([len(packet) // 255 + 1])
            + b"\xff" * (len(packet) // 255)
            + bytes([len(packet) % 255])
            + packet
        )

    head = b"OpusHead\x01\x02" + struct.pack("<HIhB", 312, 48_000, 0, 0)
    pair = b"LYRICS=" + b"la" * 200
    tags = b"OpusTags" + struct.pack("<I", 0) + struct.pack("<II", 1, len(pair)) + pair
    sound = describe_sound(page(0, head) + page(0, tags) + page(48_000 * 3 + 312, b"x"))
    assert (sound.kind, sound.seconds, sound.channels, sound.transcript) == ("ogg", 3.0, 2, "la" * 200)


def test_an_amr_file_is_counted_by_its_frames():
    """RFC 4867: 20 ms a frame."""
    assert describe_sound(b"#!AMR\n" + (b"\x3c" + bytes(31)) * 100).seconds == 2.0


@pytest.mark.parametrize("cut", range(0, 240, 7))
def test_a_damaged_file_is_described_as_far_as_it_goes(cut):
    """Our promise: no upload crashes the gateway."""
    for path in (samples.RECORDING, samples.RECORDING_MP3, samples.VIDEO):
        describe_sound(path.read_bytes()[:cut], recognise=False)
    describe_sound(samples.VIDEO.read_bytes()[cut:], recognise=False)


def test_speech_samples_are_16_khz_mono():
    """Pocketsphinx wants 16 kHz, 16 bits, one channel."""
    both = [value for each in _tones(8000) for value in (each, each)]
    read = waveforms.read_wave(_riff(1, 2, 8000, 16, _encoded(both, 1, 16)))
    assert read is not None
    assert len(waveforms.speech_samples(read)) == 2.5 * 16_000 * 2


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Please return the book.", "english"),
        ("请归还图书。", "chinese"),
        ("ありがとう、本です", "japanese"),
        ("Bonjour, le livre est dans la salle", "french"),
        ("Guten Tag, das Buch ist nicht da", "german"),
        ("Книга", "russian"),
    ],
)
def test_the_language_of_a_text_is_told_by_its_script_or_small_words(text, language):
    """Our promise: a translation is only claimed where the words are English."""
    assert listening.language_of(text) == language


def test_speech_without_a_transcript_is_really_recognised_when_pocketsphinx_is_there():
    """Our promise for the optional extra `local`."""
    pytest.importorskip("pocketsphinx")
    data = samples.RECORDING.read_bytes()
    bare = io.BytesIO()
    with wave.open(io.BytesIO(data)) as source, wave.open(bare, "wb") as copy:
        copy.setparams(source.getparams())
        copy.writeframes(source.readframes(source.getnframes()))
    sound = describe_sound(bare.getvalue())
    assert sound.source == "pocketsphinx"
    assert "library" in sound.transcript
    assert all(0 <= start < end <= sound.seconds + 0.1 for _, start, end in sound.words)


def test_a_tone_does_not_sound_like_speech():
    """Our promise: no words are recognised in what is none."""
    tones, speech = (waveforms.read_wave(path.read_bytes()) for path in (samples.SOUND, samples.RECORDING))
    assert tones is not None
    assert speech is not None
    assert waveforms.swing(tones) < 3.0 < 5.0 < waveforms.swing(speech)


def test_recognition_of_nothing_is_nothing():
    """An empty answer, not an invented one."""
    assert recognition.recognise(b"") == []
