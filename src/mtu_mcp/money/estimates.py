"""What a call may cost before it is sent, and what it cost when it has ended.

Before: the request is counted (`gateway.demands`), what it leaves open is filled with the model's limits or the figures
of `catalogue.assumptions`, and the sum is taken by the model's list price, or by the ceiling price of its kind.

| endpoint | goes in | comes out |
|---|---|---|
| chat, responses, completions | the texts; pictures, sound and video at the most the model counts for them; searches and stored files at assumed amounts | `max_tokens` times `n`, else the model's most, at most 4,096 (8,192 if it thinks) |
| images | the prompt and pictures | `n` pictures |
| transcription, translation | seconds: measured, else by the size of the thinnest sound | what fits in them |
| speech | the characters | sound of them |
| embeddings, moderation | the texts and pictures | nothing |
| Baidu search | | one call |
| a batch | each of its lines by its own endpoint, at half the price | the same |
| fine-tuning; a batch whose lines nobody counted | cannot be told | |
| everything else that spends | as chat, and a flat sum | as chat |

Before, every doubt counts as the dearer: the step of the price list that so many tokens can reach, thoughts where they
cost more, nothing found in a cache. After: what the gateway counted, by the same prices. Where it counted nothing, an answer costs what went in and what arrived; one that came whole and does not
show all it may have cost (thoughts, pictures, sound) costs what was estimated before. A call that never reached the gateway,
or that it refused, costs nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from mtu_mcp.catalogue import Pieces, cost, kind_of
from mtu_mcp.gateway import Usage
from mtu_mcp.gateway.demands import tokens

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mtu_mcp.catalogue import Assumed, Entry, Figures, Prices
    from mtu_mcp.gateway import Exchange
    from mtu_mcp.gateway.demands import Demand

HALF: Final = 0.5
"""OpenAI and Model Studio both bill batches at half the price."""
BOUNDED: Final = ("chat/completions", "responses", "completions")
"""Endpoints whose answers a request can bound."""
LONGEST: Final = 65_536
"""Tokens of the longest answer of a model whose limit is not known."""
_UNTOLD: Final = ("batches", "fine_tuning/")
_MARKS: Final = 2
"""Tokens around each picture that Model Studio counts with it: its beginning and its end."""
_CERTAINTY: Final = ("none", "list", "assumed", "unknown")
_THINKING: Final = ("always_thinks", "thinks_by_default", "no_sampling")


@dataclass(frozen=True, slots=True)
class Charge:
    """CNY, and by which prices: "list", "assumed", "unknown" (then None), or "none" where nothing is owed."""

    cny: float | None
    basis: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a call cost, and the amounts that make it up."""

    charge: Charge
    usage: Usage | None
    pieces: Pieces


def foreseen(entry: Entry, endpoint: str, demand: Demand, assumed: Assumed, *, ceilings: bool) -> Charge:
    """The most a call may cost.

    Args:
        entry: The model.
        endpoint: As in the API's paths.
        demand: What the request asks for.
        assumed: Ceilings.
        ceilings: Whether they stand in for a price that is not known; else the charge is unknown.
    """
    if demand.lines:
        return _together(
            _by_line(foreseen(entry, demand.line_endpoint, line, assumed, ceilings=ceilings), entry)
            for line in demand.lines
        )
    if endpoint.startswith(_UNTOLD):
        return Charge(math.inf if ceilings else None, "unknown")
    usage, pieces = bound(entry, endpoint, demand, assumed.figures)
    return _charge(entry, endpoint, usage, pieces, assumed if ceilings else None, media=demand.has_media, most=True)


def batched(entry: Entry, endpoint: str, usage: Usage, assumed: Assumed, *, ceilings: bool) -> Charge:
    """What a line of a batch cost, by what was counted; `endpoint` is the line's."""
    uncached = replace(usage, cached_tokens=0)  # caches and batches do not go together (`catalogue.costs`)
    return _by_line(finished(entry, endpoint, uncached, assumed, ceilings=ceilings), entry)


def finished(entry: Entry, endpoint: str, usage: Usage, assumed: Assumed, *, ceilings: bool) -> Charge:
    """What work cost of which only the count is known, not what was asked."""
    media = bool(usage.input_image or usage.input_audio or usage.input_video)
    pieces = Pieces(searches=usage.searches)
    return _charge(entry, endpoint, usage, pieces, assumed if ceilings else None, media=media)


