"""Progress on its way to the host: often enough to be seen moving, seldom enough to cost nothing.

A notification costs about 230 microseconds on stdio and a stream may bring hundreds of pieces a second, so at most
one in `INTERVAL` seconds is passed on. The protocol wants the number to grow with every report; work without a
known total counts reports.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Final

from mtu_mcp.gateway import Progress

INTERVAL: Final = 0.1
"""Seconds between two reports; ten a second look smooth."""

Send = Callable[[float, float | None, str | None], Awaitable[None]]


class Reporter:
    """Passes the progress of one call on to its host.

    Args:
        send: Delivers (progress, total, message).
        clock: Seconds, monotonic.
    """

    def __init__(self, send: Send, clock: Callable[[], float] = time.monotonic) -> None:
        self._send = send
        self._clock = clock
        self._next = 0.0
        self._last = 0.0

    async def __call__(self, progress: Progress) -> None:
        """Report, unless the last report is too recent."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + INTERVAL
        value = progress.done if progress.done is not None else self._last + 1
        if value <= self._last:  # the protocol wants it to grow; equal values are rejected by strict clients
            value = self._last + 1e-6
        self._last = value
        await self._send(value, progress.total, progress.message)
