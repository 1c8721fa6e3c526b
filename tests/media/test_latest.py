"""`latest`: which file it is, and what it is never taken for."""

import os
from pathlib import Path

import pytest

from media.samples import mp4, picture, wav
from mtu_mcp.errors import BadInput, NotFound
from mtu_mcp.media import Library, Wish, Workspace, newest, wish_of
from mtu_mcp.media.latest import MOST_ENTRIES, QUIET_SECONDS

ONE = Wish()
NOW = 1_800_000_000.0
ANY = ("image", "audio", "video")

posix = pytest.mark.skipif(os.name == "nt", reason="links and pipes as POSIX has them")


class Waits:
    """Remembers how often it was waited, and does something meanwhile."""

    def __init__(self, meanwhile=lambda: None):
        self.count = 0
        self._meanwhile = meanwhile

    async def __call__(self, _):
        self.count += 1
        self._meanwhile()


@pytest.fixture
def downloads(tmp_path):
    folder = tmp_path / "home" / "Downloads"
    folder.mkdir(parents=True)
    return folder


def put(folder: Path, name: str, data: bytes | None = None, age: float = 60.0) -> Path:
    """A file that was saved some seconds ago."""
    path = folder / name
    path.write_bytes(picture() if data is None else data)
    os.utime(path, (NOW - age, NOW - age))
    return path


async def search(tmp_path, *folders, wish=ONE, families=ANY, places=(), wait=None):
    library = Library(tmp_path / "made")
    workspace = Workspace(folders, library.folder)
    return await newest(
        wish,
        workspace=workspace,
        library=library,
        families=families,
        places=places,
        clock=lambda: NOW,
        wait=wait or Waits(),
    )


async def chosen(tmp_path, *folders, **how):
    return [one.path.name for one in (await search(tmp_path, *folders, **how)).found]


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("latest", Wish()),
        (" Latest ", Wish()),
        ("latest 3", Wish(3)),
        ("latest:2", Wish(2)),
        ("latest picture", Wish(1, "image")),
        ("latest 2 screenshots", Wish(2, "image")),
        ("latest Sound", Wish(1, "audio")),
        ("latest recording", Wish(1, "audio")),
        ("latest videos", Wish(1, "video")),
        ("latest document", Wish(1, "document")),
        ("latest file", Wish()),
        ("latest.png", None),
        ("./latest", None),
        ("latest news", None),
        ("the latest", None),
        ("latest" + " " * 100, None),
        (None, None),
        (7, None),
    ],
)
def test_only_the_word_itself_asks_for_the_latest(text, wish):
    """Our promise: a path that merely begins so stays a path."""
    assert wish_of(text) == wish


@pytest.mark.parametrize("text", ["latest 0", "latest 17", "latest 999 pictures"])
def test_a_count_beyond_what_a_call_takes_is_refused(text):
    """Our promise: limits are named."""
    with pytest.raises(BadInput, match="1 to 16"):
        wish_of(text)


async def test_the_newest_of_the_family_is_taken(tmp_path, downloads):
    """Our promise: the newest picture for what takes pictures, whatever was saved since."""
    put(downloads, "old.png", age=500)
    put(downloads, "new.png", age=50)
    put(downloads, "song.wav", wav(), age=40)
    put(downloads, "notes.txt", b"words", age=30)
    assert await chosen(tmp_path, downloads, families=("image",)) == ["new.png"]
    assert await chosen(tmp_path, downloads) == ["song.wav"]
    assert await chosen(tmp_path, downloads, wish=Wish(1, "image")) == ["new.png"]
    assert await chosen(tmp_path, downloads, wish=Wish(2), families=("image",)) == ["new.png", "old.png"]
    assert await chosen(tmp_path, downloads, families=("document",)) == ["notes.txt"]


async def test_several_are_of_the_newest_ones_family(tmp_path, downloads):
    """Alibaba Cloud Model Studio, Qwen-Omni: one message holds pictures or a sound, not both."""
    put(downloads, "a.png", age=10)
    put(downloads, "b.wav", wav(), age=20)
    put(downloads, "c.png", age=30)
    assert await chosen(tmp_path, downloads, wish=Wish(2)) == ["a.png", "c.png"]


