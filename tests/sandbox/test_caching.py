"""The explicit context cache, and what else only Qwen models do."""

from typing import Any

from mtu_mcp.sandbox.caching import use_cache
from mtu_mcp.sandbox.desk import Desk, Options
from sandbox.asking import Chat

LONG = "a long book about tea and mountains " * 300


def marked(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]


def test_what_is_marked_is_kept_and_then_read(chat: Chat):
    """Alibaba Cloud Model Studio, context cache: creation is counted apart from hits."""
    messages = [{"role": "system", "content": marked(LONG)}, {"role": "user", "content": "Hello"}]
    first = chat(messages, model="qwen-plus").json()["usage"]["prompt_tokens_details"]
    again = chat(messages, model="qwen-plus").json()["usage"]["prompt_tokens_details"]
    assert (first["cached_tokens"], again["cache_creation_input_tokens"]) == (0, 0)
    assert first["cache_creation_input_tokens"] == again["cached_tokens"] > 1024


def test_short_texts_are_not_kept():
    """Alibaba Cloud Model Studio, context cache: at least 1,024 tokens."""
    desk = Desk()
    for _ in range(2):
        assert use_cache(desk, "qwen-plus", [{"role": "system", "content": marked("short")}]) == (0, 0)


def test_a_hit_renews_the_five_minutes():
    """Alibaba Cloud Model Studio, context cache: five minutes, reset by a hit."""
    now = [0.0]
    desk = Desk(Options(clock=lambda: now[0]))
    messages = [{"role": "system", "content": marked(LONG)}]
    hits: list[bool] = []
    for moment in (0, 299, 598, 900):
        now[0] = moment
        hits.append(use_cache(desk, "qwen-plus", messages)[0] > 0)
    assert hits == [False, True, True, False]


def test_thoughts_are_cut_at_the_budget(chat: Chat):
    """Alibaba Cloud Model Studio, deep thinking: thinking_budget bounds the thoughts."""
    fields = {"model": "qwen-plus", "enable_thinking": True}
    long = chat("What is 2 + 2?", **fields).json()["usage"]["completion_tokens_details"]["reasoning_tokens"]
    short = chat("What is 2 + 2?", **fields, thinking_budget=5).json()["usage"]["completion_tokens_details"]
    assert short["reasoning_tokens"] == 5 < long


def test_freshness_has_four_values_and_needs_turbo(chat: Chat):
    """Alibaba Cloud Model Studio, web search: 7, 30, 180 or 365 days, with the turbo strategy."""
    fields = {"model": "qwen-plus", "enable_search": True}
    assert "freshness" in chat.error("tea", **fields, search_options={"freshness": 3})["message"]
    wrong = {"freshness": 7, "search_strategy": "max"}
    assert "turbo" in chat.error("tea", **fields, search_options=wrong)["message"]
    assert "nothing about" in chat.text("How do tides work?", **fields, search_options={"freshness": 7})
    assert "nothing about" not in chat.text("How do tides work?", **fields)
