"""Attempts on the ledger: gateways that lie about what they counted, clocks that jump, rows settled twice."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from books import rows_in as rows
from gateway.scripted import ScriptedTransport, events, json_body, make_settings
from mtu_mcp.catalogue import Catalogue
from mtu_mcp.errors import OverBudget
from mtu_mcp.gateway import ChatAnswer, ChatRequest, Exchange, Gateway, News, Scope, TranscriptionRequest, Upload
from mtu_mcp.money import Budget, Charge, Ending
from mtu_mcp.records import Caps, Closing, Ledger, Opening, Records

MODEL = "qwen-math-plus"
BEFORE_MIDNIGHT = datetime(2026, 11, 30, 23, 59, 59, 900_000, tzinfo=UTC).timestamp()
AFTER_MIDNIGHT = datetime(2026, 12, 1, 0, 0, 0, 100_000, tzinfo=UTC).timestamp()


def stream(usage: Any, text: str = "forty-two") -> bytes:
    told = {"id": "c", "object": "chat.completion.chunk", "model": MODEL}
    chunks: list[dict[str, Any]] = [
        {**told, "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": "stop"}]},
        {**told, "choices": [], "usage": usage},
    ]
    return "".join(f"data: {json.dumps(one)}\n\n" for one in chunks).encode() + b"data: [DONE]\n\n"


async def spent(path: Path, answer: Any, ask: Callable[[Gateway], Awaitable[Any]], **settings: Any) -> Any:
    """Ask a scripted gateway, with a real account."""

    async def nothing() -> list[Any]:
        return []

    changed = make_settings(**settings)
    records = Records(path)
    budget = Budget(changed, Catalogue(changed, nothing), records.ledger)
    gateway = Gateway(changed, transport=ScriptedTransport(answer), books=budget)
    try:
        return await ask(gateway)
    finally:
        await gateway.aclose()
        await records.aclose()


async def asked(gateway: Gateway) -> ChatAnswer:
    return await gateway.chat(ChatRequest(MODEL, [{"role": "user", "content": "6 * 7?"}]))


LIES: list[Any] = [
    None,
    {},
    [],
    "a lot",
    {"prompt_tokens": -5, "completion_tokens": -9},
    {"prompt_tokens": 0, "completion_tokens": 0},
    {"prompt_tokens": "many", "completion_tokens": "few"},
    {"prompt_tokens": None, "completion_tokens": None},
    {"prompt_tokens": 10**9, "completion_tokens": 10**9},
    {"prompt_tokens": 10**30, "completion_tokens": 10**30},
    {"prompt_tokens": 1e308, "completion_tokens": -1e308},
    {"seconds": -3600, "type": "duration"},
    {"prompt_tokens": True, "completion_tokens": [1]},
    {"prompt_tokens": "12", "completion_tokens": "7"},
    {"prompt_tokens": 12, "completion_tokens": 7, "prompt_tokens_details": {"text_tokens": -8, "audio_tokens": -1}},
    {"prompt_tokens": 12, "completion_tokens": 7, "completion_tokens_details": "none"},
    {"prompt_tokens": 12, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 10**15}},
]


@pytest.mark.parametrize("capped", [False, True], ids=["free", "capped"])
@pytest.mark.parametrize("usage", LIES, ids=lambda usage: json.dumps(usage)[:60])
async def test_no_count_makes_a_call_free_or_gives_money_back(tmp_path: Path, usage: Any, capped: bool) -> None:
    """Our promise: what cannot be a count is none, and a call that nobody counted costs what it may have cost."""
    caps = {"budget_day": 1.0} if capped else {}
    answer = await spent(tmp_path / "mtu.db", events(stream(usage)), asked, **caps)
    assert answer.text == "forty-two"
    [(state, cny, reserved, sent)] = rows(tmp_path / "mtu.db", "state", "cny", "reserved", "input_tokens")
    assert (state, reserved) == ("done", 0)
    assert 0 < cny < 0.1
    assert sent > 0


async def test_a_length_below_nothing_gives_no_money_back(tmp_path: Path) -> None:
    """OpenAI API reference, transcriptions: usage by duration."""
    body = json.dumps({"text": "hello", "usage": {"type": "duration", "seconds": -1e9}})
    request = TranscriptionRequest("whisper-1", Upload("a.mp3", "audio/mpeg", data=b"x" * 20_000), seconds=9.0)
    await spent(tmp_path / "mtu.db", json_body(body), lambda it: it.transcribe(request), budget_day=100.0)
    [(state, cny, seconds)] = rows(tmp_path / "mtu.db", "state", "cny", "seconds")
    assert state == "done"
    assert cny > 0
    assert seconds == 9


class Clock:
    """A clock that goes on by the list, and then stands still."""

    def __init__(self, *moments: float) -> None:
        self.moments = list(moments)

    def __call__(self) -> float:
        return self.moments.pop(0) if len(self.moments) > 1 else self.moments[0]


def opening(key: str, held: float = 1.0) -> Opening:
    return Opening("", "c", "chat", "", "chat/completions", MODEL, key, held, "list")


def closed(key: str, cny: float) -> Closing:
    return Closing("done", cny=cny, basis="list", idempotency_key=key)


async def test_midnight_between_the_look_and_the_row_lets_nothing_past(tmp_path: Path) -> None:
    """Our promise: a call belongs to the day by whose cap it was let through."""
    for number in range(6):
        clock = Clock(*[BEFORE_MIDNIGHT] * number, AFTER_MIDNIGHT)
        records = Records(tmp_path / f"{number}.db")
        ledger = Ledger(records.database, clock, UTC)
        for key in ("a", "b", "c"):
            try:
                await ledger.reserve(opening(key), Caps(day=1))
            except OverBudget:
                continue
        await records.aclose()
        await ledger.aclose()
        days = [datetime.fromtimestamp(at, UTC).date() for (at,) in rows(tmp_path / f"{number}.db", "started")]
        assert len(days) == len(set(days)), number


@pytest.mark.parametrize("later", [BEFORE_MIDNIGHT - 40 * 86400, BEFORE_MIDNIGHT - 60, AFTER_MIDNIGHT])
async def test_a_clock_set_back_frees_nothing_that_was_spent(tmp_path: Path, later: float) -> None:
    """Our promise: what is held or spent in a month counts in it, also when the clock says it is still to come."""
    records = Records(tmp_path / "mtu.db")
    ledger = Ledger(records.database, Clock(BEFORE_MIDNIGHT), UTC)
    await ledger.settle(await ledger.reserve(opening("a"), Caps(month=1)), closed("a", 1.0))
    again = Ledger(records.database, Clock(later), UTC)
    if later > BEFORE_MIDNIGHT:  # a month later there is room again
        await again.reserve(opening("b"), Caps(month=1))
    else:
        with pytest.raises(OverBudget):
            await again.reserve(opening("b"), Caps(month=1))
    for one in (ledger, again):
        await one.aclose()
    await records.aclose()


async def test_work_that_ends_next_month_costs_in_the_month_it_began(tmp_path: Path) -> None:
    """Our promise: a call belongs to the day on which it began, and is settled once however often its end is told."""

    async def nothing() -> list[Any]:
        return []

    settings = make_settings()
    records = Records(tmp_path / "mtu.db")
    ledger = Ledger(records.database, Clock(BEFORE_MIDNIGHT), UTC)
    number = await ledger.reserve(opening("a", 5.0), Caps())
    await ledger.entrust(number, job="job-1", remote="batch_1")
    await ledger.aclose()
    later = Ledger(records.database, Clock(AFTER_MIDNIGHT), UTC)
    budget = Budget(settings, Catalogue(settings, nothing), later)
    assert (await later.spent()).month == 0
    assert [one.held for one in await later.tallies("2026-11")] == [5]
    assert await budget.conclude("job-1", Ending("done", charge=Charge(2.0, "list")))
    assert await budget.conclude("job-1", Ending("done", charge=Charge(3.0, "list"))) is None
    await budget.later(News("batch_1", "done"))
    [tally] = await later.tallies("2026-11")
    assert (tally.cny, tally.held, tally.state) == (2, 0, "done")
    assert await later.tallies("2026-12") == []
    await later.aclose()
    await records.aclose()


async def test_news_of_work_nobody_began_here_changes_nothing(tmp_path: Path) -> None:
    """Our promise: an id the gateway makes up settles no row."""

    async def nothing() -> list[Any]:
        return []

    settings = make_settings()
    records = Records(tmp_path / "mtu.db")
    budget = Budget(settings, Catalogue(settings, nothing), records.ledger)
    exchange, scope = Exchange("chat/completions", MODEL, idempotency_key="k"), Scope()
    await budget.before(exchange, scope)
    for name in ("", "k", "%", "' OR 1=1 --", "\ud800"):
        await budget.later(News(name, "done"))
    assert rows(tmp_path / "mtu.db", "state") == [("running",)]
    await records.aclose()