async def test_bytes_and_not_names_tell_what_a_file_is(tmp_path, downloads):
    """Our promise: a key called picture.png is no picture."""
    put(downloads, "key.png", b"-----BEGIN OPENSSH PRIVATE KEY-----\n", age=5)
    put(downloads, "picture", picture("JPEG"), age=50)
    assert await chosen(tmp_path, downloads, families=("image",)) == ["picture"]


async def test_a_recording_in_a_films_container_is_a_sound(tmp_path, downloads):
    """Our promise: voice memos and what browsers record are told by their tracks."""
    put(downloads, "memo.mp4", mp4(picture_track=False), age=5)
    assert await chosen(tmp_path, downloads, wish=Wish(1, "audio")) == ["memo.mp4"]


@pytest.mark.parametrize(
    "name",
    [
        "a.png.crdownload",
        "a.png.part",
        "a.tmp",
        "a.download",
        "a.opdownload",
        "a.png.partial",
        ".hidden.png",
        "~$draft.png",
    ],
)
async def test_unfinished_and_hidden_files_are_left_out(tmp_path, downloads, name):
    """Our promise: browsers name a download so until it is whole; what hides is not meant."""
    put(downloads, name, age=5)
    put(downloads, "whole.png", age=50)
    assert await chosen(tmp_path, downloads) == ["whole.png"]


@pytest.mark.parametrize("beside", ["film.png.aria2", "film.png.part", "FILM.PNG.PART"])
async def test_a_file_with_its_unfinished_part_beside_it_is_left_out(tmp_path, downloads, beside):
    """Firefox and aria2 make the file itself at once, and write beside it."""
    put(downloads, "film.png", age=5)
    put(downloads, beside, b"x", age=5)
    put(downloads, "whole.png", age=50)
    assert await chosen(tmp_path, downloads) == ["whole.png"]


async def test_empty_files_and_folders_are_no_files(tmp_path, downloads):
    """Our promise: regular files with something in them."""
    put(downloads, "empty.png", b"", age=5)
    (downloads / "folder.png").mkdir()
    put(downloads / "folder.png", "deep.png", age=5)
    put(downloads, "whole.png", age=50)
    assert await chosen(tmp_path, downloads) == ["whole.png"]


@posix
async def test_links_lead_only_where_files_may_be_read(tmp_path, downloads):
    """Our promise: it touches only what it may; links are resolved first."""
    secret = put(tmp_path, "secret.png", age=5)
    (downloads / "link.png").symlink_to(secret)
    os.mkfifo(downloads / "pipe.png")
    inside = put(downloads, "inside.png", age=50)
    (downloads / "alias.png").symlink_to(inside)
    found = (await search(tmp_path, downloads)).found
    assert [one.path for one in found] == [inside.resolve()]


async def test_a_file_still_written_is_left_out_and_named(tmp_path, downloads):
    """Our promise: half a recording is not sent, and that it was passed over is said."""
    growing = put(downloads, "growing.png", age=0.5)
    put(downloads, "whole.png", age=50)
    waits = Waits(lambda: put(downloads, "growing.png", growing.read_bytes() + b"more", age=0.1))
    found = await search(tmp_path, downloads, wait=waits)
    assert [one.path.name for one in found.found] == ["whole.png"]
    assert found.growing == ("growing.png",)


async def test_when_all_are_still_written_that_is_said(tmp_path, downloads):
    """Our promise: an error says what is so."""
    growing = put(downloads, "growing.png", age=0.5)
    waits = Waits(lambda: put(downloads, "growing.png", growing.read_bytes() + b"more", age=0.1))
    with pytest.raises(NotFound, match=r"growing\.png.* is still being written"):
        await search(tmp_path, downloads, wait=waits)


async def test_a_file_just_saved_and_quiet_is_taken(tmp_path, downloads):
    """Our promise: what was saved this moment is what is meant; one more look makes sure of it."""
    put(downloads, "new.png", age=QUIET_SECONDS / 2)
    waits = Waits()
    assert await chosen(tmp_path, downloads, wait=waits) == ["new.png"]
    assert waits.count == 1
    put(downloads, "new.png", age=QUIET_SECONDS * 2)
    assert await chosen(tmp_path, downloads, wait=waits) == ["new.png"]
    assert waits.count == 1


