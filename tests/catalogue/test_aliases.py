"""Words that stand for a model, and an operator's own facts laid over the shipped ones."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import pytest

from mtu_mcp.catalogue import Catalogue
from mtu_mcp.catalogue.facts import Facts, shipped
from mtu_mcp.catalogue.overrides import read
from mtu_mcp.errors import Unreachable
from mtu_mcp.settings import Settings

TODAY = date(2026, 11, 18)


def catalogue(*names: str, settings: Settings | None = None, own: Any = None, live: bool = True) -> Catalogue:
    """A catalogue of a gateway that offers these models."""

    async def fetch() -> Iterable[tuple[str, Mapping[str, Any]]]:
        if not live:
            raise Unreachable("No connection.")
        return [(name, {}) for name in names]

    facts: Facts | None = shipped().changed(read(own)) if own else None
    return Catalogue(settings or Settings(), fetch, today=lambda: TODAY, facts=facts)


@pytest.mark.parametrize(
    ("alias", "offered", "model"),
    [
        ("best", ["qwen-plus", "openai/gpt-5.1", "gpt-4o"], "openai/gpt-5.1"),
        ("BEST", ["qwen-plus", "gpt-4o"], "qwen-plus"),
        ("best", ["gpt-4o-2024-08-06", "tts-1"], "gpt-4o-2024-08-06"),
        ("fast", ["gpt-5.1", "gemini-2.5-flash"], "gemini-2.5-flash"),
        ("fast", ["kimi-large", "kimi-turbo"], "kimi-turbo"),
        ("cheap", ["gpt-5.1", "gpt-4o-mini"], "gpt-4o-mini"),
        ("vision", ["deepseek-chat", "qwen-vl-plus"], "qwen-vl-plus"),
        ("vision", ["deepseek-chat", "claude-3-7-sonnet"], "claude-3-7-sonnet"),
        ("code", ["gpt-5.1", "devstral-small"], "devstral-small"),
        ("math", ["gpt-5.1", "qwen2.5-math-72b"], "qwen2.5-math-72b"),
        ("reasoning", ["gpt-4o", "qwq-plus"], "qwq-plus"),
    ],
)
async def test_an_alias_is_a_model_the_gateway_offers(alias: str, offered: list[str], model: str) -> None:
    """Our promise: a word stands for what is there, under any of its spellings."""
    choice = await catalogue(*offered).choose("chat", alias)
    assert (choice.model, choice.asked, choice.expected) == (model, alias.lower(), False)


async def test_what_its_maker_retired_is_not_the_best() -> None:
    """OpenAI's deprecations page: gpt-3.5-turbo ended 2026-10-23."""
    choice = await catalogue("gpt-3.5-turbo", "gpt-4.1-nano", "qwen-turbo").choose("chat", "fast")
    assert choice.model == "qwen-turbo"


async def test_a_model_that_is_really_called_so_is_taken() -> None:
    """Our promise: what the gateway lists comes before what we think a word means."""
    choice = await catalogue("best", "gpt-5.1").choose("chat", "best")
    assert (choice.model, choice.asked) == ("best", "")


async def test_an_alias_nothing_fits_is_the_ordinary_model_and_says_so() -> None:
    """Our promise: no guess that nobody is told of."""
    choice = await catalogue("gpt-4o").choose("chat", "math")
    assert (choice.model, choice.asked) == ("gpt-4o", "math")
    assert "nothing known for math" in choice.why


async def test_without_the_gateways_list_an_alias_is_the_first_of_its_own() -> None:
    """Our promise: a gateway that cannot be asked is no reason to fail."""
    choice = await catalogue(live=False).choose("chat", "best")
    assert choice.model == shipped().alias("best")[0]
    assert "could not be read" in choice.why


async def test_an_alias_works_for_other_things_too_and_in_the_settings() -> None:
    """Our promise: MTU_MODEL_CHAT=fast; the best picture model is the first of its preference list."""
    offered = ("gpt-image-1.5", "gpt-image-1-mini", "gpt-4o", "qwen-flash")
    assert (await catalogue(*offered).choose("image", "best")).model == "gpt-image-1.5"
    assert (await catalogue(*offered).choose("image", "cheap")).model == "gpt-image-1-mini"
    assert (await catalogue(*offered, settings=Settings(model_chat="fast")).choose("chat")).model == "qwen-flash"


async def test_the_cheapest_is_told_by_price_where_prices_are_known() -> None:
    """Our promise: an operator who names prices gets the cheapest by them."""
    own = {
        "models": {
            "gpt-4o": {"prices": {"input_text": 0.02, "output_text": 0.07}},
            "acme-*": {"capabilities": ["chat"], "prices": {"input_text": 0.001, "output_text": 0.002}},
        }
    }
    choice = await catalogue("gpt-4o", "acme-1", "gpt-4o-mini", own=own).choose("chat", "cheap")
    assert (choice.model, choice.why) == ("acme-1", "its list price is the lowest of the 3 known here")


async def test_three_makers_are_three_makers() -> None:
    """Our promise: a panel of different makers, filled up where there are fewer."""
    offered = ("gpt-4o", "gpt-5.1", "qwen-plus", "qwen3-max", "mistral-large-3", "tts-1")
    assert await catalogue(*offered).makers_best(3) == ("gpt-5.1", "qwen3-max", "mistral-large-3")
    assert await catalogue("gpt-4o", "gpt-4.1", "tts-1").makers_best(3) == ("gpt-4.1", "gpt-4o")


def test_an_operators_entry_changes_only_what_it_names() -> None:
    """Our promise: a price alone keeps the capabilities; a new model is listed."""
    own = {
        "models": {
            "Qwen-Math-Plus": {"prices": {"input_text": 0.5}},
            "acme-large": {"capabilities": ["chat", "vision"], "context": 9000, "retires": None},
            "gpt-4o": {"retires": "2030-01-01", "vendor": "Us"},
        },
        "preferences": {"chat": ["acme-large"]},
        "aliases": {"House": ["acme-large"]},
    }
    facts = shipped().changed(read(own))
    prices = facts.entry("qwen-math-plus-latest").prices
    assert prices is not None
    assert (prices.input_text, prices.output_text) == (0.5, 0.012)
    assert "operator" in prices.source
    assert facts.entry("qwen-math-plus").can("math")
    assert (facts.entry("acme-large").context, facts.entry("acme-large").can("vision")) == (9000, True)
    assert facts.entry("gpt-4o").retires == date(2030, 1, 1)
    assert "acme-large" in facts.names
    assert facts.preferences("chat")[:2] == ("acme-large", shipped().preferences("chat")[0])
    assert facts.alias("house") == ("acme-large",)
    assert "house" not in shipped().aliases
