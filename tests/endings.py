"""A real server at work that is told to end, in each of the ways there are, and what it left."""

import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

import anyio
import httpx

from callers import JSON
from mtu_mcp.sandbox import Sandbox
from processes import HELLO, MODERN, Child, modern, request, running

PATH = "/chat/completions"
WAYS = [
    ("stdio", "closed stdin"),
    ("stdio", "dead parent"),
    *((transport, name) for transport in ("stdio", "http") for name in ("SIGINT", "SIGTERM")),
]
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-m", "mtu_mcp", "serve"], stdin=subprocess.PIPE)
print(child.pid, file=sys.stderr, flush=True)
for line in sys.stdin.buffer:
    child.stdin.write(line); child.stdin.flush()
"""


@dataclass
class End:
    """How a server ended: seconds from being told, and the states of what it was at."""

    seconds: float
    ledger: dict[str, int]
    jobs: dict[str, int]
    stderr: str


async def end(transport: str, way: str, environ: Mapping[str, str], gateway: Sandbox, calls: int = 20) -> End:
    """Let calls hang, half of them handed off by then, end the server, and look at what it wrote down."""
    gateway.arm("stall:3", PATH, times=calls)
    values = {**environ, "MTU_HAND_OFF_AFTER": "0.3"}
    if transport == "http":
        seconds, stderr = await _over_http(way, values, gateway, calls)
    else:
        seconds, stderr = _over_stdio(way, values, gateway, calls)
    with closing(sqlite3.connect(environ["MTU_DATABASE_URL"])) as connection:
        counts = [
            dict(connection.execute(f"SELECT state, count(*) FROM {name} GROUP BY state"))
            for name in ("ledger", "jobs")
        ]
    return End(seconds, counts[0], counts[1], stderr)


def _call(number: int) -> dict[str, Any]:
    return {"name": "chat", "arguments": {"prompt": f"Count to {number + 100}"}}


def _stalled(gateway: Sandbox, calls: int) -> bool:
    return sum(bool(entry.notes.get("stalled")) for entry in gateway.journal) >= calls


def _over_stdio(way: str, environ: Mapping[str, str], gateway: Sandbox, calls: int) -> tuple[float, str]:
    executable = (sys.executable, "-c", PARENT) if way == "dead parent" else (sys.executable, "-m", "mtu_mcp", "serve")
    with running(environ, executable=executable) as child:
        child.send(request("hello", "initialize", HELLO), {"jsonrpc": "2.0", "method": "notifications/initialized"})
        child.answer("hello")
        child.send(*(request(number, "tools/call", _call(number)) for number in range(calls // 2)))
        for _ in range(calls // 2):  # these are handed off
            child.next()
        child.send(*(request(number, "tools/call", _call(number)) for number in range(calls // 2, calls)))
        gateway.journal.wait(lambda _: _stalled(gateway, calls), timeout=30)
        began = time.perf_counter()
        _tell(child, way)
        child.ended()  # the pipes end when every process that holds them has: no orphan
        return time.perf_counter() - began, child.stderr


async def _over_http(way: str, environ: Mapping[str, str], gateway: Sandbox, calls: int) -> tuple[float, str]:
    with running(environ, "serve", "--transport", "http", "--port", "0") as child:
        address = child.error_line("listening on").split()[-1]
        headers = {**JSON, "MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "chat"}
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http, anyio.create_task_group() as tasks:

            async def post(number: int) -> None:
                with suppress(httpx.HTTPError):
                    await http.post(
                        address, headers=headers, content=json.dumps(modern(number, "tools/call", _call(number)))
                    )

            async def listen() -> None:
                wanted = {"notifications": {"resourceSubscriptions": ["mtu://jobs"]}}
                more = {**headers, "Mcp-Method": "subscriptions/listen"}
                with suppress(httpx.HTTPError):
                    await http.post(
                        address, headers=more, content=json.dumps(modern(1, "subscriptions/listen", wanted))
                    )

            tasks.start_soon(listen)
            for number in range(calls):
                tasks.start_soon(post, number)
            await gateway.journal.awaited(lambda _: _stalled(gateway, calls), timeout=30)
            began = time.perf_counter()
            _tell(child, way)
            await anyio.to_thread.run_sync(child.ended)
            seconds = time.perf_counter() - began
            tasks.cancel_scope.cancel()
        return seconds, child.stderr


def _tell(child: Child, way: str) -> None:
    if way == "closed stdin":
        child.leave()
    elif way == "dead parent":
        child.process.kill()
    else:
        os.kill(child.process.pid, getattr(signal, way))
