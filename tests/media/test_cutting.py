"""Recordings are cut at pauses, nothing is lost between the pieces, and nothing long is held."""

import io
import struct
import tracemalloc
import wave
from itertools import pairwise

import pytest

from media import samples
from media.speechlike import RATE, bursts, heard, wav
from mtu_mcp.errors import BadInput, LimitExceeded
from mtu_mcp.media import kind_of
from mtu_mcp.media.cutting import can_cut, cut
from mtu_mcp.media.decoding import find_av
from mtu_mcp.media.media import Media
from mtu_mcp.media.pieces import Limits
from mtu_mcp.media.waves import read_wave

AV = find_av()
ways = pytest.mark.parametrize("av", [None, pytest.param(AV, marks=pytest.mark.skipif(AV is None, reason="no av"))])
needs_av = pytest.mark.skipif(AV is None, reason="the extra `media` is not installed")

TALK = [2.1, 0.5, 3.0, 0.6, 1.4, 0.7, 2.6, 0.5, 3.3, 0.8, 1.2, 0.6, 2.8, 0.5, 2.2]
"""22.8 s of speech and pauses."""


def media(data, name="talk.wav"):
    return Media(name, kind_of(data, name), len(data), data=data)


def pieces(data, folder, av, seconds=6.0, name="talk.wav", **limits):
    return list(cut(media(data, name), folder, Limits(seconds, **limits), av))


def decoded(piece):
    """The piece as 16-bit WAV."""
    with piece.opener() as stream:
        data = stream.read()
    if piece.kind.extension == "wav":
        return data
    assert AV is not None
    with AV.open(io.BytesIO(data)) as container:
        resampler = AV.AudioResampler(format="s16", layout="mono", rate=RATE)
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
        frames += resampler.resample(None)
    return wav(b"".join(bytes(one.planes[0])[: one.samples * 2] for one in frames))


def spans(plan):
    """Where the sound is, by the plan."""
    found, at = [], 0.0
    for index, seconds in enumerate(plan):
        if not index % 2:
            found.append((at, at + seconds))
        at += seconds
    return found


@ways
def test_cuts_fall_into_pauses_and_every_word_is_in_one_piece(av, tmp_path):
    """Our promise: cut at silences, joined with correct timestamps."""
    found = pieces(wav(bursts(TALK)), tmp_path, av)
    assert len(found) >= 4
    assert [one.number for one in found] == list(range(1, len(found) + 1))
    assert all(one.seconds <= 6.0 and not one.overlap for one in found)
    assert found[0].start == 0
    assert found[-1].end == pytest.approx(sum(TALK), abs=0.01)
    assert all(a.end == pytest.approx(b.start) for a, b in pairwise(found))
    again = [(one.start + a, one.start + b) for one in found for a, b in heard(decoded(one))]
    expected = spans(TALK)
    assert len(again) == len(expected)
    # MP3 smears a sound over a frame; WAV is exact to the hundredth that `heard` reads.
    near = 0.02 if av is None else 0.12
    for (start, end), (first, last) in zip(again, expected, strict=True):
        assert start == pytest.approx(first, abs=near)
        assert end == pytest.approx(last, abs=near)


@ways
def test_without_a_pause_the_next_piece_begins_a_little_earlier(av, tmp_path):
    """Our promise: overlaps are there to be merged; nobody's word is cut in two for good."""
    found = pieces(wav(bursts([20.0])), tmp_path, av, seconds=5.0)
    assert [one.overlap for one in found[1:]] == pytest.approx([0.5] * (len(found) - 1), abs=0.01)
    assert not found[0].overlap
    for before, after in pairwise(found):
        assert after.start == pytest.approx(before.end - after.overlap, abs=0.001)


@ways
def test_a_pause_is_found_under_noise(av, tmp_path):
    """Our promise: what counts is the difference between speech and pause."""
    found = pieces(wav(bursts(TALK, noise=150)), tmp_path, av)
    assert not any(one.overlap for one in found)


