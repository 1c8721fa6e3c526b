"""How many tokens a text is before a gateway has counted it, and the most that Qwen-Omni makes of pictures, sound and video.

Text is an estimate: every vendor has a tokenizer of its own. For media the published bounds per family are data here
(Alibaba Cloud Model Studio, Qwen-Omni page, captures of 2025-04 and 2026-01): a cap is checked against the most a
picture can be, so its size need not be known.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# Compiled at first use, by `re` itself: it takes longer than all the rest of this module.
_IDEOGRAPHS: Final = r"[\u1100-\u11ff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff00-\uffef]"
_ASTRAL: Final = r"[\U00010000-\U0010ffff]"


@dataclass(frozen=True, slots=True)
class OmniRates:
    """How one family of Qwen-Omni counts, in tokens.

    Attributes:
        audio_per_second: Of sound.
        image_max: Most of a picture.
        frame_max: Most of a video frame.
        video_max: Most of a whole video; its frames are made smaller until they fit.
        image_max_fine: Most of a picture with `vl_high_resolution_images`, or None where that has no meaning.
    """

    audio_per_second: float
    image_max: int
    frame_max: int
    video_max: int
    image_max_fine: int | None = None


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
