"""An operator's own facts about models: prices they really pay, models nobody else has, what they prefer.

The file is JSON:

    {"models": {"qwen-plus": {"prices": {"input_text": 0.0008, "output_text": 0.002}},
                "acme-*": {"capabilities": ["chat", "vision"], "context": 32000, "note": "Ours."},
                "acme-ears": {"capabilities": ["transcribe"], "audio": {"file_bytes": 10000000, "seconds": 300}}},
     "currencies": {"USD": 7.1},
     "preferences": {"chat": ["acme-large", "qwen-plus"]},
     "aliases": {"best": ["acme-large"], "house": ["acme-small"]},
     "assumed": {"prices": {"text": {"output_text": 0.1}}, "figures": {"output": 2000}}}

A model's name may be a pattern with `*`; only the fields given are changed. Prices are per 1,000 tokens, in CNY or the
`currency` named, under the names of `Prices`; `tiers` are lists of lines with the length `above` which they hold,
`pictures` prices of one `size` and `quality`. `currencies` says what one of each is in CNY, for the shipped prices as
well. `assumed` changes what stands in for prices that are not known (`assumptions`). Everything is checked when it is
read, since a mistyped price would make every sum wrong in silence.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, cast

from mtu_mcp.catalogue.assumptions import KINDS, Figures
from mtu_mcp.catalogue.capabilities import CAPABILITIES
from mtu_mcp.catalogue.entries import AudioLimits, Entry
from mtu_mcp.catalogue.names import LENGTH, spellings
from mtu_mcp.catalogue.prices import PIECE_LINES, SHARES, TOKEN_LINES, Prices, Tier
from mtu_mcp.catalogue.sheets import YUAN

MOST_BYTES: Final = 4 * 1024 * 1024
_SECTIONS: Final = ("models", "preferences", "aliases", "assumed", "currencies")
_LINES: Final = (*TOKEN_LINES, *PIECE_LINES)
_LISTS: Final = ("tiers", "pictures", "currency")
_STEP: Final = tuple(line.name for line in fields(Tier))
# Finer lines of a list that would belie the wider ones somebody names: what holds then is what they named.
_FINER: Final[Mapping[str, tuple[str, ...]]] = {
    "input_text": ("tiers",),
    "output_text": ("tiers", "output_thinking"),
    "picture": ("pictures",),
}


@dataclass(frozen=True, slots=True)
class Change:
    """What an operator says of a model or a pattern of names; `prices` holds the lines that are given, as in the file."""

    match: str
    values: Mapping[str, Any]
    prices: Mapping[str, Any] = field(default_factory=dict[str, Any])
    rate: float = 1.0

    def fits(self, name: str) -> bool:
        """Whether a name, in any of its spellings, is meant."""
        return any(fnmatchcase(spelling, self.match) for spelling in spellings(name))

    def applied(self, entry: Entry) -> Entry:
        """The entry with what is given put in its place."""
        values = dict(self.values)
        if "audio" in values:
            values["audio"] = replace(entry.audio or AudioLimits(), **values["audio"])
        entry = replace(entry, **values)
        if not self.prices:
            return entry
        given = Prices.read(self.prices, rate=self.rate)
        finer = (name for line in self.prices for name in _FINER.get(line, ()))
        kept = {name for name in self.prices if name not in ("currency", "source")}
        named = {name: getattr(given, name) for name in (*finer, *kept)}
        currency = self.prices.get("currency", YUAN)
        named["converted"] = f"{currency} at CNY {self.rate:g}" if currency != YUAN else ""
        named["source"] = self.prices.get("source", "the operator's own price file")
        return replace(entry, prices=replace(entry.prices or Prices(), **named))

    def at_rates(self, currencies: Mapping[str, float]) -> "Change":
        """The same, knowing what its currency is in CNY."""
        return replace(self, rate=currencies.get(self.prices.get("currency", YUAN), 1.0))


@dataclass(frozen=True, slots=True)
class Overrides:
    """A whole file."""

    changes: tuple[Change, ...] = ()
    preferences: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    assumed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    currencies: Mapping[str, float] = field(default_factory=dict[str, float])


def read_file(path: Path) -> Overrides:
    """Read an operator's file.

    Raises:
        ValueError: In words that finish "MTU_MODELS_FILE PATH ...", naming the place in the file.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror or type(error).__name__})") from error
    if len(data) > MOST_BYTES:
        raise ValueError(f"has more than {MOST_BYTES:,} bytes")
    try:
        raw = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError("is not UTF-8 text") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON ({error.msg}, line {error.lineno} column {error.colno})") from error
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error
    return read(raw)


def read(raw: object) -> Overrides:
    """Read the content of an operator's file.

    Raises:
        ValueError: As `read_file` does.
    """
    body = _object(raw, "its content")
    _only(body, _SECTIONS, "its content")
    currencies = _currencies(_object(body.get("currencies", {}), "currencies"))
    models = _object(body.get("models", {}), "models")
    changes = tuple(_change(name, _object(value, f"models.{name}"), currencies) for name, value in models.items())
    lists: dict[str, dict[str, tuple[str, ...]]] = {}
    for section in ("preferences", "aliases"):
        given = _object(body.get(section, {}), section)
        lists[section] = {name: _names(value, f"{section}.{name}") for name, value in given.items()}
    _only(lists["preferences"], CAPABILITIES, "preferences")
    aliases = {name.strip().casefold(): value for name, value in lists["aliases"].items()}
    assumed = _assumed(_object(body.get("assumed", {}), "assumed"))
    return Overrides(changes, lists["preferences"], aliases, assumed, currencies)


