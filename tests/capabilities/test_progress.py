"""Progress: a host sees how far a call is, from the gateway's own deltas, throttled."""

import itertools
from typing import Any

from capabilities.material import answered
from connections import MEMORY, Cell, connect, every_cell
from mtu_mcp.sandbox import Options, Sandbox

ONE_GATEWAY = True

Environ = dict[str, str]
Heard = list[tuple[float, str]]


def ear(heard: Heard) -> Any:
    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, message or ""))

    return hear


@every_cell
async def test_deltas_are_reported_while_the_answer_grows(cell: Cell, environ: Environ) -> None:
    """MCP specification, progress: the value grows with each notification."""
    heard: Heard = []
    with Sandbox(Options(pace=0.03)) as unhurried:
        async with connect(cell, {**environ, "MTU_BASE_URL": unhurried.base_url}) as client:
            result = await client.call_tool(
                "chat", {"prompt": "Count to 12", "model": "qwen-plus"}, progress_callback=ear(heard)
            )
    assert not result.is_error
    values = [value for value, _ in heard]
    assert len(heard) >= 2
    assert all(later > earlier for earlier, later in itertools.pairwise(values))
    assert heard[0][1] == "asking qwen-plus"
    assert any("character" in message for _, message in heard)


async def test_many_deltas_become_few_reports(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: at most one report in a tenth of a second; a stream of a thousand pieces costs the host nothing."""
    heard: Heard = []
    async with connect(MEMORY, environ) as client:
        await client.call_tool("chat", {"prompt": "Count to 2000", "model": "gpt-4.1"}, progress_callback=ear(heard))
    [entry] = gateway.journal.find("/chat/completions")
    assert entry.sent > 100_000
    assert 1 <= len(heard) < 100


async def test_a_host_that_wants_no_progress_gets_none(environ: Environ) -> None:
    """MCP specification, progress: only for requests that carry a token."""
    async with connect(MEMORY, environ) as client:
        assert "1, 2, 3" in await answered(client, "chat", prompt="Count to 3")


async def test_a_host_whose_ear_is_broken_still_gets_its_answer(environ: Environ) -> None:
    """Our promise: the answer is paid for, whatever becomes of the progress."""

    async def deaf(*_: Any) -> None:
        raise RuntimeError("no ear")

    async with connect(MEMORY, environ) as client:
        result = await client.call_tool("chat", {"prompt": "Count to 3"}, progress_callback=deaf)
    assert not result.is_error
