"""Where a recording can be cut so that no word is cut with it.

A pause is a stretch much quieter than the speech around it; what counts is the difference, since recordings differ in
level by a factor of a hundred. Peaks of short frames say enough, so only some samples of each are looked at: two hours
are judged in a moment, without a library for numbers.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

FRAME: Final = 0.02
"""Seconds of one frame."""
_LOOKED_AT: Final = 40
"""Samples looked at in a frame."""
_STEPS: Final = (1, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47)
"""Steps through interleaved channels: none shares a factor with two or six of them, so none is passed over."""
_QUIET: Final = 0.05
"""Of the loud parts' level: 26 dB below them."""
_FLOOR: Final = 0.002
"""Of full scale: what lies under it is silence anywhere."""
_PAUSE: Final = 0.2
"""Seconds; shorter gaps lie between syllables."""
_LONG: Final = 2.0
"""Seconds beyond which a longer pause is no better."""


class Place(NamedTuple):
    """Where to cut: seconds from the beginning of the stretch, and whether there is a pause."""

    at: float
    pause: bool


def best_place(samples: Sequence[float], rate: int, full: float) -> Place:
    """The best place for a cut in a stretch of sound: the middle of its longest pause, else its quietest moment.

    Args:
        samples: Interleaved when there are several channels; at least one frame of them.
        rate: Samples a second, of all channels together.
        full: Full scale.
    """
    levels = _levels(samples, max(1, round(rate * FRAME)), full)
    loud = sorted(levels)[len(levels) * 19 // 20]
    limit = max(_FLOOR, _QUIET * loud)
    edges = [-1, *(index for index, level in enumerate(levels) if level > limit), len(levels)]
    runs = [(min(end - start - 1, round(_LONG / FRAME)), start + 1, end) for start, end in pairwise(edges)]
    length, start, end = max(runs)
    if length * FRAME >= _PAUSE:
        return Place((start + end) / 2 * FRAME, pause=True)
    return Place(_quietest(levels) * FRAME, pause=False)


def _levels(samples: Sequence[float], frame: int, full: float) -> list[float]:
    """The peak of each frame, 0 to 1."""
    step = max(step for step in _STEPS if step == 1 or step <= frame / _LOOKED_AT)
    starts = range(0, max(len(samples) - frame, 0) + 1, frame)
    return [max(map(abs, samples[start : start + frame : step]), default=0.0) / full for start in starts]


def _quietest(levels: Sequence[float]) -> float:
    """The middle of the quietest tenth of a second, the last of several."""
    width = min(5, len(levels))
    sums = [(sum(levels[at : at + width]), -at) for at in range(len(levels) - width + 1)]
    return -min(sums)[1] + width / 2
