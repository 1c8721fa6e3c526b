"""Conversations: kept whole, in order, found under any spelling of their name."""

import itertools
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from mtu_mcp.errors import BadInput, RecordsError
from mtu_mcp.records import Conversations, Records, Turn

NO_ROLE: Any = None


@pytest.fixture
async def records(tmp_path: Path):
    ticks = itertools.count(1000.0)
    store = Records(tmp_path / "mtu.db", clock=lambda: next(ticks))
    yield store
    await store.aclose()


async def test_a_conversation_is_continued_after_a_restart_and_on_another_model(tmp_path: Path):
    """Our promise: conversations outlive the process and the model."""
    first = Records(tmp_path / "mtu.db", clock=lambda: 5.0)
    await first.conversations.append("trip", [Turn("user", "Where to?"), Turn("assistant", "Oslo.", model="qwen-plus")])
    await first.aclose()
    second = Records(tmp_path / "mtu.db", clock=lambda: 9.0)
    await second.conversations.append("trip", [Turn("user", "When?"), Turn("assistant", "May.", model="gpt-5.1")])
    kept = await second.conversations.load("trip")
    await second.aclose()
    assert kept is not None
    assert [turn.content for turn in kept.turns] == ["Where to?", "Oslo.", "When?", "May."]
    assert (kept.model, kept.created, kept.updated) == ("gpt-5.1", 5.0, 9.0)


async def test_a_turn_comes_back_as_it_was(records: Records):
    """Our promise: content is JSON as on the wire, in any script."""
    turn = Turn(
        role="assistant",
        content=[
            {"type": "text", "text": "雪 – ❄️ \x00"},
            {"type": "image_url", "image_url": {"url": "mtu://media/a.png"}},
        ],
        model="qwen3-omni-flash",
        reasoning="It is snow.",
        tool_calls=[{"id": "call_1", "function": {"name": "f", "arguments": '{"a":1}'}}],
        created=12.5,
        extra={"citations": [{"url": "https://example.com"}]},
    )
    await records.conversations.append("snow", [turn])
    kept = await records.conversations.load("snow")
    assert kept is not None
    assert kept.turns == [turn]


async def test_half_a_surrogate_pair_is_kept(records: Records):
    """Our promise: a stream cut inside an emoji does not lose the answer."""
    await records.conversations.append("cut", [Turn("assistant", "so \ud83d", reasoning="hm \ud83d")])
    kept = await records.conversations.load("cut")
    assert kept is not None
    assert kept.turns[0].content == "so \ud83d"
    assert kept.turns[0].reasoning == "hm ?"


async def test_a_turn_of_a_megabyte_is_kept(records: Records):
    """Our promise: long answers are kept whole."""
    text = "长文本 long " * 100_000
    await records.conversations.append("long", [Turn("user", text)])
    kept = await records.conversations.load("long")
    assert kept is not None
    assert kept.turns[0].content == text


async def test_turns_that_are_not_json_are_refused_and_nothing_of_the_call_is_kept(records: Records):
    """Our promise: all of an exchange or none of it."""
    with pytest.raises(RecordsError, match="not JSON"):
        await records.conversations.append("half", [Turn("user", "fine"), Turn("assistant", b"bytes")])
    assert await records.conversations.load("half") is None


async def test_a_failure_in_the_middle_of_an_append_leaves_nothing(records: Records):
    """Our promise: one transaction per exchange; SQLite refuses the second turn for having no role."""
    with pytest.raises(RecordsError):
        await records.conversations.append("half", [Turn("user", "fine"), Turn(NO_ROLE, "x")])
    assert await records.conversations.load("half") is None
    await records.conversations.append("half", [Turn("user", "again")])


async def test_the_list_shows_the_last_used_first_with_its_first_words(records: Records):
    """Our promise: a person finds a conversation by how it began."""
    await records.conversations.append("a", [Turn("system", "Be brief."), Turn("user", "What  is\nsnow? " + "x" * 200)])
    await records.conversations.append("b", [Turn("user", [{"type": "image_url"}, {"type": "text", "text": "This?"}])])
    await records.conversations.append("a", [Turn("assistant", "Ice.", model="m")])
    first, second = await records.conversations.list()
    assert (first.name, first.turns, first.model) == ("a", 3, "m")
    assert first.opening.startswith("What is snow? xxx")
    assert len(first.opening) == 80
    assert (second.name, second.opening) == ("b", "This?")
    assert [summary.name for summary in await records.conversations.list(limit=1)] == ["a"]


