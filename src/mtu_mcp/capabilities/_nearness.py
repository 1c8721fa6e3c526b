"""Which texts are near each other, by the cosine of their vectors, in plain Python.

A few hundred texts are compared pair by pair. For more, that would take minutes, so every vector is first shortened to
the signs of its numbers: equal signs are counted in one instruction a word, and only the likeliest pairs are compared
in full (sign random projection: Charikar, "Similarity estimation techniques from rounding algorithms", 2002).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest
from itertools import combinations
from operator import mul
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mtu_mcp.gateway.embeddings import Vector

MOST_PAIRED: Final = 3_000
"""Texts up to which pairs are looked for: some four million pairs, a second or two."""
MOST_PRODUCTS: Final = 30_000_000
"""Multiplications up to which every pair is compared in full: about a second."""
CANDIDATES: Final = 500
"""Pairs compared in full after the signs have been."""


@dataclass(frozen=True, slots=True)
class Near:
    """Two texts, or a text and a query, by their places, and the cosine of their vectors."""

    one: int
    other: int
    cosine: float


def nearest_to(query: Vector, vectors: Sequence[Vector], most: int) -> list[Near]:
    """Return the places whose vectors are nearest to the query's, nearest first; `one` is -1."""
    asked = _measured(query)
    found = (Near(-1, place, _cosine(*asked, *_measured(vector))) for place, vector in enumerate(vectors))
    return nlargest(most, found, key=lambda near: near.cosine)


def nearest_pairs(vectors: Sequence[Vector], most: int) -> tuple[list[Near], bool]:
    """Return the nearest pairs, nearest first, and whether every pair was compared in full.

    Args:
        vectors: At most MOST_PAIRED of them, of one length.
        most: How many pairs.
    """
    count = len(vectors)
    complete = count * (count - 1) // 2 * len(vectors[0]) <= MOST_PRODUCTS if vectors else True
    pairs = combinations(range(count), 2) if complete else _likeliest(vectors, max(CANDIDATES, 10 * most))
    numbers = _Numbers(vectors)
    found = (Near(a, b, _cosine(*numbers[a], *numbers[b])) for a, b in pairs)
    return nlargest(most, found, key=lambda near: near.cosine), complete


class _Numbers(dict[int, tuple[list[float], float]]):
    """The numbers of a vector as a list, which is several times faster to walk than an array, and its length."""

    def __init__(self, vectors: Sequence[Vector]) -> None:
        super().__init__()
        self._vectors = vectors

    def __missing__(self, place: int) -> tuple[list[float], float]:
        self[place] = _measured(self._vectors[place])
        return self[place]


def _likeliest(vectors: Sequence[Vector], wanted: int) -> list[tuple[int, int]]:
    """The pairs whose signs differ least. Numbers are measured from their mean, or all vectors would lean one way."""
    signs = _signs(vectors)
    found: list[tuple[int, int, int]] = []
    bound = len(vectors[0]) + 1
    for one, sign in enumerate(signs):
        differences = [(sign ^ other).bit_count() for other in signs[one + 1 :]]
        found += [(apart, one, one + 1 + at) for at, apart in enumerate(differences) if apart < bound]
        if len(found) > 4 * wanted:
            found = sorted(found)[:wanted]
            bound = found[-1][0]
    return [(one, other) for _, one, other in sorted(found)[:wanted]]


def _signs(vectors: Sequence[Vector]) -> list[int]:
    sums = [0.0] * len(vectors[0])
    for vector in vectors:
        sums = list(map(float.__add__, sums, vector))
    means = [total / len(vectors) for total in sums]
    return [int("".join("1" if above else "0" for above in map(float.__gt__, vector, means)), 2) for vector in vectors]


def _measured(vector: Vector) -> tuple[list[float], float]:
    numbers = vector.tolist()
    return numbers, math.sqrt(_product(numbers, numbers))


def _cosine(one: list[float], length: float, other: list[float], other_length: float) -> float:
    return _product(one, other) / (length * other_length) if length and other_length else 0.0


def _product(one: list[float], other: list[float]) -> float:
    return math.sumprod(one, other) if sys.version_info >= (3, 12) else sum(map(mul, one, other))
