import base64
import os
from pathlib import Path

import pytest

from media import samples
from mtu_mcp.errors import BadInput, LimitExceeded, NotFound, PathNotAllowed, UrlNotAllowed
from mtu_mcp.media import Fetched, Library, Workspace, open_reference

PNG = samples.picture("PNG")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(PNG)
    (tmp_path / "in" / "notes.png").write_text("-----BEGIN SOMETHING-----", encoding="utf-8")
    (tmp_path / "in" / "song.png").write_bytes(samples.mp3(20))
    (tmp_path / "in" / "empty.png").write_bytes(b"")
    (tmp_path / "in" / "memo.mp4").write_bytes(samples.mp4(5, picture_track=False))
    (tmp_path / "in" / "voice.webm").write_bytes(samples.matroska(b"webm", picture_track=False))
    return tmp_path / "in"


@pytest.fixture
def library(tmp_path):
    return Library(tmp_path / "out")


@pytest.fixture
def give(folder, library):
    workspace = Workspace([folder], library.folder)

    def give(text, families=("image",), max_bytes=1_000_000, **options):
        return open_reference(
            text, workspace=workspace, library=library, families=families, max_bytes=max_bytes, **options
        )

    return give


async def test_a_path_becomes_media_that_is_still_on_the_disk(give, folder):
    """Our promise: nothing is read before it is sent."""
    media = await give("a.png")
    assert (media.name, media.kind.mime, media.size, media.path, media.data) == (
        "a.png",
        "image/png",
        len(PNG),
        folder / "a.png",
        None,
    )
    assert media.read() == PNG


async def test_a_data_uri_has_its_type_or_leaves_it_out(give):
    """Alibaba Cloud Model Studio docs: sound goes as data:;base64, pictures with their type."""
    media = await give("a.png")
    encoded = base64.b64encode(PNG).decode()
    assert media.data_uri() == f"data:image/png;base64,{encoded}"
    assert media.data_uri(mime=False) == f"data:;base64,{encoded}"


@pytest.mark.parametrize(
    "form",
    [
        "data:image/png;base64,{}",
        "data:;base64,{}",
        "DATA:image/jpeg;charset=x;base64,{}",
        " data:image/png;base64,{}\n",
    ],
)
async def test_a_data_uri_is_decoded_and_told_by_its_bytes(give, form):
    """RFC 2397; the type is a claim, the bytes decide."""
    media = await give(form.format(base64.b64encode(PNG).decode()))
    assert (media.kind.mime, media.data, media.size) == ("image/png", PNG, len(PNG))
    assert media.name.endswith(".png")


async def test_base64_with_line_breaks_and_no_padding_is_understood(give):
    """Models wrap lines and drop the padding."""
    encoded = base64.encodebytes(PNG).decode().rstrip("\n=")
    assert (await give(f"data:image/png;base64,{encoded}")).data == PNG


@pytest.mark.parametrize(
    "text", ["data:", "data:image/png;base64,", "data:image/png;base64,@@@@", "data:image/png;base64,A", "data:x"]
)
async def test_a_broken_data_uri_is_told(give, text):
    """Our promise: every error says what to do next."""
    with pytest.raises(BadInput):
        await give(text)


async def test_a_data_uri_too_large_is_refused_before_decoding(give):
    """Our promise: the bound comes first; this text is not even valid base64."""
    with pytest.raises(LimitExceeded, match="1,000"):
        await give("data:image/png;base64," + "@" * 10_000, max_bytes=1000)


async def test_a_file_too_large_is_refused_with_both_figures(give, folder):
    """Our promise: the figure is in the message."""
    with (folder / "large.png").open("wb") as stream:
        stream.truncate(3_000_000)
    with pytest.raises(LimitExceeded, match=r"3,000,000 bytes; at most 1,000,000"):
        await give("large.png")


@pytest.mark.parametrize(("name", "told"), [("notes.png", "text/plain"), ("song.png", "audio/mpeg")])
async def test_the_wrong_family_is_told_by_the_bytes(give, name, told):
    """Our promise: the extension is never trusted; the message says what it is and what is accepted."""
    with pytest.raises(BadInput, match=f"{told}.*accepted here: image or video"):
        await give(name, families=("image", "video"))


async def test_an_empty_file_is_told(give):
    """Our promise: nothing is sent that cannot be anything."""
    with pytest.raises(BadInput, match="empty"):
        await give("empty.png")


@pytest.mark.parametrize(
    ("name", "mime", "sent"), [("memo.mp4", "audio/mp4", "memo.m4a"), ("voice.webm", "audio/webm", "voice.weba")]
)
async def test_a_video_container_with_sound_alone_is_sound(give, name, mime, sent):
    """Voice memos and browser recordings are MP4 and WebM without a picture."""
    media = await give(name, families=("audio",))
    assert (media.kind.mime, media.name) == (mime, sent)


