"""The database: private, shared between processes, durable, and clear about what is wrong with it."""

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from mtu_mcp.errors import RecordsError
from mtu_mcp.records import Records, Turn
from mtu_mcp.records.migrations import MIGRATIONS

NO_ROLE: Any = None
posix = pytest.mark.skipif(os.name == "nt", reason="the system has no such permissions or signals")


async def fails_with(path: Path, match: str) -> None:
    """Every operation fails with that message and the way out; making and closing the object does not."""
    records = Records(path, busy_seconds=0.05)
    operations = (
        lambda: records.conversations.load("x"),
        lambda: records.conversations.list(),
        lambda: records.conversations.names("x"),
        lambda: records.conversations.delete("x"),
        lambda: records.conversations.append("x", [Turn("user", "hello")]),
        lambda: records.check(),
    )
    for operation in operations:
        with pytest.raises(RecordsError, match=match) as caught:
            await operation()
        assert "MTU_DATABASE_URL" in str(caught.value)
        assert str(path) in str(caught.value)
    await records.aclose()


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def make(path: Path) -> None:
    records = Records(path)
    await records.conversations.append("x", [Turn("user", "hello")])
    await records.aclose()


async def test_nothing_is_touched_before_the_first_operation(tmp_path: Path):
    """Our promise: the server starts whatever the disk does."""
    records = Records(tmp_path / "new" / "mtu.db")
    await records.aclose()
    assert not (tmp_path / "new").exists()


@posix
async def test_the_folder_and_the_files_are_the_owners_alone(tmp_path: Path):
    """Our promise: conversations are private."""
    path = tmp_path / "new" / "mtu.db"
    records = Records(path)
    await records.conversations.append("x", [Turn("user", "hello")])
    modes = {entry.name: entry.stat().st_mode & 0o777 for entry in (path.parent, *files_in(path.parent))}
    await records.aclose()
    assert modes.pop("new") == 0o700
    assert "mtu.db-wal" in modes
    assert set(modes.values()) == {0o600}


async def test_closing_folds_the_journal_into_the_file(tmp_path: Path):
    """SQLite's documentation: the last connection checkpoints; a copy of the one file is then a whole backup."""
    await make(tmp_path / "mtu.db")
    assert [entry.name for entry in files_in(tmp_path)] == ["mtu.db"]


async def test_memory_keeps_things_until_it_is_closed():
    """Our promise: MTU_DATABASE_URL=:memory: keeps nothing on disk."""
    records = Records(Path(":memory:"))
    await records.conversations.append("x", [Turn("user", "hello")])
    with pytest.raises(RecordsError):
        await records.conversations.append("x", [Turn(NO_ROLE, "x")])
    assert await records.conversations.load("x") is not None
    await records.aclose()


async def test_a_closed_database_says_so_and_closing_twice_is_fine(tmp_path: Path):
    """Our promise: a late call during shutdown gets a sentence, not a crash."""
    records = Records(tmp_path / "mtu.db")
    await records.aclose()
    await records.aclose()
    with pytest.raises(RecordsError, match="stopping"):
        await records.conversations.list()


async def test_a_file_that_is_no_database_is_named_as_damaged(tmp_path: Path):
    """Our promise: corrupt means a sentence with the way out, and the server serves."""
    path = tmp_path / "mtu.db"
    path.write_bytes(b"this is not a database, not at all" * 100)
    await fails_with(path, "damaged")
    assert path.read_bytes().startswith(b"this is not")


async def test_a_damaged_page_is_named_as_damage(tmp_path: Path):
    """Our promise: the same for a file that was one of ours."""
    path = tmp_path / "mtu.db"
    await make(path)
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)
    records = Records(path)
    for operation in (lambda: records.conversations.load("x"), lambda: records.conversations.list()):
        with pytest.raises(RecordsError, match="damaged"):
            await operation()
    await records.aclose()


