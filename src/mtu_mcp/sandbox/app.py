"""The app: every family of routes, behind the edge.

A new family is one file with `ROUTES` and one line in `_FAMILIES`. What is not routed is refused as such gateways do:
404 `Invalid URL (METHOD /path)`; the `new-api` dialect has its own list of documented routes it answers 501.
"""

import importlib

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from mtu_mcp.sandbox.desk import Desk, Options, desk_of
from mtu_mcp.sandbox.edge import Edge
from mtu_mcp.sandbox.refusals import Refusal, not_offered

_FAMILIES = (
    "control",
    "models",
    "chat",
    "responses",
    "baidu",
    "images",
    "audio",
    "files",
    "batches",
    "embeddings",
    "moderations",
    "speech",
    "completions",
)
_KEPT = ("stored_chat", "stored_responses", "input_tokens", "finetuning")
"""Families that need more than a relay, most of them a memory; New API has none of them."""
_REMOVED = ("assistants", "threads", "runs")
"""What OpenAI removed on 2026-08-26: served only if the options say so."""
_UNIMPLEMENTED = ("/v1/images/variations", "/v1/files", "/v1/fine-tunes")
"""What New API answers with 501 although it is documented."""
_UNROUTED = ("/v1/batches",)
"""What New API has no route for."""
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


async def refuse_unknown(request: Request) -> Response:
    """No such route."""
    raise Refusal(404, f"Invalid URL ({request.method} {request.url.path})")


async def refuse_unimplemented(request: Request) -> Response:
    """A documented route this dialect's gateways do not implement."""
    raise not_offered(f"API not implemented ({request.method} {request.url.path})")


def _families(desk: Desk) -> tuple[str, ...]:
    """The families this dialect's gateways have."""
    if desk.dialect == "new-api":
        return _FAMILIES
    return _FAMILIES + _KEPT + (_REMOVED if desk.options.assistants else ())


def create_app(options: Options | None = None, desk: Desk | None = None) -> Starlette:
    """The sandbox as an ASGI app; its `Desk` is `app.state.desk`, its `Edge` is `app.state.edge`."""
    desk = desk or Desk(options or Options())
    routes: list[BaseRoute] = []
    if desk.dialect == "new-api":
        for path in _UNIMPLEMENTED:
            routes += [Route(each, refuse_unimplemented, methods=_METHODS) for each in (path, path + "/{rest:path}")]
        for path in _UNROUTED:
            routes += [Route(each, refuse_unknown, methods=_METHODS) for each in (path, path + "/{rest:path}")]
        routes.append(Route("/v1/models/{rest:path}", refuse_unimplemented, methods=["DELETE"]))
    for family in _families(desk):
        routes += importlib.import_module(f"mtu_mcp.sandbox.{family}").ROUTES
    routes.append(Route("/{rest:path}", refuse_unknown, methods=_METHODS))
    edges: list[Edge] = []

    def edge(app: ASGIApp) -> Edge:
        edges.append(Edge(app, desk))
        return edges[-1]

    app = Starlette(routes=routes, middleware=[Middleware(edge)], exception_handlers={Refusal: _raise_again})
    app.state.desk = desk
    app.middleware_stack = app.build_middleware_stack()
    app.state.edge = edges[-1]
    return app


async def _raise_again(_request: Request, refusal: Exception) -> Response:
    raise refusal


__all__ = ["create_app", "desk_of"]