def _by_line(charge: Charge, entry: Entry) -> Charge:
    """The price of a line from that of a call: half, where no other share is published, as every batch API has it."""
    share = entry.prices.batch_share if entry.prices else None
    return Charge(None if charge.cny is None else charge.cny * (HALF if share is None else share), charge.basis)


def _together(charges: Iterable[Charge]) -> Charge:
    """The sum; its basis is the least certain of all."""
    total, basis = 0.0, "none"
    for one in charges:
        total += one.cny or 0.0
        basis = max(basis, one.basis, key=_CERTAINTY.index)
    return Charge(None if basis == "unknown" else round(total, 9), basis)


class Spread(NamedTuple):
    """What a call of open end may cost: at the shortest answer worth asking for, at a usual one, at the longest.

    Attributes:
        least: CNY.
        usual: CNY.
        most: CNY.
        shortest: Tokens.
        longest: Tokens.
        allowed: Tokens that may be asked for without being more than the model takes.
    """

    least: float
    usual: float
    most: float
    shortest: int
    longest: int
    allowed: int

    def tokens(self, held: float) -> int:
        """Tokens of answer that a sum pays for; what they cost grows with their number alone."""
        if held >= self.most or self.most <= self.least:
            return self.longest
        share = (held - self.least) / (self.most - self.least)
        return min(self.allowed, self.shortest + int(share * (self.longest - self.shortest)))


