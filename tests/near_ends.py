"""A storm of cancels around the moment of the answer, and of retries: the answer may cross with the cancel anywhere.

A host that cancelled throws away what comes after, whatever left the server before. What is drawn from a seed is how
far the gateway's answer has come when the host cancels, and how many turns of the event loop lie between the two; no
time is waited for, so every order of the two comes up on a machine of any speed.
"""

import json
import random
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
from mcp.types import CallToolRequest, CallToolRequestParams, CallToolResult

from callers import TODAY, serving
from connections import MODERN, Cell, connect, text_of
from mtu_mcp.sandbox import Sandbox
from mtu_mcp.sandbox.journal import Entry
from processes import modern
from storms import Figures, counted, said

Ask = Callable[[Mapping[str, Any]], Awaitable[str]]

PATH = "/chat/completions"
TURNS = (0, 1, 2, 3, 5, 8, 13, 20, 30, 45, 60, 80, 110, 150, 200, 300)
"""Turns of the event loop between the gateway's last word and the cancel; the answer is with the host in fewer than the most."""


class NearEnds:
    """Calls that are cancelled when their answer is about to come, and made again."""

    def __init__(self, seed: int, gateway: Sandbox) -> None:
        self._dice = random.Random(seed)
        self._gateway = gateway
        self.figures = Figures()

    async def blow(self, cell: Cell, environ: Mapping[str, str], calls: int) -> Figures:
        """Run it on one way to reach the server, and count."""
        way = _over_a_socket if cell == Cell("http", MODERN) else _over_a_session
        async with way(cell, {**environ, "MTU_HAND_OFF_AFTER": "0"}) as ask:
            for number in range(calls):
                await self._one(ask, number)
        return counted(self.figures, self._gateway)

    async def _one(self, ask: Ask, number: int) -> None:
        asked = {"prompt": f"What is {number + 1000} * 7? call-{number:05}"}
        self.figures.calls += 1
        self.figures.attempts += 1
        text = await self._cancelled(ask, asked)
        if text is None:
            self.figures.hung_up += 1
            self.figures.attempts += 1
            text = await ask(asked)
            self.figures.given_late += any(words in text for words in ("nobody had been given", "running already"))
        if str((number + 1000) * 7) not in text:
            self.figures.lost.append(f"{asked}: {text}")

    async def _cancelled(self, ask: Ask, asked: Mapping[str, Any]) -> str | None:
        """Call, and cancel near the end; the answer if it was there before the cancel."""
        heard: list[str] = []
        self._gateway.arm(f"stall:{self._dice.choice([0, 1, 2, 3])}", PATH)
        first, whole = self._dice.random() < 0.2, self._dice.random() < 0.7
        turns = self._dice.choice(TURNS)

        async def call() -> None:
            heard.append(await ask(asked))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            await self._gateway.journal.awaited(lambda entry: bool(entry.notes.get("stalled")) and _asks(entry, asked))
            if not first:
                self._gateway.release()
                if whole:  # all of the answer is on its way to the server, or there
                    await self._gateway.journal.awaited(lambda entry: entry.ended == "answered" and _asks(entry, asked))
                await _turns(turns)
            tasks.cancel_scope.cancel()
        if first:
            await _turns(turns)
            self._gateway.release()
        return heard[0] if heard else None


@asynccontextmanager
async def _over_a_session(cell: Cell, environ: Mapping[str, str]) -> AsyncGenerator[Ask]:
    """The SDK's client; a cancel of its request is the protocol's cancel, unless the answer is there."""
    async with connect(cell, environ) as client:

        async def ask(asked: Mapping[str, Any]) -> str:
            # Not `call_tool`: it may look at the list of tools once the answer is there, and can be cancelled at that.
            request = CallToolRequest(params=CallToolRequestParams(name="chat", arguments=dict(asked)))
            return text_of(await client.session.send_request(request, CallToolResult))

        yield ask


@asynccontextmanager
async def _over_a_socket(_: Cell, environ: Mapping[str, str]) -> AsyncGenerator[Ask]:
    """A client that knows what it has read. HTTP libraries read ahead: then an answer that is thrown away was received."""
    async with serving(environ) as served:
        host, port = served.base.removeprefix("http://").split(":")

        async def ask(asked: Mapping[str, Any]) -> str:
            content = json.dumps(modern(1, "tools/call", {"name": "chat", "arguments": dict(asked)}))
            headers = {**TODAY, "Host": f"{host}:{port}", "Mcp-Method": "tools/call", "Mcp-Name": "chat"}
            lines = [f"{name}: {value}" for name, value in {**headers, "Content-Length": len(content)}.items()]
            with socket.create_connection((host, int(port))) as held:
                held.setblocking(False)
                held.send("\r\n".join(["POST /mcp HTTP/1.1", *lines, "", content]).encode())
                return said(json.loads(await _body(held))["result"])

        yield ask


async def _body(held: socket.socket) -> bytes:
    received = b""
    while True:
        await anyio.wait_readable(held)
        received += held.recv(1 << 16)
        head, _, body = received.partition(b"\r\n\r\n")
        length = [
            int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
        ]
        if length and len(body) >= length[0]:
            return body


def _asks(entry: Entry, asked: Mapping[str, Any]) -> bool:
    return asked["prompt"] in json.dumps(entry.asked)


async def _turns(number: int) -> None:
    for _ in range(number):
        await anyio.lowlevel.checkpoint()
