"""Figures of single models: windows, prices and last days, each with where it was published (`figures.json`).

A family of models shares what it can do and how it must be asked; prices and windows differ from name to name, and
change far more often. So they stand by themselves, by exact name, and are laid over the family's facts. Rows stay as
they were read until somebody asks for their model: a server that lists its tools needs none of them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final, Self

from mtu_mcp.catalogue.prices import Prices

if TYPE_CHECKING:
    from mtu_mcp.catalogue.entries import Entry

MILLION: Final = 1_000_000
YUAN: Final = "CNY"
_WINDOWS: Final = ("context", "max_input", "max_output")


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is published of one model: its windows in tokens, its last day, its prices; None where nothing is."""

    windows: Mapping[str, int]
    retires: date | None
    prices: Prices | None
    source: str

    def applied(self, entry: "Entry") -> "Entry":
        """The entry of its family with these figures put in their place."""
        source = "; ".join(dict.fromkeys(filter(None, (entry.source, self.source))))
        entry = replace(entry, **self.windows, source=source)
        if self.retires is not None:
            entry = replace(entry, retires=self.retires)
        return replace(entry, prices=self.prices) if self.prices is not None else entry


class Sheets:
    """All of them.

    Args:
        raw: As in `figures.json`.
        currencies: CNY for one of each currency, before those of the file.
    """

    def __init__(self, raw: Mapping[str, Any], currencies: Mapping[str, float] | None = None) -> None:
        self._raw = raw
        published = {name: float(known["cny"]) for name, known in raw.get("currencies", {}).items()}
        self.currencies: Mapping[str, float] = {YUAN: 1.0, **published, **(currencies or {})}
        self._rows = {name: row for row in raw.get("models", ()) for name in row["match"]}
        self._read: dict[str, Sheet] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Every name there are figures of."""
        return tuple(self._rows)

    def at_rates(self, currencies: Mapping[str, float]) -> Self:
        """These figures at other rates."""
        return type(self)(self._raw, currencies)

    def find(self, spellings: Iterable[str]) -> Sheet | None:
        """The figures of the first spelling that has any."""
        found = next((name for name in spellings if name in self._rows), None)
        if found is None:
            return None
        if found not in self._read:
            self._read[found] = self._sheet(self._rows[found])
        return self._read[found]

    def _sheet(self, row: Mapping[str, Any]) -> Sheet:
        source = self._raw["sources"][row["source"]]
        currency = source.get("currency", YUAN)
        rate = self.currencies[currency]
        converted = f"{currency} at CNY {rate:g}" if currency != YUAN else ""
        lines = row.get("prices")
        return Sheet(
            {name: row[name] for name in _WINDOWS if name in row},
            date.fromisoformat(row["retires"]) if "retires" in row else None,
            Prices.read(lines, rate=rate, tokens=MILLION, converted=converted, source=source["name"])
            if lines
            else None,
            source["name"],
        )


NO_SHEETS: Final = Sheets({})
