"""`mtu-mcp serve`: start first, explain later.

A host waits for the first answer of every server it starts, so nothing is read, opened or connected before that.
The cyclic garbage collector is off while modules load: they make hundreds of thousands of objects that live for
ever, and looking through them again and again costs a fifth of the start. Frozen, they are never looked at again.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mtu_mcp.app import App
    from mtu_mcp.settings import Settings


def run(arguments: argparse.Namespace) -> int:
    """Serve until the host leaves or the process is told to stop."""
    gc.disable()
    import anyio

    from mtu_mcp.errors import MtuError

    with environment(arguments.sandbox) as environ:
        try:
            anyio.run(_serve, arguments, environ)
        except MtuError as error:
            print(f"mtu-mcp: {error}", file=sys.stderr)
            return 1
    return 0


async def _serve(arguments: argparse.Namespace, environ: Mapping[str, str]) -> None:
    from mtu_mcp.app import open_app

    async with open_app(settings_from(environ)) as app:
        if arguments.transport == "stdio":
            await _serve_stdio(app)
        else:
            await _serve_http(app, arguments)


async def _serve_stdio(app: App) -> None:
    from mtu_mcp.server.assembly import build_server
    from mtu_mcp.server.stdio import serve_stdio

    server = build_server(app)
    _settle()
    await serve_stdio(server)


async def _serve_http(app: App, arguments: argparse.Namespace) -> None:
    from mtu_mcp.server.assembly import build_server
    from mtu_mcp.server.http import build_http_app, build_sse_app, require_loopback, serve_http

    require_loopback(arguments.host)
    server = build_server(app)
    make = build_sse_app if arguments.transport == "sse" else build_http_app
    web = make(server, arguments.host)
    _settle()
    path = "sse" if arguments.transport == "sse" else "mcp"
    print(f"mtu-mcp: listening on http://{arguments.host}:{arguments.port}/{path}", file=sys.stderr)
    await serve_http(web, arguments.host, arguments.port, app.settings.log_level)


def _settle() -> None:
    gc.freeze()
    gc.enable()


@contextmanager
def environment(sandbox: bool) -> Generator[Mapping[str, str]]:
    """Give the environment to read settings from; with `sandbox`, one that leads to an embedded gateway just started."""
    if not sandbox:
        yield os.environ
        return
    from mtu_mcp.sandbox import Sandbox

    with Sandbox() as gateway:
        # A key set for the real gateway is not shown to the stand-in, and a search address must not leave the machine.
        kept = {name: value for name, value in os.environ.items() if name not in ("MTU_SEARCH_URL", "MTU_PROXY")}
        yield {**kept, "MTU_BASE_URL": gateway.base_url, "MTU_API_KEY": "sk-sandbox"}


def settings_from(environ: Mapping[str, str]) -> Settings:
    """Read settings and say on stderr what could not be used."""
    from mtu_mcp.settings import Settings

    settings = Settings.read(environ)
    for problem in settings.problems:
        print(f"mtu-mcp: {problem}", file=sys.stderr)
    return settings
