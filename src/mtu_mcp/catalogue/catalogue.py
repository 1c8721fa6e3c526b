"""The gateway's live list of models laid over the shipped facts.

The list is fetched when first needed and kept for a while; callers that ask meanwhile wait for the one fetch. A
gateway that cannot be asked is no reason to fail: the shipped list stands in, marked as such, and the failure is
remembered for some seconds so that a dead gateway is not asked by every call.
"""

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final, cast

import anyio

from mtu_mcp.catalogue import choices, names
from mtu_mcp.catalogue.capabilities import Capability
from mtu_mcp.catalogue.choices import Choice
from mtu_mcp.errors import MtuError
from mtu_mcp.settings import Settings, variable

if TYPE_CHECKING:
    from typing import TypeGuard

    from mtu_mcp.catalogue.costs import Cost, UsageLike
    from mtu_mcp.catalogue.entries import Entry
    from mtu_mcp.catalogue.facts import Facts

FAILURE_KEPT: Final = 10.0
# What servers call a model's window besides OpenAI's list, which has none: vLLM, OpenRouter and others.
_WINDOW_KEYS: Final = ("context_length", "context_window", "max_model_len")
# Finer uses that a person sets by the wider one's variable.
_SET_BY: Final[Mapping[str, str]] = {
    "image_edit": "image",
    "image_vary": "image",
    "timestamps": "transcribe",
    "diarize": "transcribe",
    "translate_audio": "transcribe",
}


@dataclass(frozen=True, slots=True)
class Offer:
    """The models there are.

    Attributes:
        names: As the gateway spells and orders them.
        live: Whether the gateway gave them; otherwise they are the shipped ones.
        note: Why the list is not live, or not fresh; empty when it is both.
    """

    names: tuple[str, ...]
    live: bool
    note: str


