"""Sums by finer lines: steps, thoughts, caches, pictures by size, other currencies, and the most before a call."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from mtu_mcp.catalogue import Prices
from mtu_mcp.catalogue.costs import Pieces, cost
from mtu_mcp.catalogue.facts import Facts, shipped
from mtu_mcp.catalogue.overrides import read
from mtu_mcp.gateway import Usage


def yuan(prices: Prices | None, usage: Usage, *, pieces: Pieces | None = None, **how: bool) -> float:
    assert prices is not None
    found = cost(prices, usage, pieces=pieces or Pieces(), **how)
    assert found is not None
    return found.cny


def listed(name: str) -> Prices:
    prices = shipped().entry(name).prices
    assert prices is not None
    return prices


def test_half_of_the_input_from_the_cache_costs_three_fifths_of_it():
    """Alibaba's page on the context cache: of 10,000 tokens in, 5,000 hit; the input costs 60 % of the price."""
    plain, hit = Usage(input_tokens=10_000), Usage(input_tokens=10_000, cached_tokens=5_000)
    for name in ("qwen-plus", "qwen3-max", "qwen-flash"):
        assert yuan(listed(name), hit) == pytest.approx(0.6 * yuan(listed(name), plain))


def test_a_marked_cache_costs_a_tenth_and_what_is_added_to_it_five_quarters():
    """The same page: of 1,500 tokens, 1,200 come from the cache at 10 % and 300 are added to it at 125 %."""
    usage = Usage.read(
        {
            "prompt_tokens": 1_500,
            "completion_tokens": 0,
            "prompt_tokens_details": {"cached_tokens": 1_200, "cache_creation_input_tokens": 300},
        }
    )
    assert usage is not None
    assert usage.cache_marked
    price = listed("qwen-plus").input_text or 0.0
    assert yuan(listed("qwen-plus"), usage) == pytest.approx((0.1 * 1_200 + 1.25 * 300) * price / 1_000)


@pytest.mark.parametrize(
    ("details", "marked"),
    [
        ({"cached_tokens": 5}, False),
        ({"cached_tokens": 5, "cache_type": "implicit", "cache_creation_input_tokens": 0}, False),
        ({"cached_tokens": 5, "cache_creation_input_tokens": 0}, True),
        ({"cached_tokens": 0, "cache_creation_input_tokens": 7}, True),
        ({"cached_tokens": 5, "cache_write_tokens": 7}, False),
    ],
)
def test_a_cache_that_was_asked_for_is_told_from_the_other(details: dict[str, object], marked: bool):
    """Alibaba's page on the context cache: only for a marked one it is told how much went into it."""
    usage = Usage.read({"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": details})
    assert usage is not None
    assert usage.cache_marked is marked
    assert usage.cache_written == (7 if 7 in details.values() else 0)
    assert (usage + usage).cache_marked is marked
    assert (usage + usage).cache_written == 2 * usage.cache_written


def test_batches_and_caches_do_not_go_together():
    """The same page: a batch has no discount of the cache."""
    hit = Usage(input_tokens=10_000, cached_tokens=10_000)
    assert yuan(listed("qwen-plus"), hit, batch=True) == pytest.approx(
        0.5 * yuan(listed("qwen-plus"), Usage(input_tokens=10_000))
    )


@pytest.mark.parametrize(
    ("tokens", "per_million"), [(1, 2.5), (32_768, 2.5), (32_769, 4), (100_000, 4), (131_073, 7), (258_048, 7)]
)
def test_all_tokens_cost_what_the_step_of_their_request_costs(tokens: int, per_million: float):
    """Alibaba's price page: "with 100K tokens in, all tokens are charged at the price of the second step"."""
    usage = Usage(input_tokens=tokens, output_tokens=1_000)
    assert yuan(listed("qwen3-max"), usage) == pytest.approx((tokens + 4 * 1_000) * per_million / 1_000_000)


def test_an_answer_with_thoughts_costs_what_thinking_costs():
    """Alibaba's price page: qwen-plus, 2 yuan a million without thinking and 8 for thoughts and answer with it."""
    plain, thought = Usage(output_tokens=1_000_000), Usage(output_tokens=1_000_000, reasoning_tokens=10)
    assert yuan(listed("qwen-plus"), plain) == 2
    assert yuan(listed("qwen-plus"), thought) == 8
    long = replace(thought, input_tokens=262_145)
    assert yuan(listed("qwen-plus"), long) == pytest.approx(64 + 4.8 * 0.262145)


