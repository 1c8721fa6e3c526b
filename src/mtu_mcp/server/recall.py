"""Answers that left in the last seconds, so that a cancel which crossed with one can still take it back.

A host that cancels throws away what comes after (MCP, Cancellation: it ignores a response that arrives later), and its
cancel may be on its way while the answer leaves. Nothing else tells the two apart, so what left is held for a short
time: long enough for the slowest cancel, and bounded, since nearly all of it was read and is never asked for again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

from mcp.shared.dispatcher import as_request_id, coerce_request_id

from mtu_mcp.delivery import LATE

if TYPE_CHECKING:
    from mtu_mcp.delivery import Delivery

MOST: Final = 200
"""Answers held at once; the oldest go first."""
MOST_BYTES: Final = 16 << 20
"""Bytes of them held at once; an answer larger than this is not held."""


class Recall:
    """The answers that may still be taken back.

    Args:
        clock: Seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held: dict[Delivery, tuple[float, int]] = {}
        self._bytes = 0

    def hold(self, delivery: Delivery, size: int) -> None:
        """Keep a delivery, and with it what waits to be taken back, of about `size` bytes."""
        if size > MOST_BYTES:  # or it would push out all the others before it went itself
            delivery.let_be()
            return
        self._held[delivery] = self._clock() + LATE, size
        self._bytes += size
        while self._held:
            oldest, (until, _) = next(iter(self._held.items()))
            if len(self._held) <= MOST and self._bytes <= MOST_BYTES and until > self._clock():
                break
            self.release(oldest)

    def release(self, delivery: Delivery) -> bool:
        """Let go of a delivery; whether it was still held, and in time."""
        until, size = self._held.pop(delivery, (0.0, 0))
        self._bytes -= size
        delivery.let_be()  # what it kept is free at once, whoever still knows the delivery
        return until > self._clock()


class Numbers:
    """The deliveries of one connection by the numbers of their requests, as long as somebody holds on to them."""

    def __init__(self) -> None:
        self._known: WeakValueDictionary[str | int, Delivery] = WeakValueDictionary()

    def enter(self, number: str | int, delivery: Delivery) -> None:
        """Note whose number it is now."""
        self._known[coerce_request_id(number)] = delivery

    def cancelled(self, params: Mapping[str, Any] | None) -> None:
        """Take back the delivery that a cancel names; whatever is no number names none, `true` is not 1."""
        number = as_request_id((params or {}).get("requestId"))
        delivery = None if number is None else self._known.get(coerce_request_id(number))
        if delivery is not None:
            delivery.take_back()
