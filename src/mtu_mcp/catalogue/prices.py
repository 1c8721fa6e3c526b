"""What makers publish as their prices: lines, steps by the length of a request, tables of pictures, shares of the cache.

Everything here is CNY, per 1,000 tokens or by the piece. What a maker publishes in another currency is converted once,
when it is read, at the rate that the data names (`currencies`); `converted` keeps that it was. A gateway may multiply
list prices, so every sum made of them is an estimate and says so (`costs`). What stands in for a price nobody has
published, where a cap needs a figure, is the matter of `assumptions`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Self

_TITLES: Final = {
    "input_text": "text in",
    "input_audio": "sound in",
    "input_image": "pictures and video in",
    "output_text": "text out",
    "output_thinking": "text out, when the model thinks",
    "output_text_media": "text out, when pictures, sound or video went in",
    "output_audio": "sound out (the text beside it is free)",
    "output_image": "pictures out",
    "picture": "each picture made",
    "second": "each second of sound heard",
    "characters": "1,000 characters spoken",
    "search": "each search",
    "call": "each call",
}
_SHARES: Final = {
    "cached_share": "cached text in",
    "marked_share": "text in from a cache that the request marked",
    "written_share": "text in that is kept in a cache",
}
TOKEN_LINES: Final = tuple(name for name in _TITLES if name.startswith(("input_", "output_")))
"""Lines that are paid by the token; the others are paid by the piece."""
PIECE_LINES: Final = tuple(name for name in _TITLES if name not in TOKEN_LINES)
SHARES: Final = (*_SHARES, "batch_share")
_OF_PICTURES: Final = ("size", "quality", "usual")


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One line of a price list: what is paid for, and CNY per 1,000 tokens of it, or for each where it says so."""

    item: str
    title: str
    cny: float


@dataclass(frozen=True, slots=True)
class Tier:
    """Lines that hold for all tokens of a request, in and out, whose input is longer than so many tokens.

    That a step counts for the whole request and not for the part beyond it is Alibaba's rule ("all tokens of the
    request are charged at the price of its step"), and OpenAI's, Google's and xAI's alike.
    """

    above: int
    input_text: float | None = None
    input_audio: float | None = None
    input_image: float | None = None
    output_text: float | None = None
    output_thinking: float | None = None

    def lines(self) -> dict[str, float]:
        """The lines that this step gives."""
        found = ((line.name, getattr(self, line.name)) for line in fields(self) if line.name != "above")
        return {name: value for name, value in found if value is not None}


@dataclass(frozen=True, slots=True)
class PicturePrice:
    """What one picture costs; an empty size or quality stands for each of them, `usual` is what nobody asks for."""

    cny: float
    size: str = ""
    quality: str = ""
    usual: bool = False


