"""Sound and video leave without what phones, cameras and recorders wrote into them; most samples are FFmpeg's."""

import io
import random
import struct

import av
import pytest

from media import samples
from mtu_mcp.media import Library, Workspace, kind_of, open_reference
from mtu_mcp.media.overlay import Patch, overlaid
from mtu_mcp.media.redaction import redacted

PLACE = "+52.5200+013.4050/"
# 3GPP TS 26.244, 8.4: `loci` has the degrees as numbers of 16 bits before and 16 behind the point.
SECRETS = (PLACE.encode(), struct.pack(">i", round(13.405 * 65536)), b"SECRETMAKER")
ABOUT = {"title": "Foxes at dawn", "comment": "transcript: the foxes run", "location": PLACE, "artist": "SECRETMAKER"}

FORMS = {
    "mp4": ("mpeg4", "aac"),
    "mov": ("mpeg4", "aac"),
    "3gp": ("mpeg4", "aac"),
    "ipod": (None, "aac"),
    "matroska": ("mpeg4", "libmp3lame"),
    "webm": (None, "libopus"),
    "avi": ("mpeg4", "libmp3lame"),
    "wav": (None, "pcm_s16le"),
    "aiff": (None, "pcm_s16be"),
    "flac": (None, "flac"),
    "mp3": (None, "libmp3lame"),
}


def made(form, about=ABOUT, **options):
    """Half a second of tone, and of grey pictures where the format shows some, with the tags that FFmpeg writes."""
    picture, sound = FORMS[form]
    out = io.BytesIO()
    with av.open(out, "w", format=form, options=options) as target:
        target.metadata.update(about)
        streams = []
        if picture:
            film = target.add_stream(picture, rate=10, width=64, height=48, pix_fmt="yuv420p")
            frames = [av.VideoFrame(64, 48, "yuv420p") for _ in range(5)]
            for frame in frames:
                for plane in frame.planes:
                    plane.update(bytes([128]) * plane.buffer_size)
            streams.append((film, frames))
        voice = target.add_stream(sound, rate=48000, layout="mono")
        tone = av.AudioFrame("s16", "mono", 24000)
        tone.planes[0].update(random.Random(5).randbytes(48000))
        tone.rate = 48000
        streams.append((voice, [tone]))
        for stream, frames in streams:
            for packet in [packet for frame in [*frames, None] for packet in stream.encode(frame)]:
                target.mux(packet)
    return out.getvalue()


def clean(data, mime=""):
    with redacted(io.BytesIO(data), mime or opened_kind(data)) as stream:
        return stream.read()


def opened_kind(data):
    return kind_of(data).mime


def decoded(data):
    """Every decoded byte, and the tags."""
    with av.open(io.BytesIO(data)) as source:
        content = [bytes(plane) for frame in source.decode() for plane in frame.planes]
        # FFmpeg tells of the tags of Ogg and FLAC on the stream, of all others on the file.
        about = {key.lower(): value for key, value in source.metadata.items()}
    return content, about


@pytest.mark.parametrize("form", FORMS)
def test_place_and_maker_go_and_every_picture_and_sound_stays(form):
    """Our promise: metadata is stripped from what is sent; ISO/IEC 14496-12, RFC 9559, RFC 9639, ID3v2.4, RIFF."""
    options = {"mov": {"movflags": "use_metadata_tags"}, "aiff": {"write_id3v2": "1"}}.get(form, {})
    data = made(form, **options)
    content, about = decoded(data)
    assert any(secret in data for secret in SECRETS), about
    found = clean(data)
    assert len(found) == len(data)
    assert not any(secret in found for secret in SECRETS)
    content_left, about_left = decoded(found)
    assert content_left == content
    assert "SECRETMAKER" not in about_left.values()


