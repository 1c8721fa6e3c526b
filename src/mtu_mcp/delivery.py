"""Whether an answer left this process, so that one that did not is not taken for given.

A host's connection may break while its call is at work. On the handshake protocol over HTTP that is no cancellation, so
the call ends as if nothing had happened and its answer goes nowhere; on any transport it may break at the very end.
Over HTTP the request knows: its response was completed before the client went, or it was not. On stdio the writer
knows: the line went into the pipe, or the pipe was broken. What a host left unread in its pipe, nobody can tell.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

KEY: Final = "mtu.delivery"

_posted: ContextVar[Callable[[Any], Delivery] | None] = ContextVar("mtu_mcp_posted", default=None)
_delivery: ContextVar[Delivery | None] = ContextVar("mtu_mcp_delivery", default=None)


class Delivery:
    """Whether one response reached its client, and what waits to hear of it."""

    def __init__(self) -> None:
        self._left: bool | None = None
        self._waiting: list[tuple[bool, Callable[[], None]]] = []

    def once_left(self, call: Callable[[], None]) -> None:
        """Have something called if the response leaves whole, now or later."""
        self._when(call, left=True)

    def otherwise(self, call: Callable[[], None]) -> None:
        """Have something called if it does not."""
        self._when(call, left=False)

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


def bind_delivery(request: Any, number: Any) -> None:
    """Make the delivery of a request's answer, if it is known, the one of this context.

    Args:
        request: The HTTP request, if there is one.
        number: The request's id in the protocol.
    """
    scope: Any = getattr(request, "scope", None)
    deliver = _posted.get()
    if isinstance(scope, dict):
        _delivery.set(scope.get(KEY))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    else:
        _delivery.set(deliver(number) if deliver is not None and number is not None else None)


def current_delivery() -> Delivery | None:
    """How the answer to this context's request fares; None where nobody can tell, as between two ends in one process."""
    return _delivery.get()