def test_before_a_call_every_doubt_counts_as_the_dearer():
    """Our promise: a cap is not passed because a model thought or missed its cache."""
    usage = Usage(input_tokens=1_000, output_tokens=1_000, cached_tokens=900, estimated=True)
    most = yuan(listed("qwen-plus"), usage, most=True)
    assert most == pytest.approx(0.0008 + 0.008)
    assert yuan(listed("qwen-plus"), usage, most=True, pieces=Pieces(marked=True)) == pytest.approx(0.001 + 0.008)
    assert yuan(listed("gpt-6-sol"), usage, most=True) == pytest.approx(7.5 * (1.25 * 0.002 + 0.01))


def test_other_currencies_are_converted_at_the_rate_that_is_told():
    """OpenAI's price list: gpt-4o costs 2.5 dollars in, 1.25 cached and 10 out for a million tokens."""
    found = cost(listed("gpt-4o"), Usage(input_tokens=2_000_000, cached_tokens=1_000_000, output_tokens=1_000_000))
    assert found is not None
    assert found.cny == pytest.approx(7.5 * (2.5 + 1.25 + 10))
    assert "converted from USD at CNY 7.5" in found.basis
    assert "OpenAI" in found.basis
    assert "cached, text in" in found.basis


def test_pictures_cost_by_size_and_quality_where_nobody_counted_tokens():
    """OpenAI's price list: dall-e-3 standard 0.04 dollars a square and 0.08 else; hd 0.08 and 0.12.

    OpenAI's API reference: a standard square is made when nothing is asked for.
    """
    nothing, dalle = Usage(), listed("dall-e-3")
    each = {
        ("1024x1024", "standard"): 0.04,
        ("1792x1024", "standard"): 0.08,
        ("1024x1024", "hd"): 0.08,
        ("1024x1792", "hd"): 0.12,
        ("", "standard"): 0.04,
        ("", "hd"): 0.08,
        ("", ""): 0.04,
        ("auto", "auto"): 0.12,
        ("7x7", ""): 0.12,
        ("7x7", "auto"): 0.12,
    }
    for (size, quality), dollars in each.items():
        pieces = Pieces(pictures=2, size=size, quality=quality)
        assert yuan(dalle, nothing, pieces=pieces) == pytest.approx(2 * 7.5 * dollars)


def test_pictures_whose_tokens_were_counted_cost_by_them():
    """OpenAI's price list: gpt-image-1, 5 dollars a million of text in, 10 of pictures in, 40 of pictures out."""
    usage = Usage(input_tokens=150, input_text=50, input_image=100, output_tokens=4_160)
    pieces = Pieces(pictures=1, size="1024x1024", quality="high")
    by_tokens = 7.5 * (50 * 5 + 100 * 10 + 4_160 * 40) / 1_000_000
    assert yuan(listed("gpt-image-1"), usage, pieces=pieces) == pytest.approx(by_tokens)
    by_piece = 7.5 * ((50 * 5 + 100 * 10) / 1_000_000 + 0.167)
    assert yuan(listed("gpt-image-1"), replace(usage, estimated=True), pieces=pieces) == pytest.approx(by_piece)


def test_sound_and_searches_cost_by_the_piece():
    """OpenAI's price list: whisper-1 0.006 dollars a minute; Alibaba's page on searching: 4 yuan for 1,000 at most."""
    assert yuan(listed("whisper-1"), Usage(), pieces=Pieces(seconds=60)) == pytest.approx(7.5 * 0.006)
    assert yuan(listed("tts-1"), Usage(output_tokens=9), pieces=Pieces(characters=1_000)) == pytest.approx(7.5 * 0.015)
    assert yuan(listed("qwen-plus"), Usage(), pieces=Pieces(searches=3)) == pytest.approx(0.012)


def own(models: dict[str, object], **more: object) -> Facts:
    return shipped().changed(read({"models": models, **more}))


