"""The ledger by itself: entered before, settled once, compared with caps under the write lock."""

import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import anyio
import pytest

from books import rows_in as rows
from mtu_mcp.errors import BadInput, OverBudget, RecordsError
from mtu_mcp.records import Caps, Closing, Database, Ledger, Opening, Records
from mtu_mcp.records.presence import Presence

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def opening(key: str, held: float = 1.0, call: str = "c", **changes: Any) -> Opening:
    values: dict[str, Any] = {
        "owner": "",
        "call": call,
        "tool": "chat",
        "job": "",
        "endpoint": "chat/completions",
        "model": "m",
        "idempotency_key": key,
        "reserved": held,
        "basis": "list",
        **changes,
    }
    return Opening(**values)


def closing(key: str, cny: float, state: str = "done", **changes: Any) -> Closing:
    return Closing(state, cny=cny, basis="list", idempotency_key=key, **changes)


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if "-live-" in file.name)


async def test_a_row_holds_its_sum_until_it_is_settled_once(tmp_path: Path):
    """Our promise: reserve, then settle, exactly once."""
    records = Records(tmp_path / "mtu.db", Clock())
    number = await records.ledger.reserve(opening("a", 2.5), Caps())
    assert rows(tmp_path / "mtu.db", "state", "cny", "reserved", "ended") == [("running", 0, 2.5, None)]
    await records.ledger.settle(number, closing("b", 0.5, input_tokens=7))
    await records.ledger.settle(number, closing("c", 9.0))
    await records.aclose()
    assert rows(tmp_path / "mtu.db", "state", "cny", "reserved", "input_tokens", "idempotency_key") == [
        ("done", 0.5, 0, 7, "b")
    ]


async def test_a_cap_counts_what_is_spent_and_what_is_held(tmp_path: Path):
    """Our promise: the remaining sum is what neither ended nor running calls have taken."""
    records = Records(tmp_path / "mtu.db", Clock())
    caps = Caps(day=3)
    first = await records.ledger.reserve(opening("a", 2), caps)
    with pytest.raises(OverBudget, match=r"CNY 1\.0000 remain"):
        await records.ledger.reserve(opening("b", 2), caps)
    await records.ledger.settle(first, closing("a", 0.5))
    await records.ledger.reserve(opening("b", 2), caps)
    assert await records.ledger.spent() == (2.5, 2.5)
    await records.aclose()


@pytest.mark.parametrize("count", [3, 10])
async def test_a_cap_is_filled_to_the_brim_whatever_the_fractions(tmp_path: Path, count: int):
    """Binary fractions: three times 0.1 is a hair more than 0.3."""
    records = Records(":memory:", Clock())
    for number in range(count):
        await records.ledger.reserve(opening(str(number), 0.1), Caps(day=count / 10))
    with pytest.raises(OverBudget):
        await records.ledger.reserve(opening("more", 0.001), Caps(day=count / 10))
    await records.aclose()


async def test_caps_of_a_call_a_day_and_a_month_begin_anew_when_theirs_does():
    """Our promise: days and months by the clock of the machine, here in Shanghai."""
    clock = Clock(datetime(2026, 11, 30, 15, 59, tzinfo=UTC).timestamp())  # one minute to midnight there
    database = Database(":memory:")
    ledger = Ledger(database, clock, ZoneInfo("Asia/Shanghai"))
    await ledger.reserve(opening("a", 1, "one"), Caps(1, 1, 1))
    for caps in (Caps(call=1), Caps(day=1), Caps(month=1)):
        with pytest.raises(OverBudget):
            await ledger.reserve(opening("b", 1, "one"), caps)
    await ledger.reserve(opening("c", 1, "two"), Caps(call=1))
    clock.now += 120
    await ledger.reserve(opening("d", 1, "three"), Caps(1, 1, 1))
    assert [tally.day for tally in await ledger.tallies()] == ["2026-12-01"]
    assert [(tally.day, tally.calls, tally.held) for tally in await ledger.tallies("2026-11")] == [("2026-11-30", 2, 2)]
    assert await ledger.months() == ["2026-12", "2026-11"]
    await ledger.aclose()
    await database.aclose()


