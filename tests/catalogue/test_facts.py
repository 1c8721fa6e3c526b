"""The shipped facts: well formed, sourced, and found under every spelling."""

import json
import subprocess
import sys
from datetime import date
from importlib.resources import files
from typing import Any

import pytest

from mtu_mcp.catalogue import CAPABILITIES
from mtu_mcp.catalogue.facts import Facts, shipped
from mtu_mcp.catalogue.names import nearest, spellings

RAW: dict[str, Any] = json.loads(files("mtu_mcp.catalogue").joinpath("models.json").read_text(encoding="utf-8"))
SETTINGS_WORDS = ("chat", "omni", "image", "transcribe", "search", "research", "qwen_search")


@pytest.mark.parametrize(
    ("spelling", "family"),
    [
        ("gpt-4.1-mini-2025-04-14", "gpt-4.1"),
        ("openai/gpt-4o", "gpt-4o"),
        ("GPT-4o", "gpt-4o"),
        ("qwen/qwen-plus", "qwen"),
        ("qwen-plus-latest", "qwen"),
        ("qwen-omni-turbo-0119", "qwen-omni-turbo"),
        ("qwen3-omni-flash-2025-12-01", "qwen3-omni-flash"),
        ("qwen3-omni-flash-realtime", "realtime"),
        ("qwen-vl-max-latest", "qwen-vl"),
        ("accounts/fireworks/models/deepseek-v3", "deepseek"),
        ("models/gemini-2.5-flash-image", "gemini-image"),
        ("gpt-5.1-codex-mini", "gpt-codex"),
        ("gpt-4o-mini-transcribe-2025-12-15", "gpt-transcribe"),
        ("gpt-4o-transcribe-diarize", "gpt-transcribe"),
        ("chatgpt-4o-latest", "gpt-4o"),
        ("claude-3-5-sonnet@20241022", "claude"),
        ("mistral-large-3", "mistral"),
        ("doubao-seedream-4-0-250828", "seedream"),
        ("black-forest-labs/flux.1-dev", "flux"),
        ("deepseek/deepseek-r1:free", "deepseek"),
        ("llama3.2:1b", "by name"),
    ],
)
def test_a_model_is_found_by_any_of_its_spellings(spelling: str, family: str):
    """Our promise: vendor prefixes, dates, -latest and case lead to the same facts."""
    entry = shipped().entry(spelling)
    assert entry.family == family
    assert entry.name == spelling


def test_an_unknown_model_has_an_entry_with_nothing_but_its_name():
    """Our promise: a model we never heard of can still be used."""
    entry = shipped().entry("zork-9000")
    assert entry.name == "zork-9000"
    assert (entry.capabilities, entry.context, entry.limits, entry.prices, entry.retires) == (
        (),
        None,
        None,
        None,
        None,
    )


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("chatgpt-4o-latest", "2026-02-17"),
        ("dall-e-3", "2026-05-12"),
        ("dall-e-2", "2026-05-12"),
        ("gpt-4o-search-preview", "2026-07-23"),
        ("gpt-4o-mini-search-preview-2025-03-11", "2026-07-23"),
        ("gpt-image-1", "2026-10-23"),
        ("gpt-4.1-nano", "2026-10-23"),
        ("o1-2024-12-17", "2026-10-23"),
        ("o4-mini", "2026-10-23"),
        ("gpt-5", "2026-12-11"),
        ("o3", "2026-12-11"),
        ("tts-1-hd", "2027-01-06"),
        ("gpt-4o", "2027-01-14"),
        ("gpt-4.1", "2027-01-14"),
        ("whisper-1", "2027-02-26"),
        ("gpt-4o-mini-transcribe", "2027-02-26"),
        ("gpt-5.1", "2027-04-01"),
    ],
)
def test_retirement_is_known_to_the_day(name: str, day: str):
    """OpenAI's deprecations page, 2026-08."""
    entry = shipped().entry(name)
    assert entry.retires == date.fromisoformat(day)
    assert entry.retired(date.fromisoformat(day))
    assert not entry.retired(date(2026, 1, 1))


