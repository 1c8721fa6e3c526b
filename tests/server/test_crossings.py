"""A cancel that meets its answer: what had arrived is kept and given to the same call, whatever else was going on."""

import json
import os
import subprocess
import sys
import threading
from typing import Any

import anyio
import anyio.to_thread
import pytest

from capabilities.material import spent
from connections import CELLS, MEMORY, Cell, connect, text_of
from mtu_mcp.sandbox import Sandbox
from mtu_mcp.server.handoff import GRACE
from processes import PATIENCE, modern

Environ = dict[str, str]
PATH = "/chat/completions"
ASKED: dict[str, Any] = {"name": "chat", "arguments": {"prompt": "What is 6 * 7?"}}
LONG: dict[str, Any] = {"name": "chat", "arguments": {"prompt": "Count to 1000"}}
"""Its answer takes more than one read of a socket."""


@pytest.mark.parametrize("stall", [0, 1, 3])
async def test_an_answer_that_had_arrived_before_the_line_was_cut_is_given_to_the_retry(
    stall: int, environ: Environ, gateway: Sandbox
) -> None:
    """Our promise: never paid twice; here a busy machine reads late what had come within the grace."""
    gateway.arm(f"stall:{stall}", PATH)
    async with connect(MEMORY, environ) as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: client.call_tool(**LONG))
            await gateway.journal.awaited(lambda entry: bool(entry.notes.get("stalled")))
            tasks.cancel_scope.cancel()
        await anyio.wait_all_tasks_blocked()
        gateway.release()
        # The event loop stands still: the answer comes to its end in the meantime, and so does the grace.
        gateway.journal.wait(lambda entry: bool(entry.fault) and entry.ended == "answered")
        threading.Event().wait(2 * GRACE)
        assert "1000" in text_of(await client.call_tool(**LONG))
    assert spent(gateway) == 1


@pytest.mark.parametrize("cell", [one for one in CELLS if one.transport != "sse"], ids=str)
async def test_a_retry_right_after_a_cancel_never_meets_the_work_that_is_being_stopped(
    cell: Cell, environ: Environ, gateway: Sandbox
) -> None:
    """Our promise: it gets an answer of its own; what was stopped is told as stopped to nobody but who stopped it."""
    async with connect(cell, environ) as client:
        for _ in range(3):
            gateway.arm("stall:3", PATH)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: client.call_tool(**ASKED))
                await gateway.journal.awaited(lambda entry: bool(entry.notes.get("stalled")))
                tasks.cancel_scope.cancel()
            await gateway.journal.awaited(lambda entry: entry.ended == "client closed")
            gateway.journal.clear()
            assert "6 * 7 = 42" in text_of(await client.call_tool(**ASKED))
            assert spent(gateway) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe whose reader is gone breaks at the next write on POSIX")
async def test_an_answer_that_met_a_broken_pipe_is_given_to_the_next_server(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: never paid twice, also when the host of a stdio server dies in the moment of the answer."""
    gateway.arm("stall:1", PATH)
    ear, mouth = os.pipe()
    command = [sys.executable, "-m", "mtu_mcp", "serve"]
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT") if name in os.environ}
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=mouth, env={**inherited, **environ})  # noqa: ASYNC220 - raw pipes
    os.close(mouth)
    try:
        assert server.stdin is not None
        server.stdin.write(json.dumps(modern(1, "tools/call", ASKED)).encode() + b"\n")
        server.stdin.flush()
        await gateway.journal.awaited(lambda entry: bool(entry.notes.get("stalled")))
        os.close(ear)
        gateway.release()
        with anyio.fail_after(PATIENCE):
            await anyio.to_thread.run_sync(server.wait)
    finally:
        server.kill()
        server.wait()
        server.stdin.close()
    async with connect(MEMORY, environ) as client:
        said = text_of(await client.call_tool(**ASKED))
    assert "6 * 7 = 42" in said
    assert "which nobody had been given" in said
    assert spent(gateway) == 1
