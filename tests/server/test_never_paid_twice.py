"""Answers that nobody was given are not lost, and not paid for again: whatever the host does, and between two servers."""

import json
from typing import Any

import anyio
import httpx
import pytest

from callers import ANN, BOB, JSON, TEAM, serving, shake_hands
from capabilities.material import spent
from connections import HANDSHAKE, MEMORY, connect, text_of
from mtu_mcp.delivery import Delivery
from mtu_mcp.sandbox import Sandbox
from processes import MODERN, modern, request
from storms import Storm

Environ = dict[str, str]
PATH = "/chat/completions"
ASKED: dict[str, Any] = {"name": "chat", "arguments": {"prompt": "What is 6 * 7?"}}


async def test_a_storm_of_impatient_hosts_pays_each_call_once(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: timeouts, disconnects and retries; one paid answer a call, none lost. See benchmarks/paid_twice.py."""
    figures = await Storm(7, gateway).blow(environ, 40)
    assert figures.lost == []
    assert figures.paid_twice == []
    assert figures.hung_up > 20
    assert figures.given_late > 5


@pytest.mark.parametrize("era", [HANDSHAKE, MODERN])
async def test_an_answer_whose_connection_broke_is_given_to_the_retry(
    era: str, environ: Environ, gateway: Sandbox
) -> None:
    """MCP 2025-11-25: a disconnection is no cancellation, the work goes on; its answer must not go nowhere."""
    gateway.arm("stall:3", PATH)
    async with serving(environ) as served, httpx.AsyncClient(trust_env=False, timeout=30) as http:
        headers = {**JSON, "MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "chat"}
        ask: Any = modern
        if era == HANDSHAKE:
            headers, ask = await shake_hands(http, served.base, "none"), request
        body = json.dumps(ask(5, "tools/call", ASKED))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: http.post(f"{served.base}/mcp", headers=headers, content=body))
            await gateway.journal.awaited(lambda entry: bool(entry.notes.get("stalled")))
            tasks.cancel_scope.cancel()
        gateway.release()
        answer = await http.post(f"{served.base}/mcp", headers=headers, content=body)
    assert "6 * 7 = 42" in answer.text
    if era == HANDSHAKE:  # on the modern protocol hanging up is Stop, unless the same call comes in time
        assert spent(gateway) == 1


async def test_the_same_call_waits_for_another_servers_work(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: work of another live server on the same database is joined, and its answer paid for once."""
    gateway.arm("stall:3", PATH)
    hasty, patient = {**environ, "MTU_HAND_OFF_AFTER": "0.05"}, {**environ, "MTU_HAND_OFF_AFTER": "0"}
    said: list[str] = []
    async with connect(MEMORY, hasty) as one, connect(MEMORY, patient) as other, connect(MEMORY, hasty) as third:
        handed = await one.call_tool(**ASKED)
        [link] = [block for block in handed.content if block.type == "resource_link"]
        await gateway.journal.awaited(lambda entry: bool(entry.notes.get("stalled")))
        again = text_of(await third.call_tool(**ASKED))
        assert link.name in again
        assert "still running" in again

        async def join() -> None:
            said.append(text_of(await other.call_tool(**ASKED)))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(join)
            await anyio.wait_all_tasks_blocked()
            assert said == []
            gateway.release()
    assert "6 * 7 = 42" in said[0]
    assert f"Another server was at the same call ({link.name})" in said[0]
    assert spent(gateway) == 1


@pytest.mark.parametrize("transport", ["http", "sse"])
async def test_work_handed_off_is_its_owners_alone(transport: str, environ: Environ, gateway: Sandbox) -> None:
    """Our promise: another caller's job is not found and never joined; the older transport hands off, too."""
    gateway.arm("stall:3", PATH)
    team = {**environ, "MTU_SERVER_TOKENS": TEAM, "MTU_HAND_OFF_AFTER": "0.05"}
    async with serving(team, transport) as served, served.caller(ANN) as ann, served.caller(BOB) as bob:
        [link] = [block for block in (await ann.call_tool(**ASKED)).content if block.type == "resource_link"]
        await gateway.journal.awaited(lambda entry: bool(entry.notes.get("stalled")))
        assert link.name in text_of(await ann.call_tool(**ASKED))
        assert link.name not in text_of(await bob.call_tool(**ASKED))
        for more in ({}, {"cancel": True}):
            assert "There is no job" in text_of(await bob.call_tool("get_job", {"job": link.name, **more}))
        gateway.release()
        said = "It goes on"
        with anyio.fail_after(30):
            while "It goes on" in said:
                said = text_of(await ann.call_tool("get_job", {"job": link.name, "wait": 9}))
        assert "6 * 7 = 42" in said
    assert spent(gateway) == 2


async def test_work_another_server_failed_at_is_begun_anew(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: what came to nothing elsewhere answers nobody."""
    gateway.arm("stall:0", PATH)
    hasty = {**environ, "MTU_HAND_OFF_AFTER": "0.05", "MTU_MAX_RETRIES": "0"}
    async with connect(MEMORY, {**environ, "MTU_HAND_OFF_AFTER": "0"}) as other, connect(MEMORY, hasty) as one:
        handed = await one.call_tool(**ASKED)
        [link] = [block for block in handed.content if block.type == "resource_link"]
        async with anyio.create_task_group() as tasks:
            said: list[str] = []

            async def join() -> None:
                said.append(text_of(await other.call_tool(**ASKED)))

            tasks.start_soon(join)
            await anyio.wait_all_tasks_blocked()
            await one.call_tool("get_job", {"job": link.name, "cancel": True})
    assert "6 * 7 = 42" in said[0]
    assert "Another server" not in said[0]
    assert spent(gateway) == 2


async def test_a_call_handed_off_at_once_does_not_wait_for_itself(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: a slow machine hands a call off before its work has begun; it is then not taken for another's."""
    async with connect(MEMORY, {**environ, "MTU_HAND_OFF_AFTER": "0.000001"}) as client:
        await client.call_tool("list_models", {})  # the database is there, so that the call looks into it
        for number in range(5):
            asked = {"prompt": f"What is {number} * 7?", "conversation": "talk"}
            [link] = [one for one in (await client.call_tool("chat", asked)).content if one.type == "resource_link"]
            with anyio.fail_after(30):
                while "It goes on" in (
                    said := text_of(await client.call_tool("get_job", {"job": link.name, "wait": 9}))
                ):
                    pass
            assert f"= {number * 7}" in said


@pytest.mark.parametrize("left", [True, False])
def test_a_delivery_speaks_once_to_those_before_and_after(left: bool) -> None:
    """Our promise: whoever asks late hears the same word."""
    delivery, heard = Delivery(), list[str]()
    delivery.once_left(lambda: heard.append("left"))
    delivery.otherwise(lambda: heard.append("lost"))
    delivery.settle(left=left)
    delivery.settle(left=not left)
    delivery.once_left(lambda: heard.append("left"))
    delivery.otherwise(lambda: heard.append("lost"))
    assert heard == ["left" if left else "lost"] * 2