def test_omni_limits_are_those_of_the_family():
    """Alibaba Cloud Model Studio, Qwen-Omni, 2026-01."""
    turbo, flash = shipped().entry("qwen-omni-turbo"), shipped().entry("qwen3-omni-flash")
    assert turbo.limits is not None
    assert flash.limits is not None
    assert (turbo.context, turbo.max_input, turbo.max_output) == (32_768, 30_720, 2_048)
    assert (flash.context, flash.max_input, flash.max_output) == (65_536, 49_152, 16_384)
    assert (turbo.limits.audio_seconds, turbo.limits.video_seconds) == (180, 40)
    assert (flash.limits.audio_seconds, flash.limits.video_seconds) == (1_200, 150)
    assert (turbo.limits.frames_min, turbo.limits.frames_max) == (4, 80)
    assert (flash.limits.frames_min, flash.limits.frames_max) == (2, 128)
    assert turbo.limits.data_uri_bytes == 10_485_760
    assert turbo.input_window == 30_720


def test_every_family_has_facts_of_the_right_kind():
    """Our promise: a typing error in the data fails here and not in someone's call."""
    for family in RAW["families"]:
        assert family["match"], family
        assert set(family["capabilities"]) <= set(CAPABILITIES), family
        assert all(name == name.casefold() for name in family["match"]), family


def test_every_fact_is_asked_for_by_somebody():
    """Our promise: a limit that is known is checked; one that nobody checks is not kept."""
    room = files("mtu_mcp")
    rooms = [room.joinpath(name) for name in ("capabilities", "money", "catalogue")]
    code = "".join(
        file.read_text(encoding="utf-8")
        for folder in rooms
        for file in folder.iterdir()
        if file.name.endswith(".py") and file.name != "entries.py"
    )
    limits = [fact for part in ("limits", "rates") for given in RAW[part].values() for fact in given]
    limits += [
        fact
        for family in RAW["families"]
        for part in ("images", "audio", "embeddings")
        for fact in family.get(part, ())
    ]
    assert [fact for fact in sorted({*limits}) if f".{fact}" not in code and f'"{fact}"' not in code] == []
    traits = {trait for family in RAW["families"] for trait in family.get("traits", ())}
    assert [trait for trait in sorted(traits) if f'"{trait}"' not in code] == []


def test_every_figure_has_a_source():
    """Our promise: numbers come from somewhere a person can look."""
    figures = ("context", "max_input", "max_output", "limits", "rates", "prices", "retires")
    for family in RAW["families"]:
        if any(figure in family for figure in figures):
            assert family["source"], family
        if "prices" in family:
            assert family["prices"]["source"], family


def test_no_name_is_listed_twice_and_no_pattern_hides_behind_a_name():
    """Our promise: which entry a name gets does not depend on luck."""
    listed = [name for family in RAW["families"] for name in family["match"]]
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("capability", RAW["preferences"])
def test_every_preferred_model_can_do_what_it_is_preferred_for(capability: str):
    """Our promise: a default works."""
    names = shipped().preferences(capability)
    assert len(names) == len(set(names))
    for name in names:
        assert name in shipped().names, name
        assert shipped().entry(name).can(capability), name


def test_every_model_setting_has_a_preference_list():
    """Our promise: each MTU_MODEL_* variable has a default."""
    assert all(shipped().preferences(word) for word in SETTINGS_WORDS)