def _currencies(raw: Mapping[str, Any]) -> dict[str, float]:
    found = {name: _amount(value, f"currencies.{name}") for name, value in raw.items()}
    if wrong := [name for name, rate in found.items() if not rate or name == YUAN]:
        raise ValueError(f"must hold a number of yuan above zero for another currency as currencies.{wrong[0][:40]}")
    return found


def _change(name: str, raw: Mapping[str, Any], currencies: Mapping[str, float]) -> Change:
    where = f"models.{name}"
    if not name.strip() or len(name) > LENGTH:
        raise ValueError(f"has an empty or too long name under models: {name[:40]!r}")
    _only(raw, (*_READERS, "prices"), where)
    values = {key: _READERS[key](value, f"{where}.{key}") for key, value in raw.items() if key != "prices"}
    given = _object(raw.get("prices", {}), f"{where}.prices")
    prices = _prices(given, f"{where}.prices", currencies) if given else {}
    return Change(name.strip().casefold(), values, prices)


def _assumed(raw: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    _only(raw, ("prices", "figures"), "assumed")
    prices = _object(raw.get("prices", {}), "assumed.prices")
    _only(prices, KINDS, "assumed.prices")
    lines = {
        kind: _lines(_object(given, f"assumed.prices.{kind}"), f"assumed.prices.{kind}")
        for kind, given in prices.items()
    }
    figures = _object(raw.get("figures", {}), "assumed.figures")
    _only(figures, tuple(line.name for line in fields(Figures)), "assumed.figures")
    return {
        "prices": lines,
        "figures": {name: _count(value, f"assumed.figures.{name}") for name, value in figures.items()},
    }


def _lines(raw: Mapping[str, Any], where: str) -> dict[str, float | str]:
    """Plain lines, as they stand in for prices that are not known."""
    _only(raw, (*_LINES, *SHARES, "source"), where)
    return {
        key: _text(value, f"{where}.{key}") if key == "source" else _amount(value, f"{where}.{key}")
        for key, value in raw.items()
    }


def _prices(raw: Mapping[str, Any], where: str, currencies: Mapping[str, float]) -> dict[str, Any]:
    """All that a price list may hold, checked and as it was written."""
    _only(raw, (*_LINES, *SHARES, *_LISTS, "source"), where)
    found: dict[str, Any] = {**_lines({key: raw[key] for key in raw if key not in _LISTS}, where)}
    if "tiers" in raw:
        found["tiers"] = [_step(step, f"{where}.tiers") for step in _objects(raw["tiers"], f"{where}.tiers")]
    if "pictures" in raw:
        found["pictures"] = [
            _picture(each, f"{where}.pictures") for each in _objects(raw["pictures"], f"{where}.pictures")
        ]
    if "currency" in raw:
        found["currency"] = _text(raw["currency"], f"{where}.currency").strip().upper()
        _only({found["currency"]: None}, (YUAN, "USD", *currencies), f"{where}.currency")
    return found


def _step(raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    _only(raw, _STEP, where)
    amounts = {key: _amount(value, f"{where}.{key}") for key, value in raw.items() if key != "above"}
    return {"above": _count(raw.get("above"), f"{where}.above"), **amounts}


def _picture(raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    _only(raw, ("price", "size", "quality"), where)
    words = {key: _text(value, f"{where}.{key}") for key, value in raw.items() if key != "price"}
    return {"price": _amount(raw.get("price"), f"{where}.price"), **words}


def _objects(value: object, where: str) -> list[Mapping[str, Any]]:
    if not isinstance(value, list):
        raise ValueError(f"must hold a list as {where}")  # noqa: TRY004 - it is the file that is wrong
    return [_object(each, where) for each in cast("list[object]", value)]


def _object(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"must hold a JSON object as {where}")  # noqa: TRY004 - it is the file that is wrong
    return cast("Mapping[str, Any]", value)


def _only(raw: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    if unknown := [key for key in raw if key not in known]:
        raise ValueError(f"has {unknown[0][:40]!r} in {where}, which is none of {', '.join(known)}")


def _names(value: object, where: str) -> tuple[str, ...]:
    items = cast("list[object]", value) if isinstance(value, list) else []
    if not items or not all(isinstance(item, str) and item.strip() for item in items):
        raise ValueError(f"must hold a list of names as {where}")
    return tuple(str(item).strip().casefold() for item in items)


def _abilities(value: object, where: str) -> tuple[str, ...]:
    given = _names(value, where)
    _only(dict.fromkeys(given), CAPABILITIES, where)
    return given


def _count(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise ValueError(f"must hold a whole number above zero as {where}")
    return value


def _amount(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise ValueError(f"must hold a number of yuan, not below zero, as {where}")
    return float(value)


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must hold a text as {where}")  # noqa: TRY004 - it is the file that is wrong
    return value


def _audio(value: object, where: str) -> dict[str, int]:
    raw = _object(value, where)
    _only(raw, ("file_bytes", "seconds"), where)
    return {name: _count(given, f"{where}.{name}") for name, given in raw.items()}


def _day(value: object, where: str) -> date | None:
    if value is None:
        return None
    try:
        return date.fromisoformat(_text(value, where))
    except ValueError as error:
        raise ValueError(f"must hold a date such as 2027-01-31 as {where}") from error


_READERS: Final[Mapping[str, Callable[[object, str], Any]]] = {
    "capabilities": _abilities,
    "traits": _names,
    "audio": _audio,
    "context": _count,
    "max_input": _count,
    "max_output": _count,
    "retires": _day,
    "note": _text,
    "vendor": _text,
}
