"""Long material in pieces: several upstream calls for one answer, a few at a time.

What has been paid for is never thrown away because a later piece failed: after a failure no new call is begun, those under
way are finished, and the caller gets whatever there is, in order.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import anyio

from mtu_mcp.errors import MtuError
from mtu_mcp.gateway import current_scope

T = TypeVar("T")
S = TypeVar("S")

AT_ONCE: Final = 3
"""Calls under way at a time: enough to hide waiting, few enough for the rate limits of a small account."""

# Every stretch is bounded, or a line of a million dots is looked through from each of them anew.
_SENTENCE: Final = re.compile(
    r".{1,20000}?(?:[.!?…]{1,9}[\"'”’)\]]{0,9}(?=\s)|[。！？；…]{1,9}[”’」』）】]{0,9}|\n|$)\s*|.{1,20000}(?=\s)|.{1,20000}",
    re.DOTALL,
)
_CLAUSE: Final = re.compile(
    r".{1,20000}?(?:[,;:—–]{1,9}(?=\s)|[，、：]{1,9}|$)\s*|.{1,20000}(?=\s)|.{1,20000}", re.DOTALL
)
_WORD: Final = re.compile(r".{1,20000}?(?:\s+|$)|.{1,20000}", re.DOTALL)


async def in_pieces(
    pieces: Sequence[S], ask: Callable[[S], Awaitable[T]], doing: str
) -> tuple[list[T], MtuError | None]:
    """Ask for every piece.

    Args:
        pieces: What to ask for.
        ask: Asks for one.
        doing: What the host is told, such as "speaking".

    Returns:
        The results up to the first piece that failed, and that failure.
    """
    results: dict[int, T] = {}
    failures: dict[int, MtuError] = {}
    waiting = list(enumerate(pieces))[::-1]

    async def work() -> None:
        while waiting and not failures:
            place, piece = waiting.pop()
            try:
                results[place] = await ask(piece)
            except MtuError as error:
                failures[place] = error
            if len(pieces) > 1:
                told = f"{doing}: part {len(results)} of {len(pieces)}"
                await current_scope().report(told, len(results), len(pieces))

    async with anyio.create_task_group() as tasks:
        for _ in range(min(AT_ONCE, len(pieces))):
            tasks.start_soon(work)
    done = next((place for place in range(len(pieces)) if place not in results), len(pieces))
    return [results[place] for place in range(done)], failures[min(failures)] if failures else None


def split_text(text: str, most: int) -> list[str]:
    """Cut a text into parts of at most `most` characters: at the ends of sentences, else of clauses, else of words.

    Joined, the parts are the text again.
    """
    return _packed(text, most, (_SENTENCE, _CLAUSE, _WORD))


def _packed(text: str, most: int, patterns: Sequence[re.Pattern[str]]) -> list[str]:
    if len(text) <= most:
        return [text] if text else []
    if not patterns:
        return [text[at : at + most] for at in range(0, len(text), most)]
    parts = [""]
    for found in patterns[0].finditer(text):  # and not all at once, for other calls go on in between
        piece = found[0]
        for small in _packed(piece, most, patterns[1:]):
            if len(parts[-1]) + len(small) <= most:
                parts[-1] += small
            else:
                parts.append(small)
    return [part for part in parts if part]
