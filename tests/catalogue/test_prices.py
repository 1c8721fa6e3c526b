"""Prices: the published lines, the published example, and no guesses."""

from dataclasses import dataclass

import pytest

from mtu_mcp.catalogue import Catalogue, Prices
from mtu_mcp.catalogue.costs import cost
from mtu_mcp.settings import Settings


@dataclass(frozen=True, slots=True)
class Counted:
    input_tokens: int = 0
    output_tokens: int = 0
    input_text: int | None = None
    input_image: int | None = None
    input_audio: int | None = None
    input_video: int | None = None
    output_audio: int | None = None
    cached_tokens: int = 0
    cache_written: int = 0
    cache_marked: bool = False
    reasoning_tokens: int = 0
    estimated: bool = False


async def nothing_listed():
    return ()


catalogue = Catalogue(Settings.read({}), nothing_listed)


def yuan(model: str, usage: Counted, **how: bool) -> float:
    found = catalogue.estimate(model, usage, **how)
    assert found is not None
    assert found.estimated is True
    return found.cny


def test_the_published_example_comes_out_to_the_last_digit():
    """The gateway's Qwen-Omni page, 2025-09: 1000 text and 1000 picture tokens in, 1000 out are 0.0064 yuan."""
    usage = Counted(input_tokens=2000, output_tokens=1000, input_text=1000, input_image=1000)
    assert yuan("qwen-omni-turbo", usage) == 0.0064
    assert yuan("qwen-omni-turbo", usage, batch=True) == 0.0032


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (Counted(input_tokens=1000, output_tokens=1000), 0.0004 + 0.0016),
        (Counted(input_tokens=1000, output_tokens=1000, input_text=1000, input_image=0), 0.0004 + 0.0016),
        (Counted(input_tokens=1000, output_tokens=1000, input_text=0, input_audio=1000), 0.025 + 0.0045),
        (Counted(input_tokens=1000, output_tokens=1000, input_text=0, input_video=1000), 0.0015 + 0.0045),
        (Counted(input_tokens=1500, output_tokens=0, input_text=500, input_video=600, input_audio=400), 0.0111),
        (Counted(input_tokens=1000, output_tokens=1000, output_audio=800), 0.0004 + 0.04),
        (Counted(input_tokens=1000, output_tokens=0, input_image=400), 0.6 * 0.0004 + 0.4 * 0.0015),
        (Counted(), 0.0),
    ],
)
def test_each_line_of_the_price_list_is_used_for_what_it_says(usage: Counted, expected: float):
    """The same page: text out costs 0.0016 for text alone and 0.0045 as soon as any medium went in."""
    assert yuan("qwen-omni-turbo", usage) == pytest.approx(expected, abs=1e-9)


def test_media_that_was_not_counted_apart_still_makes_the_answer_dearer():
    """Our promise: an estimate is not low because a gateway gives totals only, and says what it could not know."""
    usage = Counted(input_tokens=1000, output_tokens=1000)
    found = catalogue.estimate("qwen-omni-turbo", usage, media=True)
    assert found is not None
    assert found.cny == pytest.approx(0.0004 + 0.0045)
    assert "did not count it apart" in found.basis


def test_the_basis_tells_how_the_sum_was_made():
    """Our promise: an estimate names its lines and its source."""
    found = catalogue.estimate("qwen-omni-turbo", Counted(input_tokens=12_000, output_tokens=10))
    assert found is not None
    assert "12,000 text in at 0.0004" in found.basis
    assert "Alibaba Cloud Model Studio" in found.basis


def test_a_model_without_a_published_price_has_no_cost():
    """Our promise: unknown is said, never guessed."""
    assert catalogue.estimate("jina-deepsearch-v1", Counted(input_tokens=10, output_tokens=10)) is None
    assert catalogue.estimate("never-heard-of-it", Counted(input_tokens=10)) is None


def test_a_missing_line_means_no_cost_rather_than_a_low_one():
    """Our promise: sound at an unknown price is not free."""
    prices = Prices(input_text=0.001, output_text=0.002)
    assert cost(prices, Counted(input_tokens=10, output_tokens=10)) is not None
    assert cost(prices, Counted(input_tokens=10, input_text=5, input_audio=5)) is None
    assert cost(prices, Counted(input_tokens=10), batch=True) is None


def test_snapshots_cost_what_the_model_costs_but_have_no_batch():
    """The gateway's Qwen-Omni page, 2025-09: one table for the three names; Batch for the stable one only."""
    usage = Counted(input_tokens=1000, output_tokens=1000)
    assert yuan("qwen-omni-turbo-2025-01-19", usage) == yuan("qwen-omni-turbo", usage)
    assert catalogue.estimate("qwen-omni-turbo-latest", usage, batch=True) is None


def test_the_lines_of_a_price_list_can_be_shown():
    """Our promise: mtu://prices shows what an estimate uses."""
    known = catalogue.entry("qwen-math-plus").prices
    assert known is not None
    assert [(line.title, line.cny) for line in known.lines()] == [("text in", 0.004), ("text out", 0.012)]
