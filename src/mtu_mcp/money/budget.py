"""The keeper of the books: enters each call before it is sent, refuses what a cap leaves no room for, settles it after.

It is told of calls by the gateway's wire (`gateway.exchange.Books`), so nothing that spends can pass it by. Two rules
decide when the database cannot be used: without a cap an answer that is paid for is worth more than its row, so the
call goes on and the answer says what could not be entered; with a cap nothing is sent, since nobody could say whether
there is room.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Final

from mtu_mcp.errors import MtuError, OverBudget, RecordsError
from mtu_mcp.gateway.exchange import Bound
from mtu_mcp.records import Caps, Closing, Opening
from mtu_mcp.settings import variable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from mtu_mcp.catalogue import Catalogue
    from mtu_mcp.gateway import Exchange, News, Scope, Usage
    from mtu_mcp.gateway.demands import Demand
    from mtu_mcp.money.aftermath import Ending
    from mtu_mcp.money.estimates import Charge, Settlement
    from mtu_mcp.money.report import Report
    from mtu_mcp.records import Ledger
    from mtu_mcp.settings import Settings

_log = logging.getLogger(__name__)

_REMEMBERED: Final = 100
AGAIN: Final = "Make the same call again: the user is then asked."
"""What to do where the cost was found out on the way and the host can ask."""


class Budget:
    """One server's spending.

    Args:
        settings: Whose caps hold.
        catalogue: Knows prices.
        ledger: Where calls are entered.

    Attributes:
        caps: The caps in force.
        confirm_above: CNY above which the user is asked; None is never.
    """

    def __init__(self, settings: Settings, catalogue: Catalogue, ledger: Ledger) -> None:
        self.caps = Caps(settings.budget_call, settings.budget_day, settings.budget_month)
        self.confirm_above = settings.confirm_above
        self._catalogue = catalogue
        self._ledger = ledger
        self._unforeseen: dict[str, float] = {}

    @property
    def strict(self) -> bool:
        """Whether a price that is not known is counted at its ceiling: somebody wants a limit kept."""
        return self.caps.any or self.confirm_above is not None

    def foresee(self, endpoint: str, model: str, demand: Demand) -> Charge:
        """The most a call may cost."""
        from mtu_mcp.money.estimates import foreseen

        entry = self._catalogue.entry(model)
        return foreseen(entry, endpoint, demand, self._catalogue.facts.assumed, ceilings=self.strict)

    def usual_bound(self, model: str, endpoint: str, asked: Mapping[str, Any]) -> Bound | None:
        """The bound to put on each answer of a batch under a cap, for what it holds must be what it may cost.

        None where there is no cap, where the request has a bound, or where there is none to set.
        """
        from mtu_mcp.gateway.demands import measured
        from mtu_mcp.money.estimates import field_of, spread, usual_output

        entry, assumed = self._catalogue.entry(model), self._catalogue.facts.assumed
        if not self.caps.any or spread(entry, endpoint, measured(asked), assumed) is None:
            return None
        return Bound(field_of(entry, endpoint), usual_output(entry, assumed.figures))

    def unforeseen(self, asked: str) -> float:
        """What the same call was found to cost when it was refused unasked; 0 when it was not."""
        return self._unforeseen.get(asked, 0.0)

    async def report(self, month: str = "", owner: str | None = None) -> Report:
        """What was spent in a month ("2026-11"; the current one by default); None is everybody's.

        Raises:
            BadInput: That is no month.
            RecordsError: The database cannot be read.
        """
        from mtu_mcp.money.report import Report

        tallies = await self._ledger.tallies(month, owner)
        months = await self._ledger.months()
        return Report.of(month or months[0], tallies, await self._ledger.spent(), self.caps, self.confirm_above)

    async def months(self) -> list[str]:
        """Months there is a report of, the latest first."""
        return await self._ledger.months()

    async def before(self, exchange: Exchange, scope: Scope) -> None:
        """Enter a call; as `gateway.exchange.Books` has it.

        Raises:
            OverBudget: A cap leaves no room, or the user has not agreed.
            RecordsError: There is a cap, and the database cannot say whether there is room.
        """
        charge = await self._foreseen(exchange)
        exchange.held = charge.cny or 0.0
        self._require_approval(exchange, charge, scope)
        charge = self._require_foreseen(exchange, charge)
        exchange.held = charge.cny or 0.0
        scope.whole.foreseen += exchange.held  # before anything is waited for: parts of a call run side by side
        try:
            await self._reserve(exchange, charge, scope)
        except OverBudget:
            scope.whole.foreseen -= exchange.held
            raise
        except RecordsError as error:
            if self.caps.any:
                scope.whole.foreseen -= exchange.held
                raise RecordsError(
                    f"This was not sent, because the caps on spending cannot be checked: {error.message}",
                    advice=error.advice,
                ) from error
            _log.warning("a call could not be entered before it was sent: %s", error)

    async def _foreseen(self, exchange: Exchange) -> Charge:
        asked = self.foresee, exchange.endpoint, exchange.model, exchange.demand
        if not exchange.demand.lines:
            return asked[0](*asked[1:])
        from anyio.to_thread import run_sync

        return await run_sync(*asked)  # a batch has thousands of lines

    async def _reserve(self, exchange: Exchange, charge: Charge, scope: Scope) -> None:
        """Enter a call; one whose answer may have any length is bound to what there is room for."""
        from mtu_mcp.money.estimates import field_of, spread

        entry = self._catalogue.entry(exchange.model)
        found = (
            spread(entry, exchange.endpoint, exchange.demand, self._catalogue.facts.assumed) if self.caps.any else None
        )
        opening = _opening(exchange, charge, scope)
        if found is None:
            exchange.entry = await self._ledger.reserve(opening, self.caps)
            return
        least = replace(opening, reserved=found.least)
        exchange.entry, held = await self._ledger.reserve_within(least, self.caps, found.usual, found.most)
        scope.whole.foreseen += held - exchange.held
        exchange.held = held
        tokens = found.tokens(held)
        if held < found.most:
            exchange.most_out = Bound(field_of(entry, exchange.endpoint), tokens)
            exchange.demand = replace(exchange.demand, max_out=tokens)

    def _require_foreseen(self, exchange: Exchange, charge: Charge) -> Charge:
        """Refuse under a cap what nobody can tell the cost of; without one, it goes on as unknown."""
        if charge.cny != inf:
            return charge
        if not self.caps.any:
            return replace(charge, cny=None)
        instead = "Hand it in with run_batch, which counts its lines. " if exchange.endpoint == "batches" else ""
        raise OverBudget(
            f"This was not sent: nobody can tell before what {exchange.endpoint} may cost, and there is a cap on spending.",
            advice=f"{instead}Otherwise the user can take {', '.join(self._cap_names())} out of the host's configuration.",
        )

    def _cap_names(self) -> list[str]:
        caps = {"call": self.caps.call, "day": self.caps.day, "month": self.caps.month}
        return [variable(f"budget_{name}") for name, cap in caps.items() if cap is not None]

    async def after(self, exchange: Exchange, scope: Scope) -> None:
        """Settle a call; as `gateway.exchange.Books` has it."""
        try:
            if exchange.goes_on and exchange.entry:
                # What a job sees to is settled by it alone; the name would let others do it without the results.
                remote = "" if exchange.job else exchange.remote
                await self._ledger.entrust(
                    exchange.entry, job=exchange.job, remote=remote, request_id=exchange.request_id
                )
                return
            closing = self._closing(exchange, scope)
            scope.whole.foreseen += closing.cny - exchange.held
            if exchange.entry:
                await self._ledger.settle(exchange.entry, closing)
            else:
                charge = self.foresee(exchange.endpoint, exchange.model, exchange.demand)
                await self._ledger.record(_opening(exchange, charge, scope), closing)
        except MtuError as error:
            _log.warning("a call could not be settled yet: %s", error)
            note = f"What this cost is not in the ledger yet: {error}"
            if note not in scope.notes:
                scope.notes.append(note)
        except Exception:  # noqa: BLE001 - the answer is paid for and goes out, whatever is wrong with the books
            _log.exception("a call could not be settled")

    async def later(self, news: News) -> None:
        """Settle work that went on; as `gateway.exchange.Books` has it."""
        from mtu_mcp.money import aftermath

        try:
            await aftermath.heard(self._ledger, self._catalogue, news, ceilings=self.strict)
        except MtuError as error:
            _log.warning("%a could not be settled yet: %s", news.remote, error)
        except Exception:  # noqa: BLE001 - what was read goes out, whatever is wrong with the books
            _log.exception("%a could not be settled", news.remote)

    async def entrust(self, exchange: Exchange, job: str) -> None:
        """Let a job see to the end of what a call begins, also when this process is gone.

        Raises:
            RecordsError: That cannot be written down.
        """
        if exchange.entry:
            await self._ledger.entrust(exchange.entry, job=job)
        exchange.job = job

    async def conclude(self, job: str, ending: Ending) -> Charge | None:
        """Settle the work of a job, once; None when it is settled already.

        Raises:
            RecordsError: The database cannot be read. What can be read but not written is written later.
        """
        from mtu_mcp.money import aftermath

        return await aftermath.concluded(self._ledger, job, ending)

    async def assign(self, call: str, job: str) -> None:
        """Note that a job goes on with what a call has begun."""
        await self._ledger.assign(call, job)

    def line(self, model: str, endpoint: str, usage: Usage) -> Charge:
        """What a line of a batch cost, by what was counted; `endpoint` is the line's. Blocking, but short."""
        from mtu_mcp.money.estimates import batched

        return batched(
            self._catalogue.entry(model), endpoint, usage, self._catalogue.facts.assumed, ceilings=self.strict
        )

    def _closing(self, exchange: Exchange, scope: Scope) -> Closing:
        from mtu_mcp.money.estimates import settled

        entry = self._catalogue.entry(exchange.model)
        found = settled(entry, exchange, self._catalogue.facts.assumed, ceilings=self.strict)
        exchange.cny, exchange.basis = found.charge.cny, found.charge.basis
        self._tell_of_bound(exchange, scope)
        return _closing(exchange, found, scope.whole.job)

    def _tell_of_bound(self, exchange: Exchange, scope: Scope) -> None:
        """Say of an answer that used all the room the caps left it that they did it."""
        bound, usage = exchange.most_out, exchange.usage
        if bound is None or usage is None or usage.output_tokens < bound.tokens * exchange.demand.answers:
            return
        note = (
            f"The caps on spending ({', '.join(self._cap_names())}) left room for {bound.tokens:,} tokens of answer, and it "
            "was stopped there. A max_tokens of the call's own goes before that."
        )
        if note not in scope.notes:
            scope.notes.append(note)

    def _require_approval(self, exchange: Exchange, charge: Charge, scope: Scope) -> None:
        """Refuse what the user wanted to be asked about and was not: the estimate from the arguments fell short."""
        if self.confirm_above is None or scope.approved:
            return
        total = scope.whole.foreseen + (charge.cny or 0.0)
        if total <= self.confirm_above:
            return
        while len(self._unforeseen) >= _REMEMBERED:
            del self._unforeseen[next(iter(self._unforeseen))]
        if scope.asked:
            self._unforeseen[scope.asked] = total
        again = AGAIN if scope.can_ask and scope.asked else ""
        raise self.unasked(exchange.model or exchange.endpoint, total, charge.basis, again)

    def unasked(self, model: str, cny: float, basis: str, advice: str = "") -> OverBudget:
        """The refusal of a call the user wants to be asked about; without advice, the sentence that would allow it."""
        assumed = ", at an assumed price" if basis == "assumed" else ""
        if cny == inf:
            return OverBudget(
                f"This was not sent: nobody can tell before what it may cost ({model}), and the user wants to be asked "
                f"above CNY {self.confirm_above:g}.",
                advice=advice
                or f"This host cannot ask. Leaving {variable('confirm_above')} out of the host's configuration would "
                "allow it.",
            )
        return OverBudget(
            f"This was not sent: it may cost up to CNY {cny:.4f} ({model}{assumed}), and the user wants to be asked "
            f"above CNY {self.confirm_above:g}.",
            advice=advice
            or f"This host cannot ask. Tell the user that setting {variable('confirm_above')} to {_above(cny)} in the "
            "host's configuration, or leaving it out, would allow it.",
        )