async def test_names_complete_from_their_beginning_and_wildcards_are_plain_characters(records: Records):
    """Our promise: arguments complete from live data."""
    for name in ("Trip to Oslo", "trip_2", "tripX2", "50% off", "другое"):
        await records.conversations.append(name, [Turn("user", "x")])
    assert await records.conversations.names("trip") == ["tripX2", "trip_2", "Trip to Oslo"]
    assert await records.conversations.names("trip_") == ["trip_2"]
    assert await records.conversations.names("50%") == ["50% off"]
    assert await records.conversations.names("дру") == ["другое"]
    assert len(await records.conversations.names()) == 5


async def test_deleting_takes_the_turns_along(records: Records):
    """Our promise: deleted means gone, and the name is free again."""
    await records.conversations.append("gone", [Turn("user", "x")])
    assert await records.conversations.delete("gone") is True
    assert await records.conversations.delete("gone") is False
    assert await records.conversations.load("gone") is None
    count = await records.database.read(lambda it: it.execute("SELECT COUNT(*) FROM turns").fetchone()[0])
    assert count == 0


async def test_two_spellings_of_one_name_are_one_conversation(records: Records):
    """Unicode Standard Annex 15: é is one character or two; macOS types the other one."""
    await records.conversations.append("cafe\u0301 ", [Turn("user", "x")])
    kept = await records.conversations.load("caf\u00e9")
    assert kept is not None
    assert kept.name == "caf\u00e9"


@pytest.mark.parametrize("name", ["", "  ", "a" * 101, "a\nb", "a\x00b", "a\x7fb", "a\u2028b", "a\ud800"])
async def test_a_name_that_cannot_be_one_is_refused_with_the_reason(records: Records, name: str):
    """Our promise: names of 1 to 100 characters without control characters."""
    with pytest.raises(BadInput, match="name"):
        await records.conversations.load(name)


async def test_two_calls_in_one_conversation_take_turns(records: Records):
    """Our promise: the second call sees the first one's answer."""
    order: list[str] = []
    held, waiting = anyio.Event(), anyio.Event()

    async def first():
        async with records.conversations.turn("x"):
            held.set()
            await waiting.wait()
            order.append("first")

    async def second():
        await held.wait()
        waiting.set()
        async with records.conversations.turn(" x "):
            order.append("second")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first)
        tasks.start_soon(second)
    assert order == ["first", "second"]


async def test_another_conversation_does_not_wait(records: Records):
    """Our promise: only calls in one conversation take turns."""
    async with records.conversations.turn("x"), records.conversations.turn("y"):
        pass


async def test_a_cancelled_call_frees_the_conversation_whether_it_held_it_or_waited(records: Records):
    """Our promise: a cancel neither blocks a conversation nor leaves anything behind."""
    held = anyio.Event()

    async def hold():
        async with records.conversations.turn("x"):
            held.set()
            await anyio.sleep_forever()

    async def wait():
        async with records.conversations.turn("x"):
            raise AssertionError("the holder was still there")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hold)
        await held.wait()
        tasks.start_soon(wait)
        await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    with anyio.fail_after(5):
        async with records.conversations.turn("x"):
            pass


async def test_a_failed_call_frees_the_conversation(records: Records):
    """Our promise: an error in one call does not lock the next one out."""
    with pytest.raises(ValueError, match="broke"):
        async with records.conversations.turn("x"):
            raise ValueError("broke")
    with anyio.fail_after(5):
        async with records.conversations.turn("x"):
            pass


async def test_another_owners_conversations_are_not_visible(records: Records):
    """Our promise: what one caller keeps, another does not see."""
    other = Conversations(records.database, lambda: 1.0, owner="ann")
    await records.conversations.append("x", [Turn("user", "mine")])
    await other.append("x", [Turn("user", "hers")])
    assert [summary.opening for summary in await other.list()] == ["hers"]
    assert await other.delete("x") is True
    assert await records.conversations.load("x") is not None
