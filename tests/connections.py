"""Real clients on the real server, one way for each (transport, era) a host can choose.

Everything runs in the test's own task: cancel scopes may not be entered in a fixture and left in another task.
"""

import os
import socket
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
import uvicorn
from mcp import Client, StdioServerParameters
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.types import CallToolResult, CreateMessageResult, ListRootsResult, Root, TextContent

from mtu_mcp.app import App, open_app
from mtu_mcp.server.assembly import build_server
from mtu_mcp.server.http import build_http_app, build_sse_app
from mtu_mcp.server.partings import Parting
from mtu_mcp.settings import Settings

HANDSHAKE = "legacy"
MODERN = "2026-07-28"


@dataclass(frozen=True)
class Cell:
    """One way a host can reach the server."""

    transport: str
    era: str

    def __str__(self) -> str:
        return f"{self.transport}-{self.era}"


MEMORY = Cell("memory", MODERN)
CELLS = [
    MEMORY,
    Cell("memory", HANDSHAKE),
    Cell("stdio", HANDSHAKE),
    Cell("stdio", MODERN),
    Cell("sse", HANDSHAKE),
    Cell("http", HANDSHAKE),
    Cell("http", MODERN),
]
every_cell = pytest.mark.parametrize("cell", CELLS, ids=str)


@asynccontextmanager
async def connect(cell: Cell, environ: Mapping[str, str], **client: Any) -> AsyncGenerator[Client]:
    """Connect a client to a server with these variables.

    Keyword arguments go to `mcp.Client`: `list_roots_callback`, `sampling_callback`, ...
    """
    async with _server(cell, environ) as target, Client(target, mode=cell.era, **client) as connected:
        yield connected


@asynccontextmanager
async def _server(cell: Cell, environ: Mapping[str, str]) -> AsyncGenerator[Any]:
    if cell.transport == "stdio":
        with open_quietly() as errlog:
            yield stdio_client(stdio_parameters(environ), errlog=errlog)
        return
    async with open_app(Settings.read(environ)) as app:
        if cell.transport == "memory":
            yield build_server(app)
            return
        async with listening(app, cell.transport) as base:
            yield sse_client(f"{base}/sse") if cell.transport == "sse" else f"{base}/mcp"


def stdio_parameters(environ: Mapping[str, str], *arguments: str) -> StdioServerParameters:
    """How a host starts the server as a child."""
    command = ["-X", "dev", "-W", "ignore", "-m", "mtu_mcp", "serve", *arguments]
    return StdioServerParameters(command=sys.executable, args=command, env=dict(environ))


def open_quietly() -> Any:
    """Where a child's stderr goes when the test does not read it."""
    return Path(os.devnull).open("w", encoding="utf-8")


@asynccontextmanager
async def listening(app: App, transport: str) -> AsyncGenerator[str]:
    """Serve `app` over HTTP on a free loopback port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        make = build_sse_app if transport == "sse" else build_http_app
        config = uvicorn.Config(
            make(build_server(app), app.settings),
            http=Parting,
            log_level="critical",
            timeout_graceful_shutdown=0,
            ws="none",
        )
        server = uvicorn.Server(config)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [listener])
            with anyio.fail_after(30):
                while not server.started:
                    await anyio.lowlevel.checkpoint()
            yield f"http://127.0.0.1:{port}"
            server.should_exit = True


def text_of(result: CallToolResult) -> str:
    """All text of a result."""
    return "\n".join(block.text for block in result.content if block.type == "text")


def roots(*folders: Path) -> Any:
    """A host that names these folders."""

    async def answer(_: Any) -> ListRootsResult:
        return ListRootsResult(roots=[Root(uri=folder.as_uri()) for folder in folders])

    return answer


class HostModel:
    """A host that lends its model; it answers with a fixed text and remembers what it was asked."""

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    async def __call__(self, _: Any, params: Any) -> CreateMessageResult:
        self.asked.append(params)
        content = TextContent(type="text", text=self.answer)
        return CreateMessageResult(role="assistant", content=content, model="host-model", stop_reason="endTurn")