def spread(entry: Entry, endpoint: str, demand: Demand, assumed: Assumed) -> Spread | None:
    """What a call without a bound on its answer may cost; None where it has one, or nobody can set it.

    Args:
        entry: The model.
        endpoint: As in the API's paths.
        demand: What the request asks for.
        assumed: Ceilings, for prices that are not known.
    """
    if demand.max_out is not None or endpoint not in BOUNDED or entry.can("research"):
        return None
    if "markdown_images" in entry.traits:
        return None
    usual = usual_output(entry, assumed.figures)
    longest = entry.max_output or LONGEST
    shortest = min(usual // 4, longest)

    def at(count: int) -> float:
        charge = foreseen(entry, endpoint, replace(demand, max_out=count), assumed, ceilings=True)
        return charge.cny or 0.0

    allowed = longest if entry.max_output else usual
    return Spread(at(shortest), at(min(usual, longest)), at(longest), shortest, longest, allowed)


def field_of(entry: Entry, endpoint: str) -> str:
    """The field that bounds an answer."""
    if endpoint == "responses":
        return "max_output_tokens"
    if endpoint == "chat/completions" and "max_completion_tokens" in entry.traits:
        return "max_completion_tokens"
    return "max_tokens"


def settled(entry: Entry, exchange: Exchange, assumed: Assumed, *, ceilings: bool) -> Settlement:
    """What a call that has ended cost; `entry`, `assumed` and `ceilings` as in `foreseen`."""
    if not exchange.owed:
        return Settlement(Charge(0.0, "none"), None, Pieces())
    most, pieces = bound(entry, exchange.endpoint, exchange.demand, assumed.figures)
    usage = _counted(exchange) or (_arrived(most, exchange) if _shown(entry, exchange) else most)
    pieces = pieces._replace(
        pictures=exchange.made or pieces.pictures,
        seconds=(usage.seconds or pieces.seconds) if pieces.seconds else 0.0,
        searches=usage.searches or min(pieces.searches, 1),
    )
    media = exchange.demand.has_media
    charge = _charge(entry, exchange.endpoint, usage, pieces, assumed if ceilings else None, media=media)
    return Settlement(charge, usage, pieces)


def bound(entry: Entry, endpoint: str, demand: Demand, figures: Figures) -> tuple[Usage, Pieces]:
    """The most tokens and pieces a request can come to, as far as it or the model's limits tell."""
    kind = kind_of(endpoint)
    searches = figures.searches if demand.searches or "chat_search" in entry.traits else 0
    text = demand.text_in + demand.stored * figures.stored + (figures.search if searches else 0)
    text += figures.research if entry.can("research") else 0
    seconds = _seconds(entry, demand, figures, listening=kind == "listening")
    sound = math.ceil(seconds * (entry.rates.audio_per_second if entry.rates else figures.sound))
    pictures = demand.pictures_in * (_most(entry, "image_max_fine", "image_max", else_=figures.picture) + _MARKS)
    video = demand.videos * _most(entry, "video_max", else_=figures.video)
    video += demand.frames * _most(entry, "frame_max", else_=figures.frame)
    out = _out(entry, kind, demand, figures, seconds)
    usage = Usage(
        input_tokens=text + sound + pictures + video,
        output_tokens=out,
        input_text=text,
        input_audio=sound or None,
        input_image=pictures or None,
        input_video=video or None,
        output_audio=out if demand.speaks or kind == "speech" else None,
        estimated=True,
    )
    return usage, Pieces(
        pictures=demand.answers if kind == "pictures" else 0,
        seconds=seconds if kind == "listening" else 0.0,
        characters=demand.characters,
        searches=searches,
        size=demand.size,
        quality=demand.quality,
        marked=demand.caches,
    )


def _out(entry: Entry, kind: str, demand: Demand, figures: Figures, seconds: float) -> int:
    """Tokens that may come back."""
    if kind in ("vectors", "judging", "searching"):
        return 0
    if kind == "pictures":
        return demand.answers * figures.made
    if kind == "speech":
        return 2 * demand.characters
    if kind == "listening":
        return math.ceil(8 * seconds)
    if demand.max_out is not None:
        return demand.answers * demand.max_out
    return demand.answers * usual_output(entry, figures)


def usual_output(entry: Entry, figures: Figures) -> int:
    """Tokens of an answer that nobody bounded."""
    most = figures.thinking_output if _thinks(entry) else figures.output
    return min(most, entry.max_output or most)


def _thinks(entry: Entry) -> bool:
    """Whether its answers may cost more than their words show."""
    return entry.can("reasoning") or entry.can("research") or any(trait in entry.traits for trait in _THINKING)


def _seconds(entry: Entry, demand: Demand, figures: Figures, *, listening: bool) -> float:
    """Seconds of sound that go in; a video's are no longer than the video may be."""
    limits = entry.limits
    sounds = max(demand.sounds, 1) if listening else demand.sounds
    longest = sounds * (limits.audio_seconds if limits else figures.sound_seconds)
    known = demand.seconds if not limits else min(demand.seconds, longest)
    video = demand.videos * (limits.video_seconds if limits else figures.sound_seconds)
    return (known or longest) + video


def _most(entry: Entry, *names: str, else_: int) -> int:
    return next((value for name in names if (value := getattr(entry.rates, name, None))), else_)


def _counted(exchange: Exchange) -> Usage | None:
    """What the gateway counted, unless it is nothing: some send zeroes where they did not count, and no model that is
    paid by tokens answers without any going in.
    """
    usage = exchange.usage
    if usage is None or usage.total_tokens or usage.seconds or usage.images:
        return usage
    return None


def _shown(entry: Entry, exchange: Exchange) -> bool:
    """Whether what arrived tells what an answer cost: it broke off, or it is text of a model that does not think."""
    if exchange.state != "done":
        return True
    return bool(exchange.partial) and exchange.endpoint in BOUNDED and not _thinks(entry)


def _arrived(most: Usage, exchange: Exchange) -> Usage:
    """What went in, and as much of an answer as is here."""
    return replace(most, output_tokens=tokens(exchange.partial), output_audio=None)


def _charge(
    entry: Entry,
    endpoint: str,
    usage: Usage,
    pieces: Pieces,
    assumed: Assumed | None,
    *,
    media: bool,
    most: bool = False,
) -> Charge:
    kind = kind_of(endpoint)
    counted = bool(usage.input_tokens or usage.output_tokens) and not (usage.estimated and kind == "pictures")
    if entry.prices is not None and (counted or _has_pieces(entry.prices)):
        known = cost(entry.prices, usage, media=media, pieces=pieces, most=most)
        if known is not None:
            return Charge(known.cny, "list")
    ceiling = assumed.prices.get(kind) if assumed else None
    if ceiling is not None:
        guess = cost(ceiling, usage, media=media, pieces=pieces, most=most)
        if guess is not None:
            return Charge(guess.cny, "assumed")
    return Charge(None, "unknown")


def _has_pieces(prices: Prices) -> bool:
    """Whether something of it is paid by the piece: then nothing need be counted."""
    return bool(prices.pictures) or any(getattr(prices, line) is not None for line in _BY_PIECE)


_BY_PIECE: Final = ("picture", "second", "characters", "call")
