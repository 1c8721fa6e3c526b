"""How much one caller may ask, and that nobody else has to wait for it."""

import json
from typing import Any

import anyio
import httpx
import pytest

from callers import ANN, BOB, JSON, OVER_HTTP, TEAM, knock, serving, shake_hands
from connections import HANDSHAKE, MEMORY, MODERN, Cell, connect, text_of
from mtu_mcp.errors import Refused
from mtu_mcp.sandbox import Sandbox
from mtu_mcp.server.limits import (
    REQUESTS_A_CALL,
    SESSION,
    Figures,
    Gate,
    Gates,
    Window,
    bind_gate,
    calling,
    gates_of,
    holding,
)
from mtu_mcp.settings import Settings
from processes import HELLO, modern, request

Environ = dict[str, str]
every_way = pytest.mark.parametrize("cell", OVER_HTTP, ids=str)
PATH = "/chat/completions"


@pytest.fixture
def team(environ: Environ) -> Environ:
    """Variables of a server for two callers who may each have two calls running."""
    return {**environ, "MTU_SERVER_TOKENS": TEAM, "MTU_CALLS_AT_ONCE": "2"}


@every_way
async def test_one_caller_cannot_keep_another_waiting(gateway: Sandbox, team: Environ, cell: Cell) -> None:
    """Our promise: who has too many calls running is told so at once, in words; everybody else is served."""
    gateway.arm("stall", PATH, 2)
    async with (
        serving(team, cell.transport) as served,
        served.caller(ANN, cell.era) as ann,
        served.caller(BOB, cell.era) as bob,
        anyio.create_task_group() as tasks,
    ):
        for number in range(2):
            tasks.start_soon(ann.call_tool, "chat", {"prompt": f"What is {number} * 7?"})
        await gateway.journal.awaited(lambda _: len(gateway.journal.find(PATH)) == 2)
        refused = await ann.call_tool("chat", {"prompt": "What is 6 * 7?"})
        assert refused.is_error
        assert "2 calls of yours are running" in text_of(refused)
        assert "MTU_CALLS_AT_ONCE" in text_of(refused)
        assert "42" in text_of(await bob.call_tool("chat", {"prompt": "What is 6 * 7?"}))
        assert (await ann.list_tools()).tools
        gateway.release()
    async with serving(team, cell.transport) as served, served.caller(ANN, cell.era) as ann:
        assert "42" in text_of(await ann.call_tool("chat", {"prompt": "What is 6 * 7?"}))


async def test_work_that_was_handed_off_still_counts(gateway: Sandbox, team: Environ) -> None:
    """Our promise: an answer that only names a job does not make room for one more call."""
    gateway.arm("stall", PATH, 2)
    async with (
        serving({**team, "MTU_HAND_OFF_AFTER": "0.05"}) as served,
        served.caller(ANN) as ann,
    ):
        for number in range(2):
            assert "still running" in text_of(await ann.call_tool("chat", {"prompt": f"What is {number} * 7?"}))
        refused = await ann.call_tool("chat", {"prompt": "What is 6 * 7?"})
        assert "2 calls of yours are running" in text_of(refused)
        works = list(served.app.under_way.values())
        gateway.release()
        for work in works:
            await work.ended.wait()
        assert not (await ann.call_tool("chat", {"prompt": "What is 6 * 7?"})).is_error


@every_way
async def test_calls_a_minute_are_counted_by_caller(team: Environ, cell: Cell) -> None:
    """Our promise: the refusal says how long to wait, costs nothing, and is nobody else's."""
    async with (
        serving({**team, "MTU_CALLS_A_MINUTE": "3"}, cell.transport) as served,
        served.caller(BOB, cell.era) as bob,
        served.caller(ANN, cell.era) as ann,
    ):
        said = [text_of(await ann.call_tool("list_models", {})) for _ in range(4)]
        assert not any("within a minute" in text for text in said[:3])
        assert "MTU_CALLS_A_MINUTE" in said[3]
        assert "Try again in" in said[3]
        assert "within a minute" not in text_of(await bob.call_tool("list_models", {}))


async def test_requests_of_any_kind_are_counted_too(team: Environ) -> None:
    """RFC 6585 and RFC 9110: 429 with Retry-After in whole seconds."""
    async with serving({**team, "MTU_CALLS_A_MINUTE": "1"}) as served:
        for _ in range(REQUESTS_A_CALL):
            assert (await knock(served.base, f"Bearer {ANN}")).status_code == 200
        answer = await knock(served.base, f"Bearer {ANN}")
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert (await knock(served.base, f"Bearer {BOB}")).status_code == 200
        assert (await knock(served.base, "Bearer nobody")).status_code == 401


