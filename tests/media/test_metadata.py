"""Pictures leave without what their cameras wrote into them; samples are made by Pillow, so the writer is not ours."""

import io
import struct

import pytest
from PIL import Image

from media import samples
from mtu_mcp.media import Library, Workspace, kind_of, open_reference, strip_metadata

SECRETS = (b"SECRETMAKER", b"SECRETPLACE")


def photo(form, orientation=1, size=(40, 20)):
    """A picture with a maker, a place and, where it says so, a way up."""
    exif = Image.Exif()
    exif[0x010F] = "SECRETMAKER"
    exif[0x0112] = orientation
    exif.get_ifd(0x8825)[27] = b"SECRETPLACE"  # GPSProcessingMethod
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    options = {"exif": exif.tobytes()} if form != "TIFF" else {"tiffinfo": {271: "SECRETMAKER", 315: "SECRETPLACE"}}
    image = Image.new("RGB", size, "red")
    image.putpixel((3, 5), (0, 0, 255))
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def clean(data):
    return strip_metadata(data, kind_of(data))


def pixels(data):
    return Image.open(io.BytesIO(data)).tobytes()


@pytest.mark.parametrize("form", ["AVIF", "TIFF"])
def test_metadata_that_cannot_be_left_out_is_overwritten_where_it_lies(form):
    """ISO/IEC 14496-12, 8.11, and TIFF 6.0: places in the file are fixed, so the length stays and every pixel does."""
    data = photo(form)
    assert all(secret in data for secret in SECRETS)
    found = clean(data)
    assert len(found) == len(data)
    assert not any(secret in found for secret in SECRETS)
    assert pixels(found) == pixels(data)
    assert not Image.open(io.BytesIO(found)).getexif().get_ifd(0x8825)


def test_a_tiffs_tables_of_place_and_camera_are_emptied():
    """EXIF 2.32, 4.6.3: tags 34665 and 34853 point at tables; an EXIF block is itself a TIFF file."""
    data = Image.open(io.BytesIO(photo("JPEG"))).info["exif"].removeprefix(b"Exif\0\0")
    assert all(secret in data for secret in SECRETS)
    found = clean(data)
    assert len(found) == len(data)
    assert not any(secret in found for secret in SECRETS)
    exif = Image.Exif()
    exif.load(found)
    assert not exif.get_ifd(0x8825)
    assert exif[0x0112] == 1


def heic(items, method=1):
    """A HEIC file of items without a picture: (type, content) each, in `idat`, as phones write EXIF."""

    def box(name, content):
        return struct.pack(">I4s", len(content) + 8, name) + content

    entries, places, held = b"", b"", b""
    for number, (kind, content) in enumerate(items, 1):
        more = b"application/rdf+xml\0" if kind == b"mime" else b""
        entries += box(b"infe", b"\2\0\0\0" + struct.pack(">HH4s", number, 0, kind) + b"\0" + more)
        places += struct.pack(">HHHHII", number, method, 0, 1, len(held), len(content))
        held += content
    iinf = box(b"iinf", b"\0\0\0\0" + struct.pack(">H", len(items)) + entries)
    iloc = box(b"iloc", b"\1\0\0\0\x44\0" + struct.pack(">H", len(items)) + places)
    return box(b"ftyp", b"heic\0\0\0\0mif1heic") + box(b"meta", b"\0\0\0\0" + iinf + iloc + box(b"idat", held))


def test_a_phones_heic_leaves_without_its_place():
    """ISO/IEC 23008-12, A.2.1: EXIF and XMP are items; the picture's own items stay as they are."""
    items = [(b"hvc1", b"PIXELS" * 9), (b"Exif", b"\0\0\0\0MM\0*SECRETPLACE....."), (b"mime", b"<x>SECRETMAKER</x>")]
    data = heic(items)
    found = clean(data)
    assert not any(secret in found for secret in SECRETS)
    assert b"PIXELS" * 9 in found
    assert len(found) == len(data)


def test_a_gifs_comments_are_left_out():
    """GIF89a, 24: the comment extension."""
    data = samples.picture("GIF", comment=b"SECRETMAKER", save_all=True)
    found = clean(data)
    assert b"SECRETMAKER" in data
    assert b"SECRETMAKER" not in found
    assert pixels(found) == pixels(data)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "AVIF", "TIFF"])
def test_a_picture_without_metadata_stays_as_it_is(form):
    """Our promise: nothing is decoded or encoded again."""
    data = samples.picture(form)
    assert pixels(clean(data)) == pixels(data)
    assert clean(clean(data)) == clean(data)


@pytest.mark.parametrize("form", ["GIF", "AVIF", "TIFF"])
def test_a_damaged_picture_is_no_error(form):
    """Our promise: it is sent as far as it can be read, and the gateway judges."""
    data = photo(form) if form != "GIF" else samples.picture("GIF", comment=b"x" * 300)
    for length in range(12, len(data), 3):
        clean(data[:length])
    for at in range(len(data)):
        clean(data[:at] + b"\xff" + data[at + 1 :])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "given").mkdir()
    return tmp_path / "given"


async def opened(folder, text, *, keep=False):
    library = Library(folder.parent / "made")
    workspace = Workspace([folder], library.folder, keep_metadata=keep)
    return await open_reference(
        str(text), workspace=workspace, library=library, families=("image",), max_bytes=1_000_000
    )


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
async def test_every_way_to_the_bytes_of_an_opened_picture_is_clean(folder, form):
    """Our promise: metadata is stripped from what is sent unless asked; in one place, so no tool can forget it."""
    path = folder / f"fox.{form.lower()}"
    path.write_bytes(photo(form, 6))
    media = await opened(folder, path)
    with media.open() as stream:
        data = stream.read()
    assert not any(secret in data for secret in SECRETS)
    assert media.read() == data
    assert media.size == len(data)
    assert media.path == path
    kept = await opened(folder, path, keep=True)
    assert kept.read() == path.read_bytes()


async def test_a_data_uri_is_cleaned_too(folder):
    """Our promise: the same for bytes in memory."""
    from base64 import b64encode

    media = await opened(folder, f"data:image/jpeg;base64,{b64encode(photo('JPEG', 6)).decode()}")
    assert media.data is not None
    assert not any(secret in media.data for secret in SECRETS)
    assert media.size == len(media.data)
    assert Image.open(io.BytesIO(media.data)).getexif()[0x0112] == 6


async def test_a_place_written_into_the_file_later_is_not_sent_either(folder):
    """Our promise: the picture is cleaned when it is opened, not when it is checked."""
    path = folder / "fox.jpg"
    path.write_bytes(samples.picture("JPEG", (900, 900)))
    media = await opened(folder, path)
    path.write_bytes(photo("JPEG"))
    with media.open() as stream:
        assert b"SECRETPLACE" not in stream.read()
