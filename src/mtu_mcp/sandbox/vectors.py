"""Vectors that are near for near texts: words and character n-grams, hashed into place and normalised.

Not a model: it knows spelling and not meaning, so "car" and "automobile" are strangers here while "car" and "cars" are
not. Words count most, very short ones little; trigrams make inflections near; Chinese, which has no spaces, is taken
by its characters and their pairs. The same text always gives the same vector, on every machine.
"""

import base64
import math
import re
import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator

_WORD = re.compile(r"[^\W_]+")
_IDEOGRAPHS = re.compile(r"[぀-ヿ㐀-䶿一-鿿가-힯]+")
_SPREAD = 4
"""Places one feature is written to, so that two features seldom cancel each other out."""


def embed_text(text: str, dimensions: int) -> list[float]:
    """The vector of a text, of length 1."""
    return _vector(_features(text.lower()), dimensions)


def embed_tokens(tokens: Iterable[int], dimensions: int) -> list[float]:
    """The vector of a text that came as token numbers; nobody here can read them, so each is a word of its own."""
    return _vector(((f"token {number}", 1.0) for number in tokens), dimensions)


def packed(vector: Iterable[float]) -> str:
    """A vector as base64 of little-endian 32-bit floats, the API's other encoding."""
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(numbers.tobytes()).decode("ascii")


def _features(text: str) -> Iterator[tuple[str, float]]:
    for run in _IDEOGRAPHS.findall(text):
        yield from ((character, 0.6) for character in run)
        yield from ((run[at : at + 2], 1.0) for at in range(len(run) - 1))
    for word in _WORD.findall(_IDEOGRAPHS.sub(" ", text)):
        yield f"word {word}", 1.0 if len(word) > 3 else 0.3
        edged = f"<{word}>"
        yield from ((edged[at : at + 3], 0.25) for at in range(len(edged) - 2) if len(word) > 3)
    if not _WORD.search(text):
        yield f"signs {text}", 1.0


def _vector(features: Iterable[tuple[str, float]], dimensions: int) -> list[float]:
    values = [0.0] * dimensions
    for feature, weight in features:
        for salt in range(_SPREAD):
            mark = zlib.crc32(f"{salt}{feature}".encode("utf-8", "replace"))
            values[(mark >> 1) % dimensions] += weight if mark & 1 else -weight
    length = math.sqrt(sum(value * value for value in values))
    if not length:  # everything cancelled out, which a handful of dimensions makes possible
        return [1.0, *values[1:]]
    return [value / length for value in values]