@ways
def test_silence_throughout_is_cut_too(av, tmp_path):
    """Our promise: an hour of silence is no error."""
    found = pieces(samples.wav(20.0), tmp_path, av)
    assert sum(one.seconds for one in found) == pytest.approx(20.0, abs=0.01)


@ways
def test_pieces_keep_within_the_bytes_allowed(av, tmp_path):
    """Our promise: limits are checked before sending."""
    found = pieces(wav(bursts(TALK)), tmp_path, av, seconds=100.0, bytes=60_000)
    assert len(found) > 2
    for one in found:
        with one.opener() as stream:
            assert stream.seek(0, io.SEEK_END) <= 60_000


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_wav_of_every_width_is_cut_by_the_standard_library(width, channels, tmp_path):
    """RIFF/WAVE: 8 bits have no sign, wider samples do; pieces are WAV files that others read."""
    plain = bursts([2.0, 1.0, 2.0, 1.0, 2.0], channels=channels)
    values = [int.from_bytes(plain[at : at + 2], "little", signed=True) for at in range(0, len(plain), 2)]
    if width == 1:
        frames = bytes((value >> 8) + 128 for value in values)
    else:
        frames = b"".join((value << 8 * (width - 2)).to_bytes(width, "little", signed=True) for value in values)
    found = pieces(wav(frames, channels=channels, width=width), tmp_path, None, seconds=3.0)
    joined = b""
    for one in found:
        assert not one.overlap
        with one.opener() as stream, wave.open(io.BytesIO(stream.read()), "rb") as file:
            assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (channels, width, RATE)
            joined += file.readframes(file.getnframes())
    assert joined == frames
    assert len(found) == 3


def test_a_pause_of_one_channel_is_none(tmp_path):
    """An interview is often recorded with one voice on each channel."""
    left, right = bursts([4.0, 1.0, 4.0, 1.0]), bursts([1.5, 1.0, 1.5, 1.0, 5.0])
    both = b"".join(left[at : at + 2] + right[at : at + 2] for at in range(0, min(len(left), len(right)), 2))
    [first, *_] = pieces(wav(both, channels=2), tmp_path, None, seconds=5.0)
    assert 4.0 < first.end < 5.0


def test_floating_point_samples_are_understood(tmp_path):
    """RFC 2361: format tag 3."""
    values = bursts([2.0, 1.0, 2.0])
    floats = struct.pack(
        f"<{len(values) // 2}f",
        *(int.from_bytes(values[at : at + 2], "little", signed=True) / 32768 for at in range(0, len(values), 2)),
    )
    form = struct.pack("<HHIIHH", 3, 1, RATE, RATE * 4, 4, 32)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(floats)) + floats
    found = pieces(b"RIFF" + struct.pack("<I", len(body)) + body, tmp_path, None, seconds=3.0)
    assert [one.overlap for one in found] == [0, 0]
    assert 2.0 < found[0].end < 3.0


def test_a_slice_reads_like_a_file(tmp_path):
    """Python's io: read, seek and tell in any order."""
    [_, piece, *_] = pieces(wav(bursts(TALK)), tmp_path, None)
    with piece.opener() as stream:
        whole = stream.read()
        stream.seek(30)
        assert stream.read(100) == whole[30:130]
        assert stream.tell() == 130
        assert stream.seek(-4, io.SEEK_END) == len(whole) - 4
        assert stream.read() == whole[-4:]
    assert stream.closed


@needs_av
@pytest.mark.parametrize(
    ("form", "codec"), [("mp3", "libmp3lame"), ("flac", "flac"), ("ogg", "libopus"), ("mp4", "aac")]
)
def test_compressed_recordings_are_cut(form, codec, tmp_path):
    """Our promise: a well-kept library does the decoding."""
    found = pieces(encoded(form, codec), tmp_path, AV, name=f"talk.{form}")
    assert len(found) >= 4
    assert not any(one.overlap for one in found)
    again = [(one.start + a, one.start + b) for one in found for a, b in heard(decoded(one))]
    for (start, _), (first, _) in zip(again, spans(TALK), strict=True):
        assert start == pytest.approx(first, abs=0.15)


