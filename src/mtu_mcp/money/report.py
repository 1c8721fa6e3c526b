"""What was spent, in one shape for the tool, the resource and the command, so that they cannot disagree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from mtu_mcp.columns import cut, padded, width
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


def rendered(report: Report, say: Callable[[str], str] = str) -> str:
    """The report as a table with bars, for a terminal or a model.

    Args:
        report: A month.
        say: Gives a sentence in the reader's language, with its places still open.
    """
    total = report.total
    head = say("{month}: CNY {cny}, {calls} (list prices; days by this machine's clock)")
    lines = [head.format(month=report.month, cny=f"{total.cny:.4f}", calls=_calls(total.calls, say))]
    if total.held:
        lines.append(say("Running calls hold CNY {cny} more.").format(cny=f"{total.held:.4f}"))
    lines += [_limit_line(limit, say) for limit in report.limits]
    for words, amount, field in (
        (say("Cap on one call: CNY {cny} ({setting})"), report.call_limit, "budget_call"),
        (say("Asked above: CNY {cny} ({setting})"), report.confirm_above, "confirm_above"),
    ):
        if amount is not None:
            lines.append(words.format(cny=f"{amount:g}", setting=variable(field)))
    for title, sums in ((say("By day"), report.days), (say("By model"), report.models), (say("By tool"), report.tools)):
        lines += _table(title, sums, say)
    lines += _remarks(report, say)
    return "\n".join(lines)


def _remarks(report: Report, say: Callable[[str], str]) -> list[str]:
    ended = [f"{count} {say(state)}" for state, count in report.states.items() if state not in ("done", "running")]
    assumed = say("Note: CNY {cny} of it rest on assumed prices.")
    unpriced = say("Note: {calls} without a known price count as nothing.")
    lost = say("Note: {calls} lost with a process that was killed, counted at the most it could cost.")
    badly = say("Note: not all calls ended well: {ended}.")
    return [
        *([assumed.format(cny=f"{report.assumed:.4f}")] if report.assumed else []),
        *([unpriced.format(calls=_calls(report.unpriced, say))] if report.unpriced else []),
        *([lost.format(calls=_calls(report.lost, say))] if report.lost else []),
        *([badly.format(ended=say(", ").join(ended))] if ended else []),
    ]


def _table(title: str, sums: Sequence[Sum], say: Callable[[str], str]) -> list[str]:
    if not sums:
        return []
    names = [one.name or say("(none)") for one in sums]
    broad = min(40, max(map(width, names)))
    most = max(one.cny + one.held for one in sums)
    lines = ["", title]
    for name, one in zip(names, sums, strict=True):
        bar = _bar((one.cny + one.held) / most if most else 0.0, 10)
        figures = say("CNY {cny}  {calls} x").format(cny=f"{one.cny:>10.4f}", calls=f"{one.calls:>5,}")
        lines.append(f"  {padded(cut(name, broad), broad)}  {bar}  {figures}  {_amounts(one, say)}".rstrip())
    return lines


def _amounts(one: Sum, say: Callable[[str], str]) -> str:
    tokens = say("{into} in, {out} out").format(into=f"{one.input_tokens:,}", out=f"{one.output_tokens:,}")
    amounts = (
        tokens if one.input_tokens or one.output_tokens else "",
        say("{count} pictures").format(count=one.pictures) if one.pictures else "",
        say("{seconds} s of sound").format(seconds=f"{one.seconds:,.0f}") if one.seconds else "",
        say("{count} searches").format(count=one.searches) if one.searches else "",
    )
    return say(", ").join(filter(None, amounts))


def _limit_line(limit: Limit, say: Callable[[str], str]) -> str:
    share = limit.spent / limit.cny if limit.cny else 1.0
    whens = {"day": say("Today"), "month": say("This month")}
    figures = say("CNY {spent} of {cny}, {remaining} remain ({setting})").format(
        spent=f"{limit.spent:.4f}", cny=f"{limit.cny:g}", remaining=f"{limit.remaining:.4f}", setting=limit.setting
    )
    return f"{padded(whens[limit.name], max(map(width, whens.values())))}  {_bar(share, _WIDTH)}  {figures}"


def _bar(share: float, length: int) -> str:
    full = min(length, round(share * length))
    return "█" * full + "░" * (length - full)


def _calls(count: int, say: Callable[[str], str]) -> str:
    return (say("{count} call") if count == 1 else say("{count} calls")).format(count=f"{count:,}")


def _grouped(tallies: Sequence[Tally], key: Callable[[Tally], str]) -> tuple[Sum, ...]:
    names = dict.fromkeys(key(row) for row in tallies)
    sums = [Sum.of(name, (row for row in tallies if key(row) == name)) for name in names]
    return tuple(sorted(sums, key=lambda one: (-one.cny, -one.calls, one.name)))


_STATES: Final = ("done", "running", "failed", "cut", "cancelled", "lost")