def _above(cny: float) -> str:
    """A round sum that is not less."""
    from math import ceil, log10

    step = 10 ** (int(log10(max(cny, 1e-6))) - 1)
    return f"{ceil(cny / step) * step:.6g}"


def _opening(exchange: Exchange, charge: Charge, scope: Scope) -> Opening:
    return Opening(
        owner=scope.owner,
        call=scope.call,
        tool=scope.tool,
        job=scope.whole.job,
        endpoint=exchange.endpoint,
        model=exchange.model,
        idempotency_key=exchange.idempotency_key,
        reserved=charge.cny or 0.0,
        basis=charge.basis,
    )


def _closing(exchange: Exchange, found: Settlement, job: str) -> Closing:
    usage = found.usage
    return Closing(
        state="done" if exchange.state == "running" else exchange.state,
        served=exchange.served,
        input_tokens=usage.input_tokens if usage else 0,
        output_tokens=usage.output_tokens if usage else 0,
        cached_tokens=usage.cached_tokens if usage else 0,
        reasoning_tokens=usage.reasoning_tokens if usage else 0,
        seconds=found.pieces.seconds,
        pictures=exchange.made,
        searches=found.pieces.searches,
        cny=max(0.0, found.charge.cny or 0.0),
        basis=found.charge.basis,
        request_id=exchange.request_id,
        idempotency_key=exchange.idempotency_key,
        job=job,
    )
