"""Jobs: found again by any process, changed once, held by one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from mtu_mcp.errors import NotFound, RecordsError
from mtu_mcp.records import Records
from mtu_mcp.records.jobs import LEASE, Jobs
from mtu_mcp.records.presence import PATIENCE, Presence


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def records(tmp_path: Path, clock: Clock) -> Any:
    records = Records(tmp_path / "mtu.db", clock)
    yield records
    await records.aclose()


@pytest.fixture
def jobs(records: Records) -> Jobs:
    return records.jobs


@pytest.fixture
def dies(records: Records) -> Callable[[], None]:
    """Let go of the process's lock, as the system does when it is gone."""
    return records.ledger.presence.leave


@pytest.fixture
async def other(tmp_path: Path, clock: Clock) -> Any:
    """A second server on the same file."""
    records = Records(tmp_path / "mtu.db", clock)
    yield records.jobs
    await records.aclose()


async def test_a_job_is_found_again_by_another_process(jobs: Jobs, other: Jobs) -> None:
    """Our promise: jobs outlive the call and the process."""
    made = await jobs.create("batch", "三个问题", {"model": "qwen-plus", "lines": 3}, fingerprint="abc")
    found = await other.load(made.id)
    assert found == made
    assert found is not None
    assert (found.state, found.request, found.result, found.cost, found.fingerprint) == (
        "queued",
        {"model": "qwen-plus", "lines": 3},
        {},
        None,
        "abc",
    )
    assert found.active
    assert await other.load("job-none") is None
    assert await other.load("\ud800") is None


async def test_a_change_is_whole_and_only_from_the_states_expected(jobs: Jobs, other: Jobs, clock: Clock) -> None:
    """Our promise: two servers that learn the same news write it once."""
    made = await jobs.create("batch", "x", {})
    clock.now += 5
    running = await jobs.change(made.id, state="running", remote="batch_1")
    assert running is not None
    assert (running.state, running.remote, running.updated, running.created) == ("running", "batch_1", 1005.0, 1000.0)
    won = [
        await each.change(made.id, state="done", result={"n": 1}, cost=0.5, note="fine", delivered=7.0)
        for each in (jobs, other)
    ]
    assert won[0] is not None
    assert won[1] is None
    assert (won[0].result, won[0].cost, won[0].note, won[0].delivered) == ({"n": 1}, 0.5, "fine", 7.0)
    assert not won[0].active
    assert await jobs.change(made.id, expect=("failed",), note="never") is None
    again = await jobs.change(made.id, expect=("done",), delivered=9.0)
    assert again is not None
    assert again.delivered == 9.0
    with pytest.raises(TypeError):
        await jobs.change(made.id, expect=("done",), owner="me")
    with pytest.raises(RecordsError):
        await jobs.change(made.id, expect=("done",), result={"x": object()})


async def test_the_latest_come_first(jobs: Jobs, clock: Clock) -> None:
    """Our promise: a list is newest first and bounded."""
    ids = []
    for number in range(5):
        clock.now += 1
        ids.append((await jobs.create("batch", f"job {number}", {})).id)
    assert [job.id for job in await jobs.list(3)] == ids[:1:-1]
    assert len(set(ids)) == 5


async def test_a_job_is_held_by_one_at_a_time(jobs: Jobs, other: Jobs) -> None:
    """Our promise: results are fetched once."""
    made = await jobs.create("batch", "x", {})
    async with jobs.hold(made.id) as mine:
        assert mine
        async with other.hold(made.id) as theirs:
            assert not theirs
        async with jobs.hold(made.id) as again:
            assert not again
    async with other.hold(made.id) as theirs:
        assert theirs
    async with jobs.hold("job-none") as nobody:
        assert not nobody


async def test_what_a_dead_process_held_is_free(jobs: Jobs, other: Jobs, dies: Callable[[], None]) -> None:
    """Our promise: kill -9 leaves nothing held for ever."""
    made = await jobs.create("batch", "x", {})
    assert await jobs._take(made.id)  # pyright: ignore[reportPrivateUsage] - a process that dies does no more than this
    async with other.hold(made.id) as theirs:
        assert not theirs
    dies()
    async with other.hold(made.id) as theirs:
        assert theirs


