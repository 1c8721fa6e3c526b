"""How a connection ended that an answer went into, as only whoever holds the socket sees it.

On 2026-07-28 a host cancels by closing the connection, and may do so while the answer is on its way. Then the answer was
refused: TCP says so when bytes come to a connection that was closed, or when one is closed with bytes in it that nobody
read (RFC 1122, 4.2.2.13; RFC 9293, 3.10.4). A client that has read the whole of an answer of known length closes without
an error. Behind a stream of events goes a last empty chunk that many clients never read, so of a stream nothing is
concluded; nor is anything known of what a client read and then threw away.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

from mtu_mcp.delivery import KEY

if TYPE_CHECKING:
    import asyncio

    from mtu_mcp.delivery import Delivery


class Parting(H11Protocol):
    """A connection that tells the delivery of its last answer how it ended.

    It hears of the end before anybody else does, and what is sent after that goes nowhere in silence.
    """

    _refused = False
    _told: asyncio.Task[None] | None = None

    def eof_received(self) -> None:
        """Look for an error that waits behind the client's end of the connection, as it is never raised."""
        super().eof_received()
        held: socket.socket | None = self.transport.get_extra_info("socket")
        self._refused = held is not None and held.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0

    def connection_lost(self, exc: Exception | None) -> None:
        """Say of an answer that is not complete that its client is gone, and of one that came back that nobody read it."""
        cycle = cast("Any", self.cycle)  # None before the first request
        if cycle is not None and (delivery := cycle.scope.get(KEY)) is not None:
            if not cycle.response_complete:
                delivery.gone = True
            elif exc is not None or self._refused:
                self._told = self.loop.create_task(_taken_back(delivery))
        super().connection_lost(exc)


async def _taken_back(delivery: Delivery) -> None:
    delivery.take_back()  # in a task, since it begins others
