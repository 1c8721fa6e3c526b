"""What a syllable sounds like: a voiced tone with two formants, as 16-bit samples at 24 kHz.

Not a voice and not meant to be taken for one: a person hears the rhythm of the text, the pitch of the voice asked for and
which of three vowels a syllable has. A harmonic series at the voice's pitch is weighted by two resonances (the classic
vowel chart of Peterson and Barney, 1952, rounded) and faded in and out, so that syllables can be laid side by side
without a click.
"""

import math
import sys
from array import array
from collections.abc import Mapping
from functools import lru_cache

RATE = 24_000
"""Samples a second, as the Audio API's own speech has."""

PITCHES: Mapping[str, int] = {
    "alloy": 165,
    "ash": 115,
    "ballad": 130,
    "coral": 210,
    "echo": 120,
    "fable": 150,
    "onyx": 95,
    "nova": 225,
    "sage": 190,
    "shimmer": 240,
    "verse": 140,
    "marin": 200,
    "cedar": 105,
}
"""Voices of the Audio API, and the pitch in Hz each has here."""

_FORMANTS = ((730, 1090), (530, 1840), (570, 840))
VOWELS = len(_FORMANTS)
_HIGHEST = 3_000
_LOUDNESS = 9_000
_FADE_SECONDS = 0.018


@lru_cache(maxsize=64)
def syllable(pitch: int, vowel: int, count: int) -> bytes:
    """One syllable as s16le: `count` samples at `pitch` Hz, silent at both ends; `vowel` is taken modulo `VOWELS`."""
    low, high = _FORMANTS[vowel % VOWELS]
    weights = [_weight(pitch * harmonic, low, high) for harmonic in range(1, _HIGHEST // pitch + 1)]
    total = math.sqrt(sum(weight * weight for weight in weights))
    step = 2 * math.pi * pitch / RATE
    # A voice falls a little towards the end of a syllable.
    fall = 0.06 / max(count, 1)
    samples = array("h")
    for at in range(count):
        phase = step * at * (1 - fall * at / 2)
        level = sum(weight * math.sin(phase * harmonic) for harmonic, weight in enumerate(weights, 1))
        samples.append(round(_LOUDNESS * _envelope(at, count) * level / total))
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()


def _weight(frequency: float, low: int, high: int) -> float:
    """A resonance at each formant, on a spectrum that falls as a glottis' does."""
    peaks = 1 / (1 + ((frequency - low) / 110) ** 2) + 0.5 / (1 + ((frequency - high) / 150) ** 2)
    return (0.15 + peaks) / math.sqrt(max(frequency, 100) / 100)


def _envelope(at: int, count: int) -> float:
    fade = min(_FADE_SECONDS * RATE, count / 3)
    edge = min(at, count - 1 - at)
    return 1.0 if edge >= fade else 0.5 - 0.5 * math.cos(math.pi * edge / max(fade, 1))