async def test_two_files_of_one_moment_are_asked_about(tmp_path, downloads):
    """Our promise: nobody can know which is meant, so both are named."""
    put(downloads, "one.png", age=50)
    put(downloads, "two.wav", wav(), age=50)
    with pytest.raises(BadInput, match=r"one\.png.*two\.wav") as raised:
        await search(tmp_path, downloads)
    assert "which" in raised.value.advice
    assert await chosen(tmp_path, downloads, wish=Wish(1, "audio")) == ["two.wav"]


async def test_the_same_file_under_two_allowed_folders_is_one(tmp_path, downloads):
    """Our promise: folders inside each other do not make a file ambiguous."""
    put(downloads, "one.png")
    os.link(downloads / "one.png", downloads / "same.png")
    assert len((await search(tmp_path, downloads, downloads.parent, places=[downloads])).found) == 1


async def test_known_places_count_only_inside_an_allowed_folder(tmp_path, downloads):
    """Our promise: Downloads is looked into when it, or what holds it, was allowed, and nothing else below."""
    put(downloads, "in place.png", age=5)
    other = downloads.parent / "Other"
    other.mkdir()
    put(other, "deep.png", age=1)
    put(downloads.parent, "top.png", age=50)
    assert await chosen(tmp_path, downloads.parent) == ["top.png"]
    assert await chosen(tmp_path, downloads.parent, places=[downloads]) == ["in place.png"]
    assert await chosen(tmp_path, other, places=[downloads]) == ["deep.png"]
    with pytest.raises(NotFound) as raised:
        await search(tmp_path, other, places=[downloads], families=("video",))
    assert str(downloads) not in raised.value.message


async def test_what_was_made_here_is_not_meant_and_what_was_handed_in_is(tmp_path, downloads):
    """Our promise: the latest picture is the person's own."""
    library = Library(tmp_path / "made")
    put(downloads, "mine.png", age=500)
    made = await library.save(picture(), title="made", extension="png", about={"prompt": "a fox"})
    os.utime(made.path, (NOW - 10, NOW - 10))
    assert await chosen(tmp_path, downloads) == ["mine.png"]
    assert await chosen(tmp_path, downloads, library.folder) == ["mine.png"]
    given = await library.save(picture(), title="given", extension="png", about={"uploaded": True})
    os.utime(given.path, (NOW - 20, NOW - 20))
    assert await chosen(tmp_path, downloads) == [given.name]


async def test_none_found_says_where_it_was_looked_for(tmp_path, downloads):
    """Our promise: an error says what to do next."""
    put(downloads, "notes.txt", b"words")
    with pytest.raises(NotFound, match="no picture or sound or video") as raised:
        await search(tmp_path, downloads, tmp_path / "nowhere")
    assert str(downloads) in raised.value.message
    assert "MTU_ALLOWED_DIRS" in raised.value.advice
    with pytest.raises(NotFound, match="no folder to look"):
        await search(tmp_path)


async def test_a_family_that_does_not_fit_is_refused(tmp_path, downloads):
    """Our promise: says what is accepted."""
    with pytest.raises(BadInput, match="latest video does not fit"):
        await search(tmp_path, downloads, wish=Wish(1, "video"), families=("image",))


async def test_a_date_in_the_future_does_not_win_for_ever(tmp_path, downloads):
    """Our promise: a wrong clock on another machine does not hide what is really new."""
    put(downloads, "future.png", age=-10_000_000)
    put(downloads, "new.png", age=-30)
    assert await chosen(tmp_path, downloads) == ["new.png"]


async def test_a_huge_folder_is_bounded_and_says_so(tmp_path, downloads):
    """Our promise: listing is bounded."""
    for number in range(MOST_ENTRIES + 1):
        (downloads / f"{number}.tmp").touch()
    with pytest.raises(NotFound, match=f"only {MOST_ENTRIES:,} entries"):
        await search(tmp_path, downloads)


async def test_a_choice_knows_when_its_file_has_changed(tmp_path, downloads):
    """Our promise: what was agreed to is what is sent."""
    path = put(downloads, "one.png")
    [found] = (await search(tmp_path, downloads)).found
    assert found.unchanged()
    data = path.read_bytes()
    path.write_bytes(data)
    assert not found.unchanged()
    path.unlink()
    assert not found.unchanged()
