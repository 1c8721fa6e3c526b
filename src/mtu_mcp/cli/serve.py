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

from mtu_mcp.cli._language import told

if TYPE_CHECKING:
    from mtu_mcp.app import App
    from mtu_mcp.server.shutdown import Ending
    from mtu_mcp.settings import Settings


def run(arguments: argparse.Namespace) -> int:
    """Serve until the host leaves or the process is told to stop."""
    gc.disable()
    import anyio

    from mtu_mcp.errors import MtuError
    from mtu_mcp.server.shutdown import fill_standard_descriptors

    fill_standard_descriptors()
    try:
        with environment(arguments.sandbox) as environ:
            anyio.run(_serve, arguments, environ)
    except MtuError as error:
        print(f"mtu-mcp: {told(error)}", file=sys.stderr)
        return 1
    return 0


async def _serve(arguments: argparse.Namespace, environ: Mapping[str, str]) -> None:
    import anyio

    from mtu_mcp.app import open_app
    from mtu_mcp.server.logs import configure
    from mtu_mcp.server.shutdown import Ending

    settings = settings_from(environ)
    configure(settings.log_level, *settings.secrets)
    ending = Ending()
    with anyio.CancelScope() as scope, ending.on_signals(scope.cancel):
        async with open_app(settings) as app:
            if arguments.transport == "stdio":
                await _serve_stdio(app, ending)
            else:
                await _serve_http(app, arguments)


async def _serve_stdio(app: App, ending: Ending) -> None:
    from mtu_mcp.server.assembly import build_server
    from mtu_mcp.server.stdio import serve_stdio

    server = build_server(app)
    _settle()
    await serve_stdio(server, ending.begin)


async def _serve_http(app: App, arguments: argparse.Namespace) -> None:
    from mtu_mcp.server.auth import require_way_in
    from mtu_mcp.server.http import LOOPBACK, address, build_http_app, build_sse_app, listen, serve_http

    require_way_in(app.settings, arguments.host, LOOPBACK)
    with listen(arguments.host, arguments.port) as listener:
        from mtu_mcp.server.assembly import build_server

        make = build_sse_app if arguments.transport == "sse" else build_http_app
        web = make(build_server(app), app.settings, arguments.host)
        _settle()
        path = "sse" if arguments.transport == "sse" else "mcp"
        where = address(arguments.host, listener.getsockname()[1])
        print(f"mtu-mcp: listening on http://{where}/{path}", file=sys.stderr, flush=True)
        if path == "mcp":
            print(f"mtu-mcp: for people, in a browser: http://{where}/ui/", file=sys.stderr, flush=True)
        await serve_http(web, listener)


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
        own = {"MTU_BASE_URL": gateway.base_url, "MTU_API_KEY": "sk-sandbox", "MTU_DATABASE_URL": _own_database()}
        yield {**kept, **own}


def _own_database() -> str:
    """Beside the real one: what the stand-in pretends to cost belongs neither to the sums nor under the caps."""
    from mtu_mcp.settings import Settings

    real = Settings.read(os.environ).database_path
    return str(real.with_name(f"{real.stem}-sandbox{real.suffix}"))


def settings_from(environ: Mapping[str, str]) -> Settings:
    """Read settings and say on stderr what could not be used."""
    from mtu_mcp.settings import Settings

    settings = Settings.read(environ)
    for problem in settings.problems:
        print(f"mtu-mcp: {told(problem)}", file=sys.stderr)
    return settings
