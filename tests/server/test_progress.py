"""What is passed on of the gateway's progress, with a clock of our own."""

from itertools import pairwise

import pytest

from mtu_mcp.gateway import Progress
from mtu_mcp.server.progress import INTERVAL, Reporter


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Host:
    def __init__(self) -> None:
        self.heard: list[tuple[float, float | None, str | None]] = []

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        self.heard.append((progress, total, message))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def host() -> Host:
    return Host()


async def test_the_first_report_leaves_at_once(host: Host, clock: Clock) -> None:
    """Our promise: a host sees that work has begun."""
    await Reporter(host, clock)(Progress("asking", None, None))
    assert host.heard == [(1, None, "asking")]


async def test_reports_closer_than_the_interval_are_dropped(host: Host, clock: Clock) -> None:
    """Our promise: ten a second; a stream brings hundreds, and each notification costs."""
    report = Reporter(host, clock)
    for number in range(1000):
        await report(Progress(f"{number}", None, None))
        clock.now += INTERVAL / 100
    assert len(host.heard) == 10


async def test_a_quiet_stretch_is_not_made_up_for(host: Host, clock: Clock) -> None:
    """Our promise: after a pause come no bursts."""
    report = Reporter(host, clock)
    await report(Progress("before", None, None))
    clock.now += 60
    for _ in range(5):
        await report(Progress("after", None, None))
    assert len(host.heard) == 2


@pytest.mark.parametrize(
    "given",
    [
        [None] * 5,
        [1.0, 2.0, 3.0],
        [5.0, 5.0, 5.0],
        [10.0, 3.0, 7.0],
        [None, 0.5, None, 0.25, 9.0],
        [0.0, 0.0],
        [-1.0, -2.0],
    ],
)
async def test_values_always_grow(host: Host, clock: Clock, given: list[float | None]) -> None:
    """MCP progress: the progress value MUST increase with each notification, even if the total is unknown."""
    report = Reporter(host, clock)
    for done in given:
        await report(Progress("", done, 10.0))
        clock.now += INTERVAL
    values = [value for value, _, _ in host.heard]
    assert len(values) == len(given)
    assert all(later > earlier for earlier, later in pairwise(values))


async def test_the_total_is_passed_on(host: Host, clock: Clock) -> None:
    """MCP progress: total is optional and may be a fraction."""
    await Reporter(host, clock)(Progress("part", 2.5, 7.5))
    assert host.heard == [(2.5, 7.5, "part")]