async def test_a_name_gets_the_extension_of_its_bytes(give):
    """The OpenAI API goes by the extension of what is uploaded."""
    assert (await give("song.png", families=("audio",))).name == "song.mp3"


async def test_a_saved_file_is_opened_by_its_address(give, library):
    """Our promise: mtu://media/NAME works wherever a file does."""
    saved = await library.save(PNG, title="猫 & Hund", extension="png", about={})
    media = await give(saved.uri)
    assert media.read() == PNG


@pytest.mark.parametrize(
    "text",
    [
        "mtu://media/",
        "mtu://media/..",
        "mtu://media/..%2F..%2Fin%2Fa.png",
        "mtu://media/%00",
        "mtu://models/x",
        "mtu://media/.hidden",
        "mtu://media/C:x",
    ],
)
async def test_an_address_of_saved_files_does_not_lead_elsewhere(give, text):
    """Our promise: names never escape."""
    with pytest.raises(BadInput):
        await give(text)


async def test_a_mistyped_saved_name_is_answered_with_near_names(give, library):
    """Our promise: errors heal."""
    saved = await library.save(PNG, title="A fox", extension="png", about={})
    with pytest.raises(NotFound, match=saved.name):
        await give(saved.uri.replace("fox", "fix"))


async def test_an_address_is_passed_on_without_a_download(give):
    """Alibaba Cloud Model Studio docs: media may be given by URL; the gateway fetches it."""
    media = await give("https://example.com/pics/My%20Cat.PNG?x=1")
    assert (media.url, media.name, media.kind.mime) == (
        "https://example.com/pics/My%20Cat.PNG?x=1",
        "My-Cat.png",
        "image/png",
    )
    assert (await give("https://example.com/view?id=1")).kind.family == "unknown"


async def test_an_address_that_claims_the_wrong_family_is_told(give):
    """Our promise: checked before money is spent."""
    with pytest.raises(BadInput, match="audio"):
        await give("https://example.com/song.mp3")


@pytest.mark.parametrize("url", ["https://user:pass@example.com/a.png", "https://2130706433/a.png", "https://"])
async def test_an_address_in_disguise_is_not_passed_on(give, url):
    """Our promise: secrets in an address go nowhere."""
    with pytest.raises((UrlNotAllowed, BadInput)):
        await give(url)


async def test_an_address_is_downloaded_where_the_gateway_cannot(give):
    """Uploads need bytes; the download itself is passed in."""
    asked = []

    async def download(url, max_bytes):
        asked.append((url, max_bytes))
        return Fetched(PNG, "image/png", "cat")

    media = await give("https://example.com/cat", keep_urls=False, download=download)
    assert (media.data, media.name, media.url) == (PNG, "cat.png", "")
    assert asked == [("https://example.com/cat", 1_000_000)]


async def test_other_schemes_are_no_files(give):
    """Our promise: one list of what is accepted."""
    for text in (
        "ftp://example.com/a.png",
        "gopher://x/a",
        "blob:https://x/y",
        "javascript:alert(1)",
        "s3://bucket/a.png",
    ):
        with pytest.raises(BadInput):
            await give(text)


async def test_a_file_that_grew_after_the_check_is_not_read_on(give, folder):
    """Our promise: size limits hold at the moment of reading."""
    media = await give("a.png")
    with (folder / "a.png").open("ab") as stream:
        stream.write(b"\0" * 100)
    with pytest.raises(LimitExceeded):
        media.read()


@pytest.mark.skipif(os.name == "nt", reason="links as POSIX has them")
async def test_a_file_swapped_after_the_check_is_not_sent(give, folder, tmp_path):
    """Our promise: no race between check and use."""
    media = await give("a.png")
    (tmp_path / "secret").write_bytes(PNG)
    (folder / "a.png").unlink()
    (folder / "a.png").symlink_to(tmp_path / "secret")
    with pytest.raises(PathNotAllowed):
        media.read()


async def test_base64_without_its_prefix_is_explained(give):
    """Models hand over bare base64."""
    with pytest.raises(BadInput, match="data: URI"):
        await give(base64.b64encode(b"\0" * 20_000).decode())


def test_media_shows_no_bytes_when_printed():
    """Our promise: logs stay short."""
    from mtu_mcp.media.references import from_bytes

    assert len(repr(from_bytes(PNG, "x"))) < 300
    assert from_bytes(PNG, str(Path("../../x"))).name == "x.png"
