"""Words a person may say instead of a model's name: best, fast, cheap, vision, code, math, reasoning, or an operator's own.

Each is answered with a model the gateway really offers. A word nothing fits is answered with the ordinary choice, and
the choice says so: a guess that nobody is told of would look like the model that was asked for.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Final

from mtu_mcp.catalogue.capabilities import ABILITIES, Capability
from mtu_mcp.catalogue.choices import Choice, choose_offered, first_offered

if TYPE_CHECKING:
    from mtu_mcp.catalogue.entries import Entry
    from mtu_mcp.catalogue.facts import Facts

_SMALL: Final = re.compile(r"(?:^|[-_.\d])(?:flash|mini|turbo|lite|nano|haiku|small|instant|air)(?:[-_.:\d]|$)")
_GENERAL: Final = frozenset({"chat", "vision", "search", "qwen_search", "gemini_search", "reasoning"})


def resolve(
    facts: "Facts", capability: Capability, alias: str, offered: "Sequence[Entry]", today: date
) -> Choice | None:
    """The offered model that an alias means for a capability, or None if none fits.

    Args:
        facts: What is known and preferred.
        capability: What the model is for.
        alias: One of the facts' aliases.
        offered: The entries of the models the gateway lists.
        today: The day, for what is retired.
    """
    if capability != "chat":
        found = _for_other_uses(facts, capability, alias, offered, today)
    else:
        found = _for_chat(facts, alias, offered, today)
    return replace(found, asked=alias, expected=False) if found else None


def _for_chat(facts: "Facts", alias: str, offered: "Sequence[Entry]", today: date) -> Choice | None:
    current = [entry for entry in offered if not entry.retired(today)]
    if alias == "cheap" and (found := _cheapest(current)):
        return found
    if found := first_offered(facts.alias(alias), [entry.name for entry in current]):
        return Choice(found, f"it is the first of the list for {alias} that the gateway offers")
    if alias in ABILITIES and (able := [entry for entry in current if entry.can(alias)]):
        return Choice(able[0].name, f"it is the first the gateway lists that is known for {alias}")
    if alias in ("fast", "cheap") and (small := [entry for entry in current if entry.can("chat") and _is_small(entry)]):
        return Choice(small[0].name, "it is the first the gateway lists whose name says that it is small")
    return None


def _for_other_uses(
    facts: "Facts", capability: Capability, alias: str, offered: "Sequence[Entry]", today: date
) -> Choice | None:
    """For anything but chat the preference list says what is best; small ones are told by their names."""
    if alias in ("fast", "cheap"):
        small = choose_offered(facts, capability, [entry.name for entry in offered if _is_small(entry)], today)
        if small:
            return replace(small, why="it is the first choice among those whose names say that they are small")
    return choose_offered(facts, capability, [entry.name for entry in offered], today)


def _cheapest(offered: "Iterable[Entry]") -> Choice | None:
    """The lowest sum of a thousand tokens in and out, among general models whose price is known."""
    priced = [
        (entry.prices.input_text + entry.prices.output_text, entry.name)
        for entry in offered
        if entry.can("chat")
        and set(entry.capabilities) <= _GENERAL
        and entry.prices is not None
        and entry.prices.input_text is not None
        and entry.prices.output_text is not None
    ]
    if len(priced) < 2:  # one known price says nothing about the others
        return None
    return Choice(min(priced)[1], f"its list price is the lowest of the {len(priced)} known here")


def _is_small(entry: "Entry") -> bool:
    return bool(_SMALL.search(entry.name.casefold().rpartition("/")[2]))
