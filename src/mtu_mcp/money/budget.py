"""The keeper of the books: enters each call before it is sent, refuses what a cap leaves no room for, settles it after.

It is told of calls by the gateway's wire (`gateway.exchange.Books`), so nothing that spends can pass it by. Two rules
decide when the database cannot be used: without a cap an answer that is paid for is worth more than its row, so the
call goes on and the answer says what could not be entered; with a cap nothing is sent, since nobody could say whether
there is room.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from mtu_mcp.errors import MtuError, OverBudget, RecordsError
from mtu_mcp.records import Caps, Closing, Opening
from mtu_mcp.settings import variable

if TYPE_CHECKING:
    from mtu_mcp.catalogue import Catalogue
    from mtu_mcp.gateway import Exchange, Scope
    from mtu_mcp.gateway.demands import Demand
    from mtu_mcp.money.estimates import Charge, Settlement
    from mtu_mcp.money.report import Report
    from mtu_mcp.records import Ledger
    from mtu_mcp.settings import Settings

_log = logging.getLogger(__name__)

_REMEMBERED: Final = 100


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
        charge = self.foresee(exchange.endpoint, exchange.model, exchange.demand)
        exchange.held = charge.cny or 0.0
        self._require_approval(exchange, charge, scope)
        scope.whole.foreseen += exchange.held  # before anything is waited for: parts of a call run side by side
        try:
            exchange.entry = await self._ledger.reserve(_opening(exchange, charge, scope), self.caps)
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

    async def after(self, exchange: Exchange, scope: Scope) -> None:
        """Settle a call; as `gateway.exchange.Books` has it."""
        try:
            closing = self._closing(exchange)
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

    def _closing(self, exchange: Exchange) -> Closing:
        from mtu_mcp.money.estimates import settled

        entry = self._catalogue.entry(exchange.model)
        found = settled(entry, exchange, self._catalogue.facts.assumed, ceilings=self.strict)
        exchange.cny, exchange.basis = found.charge.cny, found.charge.basis
        return _closing(exchange, found)

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
        again = "Make the same call again: the user is then asked." if scope.can_ask and scope.asked else ""
        raise self.unasked(exchange.model or exchange.endpoint, total, charge.basis, again)

    def unasked(self, model: str, cny: float, basis: str, advice: str = "") -> OverBudget:
        """The refusal of a call the user wants to be asked about; without advice, the sentence that would allow it."""
        assumed = ", at an assumed price" if basis == "assumed" else ""
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
        job=scope.job,
        endpoint=exchange.endpoint,
        model=exchange.model,
        idempotency_key=exchange.idempotency_key,
        reserved=charge.cny or 0.0,
        basis=charge.basis,
    )


def _closing(exchange: Exchange, found: Settlement) -> Closing:
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
        cny=found.charge.cny or 0.0,
        basis=found.charge.basis,
        request_id=exchange.request_id,
        idempotency_key=exchange.idempotency_key,
    )
