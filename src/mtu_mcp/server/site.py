"""The pages at `/ui/` of the HTTP server, and the little they ask it for: lists of files, figures, the files themselves.

Everything here is read and nothing is changed; who may read is settled before a request arrives (`door`), and which
names this server answers to is checked here as for `/mcp`. Scripts are let run by their digest alone, and what a model
or a website wrote is served so that it cannot run at all.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.transport_security import TransportSecurityMiddleware
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from mtu_mcp.app import bind_app, bind_owner, current_owner
from mtu_mcp.capabilities._views import VIEW, file_facts
from mtu_mcp.errors import BadInput, MtuError, NotFound
from mtu_mcp.server.edge import hide_key
from mtu_mcp.server.icon import PNG
from mtu_mcp.server.pages import PAGES, POLICY, page

if TYPE_CHECKING:
    from mcp.server.transport_security import TransportSecuritySettings
    from starlette.requests import Request

    from mtu_mcp.app import App
    from mtu_mcp.media import Family
    from mtu_mcp.server.assembly import MtuServer

    Handler = Callable[[Request], Awaitable[Response]]

ROOT: Final = "/ui"
ICON: Final = "/favicon.ico"
"""Where every browser looks for an icon by itself, whatever a page says."""
MOST_FILES: Final = 200
"""Files of one part of a list; a page asks for the next."""
FAMILIES: Final[Mapping[str, tuple[Family, ...]]] = {"gallery": ("image",), "player": ("audio", "video")}
KEEP_OUT: Final[Mapping[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Other sites may neither show nor read what is served here, and a shared browser keeps nothing of it."""


def is_site(path: str) -> bool:
    """Whether a path is one of a page for people, whose browser asks for a password and not for a bearer token."""
    return path == ROOT or path.startswith(f"{ROOT}/")


def site_routes(server: MtuServer, guard: TransportSecuritySettings) -> list[Route]:
    """The routes below `/ui`."""
    site = Site(server)
    checks = TransportSecurityMiddleware(guard)

    def guarded(answer: Handler) -> Handler:
        async def checked(request: Request) -> Response:
            refused = await checks.validate_request(request)
            return refused or await _answered(server.app, answer, request)

        return checked

    return [
        Route(ICON, guarded(site.icon), methods=["GET"]),
        Route(ROOT, guarded(site.moved), methods=["GET"]),
        Route(f"{ROOT}/", guarded(site.page), methods=["GET"]),
        Route(f"{ROOT}/{{name}}", guarded(site.page), methods=["GET"]),
        Route(f"{ROOT}/feed/{{name}}", guarded(site.feed), methods=["GET"]),
        Route(f"{ROOT}/media/{{name}}", guarded(site.media), methods=["GET"]),
    ]


class Site:
    """What is answered to a browser.

    Args:
        server: The server whose files and figures are shown.
    """

    def __init__(self, server: MtuServer) -> None:
        self._app = server.app
        self._latest = server.latest

    async def moved(self, request: Request) -> Response:
        """Lead to the address with the slash, from which the pages' own addresses are counted."""
        del request
        return RedirectResponse("ui/", 308)

    async def icon(self, request: Request) -> Response:
        """The server's icon, which is nobody's secret."""
        del request
        return Response(base64.b64decode(PNG), media_type="image/png", headers={"Cache-Control": "max-age=86400"})

    async def page(self, request: Request) -> Response:
        """A page, or the list of them."""
        name = request.path_params.get("name", "index")
        if name != "index" and name not in PAGES:
            raise NotFound("There is no such page.", advice=f"The pages are: {', '.join(PAGES)}.")
        headers = {"Content-Security-Policy": f"{policy(name)}; frame-ancestors 'none'"}
        return Response(page(name), headers=headers, media_type="text/html")

    async def feed(self, request: Request) -> Response:
        """What a page shows, in the shape of a tool's result."""
        name = request.path_params["name"]
        if name in FAMILIES:
            said = self._latest.of(name)
            before = request.query_params.get("before", "")
            told: dict[str, Any] = (said.meta or {}).get(VIEW, {}) if said and not before else {}
            listed = await self._files(FAMILIES[name], before)
            result: dict[str, Any] = {"content": [], "_meta": {VIEW: {**told, **listed}}}
        elif name == "usage":
            report = await self._app.budget.report(request.query_params.get("month", ""), current_owner() or None)
            result = {"content": [], "structuredContent": report.as_dict()}
        elif name in PAGES:
            latest = self._latest.of(name)
            result = latest.model_dump(mode="json", by_alias=True, exclude_none=True) if latest else {"content": []}
        else:
            raise NotFound("There is no such feed.")
        return Response(hide_key(json.dumps(result, ensure_ascii=False)), media_type="application/json")

    async def media(self, request: Request) -> Response:
        """A file of the output folder; what is neither picture, sound nor video is given to be saved, not shown."""
        saved = await anyio.to_thread.run_sync(self._app.library.find, request.path_params["name"])
        shown = saved.kind.family in ("image", "audio", "video") and "svg" not in saved.kind.mime
        return FileResponse(
            saved.path,
            media_type=saved.kind.mime if shown else "application/octet-stream",
            headers={"Content-Security-Policy": "sandbox; default-src 'none'"},
            filename=saved.name,
            content_disposition_type="inline" if shown else "attachment",
        )

    async def _files(self, families: tuple[Family, ...], before: str) -> dict[str, Any]:
        shelf = await anyio.to_thread.run_sync(self._app.library.shelf, families, MOST_FILES, before)
        files = [file_facts(one) for one in shelf.files]
        return {"files": files, "total": shelf.total, "beyond": shelf.beyond, "older": shelf.older}


async def _answered(app: App, answer: Handler, request: Request) -> Response:
    bind_app(app)
    bind_owner(token.client_id if (token := get_access_token()) else "")
    try:
        response = await answer(request)
    except NotFound as error:
        response = PlainTextResponse(hide_key(str(error)), 404)
    except BadInput as error:
        response = PlainTextResponse(hide_key(str(error)), 400)
    except MtuError as error:
        response = JSONResponse({"error": hide_key(str(error))}, 503)
    for name, value in KEEP_OUT.items():
        response.headers.setdefault(name, value)
    return response


@cache
def policy(name: str) -> str:
    """The page's policy, with the digest of its one script in the place of all inline scripts."""
    scripts = re.findall(r"<script>(.*?)</script>", page(name), re.DOTALL)
    digests = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'" for one in scripts
    )
    return POLICY.replace("script-src 'unsafe-inline'", f"script-src {digests}")
