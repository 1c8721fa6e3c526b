"""The connections of the HTTP server, bounded: how many there are, and how long one may take to say what it wants.

Whoever reaches the port can open connections, before anybody is asked for a token. uvicorn keeps those that say nothing,
or a letter now and then, for as long as they like, until the process has no descriptor left; then nobody is let in, no
file and no database opens, and asyncio notes it a hundred thousand times a second in the log. So the head of a request
has to be here within `HEAD_SECONDS`, or longer while the answer before it is still being read, and where there is no
room for one more connection, the one that has been silent for longest goes. What a caller with a token may keep open is bounded by the caller's gate (`limits`).

Built on uvicorn's own parser in Python, which also bounds the head's length; the faster one that it would take where
that is installed does not.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from mtu_mcp.server.partings import Parting

if TYPE_CHECKING:
    import asyncio

HEAD_SECONDS: Final = 20.0
"""From the connection, or from the answer before, to the end of a request's head."""
MOST: Final = 10_000
QUEUE: Final = 128
"""Connections that asyncio takes in one turn of its loop; it takes some three turns until one of them can be ended."""
SPARE: Final = 3 * QUEUE + 116
"""Descriptors that are left for those, for files, the database and the connections to gateways."""


@dataclass(eq=False, slots=True)
class Room:
    """What the connections of one server share.

    Attributes:
        most: How many there may be.
        seconds: For the head of a request.
        silent: Those that have not said what they want, the longest first.
    """

    most: int
    seconds: float = HEAD_SECONDS
    silent: dict[Connection, None] = field(default_factory=dict["Connection", None])


class Connection(Parting):
    """One connection."""

    room: ClassVar[Room]
    _late: asyncio.TimerHandle | None = None
    _unread = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request; the one that has been silent for longest makes room."""
        super().connection_made(transport)
        self._wait()
        if len(self.connections) > self.room.most:
            next(iter(self.room.silent)).drop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._heard()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, and note when the head of a request is here."""
        super().data_received(data)
        if self._answering:
            self._heard()

    def on_response_complete(self) -> None:
        """Wait for the next request, unless that is here already."""
        super().on_response_complete()
        if not self._answering:
            self._heard()
            self._wait()

    def overdue(self) -> None:
        """End it, unless the client got further with the answer before: of a large one, most waits here for slow lines."""
        if self.transport.get_write_buffer_size() < self._unread:
            self._wait()
        else:
            self.drop()

    def drop(self) -> None:
        """End it here and now."""
        self._heard()
        self.connections.discard(self)
        self.transport.abort()

    @property
    def _answering(self) -> bool:
        cycle = cast("Any", self.cycle)  # None before the first request
        return cycle is not None and not cycle.response_complete

    def _wait(self) -> None:
        self._unread = self.transport.get_write_buffer_size()
        self._late = self.loop.call_later(self.room.seconds, self.overdue)
        self.room.silent[self] = None

    def _heard(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
        self.room.silent.pop(self, None)


def connections(room: Room) -> type[Connection]:
    """The class of one server's connections."""
    return type("Connection", (Connection,), {"room": room})


def most_connections() -> int:
    """How many connections there is room for, after asking the system for as many descriptors as it gives."""
    try:
        import resource
    except ImportError:  # Windows, which counts them otherwise
        return MOST
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST + SPARE if hard == resource.RLIM_INFINITY else min(MOST + SPARE, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else max(soft // 2, min(MOST, soft - SPARE))
