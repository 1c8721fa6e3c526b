"""What work that went on after its call was answered came to cost: batches, background responses, runs, fine-tuning.

Their rows in the ledger stay open, hold the most they may cost, and belong to no process. The news of their end comes
from whoever asks the gateway, by hand or for a job, in this process or another, and is entered once.

| ended | counted by the gateway | costs |
|---|---|---|
| in any way | yes | what was counted |
| well, or stopped | no | what was held: nobody knows better |
| as a failure | no | nothing |
| forgotten by the gateway | no | what was held, as `lost` |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mtu_mcp.gateway import Usage
from mtu_mcp.money.estimates import Charge, batched, finished
from mtu_mcp.records import Closing, Commitment

if TYPE_CHECKING:
    from mtu_mcp.catalogue import Catalogue
    from mtu_mcp.gateway import News
    from mtu_mcp.records import Ledger

_NOTHING: Final = Charge(0.0, "none")


@dataclass(frozen=True, slots=True)
class Ending:
    """How the work of a job ended.

    Attributes:
        state: As in the ledger: done, failed, cut, cancelled, lost.
        usage: What was counted in all of it; None when nothing was.
        charge: What that costs; None when nobody can tell, and then it costs what was held.
        served: The model the answers name.
    """

    state: str
    usage: Usage | None = None
    charge: Charge | None = None
    served: str = ""


async def concluded(ledger: Ledger, job: str, ending: Ending) -> Charge | None:
    """Settle the rows of a job; None when somebody else already has, or there are none."""
    found: Charge | None = None
    for number, one in enumerate(await ledger.committed(job=job)):
        charge = ending.charge or _held(one)
        closing = _closing(one, ending.state, charge, ending.usage, ending.served)
        if number:  # the first row bears the cost of all
            charge, closing = _NOTHING, _closing(one, ending.state, _NOTHING, None, ending.served)
        if await ledger.conclude(one.number, closing) and not number:
            found = charge
    return found


async def heard(ledger: Ledger, catalogue: Catalogue, news: News, *, ceilings: bool) -> None:
    """Settle the rows of work that the gateway names in the news."""
    for number, one in enumerate(await ledger.committed(remote=news.remote)):
        if number:  # a run that was continued has a row for each continuation, and counts once
            await ledger.conclude(one.number, _closing(one, news.state, _NOTHING, None, news.served))
            continue
        charge = _of_news(catalogue, one, news, ceilings=ceilings)
        await ledger.conclude(one.number, _closing(one, news.state, charge, news.usage, news.served))


def _of_news(catalogue: Catalogue, one: Commitment, news: News, *, ceilings: bool) -> Charge:
    if news.usage is None:
        return _NOTHING if news.state == "failed" else _held(one)
    entry, assumed = catalogue.entry(one.model or news.served), catalogue.facts.assumed
    price = batched if one.endpoint == "batches" else finished
    endpoint = "chat/completions" if one.endpoint == "batches" else one.endpoint
    return price(entry, endpoint, news.usage, assumed, ceilings=ceilings)


def _held(one: Commitment) -> Charge:
    return Charge(one.reserved, one.basis)


def _closing(one: Commitment, state: str, charge: Charge, usage: Usage | None, served: str) -> Closing:
    return Closing(
        state=state,
        served=served,
        input_tokens=usage.input_tokens if usage else 0,
        output_tokens=usage.output_tokens if usage else 0,
        cached_tokens=usage.cached_tokens if usage else 0,
        reasoning_tokens=usage.reasoning_tokens if usage else 0,
        searches=usage.searches if usage else 0,
        cny=max(0.0, charge.cny or 0.0),
        basis=charge.basis,
        request_id=one.request_id,
        idempotency_key=one.idempotency_key,
    )