@pytest.mark.parametrize("form", ["mp4", "ipod", "matroska", "avi", "wav", "flac", "mp3"])
def test_what_a_recording_is_about_stays(form):
    """Our promise: titles and comments are content, such as a transcript that a program left there."""
    _, about = decoded(clean(made(form)))
    assert about.get("title") == "Foxes at dawn"
    assert about.get("comment", about.get("description", "")) == "transcript: the foxes run"


@pytest.mark.parametrize("form", FORMS)
def test_a_recording_without_tags_stays_as_it_is(form):
    """Our promise: nothing is decoded or encoded again; FFmpeg's own name may go."""
    data = made(form, {}, fflags="+bitexact")
    assert decoded(clean(data))[0] == decoded(data)[0]
    assert clean(clean(data)) == clean(data)


def box(name, *content, wide=False):
    body = b"".join(content)
    if wide:
        return struct.pack(">I4sQ", 1, name, len(body) + 16) + body
    return struct.pack(">I4s", len(body) + 8, name) + body


def action_camera(handler=b"meta", *, wide=False, chunks=3):
    """A film with a picture track and a track of positions, chunks of both by turns (GoPro's gpmd and its like)."""
    head = box(b"ftyp", b"mp42\0\0\0\0mp42isom")
    pixels, position = b"PIXELS" * 20, b"GPS5" + PLACE.encode() + b"."
    start = len(head) + (16 if wide else 8)
    step = len(pixels) + 2 * len(position)

    def track(kind, places, size, count, each):
        return box(
            b"trak",
            box(
                b"mdia",
                box(b"hdlr", bytes(8), kind, bytes(13)),
                box(
                    b"minf",
                    box(
                        b"stbl",
                        box(b"stsz", bytes(4), struct.pack(">II", 0, count), struct.pack(">I", size) * count),
                        box(b"stsc", bytes(4), struct.pack(">IIII", 1, 1, each, 1)),
                        box(b"stco", bytes(4), struct.pack(f">I{len(places)}I", len(places), *places)),
                    ),
                ),
            ),
        )

    film = [start + step * index for index in range(chunks)]
    beside = [place + len(pixels) for place in film]
    moov = box(
        b"moov",
        track(b"vide", film, len(pixels), chunks, 1),
        track(handler, beside, len(position), 2 * chunks, 2),
    )
    return head + box(b"mdat", (pixels + 2 * position) * chunks, wide=wide) + moov


@pytest.mark.parametrize("handler", [b"meta", b"camm", b"text", b"sbtl"])
@pytest.mark.parametrize("wide", [False, True])
def test_a_track_of_positions_beside_the_picture_is_emptied(handler, wide):
    """GoPro's GPMF and Android's Camera Motion Metadata: positions lie among the media data, in tracks of their own."""
    data = action_camera(handler, wide=wide)
    found = clean(data)
    assert data.count(PLACE.encode()) == 6
    assert PLACE.encode() not in found
    assert found.count(b"PIXELS") == data.count(b"PIXELS")
    assert len(found) == len(data)


def test_the_broadcast_chunks_of_a_recorder_become_padding():
    """EBU Tech 3285 and the iXML specification: recorders write who, where and with what serial number."""
    chunks = b"".join(name + struct.pack("<I", 12) + b"SECRETMAKER\0" for name in (b"bext", b"iXML", b"_PMX", b"id3 "))
    data = samples.wav()
    data = b"RIFF" + struct.pack("<I", len(data) - 8 + len(chunks)) + data[8:12] + chunks + data[12:]
    found = clean(data)
    assert b"SECRETMAKER" not in found
    assert found.count(b"JUNK") == 4
    assert decoded(found)[0] == decoded(data)[0]


def frame(name, content):
    return name + len(content).to_bytes(4) + b"\0\0" + content


def test_a_tag_that_cannot_be_gone_through_is_emptied_whole():
    """ID3v2.4, 3.1: with unsynchronisation or an extended header the frames are not where they seem."""
    for flags in (0x80, 0x40, 0x20):
        tag = frame(b"GEOB", b"SECRETMAKER")
        data = b"ID3\x04\0" + bytes([flags]) + bytes([0, 0, 0, len(tag)]) + tag + samples.mp3()
        assert b"SECRETMAKER" not in clean(data)
        assert clean(data).endswith(samples.mp3())


