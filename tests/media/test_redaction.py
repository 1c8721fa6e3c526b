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
SECRETS = (PLACE.encode(), struct.pack(">i", round(13.405 * 65536)), b"SECRETMAKER", "SECRETMAKER".encode("utf-16-le"))
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
    "opus": (None, "libopus"),
    "oga": (None, "vorbis"),
    "asf": ("wmv2", "wmav2"),
    "flv": ("flv", "libmp3lame"),
}
SHAPES = {"oga": (48000, "stereo"), "asf": (44100, "mono"), "flv": (44100, "mono")}
"""Rates and channels that not every encoder takes."""


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
        rate, layout = SHAPES.get(form, (48000, "mono"))
        voice = target.add_stream(sound, rate=rate, layout=layout, options={"strict": "experimental"})
        voice.bit_rate = 64_000
        tone = av.AudioFrame("s16", layout, rate // 2)
        tone.planes[0].update(random.Random(5).randbytes(tone.planes[0].buffer_size))
        tone.rate = rate
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
        tags = {**source.metadata, **source.streams[0].metadata}
        about = {key.lower(): value for key, value in tags.items()}
    return content, about


@pytest.mark.parametrize("form", FORMS)
def test_place_and_maker_go_and_every_picture_and_sound_stays(form):
    """Our promise: metadata is stripped from what is sent; ISO/IEC 14496-12, RFC 9559, RFC 9639, ID3v2.4, RIFF, RFC 7845, Vorbis I, ASF, FLV."""
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


@pytest.mark.parametrize("form", ["mp4", "ipod", "matroska", "avi", "wav", "flac", "mp3", "opus", "oga", "asf", "flv"])
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


def checksum(page):
    """RFC 3533, section 6, bit by bit."""
    left = 0
    for byte in page[:22] + bytes(4) + page[26:]:
        left ^= byte << 24
        for _ in range(8):
            left = left << 1 & 0xFFFFFFFF ^ (0x04C11DB7 if left >> 31 else 0)
    return left.to_bytes(4, "little")


def pages_of(packets, serial=7, *, room=255):
    """Packets as pages of Ogg with at most so many segments each; a packet may go on over several."""
    out, number, fresh = [], 0, True
    for packet in packets:
        sizes = [255] * (len(packet) // 255) + [len(packet) % 255]
        at = 0
        for first in range(0, len(sizes), room):
            part = sizes[first : first + room]
            flags = (0 if fresh else 1) | (2 if not number else 0)
            head = b"OggS\0" + struct.pack("<BqIIIB", flags, 0, serial, number, 0, len(part)) + bytes(part)
            page = head + packet[at : at + sum(part)]
            out.append(page[:22] + checksum(page) + page[26:])
            at, number, fresh = at + sum(part), number + 1, part[-1] < 255
    return out


def comments(*pairs):
    return (
        struct.pack("<I", 4)
        + b"mine"
        + struct.pack("<I", len(pairs))
        + b"".join(struct.pack("<I", len(pair)) + pair for pair in pairs)
    )


PAIRS = (b"TITLE=Foxes", b"LOCATION=SECRETPLACE", b"METADATA_BLOCK_PICTURE=" + b"SECRETPICTURE" * 400, b"SECRETPLACE")
HEADS = {
    "vorbis": (b"\x01vorbis" + bytes(23), [b"\x03vorbis" + comments(*PAIRS) + b"\1", b"\x05vorbis" + bytes(600)]),
    "theora": (b"\x80theora" + bytes(35), [b"\x81theora" + comments(*PAIRS), b"\x82theora" + bytes(600)]),
    "speex": (b"Speex   " + bytes(72), [comments(*PAIRS)]),
    "opus": (b"OpusHead" + bytes(11), [b"OpusTags" + comments(*PAIRS)]),
    "flac": (
        b"\x7fFLAC\1\0\0\3fLaC\0\0\0\x22" + bytes(34),
        [
            b"\4" + len(comments(*PAIRS)).to_bytes(3) + comments(*PAIRS),
            b"\6\0\0\x20" + b"SECRETPICTURE...." + bytes(15),
            b"\x82\0\0\x0cSECRETPLACE.",
        ],
    ),
}


@pytest.mark.parametrize("room", [255, 3, 1])
@pytest.mark.parametrize("kind", HEADS)
def test_comments_of_ogg_go_over_pages_and_every_checksum_is_right(kind, room):
    """RFC 3533, section 6: a packet goes on over pages, each with a checksum that a decoder heeds; RFC 9639, 10.1."""
    first, heads = HEADS[kind]
    sound = bytes(range(256)) * 3
    woven = pages_of([b"\x7fother" + bytes(20), b"LOCATION=of another stream"], 9)
    pages = pages_of([first, *heads, sound], room=room)
    data = b"".join([pages[0], woven[0], *pages[1:3], woven[1], *pages[3:]])
    chained = data + b"".join(pages_of([first, *heads, sound], 8, room=room))
    found = clean(chained, "audio/ogg")
    assert len(found) == len(chained)
    assert found.count(b"TITLE=Foxes") == 2 or room == 1
    joined, at = b"", 0
    while at < len(found):
        sizes = found[at + 27 : at + 27 + found[at + 26]]
        end = at + 27 + len(sizes) + sum(sizes)
        assert found[at + 22 : at + 26] == checksum(found[at:end])
        joined += found[at + 27 + len(sizes) : end]
        at = end
    assert b"SECRET" not in joined
    assert joined.count(sound) == 2
    assert b"LOCATION=of another stream" in joined


def test_words_of_a_film_are_found_wherever_asf_and_flv_keep_them():
    """ASF 1.20.03, 3.10 to 3.12 and 4.7 to 4.8; FLV 10.1, E.4.4: nested values, and messages between the pictures."""

    def thing(name, body):
        return bytes.fromhex(name) + struct.pack("<Q", len(body) + 24) + body

    def wide(word):
        return (word + "\0").encode("utf-16-le")

    place, shape = wide("SECRETPLACE"), wide("AspectRatioX")
    library = struct.pack("<H", 2)
    library += struct.pack("<HHHHI", 0, 0, len(wide("Location")), 0, len(place)) + wide("Location") + place
    library += struct.pack("<HHHHI", 0, 0, len(shape), 3, 4) + shape + b"\x10\0\0\0"
    said = [wide(word) for word in ("Foxes", "SECRETPLACE", "SECRETPLACE", "the foxes run", "SECRETPLACE")]
    objects = [
        thing("3326b2758e66cf11a6d900aa0062ce6c", struct.pack("<5H", *map(len, said)) + b"".join(said)),
        thing(
            "b503bf5f2ea9cf118ee300c00c205365",
            bytes(22) + thing("941c23449894d149a1411d134e457054", library),
        ),
        thing("fab3112223bdd211b4b700a0c955fc6e", b"SECRETPICTURE"),
    ]
    data = thing("3026b2758e66cf11a6d900aa0062ce6c", struct.pack("<IH", 3, 0x0201) + b"".join(objects)) + b"SECRETPLACE"
    found = clean(data, "video/x-ms-wmv")
    assert found.endswith(b"SECRETPLACE")  # what follows the header is pictures and sound
    assert not any(secret in found[:-11] for secret in (wide("SECRETPLACE")[:-2], b"SECRET"))
    assert all(word in found for word in (said[0], said[3], shape + b"\x10\0\0\0"))

    def named(name, value):
        return struct.pack(">H", len(name)) + name + value

    def word(text):
        return b"\2" + struct.pack(">H", len(text)) + text

    inner = b"\3" + named(b"by", word(b"SECRETMAKER")) + named(b"latitude", b"\0" + b"SECRETXY") + b"\0\0\x09"
    fields = named(b"title", word(b"Foxes")) + named(b"width", b"\0" + b"NUMBERS8") + named(b"in", inner)
    fields += named(b"all", b"\x0a\0\0\0\1" + word(b"SECRETPLACE"))
    message = word(b"onMetaData") + b"\x08\0\0\0\4" + fields + b"\0\0\x09"
    tags = [(9, b"SECRET is a picture"), (18, message), (18, word(b"onXMPData") + word(b"SECRETPLACE"))]
    data = b"FLV\1\5\0\0\0\x09\0\0\0\0"
    for kind, body in tags:
        data += bytes([kind]) + len(body).to_bytes(3) + bytes(7) + body + (len(body) + 11).to_bytes(4)
    found = clean(data, "video/x-flv")
    assert len(found) == len(data)
    assert found.count(b"SECRET") == 1
    assert all(word in found for word in (b"SECRET is a picture", b"Foxes", b"NUMBERS8"))


@pytest.mark.parametrize("form", ["mp4", "matroska", "avi", "flac", "mp3", "opus", "oga", "asf", "flv"])
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
