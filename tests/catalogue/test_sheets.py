"""The figures of single models: each sourced, each a price somebody could pay, and found under every spelling."""

import json
from datetime import date
from importlib.resources import files
from itertools import pairwise
from typing import Any

import pytest

from mtu_mcp.catalogue.facts import shipped
from mtu_mcp.catalogue.names import spellings
from mtu_mcp.catalogue.prices import PIECE_LINES, SHARES, TOKEN_LINES
from mtu_mcp.catalogue.sheets import Sheets

RAW: dict[str, Any] = json.loads(files("mtu_mcp.catalogue").joinpath("figures.json").read_text(encoding="utf-8"))
ROWS: list[dict[str, Any]] = RAW["models"]


def test_every_row_names_its_source_and_every_source_its_date():
    """Our promise: numbers come from somewhere a person can look."""
    assert {row["source"] for row in ROWS} == set(RAW["sources"])
    for source in RAW["sources"].values():
        assert any(year in source["name"] for year in ("2023", "2025", "2026")), source
        assert source.get("currency", "CNY") in ("CNY", *RAW["currencies"])
    assert all(known["source"] and known["cny"] > 0 for known in RAW["currencies"].values())


def test_every_name_has_one_row():
    """Our promise: no figure hides behind another."""
    names = [name for row in ROWS for name in row["match"]]
    assert len(names) == len(set(names))
    assert all(name == name.casefold() == spellings(name)[0] for name in names)


def test_every_row_is_read_and_holds_nothing_unknown():
    """Our promise: a typing error in the data fails here and not in someone's call."""
    lines = {*TOKEN_LINES, *PIECE_LINES, *SHARES, "tiers", "pictures"}
    sheets = Sheets(RAW)
    for row in ROWS:
        assert set(row) <= {"match", "source", "context", "max_input", "max_output", "retires", "prices"}, row
        assert set(row.get("prices", {})) <= lines, row
        sheet = sheets.find(row["match"])
        assert sheet is not None
        assert sheet.source
        assert sheet.prices is None or sheet.prices.lines()


def test_longer_requests_and_thoughts_are_never_cheaper():
    """Our promise: an estimate that takes the highest step a request can reach is the most it can cost."""
    for row in ROWS:
        prices = row.get("prices", {})
        steps = [prices, *prices.get("tiers", ())]
        for before, after in pairwise(steps):
            assert before.get("above", 0) < after["above"], row
            assert all(after[line] >= before[line] for line in after if line != "above" and line in before), row
        for step in steps:
            assert step.get("output_thinking", step.get("output_text", 0)) >= step.get("output_text", 0), row
        assert all(0 <= prices.get(share, 0) <= 1 for share in SHARES if share != "written_share"), row
        assert 1 <= prices.get("written_share", 1) <= 2, row


@pytest.mark.parametrize(
    ("name", "cny_per_million"),
    [
        ("qwen-plus", (0.8, 2)),
        ("qwen/qwen-plus-latest", (0.8, 2)),
        ("Qwen-Max-2024-09-19", (20, 60)),
        ("qwen-mt-plus", (1.8, 5.4)),
        ("qwen-long", (0.5, 2)),
        ("qwen3-coder-plus", (4, 16)),
        ("qwq-plus", (1.6, 4)),
        ("qvq-max", (8, 32)),
        ("openai/gpt-4o-2024-05-13", (37.5, 112.5)),
        ("gpt-4.1-mini-2025-04-14", (3, 12)),
        ("gpt-5.1", (9.375, 75)),
        ("o3", (15, 60)),
        ("claude-sonnet-4-5-20250929", (22.5, 112.5)),
        ("models/gemini-2.5-flash", (2.25, 18.75)),
        ("deepseek-chat", (2.1, 3.15)),
        ("deepseek-r1-0528", (4, 16)),
        ("glm-4.6", (4.5, 16.5)),
        ("moonshot-v1-8k", (1.5, 15)),
    ],
)
def test_prices_are_found_by_any_spelling(name: str, cny_per_million: tuple[float, float]):
    """The makers' price lists as `figures.json` cites them; dollars at its rate."""
    prices = shipped().entry(name).prices
    assert prices is not None
    found = (prices.input_text, prices.output_text)
    assert found == pytest.approx(tuple(price / 1_000 for price in cny_per_million))


def test_a_name_has_its_own_window_and_last_day_before_its_familys():
    """OpenAI's model pages: 128,000 tokens of gpt-4o, 1,047,576 of gpt-4.1; gpt-5.1-codex ended 2026-07-23."""
    assert (shipped().entry("gpt-4o").context, shipped().entry("gpt-4.1").context) == (128_000, 1_047_576)
    assert shipped().entry("gpt-5.1").retires == date(2027, 4, 1)
    assert shipped().entry("gpt-5.1-codex").retires == date(2026, 7, 23)
    assert shipped().entry("claude-sonnet-4-5").retires == date(2026, 11, 30)
    entry = shipped().entry("qwen3-max")
    assert (entry.context, entry.input_window, entry.max_output) == (262_144, 258_048, 65_536)
    assert entry.can("chat")
    assert "Alibaba" in entry.source


def test_a_model_that_is_not_listed_has_no_figures_of_its_relatives():
    """Our promise: unknown is said, never guessed from a name that is alike."""
    for name in ("gpt-4o-turbo", "qwen-plus-character", "claude-3-5-sonnet@20241022", "deepseek-v9"):
        assert shipped().entry(name).prices is None
