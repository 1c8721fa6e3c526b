import pytest

from media import samples
from mtu_mcp.media import kind_of
from mtu_mcp.media.kinds import kind_of_name


@pytest.mark.parametrize(
    ("data", "mime"),
    [
        (samples.picture("PNG"), "image/png"),
        (samples.picture("JPEG"), "image/jpeg"),
        (samples.picture("GIF"), "image/gif"),
        (samples.picture("WEBP"), "image/webp"),
        (samples.picture("BMP"), "image/bmp"),
        (samples.picture("TIFF"), "image/tiff"),
        (samples.box(b"ftyp", b"heic\0\0\0\0"), "image/heic"),
        (samples.box(b"ftyp", b"avif\0\0\0\0"), "image/avif"),
        (samples.wav(0.1), "audio/wav"),
        (samples.mp3(3), "audio/mpeg"),
        (samples.mp3(3, samples.id3()), "audio/mpeg"),
        (samples.adts(3), "audio/aac"),
        (samples.id3() + samples.adts(3), "audio/aac"),
        (samples.amr(3), "audio/amr"),
        (samples.flac(), "audio/flac"),
        (samples.opus(), "audio/ogg"),
        (samples.aiff(), "audio/aiff"),
        (samples.mp4(), "video/mp4"),
        (samples.mp4(brand=b"qt  "), "video/quicktime"),
        (samples.mp4(brand=b"3gp5"), "video/3gpp"),
        (samples.mp4(brand=b"M4A "), "audio/mp4"),
        (samples.matroska(), "video/x-matroska"),
        (samples.matroska(b"webm"), "video/webm"),
        (samples.avi(), "video/x-msvideo"),
        (b"FLV\x01\x05" + b"\0" * 20, "video/x-flv"),
        (b"%PDF-1.7\n", "application/pdf"),
        (b"PK\x03\x04" + b"\0" * 30, "application/zip"),
        (b"hello, world\n", "text/plain"),
        ("猫" * 3000).encode() and (("猫" * 3000).encode(), "text/plain"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x"/>', "image/svg+xml"),
    ],
)
def test_bytes_tell_what_they_are(data, mime):
    """The formats' own magic numbers."""
    assert kind_of(data).mime == mime


def test_the_name_does_not_make_a_text_a_picture():
    """Our promise: a private key named notes.png is not sent as a picture."""
    assert kind_of(b"-----BEGIN SOMETHING-----\nabc", "notes.png").family == "document"


def test_the_name_tells_one_text_from_another():
    """Our promise: subtitles keep their type."""
    assert kind_of(b"WEBVTT\n\n", "a.vtt").mime == "text/vtt"
    assert kind_of(b"1\n00:00:00,000 --> 00:00:01,000\nHi\n", "a.srt").mime == "application/x-subrip"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 100,
        bytes(range(1, 256)),
        b"\xff\xfe" + "text".encode("utf-16-le"),
        b"\xff\xfb\x90\x00" + b"\x01" * 4092,
    ],
)
def test_what_fits_nothing_is_unknown(data):
    """A sync word alone is no MP3: two bytes prove nothing."""
    assert kind_of(data).family == "unknown"


def test_a_name_is_a_claim_in_any_spelling():
    """File names in addresses come in every case."""
    assert kind_of_name("A.JPEG").mime == "image/jpeg"
    assert kind_of_name("voice.opus").mime == "audio/ogg"
    assert kind_of_name("noextension").family == "unknown"
