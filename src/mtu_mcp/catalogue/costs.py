"""What a call cost by a price list.

| what | how it counts |
|---|---|
| a request longer than a step | all its tokens at the lines of that step (`prices.Tier`) |
| thoughts | with any, all text out at `output_thinking`, where there is such a line |
| tokens from a cache | at the share of the input price; those of a cache the request marked at theirs; not in a batch |
| tokens kept in a cache | at their share, which is more than the price |
| pictures out | by their tokens where the gateway counted them and they have a line, else by the picture |
| sound heard, characters spoken | by the second and by the 1,000, in place of tokens, where they have a line |
| searches, calls | beside everything else |

That batches and caches do not go together is Alibaba's rule; where a maker allows both, the sum is a little high.
With `most`, for a call that has not been made, every doubt counts as the dearer: the model thinks, and nothing comes out
of a cache.
"""

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Protocol

from mtu_mcp.catalogue.prices import Prices


class UsageLike(Protocol):
    """What a gateway counted; the parts are None where it did not say."""

    @property
    def input_tokens(self) -> int:
        """Tokens in, of all kinds, cached ones included."""
        ...

    @property
    def output_tokens(self) -> int:
        """Tokens out, of all kinds, thoughts included."""
        ...

    @property
    def cached_tokens(self) -> int:
        """Of these in, found in a cache."""
        ...

    @property
    def cache_written(self) -> int:
        """Of these in, kept in a cache."""
        ...

    @property
    def cache_marked(self) -> bool:
        """Whether the cache was one that the request marked."""
        ...

    @property
    def reasoning_tokens(self) -> int:
        """Of these out, thoughts."""
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

    @property
    def estimated(self) -> bool:
        """Whether nobody counted and this is a guess."""
        ...


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
    """What is paid for by the piece: pictures made (of a size and quality), seconds heard, characters spoken, searches."""

    pictures: int = 0
    seconds: float = 0.0
    characters: int = 0
    searches: int = 0
    size: str = ""
    quality: str = ""
    marked: bool = False
    """Whether the request marks what is to be kept in a cache."""


NO_PIECES: Final = Pieces()


class _Part(NamedTuple):
    tokens: int
    what: str
    price: float | None


def cost(
    prices: Prices,
    usage: UsageLike,
    *,
    media: bool = False,
    batch: bool = False,
    pieces: Pieces = NO_PIECES,
    most: bool = False,
) -> Cost | None:
    """What a call cost by a price list, or None if the list lacks a line that is needed.

    Args:
        prices: The model's lines.
        usage: What the gateway counted.
        media: Whether pictures, sound or video went in, for a gateway that does not count them apart.
        batch: Whether it was part of a batch.
        pieces: What there was beside tokens.
        most: Whether the call is still to be made and this is the most it may cost.
    """
    lines = prices.at(usage.input_tokens)
    by_piece, paid_so = _by_piece(lines, usage, pieces)
    parts: list[_Part] = []
    if paid_so != "all":
        parts += _input(lines, usage, pieces, saved=not batch and not most)
    if not paid_so:
        parts += _output(lines, usage, media=media, most=most)
    if paid_so == "pictures":  # what goes in counts beside a picture's own price only where it has one
        parts = [part for part in parts if part.price is not None]
    if any(part.price is None for part in parts):
        return None
    share = lines.batch_share if batch else 1.0
    if share is None:
        return None
    total = (sum(part.tokens * (part.price or 0.0) for part in parts) / 1000 + by_piece) * share
    # Nine digits: a sum of floats such as 0.0064000000000000003 should read as it was meant.
    return Cost(round(total, 9), True, _told(lines, usage, parts, by_piece, share=share, media=media))


def _told(lines: Prices, usage: UsageLike, parts: list[_Part], by_piece: float, *, share: float, media: bool) -> str:
    told = " + ".join(f"{part.tokens:,} {part.what} at {part.price:g}" for part in parts) or "no tokens"
    if by_piece:
        told += f" + {by_piece:g} CNY by the piece"
    unsplit = "; media counted as text, since the gateway did not count it apart" if media and not _media(usage) else ""
    discount = f"; batch, {share:.0%} of the price" if share != 1.0 else ""
    converted = f"; converted from {lines.converted}" if lines.converted else ""
    source = f" ({lines.source})" if lines.source else ""
    return f"{told} CNY per 1,000 tokens{discount}{unsplit}{converted}{source}"


