"""Servers of other kinds, replayed: they list models and answer the rest as told."""

from collections.abc import Callable
from typing import Any

import httpx
from mcp import Client

from capabilities.material import answered, refused
from mtu_mcp.app import open_app
from mtu_mcp.server.assembly import build_server
from mtu_mcp.settings import Settings

Answers = Callable[[httpx.Request], httpx.Response]


class Server(httpx.AsyncBaseTransport):
    """Lists models, and answers the rest as told."""

    def __init__(self, models: list[dict[str, Any]], rest: Answers) -> None:
        self._models, self._rest = models, rest

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        if request.url.path.endswith("/models"):
            return httpx.Response(200, json={"object": "list", "data": self._models})
        return self._rest(request)


async def said(environ: dict[str, str], server: Server, tool: str, *, fails: bool = False, **arguments: Any) -> str:
    settings = Settings.read({**environ, "MTU_MAX_RETRIES": "0"})
    async with open_app(settings, transport=server) as app, Client(build_server(app)) as client:
        return await (refused if fails else answered)(client, tool, **arguments)


def chatted(text: str, *, usage: dict[str, Any] | None = None, choices: int = 1, **message: Any) -> httpx.Response:
    """A chat completion in one body, as many gateways send it even where a stream was asked for."""
    body = {"message": {"role": "assistant", "content": text, **message}, "finish_reason": "stop"}
    given = [{"index": index, **body} for index in range(choices)]
    return httpx.Response(200, json={"model": "served", "choices": given, "usage": usage or {"prompt_tokens": 5}})
