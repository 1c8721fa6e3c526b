"""Serving hosts over HTTP: streamable HTTP at `/mcp` and the older pair `/sse` + `/messages/`, in one process.

Bound to loopback unless told otherwise, and elsewhere only behind a `door` that knows its callers. Host and Origin are
checked on every bind, since the SDK checks them by default only on loopback names: a page in the user's browser must
not be able to reach the server by rebinding a name to 127.0.0.1.
"""

from __future__ import annotations

import signal
import socket
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final

import anyio

from mtu_mcp.errors import SettingsError
from mtu_mcp.server.answers import Answers

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Sequence
    from contextlib import AbstractAsyncContextManager

    import uvicorn
    from mcp.server.transport_security import TransportSecuritySettings
    from starlette.applications import Starlette
    from starlette.routing import BaseRoute

    from mtu_mcp.server.assembly import MtuServer
    from mtu_mcp.settings import Settings

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
ANY: Final = ("", "0.0.0.0", "::")  # noqa: S104 - not bound here; no client calls a server by these
LAST_SECONDS: Final = 0.3
"""How long answers under way may hold up the end before they are cut; listeners never end by themselves."""
SHUTDOWN_SECONDS: Final = 1
"""How long uvicorn waits for them before it cancels what is left."""


def security(host: str, names: Iterable[str] = ()) -> TransportSecuritySettings:
    """Which Host and Origin headers are let in for a bind address, and for further names of this server."""
    from mcp.server.transport_security import TransportSecuritySettings

    bound = [] if host in ANY else [f"[{host}]" if ":" in host else host]
    known = dict.fromkeys(("127.0.0.1", "localhost", "[::1]", *bound))
    plain = [name for name in names if name.rpartition("]")[2].count(":") == 0]
    exact = [name for name in names if name not in plain]
    known |= dict.fromkeys(plain)
    patterns = [*(pattern for name in known for pattern in (name, f"{name}:*")), *exact]
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=patterns,
        allowed_origins=[f"{scheme}://{pattern}" for pattern in patterns for scheme in ("http", "https")],
    )


def build_http_app(server: MtuServer, settings: Settings, host: str = LOOPBACK[0]) -> Starlette:
    """Return the ASGI application that serves both HTTP transports."""
    guard = security(host, settings.allowed_hosts)
    from mtu_mcp.server.site import site_routes

    modern = server.streamable_http_app(
        host=host, transport_security=guard, max_request_body_size=settings.request_bytes
    )
    older = _older(server, settings, guard, host)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with server.session_manager.run():
            yield

    routes = [*modern.routes, *older.routes, *site_routes(server, guard)]
    return _behind_a_door(server, host, routes, guard, lifespan)


def build_sse_app(server: MtuServer, settings: Settings, host: str = LOOPBACK[0]) -> Starlette:
    """Return the ASGI application that serves the older transport alone."""
    guard = security(host, settings.allowed_hosts)
    return _behind_a_door(server, host, _older(server, settings, guard, host).routes, guard, None)


def _older(server: MtuServer, settings: Settings, guard: TransportSecuritySettings, host: str) -> Starlette:
    return server.sse_app(host=host, transport_security=guard, max_request_body_size=settings.request_bytes)


def _behind_a_door(
    server: MtuServer,
    host: str,
    routes: Sequence[BaseRoute],
    guard: TransportSecuritySettings,
    lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]] | None,
) -> Starlette:
    from starlette.applications import Starlette
    from starlette.middleware import Middleware

    from mtu_mcp.server.deliveries import Deliveries
    from mtu_mcp.server.door import Door, parts_of
    from mtu_mcp.server.uploads import Listening, tickets_for, upload_routes

    settings = server.app.settings
    door = Middleware(Door, settings, guard, *parts_of(settings), sessions=sessions_of(server))
    around = [Middleware(Deliveries), door]
    if (tickets := tickets_for(server.app, host)) is not None:
        routes = [*routes, *upload_routes(server.app, tickets, guard)]
        around = [Middleware(Listening, tickets), *around]
    return Starlette(routes=routes, lifespan=lifespan, middleware=around)


def sessions_of(server: MtuServer) -> Callable[[str], int]:
    """Tell how many sessions of the handshake era a caller has."""

    def count(owner: str) -> int:
        opened = server.session_manager._session_owners  # pyright: ignore[reportPrivateUsage] - told nowhere else
        return sum(one["client_id"] == owner for one in opened.values())

    return count


def listen(host: str, port: int) -> socket.socket:
    """Bind a port; 0 takes a free one.

    Raises:
        SettingsError: The address is taken, or not one of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
        # asyncio sets this itself only on sockets that name their protocol; without it an answer in two packets
        # waits 40 ms for the first one's acknowledgement. Accepted connections inherit it.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        raise SettingsError(
            f"Cannot listen on {address(host, port)}: {error.strerror or error}.",
            advice="Choose another --port (0 takes a free one), or stop what uses it.",
        ) from error


def address(host: str, port: int) -> str:
    """Host and port as a URL has them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def serve_http(app: Starlette, listener: socket.socket) -> None:
    """Serve on a listening socket until cancelled; answers under way then have `LAST_SECONDS` to be completed."""
    answers = Answers(app)
    server = _server(answers)
    ended = anyio.Event()

    async def serve() -> None:
        with anyio.CancelScope(shield=True):  # told to stop below, so that it takes leave of its clients
            await server.serve(sockets=[listener])
        ended.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        try:
            await ended.wait()
        finally:
            server.handle_exit(signal.SIGTERM, None)
            with anyio.move_on_after(LAST_SECONDS, shield=True):
                await ended.wait()
            answers.stop()


def _server(app: Answers) -> uvicorn.Server:
    import uvicorn

    class Server(uvicorn.Server):
        """Leaves signals to whoever runs it: uvicorn ends by raising them again, which would skip our clean-up."""

        @contextmanager
        def capture_signals(self) -> Generator[None]:
            yield

    from mtu_mcp.server.sockets import QUEUE, Room, connections, most_connections

    config = uvicorn.Config(
        app,
        http=connections(Room(most_connections())),
        backlog=QUEUE,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        ws="none",
    )
    return Server(config)