class Catalogue:
    """Which models there are, what they do and cost, and which to take.

    Args:
        settings: Whose `model_*` choices come first.
        fetch: Asks the gateway for its models: names, each with what else the list says of it.
        clock: Seconds, for the age of the list.
        keep: Seconds a list is used before it is fetched again.
        today: The day, for what is retired.
        facts: The facts to use instead of the shipped ones.
    """

    def __init__(
        self,
        settings: Settings,
        fetch: Callable[[], Awaitable[Iterable[tuple[str, Mapping[str, Any]]]]],
        clock: Callable[[], float] = time.monotonic,
        keep: float = 300.0,
        *,
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
        facts: "Facts | None" = None,
    ) -> None:
        self._settings = settings
        self._fetch = fetch
        self._clock = clock
        self._keep = keep
        self.today = today
        self._given_facts = facts
        self._lock = anyio.Lock()
        self._offer: Offer | None = None
        self._live: dict[str, Mapping[str, Any]] = {}
        self._until = 0.0

    @property
    def facts(self) -> "Facts":
        """The shipped facts, read at first use: the server lists its tools without them."""
        from mtu_mcp.catalogue.facts import shipped

        return self._given_facts or shipped()

    @property
    def last(self) -> Offer | None:
        """The list as it was last fetched; None before that."""
        return self._offer

    async def offered(self) -> Offer:
        """The gateway's models, or the shipped ones with the reason; never raises for a gateway's failure.

        A list that was live once is kept when a later fetch fails: it is nearer the truth than the shipped one.
        """
        async with self._lock:
            if self._offer is None or self._clock() >= self._until:
                self._offer = await self._ask()
            return self._offer

    async def choose(self, capability: Capability, asked: str = "") -> Choice:
        """The model for a thing, and why.

        What was asked for, or else what the settings name, or else the best that the gateway offers, or else the
        first preference. The first two are taken as they are (a gateway may serve more than it lists), unless they are
        an alias such as "best", which is looked up in what the gateway offers.
        """
        named = Choice(asked.strip(), "it was asked for") if asked.strip() else self._set(capability)
        if named is not None and not await self._is_alias(named.model):
            return named
        if named is not None and (found := await self._meant(capability, named.model.casefold())):
            return found
        ordinary = await self._ordinary(capability)
        if named is None:
            return ordinary
        why = f"the gateway lists nothing known for {named.model}, and {ordinary.why}"
        return replace(ordinary, why=why, expected=False, asked=named.model.casefold())

    async def _is_alias(self, name: str) -> bool:
        """Whether a name is an alias and no model of the gateway is really called so."""
        return name.casefold() in self.facts.aliases and name not in (await self.offered()).names

    async def _meant(self, capability: Capability, alias: str) -> Choice | None:
        from mtu_mcp.catalogue import aliases

        offer = await self.offered()
        if not offer.live and capability == "chat" and (first := self.facts.alias(alias)):
            why = f"it is the first of the list for {alias}, and the gateway's list could not be read"
            return Choice(first[0], why, expected=False, asked=alias)
        return aliases.resolve(self.facts, capability, alias, await self.entries(), self.today())

    async def _ordinary(self, capability: Capability) -> Choice:
        """The model for a thing when nobody named one."""
        offer = await self.offered()
        today = self.today()
        if offer.live and (found := choices.choose_offered(self.facts, capability, offer.names, today)):
            return found
        preferred = choices.preferred(self.facts, capability, today)
        reason = "the gateway lists none for this" if offer.live else "the gateway's list could not be read"
        why = f"it is the first of the preference list, and {reason}"
        return Choice(preferred[0] if preferred else "", why, expected=False)

    async def first_with(self, capability: Capability, trait: str) -> Choice | None:
        """The best offered model for a thing that also has a trait (`catalogue.entries`); None where none has."""
        offer = await self.offered()
        able = [name for name in offer.names if trait in self.entry(name).traits]
        found = choices.choose_offered(self.facts, capability, able, self.today())
        return found if offer.live and found and not self.facts.entry(found.model).retired(self.today()) else None

    async def makers_best(self, count: int) -> tuple[str, ...]:
        """The best chat model of each of so many makers, by the preference list and what the gateway offers."""
        offer = await self.offered()
        today = self.today()
        found: dict[str, str] = {}
        for name in choices.preferred(self.facts, "chat", today):
            model = choices.first_offered([name], offer.names)
            if model and not self.facts.entry(model).retired(today):
                found.setdefault(self.entry(model).vendor or model, model)
        rest = [entry.name for entry in await self.entries() if entry.can("chat") or not entry.capabilities]
        return tuple(dict.fromkeys((*found.values(), *rest)))[:count]

    async def is_relay(self) -> bool:
        """Whether the gateway's own list shows that it is of the New API kind, whose lists tell each model's endpoints.

        Such gateways write every request anew from the fields they know, and drop the others in silence.
        """
        await self.offered()
        return any("supported_endpoint_types" in listed for listed in self._live.values())

    async def nearest(self, name: str, capability: Capability | None = None) -> tuple[str, ...]:
        """At most three offered names most like a name; with a capability, only models that may have it."""
        offer = await self.offered()
        return names.nearest(name, (found for found in offer.names if self._may(found, capability)))

    def entry(self, name: str) -> "Entry":
        """What is known of a model, by any of its spellings; what the gateway's own list says of it comes first.

        It always answers: a name nothing is known of gets an entry with nothing but the name.
        """
        return _overlay(self.facts.entry(name), self._live.get(name, {}))

    async def entries(self, capability: Capability | None = None) -> "list[Entry]":
        """The offered models in the gateway's order; with a capability, only those known to have it."""
        offer = await self.offered()
        found = [self.entry(name) for name in offer.names]
        return [entry for entry in found if capability is None or entry.can(capability)]

    def estimate(self, model: str, usage: "UsageLike", *, media: bool = False, batch: bool = False) -> "Cost | None":
        """What a call cost by the maker's list price, or None where no price is known.

        Args:
            model: The model that served.
            usage: What the gateway counted.
            media: Whether pictures, sound or video went in, for a gateway that does not count them apart.
            batch: Whether it was part of a batch.
        """
        from mtu_mcp.catalogue.costs import cost

        known = self.entry(model).prices
        return cost(known, usage, media=media, batch=batch) if known else None

    def _set(self, capability: Capability) -> Choice | None:
        """What the settings name for it. A wider setting does not count where that model is known to be unable."""
        field = "model_" + _SET_BY.get(capability, capability)
        model = str(getattr(self._settings, field, "") or "")
        if not model or (capability in _SET_BY and not self._may(model, capability)):
            return None
        return Choice(model, f"{variable(field)} names it")

    def _may(self, name: str, capability: Capability | None) -> bool:
        entry = self.entry(name)
        return capability is None or entry.can(capability) or not entry.capabilities

    async def _ask(self) -> Offer:
        try:
            listed = dict(await self._fetch())
        except MtuError as error:
            self._until = self._clock() + FAILURE_KEPT
            return self._stand_in(error)
        self._until = self._clock() + self._keep
        self._live = listed
        return Offer(tuple(listed), True, "")

    def _stand_in(self, error: MtuError) -> Offer:
        if self._offer is not None and self._offer.live:
            return replace(self._offer, note=f"This list is older; the gateway's could not be read again: {error}")
        today = self.today()
        current = tuple(name for name in self.facts.names if not self.facts.entry(name).retired(today))
        return Offer(current, False, f"These are the models this version knows; the gateway's list failed: {error}")


def _overlay(entry: "Entry", listed: Mapping[str, Any]) -> "Entry":
    """The entry with what the gateway's list says; only values of the kind they should be are believed."""
    meta: Any = listed.get("meta")  # llama.cpp tells there how much it was started with
    served = cast("Mapping[str, Any]", meta).get("n_ctx") if isinstance(meta, Mapping) else None
    windows = (*(listed.get(key) for key in _WINDOW_KEYS), served)
    window = next((value for value in windows if _is_count(value)), None)
    if window is not None:
        entry = replace(entry, context=window)
    if _sees(listed) and not entry.can("vision") and (entry.can("chat") or not entry.capabilities):
        entry = replace(entry, capabilities=(*(entry.capabilities or ("chat",)), "vision"))
    ends = _day(listed.get("shutdown_date"))
    return replace(entry, retires=ends) if ends else entry


def _sees(listed: Mapping[str, Any]) -> bool:
    """Whether the list says, as OpenRouter's does, that pictures may go in and words come out."""
    kinds: Any = listed.get("architecture")
    if not isinstance(kinds, Mapping):
        return False
    given, made = (cast("Mapping[str, Any]", kinds).get(name) for name in ("input_modalities", "output_modalities"))
    return isinstance(given, list) and "image" in given and isinstance(made, list) and "text" in made


def _is_count(value: object) -> "TypeGuard[int]":
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _day(value: object) -> date | None:
    try:
        if isinstance(value, str):
            return date.fromisoformat(value[:10])
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return datetime.fromtimestamp(value, UTC).date()
    except (ValueError, OverflowError, OSError):
        pass
    return None
