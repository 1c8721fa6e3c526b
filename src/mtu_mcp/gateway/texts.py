"""Text that grows piece by piece, at a cost that does not depend on how much is already there.

Two awkward cases live here. Qwen-MT (plus and turbo) sends the whole translation so far in every piece, where every
other model sends what is new; and some relays write the model's thoughts into the text, between `<think>` tags.
"""

import re
from typing import Final, Literal

from mtu_mcp.gateway.shapes import repaired

_OPEN: Final = "<think>"
_CLOSE: Final = "</think>"

Growth = Literal["append", "replace", "cumulative", "guess"]


def growth_of(model: str, grows: bool | None) -> Growth:
    """How a model's pieces follow each other.

    Args:
        model: The model's name; a provider's prefix before a slash does not matter.
        grows: True when each piece is known to hold everything so far, False when it is known not to.
    """
    if grows is not None:
        return "replace" if grows else "append"
    name = model.lower().rpartition("/")[2]
    if not name.startswith("qwen-mt"):
        return "append"
    if re.search(r"plus|turbo", name):
        return "cumulative"
    return "append" if re.search(r"flash|lite", name) else "guess"


class Text:
    """One text, added to piece by piece.

    Args:
        growth: "append" joins the pieces; "replace" keeps the last; "cumulative" keeps the last until a piece shows
            that a gateway made them incremental after all; "guess" joins unless every piece begins with the one before.
    """

    __slots__ = ("_growth", "_last", "_parts", "size")

    def __init__(self, growth: Growth = "append") -> None:
        self._growth: Growth = growth
        self._parts: list[str] = []
        self._last = ""
        self.size = 0

    def add(self, piece: str) -> None:
        """Take a piece; an empty one says nothing."""
        if not piece:
            return
        if self._growth == "append":
            self._parts.append(piece)
            self.size += len(piece)
        else:
            self._grow(piece)

    def value(self) -> str:
        """The text so far."""
        return repaired("".join(self._parts) if self._growth == "append" else self._last)

    def _grow(self, piece: str) -> None:
        if self._growth == "replace" or piece.startswith(self._last):
            if self._growth == "guess":  # kept in case a later piece shows that they were to be joined
                self._parts.append(piece)
        elif self._growth == "guess" or len(piece) < len(self._last) or piece[0] != self._last[0]:
            self._parts = [*(self._parts if self._growth == "guess" else (self._last,)), piece]
            self._growth = "append"
            self.size = sum(map(len, self._parts))
            return
        self._last = piece
        self.size = len(piece)


class ThoughtSplitter:
    """Splits `<think>thoughts</think>` off the beginning of a text that arrives in pieces."""

    __slots__ = ("_held", "_state")

    def __init__(self) -> None:
        self._state: Literal["start", "thinking", "after", "text"] = "start"
        self._held = ""

    def add(self, piece: str) -> tuple[str, str]:
        """Take a piece and give what is certain by now: thoughts, text."""
        if self._state == "text":
            return "", piece
        piece, self._held = self._held + piece, ""
        if self._state == "start":
            bare = piece.lstrip()
            if len(bare) < len(_OPEN) and _OPEN.startswith(bare):
                self._held = piece
                return "", ""
            if not bare.startswith(_OPEN):
                self._state = "text"
                return "", piece
            self._state = "thinking"
            piece = bare[len(_OPEN) :].lstrip("\n")
        if self._state == "thinking":
            return self._think(piece)
        return "", self._after(piece)

    def flush(self) -> tuple[str, str]:
        """Give what was held back, at the end."""
        held, self._held = self._held, ""
        return (held, "") if self._state == "thinking" else ("", held)

    def _think(self, piece: str) -> tuple[str, str]:
        thoughts, closed, rest = piece.partition(_CLOSE)
        if closed:
            self._state = "after"
            return thoughts, self._after(rest)
        # The tag may be cut: hold back the longest end that could begin it.
        for size in range(min(len(_CLOSE) - 1, len(piece)), 0, -1):
            if _CLOSE.startswith(piece[-size:]):
                self._held = piece[-size:]
                return piece[:-size], ""
        return piece, ""

    def _after(self, piece: str) -> str:
        text = piece.lstrip()
        if text:
            self._state = "text"
        return text