def _by_piece(prices: Prices, usage: UsageLike, pieces: Pieces) -> tuple[float, str]:
    """What is paid by the piece, and what that is in place of: "" nothing, "pictures" what comes out, "all" tokens."""
    beside = pieces.searches * (prices.search or 0.0) + (prices.call or 0.0)
    if pieces.seconds and prices.second is not None:
        return pieces.seconds * prices.second + beside, "all"
    if pieces.characters and prices.characters is not None:
        return pieces.characters / 1000 * prices.characters + beside, "all"
    each = prices.per_picture(pieces.size, pieces.quality) if pieces.pictures else None
    by_tokens = prices.output_image is not None and usage.output_tokens and not usage.estimated
    if each is not None and not by_tokens:
        return pieces.pictures * each + beside, "pictures"
    return beside, ""


def _input(prices: Prices, usage: UsageLike, pieces: Pieces, *, saved: bool) -> list[_Part]:
    """Tokens in, what they are, and their price, for each kind there is."""
    pictures = (usage.input_image or 0) + (usage.input_video or 0)
    sound = usage.input_audio or 0
    # Whatever the parts leave unexplained is text; so is everything when there are no parts.
    text = max(usage.input_text or 0, usage.input_tokens - pictures - sound)
    kinds = [
        (text, "text in", prices.input_text),
        (pictures, "pictures and video in", prices.input_image),
        (sound, "sound in", prices.input_audio),
    ]
    kept = prices.written_share or 1.0
    if usage.estimated:  # the whole of it may be kept, if the maker does so unasked or the request asks for it
        dearer = kept if pieces.marked or prices.marked_share is None else 1.0
        return [_Part(count, what, _times(price, dearer)) for count, what, price in kinds if count]
    shares = [("kept in a cache, ", usage.cache_written, kept)]
    if saved and (share := _found_share(prices, usage)) is not None:
        shares.insert(0, ("cached, ", usage.cached_tokens, share))
    return _shared(kinds, shares)


def _shared(kinds: list[tuple[int, str, float | None]], shares: list[tuple[str, int, float]]) -> list[_Part]:
    """The kinds with what is from a cache or goes into one told apart; text first, for media are rarely cached."""
    parts: list[_Part] = []
    left = {label: count for label, count, _ in shares}
    for count, what, price in kinds:
        rest = count
        for label, _, share in shares:
            some = min(rest, left[label])
            if some > 0:
                left[label] -= some
                rest -= some
                parts.append(_Part(some, label + what, _times(price, share)))
        if rest > 0:
            parts.append(_Part(rest, what, price))
    return parts


def _found_share(prices: Prices, usage: UsageLike) -> float | None:
    if usage.cache_marked and prices.marked_share is not None:
        return prices.marked_share
    return prices.cached_share


def _output(prices: Prices, usage: UsageLike, *, media: bool, most: bool) -> list[_Part]:
    """Tokens out, what they are, and their price."""
    spoken = (usage.output_audio or 0) if prices.output_audio is not None else 0
    written = 0 if spoken else usage.output_tokens
    line, what = prices.output_text, "text out"
    if prices.output_text_media is not None and (media or _media(usage)):
        line = prices.output_text_media
    if prices.output_thinking is not None and (usage.reasoning_tokens or most):
        line = max(prices.output_thinking, line or 0.0) if most else prices.output_thinking
        what = "text and thoughts out"
    if prices.output_image is not None:
        line, what = prices.output_image, "pictures out"
    parts = [_Part(written, what, line), _Part(spoken, "sound out", prices.output_audio)]
    return [part for part in parts if part.tokens > 0]


def _times(price: float | None, share: float) -> float | None:
    return None if price is None else price * share


def _media(usage: UsageLike) -> bool:
    return bool(usage.input_image or usage.input_audio or usage.input_video)