async def test_days_on_which_clocks_change_are_whole():
    """IANA time zones: in Berlin 2026-10-25 has 25 hours."""
    zone = ZoneInfo("Europe/Berlin")
    clock = Clock(datetime(2026, 10, 25, 23, 30, tzinfo=zone).timestamp())
    database = Database(":memory:")
    ledger = Ledger(database, clock, zone)
    await ledger.reserve(opening("a"), Caps())
    clock.now += 3600
    await ledger.reserve(opening("b"), Caps())
    assert [(one.day, one.calls) for one in await ledger.tallies("2026-10")] == [("2026-10-25", 1), ("2026-10-26", 1)]
    await ledger.aclose()
    await database.aclose()


@pytest.mark.parametrize("month", ["2026-13", "2026", "november", "2026-1", "0000-01", "2026-11-01", "'; --"])
async def test_what_is_no_month_is_refused(month: str):
    """Our promise: a clear error, in the form that is wanted."""
    records = Records(":memory:", Clock())
    with pytest.raises(BadInput, match="is no month"):
        await records.ledger.tallies(month)
    await records.aclose()


async def test_calls_side_by_side_enter_no_more_than_there_is_room_for(tmp_path: Path):
    """Our promise: two connections to one file take turns under the write lock."""
    two = [Records(tmp_path / "mtu.db", Clock(), busy_seconds=30) for _ in range(2)]
    refused: list[str] = []

    async def one(number: int) -> None:
        try:
            await two[number % 2].ledger.reserve(opening(str(number)), Caps(day=3))
        except OverBudget as error:
            refused.append(str(error))

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(one, number)
    for records in two:
        await records.aclose()
    assert len(refused) == 17
    assert rows(tmp_path / "mtu.db", "count(*)") == [(3,)]


DYING = """
import os, sys, anyio
from pathlib import Path
from mtu_mcp.records import Caps, Opening, Records

async def main():
    records = Records(Path(sys.argv[1]))
    for number in range(2):
        await records.ledger.reserve(Opening("", "c", "chat", "", "chat/completions", "m", f"k{number}", 2.0, "list"), Caps())
    print("entered", flush=True)
    if sys.argv[2] == "wait":
        sys.stdin.read()
    os._exit(9)

anyio.run(main)
"""


def started(path: Path, how: str) -> "subprocess.Popen[bytes]":
    """A process that has entered two calls."""
    command = [sys.executable, "-c", DYING, str(path), how]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline().strip() == b"entered"
    return child


def ended(child: "subprocess.Popen[bytes]") -> int:
    """Its exit code, once it has died without cleaning up."""
    child.communicate(timeout=30)
    return child.returncode


async def test_what_a_dead_process_left_is_lost_at_the_most_it_could_cost_and_frees_nothing(tmp_path: Path):
    """Our promise: reported as lost with its cost, never as running, never deleted."""
    path = tmp_path / "mtu.db"
    child = started(path, "die")
    assert ended(child) == 9
    assert len(files(tmp_path)) == 1
    records = Records(path)
    with pytest.raises(OverBudget, match=r"CNY 0\.5000 remain"):
        await records.ledger.reserve(opening("x"), Caps(day=4.5))
    assert [(one.state, one.calls, one.cny, one.held) for one in await records.ledger.tallies()] == [("lost", 2, 4, 0)]
    await records.aclose()
    assert files(tmp_path) == []


async def test_what_a_living_process_is_doing_is_not_lost(tmp_path: Path):
    """Our promise: two hosts each start a server on one database."""
    path = tmp_path / "mtu.db"
    child = started(path, "wait")
    records = Records(path)
    assert [one.state for one in await records.ledger.tallies()] == ["running"]
    ended(child)
    assert [one.state for one in await records.ledger.tallies()] == ["lost"]
    await records.aclose()


