"""The arithmetic of likeness, below any client: what a shortcut finds has to be what the long way finds."""

import random
from array import array

import pytest

from mtu_mcp.capabilities import _nearness as nearness
from mtu_mcp.capabilities._vectors import tokens_about


def vectors(count: int, size: int) -> list["array[float]"]:
    dice = random.Random(7)
    return [array("f", (dice.gauss(0, 1) for _ in range(size))) for _ in range(count)]


def test_the_cosine_is_that_of_the_textbook() -> None:
    """Cosine similarity: the product of two vectors over that of their lengths."""
    a, b, c, none = (array("f", values) for values in ([1, 0], [3, 4], [-2, 0], [0, 0]))
    found, complete = nearness.nearest_pairs([a, b, c, none], 10)
    assert complete
    assert [(one.one, one.other, pytest.approx(one.cosine)) for one in found[:1]] == [(0, 1, 0.6)]
    assert found[-1].cosine == pytest.approx(-1)
    assert [one.other for one in nearness.nearest_to(a, [c, b, a], 2)] == [2, 1]


def test_the_shortcut_finds_planted_pairs_among_many() -> None:
    """Our promise: with thousands of texts near duplicates are still found, in seconds."""
    dice = random.Random(3)
    many = vectors(1_200, 256)
    for one, other in ((5, 900), (77, 78), (1_000, 3)):
        many[other] = array("f", (value + dice.gauss(0, 0.3) for value in many[one]))
    found, complete = nearness.nearest_pairs(many, 3)
    assert not complete
    assert {(near.one, near.other) for near in found} == {(5, 900), (77, 78), (3, 1_000)}


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_have_no_pairs(count: int) -> None:
    assert nearness.nearest_pairs(vectors(count, 8), 5) == ([], True)


@pytest.mark.parametrize(("text", "least"), [("", 1), ("hello world", 3), ("你好世界", 8), ("naïve 😀", 4)])
def test_tokens_are_guessed_from_above(text: str, least: int) -> None:
    """Our promise: a call is split before the gateway has to refuse it."""
    assert tokens_about(text) >= least
