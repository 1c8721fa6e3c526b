"""How models are spelt, and which name someone probably meant.

One model has many spellings: `openai/gpt-4o`, `models/gpt-4o`, `gpt-4o-2024-08-06`, `GPT-4o`. Facts are kept once, so
each spelling leads to shorter ones until one is known.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

NEAREST: Final = 3
# Longer than any model's name; what comes from outside must not make matching slow.
LENGTH: Final = 120
CUTOFF: Final = 0.6
SHORTEST: Final = 4
"""Letters that mean a name they are only a part of, as "qwen2.5" does `Qwen/Qwen2.5-7B-Instruct`."""

# -2025-04-14, -20250514, -0919, -latest, @20241022, and a channel after a colon as in :free
_SNAPSHOT: Final = re.compile(r"(-\d{4}-\d{2}-\d{2}|-\d{8}|-\d{4}|-latest|@[\w.-]+|:[\w.-]+)$")


def spellings(name: str) -> tuple[str, ...]:
    """The name in lower case, then without vendor, then without date or `-latest`: from exact to loose."""
    folded = name.strip().casefold()
    found = [folded, folded.rpartition("/")[2]]
    for spelling in tuple(found):
        shorter = _SNAPSHOT.sub("", spelling)
        while shorter not in found:
            found.append(shorter)
            shorter = _SNAPSHOT.sub("", shorter)
    return tuple(dict.fromkeys(spelling for spelling in found if spelling))


def nearest(name: str, known: Iterable[str], limit: int = NEAREST) -> tuple[str, ...]:
    """The known names most like a name, best first; empty when none is like it.

    Vendor prefixes, case, blanks and punctuation do not count, so "qwen omni turbo" finds `qwen-omni-turbo` and
    "gpt4o" finds `gpt-4o`. A part of a name finds it as well, behind those that are like it as a whole.
    """
    import difflib

    wanted = _letters(name)
    if not wanted:
        return ()
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(wanted)
    scored: list[tuple[float, int, str]] = []
    for candidate in dict.fromkeys(known):
        letters = _letters(candidate)
        if len(wanted) >= SHORTEST and wanted in letters:
            scored.append((-max(CUTOFF, len(wanted) / len(letters)), len(candidate), candidate))
            continue
        matcher.set_seq1(letters)
        if matcher.real_quick_ratio() < CUTOFF or matcher.quick_ratio() < CUTOFF:
            continue
        score = matcher.ratio()
        if score >= CUTOFF:
            scored.append((-score, len(candidate), candidate))
    return tuple(candidate for _, _, candidate in sorted(scored)[:limit])


def _letters(name: str) -> str:
    folded = unicodedata.normalize("NFKC", name[:LENGTH]).casefold().rpartition("/")[2]
    return "".join(character for character in folded if character.isalnum())
