"""Counting tokens: text by a rule of our own, media by the formulas Model Studio publishes for Qwen-Omni.

Text: a run of at most six letters or digits is a token (with the space before it), and so is any other character, which
makes one token a Chinese character and about four letters of English. The same pieces are what streams send and what
`max_tokens` cuts, so all three agree.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

_PIECE = re.compile(r"\s*(?:[A-Za-z0-9À-ɏЀ-ӿ']{1,6}|\S)|\s+")
MESSAGE_TOKENS = 3
"""Added for every message, and once for the answer's beginning (OpenAI's cookbook has the same figures)."""


def pieces(text: str) -> list[str]:
    """Text cut into tokens; joined they are the text again."""
    return _PIECE.findall(text)


def count_text(texts: Iterable[str]) -> int:
    """Tokens of the texts of a conversation, the marks around each message included."""
    return sum(len(pieces(text)) + MESSAGE_TOKENS for text in texts) + MESSAGE_TOKENS


@dataclass(frozen=True, slots=True)
class Rates:
    """The figures of one Qwen-Omni generation: tokens a second of sound, pixels of a patch's side, limits in patches.

    Source: the table of the Qwen-Omni pages (2025-09 for turbo and flash, 2026 for 3.5).
    """

    audio_in: float
    audio_out: float
    patch: int
    image_low: int
    image_high: int
    frame_low: int
    frame_high: int
    frames_low: int
    frames_high: int
    total: int


TURBO = Rates(25, 25, 28, 4, 1280, 128, 768, 4, 80, 16384)
FLASH = Rates(12.5, 12.5, 32, 4, 1280, 128, 768, 2, 128, 16384)
LATER = Rates(7, 12.5, 32, 24, 1280, 64, 640, 2, 2048, 180224)


def count_sound(seconds: float, rate: float) -> int:
    """Tokens of a sound; less than a second counts as a second."""
    return math.ceil(max(seconds, 1.0) * rate)


def fit(height: int, width: int, patch: int, low: int, high: int) -> tuple[int, int]:
    """The size a picture is scaled to: sides are multiples of `patch`, area between `low` and `high` patches."""
    tall, wide = max(patch, round(height / patch) * patch), max(patch, round(width / patch) * patch)
    unit = patch * patch
    if tall * wide > high * unit:
        scale = math.sqrt(height * width / (high * unit))
        return max(patch, math.floor(height / scale / patch) * patch), max(
            patch, math.floor(width / scale / patch) * patch
        )
    if tall * wide < low * unit:
        scale = math.sqrt(low * unit / (height * width))
        return math.ceil(height * scale / patch) * patch, math.ceil(width * scale / patch) * patch
    return tall, wide


def count_image(height: int, width: int, rates: Rates) -> int:
    """Tokens of a picture: its patches and two marks."""
    tall, wide = fit(height, width, rates.patch, rates.image_low, rates.image_high)
    return tall * wide // (rates.patch * rates.patch) + 2


def count_frames(height: int, width: int, frames: int, rates: Rates) -> int:
    """Tokens of `frames` sampled pictures of a video: two share their patches, and two marks."""
    room = max(min(rates.frame_high, rates.total / frames * 2), int(rates.frame_low * 1.05))
    tall, wide = fit(height, width, rates.patch, rates.frame_low, int(room))
    return math.ceil(frames / 2) * (tall // rates.patch) * (wide // rates.patch) + 2


def frames_sampled(seconds: float, total: int, rates: Rates) -> int:
    """Pictures taken from a video file: two a second of its whole seconds (rounded up past the half)."""
    whole = math.floor(seconds) + (1 if seconds % 1 > 0.5 else 0)
    most = rates.frames_high - rates.frames_high % 2
    return int(min(max(whole * 2, rates.frames_low), most, max(total, 1)))


PRICES = {"text": 0.0004, "audio": 0.025, "image": 0.0015, "video": 0.0015}
"""CNY per 1,000 input tokens of qwen-omni-turbo (Model Studio, 2025-09)."""
PRICE_OUT_TEXT, PRICE_OUT_MEDIA = 0.0016, 0.0045
"""CNY per 1,000 output tokens: text alone in the input, or any media in it."""


def price(counts: dict[str, int], output: int) -> tuple[float, str]:
    """Cost in CNY and which of the two output lines applied."""
    media = any(counts.get(kind, 0) for kind in ("audio", "image", "video"))
    line, rate = ("media", PRICE_OUT_MEDIA) if media else ("text", PRICE_OUT_TEXT)
    cost = sum(PRICES[kind] * count for kind, count in counts.items()) + rate * output
    return round(cost / 1000, 8), line