@pytest.mark.parametrize(
    ("names", "trait"),
    [
        ("gemini-2.5-pro google/gemini-2.5-pro gemini-3-pro-preview gemini-3.1-pro-preview", "always_thinks"),
        ("gemini-2.5-flash gemini-3-flash-preview gemini-3.1-flash-lite gemini-3.8-flash", "thinks_by_default"),
        ("gemini-2.5-flash-lite deepseek-v3.1 deepseek-v3.2 deepseek-v3.2-exp qwen-plus", "thinks_when_asked"),
        ("deepseek-reasoner deepseek-r1-0528 qvq-max qwen3-vl-32b-thinking", "always_thinks"),
        ("qwen3-235b-a22b-thinking-2507 qwen3-next-80b-a3b-thinking qwq-plus", "always_thinks"),
        ("deepseek-v4-flash deepseek-v4-pro qwen3.5-plus qwen3.5-flash", "thinks_by_default"),
        ("claude-opus-5 claude-sonnet-5 claude-opus-5-5 claude-haiku-5-5 claude-opus-5-20260801", "thinks_by_default"),
        ("gemini-2.0-flash gemini-2.5-flash-image deepseek-chat deepseek-v3 claude-sonnet-4-5 claude-opus-4-8", ""),
        ("qwen3-235b-a22b-instruct-2507 qwen3-vl-32b-instruct qwen3-coder-plus", ""),
    ],
)
def test_whether_a_model_thinks_is_known_and_from_where(names: str, trait: str):
    """The makers' documentation of thinking, as each row's source names it."""
    for name in names.split():
        entry = shipped().entry(name)
        assert [one for one in entry.traits if "think" in one] == ([trait] if trait else []), name
        assert not trait or entry.source or entry.name.startswith("deepseek-r"), name


def test_facts_can_be_made_from_another_mapping():
    """Our promise: the shipped file is only one source of facts."""
    facts = Facts.read({"families": [{"match": ["House-*"], "capabilities": ["chat"], "context": 1000}]})
    assert facts.entry("house-7b").context == 1000
    assert facts.preferences("chat") == ()


def test_spellings_go_from_exact_to_loose():
    """Our promise: the nearest fact wins."""
    assert spellings("OpenAI/GPT-4o-2024-08-06") == (
        "openai/gpt-4o-2024-08-06",
        "gpt-4o-2024-08-06",
        "openai/gpt-4o",
        "gpt-4o",
    )
    assert spellings("") == ()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("qwen omni turbo", "qwen-omni-turbo"),
        ("Qwen-Omni-Turb", "qwen-omni-turbo"),
        ("gpt4o", "gpt-4o"),
        ("GPT 4.1", "gpt-4.1"),
        ("openai/gpt-5.1", "gpt-5.1"),
        ("wisper-1", "whisper-1"),
        ("gpt-image1", "gpt-image-1"),
        ("deepsek-chat", "deepseek-chat"),
        ("qwen3omniflash", "qwen3-omni-flash"),
    ],
)
def test_the_name_that_was_meant_comes_first(written: str, meant: str):
    """Our promise: a wrong model name is answered with the nearest names."""
    found = nearest(written, shipped().names)
    assert found[0] == meant
    assert len(found) <= 3


def test_nothing_like_it_means_no_suggestion():
    """Our promise: a suggestion is worth reading."""
    assert nearest("zzzzzzzz", shipped().names) == ()
    assert nearest("", shipped().names) == ()


def test_a_part_of_a_long_name_finds_it():
    """Our promise: whoever serves one model under its full name need not have it typed in full."""
    served = ("Qwen/Qwen2.5-VL-72B-Instruct-AWQ", "/models/gemma-3-4b-it.Q4_K_M.gguf", "o1")
    assert nearest("qwen2.5", served) == served[:1]
    assert nearest("gemma-3", served) == served[1:2]
    assert nearest("gpt-4o", ("gpt-4o-mini", "openai/gpt-40"))[0] == "openai/gpt-40"
    assert nearest("gpt-9", served) == ()
    assert nearest("---", shipped().names) == ()
    assert nearest("x" * 100_000, shipped().names) == ()


def test_importing_the_room_reads_no_data_and_loads_nothing_slow():
    """Our promise: serve answers first; facts are read when first needed."""
    code = "import sys, mtu_mcp.catalogue; sys.exit(any(f'mtu_mcp.catalogue.{m}' in sys.modules for m in ('facts', 'prices', 'costs', 'sheets')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
