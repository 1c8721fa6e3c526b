"""Many texts to vectors, in as many calls as the model needs.

What a model takes in one call is documented for few models and differs by a factor of two hundred. So the known figure
is kept to, and where there is none, or the gateway says a call holds too much, smaller ones are tried: a refusal
costs nothing. A failure half-way keeps the vectors that came, since they are paid for.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import anyio

from mtu_mcp.errors import MtuError, Rejected
from mtu_mcp.gateway import EmbeddingRequest, current_scope

if TYPE_CHECKING:
    from mtu_mcp.app import App
    from mtu_mcp.catalogue import EmbeddingLimits
    from mtu_mcp.gateway.embeddings import Vector

LANES: Final = 4
"""Calls on their way at once."""
UNKNOWN_BATCH: Final = 256
"""Texts a call where no figure is published; jina and Gemini document 2,048 and 100."""
UNKNOWN_TOKENS: Final = 250_000
_TOO_MANY: Final = re.compile(
    r"batch|too many|too long|too large|maximum|at most|larger than|no more than|exceed", re.IGNORECASE
)
_FIGURE: Final = re.compile(
    r"(?:larger than|maximum length|maximum of|at most|more than|exceed)\D{0,12}(\d{1,5})\b", re.IGNORECASE
)
_ABOUT_ONE: Final = ("context_length_exceeded",)
"""Codes of refusals that smaller calls do not mend."""


def tokens_about(text: str) -> int:
    """Guess the tokens of a text from above: a Chinese character takes one or two, English three letters or more."""
    ascii_only = len(text.encode("ascii", "ignore"))
    return ascii_only // 3 + 2 * (len(text) - ascii_only) + 1


class Batches:
    """Texts on their way to vectors.

    Args:
        app: The running server.
        model: The model's name.
        texts: None of them empty.
        options: Further fields of each call.
        limits: What the model takes, where that is known.

    Attributes:
        vectors: By the texts' places; None where none came yet.
        failure: What ended it early.
    """

    def __init__(
        self, app: App, model: str, texts: Sequence[str], options: Mapping[str, Any], limits: EmbeddingLimits | None
    ) -> None:
        self.vectors: list[Vector | None] = [None] * len(texts)
        self.failure: MtuError | None = None
        self._gateway = app.gateway
        self._model = model
        self._texts = texts
        self._options = options
        self._most = (limits.batch if limits else None) or UNKNOWN_BATCH
        self._tokens = (limits.tokens_together if limits else None) or UNKNOWN_TOKENS
        self._waiting: deque[range] = deque()

    @property
    def done(self) -> int:
        """How many texts have their vector."""
        return sum(vector is not None for vector in self.vectors)

    async def run(self) -> None:
        """Embed all of them, or until a call fails."""
        self._waiting.append(range(len(self._texts)))
        async with anyio.create_task_group() as tasks:
            for _ in range(min(LANES, -(-len(self._texts) // self._most))):
                tasks.start_soon(self._lane)

    async def _lane(self) -> None:
        while self.failure is None and (places := self._next()):
            request = EmbeddingRequest(self._model, [self._texts[place] for place in places], self._options)
            try:
                answer = await self._gateway.embed(request)
            except MtuError as error:
                if smaller := _smaller(error, len(places)):
                    self._most = min(self._most, smaller)
                    self._waiting.appendleft(places)
                else:
                    self.failure = self.failure or error
                continue
            for place, vector in zip(places, answer.vectors, strict=True):
                self.vectors[place] = vector
            await current_scope().report(f"embedded {self.done:,} of {len(self._texts):,}", self.done, len(self._texts))

    def _next(self) -> range | None:
        """The next call's texts: as many as fit by number and by tokens, but at least one."""
        if not self._waiting:
            return None
        waiting = self._waiting.popleft()
        room = self._tokens
        taken = 0
        for place in waiting[: self._most]:
            room -= tokens_about(self._texts[place])
            if room < 0 and taken:
                break
            taken += 1
        if rest := waiting[taken:]:
            self._waiting.appendleft(rest)
        return waiting[:taken]


def _smaller(error: MtuError, size: int) -> int | None:
    """How many texts to try after a refusal of `size` of them; None when their number is not the trouble."""
    if not isinstance(error, Rejected) or size < 2 or error.code in _ABOUT_ONE:
        return None
    if error.status != 413 and not _TOO_MANY.search(error.message):
        return None
    named = _FIGURE.search(error.message)
    return int(named[1]) if named and 0 < int(named[1]) < size else size // 2