@dataclass(frozen=True, slots=True)
class Prices:
    """A model's price lines, CNY per 1,000 tokens unless they say otherwise; None where no line is published.

    Attributes:
        input_text: Text in.
        input_audio: Sound in.
        input_image: Pictures and video in.
        output_text: Text out; where `output_text_media` is given, only for input that is text alone.
        output_thinking: Text out, thoughts and answer, when the model thinks; None where that makes no difference.
        output_text_media: Text out when any picture, sound or video went in.
        output_audio: Sound out; the text that goes with it is then free.
        output_image: Tokens of pictures out.
        picture: Each picture made; its tokens out are then free.
        pictures: The same by size and quality, where it differs.
        second: Each second of sound heard; tokens of such a call are then free.
        characters: 1,000 characters spoken; tokens of such a call are then free.
        search: Each search, beside the tokens.
        call: Each call, beside everything else.
        cached_share: Share of the input price for tokens that the maker found in its cache unasked.
        marked_share: The same for a cache that the request marked (`cache_control`).
        written_share: Share of the input price for tokens that are kept in a cache.
        batch_share: Share of the price in a batch, such as 0.5; None where batches are not offered.
        tiers: Other lines for longer requests, by rising length.
        converted: From what currency at what rate, such as "USD at CNY 7.5"; empty for yuan.
        source: Where the lines were published, and when.
    """

    input_text: float | None = None
    input_audio: float | None = None
    input_image: float | None = None
    output_text: float | None = None
    output_thinking: float | None = None
    output_text_media: float | None = None
    output_audio: float | None = None
    output_image: float | None = None
    picture: float | None = None
    pictures: tuple[PicturePrice, ...] = ()
    second: float | None = None
    characters: float | None = None
    search: float | None = None
    call: float | None = None
    cached_share: float | None = None
    marked_share: float | None = None
    written_share: float | None = None
    batch_share: float | None = None
    tiers: tuple[Tier, ...] = ()
    converted: str = ""
    source: str = ""

    @classmethod
    def read(
        cls, raw: Mapping[str, Any], *, rate: float = 1.0, tokens: int = 1_000, converted: str = "", source: str = ""
    ) -> Self:
        """Prices from a mapping with these names.

        Args:
            raw: As in `figures.json` or an operator's file.
            rate: CNY for one of its currency.
            tokens: For how many tokens its lines are: makers publish them by the million.
            converted: As in `Prices`.
            source: As in `Prices`.
        """
        values: dict[str, Any] = {name: value for name, value in raw.items() if name in SHARES}
        values |= _in_yuan(raw, rate, tokens)
        tiers = sorted(raw.get("tiers", ()), key=lambda step: step["above"])
        values["tiers"] = tuple(Tier(above=step["above"], **_in_yuan(step, rate, tokens)) for step in tiers)
        values["pictures"] = tuple(
            PicturePrice(round(each["price"] * rate, 9), **{name: each[name] for name in _OF_PICTURES if name in each})
            for each in raw.get("pictures", ())
        )
        return cls(**values, converted=converted, source=source)

    def at(self, input_tokens: int) -> Self:
        """The lines for a request of that length."""
        step = next((tier for tier in reversed(self.tiers) if input_tokens > tier.above), None)
        return replace(self, **step.lines()) if step else self

    def per_picture(self, size: str = "", quality: str = "") -> float | None:
        """What one picture costs: the dearest of those that may be meant, since "auto" may become any.

        Where nothing is asked for and the maker says what is then made, it is that.
        """
        usual = next((each for each in self.pictures if each.usual), PicturePrice(0.0))
        size, quality = size or usual.size, quality or usual.quality
        fitting = [each.cny for each in self.pictures if _may_be(each.size, size) and _may_be(each.quality, quality)]
        return max(fitting or [each.cny for each in self.pictures], default=self.picture)

    def lines(self, *, whole: bool = True) -> tuple[PriceLine, ...]:
        """The lines that are published, for a table.

        Args:
            whole: Whether steps, shares and the single prices of pictures are told too; else only the dearest picture.
        """
        known = ((item, getattr(self, item)) for item in _TITLES)
        found = [PriceLine(item, _TITLES[item], value) for item, value in known if value is not None]
        if not whole:
            dearest = max((each.cny for each in self.pictures), default=None)
            return (*found, *([PriceLine("pictures", "each picture made, at most", dearest)] if dearest else []))
        return (*found, *self._finer())

    def _finer(self) -> Iterator[PriceLine]:
        for item, title in _SHARES.items():
            if (share := getattr(self, item)) is not None and self.input_text is not None:
                yield PriceLine(item, title, round(share * self.input_text, 9))
        for each in self.pictures:
            told = " ".join(filter(None, ("each", each.quality, each.size, "picture made")))
            yield PriceLine("pictures", told, each.cny)
        for tier in self.tiers:
            for item, value in tier.lines().items():
                yield PriceLine(item, f"{_TITLES[item]}, above {tier.above:,} tokens of input", value)


def _in_yuan(raw: Mapping[str, Any], rate: float, tokens: int) -> dict[str, float]:
    """The lines of a mapping, per 1,000 tokens or by the piece; nine digits, so that 0.3 / 1000 reads as it was meant."""
    paid = {name: raw[name] * rate * 1_000 / tokens for name in TOKEN_LINES if name in raw}
    paid |= {name: raw[name] * rate for name in PIECE_LINES if name in raw}
    return {name: round(value, 9) for name, value in paid.items()}


def _may_be(listed: str, asked: str) -> bool:
    return not listed or asked in ("", "auto") or listed == asked
