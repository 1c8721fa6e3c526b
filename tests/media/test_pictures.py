import io
import struct
import zlib

import pytest
from PIL import Image

from media import samples
from mtu_mcp.errors import MtuError
from mtu_mcp.media import kind_of, preview, strip_metadata


def opened(data):
    return Image.open(io.BytesIO(data))


async def test_a_preview_is_small_and_keeps_the_shape():
    """Hosts refuse results over a megabyte."""
    small = await preview(samples.picture("PNG", (2000, 1000)))
    assert (small.mime, small.width, small.height) == ("image/jpeg", 512, 256)
    assert opened(small.data).size == (512, 256)


async def test_a_small_picture_is_not_blown_up():
    """Our promise: `side` is a limit, not a size."""
    small = await preview(samples.picture("PNG", (20, 10)))
    assert (small.width, small.height) == (20, 10)


async def test_a_preview_holds_its_limit_of_bytes():
    """Our promise: noise, the worst case, still fits."""
    out = io.BytesIO()
    samples.noise((900, 900)).save(out, "PNG")
    small = await preview(out.getvalue(), max_bytes=20_000)
    assert len(small.data) <= 20_000


async def test_transparency_is_kept_where_it_fits():
    """A picture with a transparent ground shows as such."""
    small = await preview(samples.picture("PNG", (600, 600), "RGBA", (255, 0, 0, 0)))
    assert small.mime == "image/png"
    opaque = await preview(samples.picture("PNG", (600, 600), "RGBA", (255, 0, 0, 255)))
    assert opaque.mime == "image/jpeg"


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "GIF", "BMP"])
async def test_other_formats_have_previews_too(form, tmp_path):
    """From a file as from bytes."""
    path = tmp_path / "x"
    path.write_bytes(samples.picture(form, (700, 70)))
    assert (await preview(path, side=70)).width == 70


async def test_a_photo_is_shown_the_right_way_up():
    """EXIF 2.32: orientation 6 means turned by a quarter."""
    exif = Image.Exif()
    exif[0x0112] = 6
    small = await preview(samples.picture("JPEG", (40, 20), exif=exif.tobytes()))
    assert (small.width, small.height) == (20, 40)


def bomb(width, height):
    """A PNG of a few kilobytes that claims this many pixels."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(20_000, 20_000), (2**31 - 1, 2**31 - 1), (2**31 - 1, 1)])
async def test_a_decompression_bomb_gets_no_preview(size):
    """Our promise: pixels are counted before any is decoded."""
    assert await preview(bomb(*size)) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a picture",
        samples.picture("PNG")[:60],
        samples.picture("JPEG", (500, 500))[:300],
        samples.picture("TIFF"),
    ],
)
async def test_what_cannot_be_decoded_gets_no_preview(data):
    """Our promise: no preview rather than an error."""
    assert await preview(data) is None


def private(form, orientation=1):
    exif = Image.Exif()
    exif[0x010F] = "SECRETMAKER"
    exif[0x0112] = orientation
    exif.get_ifd(0x8825)[1] = "N"
    return samples.picture(form, (40, 20), exif=exif.tobytes())


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_what_a_camera_wrote_is_left_out_and_the_pixels_stay(form, orientation):
    """Our promise: place and owner are not sent; which way is up is."""
    data = private(form, orientation)
    assert b"SECRETMAKER" in data
    clean = strip_metadata(data, kind_of(data))
    assert b"SECRETMAKER" not in clean
    assert opened(clean).tobytes() == opened(data).tobytes()
    assert opened(clean).getexif().get(0x0112, 1) == orientation
    assert not opened(clean).getexif().get_ifd(0x8825)


def test_comments_and_what_follows_the_picture_are_left_out():
    """Phones append whole films behind a JPEG's end; PNG carries text."""
    from PIL.PngImagePlugin import PngInfo

    jpeg = samples.picture("JPEG", comment=b"SECRET", progressive=True) + b"SECRET FILM"
    assert b"SECRET" not in strip_metadata(jpeg, kind_of(jpeg))
    info = PngInfo()
    info.add_text("Author", "SECRET")
    info.add_itxt("XML:com.adobe.xmp", "SECRET")
    png = samples.picture("PNG", pnginfo=info)
    assert b"SECRET" not in strip_metadata(png, kind_of(png))


def test_a_picture_cut_short_is_cleaned_as_far_as_it_goes():
    """Our promise: damage is no way for a place to slip through."""
    data = private("JPEG")
    clean = strip_metadata(data[:-20], kind_of(data))
    assert b"SECRETMAKER" not in clean


def test_a_colour_profile_stays():
    """Without it the colours change."""
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for form in ("JPEG", "PNG", "WEBP"):
        data = samples.picture(form, icc_profile=profile)
        assert opened(strip_metadata(data, kind_of(data))).info["icc_profile"] == profile


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_damaged_picture_is_no_error(form):
    """Our promise: it is sent as it is, and the gateway judges."""
    data = private(form, 6)
    for length in range(12, len(data), 7):
        try:
            strip_metadata(data[:length], kind_of(data))
        except MtuError:
            pytest.fail("damaged pictures pass")
