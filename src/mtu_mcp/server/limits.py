"""How much one caller may ask of a server that several share, so that no caller can keep the others waiting.

Figures for each: tool calls running, tool calls begun within a minute, and HTTP requests of any kind open and begun
within a minute, which are cheap but not free. A call counts as running until its work has ended, also when its answer (a job's
id) has already left: whoever does such work holds on to the call with `holding`.

On stdio, and on loopback where no token is asked for, there is one person, who may ask as much as the machine bears.
"""

from __future__ import annotations

import math
import time
from collections import deque
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mtu_mcp.amounts import counted
from mtu_mcp.errors import Refused
from mtu_mcp.settings import Settings, variable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

MINUTE: Final = 60.0
REQUESTS_A_CALL: Final = 10
"""Requests of any kind for each tool call allowed: lists, resources, completions and their like within a minute, and at
once, listeners among them. Each that is open holds a connection, of which the process has only so many for everybody."""
SESSION: Final = 10
"""A request that opens a session counts as that many: a session is kept for half an hour, and there is room for 10,000."""
MOST_SESSIONS: Final = 1000
"""Sessions of one caller, who could keep them from ending; a tenth of the room."""
_TIDIED: Final = 1000


@dataclass(frozen=True, slots=True)
class Figures:
    """What each caller is allowed."""

    at_once: int
    a_minute: int


class Window:
    """Counts what happened within the last minute; the counts of each second are kept, not each happening.

    Args:
        most: How much may happen within a minute.
        clock: Seconds, monotonic.
    """

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self._most = most
        self._clock = clock
        self._counts: deque[list[float]] = deque()
        self._sum = 0.0

    @property
    def idle(self) -> bool:
        """Whether nothing happened within the last minute."""
        self._forget()
        return not self._counts

    def take(self, amount: int = 1) -> float:
        """Count something that is to happen; 0 if it may, else the seconds after which it may, and nothing is counted."""
        self._forget()
        if self._sum + amount > self._most and self._counts:
            return max(1.0, self._counts[0][0] + MINUTE - self._clock())
        now = math.floor(self._clock())
        if not self._counts or self._counts[-1][0] != now:
            self._counts.append([now, 0])
        self._counts[-1][1] += amount
        self._sum += amount
        return 0.0

    def _forget(self) -> None:
        while self._counts and self._counts[0][0] + MINUTE <= self._clock():
            self._sum -= self._counts.popleft()[1]


class Gate:
    """One caller's way in."""

    def __init__(self, figures: Figures, clock: Callable[[], float] = time.monotonic) -> None:
        self._figures = figures
        self._calls = Window(figures.a_minute, clock)
        self._requests = Window(figures.a_minute * REQUESTS_A_CALL, clock)
        self.running = 0
        self._open = 0

    @property
    def full(self) -> bool:
        """Whether as many HTTP requests are open as may be."""
        return self._open >= self._figures.at_once * REQUESTS_A_CALL

    @contextmanager
    def opened(self) -> Generator[None]:
        """Count an HTTP request as open until the block ends."""
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    @property
    def idle(self) -> bool:
        """Whether forgetting this gate lets its caller do nothing more than keeping it."""
        return not self.running and not self._open and self._calls.idle and self._requests.idle

    def request(self, amount: int = 1) -> float:
        """Count an HTTP request; 0 if it may go on, else the seconds to wait."""
        return self._requests.take(amount)

    def enter(self) -> None:
        """Begin a tool call; `leave` ends it.

        Raises:
            Refused: The caller has too many running, or began too many within the last minute.
        """
        if self.running >= self._figures.at_once:
            raise Refused(
                f"{counted(self.running, 'call of yours is', 'calls of yours are')} running, and {self._figures.at_once} may at once.",
                advice=f"Wait for one to end, or ask whoever runs this server to raise {variable('calls_at_once')}.",
            )
        wait = self._calls.take()
        if wait:
            raise Refused(
                f"You began {counted(self._figures.a_minute, 'call')} within a minute, as many as are allowed.",
                advice=f"Try again in {math.ceil(wait)} s, or ask whoever runs this server to raise "
                f"{variable('calls_a_minute')}.",
            )
        self.running += 1

    def leave(self) -> None:
        """End a tool call."""
        self.running -= 1


class Gates:
    """The gates of all callers.

    Args:
        figures: What each is allowed.
        clock: Seconds, monotonic.
    """

    def __init__(self, figures: Figures, clock: Callable[[], float] = time.monotonic) -> None:
        self._figures = figures
        self._clock = clock
        self._gates: dict[str, Gate] = {}

    def of(self, owner: str) -> Gate:
        """The caller's gate."""
        if len(self._gates) > _TIDIED and owner not in self._gates:
            self._gates = {name: gate for name, gate in self._gates.items() if not gate.idle}
        return self._gates.setdefault(owner, Gate(self._figures, self._clock))


def gates_of(settings: Settings, *, known: bool) -> Gates | None:
    """The gates that the settings describe; None where there are none.

    Args:
        settings: The figures.
        known: Whether callers are told apart; where they are not, only figures somebody set hold.
    """
    if not known and not settings.model_fields_set & {"calls_at_once", "calls_a_minute"}:
        return None
    return Gates(Figures(settings.calls_at_once, settings.calls_a_minute))


class _Place:
    """A running call's place in its caller's gate, held by all who work on it."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._holders = 0

    @contextmanager
    def held(self) -> Generator[None]:
        if not self._holders:
            self._gate.enter()
        self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1
            if not self._holders:
                self._gate.leave()


_gate: ContextVar[Gate | None] = ContextVar("mtu_mcp_gate", default=None)
_place: ContextVar[_Place | None] = ContextVar("mtu_mcp_place", default=None)


def bind_gate(gate: Gate | None) -> None:
    """Make a gate the one through which calls in this context, and the tasks it starts, come in."""
    _gate.set(gate)


@contextmanager
def calling() -> Generator[None]:
    """Let a tool call in through its caller's gate.

    Raises:
        Refused: Too many are running, or began within the last minute.
    """
    gate = _gate.get()
    if gate is None:
        yield
        return
    place = _Place(gate)
    token = _place.set(place)
    try:
        with place.held():
            yield
    finally:
        _place.reset(token)


@contextmanager
def holding() -> Generator[None]:
    """Let the call that this work is for count as running until the block ends."""
    place = _place.get()
    if place is None:
        yield
        return
    with place.held():
        yield
