"""What was spent, in one shape for the tool, the resource and the command, so that they cannot disagree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from mtu_mcp.settings import variable

if TYPE_CHECKING:
    from mtu_mcp.records import Caps, Spent, Tally

_WIDTH: Final = 20


@dataclass(frozen=True, slots=True)
class Sum:
    """Some calls added up; `cny` is what ended calls cost, `held` the most that running ones may cost."""

    name: str
    calls: int
    cny: float
    held: float
    input_tokens: int
    output_tokens: int
    seconds: float
    pictures: int
    searches: int

    @classmethod
    def of(cls, name: str, tallies: Iterable[Tally]) -> Self:
        """Add up."""
        rows = list(tallies)
        return cls(
            name=name,
            calls=sum(row.calls for row in rows),
            cny=round(sum(row.cny for row in rows), 6),
            held=round(sum(row.held for row in rows), 6),
            input_tokens=sum(row.input_tokens for row in rows),
            output_tokens=sum(row.output_tokens for row in rows),
            seconds=round(sum(row.seconds for row in rows), 1),
            pictures=sum(row.pictures for row in rows),
            searches=sum(row.searches for row in rows),
        )


@dataclass(frozen=True, slots=True)
class Limit:
    """A cap and what is left of it, CNY."""

    name: str
    setting: str
    cny: float
    spent: float
    remaining: float


@dataclass(frozen=True, slots=True)
class Report:
    """A month.

    Attributes:
        month: Such as "2026-11".
        total: All its calls.
        days: By day; only days with calls.
        models: By model, the dearest first.
        tools: By tool, the dearest first; "" is what was spent outside of any.
        states: How many calls ended how.
        limits: The caps on days and months, with what is left today and in the current month.
        call_limit: The cap on one call.
        confirm_above: Above this the user is asked.
        assumed: CNY of the total that rest on assumed prices.
        unpriced: Calls whose price nobody knows; they count as nothing.
        lost: Calls that were running when their process died; they count as the most they could cost.
    """

    month: str
    total: Sum
    days: tuple[Sum, ...]
    models: tuple[Sum, ...]
    tools: tuple[Sum, ...]
    states: dict[str, int]
    limits: tuple[Limit, ...]
    call_limit: float | None
    confirm_above: float | None
    assumed: float
    unpriced: int
    lost: int

    @classmethod
    def of(cls, month: str, tallies: Sequence[Tally], spent: Spent, caps: Caps, confirm_above: float | None) -> Self:
        """Put a report together."""
        limits = [
            Limit(name, variable(f"budget_{name}"), cap, round(taken, 6), round(max(0.0, cap - taken), 6))
            for name, cap, taken in (("day", caps.day, spent.day), ("month", caps.month, spent.month))
            if cap is not None
        ]
        states = {state: sum(row.calls for row in tallies if row.state == state) for state in _STATES}
        return cls(
            month=month,
            total=Sum.of("total", tallies),
            days=tuple(sorted(_grouped(tallies, lambda row: row.day), key=lambda one: one.name)),
            models=_grouped(tallies, lambda row: row.model),
            tools=_grouped(tallies, lambda row: row.tool),
            states={state: count for state, count in states.items() if count},
            limits=tuple(limits),
            call_limit=caps.call,
            confirm_above=confirm_above,
            assumed=round(sum(row.cny for row in tallies if row.basis == "assumed"), 6),
            unpriced=sum(row.calls for row in tallies if row.basis == "unknown"),
            lost=states["lost"],
        )

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON."""
        return asdict(self)


def rendered(report: Report) -> str:
    """The report as a table with bars, for a terminal or a model."""
    total = report.total
    lines = [f"{report.month}: CNY {total.cny:.4f}, {_calls(total.calls)} (list prices; days by this machine's clock)"]
    if total.held:
        lines.append(f"Running calls hold CNY {total.held:.4f} more.")
    lines += [_limit_line(limit) for limit in report.limits]
    if report.call_limit is not None:
        lines.append(f"Cap on one call: CNY {report.call_limit:g} ({variable('budget_call')})")
    if report.confirm_above is not None:
        lines.append(f"Asked above: CNY {report.confirm_above:g} ({variable('confirm_above')})")
    for title, sums in (("By day", report.days), ("By model", report.models), ("By tool", report.tools)):
        lines += _table(title, sums)
    lines += _remarks(report)
    return "\n".join(lines)


def _remarks(report: Report) -> list[str]:
    ended = ", ".join(f"{count} {state}" for state, count in report.states.items() if state != "done")
    return [
        remark
        for condition, remark in (
            (report.assumed, f"Note: CNY {report.assumed:.4f} of it rest on assumed prices."),
            (report.unpriced, f"Note: {_calls(report.unpriced)} without a known price count as nothing."),
            (
                report.lost,
                f"Note: {_calls(report.lost)} lost with a process that was killed, counted at the most it could cost.",
            ),
            (ended, f"Note: not all calls ended well: {ended}."),
        )
        if condition
    ]


def _table(title: str, sums: Sequence[Sum]) -> list[str]:
    if not sums:
        return []
    width = min(40, max(len(one.name or "(none)") for one in sums))
    most = max(one.cny + one.held for one in sums)
    lines = ["", title]
    for one in sums:
        amounts = f"{one.input_tokens:,} in, {one.output_tokens:,} out" if one.input_tokens or one.output_tokens else ""
        more = (
            f"{one.pictures} pictures" if one.pictures else "",
            f"{one.seconds:,.0f} s of sound" if one.seconds else "",
            f"{one.searches} searches" if one.searches else "",
        )
        tail = ", ".join(filter(None, (amounts, *more)))
        bar = _bar((one.cny + one.held) / most if most else 0.0, 10)
        lines.append(
            f"  {(one.name or '(none)')[:width]:<{width}}  {bar}  CNY {one.cny:>10.4f}  {one.calls:>5,} x  {tail}".rstrip()
        )
    return lines


def _limit_line(limit: Limit) -> str:
    share = limit.spent / limit.cny if limit.cny else 1.0
    when = {"day": "Today", "month": "This month"}[limit.name]
    return (
        f"{when:<10}  {_bar(share, _WIDTH)}  CNY {limit.spent:.4f} of {limit.cny:g}, {limit.remaining:.4f} remain "
        f"({limit.setting})"
    )


def _bar(share: float, width: int) -> str:
    full = min(width, round(share * width))
    return "█" * full + "░" * (width - full)


def _calls(count: int) -> str:
    return f"{count:,} call{'s' if count != 1 else ''}"


def _grouped(tallies: Sequence[Tally], key: Callable[[Tally], str]) -> tuple[Sum, ...]:
    names = dict.fromkeys(key(row) for row in tallies)
    sums = [Sum.of(name, (row for row in tallies if key(row) == name)) for name in names]
    return tuple(sorted(sums, key=lambda one: (-one.cny, -one.calls, one.name)))


_STATES: Final = ("done", "running", "failed", "cut", "cancelled", "lost")
