"""How wide a text stands in a terminal: Chinese characters take two columns, and what has no width takes none.

Source: Unicode Standard Annex 11, East Asian Width. Its ambiguous characters count as one column, as terminals with
UTF-8 have it.
"""

import unicodedata
from collections.abc import Iterator
from typing import Final

_NO_BREAK_BEFORE: Final = frozenset("，。；：、！？）》」』】”’…,.;:!?)]}")
_NO_BREAK_AFTER: Final = frozenset("（《「『【“‘([{")


def width(text: str) -> int:
    """Return the columns that a line takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def padded(text: str, columns: int) -> str:
    """Return a text with spaces up to a width; one that is wider stays as it is."""
    return text + " " * (columns - width(text))


def cut(text: str, columns: int) -> str:
    """Return as much of a text as stands in a width."""
    while width(text) > columns:
        text = text[:-1]
    return text


def wrapped(text: str, columns: int) -> list[str]:
    """Break a paragraph into lines of at most so many columns; white space between words is one space.

    Lines break at spaces and beside wide characters, but not before closing punctuation nor after an opening bracket.
    A word that alone is wider stays whole.
    """
    lines: list[str] = []
    line, gap = "", ""
    for piece in _pieces(text):
        if piece == " ":
            gap = " " if line else ""
            continue
        if line and width(line + gap + piece) > columns:
            lines.append(line)
            line, gap = "", ""
        line += gap + piece
        gap = ""
    return [*lines, line] if line else lines


def _pieces(text: str) -> Iterator[str]:
    """What a line cannot be broken inside of, and single spaces."""
    piece = ""
    for character in " ".join(text.split()):
        if character == " ":
            yield from (piece, " ") if piece else (" ",)
            piece = ""
        elif piece and _may_break(piece[-1], character):
            yield piece
            piece = character
        else:
            piece += character
    if piece:
        yield piece


def _may_break(before: str, after: str) -> bool:
    wide = _columns(before) == 2 or _columns(after) == 2
    return wide and after not in _NO_BREAK_BEFORE and before not in _NO_BREAK_AFTER


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Cf", "Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
