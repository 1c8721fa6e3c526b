"""What wraps every message: the App and the caller are bound, and a tool call gets its own scope.

The scope collects what the call spends upstream and carries its progress back; it is opened here, once, so that no
tool can forget to count. And the handshake says of the lists what the 2026-07-28 protocol says: that their changes
are announced; the SDK leaves that out, and hosts of the older era then never look again.
"""

from collections.abc import Callable
from typing import Any, Final, cast

import anyio
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext

from mtu_mcp.app import App, bind_app, bind_owner, current_owner
from mtu_mcp.capabilities._approval import FREE, fingerprint
from mtu_mcp.delivery import bind_delivery
from mtu_mcp.gateway import open_scope
from mtu_mcp.server.deadlines import patience
from mtu_mcp.server.edge import hide_key
from mtu_mcp.server.progress import Reporter
from mtu_mcp.server.recall import Numbers

NUMBERS: Final = "mtu.numbers"


def bound_to(app: App, look: Callable[[], None] = lambda: None) -> ServerMiddleware[Any]:
    """Middleware that serves every message with `app`, and after each tool call takes a look."""

    async def bind(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        bind_app(app)
        bind_owner(token.client_id if (token := get_access_token()) else "")
        if ctx.method == "initialize":
            return _announcing(await call_next(ctx))
        if ctx.method == "notifications/cancelled":
            _numbers(ctx).cancelled(ctx.params)
        if ctx.method != "tools/call":
            return await call_next(ctx)

        async def report(done: float, total: float | None, message: str | None) -> None:
            await ctx.session.report_progress(done, total, hide_key(message) if message else message)

        with open_scope(Reporter(report)) as scope:
            params = ctx.params or {}
            delivery = bind_delivery(ctx.request, ctx.request_id)
            if ctx.request_id is not None:
                _numbers(ctx).enter(ctx.request_id, delivery)
            scope.owner = current_owner()
            scope.tool = str(params.get("name", ""))[:100]
            if scope.tool not in FREE:
                scope.asked = fingerprint(params)
            scope.until = anyio.current_time() + patience(*client_of(ctx), app.settings.hand_off_after)
            try:
                return await call_next(ctx)
            except anyio.get_cancelled_exc_class():
                delivery.take_back()  # also when the body had its answer
                raise
            finally:
                look()

    return bind


def _numbers(ctx: ServerRequestContext[Any, Any]) -> Numbers:
    """The deliveries of this connection: of one session, whose numbers are its own. On 2026-07-28 each request has a
    connection to itself, and what cancels it is the end of its stream, or a line that the reader of stdin sees.
    """
    connection = ctx.session._connection  # pyright: ignore[reportPrivateUsage] - the SDK gives middleware no other way to it
    return connection.state.setdefault(NUMBERS, Numbers())


def client_of(ctx: ServerRequestContext[Any, Any]) -> tuple[str, str]:
    """The host's name and version; empty where it gives none."""
    client = ctx.session.client_params
    return (client.client_info.name, client.client_info.version) if client is not None else ("", "")


def _announcing(result: HandlerResult) -> HandlerResult:
    if isinstance(result, dict):
        offered = cast("dict[str, dict[str, Any]]", result.get("capabilities", {}))
        for kind in ("tools", "resources", "prompts"):
            if kind in offered:
                offered[kind]["listChanged"] = True
    return result
