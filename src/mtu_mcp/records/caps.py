"""Caps on spending, and what is left of them: sums of the ledger's rows, of which open ones count as what they hold.

To be asked inside the transaction that then enters a call; see `ledger`.
"""

from dataclasses import astuple, dataclass
from datetime import datetime
from math import inf
from typing import TYPE_CHECKING, Final

from mtu_mcp.errors import OverBudget
from mtu_mcp.settings import variable

if TYPE_CHECKING:
    import sqlite3

    from mtu_mcp.records.rows import Opening

_TOLERANCE: Final = 1e-9
"""Sums of floats: three times 0.1 is no more than 0.3."""


@dataclass(frozen=True, slots=True)
class Caps:
    """The most that may be spent, in CNY: by one call, a day, a month; None is no cap."""

    call: float | None = None
    day: float | None = None
    month: float | None = None

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return any(cap is not None for cap in astuple(self))


def require_room(
    connection: "sqlite3.Connection", opening: "Opening", caps: Caps, now: datetime
) -> tuple[float, float]:
    """What is left by all caps, and the part of it that one call may hold without being in others' way.

    Raises:
        OverBudget: It is less than is needed.
    """
    room = part = inf
    for what, cap, share in (("call", caps.call, 2), ("day", caps.day, 8), ("month", caps.month, 8)):
        if cap is None:
            continue
        if what == "call":
            query = "SELECT coalesce(sum(cny + reserved), 0) FROM ledger WHERE call = ?"
            taken = connection.execute(query, (opening.call,)).fetchone()[0]
        else:
            taken = since(connection, day_of(now) if what == "day" else month_of(now))
        _compare(opening, what, cap, taken)
        room, part = min(room, cap - taken), min(part, (cap - taken) / share)
    return room, part


def _compare(opening: "Opening", what: str, cap: float, taken: float) -> None:
    if taken + opening.reserved <= cap + _TOLERANCE:
        return
    assumed = ", at an assumed price" if opening.basis == "assumed" else ""
    limit = {"call": "one call", "day": "a day", "month": "a month"}[what]
    later = {"call": "", "day": " or wait until tomorrow", "month": " or wait until next month"}[what]
    raise OverBudget(
        f"This was not sent: it may cost up to CNY {opening.reserved:.4f} ({opening.model or opening.endpoint}{assumed}), "
        f"and of the CNY {cap:g} allowed for {limit} CNY {max(0.0, cap - taken):.4f} remain "
        f"(CNY {taken:.4f} spent or held by running calls).",
        advice=f"Ask for less (a smaller max_tokens or n) or a cheaper model{later}, or let the user raise "
        f"{variable(f'budget_{what}')} in the host's configuration.",
    )


def since(connection: "sqlite3.Connection", begin: datetime) -> float:
    """CNY spent or held by calls that began then or later."""
    query = "SELECT coalesce(sum(cny + reserved), 0) FROM ledger WHERE started >= ?"
    return connection.execute(query, (begin.timestamp(),)).fetchone()[0]


def day_of(now: datetime) -> datetime:
    """The first moment of a day."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


def month_of(now: datetime) -> datetime:
    """The first moment of a month."""
    return day_of(now).replace(day=1)
