"""Cancellation: the connection to the gateway is really closed, and other calls on the same connection go on."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from capabilities.material import answered, picture, sound
from connections import CELLS, MEMORY, Cell, connect, every_cell
from mtu_mcp.sandbox import Sandbox
from mtu_mcp.sandbox.journal import Entry

ONE_GATEWAY = True

Environ = dict[str, str]


async def cancel_while_stalled(client: Any, gateway: Sandbox, tool: str, arguments: dict[str, Any]) -> Entry:
    """Start a call that the gateway leaves hanging, see that another is answered, cancel, and see how it ended."""
    async with anyio.create_task_group() as tasks:

        async def hang() -> None:
            await client.call_tool(tool, arguments)

        tasks.start_soon(hang)
        await gateway.journal.awaited(lambda entry: entry.fault.startswith("stall"))
        assert "6 * 7 = 42" in await answered(client, "chat", prompt="What is 6 * 7?")
        tasks.cancel_scope.cancel()
    return await gateway.journal.awaited(lambda entry: bool(entry.fault and entry.ended))


@every_cell
async def test_cancelling_a_chat_closes_its_stream_while_another_call_answers(
    cell: Cell, environ: Environ, gateway: Sandbox
) -> None:
    """MCP specification, cancellation: notifications/cancelled (stdio, SSE), a closed stream (HTTP on 2026-07-28)."""
    gateway.arm("stall:2", "/chat/completions")
    async with connect(cell, environ) as client:
        entry = await cancel_while_stalled(client, gateway, "chat", {"prompt": "Count to 300"})
        assert entry.ended == "client closed"
        await answered(client, "chat", prompt="Still there?")


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.transport in ("memory", "http")], ids=str)
async def test_a_cancelled_turn_leaves_its_conversation_as_it_was_and_free(
    cell: Cell, environ: Environ, gateway: Sandbox
) -> None:
    """Our promise: a conversation never ends in a question that got no reply, and is not locked by one."""
    async with connect(cell, environ) as client:
        await answered(client, "chat", prompt="My name is Mei.", conversation="talk")
        gateway.arm("stall:2", "/chat/completions")
        await cancel_while_stalled(client, gateway, "chat", {"prompt": "Count to 300", "conversation": "talk"})
        said = await answered(client, "chat", prompt="How many messages are there?", conversation="talk")
    assert "You have sent 2 messages" in said


@pytest.mark.parametrize(
    ("tool", "path", "arguments"),
    [
        ("understand", "/chat/completions", {"question": "What?", "media": ["fox.png"]}),
        ("generate_image", "/images/generations", {"prompt": "a fox"}),
        ("generate_image", "/images/edits", {"prompt": "snow", "images": ["fox.png"]}),
        ("generate_image", "/images/variations", {"images": ["fox.png"]}),
        ("transcribe", "/audio/transcriptions", {"file": "voice.wav"}),
        ("web_search", "/ai_search/web_search", {"query": "tea", "engine": "baidu"}),
        ("web_search", "/chat/completions", {"query": "tea", "engine": "jina"}),
    ],
)
async def test_cancelling_any_tool_closes_its_connection(
    environ: Environ, gateway: Sandbox, tmp_path: Path, tool: str, path: str, arguments: dict[str, Any]
) -> None:
    """Our promise: cancellation closes the upstream request, so that nothing more is made that nobody waits for."""
    (tmp_path / "fox.png").write_bytes(picture())
    (tmp_path / "voice.wav").write_bytes(sound())
    gateway.arm("stall:1", path)
    async with connect(MEMORY, {**environ, "MTU_ALLOWED_DIRS": str(tmp_path)}) as client:
        entry = await cancel_while_stalled(client, gateway, tool, arguments)
    assert entry.path.endswith(path)
    assert entry.ended == "client closed"
    assert not (tmp_path / "made").exists()
