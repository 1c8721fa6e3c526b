"""Tokens: the published formulas, to the token; and histories that fit."""

import pytest

from mtu_mcp.catalogue import tokens
from mtu_mcp.catalogue.facts import shipped
from mtu_mcp.catalogue.tokens import OmniRates


def rates(model: str) -> OmniRates:
    found = shipped().entry(model).rates
    assert found is not None
    return found


TURBO = rates("qwen-omni-turbo")
FLASH = rates("qwen3-omni-flash")
NEWEST = rates("qwen3.5-omni-plus")


@pytest.mark.parametrize(
    ("height", "width", "turbo", "flash"),
    [
        (1024, 1024, 1227, 1026),
        (640, 480, 393, 302),
        (3000, 4000, 1232, 1232),
        (100, 200, 30, 20),
    ],
)
def test_a_picture_counts_as_published(height: int, width: int, turbo: int, flash: int):
    """Alibaba Cloud Model Studio, Qwen-Omni: patches of 28 or 32 pixels between 4 and 1280, and two markers."""
    assert tokens.image_tokens(width, height, TURBO) == turbo
    assert tokens.image_tokens(width, height, FLASH) == flash


def test_a_tiny_picture_is_enlarged_to_the_minimum():
    """The same page: 28x28 becomes 56x56, so four patches and two markers."""
    assert tokens.image_size(28, 28, TURBO) == (56, 56)
    assert tokens.image_tokens(28, 28, TURBO) == 6
    assert tokens.image_tokens(28, 28, NEWEST) >= 24 + 2


@pytest.mark.parametrize(
    ("height", "width", "family", "size"),
    [
        (1024, 1024, TURBO, (980, 980)),
        (1024, 1024, FLASH, (1024, 1024)),
        (640, 480, TURBO, (476, 644)),
        (3000, 4000, TURBO, (1148, 840)),
        (3000, 4000, FLASH, (1312, 960)),
    ],
)
def test_a_picture_is_resized_as_published(height: int, width: int, family: OmniRates, size: tuple[int, int]):
    """The same page: both sides in whole patches, near the shape they had."""
    assert tokens.image_size(width, height, family) == size


def test_a_fine_picture_may_have_more_patches_where_the_family_knows_that():
    """The same page: vl_high_resolution_images lifts 1280 to 16384 on qwen3.5-omni, and does nothing before."""
    assert tokens.image_tokens(3000, 4000, NEWEST, fine=True) > 10_000
    assert tokens.image_tokens(3000, 4000, FLASH, fine=True) == 1232


@pytest.mark.parametrize("size", [(1, 1), (11, 2200), (1, 100_000), (60_000, 60_000)])
def test_no_shape_of_picture_breaks_the_formula(size: tuple[int, int]):
    """Our promise: what a limit will refuse can still be counted."""
    assert tokens.image_tokens(*size, TURBO) >= 3


def test_sound_counts_by_the_second_and_never_less_than_one():
    """The same page: 25, 12.5 and 7 tokens a second; less than a second counts as one."""
    assert [tokens.audio_tokens(60, family) for family in (TURBO, FLASH, NEWEST)] == [1500, 750, 420]
    assert tokens.audio_tokens(0.2, TURBO) == 25
    assert tokens.audio_tokens(0.2, FLASH) == 13
    assert tokens.audio_tokens(0, TURBO) == 0


def test_a_video_counts_as_published():
    """The same page: 30 seconds of 720p are 60 frames of 476x868 or 544x992, and 15,812 tokens either way."""
    assert tokens.video_frames(900, 30, TURBO) == 60
    assert tokens.frame_size(1280, 720, 60, TURBO) == (868, 476)
    assert tokens.frame_size(1280, 720, 60, FLASH) == (992, 544)
    assert tokens.video_tokens(1280, 720, 900, 30, TURBO) == 15_812
    assert tokens.video_tokens(1280, 720, 900, 30, FLASH) == 15_812


def test_a_video_with_sound_counts_both():
    """The same page: frames and sound are added."""
    assert tokens.video_tokens(1280, 720, 900, 30, TURBO, sound_seconds=30) == 15_812 + 750


@pytest.mark.parametrize(
    ("frames", "fps", "looked_at"),
    [
        (125, 25, 10),  # five seconds
        (135, 25, 10),  # the fraction is 0.4: whole seconds only
        (140, 25, 11),  # the fraction is 0.6: all of it, 11.2 cut to an integer
        (10, 25, 4),  # the minimum
        (3, 25, 3),  # never more than there are
        (100_000, 25, 80),  # the maximum
        (40, 0, 4),  # a broken header
    ],
)
def test_frames_are_sampled_twice_a_second_within_bounds(frames: int, fps: float, looked_at: int):
    """The same page, step by step."""
    assert tokens.video_frames(frames, fps, TURBO) == looked_at


def test_a_small_frame_counts_at_least_the_documented_minimum():
    """Captures of the page disagree (128 or 64 patches); the higher one is taken, so no cap is passed unseen."""
    assert tokens.frames_tokens(64, 64, 2, TURBO) - tokens.MARKERS >= 128
    assert tokens.frames_tokens(64, 64, 2, NEWEST) - tokens.MARKERS >= 64


def test_a_ribbon_is_no_video():
    """The same page: sides differ by at most 200 times."""
    with pytest.raises(ValueError, match="200"):
        tokens.frames_tokens(2010, 10, 4, TURBO)


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
