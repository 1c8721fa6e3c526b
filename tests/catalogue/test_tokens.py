"""Tokens: what a text comes to, and histories that fit."""

import pytest

from mtu_mcp.catalogue import tokens


def test_text_is_estimated_by_script():
    """Our promise: ASCII four characters a token, Chinese one, emoji half; and empty is nothing."""
    assert tokens.estimate_text_tokens("") == 0
    assert tokens.estimate_text_tokens("a" * 400) == 100
    assert tokens.estimate_text_tokens("计算机科学") == 5
    assert tokens.estimate_text_tokens("привет") == 3
    assert tokens.estimate_text_tokens("😀😀") == 4
    assert tokens.estimate_text_tokens("half \ud83d") > 0


@pytest.mark.parametrize(
    ("counts", "window", "reserve", "dropped"),
    [
        ([], 10, 5, 0),
        ([5, 5, 5], 20, 5, 0),
        ([5, 5, 5], 19, 5, 2),
        ([1, 9, 1, 9, 1], 15, 0, 2),
        ([1, 9, 1, 9, 1], 10, 0, 4),
        ([1, 9, 1, 9], 10, 0, 2),
        ([1, 9, 50], 10, 0, 2),
        ([50], 10, 0, 0),
    ],
)
def test_the_oldest_pairs_are_dropped_and_the_last_question_never(
    counts: list[int], window: int, reserve: int, dropped: int
):
    """Our promise: the newest turns stay, and no answer is left without its question."""
    assert tokens.fit(counts, window, reserve) == dropped


def test_a_history_with_tool_turns_begins_with_a_question():
    """The OpenAI API reference: a tool's message must follow the call it answers."""
    counts = [5, 5, 5, 5, 5, 5]
    starts = [True, False, False, False, True, False]
    assert tokens.fit(counts, 25, 0, starts=starts) == 4
    assert tokens.fit(counts, 30, 0, starts=starts) == 0
    assert tokens.fit(counts, 1, 0, starts=starts) == 4
    assert tokens.fit([5, 5], 30, 0, starts=[False, True]) == 0