def encoded(form, codec, *, film=False, rate=48000):
    """The talk in another format, with a moving picture beside it for a film."""
    assert AV is not None
    out = io.BytesIO()
    with AV.open(out, "w", format=form) as container:
        picture = container.add_stream("mpeg4", rate=10) if film else None
        stream = container.add_stream(codec, rate=rate, layout="mono")
        if picture is not None:
            picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
            for _ in range(20):
                container.mux(picture.encode(AV.VideoFrame(64, 48, "yuv420p")))
            container.mux(picture.encode(None))
        resampler = AV.AudioResampler(format=stream.codec_context.format, layout="mono", rate=rate)
        pcm = bursts(TALK)
        for at in range(0, len(pcm), 1600):
            block = pcm[at : at + 1600]
            frame = AV.AudioFrame(format="s16", layout="mono", samples=len(block) // 2)
            frame.planes[0].update(block.ljust(frame.planes[0].buffer_size, b"\0"))
            frame.sample_rate = RATE
            frame.pts = at // 2
            for part in resampler.resample(frame):
                container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return out.getvalue()


@needs_av
@pytest.mark.parametrize("form", ["mp4", "matroska"])
def test_the_sound_of_a_film_is_taken_out(form, tmp_path):
    """Our promise: a video with sound is a recording."""
    data = encoded(form, "aac", film=True)
    assert kind_of(data, "film").family == "video"
    found = pieces(data, tmp_path, AV, name="film")
    assert len(found) >= 4
    assert {one.kind.mime for one in found} == {"audio/mpeg"}


@needs_av
@pytest.mark.parametrize(
    "data",
    [
        samples.mp3(20)[:50],
        b"OggS" + bytes(300),
        encoded("mp4", "aac")[:2000] if AV else b"",
        b"RIFF\x24\0\0\0WAVEfmt " + bytes(30),
    ],
)
def test_what_cannot_be_decoded_is_told(data, tmp_path):
    """Our promise: an error says what happened and what to do."""
    with pytest.raises(BadInput, match=r"cannot be decoded|no sound"):
        pieces(data, tmp_path, AV, name="x")
    assert list(tmp_path.iterdir()) == []


@needs_av
def test_damage_inside_a_recording_does_not_end_it(tmp_path):
    """Our promise: what can be heard is written down."""
    data = bytearray(encoded("mp3", "libmp3lame"))
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    found = pieces(bytes(data), tmp_path, AV, name="talk.mp3")
    assert found[-1].end == pytest.approx(sum(TALK), abs=1.0)


@needs_av
def test_a_recording_that_changes_its_rate_half_way_is_cut_whole(tmp_path):
    """Podcasts are glued together from MP3 files; a fuzzer found it first."""
    glued = encoded("mp3", "libmp3lame") + encoded("mp3", "libmp3lame", rate=24000)
    found = pieces(glued, tmp_path, AV, name="talk.mp3")
    assert found[-1].end == pytest.approx(2 * sum(TALK), abs=0.5)


@ways
@pytest.mark.parametrize("rate", [1, 100, 0x7FFFFFFF])
def test_a_rate_that_no_recording_has_is_refused_by_the_head_alone(av, rate, tmp_path):
    """Our promise: bounded time. The standard WAV head says its own rate; at 1 Hz, 160 KB had taken 45 s to be refused."""
    head = bytearray(wav(bytes(160_000)))
    head[24:28] = struct.pack("<I", rate)
    with pytest.raises(BadInput, match="no recording has"):
        pieces(bytes(head), tmp_path, av, name="x.wav")
    assert list(tmp_path.iterdir()) == []


@ways
def test_a_recording_of_days_is_refused_by_its_head_alone(av, tmp_path):
    """Our promise: the same, before anything is decoded or cut."""
    head = bytearray(wav(bytes(1000)))
    head[24:28] = struct.pack("<I", 1000)
    head[40:44] = struct.pack("<I", 0xFFFFFFFF)
    path = tmp_path / "x.wav"
    with path.open("wb") as file:
        file.write(head)
        file.truncate(200_000_000)
    days = Media("x.wav", kind_of(bytes(head)), 200_000_000, path=path)
    with pytest.raises(LimitExceeded, match="24 hours"):
        list(cut(days, tmp_path, Limits(60), av))
    assert [left.name for left in tmp_path.iterdir()] == ["x.wav"]


@needs_av
@pytest.mark.parametrize("rate", [1.0, 2e9])
def test_a_container_that_lies_about_its_rate_is_refused(rate, tmp_path):
    """Our promise: the same for what FFmpeg reads: at 1 GHz its filter alone had taken a gigabyte. RFC 9559: 0xB5."""
    data = bytearray(encoded("matroska", "pcm_s16le", rate=16000))
    at = data.index(b"\xb5\x88")
    data[at + 2 : at + 10] = struct.pack(">d", rate)
    with pytest.raises(BadInput, match="no recording has"):
        pieces(bytes(data), tmp_path, AV, name="talk.mkv")
    assert list(tmp_path.iterdir()) == []


@needs_av
def test_gaps_are_filled_only_so_far(tmp_path):
    """Our promise: the same; a clock that leaps ten minutes with every packet made a day of silence of two seconds."""
    assert AV is not None
    out = io.BytesIO()
    with AV.open(out, "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for number in range(20):
            frame = AV.AudioFrame(format="s16", layout="mono", samples=RATE // 10)
            frame.planes[0].update(bytes(frame.planes[0].buffer_size))
            frame.sample_rate, frame.pts = RATE, number * 590 * RATE
            for packet in stream.encode(frame):
                container.mux(packet)
    found = pieces(out.getvalue(), tmp_path, AV, seconds=3600, name="talk.mkv")
    assert 2 < found[-1].end < 1300


@needs_av
def test_a_list_of_other_files_is_not_followed(tmp_path):
    """FFmpeg's concat and HLS formats open what they name; a recording is opened as what its bytes are."""
    (tmp_path / "secret.wav").write_bytes(samples.wav())
    for text in (
        f"ffconcat version 1.0\nfile {tmp_path}/secret.wav\n",
        f"#EXTM3U\n#EXTINF:9,\n{tmp_path}/secret.wav\n",
    ):
        given = Media("x.mp3", kind_of(samples.mp3()), len(text), data=text.encode())
        with pytest.raises(BadInput):
            list(cut(given, tmp_path, Limits(), AV))


def test_without_the_library_the_error_says_what_to_install(tmp_path):
    """Our promise: the decoding is an extra, and the error names it."""
    given = media(samples.mp3(200), "talk.mp3")
    assert not can_cut(given, None)
    with pytest.raises(LimitExceeded, match=r"pip install 'mtu-mcp\[media\]'"):
        list(cut(given, tmp_path, Limits(), None))
    assert can_cut(media(wav(bursts(TALK))), None)


def test_compressed_wav_is_no_pcm():
    """RFC 2361: tag 2 is ADPCM."""
    data = bytearray(samples.wav())
    data[20] = 2
    assert read_wave(io.BytesIO(bytes(data))) is None


@pytest.mark.parametrize("hours", [2])
def test_two_hours_never_sit_in_memory(hours, tmp_path):
    """Our promise: memory stays bounded."""
    minute = bursts([2.0, 0.5] * 24, rate=2000)
    path = tmp_path / "long.wav"
    form = struct.pack("<HHIIHH", 1, 1, 16000, 32000, 2, 16)
    size = hours * 3600 * 32000
    with path.open("wb") as out:
        out.write(b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt " + struct.pack("<I", 16) + form)
        out.write(b"data" + struct.pack("<I", size))
        for _ in range(size // len(minute)):
            out.write(minute)
    given = Media("long.wav", kind_of(path.read_bytes()[:100]), path.stat().st_size, path=path)
    tracemalloc.start()
    found = list(cut(given, tmp_path, Limits(), None))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) >= 9
    assert most < 40_000_000
    assert sum(one.seconds - one.overlap for one in found) == pytest.approx(hours * 3600, abs=1)
