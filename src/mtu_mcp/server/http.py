"""Serving hosts over HTTP: streamable HTTP at `/mcp` and the older pair `/sse` + `/messages/`, in one process.

Bound to loopback unless told otherwise. Host and Origin are checked on every bind, since the SDK checks them by
default only on loopback names: a page in the user's browser must not be able to reach the server by rebinding a
name to 127.0.0.1.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from mtu_mcp.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import uvicorn
    from mcp.server.transport_security import TransportSecuritySettings
    from starlette.applications import Starlette

    from mtu_mcp.server.assembly import MtuServer

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
SHUTDOWN_SECONDS: Final = 1
"""How long open streams may hold up the end; listeners never end by themselves."""


def security(host: str) -> TransportSecuritySettings:
    """Which Host and Origin headers are let in for a bind address."""
    from mcp.server.transport_security import TransportSecuritySettings

    names = dict.fromkeys(("127.0.0.1", "localhost", "[::1]", f"[{host}]" if ":" in host else host))
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=[pattern for name in names for pattern in (name, f"{name}:*")],
        allowed_origins=[
            f"{scheme}://{name}{port}" for name in names for scheme in ("http", "https") for port in ("", ":*")
        ],
    )


def build_http_app(server: MtuServer, host: str = LOOPBACK[0]) -> Starlette:
    """Return the ASGI application that serves both HTTP transports."""
    from starlette.applications import Starlette

    guard = security(host)
    modern = server.streamable_http_app(host=host, transport_security=guard)
    older = server.sse_app(host=host, transport_security=guard)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with server.session_manager.run():
            yield

    return Starlette(routes=[*modern.routes, *older.routes], lifespan=lifespan)


def build_sse_app(server: MtuServer, host: str = LOOPBACK[0]) -> Starlette:
    """Return the ASGI application that serves the older transport alone."""
    return server.sse_app(host=host, transport_security=security(host))


def require_loopback(host: str) -> None:
    """Refuse an address that others could reach.

    Raises:
        SettingsError: There is no way yet to tell callers apart, and every caller would spend on one key.
    """
    if host not in LOOPBACK:
        raise SettingsError(
            f"--host {host} would let anybody on the network spend with your key.",
            advice=f"Use one of {', '.join(LOOPBACK)}, and a proxy that authenticates in front of it.",
        )


async def serve_http(app: Starlette, host: str, port: int, log_level: str) -> None:
    """Serve until the process is told to stop.

    Raises:
        SettingsError: The address is not loopback, or cannot be bound.
    """
    import uvicorn

    config = uvicorn.Config(
        app, host=host, port=port, log_level=log_level.lower(), timeout_graceful_shutdown=SHUTDOWN_SECONDS, ws="none"
    )
    server = uvicorn.Server(config)
    await _bound(server)


async def _bound(server: uvicorn.Server) -> None:
    try:
        await server.serve()
    except SystemExit as error:  # uvicorn's way of saying that it could not bind
        address = f"{server.config.host}:{server.config.port}"
        raise SettingsError(
            f"Cannot listen on {address}.", advice="Choose another --port, or stop what uses it."
        ) from error
