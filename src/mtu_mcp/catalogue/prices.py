"""What a call cost, as far as a published price list can tell.

Prices are the makers' list prices in CNY, per 1,000 tokens or by the piece. A gateway may multiply them, and discounts
for cached input are not taken off, so every figure is an estimate and says so. A model without a known price has no
cost rather than a guessed one; what stands in where a cap needs a figure is the matter of `assumptions`.
"""

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Protocol

_TITLES = {
    "input_text": "text in",
    "input_audio": "sound in",
    "input_image": "pictures and video in",
    "output_text": "text out",
    "output_text_media": "text out, when pictures, sound or video went in",
    "output_audio": "sound out (the text beside it is free)",
    "picture": "each picture made",
    "second": "each second of sound heard",
    "characters": "1,000 characters spoken",
    "search": "each search",
    "call": "each call",
}


class UsageLike(Protocol):
    """What a gateway counted; the parts are None where it did not say."""

    @property
    def input_tokens(self) -> int:
        """Tokens in, of all kinds."""
        ...

    @property
    def output_tokens(self) -> int:
        """Tokens out, of all kinds."""
        ...

    @property
    def input_text(self) -> int | None:
        """Of these in, text."""
        ...

    @property
    def input_image(self) -> int | None:
        """Of these in, pictures."""
        ...

    @property
    def input_audio(self) -> int | None:
        """Of these in, sound."""
        ...

    @property
    def input_video(self) -> int | None:
        """Of these in, frames of video."""
        ...

    @property
    def output_audio(self) -> int | None:
        """Of these out, sound."""
        ...


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One line of a price list: what is paid for, and CNY per 1,000 tokens of it, or for each where it says so."""

    item: str
    title: str
    cny: float


@dataclass(frozen=True, slots=True)
class Prices:
    """A model's price lines, CNY per 1,000 tokens unless they say otherwise; None where no line is published.

    Attributes:
        input_text: Text in.
        input_audio: Sound in.
        input_image: Pictures and video in.
        output_text: Text out; where `output_text_media` is given, only for input that is text alone.
        output_text_media: Text out when any picture, sound or video went in.
        output_audio: Sound out; the text that goes with it is then free.
        picture: Each picture made; tokens of such a call are then free.
        second: Each second of sound heard; tokens of such a call are then free.
        characters: 1,000 characters spoken; tokens of such a call are then free.
        search: Each search, beside the tokens.
        call: Each call, beside everything else.
        batch_share: Share of the price in a batch, such as 0.5; None where batches are not offered.
        source: Where the lines were published, and when.
    """

    input_text: float | None = None
    input_audio: float | None = None
    input_image: float | None = None
    output_text: float | None = None
    output_text_media: float | None = None
    output_audio: float | None = None
    picture: float | None = None
    second: float | None = None
    characters: float | None = None
    search: float | None = None
    call: float | None = None
    batch_share: float | None = None
    source: str = ""

    def lines(self) -> tuple[PriceLine, ...]:
        """The lines that are published, for a table."""
        found = ((item, getattr(self, item)) for item in _TITLES)
        return tuple(PriceLine(item, _TITLES[item], value) for item, value in found if value is not None)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call cost.

    Attributes:
        cny: Yuan.
        estimated: Always true: list prices are not a bill.
        basis: How it was reckoned, in words.
    """

    cny: float
    estimated: Literal[True]
    basis: str


class Pieces(NamedTuple):
    """What is paid for by the piece: pictures made, seconds of sound heard, characters spoken, searches."""

    pictures: int = 0
    seconds: float = 0.0
    characters: int = 0
    searches: int = 0


NO_PIECES: Final = Pieces()


def cost(
    prices: Prices, usage: UsageLike, *, media: bool = False, batch: bool = False, pieces: Pieces = NO_PIECES
) -> Cost | None:
    """What a call cost by a price list, or None if the list lacks a line that is needed.

    Args:
        prices: The model's lines.
        usage: What the gateway counted.
        media: Whether pictures, sound or video went in, for a gateway that does not count them apart.
        batch: Whether it was part of a batch.
        pieces: What there was beside tokens.
    """
    by_piece, instead = _by_piece(prices, pieces)
    parts = [] if instead else _parts(prices, usage, media=media)
    if any(price is None for _, _, price in parts):
        return None
    share = prices.batch_share if batch else 1.0
    if share is None:
        return None
    total = (sum(count * (price or 0.0) for count, _, price in parts) / 1000 + by_piece) * share
    told = " + ".join(f"{count:,} {what} at {price:g}" for count, what, price in parts) or "no tokens"
    if by_piece:
        told += f" + {by_piece:g} CNY by the piece"
    unsplit = "; media counted as text, since the gateway did not count it apart" if media and not _media(usage) else ""
    discount = f"; batch, {share:.0%} of the price" if batch else ""
    source = f" ({prices.source})" if prices.source else ""
    # Nine digits: a sum of floats such as 0.0064000000000000003 should read as it was meant.
    return Cost(round(total, 9), True, f"{told} CNY per 1,000 tokens{discount}{unsplit}{source}")


def _by_piece(prices: Prices, pieces: Pieces) -> tuple[float, bool]:
    """What is paid by the piece, and whether that is instead of tokens."""
    instead = [
        (pieces.pictures, prices.picture),
        (pieces.seconds, prices.second),
        (pieces.characters / 1000, prices.characters),
    ]
    flat = [count * price for count, price in instead if count and price is not None]
    beside = pieces.searches * (prices.search or 0.0) + (prices.call or 0.0)
    return sum(flat) + beside, bool(flat)


def _parts(prices: Prices, usage: UsageLike, *, media: bool) -> list[tuple[int, str, float | None]]:
    """Tokens, what they are, and their price, for each kind there is."""
    pictures = (usage.input_image or 0) + (usage.input_video or 0)
    sound = usage.input_audio or 0
    # Whatever the parts leave unexplained is text; so is everything when there are no parts.
    text = max(usage.input_text or 0, usage.input_tokens - pictures - sound)
    spoken = (usage.output_audio or 0) if prices.output_audio is not None else 0
    written = 0 if spoken else usage.output_tokens
    dearer = prices.output_text_media if (media or _media(usage)) else None
    parts = [
        (text, "text in", prices.input_text),
        (sound, "sound in", prices.input_audio),
        (pictures, "pictures and video in", prices.input_image),
        (written, "text out", dearer if dearer is not None else prices.output_text),
        (spoken, "sound out", prices.output_audio),
    ]
    return [part for part in parts if part[0] > 0]


def _media(usage: UsageLike) -> bool:
    return bool(usage.input_image or usage.input_audio or usage.input_video)
