import io
import random
import struct

import pytest

from media import samples
from mtu_mcp.media import Media, kind_of, measure
from mtu_mcp.media.measurement import NOTHING, Measurement
from mtu_mcp.media.measuring import measure_stream


def figures(data):
    return measure_stream(io.BytesIO(data), kind_of(data).mime)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "BMP"])
def test_a_picture_is_measured_by_its_header(form):
    """Our promise: sizes are checked before anything is decoded."""
    assert figures(samples.picture(form, (123, 45))).dimensions == (123, 45)


@pytest.mark.parametrize("options", [{"lossless": True}, {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}])
def test_every_flavour_of_webp_is_measured(options):
    """RFC 9649: VP8L and VP8X keep the size elsewhere than VP8."""
    assert figures(samples.picture("WEBP", (300, 7), **options)).dimensions == (300, 7)


def test_a_progressive_jpeg_with_a_long_comment_is_measured():
    """ITU-T T.81: the frame header follows any number of other segments."""
    data = samples.picture("JPEG", (50, 60), progressive=True, comment=b"x" * 60_000)
    assert figures(data).dimensions == (50, 60)


@pytest.mark.parametrize(
    ("data", "seconds", "rate", "channels"),
    [
        (samples.wav(1.5, 8000, 2), 1.5, 8000, 2),
        (samples.extensible_wav(0.5), 0.5, 48000, 2),
        (samples.mp3(100), 100 * 1152 / 44100, 44100, 2),
        (samples.mp3(100, samples.id3(5000)), 100 * 1152 / 44100, 44100, 2),
        (samples.xing_mp3(50), 50 * 1152 / 44100, 44100, 2),
        (samples.adts(50), 50 * 1024 / 44100, 44100, 2),
        (samples.amr(50), 1.0, 8000, 1),
        (samples.amr_wide(25), 0.5, 16000, 1),
        (samples.flac(96000, 48000, 2), 2.0, 48000, 2),
        (samples.opus(2.0), 2.0, 48000, 1),
        (samples.vorbis(2.0), 2.0, 44100, 2),
        (samples.aiff(22050, 22050), 1.0, 22050, 1),
        (samples.mp4(7, picture_track=False, brand=b"M4A "), 7.0, 44100, 2),
    ],
    ids=[
        "wav",
        "wav-ext",
        "mp3",
        "mp3-id3",
        "mp3-xing",
        "aac",
        "amr",
        "amr-wb",
        "flac",
        "opus",
        "vorbis",
        "aiff",
        "m4a",
    ],
)
def test_sound_is_measured_exactly(data, seconds, rate, channels):
    """The formats' own specifications; limits in seconds are checked with this."""
    found = figures(data)
    assert found.seconds == pytest.approx(seconds)
    assert (found.rate, found.channels, found.has_sound) == (rate, channels, True)


def test_a_variable_bit_rate_without_a_header_is_walked_not_averaged():
    """Our promise: never an estimate. An average over the first frames would be off by a fifth here."""
    data = samples.mp3(200) + samples.mp3(200, kbps=(0xB0,))
    assert figures(data).seconds == pytest.approx(400 * 1152 / 44100)


def test_a_xing_header_claiming_more_frames_than_fit_is_not_believed():
    """Our promise: figures in a hostile file count only when they can be true."""
    assert figures(samples.xing_mp3(2**31, frames=50)).seconds == pytest.approx(50 * 1152 / 44100)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF])
def test_a_wav_written_to_a_pipe_counts_for_what_is_there(size):
    """Recorders that cannot seek back leave 0 or the largest number as the size."""
    data = bytearray(samples.wav(2.0, 8000))
    struct.pack_into("<I", data, data.index(b"data") + 4, size)
    assert figures(bytes(data)).seconds == pytest.approx(2.0)


def test_a_recording_of_a_broadcast_counts_from_its_own_beginning():
    """RFC 7845, 4.1: positions go on from when the broadcast began; half an hour of one is not 30 hours long."""
    on_air, rate = 30 * 3600 * 48000, 48000
    head = samples.opus()[: samples.opus().index(b"OggS", 4)]
    pages = [samples.ogg_page(b"\0" * 900, on_air + second * rate) for second in range(1, 1801)]
    assert figures(head + b"".join(pages)).seconds == 1799


def test_a_video_tells_seconds_size_sound_and_frames():
    """ISO/IEC 14496-12: mvhd, tkhd, hdlr, stsz."""
    found = figures(samples.mp4(10, (640, 360)))
    assert found == Measurement(640, 360, 10.0, 44100, 2, has_sound=True, frames=250, has_picture=True)
    assert found.fps == 25


