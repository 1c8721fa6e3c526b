import errno
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from media import samples
from mtu_mcp.errors import BadInput, NotFound, StorageError
from mtu_mcp.media import Library, writing
from mtu_mcp.media.library import Shelf

NOON = 1_795_348_800.0
PNG = samples.picture()


@pytest.fixture
def library(tmp_path):
    return Library(tmp_path / "new" / "out", lambda: NOON)


async def test_a_saved_file_has_a_telling_name_and_a_sidecar(library):
    """Our promise: files say what is in them and how they came to be."""
    saved = await library.save(PNG, title="A red fox!", extension=".png", about={"prompt": "猫", "model": "m"})
    stamp = datetime.fromtimestamp(NOON).strftime("%Y%m%d-%H%M%S")
    assert saved.name == f"{stamp}-A-red-fox.png"
    assert saved.path.read_bytes() == PNG
    sidecar = json.loads((library.folder / f"{saved.name}.json").read_text(encoding="utf-8"))
    assert sidecar == {
        "title": "A red fox!",
        "created": datetime.fromtimestamp(NOON, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "prompt": "猫",
        "model": "m",
    }
    assert (saved.kind.mime, saved.size, saved.created) == ("image/png", len(PNG), NOON)


async def test_what_was_saved_is_found_and_listed_as_it_was_told(library):
    """Our promise: the folder is the index."""
    saved = await library.save(PNG, title="猫 100%", extension="png", about={"prompt": "x"})
    assert library.find(saved.name) == saved
    assert library.list() == [saved]
    assert saved.uri == "mtu://media/" + saved.name.replace("猫", "%E7%8C%AB")


async def test_text_keeps_its_type(library):
    """Our promise: subtitles stay subtitles."""
    saved = await library.save_text("WEBVTT\n\n", title="talk", extension="vtt", about={})
    assert (saved.kind.mime, saved.path.read_text(encoding="utf-8")) == ("text/vtt", "WEBVTT\n\n")


async def test_fifty_saves_at_once_with_one_title_make_fifty_files(library):
    """Our promise: names never collide."""
    saved = []

    async def save(index):
        saved.append(await library.save(b"%d" % index, title="same", extension="bin", about={"n": index}))

    async with anyio.create_task_group() as group:
        for index in range(50):
            group.start_soon(save, index)
    assert len({one.name for one in saved}) == 50
    assert {one.path.read_bytes() for one in saved} == {b"%d" % index for index in range(50)}
    assert all(library.find(one.name).about["n"] == int(one.path.read_bytes()) for one in saved)
    assert len(list(library.folder.iterdir())) == 100


async def test_a_file_that_is_there_is_never_overwritten(library):
    """Our promise: what was paid for stays, and so does what the user put there."""
    first = await library.save(b"1", title="t", extension="txt", about={})
    first.path.with_name(f"{first.path.stem}-2.txt.json").write_text("mine", encoding="utf-8")
    second = await library.save(b"2", title="t", extension="txt", about={})
    assert first.path.read_bytes() == b"1"
    assert first.path.with_name(f"{first.path.stem}-2.txt.json").read_text(encoding="utf-8") == "mine"
    assert (second.path.name, second.path.read_bytes()) == (f"{first.path.stem}-3.txt", b"2")


@pytest.mark.parametrize(
    "title", ["../../../etc/passwd", "..\\..\\x", "/etc/x", "C:\\x", "\0", "", "." * 300, "猫" * 300, "con"]
)
@pytest.mark.parametrize("extension", ["png", "../x", "", "a/b", "p" * 300])
async def test_no_title_and_no_extension_leads_out_of_the_folder(library, title, extension):
    """Our promise: names never escape, and fit every system."""
    saved = await library.save(b"x", title=title, extension=extension, about={})
    assert saved.path.parent == library.folder
    assert saved.path.is_file()
    assert len(saved.path.stem) <= 80
    assert len((saved.name + ".json").encode()) <= 255


class FaultyDisk:
    """Opens files that fail after `room` bytes, or when they are opened."""

    def __init__(self, room, code):
        self.room = room
        self.code = code

    def __call__(self, path):
        if self.room is None:
            raise OSError(self.code, os.strerror(self.code))
        return FaultyFile(writing.create(path), self)


class FaultyFile:
    def __init__(self, file, disk):
        self.file = file
        self.disk = disk

    def write(self, data):
        taken = data[: self.disk.room]
        self.disk.room -= len(taken)
        self.file.write(taken)
        if len(taken) < len(data):
            raise OSError(self.disk.code, os.strerror(self.disk.code))
        return len(data)

    def flush(self):
        self.file.flush()

    def fileno(self):
        return self.file.fileno()

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.file.close()


@pytest.mark.parametrize("room", [0, 10, 1000, 1010], ids=["nothing", "half", "no sidecar", "half a sidecar"])
async def test_a_full_disk_is_told_and_leaves_nothing_half_written(tmp_path, room):
    """Our promise: a full disk gives a clear error; both files are there or neither."""
    library = Library(tmp_path, create=FaultyDisk(room, errno.ENOSPC))
    with pytest.raises(StorageError, match=r"full.*MTU_OUTPUT_DIR"):
        await library.save(b"x" * 1000, title="t", extension="bin", about={"prompt": "p" * 100})
    assert list(tmp_path.iterdir()) == []
    assert library.list() == []


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.EIO])
async def test_a_disk_that_takes_nothing_is_told(tmp_path, code):
    """Our promise: the message names the folder and the variable."""
    library = Library(tmp_path, create=FaultyDisk(None, code))
    with pytest.raises(StorageError, match="MTU_OUTPUT_DIR") as caught:
        await library.save(b"x", title="t", extension="bin", about={})
    assert str(tmp_path) in str(caught.value)


