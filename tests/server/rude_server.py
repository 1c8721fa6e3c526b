"""A server with tools that misbehave, served as `mtu-mcp serve` serves; run as a script by the tests of stdio."""

import os
import subprocess
import sys
import time
from typing import Any

import anyio
import anyio.to_thread
from mcp.types import CallToolResult, TextContent

from mtu_mcp.app import open_app
from mtu_mcp.capabilities._spec import ToolSpec
from mtu_mcp.server.assembly import MtuServer
from mtu_mcp.server.logs import configure
from mtu_mcp.server.shutdown import Ending, fill_standard_descriptors
from mtu_mcp.server.stdio import serve_stdio
from mtu_mcp.settings import Settings


def answer(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)])


async def shout(times: int = 1) -> CallToolResult:
    """Write to stdout in every way there is."""
    for _ in range(times):
        print("printed", "x" * 5000)  # noqa: T201 - what this tool is for
        os.write(1, b"written to descriptor 1\n")
        sys.stdout.write("left in the buffer")
        await anyio.to_thread.run_sync(subprocess.check_call, [sys.executable, "-c", "print('from a child')"])
    return answer("shouted")


async def listen() -> CallToolResult:
    """Read stdin, as a careless library may."""
    return answer(repr(await anyio.to_thread.run_sync(sys.stdin.readline)))


async def block() -> CallToolResult:
    """Hold a worker thread that nothing can interrupt."""
    print("blocked", file=sys.stderr, flush=True)  # noqa: T201 - what the test waits for
    await anyio.to_thread.run_sync(time.sleep, 60)
    return answer("never")


async def halve() -> CallToolResult:
    """Answer with half a surrogate pair, as an undecodable file name holds."""
    return answer("half \ud83d of a pair")


async def leak() -> CallToolResult:
    """Break with the key in the exception, and log it."""
    raise RuntimeError(f"refused: Bearer {os.environ['MTU_API_KEY']}")


TOOLS = [ToolSpec(fn, title=fn.__name__.title()) for fn in (shout, listen, block, halve, leak)]


async def serve() -> None:
    settings = Settings.read(os.environ)
    configure(settings.log_level, settings.api_key)
    ending = Ending()
    with anyio.CancelScope() as scope, ending.on_signals(scope.cancel):
        async with open_app(settings) as app:
            await serve_stdio(MtuServer(TOOLS, [], app), ending.begin)


def main() -> Any:
    fill_standard_descriptors()
    anyio.run(serve)


if __name__ == "__main__":
    main()
