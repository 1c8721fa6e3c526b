"""Whether an answer left this process, so that one that did not is not taken for given.

A host's connection may break while its call is at work. On the handshake protocol over HTTP that is no cancellation, so
the call ends as if nothing had happened and its answer goes nowhere; on any transport it may break at the very end.
Over HTTP the request knows: its response was completed before the client went, or it was not. On stdio the writer
knows: the line went into the pipe, or the pipe was broken.

What left can still be taken back: by a cancel that crossed with it, or when the connection ended with an error because
nobody read it. What a host left unread in its pipe, or read and threw away without a word, nobody can tell.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable

KEY: Final = "mtu.delivery"
LATE: Final = 10.0
"""Seconds after an answer in which a cancel is taken for one that crossed with it."""
POSTED: Final = "mtu.posted"
"""In the scope of a request that is answered elsewhere: makes the delivery of a number."""

_posted: ContextVar[Callable[[Any], Delivery] | None] = ContextVar("mtu_mcp_posted", default=None)
_delivery: ContextVar[Delivery | None] = ContextVar("mtu_mcp_delivery", default=None)


class Delivery:
    """Whether one response reached its client, and what waits to hear of it.

    Args:
        left: What is known from the start, where nothing can be seen later.

    Attributes:
        gone: Whether the client is known to have gone before the response was complete.
        since: When its request came, in monotonic seconds.
    """

    gone = False

    def __init__(self, *, left: bool | None = None) -> None:
        self.since = time.monotonic()
        self._left = left
        self._waiting: list[tuple[bool, Callable[[], None]]] = []
        self._crossed: list[Callable[[Delivery], None]] = []

    @property
    def settled(self) -> bool:
        """Whether it is known by now."""
        return self._left is not None

    @property
    def left(self) -> bool:
        """Whether it is known to have left."""
        return self._left is True

    def once_left(self, call: Callable[[], None]) -> None:
        """Have something called if the response leaves whole, now or later."""
        self._when(call, left=True)

    def otherwise(self, call: Callable[[], None]) -> None:
        """Have something called if it does not."""
        self._when(call, left=False)

    def if_taken_back(self, call: Callable[[Delivery], None]) -> None:
        """Have something called if it leaves and is taken back after that."""
        self._crossed.append(call)

    def let_be(self) -> None:
        """Have nothing called any more if it is taken back."""
        self._crossed.clear()

    def take_back(self) -> None:
        """Say that the host cancelled: what has not left counts as lost, and what has left is not read."""
        if self._left is None:
            self.settle(left=False)
        elif self._left:
            self._left = False
            crossed, self._crossed = self._crossed, []
            for call in crossed:
                call(self)

    def _when(self, call: Callable[[], None], *, left: bool) -> None:
        if self._left is None:
            self._waiting.append((left, call))
        elif self._left == left:
            call()

    def settle(self, *, left: bool) -> None:
        """Say whether it left; the first word stands."""
        if self._left is None:
            self._left = left
            waiting, self._waiting = self._waiting, []
            for when, call in waiting:
                if when == left:
                    call()


def post_with(deliver: Callable[[Any], Delivery]) -> None:
    """Say who makes the delivery of a request by its number, for the requests of a connection without HTTP."""
    _posted.set(deliver)


def bind_delivery(request: Any, number: Any) -> Delivery:
    """Make the delivery of a request's answer the one of this context, and return it.

    Where nobody can tell, as between two ends in one process, it counts as having left.

    Args:
        request: The HTTP request, if there is one.
        number: The request's id in the protocol.
    """
    scope: Any = getattr(request, "scope", None)
    deliver = _posted.get()
    made: Delivery | None = None
    if isinstance(scope, dict):
        found = cast("dict[str, Any]", scope)
        deliver = found.get(POSTED)
        made = found.get(KEY)
    if made is None and deliver is not None and number is not None:
        made = deliver(number)
    made = made or Delivery(left=True)
    _delivery.set(made)
    return made


def current_delivery() -> Delivery | None:
    """How the answer to this context's request fares; None without one."""
    return _delivery.get()
