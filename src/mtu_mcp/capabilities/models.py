"""What the gateway offers now: its models, what each can do, its limits, price and retirement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, cast

from mcp.server.mcpserver.resolve import Resolve
from mcp.types import CallToolResult
from pydantic import Field

from mtu_mcp.app import App, current_app
from mtu_mcp.capabilities._answers import Answer
from mtu_mcp.capabilities._spec import Capability, Content, ResourceSpec, ToolSpec
from mtu_mcp.catalogue import CAPABILITIES
from mtu_mcp.errors import BadInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from mtu_mcp.catalogue import Capability as Ability
    from mtu_mcp.catalogue import Entry

SHOWN: Final = 100
"""Rows of one answer; gateways list hundreds of models, and a list that long buries the ones that matter."""


async def list_models(
    can: Annotated[str | None, Field(description="Only models that can: chat, omni, image, speech, embed, ...")] = None,
    name: Annotated[str | None, Field(description="Only names that hold this.")] = None,
    *,
    app: Annotated[App, Resolve(current_app)],
) -> CallToolResult:
    """List the models this gateway offers now, with what each can do, its limits, price and retirement date."""
    ability = _ability(can)
    offer = await app.catalogue.offered()
    entries = await app.catalogue.entries(ability)
    wanted = [entry for entry in entries if not name or name.casefold() in entry.name.casefold()]
    answer = Answer(app)
    answer.note(offer.note)
    default = (await app.catalogue.choose(ability)).model if ability else None
    today = app.catalogue.today()
    answer.say("\n".join(_row(entry, today) for entry in wanted[:SHOWN]) or "No model fits.")
    if len(wanted) > SHOWN:
        answer.note(f"Shown: {SHOWN} of {len(wanted)}; narrow it with `can` or `name`.")
    if default:
        answer.note(f"Without a model, {default} is used.")
    rows = [_facts(entry) for entry in wanted[:SHOWN]]
    return answer.finish({"models": rows, "total": len(wanted), "live": offer.live, "default": default})


def _ability(can: str | None) -> Ability | None:
    """The ability that is meant.

    Raises:
        BadInput: There is none of that name.
    """
    word = (can or "").strip().casefold().replace("-", "_").replace(" ", "_")
    if word and word not in CAPABILITIES:
        raise BadInput(
            f"No model is described by can={(can or '')[:40]!r}.", advice=f"It takes one of: {', '.join(CAPABILITIES)}."
        )
    return cast("Ability | None", word or None)


def _row(entry: Entry, today: date) -> str:
    facts = _facts(entry)
    if entry.retired(today):
        facts["retired by its maker"] = facts.pop("retires")
    if "cny_per_1k" in facts:
        facts["CNY for 1,000 tokens or the piece:"] = facts.pop("cny_per_1k")
    parts = [f"{key.replace('_', ' ')} {_words(value)}" for key, value in facts.items() if key != "name"]
    return f"- {entry.name}" + (f": {'; '.join(parts)}" if parts else "")


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, cast("list[Any]", value)))
    if isinstance(value, dict):
        return ", ".join(f"{name} {amount:g}" for name, amount in cast("dict[str, float]", value).items())
    return f"{value:,}" if isinstance(value, int) else str(value)


def _facts(entry: Entry) -> dict[str, Any]:
    """The entry as plain data, without what is not known."""
    facts: dict[str, Any] = {
        "name": entry.name,
        "can": sorted(entry.capabilities),
        "context": entry.context,
        "max_input": entry.max_input,
        "max_output": entry.max_output,
        "cny_per_1k": _price(entry),
        "retires": entry.retires.isoformat() if entry.retires else None,
        "note": entry.note,
    }
    return {key: value for key, value in facts.items() if value not in (None, "", [], {})}


def _price(entry: Entry) -> dict[str, float]:
    """The ordinary lines of a price list: what is paid for, and CNY per 1,000 tokens of it or for the piece."""
    return {line.title: line.cny for line in entry.prices.lines(whole=False)} if entry.prices else {}


def _whole_price(entry: Entry) -> dict[str, float | str]:
    """All of it: steps by length, shares of the cache, sizes of pictures, and where it was published."""
    prices = entry.prices
    if prices is None:
        return {}
    told: dict[str, float | str] = {line.title: line.cny for line in prices.lines()}
    if prices.batch_share is not None:
        told["share of the price in a batch"] = prices.batch_share
    if prices.converted:
        told["converted from"] = prices.converted
    return told | {"source": prices.source}


async def models() -> Content:
    """Every model the gateway lists now."""
    app = current_app()
    offer = await app.catalogue.offered()
    entries = await app.catalogue.entries()
    return Content.of({"live": offer.live, "note": offer.note, "models": [_facts(entry) for entry in entries]})


async def model(model: str) -> Content:
    """One model: what it can do, its limits and its price."""
    app = current_app()
    offer = await app.catalogue.offered()
    if model not in offer.names:
        near = await app.catalogue.nearest(model)
        raise NotFound(f"This gateway lists no model {model!r}.", advice=f"Nearest: {', '.join(near)}." if near else "")
    entry = app.catalogue.entry(model)
    more = {"cny_per_1k": _whole_price(entry), "source": entry.source}
    return Content.of({"live": offer.live, **_facts(entry), **{key: value for key, value in more.items() if value}})


async def prices() -> Content:
    """Known list prices in CNY per 1,000 tokens; the gateway's own multiplier is not known."""
    entries = await current_app().catalogue.entries()
    return Content.of({entry.name: _whole_price(entry) for entry in entries if entry.prices})


async def _complete_model(typed: str, given: Mapping[str, str]) -> list[str]:
    del given
    names = (await current_app().catalogue.offered()).names
    return [name for name in names if typed.casefold() in name.casefold()]


CAPABILITY = Capability(
    tools=(
        ToolSpec(
            list_models,
            title="List models",
            read_only=True,
            idempotent=True,
        ),
    ),
    resources=(
        ResourceSpec("mtu://models", models, "Models"),
        ResourceSpec("mtu://models/{+model}", model, "One model", complete={"model": _complete_model}),
        ResourceSpec("mtu://prices", prices, "Prices"),
    ),
)