@pytest.mark.parametrize("disguise", [{}, {"Mcp-Method": "tools/list"}, {"MCP-Protocol-Version": "2025-11-25"}])
async def test_sessions_cannot_be_opened_without_end(team: Environ, disguise: dict[str, str]) -> None:
    """Our promise: the room for sessions is everybody's, so opening one counts as several requests."""
    async with serving({**team, "MTU_CALLS_A_MINUTE": "2"}) as served, httpx.AsyncClient(trust_env=False) as client:
        statuses: list[int] = []
        for _ in range(2 * REQUESTS_A_CALL // SESSION + 1):
            headers = {**JSON, "Authorization": f"Bearer {ANN}", **disguise}
            hello = json.dumps(request(1, "initialize", HELLO))
            statuses.append((await client.post(f"{served.base}/mcp", headers=headers, content=hello)).status_code)
        assert statuses[0] == 200
        assert statuses[-1] == 429
        await shake_hands(client, served.base, BOB)


@every_way
async def test_without_tokens_the_one_person_is_not_counted(environ: Environ, cell: Cell) -> None:
    """Our promise: on stdio and on plain loopback nobody has to be protected from anybody."""
    async with serving(environ, cell.transport) as served, served.caller("", cell.era) as client:
        for _ in range(130):
            assert not (await client.call_tool("get_job", {})).is_error


async def test_without_tokens_figures_that_were_set_hold(environ: Environ) -> None:
    """Our promise: what somebody sets is never ignored."""
    async with serving({**environ, "MTU_CALLS_A_MINUTE": "1"}) as served, served.caller("") as client:
        assert not (await client.call_tool("get_job", {})).is_error
        assert (await client.call_tool("get_job", {})).is_error
    async with connect(MEMORY, {**environ, "MTU_CALLS_A_MINUTE": "1"}) as client:
        for _ in range(3):
            assert not (await client.call_tool("get_job", {})).is_error


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("era", [HANDSHAKE, MODERN])
async def test_a_request_that_is_too_long_is_told_what_to_do(team: Environ, era: str, chunked: bool) -> None:
    """RFC 9110, 413: the limit is a setting, and the refusal names the other ways to give a file."""
    body = json.dumps(modern(1, "tools/call", {"name": "chat", "arguments": {"prompt": "x" * 2_000}})).encode()

    async def pieces() -> Any:
        for start in range(0, len(body), 100):
            yield body[start : start + 100]

    async with serving({**team, "MTU_REQUEST_BYTES": "1000"}) as served, httpx.AsyncClient(trust_env=False) as client:
        headers = {**JSON, "Authorization": f"Bearer {ANN}"}
        headers |= (
            {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "chat"} if era == MODERN else {}
        )
        content = pieces() if chunked else body
        answer = await client.post(f"{served.base}/mcp", headers=headers, content=content)
        assert answer.status_code == 413
        for word in ("1,000 bytes", "path", "https://", "mtu://media/", "MTU_REQUEST_BYTES"):
            assert word in answer.json()["error_description"]


async def test_a_stranger_is_answered_before_anything_is_read(team: Environ) -> None:
    """Our promise: without a token nothing of a body is waited for, whatever its length."""
    async with serving(team) as served:
        host, _, port = served.base.rpartition("/")[2].partition(":")
        async with await anyio.connect_tcp(host, int(port)) as stream:
            head = f"POST /mcp HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 4000000\r\n\r\n"
            await stream.send(head.encode())
            assert (await stream.receive()).startswith(b"HTTP/1.1 401 ")


class Clock:
    """Time that stands still until it is told to move."""

    now = 0.5

    def __call__(self) -> float:
        return self.now


def test_a_window_moves() -> None:
    """Our promise: what was counted is forgotten after a minute, and the wait that is told is long enough."""
    clock = Clock()
    window = Window(3, clock)
    assert [window.take() for _ in range(3)] == [0.0, 0.0, 0.0]
    wait = window.take()
    assert 0 < wait <= 60
    clock.now += wait - 0.6
    assert window.take() > 0
    clock.now += 1.6
    assert window.take(3) == 0.0
    assert window.take() > 0


def test_a_place_is_held_until_all_work_on_it_has_ended() -> None:
    """Our promise: a call counts once, from its beginning to the end of the last who works on it."""
    gate = Gate(Figures(1, 100), Clock())
    bind_gate(gate)
    try:
        with calling():
            work = holding()
            work.__enter__()
            with holding():
                assert gate.running == 1
        assert gate.running == 1
        with pytest.raises(Refused, match="may at once"), calling():
            pass
        work.__exit__(None, None, None)
        assert gate.running == 0
        with calling():
            assert gate.running == 1
    finally:
        bind_gate(None)


def test_gates_of_callers_who_left_are_forgotten_and_no_others() -> None:
    """Our promise: memory is bounded, and nobody gets a new minute by that."""
    clock = Clock()
    gates = Gates(Figures(1, 1), clock)
    for number in range(1001):
        gates.of(f"caller-{number}")
    busy = gates.of("caller-7")
    busy.enter()
    gates.of("one more")
    assert gates.of("caller-7") is busy
    busy.leave()
    for number in range(1001):
        gates.of(f"other-{number}")
    assert gates.of("caller-7") is busy
    clock.now += 61
    for number in range(1001):
        gates.of(f"another-{number}")
    assert gates.of("caller-7") is not busy


def test_figures_that_are_none_are_problems() -> None:
    """Our promise: a mistyped limit is not "no limit"."""
    for raw in ("0", "-1", "many", "1.5", "9" * 12):
        settings = Settings.read({"MTU_CALLS_AT_ONCE": raw, "MTU_CALLS_A_MINUTE": raw, "MTU_REQUEST_BYTES": raw})
        assert len(settings.problems) == 3
        assert gates_of(settings, known=True) is not None