def test_a_presence_can_be_taken_while_others_tidy_up(tmp_path: Path):
    """Our promise: a lock that somebody takes for a dead one's between opening and locking is taken anew."""
    path = tmp_path / "mtu.db"
    one, two = Presence(path), Presence(path)
    (tmp_path / f"{path.name}-live-1-dead").touch()
    one.take()
    two.take()
    assert len(files(tmp_path)) == 2
    assert not two.gone(one.name)
    assert not one.gone(two.name)
    one.leave()
    assert two.gone(one.name)
    two.leave()
    assert files(tmp_path) == []


async def test_what_a_locked_database_did_not_take_is_written_with_the_next_row(tmp_path: Path):
    """Our promise: exactly one row for each call, also when another program held the file at the wrong moment."""
    path = tmp_path / "mtu.db"
    records = Records(path, Clock(), busy_seconds=0.05)
    number = await records.ledger.reserve(opening("a"), Caps())
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RecordsError, match="locked"):
        await records.ledger.settle(number, closing("a", 0.25))
    with pytest.raises(RecordsError, match="locked"):
        await records.ledger.record(opening("b"), closing("b", 0.5))
    with pytest.raises(RecordsError, match="locked"):
        await records.ledger.reserve(opening("c"), Caps())
    other.execute("ROLLBACK")
    other.close()
    await records.ledger.reserve(opening("c"), Caps())
    await records.aclose()
    assert rows(path, "idempotency_key", "state", "cny") == [
        ("a", "done", 0.25),
        ("b", "done", 0.5),
        ("c", "running", 0),
    ]


async def test_what_was_not_taken_is_written_at_the_end_at_the_latest(tmp_path: Path):
    """Our promise, as above: closing tries once more."""
    path = tmp_path / "mtu.db"
    records = Records(path, Clock(), busy_seconds=0.05)
    await records.check()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RecordsError):
        await records.ledger.record(opening("b"), closing("b", 0.5))
    other.close()
    await records.aclose()
    assert rows(path, "idempotency_key", "cny") == [("b", 0.5)]


async def test_a_full_disk_is_said_and_enters_nothing(tmp_path: Path):
    """SQLite result codes: SQLITE_FULL, here by a limit on the number of pages."""
    path = tmp_path / "mtu.db"
    records = Records(path, Clock())
    await records.check()
    await records.database.read(lambda it: it.execute("PRAGMA max_page_count = 1").fetchone())
    with pytest.raises(RecordsError, match="full"):
        for number in range(200):
            await records.ledger.reserve(opening(f"{number}", call="x" * 1000), Caps())
    await records.aclose()


async def test_the_usage_of_others_is_not_seen(tmp_path: Path):
    """Our promise: usage belongs to the caller who made it; caps hold for all together."""
    records = Records(":memory:", Clock())
    await records.ledger.reserve(opening("a", owner="mei"), Caps())
    await records.ledger.reserve(opening("b", owner="li"), Caps())
    assert sum(one.calls for one in await records.ledger.tallies(owner="mei")) == 1
    assert sum(one.calls for one in await records.ledger.tallies()) == 2
    with pytest.raises(OverBudget):
        await records.ledger.reserve(opening("c", owner="mei"), Caps(day=2))
    await records.aclose()


async def test_half_a_surrogate_pair_is_kept_as_a_question_mark(tmp_path: Path):
    """Unicode: SQLite's UTF-8 cannot hold one; a model's name may be anything."""
    records = Records(":memory:", Clock())
    number = await records.ledger.reserve(opening("a", model="m\ud800"), Caps())
    await records.ledger.settle(number, closing("a", 0, served="\udfff"))
    assert [one.model for one in await records.ledger.tallies()] == ["m?"]
    await records.aclose()
