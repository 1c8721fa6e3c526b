"""Finding an operation by words, in English or in the language of the gateway's own pages.

Seventy short texts need no index: each word of the question is looked for in the name, the group, the page titles
and the line of help, and counts for more the more telling the place. Chinese has no spaces, so pairs of characters
stand for words.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from mtu_mcp.gateway import Operation

_WORD: Final = re.compile(r"[a-z0-9]+|[一-鿿]+")
_IDLE: Final = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "to",
        "for",
        "my",
        "all",
        "me",
        "i",
        "in",
        "on",
        "at",
        "with",
        "by",
        "how",
        "do",
        "does",
        "is",
        "are",
        "what",
        "which",
        "openai",
        "api",
    ]
)
_SAME: Final[Mapping[str, str]] = {
    "retrieve": "get",
    "show": "get",
    "read": "get",
    "view": "get",
    "fetch": "get",
    "remove": "delete",
    "make": "create",
    "new": "create",
    "start": "create",
    "begin": "create",
    "change": "modify",
    "edit": "modify",
    "update": "modify",
    "stop": "cancel",
    "abort": "cancel",
    "download": "content",
    "finetune": "fine",
    "train": "tuning",
    "stored": "kept",
}
_PLACES: Final = (6, 4, 3, 1)
"""What a word counts for in the name, the group, the titles, and the help and path."""


def terms(text: str) -> list[str]:
    """What a text is searched by, in order, each once."""
    found: list[str] = []
    for word in _WORD.findall(text.lower()):
        if word[0] > "z":
            found += [word[place : place + 2] for place in range(max(len(word) - 1, 1))]
        elif word not in _IDLE:
            single = word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
            found.append(_SAME[single] if single in _SAME else single)  # noqa: SIM401 - the checker takes get for one that may give None
    return list(dict.fromkeys(found))


def ranked(words: str, operations: Iterable[Operation]) -> list[Operation]:
    """The operations that fit, best first; empty when none does."""
    wanted = terms(words)
    scored = [(_score(wanted, operation), operation) for operation in operations]
    best = max((score for score, _ in scored), default=0)
    fitting = [(score, operation) for score, operation in scored if score and score * 3 >= best]
    return [operation for _, operation in sorted(fitting, key=lambda pair: -pair[0])]


def _score(wanted: list[str], operation: Operation) -> int:
    places = (
        terms(operation.name.replace("_", " ")),
        terms(operation.group),
        terms(" ".join(operation.titles)),
        terms(f"{operation.help} {operation.path}"),
    )
    return sum(
        max((worth for worth, place in zip(_PLACES, places, strict=True) if term in place), default=0)
        for term in wanted
    )