async def test_work_that_has_begun_is_held_from_its_first_moment(
    jobs: Jobs, other: Jobs, dies: Callable[[], None]
) -> None:
    """Our promise: what a process that was killed had begun is lost at once, and never called running."""
    made = await jobs.create("call", "x", {}, begun=True)
    assert made.state == "running"
    assert await other.lose("call", "gone") == 0
    async with other.hold(made.id) as theirs:
        assert not theirs
    dies()
    assert await other.lose("call", "gone") == 1
    found = await other.load(made.id)
    assert found is not None
    assert found.state == "lost"


async def test_what_was_begun_is_free_when_it_is_let_go(jobs: Jobs, other: Jobs) -> None:
    """Our promise: who entered a job as begun lets go of it like anybody else."""
    made = await jobs.create("call", "x", {}, begun=True)
    async with jobs.hold(made.id, taken=True) as mine:
        assert mine
    async with other.hold(made.id) as theirs:
        assert theirs


async def test_a_clock_that_jumps_makes_nobody_dead(jobs: Jobs, tmp_path: Path, clock: Clock) -> None:
    """Our promise: a laptop that slept, or a clock that was set, takes no work from a process that is alive."""
    ticks = Clock()
    records = Records(tmp_path / "mtu.db", clock)
    other = Jobs(records.database, clock, presence=Presence(tmp_path / "mtu.db", ticks))
    made = await jobs.create("call", "x", {})
    async with jobs.hold(made.id):
        for _ in range(2):
            clock.now += 8 * 3600.0
            ticks.now += PATIENCE - 1
            assert await other.lose("call", "gone") == 0
            async with other.hold(made.id) as theirs:
                assert not theirs
            assert await jobs._beat(made.id)  # pyright: ignore[reportPrivateUsage] - the next sign of life after waking
        done = await jobs.change(made.id, state="done", result={"text": "paid for"})
        assert done is not None
    await records.aclose()


async def test_who_is_silent_for_long_has_given_up(jobs: Jobs, tmp_path: Path, clock: Clock) -> None:
    """Our promise: what a live process could not write down as ended is not called running for ever."""
    ticks = Clock()
    records = Records(tmp_path / "mtu.db", clock)
    other = Jobs(records.database, clock, presence=Presence(tmp_path / "mtu.db", ticks))
    made = await jobs.create("call", "x", {})
    assert await jobs._take(made.id)  # pyright: ignore[reportPrivateUsage] - held, and never heard of again
    clock.now += LEASE + 1
    assert await other.lose("call", "gone") == 0
    ticks.now += PATIENCE + 1
    assert await other.lose("call", "gone") == 1
    await records.aclose()


async def test_errors_and_cancels_let_go(jobs: Jobs) -> None:
    """Our promise: an error comes out as it is, and the job is free again."""
    made = await jobs.create("batch", "x", {})
    with pytest.raises(NotFound, match="gone"):
        async with jobs.hold(made.id):
            raise NotFound("gone")
    with anyio.CancelScope() as scope:
        async with jobs.hold(made.id):
            scope.cancel()
            await anyio.sleep_forever()
    async with jobs.hold(made.id) as mine:
        assert mine


async def test_jobs_belong_to_their_owner(tmp_path: Path, clock: Clock) -> None:
    """Our promise: another caller gets "not found"."""
    records = Records(tmp_path / "mtu.db", clock)
    mine, theirs = (Jobs(records.database, clock, owner=owner) for owner in ("me", "you"))
    made = await mine.create("batch", "x", {})
    assert await theirs.load(made.id) is None
    assert await theirs.change(made.id, state="cancelled") is None
    assert await theirs.list() == []
    async with theirs.hold(made.id) as held:
        assert not held
    await records.aclose()
