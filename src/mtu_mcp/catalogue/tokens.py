"""How many tokens a picture, a sound, a video or a text is before a gateway has counted it.

The Qwen-Omni formulas are the published ones (Alibaba Cloud Model Studio, Qwen-Omni page, captures of 2025-04 and
2026-01), so a limit can be checked and a price told before anything is sent. The figures per family (`OmniRates`)
are data; only the arithmetic is here. Text is an estimate: every vendor has a tokenizer of its own.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# Sampling: a video is looked at twice a second, and frames are counted in pairs.
FRAMES_PER_SECOND: Final = 2
MARKERS: Final = 2
RATIO_LIMIT: Final = 200

# Compiled at first use, by `re` itself: it takes longer than all the rest of this module.
_IDEOGRAPHS: Final = r"[\u1100-\u11ff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff00-\uffef]"
_ASTRAL: Final = r"[\U00010000-\U0010ffff]"


@dataclass(frozen=True, slots=True)
class OmniRates:
    """How one family of Qwen-Omni counts.

    Attributes:
        patch: Side in pixels of the square that is one token (28 or 32).
        audio_per_second: Tokens per second of sound.
        image_min: Fewest patches of a picture.
        image_max: Most patches of a picture.
        image_max_fine: Most patches with `vl_high_resolution_images`, or None where that has no meaning.
        frame_min: Fewest patches of a video frame. Captures of the documentation disagree for the families before
            3.5: 128 (January 2026) or 64 (later). The data holds 128: it only matters for small frames, and there
            an estimate that is too high is the safe one where a limit or a cap is checked.
        frame_max: Most patches of a video frame.
        frames_min: Fewest frames a video is sampled to; where captures disagree (4 or 2) the larger, as above.
        frames_max: Most frames a video is sampled to.
        video_max: Patches a whole video may have before its frames are made smaller.
    """

    patch: int
    audio_per_second: float
    image_min: int
    image_max: int
    frame_min: int
    frame_max: int
    frames_min: int
    frames_max: int
    video_max: int
    image_max_fine: int | None = None


def image_size(width: int, height: int, rates: OmniRates, *, fine: bool = False) -> tuple[int, int]:
    """Width and height in pixels that a picture is resized to before it is read.

    Both are rounded to the nearest multiple of a patch; a picture that is then too large or too small is scaled by
    the root of the ratio of areas, taken from the sides as they came.
    """
    most = rates.image_max_fine if fine and rates.image_max_fine else rates.image_max
    return _resize(width, height, rates.patch, rates.image_min, most)


def image_tokens(width: int, height: int, rates: OmniRates, *, fine: bool = False) -> int:
    """Tokens of one picture: its patches and two markers.

    Args:
        width: Pixels.
        height: Pixels.
        rates: The family's figures.
        fine: Whether the request asks for `vl_high_resolution_images`.
    """
    wide, high = image_size(width, height, rates, fine=fine)
    return wide // rates.patch * (high // rates.patch) + MARKERS


def audio_tokens(seconds: float, rates: OmniRates) -> int:
    """Tokens of a sound; less than a second counts as one, a fraction of a token as a whole one."""
    if seconds <= 0:
        return 0
    return math.ceil(max(seconds, 1.0) * rates.audio_per_second)


def video_frames(frames: int, fps: float, rates: OmniRates) -> int:
    """How many frames of a video file are looked at.

    Two a second of its whole seconds (of all of it when the fraction is over half a second), at least the family's
    minimum, at most its maximum, and never more than there are.

    Args:
        frames: Frames in the file.
        fps: Frames per second of the file.
        rates: The family's figures.
    """
    seconds = frames / fps if fps > 0 else 0.0
    if seconds - int(seconds) <= 1 / FRAMES_PER_SECOND:
        seconds = float(int(seconds))
    sampled = max(seconds * FRAMES_PER_SECOND, rates.frames_min)
    return int(min(sampled, rates.frames_max // 2 * 2, frames))


def frame_size(width: int, height: int, count: int, rates: OmniRates) -> tuple[int, int]:
    """Width and height in pixels that each of `count` frames is resized to.

    Raises:
        ValueError: One side is more than 200 times the other.
    """
    if max(width, height) > RATIO_LIMIT * min(width, height):
        raise ValueError(f"One side of {width}x{height} is more than {RATIO_LIMIT} times the other.")
    share = rates.video_max / max(count, 1) * 2
    # 1.05: a long video's share may fall under the minimum; there must stay room between the two to round in.
    area = rates.patch**2
    most = max(min(rates.frame_max, share) * area, int(rates.frame_min * area * 1.05)) / area
    return _resize(width, height, rates.patch, rates.frame_min, most, floor=1)


def frames_tokens(width: int, height: int, count: int, rates: OmniRates) -> int:
    """Tokens of `count` frames, sampled from a video or sent as a list: they count in pairs, plus two markers.

    Raises:
        ValueError: One side is more than 200 times the other.
    """
    wide, high = frame_size(width, height, count, rates)
    return math.ceil(count / 2) * (wide // rates.patch) * (high // rates.patch) + MARKERS


def video_tokens(
    width: int, height: int, frames: int, fps: float, rates: OmniRates, *, sound_seconds: float = 0.0
) -> int:
    """Tokens of a video file: its sampled frames, and its sound if it has any.

    The published sample code divides by 32 even for the 28-pixel families; that contradicts its own table, so the
    family's patch is used.

    Args:
        width: Pixels.
        height: Pixels.
        frames: Frames in the file.
        fps: Frames per second of the file.
        rates: The family's figures.
        sound_seconds: Length of its sound; 0 for a silent one.

    Raises:
        ValueError: One side is more than 200 times the other.
    """
    looked_at = video_frames(frames, fps, rates)
    return frames_tokens(width, height, looked_at, rates) + audio_tokens(sound_seconds, rates)


def estimate_text_tokens(text: str) -> int:
    """About how many tokens a text is, without any vendor's tokenizer.

    Chinese, Japanese and Korean characters count one each, ASCII a quarter, emoji and other rare characters two,
    all other letters a half: rather high than low for the tokenizers of today, so a history that is trimmed by it
    fits. It costs a few milliseconds per megabyte.
    """
    ascii_count = len(text.encode("ascii", "ignore"))
    if ascii_count == len(text):
        return math.ceil(ascii_count / 4)
    ideographs = len(text) - len(re.sub(_IDEOGRAPHS, "", text))
    astral = len(text) - len(re.sub(_ASTRAL, "", text))
    others = len(text) - ascii_count - ideographs - astral
    return math.ceil(ascii_count / 4 + ideographs + 2 * astral + others / 2)


def fit(turns_token_counts: Sequence[int], window: int, reserve: int, *, starts: Sequence[bool] | None = None) -> int:
    """How many leading turns to drop so that the rest and the answer fit a model's window.

    The newest turns stay, and a question is dropped only together with what answered it. The last question is never
    dropped, so the rest may still be too long: then the caller has something to refuse.

    Args:
        turns_token_counts: Tokens of each turn, oldest first; without `starts` they alternate user, assistant.
        window: Tokens the model can take.
        reserve: Tokens to keep free, for the answer and for what is always sent (the system prompt).
        starts: For each turn, whether a history may begin with it (a user's turn); for histories with tool turns.
    """
    if starts is None:
        starts = [index % 2 == 0 for index in range(len(turns_token_counts))]
    left = sum(turns_token_counts)
    if left <= window - reserve:
        return 0
    dropped = 0
    for index, (count, start) in enumerate(zip(turns_token_counts, starts, strict=True)):
        if start:
            dropped = index
            if left <= window - reserve:
                break
        left -= count
    return dropped


def _resize(width: int, height: int, patch: int, fewest: float, most: float, *, floor: int = 0) -> tuple[int, int]:
    """Sides as multiples of a patch, with an area between `fewest` and `most` patches; `floor` patches a side."""
    wide = max(floor, round(width / patch)) * patch
    high = max(floor, round(height / patch)) * patch
    area = patch**2
    if wide * high > most * area:
        shrink = math.sqrt(width * height / (most * area))
        # A very long picture would lose its short side altogether.
        wide = max(1, math.floor(width / shrink / patch)) * patch
        high = max(1, math.floor(height / shrink / patch)) * patch
    elif wide * high < fewest * area:
        grow = math.sqrt(fewest * area / (width * height))
        wide = math.ceil(width * grow / patch) * patch
        high = math.ceil(height * grow / patch) * patch
    return wide, high