async def test_a_damaged_file_that_is_moved_away_is_replaced_without_a_restart(tmp_path: Path):
    """Our promise: the advice works."""
    path = tmp_path / "mtu.db"
    path.write_bytes(b"not a database at all, whatever it says" * 100)
    records = Records(path)
    with pytest.raises(RecordsError):
        await records.conversations.list()
    path.rename(tmp_path / "old.db")
    await records.conversations.append("x", [Turn("user", "hello")])
    assert await records.conversations.load("x") is not None
    await records.aclose()


async def test_a_newer_database_is_left_alone(tmp_path: Path):
    """Our promise: an older program does not write into a newer format."""
    path = tmp_path / "mtu.db"
    await make(path)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    before = path.read_bytes()
    await fails_with(path, "newer mtu-mcp")
    assert path.read_bytes() == before


async def test_another_programs_database_is_left_alone(tmp_path: Path):
    """Our promise: a mistyped path does no harm."""
    path = tmp_path / "places.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()
    await fails_with(path, "another program")


async def test_a_database_locked_by_another_program_is_named_as_locked(tmp_path: Path):
    """Our promise: locked means a sentence; when the lock goes, so does the error."""
    path = tmp_path / "mtu.db"
    await make(path)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    records = Records(path, busy_seconds=0.05)
    with pytest.raises(RecordsError, match="locked"):
        await records.conversations.append("x", [Turn("user", "hello")])
    blocker.execute("ROLLBACK")
    blocker.close()
    await records.conversations.append("x", [Turn("user", "hello")])
    await records.aclose()


async def test_a_locked_database_can_still_be_read(tmp_path: Path):
    """SQLite's documentation of write-ahead logs: a writer does not stop readers."""
    path = tmp_path / "mtu.db"
    await make(path)
    records = Records(path, busy_seconds=0.05)
    await records.check()
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    assert await records.conversations.load("x") is not None
    blocker.close()
    await records.aclose()


async def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path):
    """Our promise: each way to mistype the variable has its sentence."""
    await fails_with(tmp_path, "is a folder")


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path):
    """Our promise: the same when a file is in the way of the folder."""
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    await fails_with(tmp_path / "file" / "mtu.db", "cannot be opened or made")


@pytest.fixture
def read_only_folder(tmp_path: Path):
    tmp_path.chmod(0o500)
    yield tmp_path
    tmp_path.chmod(0o700)


@posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write anything")
async def test_a_read_only_folder_is_named(read_only_folder: Path):
    """Our promise: read-only means a sentence with the way out."""
    await fails_with(read_only_folder / "mtu.db", "cannot be")


async def test_a_read_only_database_is_named(tmp_path: Path):
    """SQLite result code 8: whatever makes the file read-only, the sentence is the same."""
    path = tmp_path / "mtu.db"
    records = Records(path)
    await records.database.read(lambda it: it.execute("PRAGMA query_only = ON").fetchall())
    with pytest.raises(RecordsError, match=r"cannot be written.*MTU_DATABASE_URL"):
        await records.conversations.append("x", [Turn("user", "hello")])
    await records.aclose()


async def test_a_full_disk_is_named_and_nothing_is_half_written(tmp_path: Path):
    """SQLite result code 13: a page limit stands in for the disk's."""
    path = tmp_path / "mtu.db"
    await make(path)
    records = Records(path)
    await records.database.read(lambda it: it.execute("PRAGMA max_page_count = 1").fetchall())
    with pytest.raises(RecordsError, match="full"):
        await records.conversations.append("y", [Turn("user", "hello"), Turn("assistant", "x" * 1_000_000)])
    assert await records.conversations.load("y") is None
    await records.aclose()


