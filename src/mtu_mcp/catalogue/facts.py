"""The shipped facts about models, read when first needed, and the search for a name in them.

Families of models stand in `models.json`, the figures of single ones in `figures.json` (`sheets`). Facts are a plain
value made from such mappings; an operator's own file is laid over the shipped ones (`overrides`).
"""

import functools
import json
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from dataclasses import replace
from datetime import date
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Self, cast

from mtu_mcp.catalogue.assumptions import NOTHING, Assumed
from mtu_mcp.catalogue.capabilities import ABILITIES
from mtu_mcp.catalogue.entries import AudioLimits, EmbeddingLimits, Entry, ImageLimits, OmniLimits
from mtu_mcp.catalogue.names import spellings
from mtu_mcp.catalogue.prices import Prices
from mtu_mcp.catalogue.sheets import NO_SHEETS, Sheets
from mtu_mcp.catalogue.tokens import OmniRates

if TYPE_CHECKING:
    from mtu_mcp.catalogue.overrides import Change, Overrides


class Facts:
    """What is known of models, by name or pattern, and which are preferred for what.

    Args:
        families: Names or patterns, and the entry they share; earlier patterns win.
        preferences: For a capability, names in order of preference.
        aliases: For a word such as "best", names in order of preference.
        assumed: What stands in for prices that are not known.
        sheets: Figures of single models.
    """

    def __init__(
        self,
        families: Iterable[tuple[tuple[str, ...], Entry]],
        preferences: Mapping[str, tuple[str, ...]],
        aliases: Mapping[str, tuple[str, ...]] | None = None,
        assumed: Assumed = NOTHING,
        sheets: Sheets = NO_SHEETS,
    ) -> None:
        self.assumed = assumed
        self._sheets = sheets
        self._aliases = dict(aliases or {})
        self._changes: tuple[Change, ...] = ()
        self._exact: dict[str, Entry] = {}
        self._patterns: list[tuple[str, Entry]] = []
        for matches, entry in families:
            for match in matches:
                if "*" in match:
                    self._patterns.append((match, entry))
                else:
                    self._exact.setdefault(match, entry)
        self._preferences = preferences

    @classmethod
    def read(cls, raw: Mapping[str, Any], figures: Mapping[str, Any] | None = None) -> Self:
        """Facts from mappings in the form of `models.json` and `figures.json`.

        Raises:
            KeyError: A family lacks its names, or refers to limits or rates that are not there.
            TypeError: A key is unknown, or a needed one is missing.
            ValueError: A date is not one.
        """
        limits = {name: OmniLimits(**_frozen(value)) for name, value in raw.get("limits", {}).items()}
        rates = {name: OmniRates(**value) for name, value in raw.get("rates", {}).items()}
        families = [_family(family, limits, rates) for family in raw.get("families", ())]
        lists = ({name: tuple(value) for name, value in raw.get(key, {}).items()} for key in ("preferences", "aliases"))
        return cls(families, *lists, assumed=_assumed(raw.get("assumed", {})), sheets=Sheets(figures or {}))

    def changed(self, overrides: "Overrides") -> "Facts":
        """These facts with an operator's own laid over them; the operator's lists come before the shipped ones."""
        facts = copy(self)
        facts._sheets = self._sheets.at_rates(overrides.currencies)
        facts._changes = tuple(change.at_rates(facts._sheets.currencies) for change in overrides.changes)
        facts._preferences = _before(overrides.preferences, self._preferences)
        facts._aliases = _before(overrides.aliases, self._aliases)
        facts.assumed = _assumed(overrides.assumed, self.assumed)
        return facts

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that is spelt out."""
        added = (change.match for change in self._changes if "*" not in change.match)
        return tuple(dict.fromkeys((*self._exact, *added)))

    @property
    def aliases(self) -> tuple[str, ...]:
        """Words that stand for a model."""
        return tuple(dict.fromkeys((*self._aliases, *ABILITIES)))

    def alias(self, word: str) -> tuple[str, ...]:
        """Names in order of preference for an alias; empty for a word that is none."""
        return self._aliases.get(word) or (self.preferences(word) if word in ABILITIES else ())

    def entry(self, name: str) -> Entry:
        """What is known of a model; an entry with nothing but its name if that is nothing."""
        entry = replace(self._find(name), name=name)
        if sheet := self._sheets.find(spellings(name)):
            entry = sheet.applied(entry)
        for change in self._changes:
            if change.fits(name):
                entry = change.applied(entry)
        return entry

    def preferences(self, capability: str) -> tuple[str, ...]:
        """Names in order of preference; empty for a capability that has no list."""
        return self._preferences.get(capability, ())

    def _find(self, name: str) -> Entry:
        candidates = spellings(name)
        for candidate in candidates:
            if found := self._exact.get(candidate):
                return found
        for candidate in candidates:
            for pattern, entry in self._patterns:
                if fnmatchcase(candidate, pattern):
                    return entry
        return _NOTHING


@functools.cache
def shipped() -> Facts:
    """The facts that come with this version, read once."""
    from importlib.resources import files

    folder = files("mtu_mcp.catalogue")
    both = (json.loads(folder.joinpath(name).read_text(encoding="utf-8")) for name in ("models.json", "figures.json"))
    return Facts.read(*both)


_NOTHING = Entry("")


def _before(first: Mapping[str, tuple[str, ...]], then: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Lists joined under their names, each value once."""
    return {name: tuple(dict.fromkeys((*first.get(name, ()), *then.get(name, ())))) for name in (*then, *first)}


def _assumed(raw: Mapping[str, Mapping[str, Any]], before: Assumed = NOTHING) -> Assumed:
    """Ceilings from a mapping, laid over others line by line."""
    given: Mapping[str, Mapping[str, Any]] = raw.get("prices", {})
    prices = {kind: replace(before.prices.get(kind, Prices()), **lines) for kind, lines in given.items()}
    return Assumed({**before.prices, **prices}, replace(before.figures, **raw.get("figures", {})))


_PARTS = (("prices", Prices), ("images", ImageLimits), ("audio", AudioLimits), ("embeddings", EmbeddingLimits))


def _family(
    raw: Mapping[str, Any], limits: Mapping[str, OmniLimits], rates: Mapping[str, OmniRates]
) -> tuple[tuple[str, ...], Entry]:
    values = dict(_pairs(raw))
    matches = cast("tuple[str, ...]", values.pop("match"))
    if "limits" in values:
        values["limits"] = limits[cast("str", values["limits"])]
    if "rates" in values:
        values["rates"] = rates[cast("str", values["rates"])]
    if "retires" in values:
        values["retires"] = date.fromisoformat(cast("str", values["retires"]))
    for field, kind in _PARTS:
        if field in values:
            values[field] = kind(**_frozen(cast("Mapping[str, Any]", values[field])))
    return tuple(match.casefold() for match in matches), Entry("", **values)


def _frozen(raw: Mapping[str, Any]) -> dict[str, Any]:
    return dict(_pairs(raw))


def _pairs(raw: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Lists as tuples: entries are shared, so nothing in them may change."""
    for key, value in raw.items():
        yield key, tuple(cast("list[Any]", value)) if isinstance(value, list) else value