async def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    """Our promise: the message names the variable."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="MTU_OUTPUT_DIR"):
        await Library(tmp_path / "file" / "out").save(b"x", title="t", extension="bin", about={})


def test_a_disk_without_links_still_never_overwrites(tmp_path):
    """FAT and some network shares have no hard links."""
    hidden = tmp_path / ".part"
    hidden.write_bytes(b"new")
    writing.claim_and_replace(hidden, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"new"
    hidden.write_bytes(b"newer")
    with pytest.raises(FileExistsError):
        writing.claim_and_replace(hidden, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"new"


async def test_the_list_is_newest_first_and_tells_no_sidecars_and_hidden_files(library):
    """Our promise: the list is what a person would call the files."""
    old = await library.save(b"1", title="old", extension="txt", about={})
    new = await library.save(b"2", title="new", extension="json", about={})
    os.utime(old.path, (NOON - 100, NOON - 100))
    os.utime(new.path, (NOON, NOON))
    (library.folder / ".x.part").write_bytes(b"half")
    (library.folder / "sub").mkdir()
    assert [one.name for one in library.list()] == [new.name, old.name]


def test_a_shelf_holds_some_families_part_by_part(library: Library) -> None:
    """Our promise: by the bytes, newest first; files of the very same moment are each in one part."""
    assert library.shelf(("image",), 2) == Shelf([], 0, False, "")
    library.folder.mkdir(parents=True)
    for number in range(5):
        (library.folder / f"{number}.bin").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(16))
        (library.folder / f"{number}.png").write_text("no picture", encoding="utf-8")
        os.utime(library.folder / f"{number}.bin", (1.0, 1.0))
    first = library.shelf(("image", "video"), 2)
    second = library.shelf(("image", "video"), 2, first.older)
    third = library.shelf(("image", "video"), 2, second.older)
    assert [one.name for each in (first, second, third) for one in each.files] == [f"{n}.bin" for n in (4, 3, 2, 1, 0)]
    assert (first.total, third.total, third.older) == (5, 5, "")
    assert library.shelf(("image",), 5).older == ""
    assert library.shelf(("image",), 5, "0 a") == Shelf([], 5, False, "")


def test_an_output_folder_that_is_not_there_yet_is_empty(library):
    """The folder is made when the first file is saved."""
    assert library.list() == []
    with pytest.raises(NotFound):
        library.find("a.png")


async def test_a_damaged_sidecar_does_not_hide_its_file(library):
    """Our promise: the file counts, not what is said about it."""
    saved = await library.save(b"1", title="t", extension="txt", about={"a": 1})
    (library.folder / f"{saved.name}.json").write_bytes(b"\xff{[")
    assert library.find(saved.name).about == {}


@pytest.mark.skipif(os.name == "nt", reason="links as POSIX has them")
async def test_a_link_in_the_output_folder_is_not_followed(library, tmp_path):
    """Our promise: the output folder is readable, what links out of it is not."""
    await library.save(b"1", title="t", extension="txt", about={})
    (tmp_path / "secret").write_bytes(b"secret")
    (library.folder / "link.txt").symlink_to(tmp_path / "secret")
    with pytest.raises(NotFound):
        library.find("link.txt")
    assert "link.txt" not in [one.name for one in library.list()]


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a\\b", ".hidden", "C:x", "\0", "x" * 5000])
def test_what_is_no_file_name_is_not_looked_up(library, name):
    """Our promise: names never escape."""
    with pytest.raises(BadInput):
        library.find(name)


async def test_things_json_does_not_know_are_written_as_text(library):
    """Our promise: a sidecar never stands in the way of a file."""
    saved = await library.save(
        b"1", title="\ud800", extension="txt", about={"when": NOON, "path": library.folder, "x": "\ud800"}
    )
    assert library.find(saved.name).about["path"] == str(library.folder)


async def test_what_a_killed_process_left_half_written_is_cleared_away(tmp_path: Path) -> None:
    """Our promise: kill -9 leaves no rubbish for ever; what another process is writing now is younger and stays."""
    old, young, own = (tmp_path / name for name in (f".{'a' * 24}.part", f".{'b' * 24}.json.part", ".notes.part"))
    for path in (old, young, own):
        path.write_bytes(b"half")
    library = Library(tmp_path, clock=lambda: young.stat().st_mtime + 60)
    os.utime(old, (1.0, 1.0))
    os.utime(own, (1.0, 1.0))
    await library.save(b"x", title="x", extension="txt", about={})
    assert not old.exists()
    assert young.exists()
    assert own.exists()
