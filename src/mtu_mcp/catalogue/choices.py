"""Which model does a thing when nobody named one.

Preference lists are data, best first. What a maker has taken away goes behind what it has not, by today's date, so
the lists age well: a gateway may still serve a retired model, and then it is better than none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from mtu_mcp.catalogue.names import spellings

if TYPE_CHECKING:
    from mtu_mcp.catalogue.facts import Facts


@dataclass(frozen=True, slots=True)
class Choice:
    """A model and why it was taken.

    Attributes:
        model: Its name.
        why: In words that finish the sentence "It was chosen because".
        expected: Whether anybody would have expected it; if not, an answer should say why.
        asked: The word that was asked for, when it was an alias such as "best" and no model's name.
    """

    model: str
    why: str
    expected: bool = True
    asked: str = ""


def preferred(facts: "Facts", capability: str, today: date) -> tuple[str, ...]:
    """The preference list as of a day: what is retired by then comes last."""
    return tuple(sorted(facts.preferences(capability), key=lambda name: facts.entry(name).retired(today)))


def choose_offered(facts: "Facts", capability: str, offered: Sequence[str], today: date) -> Choice | None:
    """The best offered model, or None if none of them is known to do it.

    First the preference list; then any model known for it; then, for chat, one nothing is known of: a gateway with
    a single model of its own is common.
    """
    index = _by_spelling(offered)
    for name in preferred(facts, capability, today):
        if found := index.get(name):
            if facts.entry(found).retired(today):
                return Choice(
                    found, "the gateway offers no other for this, though its maker retired it", expected=False
                )
            return Choice(found, "it is the first of the preference list that the gateway offers")
    entries = [facts.entry(name) for name in offered]
    able = sorted((entry for entry in entries if entry.can(capability)), key=lambda entry: entry.retired(today))
    if able:
        return Choice(
            able[0].name, "the gateway offers none of the preferred ones, and this one can do it", expected=False
        )
    unknown = [entry.name for entry in entries if not entry.capabilities]
    if capability == "chat" and unknown:
        return Choice(unknown[0], "it is the first the gateway offers, and none of them is known here", expected=False)
    return None


def first_offered(wanted: Iterable[str], offered: Iterable[str]) -> str:
    """The first of a list that is offered in any spelling, as the gateway spells it; empty if none is."""
    index = _by_spelling(offered)
    return next((found for name in wanted if (found := index.get(name))), "")


def _by_spelling(offered: Iterable[str]) -> dict[str, str]:
    """For each spelling the offered name that comes closest to it; of several snapshots the newest."""
    best: dict[str, tuple[int, str]] = {}
    for name in sorted(offered, reverse=True):
        for looseness, spelling in enumerate(spellings(name)):
            if spelling not in best or looseness < best[spelling][0]:
                best[spelling] = (looseness, name)
    return {spelling: name for spelling, (_, name) in best.items()}