def test_a_video_without_sound_says_so():
    """The sound track is billed apart, so its absence matters."""
    assert figures(samples.mp4(3, sound=False)).has_sound is False


def test_an_upright_phone_film_is_measured_as_it_is_shown():
    """ISO/IEC 14496-12, 8.3.2: the matrix turns the stored picture by a quarter."""
    assert figures(samples.mp4(3, (1920, 1080), matrix=samples.QUARTER)).dimensions == (1080, 1920)


def test_a_fragmented_film_is_added_up():
    """ISO/IEC 14496-12, 8.8: browsers and streams leave the length out of the header."""
    found = figures(samples.fragmented_mp4(4, 30))
    assert found.seconds == pytest.approx(4 * 30 * 20 / 600)
    assert found.frames == 120


def test_matroska_and_webm_are_measured():
    """RFC 9559: Info and Tracks."""
    for kind in (b"matroska", b"webm"):
        found = figures(samples.matroska(kind))
        assert found == Measurement(320, 180, 3.0, 48000, 2, has_sound=True, has_picture=True)


def test_a_browser_recording_without_a_length_stays_unknown():
    """Our promise: unknown is None, never a guess."""
    found = figures(samples.matroska(b"webm", length=False))
    assert found.seconds is None
    assert found.dimensions == (320, 180)


def test_an_avi_is_measured():
    """AVI RIFF File Reference: avih and strh."""
    found = figures(samples.avi(50, 25, (160, 120)))
    assert (found.seconds, found.dimensions, found.has_sound) == (2.0, (160, 120), True)
    assert figures(samples.avi(sound=False)).has_sound is False


ALL = {
    "png": samples.picture("PNG"),
    "jpg": samples.picture("JPEG"),
    "webp": samples.picture("WEBP"),
    "gif": samples.picture("GIF"),
    "bmp": samples.picture("BMP"),
    "wav": samples.wav(0.1),
    "wav-ext": samples.extensible_wav(0.01),
    "mp3": samples.mp3(5),
    "aac": samples.adts(5),
    "amr": samples.amr(5),
    "flac": samples.flac(),
    "ogg": samples.opus(),
    "aiff": samples.aiff(),
    "mp4": samples.mp4(),
    "frag": samples.fragmented_mp4(),
    "mkv": samples.matroska(),
    "avi": samples.avi(),
}


@pytest.mark.parametrize("name", ALL)
def test_a_file_cut_anywhere_is_never_an_error(name):
    """Our promise: unknown is None and never an exception."""
    data = ALL[name]
    mime = kind_of(data).mime
    for length in {*range(min(len(data), 400)), *range(0, len(data), max(1, len(data) // 200))}:
        assert isinstance(measure_stream(io.BytesIO(data[:length]), mime), Measurement)


@pytest.mark.parametrize("name", ALL)
def test_a_file_with_broken_bytes_is_never_an_error(name):
    """Our promise, on 300 damaged copies of each kind."""
    chance = random.Random(name)
    for _ in range(300):
        data = bytearray(ALL[name])
        for _ in range(chance.randint(1, 12)):
            data[chance.randrange(min(len(data), 600))] = chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))
        found = measure_stream(io.BytesIO(bytes(data)), kind_of(ALL[name]).mime)
        assert found.seconds is None or found.seconds > 0


def test_boxes_nested_in_themselves_end():
    """Our promise: hostile files cost bounded work."""
    data = samples.box(b"free")
    for _ in range(200):
        data = samples.box(b"moov", data)
    flood = samples.box(b"ftyp", b"isom\0\0\0\0") + data + samples.box(b"free") * 100_000
    assert isinstance(figures(flood), Measurement)


def test_matroska_elements_of_no_size_end():
    """Our promise: hostile files cost bounded work."""
    data = samples.matroska() + b"\xec\x80" * 200_000
    assert isinstance(figures(data), Measurement)


async def test_an_address_that_was_not_downloaded_has_no_figures():
    """Our promise: unknown is None."""
    assert await measure(Media("a.mp3", kind_of(b""), url="https://example.com/a.mp3")) == NOTHING


async def test_bytes_in_memory_are_measured():
    """Our promise: the same figures whether a file or bytes."""
    data = samples.wav(1.0)
    assert (await measure(Media("a.wav", kind_of(data), len(data), data=data))).seconds == pytest.approx(1.0)