def test_an_operators_file_may_use_all_of_it():
    """Our promise: whatever a price list can say can be said of one's own models."""
    prices = {
        "input_text": 0.001,
        "output_text": 0.004,
        "output_thinking": 0.008,
        "cached_share": 0.5,
        "written_share": 1.5,
        "batch_share": 0.4,
        "currency": "eur",
        "tiers": [{"above": 2000, "output_text": 0.03}, {"above": 1000, "input_text": 0.002}],
        "source": "our contract",
    }
    pictures = [{"price": 0.1}, {"price": 0.4, "size": "2K", "quality": "hd"}]
    facts = own({"acme-1": {"prices": prices}, "acme-ink": {"prices": {"pictures": pictures}}}, currencies={"EUR": 8})
    mine = facts.entry("acme-1").prices
    assert yuan(mine, Usage(input_tokens=1_000, cached_tokens=500, output_tokens=100)) == pytest.approx(
        8 * (0.75 * 0.001 + 0.0004)
    )
    assert yuan(mine, Usage(input_tokens=1_500)) == pytest.approx(8 * 0.003)
    assert yuan(mine, Usage(input_tokens=2_001, output_tokens=1_000)) == pytest.approx(8 * (0.002001 + 0.03))
    assert yuan(mine, Usage(output_tokens=1_000, reasoning_tokens=1), batch=True) == pytest.approx(0.4 * 8 * 0.008)
    assert mine is not None
    assert (mine.converted, mine.source) == ("EUR at CNY 8", "our contract")
    ink = facts.entry("acme-ink").prices
    assert yuan(ink, Usage(), pieces=Pieces(pictures=1, size="1K")) == pytest.approx(0.1)
    assert yuan(ink, Usage(), pieces=Pieces(pictures=1, size="2K", quality="hd")) == pytest.approx(0.4)


def test_a_price_somebody_names_does_away_with_the_finer_ones_of_the_list():
    """Our promise: who says what qwen-plus costs them pays that for long requests and thoughts as well."""
    mine = own({"qwen-plus": {"prices": {"input_text": 0.0016, "output_text": 0.004}}}).entry("qwen-plus").prices
    assert mine is not None
    assert (mine.tiers, mine.output_thinking, mine.cached_share) == ((), None, 0.2)
    assert yuan(mine, Usage(input_tokens=300_000, output_tokens=1_000, reasoning_tokens=9)) == pytest.approx(0.484)
    kept = own({"qwen-plus": {"prices": {"cached_share": 0.3}}}).entry("qwen-plus").prices
    assert kept is not None
    assert len(kept.tiers) == 2
    assert own({"dall-e-3": {"prices": {"picture": 0.2}}}).entry("dall-e-3").prices == Prices(
        picture=0.2, source="the operator's own price file"
    )


def test_another_rate_counts_for_the_shipped_prices_as_well():
    """Our promise: what a dollar costs is the operator's to say."""
    prices = own({}, currencies={"USD": 7}).entry("gpt-4o").prices
    assert yuan(prices, Usage(input_tokens=1_000_000)) == pytest.approx(17.5)
    assert prices is not None
    assert prices.converted == "USD at CNY 7"
    assert yuan(listed("gpt-4o"), Usage(input_tokens=1_000_000)) == pytest.approx(18.75)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"tiers": {}}, "a list as models.m.prices.tiers"),
        ({"tiers": [3]}, "JSON object as models.m.prices.tiers"),
        ({"tiers": [{"input_text": 1}]}, "whole number above zero as models.m.prices.tiers.above"),
        ({"tiers": [{"above": 9, "picture": 1}]}, "'picture' in models.m.prices.tiers"),
        ({"pictures": [{"size": "1K"}]}, "models.m.prices.pictures.price"),
        ({"pictures": [{"price": 1, "size": 5}]}, "a text as models.m.prices.pictures.size"),
        ({"currency": "GBP"}, "'GBP' in models.m.prices.currency, which is none of CNY, USD"),
        ({"currency": 5}, "a text as models.m.prices.currency"),
        ({"cached_share": "half"}, "models.m.prices.cached_share"),
        ({"source": 5}, "a text as models.m.prices.source"),
        ({"input_txt": 1}, "'input_txt'"),
    ],
)
def test_a_mistake_in_a_price_is_named_with_its_place(wrong: dict[str, object], told: str):
    """Our promise: a mistyped price would make every sum wrong in silence."""
    with pytest.raises(ValueError, match=told):
        read({"models": {"m": {"prices": wrong}}})


@pytest.mark.parametrize("wrong", [{"USD": 0}, {"USD": "7"}, {"CNY": 2}, {"USD": -1}, []])
def test_a_rate_must_be_one(wrong: object):
    """Our promise: the same."""
    with pytest.raises(ValueError, match="currencies"):
        read({"currencies": wrong})


def test_the_example_of_the_readme_is_read():
    """Our promise: what the README shows works."""
    page = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    [shown] = [block for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL) if '"assumed"' in block]
    facts = shipped().changed(read(json.loads(shown)))
    large = facts.entry("acme-large")
    assert large.context == 32_000
    assert yuan(large.prices, Usage(input_tokens=200_000)) == pytest.approx(7.1 * 0.4)
    assert yuan(facts.entry("acme-ink").prices, Usage(), pieces=Pieces(pictures=1, size="4K")) == pytest.approx(0.6)
