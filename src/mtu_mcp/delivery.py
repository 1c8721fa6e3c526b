"""Whether an answer left over HTTP, so that one that did not is not taken for given.

A host's connection may break while its call is at work. On the handshake protocol that is no cancellation, so the call
ends as if nothing had happened and its answer goes nowhere; on any protocol it may break at the very end. The request
knows: its response was completed before the client went, or it was not.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

KEY: Final = "mtu.delivery"

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


def bind_delivery(request: Any) -> None:
    """Make the delivery of an HTTP request's answer, if it is known, the one of this context."""
    scope: Any = getattr(request, "scope", None)
    _delivery.set(scope.get(KEY) if isinstance(scope, dict) else None)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


def current_delivery() -> Delivery | None:
    """How the answer to this context's request fares; None where nobody can tell, as on stdio."""
    return _delivery.get()
