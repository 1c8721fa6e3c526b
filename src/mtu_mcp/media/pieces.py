"""The pieces a long recording is cut into, and how long one may be."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Final

from mtu_mcp.media.kinds import Kind

PIECE_SECONDS: Final = 20 * 60.0
"""Long enough that few words are near a cut, short enough to be done again and to be within every model's limit."""
_SEARCHED_SECONDS: Final = 60.0
_OVERLAP_SECONDS: Final = 4.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a piece may be.

    Attributes:
        seconds: Its length.
        bytes: Its size.
        searched: The part of a piece, at its end, that a pause is looked for in.
        overlap: Seconds heard twice where there is no pause.
    """

    seconds: float = PIECE_SECONDS
    bytes: int = 24 * 1024 * 1024

    @property
    def searched(self) -> float:
        """The last minute, at most a third."""
        return min(1 / 3, _SEARCHED_SECONDS / self.seconds)

    @property
    def overlap(self) -> float:
        """Enough for some words, at most a tenth."""
        return min(_OVERLAP_SECONDS, self.seconds / 10)


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of a recording.

    Attributes:
        number: From 1.
        start: Seconds into the recording.
        end: The same.
        overlap: Seconds at its start that the piece before has too.
        name: A file name.
        kind: What it is.
        opener: Opens it, as often as needed.
    """

    number: int
    start: float
    end: float
    overlap: float
    name: str
    kind: Kind
    opener: Callable[[], BinaryIO]

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end - self.start