@posix
async def test_a_file_deleted_under_the_server_is_made_again(tmp_path: Path):
    """Our promise: what is answered after that is kept, not written into a deleted file."""
    path = tmp_path / "mtu.db"
    records = Records(path)
    await records.conversations.append("x", [Turn("user", "old")])
    for entry in files_in(tmp_path):
        entry.unlink()
    await records.conversations.append("x", [Turn("user", "new")])
    await records.aclose()
    again = Records(path)
    kept = await again.conversations.load("x")
    await again.aclose()
    assert kept is not None
    assert [turn.content for turn in kept.turns] == ["new"]


async def test_an_old_file_runs_only_the_steps_it_lacks(tmp_path: Path):
    """Our promise: opening a file twice migrates it once."""
    path = tmp_path / "mtu.db"
    await make(path)
    await make(path)
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
    connection.close()


def test_released_migrations_are_never_edited():
    """Our promise: append-only; files out there have run these steps. Add a digest, never change one."""
    digests = [hashlib.sha256("\n".join(step).encode()).hexdigest()[:16] for step in MIGRATIONS]
    assert digests == DIGESTS


DIGESTS = ["f538b1b095bf647d", "a5445e89835a6709", "fdf69e47d280cb8b", "77dfc0f95c085076"]

WRITER = """
import sys, anyio
from pathlib import Path
from mtu_mcp.records import Records, Turn

async def main(path, name, count):
    records = Records(Path(path), busy_seconds=60)
    for number in range(int(count)):
        await records.conversations.append(name, [Turn("user", number), Turn("assistant", number)])
        print(number, flush=True)
    await records.aclose()

anyio.run(main, *sys.argv[1:])
"""


def writer(path: Path, name: str, count: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WRITER, str(path), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8")


@posix
async def test_whatever_was_confirmed_before_a_kill_is_there_afterwards(tmp_path: Path):
    """Our promise: nothing that was answered is missing after kill -9, and no exchange is half there."""
    path = tmp_path / "mtu.db"
    process = writer(path, "x", 1_000_000)
    assert process.stdout is not None
    for _ in range(60):
        process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    confirmed = 60 + len([line for line in process.stdout.read().split("\n") if line])
    process.stdout.close()
    process.wait()

    records = Records(path)
    kept = await records.conversations.load("x")
    await records.conversations.append("x", [Turn("user", "still writable")])
    await records.aclose()
    assert kept is not None
    said = [turn.content for turn in kept.turns]
    assert len(said) >= 2 * confirmed
    assert said == [number // 2 for number in range(len(said))]
    assert len(said) % 2 == 0


async def test_two_processes_share_one_file(tmp_path: Path):
    """Our promise: two hosts, each with its own server, make and use one database at the same time."""
    path = tmp_path / "mtu.db"
    processes = [writer(path, "shared", 40) for _ in range(2)]
    for process in processes:
        await anyio.to_thread.run_sync(process.communicate)
        assert process.returncode == 0
    records = Records(path)
    kept = await records.conversations.load("shared")
    await records.aclose()
    assert kept is not None
    assert len(kept.turns) == 160
    assert all(one.content == two.content for one, two in zip(kept.turns[::2], kept.turns[1::2], strict=True))


async def test_a_cancelled_append_is_whole_or_absent_and_the_database_goes_on(tmp_path: Path):
    """Our promise: a cancel never leaves half an exchange or a held lock."""
    records = Records(tmp_path / "mtu.db")
    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(records.conversations.append, "x", [Turn("user", number), Turn("assistant", number)])
        await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    await records.conversations.append("x", [Turn("user", "after"), Turn("assistant", "after")])
    kept = await records.conversations.load("x")
    await records.aclose()
    assert kept is not None
    assert kept.turns[-1].content == "after"
    assert all(one.content == two.content for one, two in zip(kept.turns[::2], kept.turns[1::2], strict=True))


def test_importing_the_room_loads_no_database_library():
    """Our promise: serve answers first; what is slow is imported where it is used."""
    code = "import sys, mtu_mcp.records; sys.exit('sqlite3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
