"""What is assumed of a model whose price nobody has published, where a cap must hold all the same.

A cap that let unknown prices pass would be none. So once a cap is set, or the user wants to be asked, a model without a
price is counted at the ceiling of its kind, and everything it is shown in says that this is assumed. The figures stand
in `models.json`; the section `assumed` of an operator's own file changes them, and a price given there for the model
itself does away with the assumption.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from mtu_mcp.catalogue.prices import Prices

KINDS: Final = ("text", "pictures", "listening", "speech", "vectors", "judging", "searching", "other")


@dataclass(frozen=True, slots=True)
class Figures:
    """Amounts that a request does not tell, deliberately on the high side.

    Attributes:
        output: Tokens of an answer without a bound.
        thinking_output: The same, of a model that thinks.
        picture: Tokens of a picture to look at, where the model's own rates are not known.
        made: Tokens of a picture made.
        frame: Tokens of one picture of a video to look at.
        video: The same, of a whole video.
        sound: Tokens of a second of sound.
        sound_seconds: Length of a sound, where neither its size nor the model's limits tell it.
        stored: Tokens of a file given by its id, or of an earlier response.
        searches: Searches that one question leads to.
        search: Tokens that they bring in.
        research: Tokens that a researching model reads.
    """

    output: int = 4_096
    thinking_output: int = 8_192
    picture: int = 3_000
    made: int = 6_300
    frame: int = 800
    video: int = 20_000
    sound: int = 25
    sound_seconds: int = 1_200
    stored: int = 32_000
    searches: int = 3
    search: int = 20_000
    research: int = 500_000


@dataclass(frozen=True, slots=True)
class Assumed:
    """Ceiling prices by kind of endpoint, and the amounts that go with them."""

    prices: Mapping[str, Prices] = field(default_factory=dict[str, Prices])
    figures: Figures = Figures()


NOTHING: Final = Assumed()


def kind_of(endpoint: str) -> str:
    """Which of `KINDS` an endpoint belongs to, by its path."""
    for start, kind in _STARTS:
        if endpoint.startswith(start):
            return kind
    return "other"


_STARTS: Final = (
    ("chat/completions", "text"),
    ("responses", "text"),
    ("completions", "text"),
    ("images/", "pictures"),
    ("audio/speech", "speech"),
    ("audio/", "listening"),
    ("embeddings", "vectors"),
    ("moderations", "judging"),
    ("ai_search/", "searching"),
)
