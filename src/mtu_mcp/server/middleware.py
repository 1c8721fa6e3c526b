"""What wraps every message: the App is bound, and a tool call gets its own scope.

The scope collects what the call spends upstream and carries its progress back; it is opened here, once, so that no
tool can forget to count.
"""

from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext

from mtu_mcp.app import App, bind_app
from mtu_mcp.gateway import open_scope
from mtu_mcp.server.progress import Reporter


def bound_to(app: App) -> ServerMiddleware[Any]:
    """Middleware that serves every message with `app`."""

    async def bind(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        bind_app(app)
        if ctx.method != "tools/call":
            return await call_next(ctx)
        with open_scope(Reporter(ctx.session.report_progress)):
            return await call_next(ctx)

    return bind