def test_frames_of_every_version_are_told_apart():
    """ID3v2.2 has names of three letters, 2.3 plain sizes, 2.4 sizes of seven bits a byte."""
    old = b"GEO" + (11).to_bytes(3) + b"SECRETMAKER" + b"COM" + (5).to_bytes(3) + b"words"
    new = frame(b"APIC", b"SECRETMAKER") + frame(b"TXXX", b"\0comment\0words") + frame(b"TXXX", b"\0x\0SECRETMAKER")
    for version, tag in ((2, old), (3, new), (4, new)):
        found = clean(b"ID3" + bytes([version, 0, 0, 0, 0, 0, len(tag)]) + tag + samples.mp3())
        assert b"SECRETMAKER" not in found
        assert b"words" in found


@pytest.mark.parametrize("form", ["mp4", "matroska", "avi", "flac", "mp3"])
def test_a_damaged_recording_is_no_error(form):
    """Our promise: it is sent as far as it can be read, and the gateway judges."""
    data = made(form)
    mime = opened_kind(data)
    chance = random.Random(7)
    for length in range(12, len(data), max(1, len(data) // 60)):
        assert len(clean(data[:length], mime)) == length
    for _ in range(300):
        broken = bytearray(data)
        for at in chance.sample(range(min(len(data), 4000)), 3):
            broken[at] = chance.choice((0, 1, 0x7F, 0xFF))
        assert len(clean(bytes(broken), mime)) == len(data)


def test_every_way_of_reading_an_overlaid_file_shows_the_same():
    """Our promise: a client may seek, measure and read in pieces of any size."""
    data = bytes(range(256)) * 40
    patches = [Patch(10, 30, b"ABC"), Patch(20, 5000, fill=7), Patch(9000, 9004, b"free"), Patch(10_239, 99_999)]
    expected = bytearray(data)
    expected[10:30] = b"ABC" + bytes(17)
    expected[30:5000] = b"\7" * 4970
    expected[9000:9004] = b"free"
    expected[10_239:] = b"\0"
    whole = overlaid(io.BytesIO(data), patches)
    assert whole.read() == bytes(expected)
    chance = random.Random(3)
    for _ in range(500):
        at, count = chance.randrange(len(data)), chance.choice((1, 3, 100, 70_000))
        whole.seek(at)
        assert whole.read(count) == bytes(expected[at : at + count])
    assert whole.seek(0, io.SEEK_END) == len(data)
    whole.close()


async def opened(folder, name, *, keep=False):
    library = Library(folder / "made")
    workspace = Workspace([folder], library.folder, keep_metadata=keep)
    return await open_reference(
        name, workspace=workspace, library=library, families=("audio", "video"), max_bytes=10_000_000
    )


async def test_a_film_is_cleaned_while_it_is_sent_and_stays_on_the_disk_as_it_is(tmp_path):
    """Our promise: in one place, so no tool can forget it; and asked for, all of it is sent."""
    path = tmp_path / "fox.mp4"
    path.write_bytes(made("mp4"))
    media = await opened(tmp_path, str(path))
    assert media.size == path.stat().st_size
    assert not any(secret in media.read() for secret in SECRETS)
    assert b"SECRETMAKER" in path.read_bytes()
    kept = await opened(tmp_path, str(path), keep=True)
    assert kept.read() == path.read_bytes()


async def test_a_recording_given_in_the_call_is_cleaned_too(tmp_path):
    """Our promise: the same for bytes in memory."""
    from base64 import b64encode

    media = await opened(tmp_path, f"data:audio/mp4;base64,{b64encode(made('ipod')).decode()}")
    assert b"SECRETMAKER" not in media.read()
