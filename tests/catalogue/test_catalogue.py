"""The live list over the shipped facts: fetched once, kept a while, stood in for when it fails."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from mtu_mcp.catalogue import Catalogue
from mtu_mcp.errors import NotAuthorized, Unreachable
from mtu_mcp.settings import Settings

TODAY = date(2026, 11, 22)


class Listing:
    """A gateway's list: gives names, or raises."""

    def __init__(self, *names: str, facts: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self.names = names
        self.facts = facts or {}
        self.error: Exception | None = None
        self.asked = 0
        self.gate: anyio.Event | None = None

    async def __call__(self):
        self.asked += 1
        if self.gate:
            await self.gate.wait()
        if self.error:
            raise self.error
        return [(name, self.facts.get(name, {})) for name in self.names]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def make(listing: Listing, clock: Callable[[], float] = lambda: 0.0, **environ: str) -> Catalogue:
    return Catalogue(Settings.read(environ), listing, clock=clock, today=lambda: TODAY)


async def test_the_list_is_fetched_once_and_again_when_it_is_old():
    """Our promise: the list is live, and the gateway is not asked for each call."""
    listing, clock = Listing("gpt-4o"), Clock()
    catalogue = make(listing, clock)
    first = await catalogue.offered()
    clock.now += 299
    assert await catalogue.offered() is first
    assert (first.names, first.live, first.note, listing.asked) == (("gpt-4o",), True, "", 1)
    clock.now += 1
    listing.names = ("gpt-5.1",)
    assert (await catalogue.offered()).names == ("gpt-5.1",)


async def test_callers_at_the_same_time_share_one_fetch():
    """Our promise: one question to the gateway, however many ask here."""
    listing = Listing("gpt-4o")
    listing.gate = anyio.Event()
    catalogue = make(listing)
    seen: list[tuple[str, ...]] = []

    async def ask():
        seen.append((await catalogue.offered()).names)

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(ask)
        await anyio.lowlevel.checkpoint()
        listing.gate.set()
    assert seen == [("gpt-4o",)] * 10
    assert listing.asked == 1


async def test_a_cancelled_caller_does_not_take_the_others_down():
    """Our promise: whoever waits gets the list, though the one who asked went away."""
    listing = Listing("gpt-4o")
    listing.gate = anyio.Event()
    catalogue = make(listing)
    seen: list[tuple[str, ...]] = []
    scope = anyio.CancelScope()
    asking = anyio.Event()

    async def goes_away():
        with scope:
            asking.set()
            await catalogue.offered()

    async def waits():
        seen.append((await catalogue.offered()).names)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(goes_away)
        await asking.wait()
        tasks.start_soon(waits)
        await anyio.lowlevel.checkpoint()
        scope.cancel()
        listing.gate.set()
    assert seen == [("gpt-4o",)]


async def test_a_failed_fetch_gives_the_shipped_list_with_the_reason_and_is_remembered_briefly():
    """Our promise: list_models answers without a gateway and says so."""
    listing, clock = Listing(), Clock()
    listing.error = Unreachable("No connection to api.example.com.")
    catalogue = make(listing, clock)
    offer = await catalogue.offered()
    assert offer.live is False
    assert "No connection to api.example.com." in offer.note
    assert "qwen-omni-turbo" in offer.names
    assert "dall-e-3" not in offer.names
    clock.now += 9
    await catalogue.offered()
    assert listing.asked == 1
    listing.error, listing.names = None, ("gpt-4o",)
    clock.now += 1
    assert (await catalogue.offered()).names == ("gpt-4o",)


async def test_a_list_that_was_live_outlives_a_later_failure():
    """Our promise: what the gateway said last is nearer the truth than what was shipped."""
    listing, clock = Listing("house-model"), Clock()
    catalogue = make(listing, clock)
    await catalogue.offered()
    listing.error = Unreachable("No connection.")
    clock.now += 1000
    for _ in range(2):
        offer = await catalogue.offered()
        assert offer.names == ("house-model",)
        assert offer.live is True
        assert offer.note.count("No connection.") == 1
        clock.now += 1000


async def test_a_fault_of_our_own_is_not_taken_for_the_gateways():
    """Our promise: only errors of the tree stand for a gateway that failed."""
    listing = Listing()
    listing.error = RuntimeError("a bug")
    with pytest.raises(RuntimeError):
        await make(listing).offered()


async def test_what_was_asked_for_is_taken_without_asking_the_gateway():
    """Our promise: a gateway may serve more than it lists."""
    listing = Listing("gpt-4o")
    choice = await make(listing, MTU_MODEL_CHAT="gpt-5.1").choose("chat", " house-model ")
    assert (choice.model, listing.asked) == ("house-model", 0)
    assert "asked" in choice.why


async def test_a_setting_comes_before_the_preference_list():
    """Our promise: MTU_MODEL_* decides where nobody named a model."""
    listing = Listing("gpt-5.1")
    choice = await make(listing, MTU_MODEL_CHAT="house-model").choose("chat")
    assert (choice.model, listing.asked) == ("house-model", 0)
    assert "MTU_MODEL_CHAT" in choice.why


async def test_the_first_preference_that_is_offered_is_taken_in_the_gateways_spelling():
    """Our promise: defaults are the first of a preference list that the gateway offers."""
    listing = Listing("tts-1", "openai/gpt-4o", "gpt-4.1-2025-04-14", "gpt-4.1-2025-09-09")
    assert (await make(listing).choose("chat")).model == "gpt-4.1-2025-09-09"
    listing = Listing("gpt-4.1-2025-04-14", "gpt-4.1", "vendor/gpt-4.1")
    assert (await make(listing).choose("chat")).model == "gpt-4.1"


async def test_a_retired_model_is_taken_only_when_nothing_better_is_offered():
    """Our promise, by OpenAI's deprecations page: gpt-image-1 went on 2026-10-23, dall-e on 2026-05-12."""
    assert (await make(Listing("dall-e-3", "gpt-image-1", "qwen-image")).choose("image")).model == "qwen-image"
    choice = await make(Listing("dall-e-3", "tts-1")).choose("image")
    assert choice.model == "dall-e-3"
    assert "retired" in choice.why


async def test_what_retires_later_moves_back_in_the_list_by_itself():
    """Our promise: the preference list ages well; gpt-5.1 retires on 2027-04-01."""
    listing = Listing("gpt-5.1", "qwen-plus")
    later = Catalogue(Settings.read({}), listing, today=lambda: date(2027, 4, 1))
    assert (await make(listing).choose("chat")).model == "gpt-5.1"
    assert (await later.choose("chat")).model == "qwen-plus"


async def test_a_gateway_with_models_of_its_own_still_has_a_default():
    """Our promise: any OpenAI-compatible server works; what its names tell is used."""
    listing = Listing("nomic-embed-text", "faster-whisper-large", "zork-9000")
    catalogue = make(listing)
    assert (await catalogue.choose("chat")).model == "zork-9000"
    assert (await catalogue.choose("transcribe")).model == "faster-whisper-large"


@pytest.mark.parametrize("names", [(), ("text-embedding-3-small",)])
async def test_with_nothing_suitable_offered_the_first_preference_is_taken_and_the_reason_says_so(
    names: tuple[str, ...],
):
    """Our promise: a list may be incomplete, so the call is tried."""
    choice = await make(Listing(*names)).choose("research")
    assert choice.model == "jina-deepsearch-v1"
    assert "lists none" in choice.why


async def test_without_a_list_the_first_preference_is_taken():
    """Our promise: a gateway without /models can be used."""
    listing = Listing()
    listing.error = NotAuthorized("No key.")
    choice = await make(listing).choose("omni")
    assert choice.model == "qwen3-omni-flash"
    assert "could not be read" in choice.why


async def test_the_wider_setting_decides_for_finer_uses_unless_that_model_is_known_to_be_unable():
    """Our promise: MTU_MODEL_TRANSCRIBE holds for subtitles too, where its model can make them (OpenAI API reference)."""
    listing = Listing("whisper-1", "gpt-4o-transcribe")
    assert (await make(listing, MTU_MODEL_TRANSCRIBE="house").choose("timestamps")).model == "house"
    assert (await make(listing, MTU_MODEL_TRANSCRIBE="gpt-4o-transcribe").choose("timestamps")).model == "whisper-1"
    assert (
        await make(listing, MTU_MODEL_TRANSCRIBE="gpt-4o-transcribe").choose("transcribe")
    ).model == "gpt-4o-transcribe"


async def test_near_names_are_offered_ones_that_can_do_the_thing():
    """Our promise: a wrong model name is answered with the nearest names that would work."""
    listing = Listing("gpt-4o", "gpt-4o-mini", "gpt-4o-transcribe", "gpt-4o-mini-tts", "house-gpt-4o", "tts-1")
    catalogue = make(listing)
    assert (await catalogue.nearest("gpt4o"))[0] == "gpt-4o"
    assert (await catalogue.nearest("gpt 4o transcrib", "transcribe"))[0] == "gpt-4o-transcribe"
    assert "gpt-4o" not in await catalogue.nearest("gpt-4o", "speech")


async def test_what_the_gateways_list_says_of_a_model_comes_before_the_shipped_facts():
    """vLLM and OpenRouter give a window, OpenAI a shutdown date; anything of the wrong kind is not believed."""
    listing = Listing(
        "gpt-4o",
        "house",
        "odd",
        "local",
        "seer",
        "painter",
        facts={
            "local": {"meta": {"n_ctx": 512, "n_ctx_train": 4096}},
            "seer": {"architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]}},
            "painter": {"architecture": {"input_modalities": ["text", "image"], "output_modalities": ["image"]}},
            "gpt-4o": {"shutdown_date": "2028-01-01"},
            "house": {"max_model_len": 8192, "shutdown_date": 1_830_000_000},
            "odd": {
                "context_length": "many",
                "shutdown_date": "soon",
                "max_model_len": True,
                "meta": ["n_ctx"],
                "architecture": {"input_modalities": "image", "output_modalities": None},
            },
        },
    )
    catalogue = make(listing)
    entries = {entry.name: entry for entry in await catalogue.entries()}
    assert entries["gpt-4o"].retires == date(2028, 1, 1)
    assert entries["house"].context == 8192
    assert entries["house"].retires == date(2027, 12, 28)
    assert (entries["odd"].context, entries["odd"].retires) == (None, None)
    assert entries["local"].context == 512
    assert entries["seer"].capabilities == ("chat", "vision")
    assert entries["painter"].capabilities == ()


async def test_entries_are_the_offered_ones_in_the_gateways_order():
    """Our promise: list_models shows what the gateway offers now, filtered by what it can do."""
    catalogue = make(Listing("whisper-1", "zork", "gpt-4o"))
    assert [entry.name for entry in await catalogue.entries()] == ["whisper-1", "zork", "gpt-4o"]
    assert [entry.name for entry in await catalogue.entries("transcribe")] == ["whisper-1"]
