"""The page at `/upload/TOKEN` where a person hands a file to the server: for one file, once, within ten minutes.

The token in the address is the permission, so no other is asked for here; it was given out in the answer to a caller
and what comes in becomes that caller's. There is such a page only where the server listens on loopback and answers to
no other names, since a link to 127.0.0.1 is of use to nobody else. A page of another origin can neither send here (its
name is refused, and the header that carries the file's name makes browsers ask first) nor guess a link.

A file is written to the disk as it arrives, and told by its bytes; the name its sender gives it is only words for the
name it gets. One that is cut, too large or of no known kind leaves nothing behind, and the link open for another try.
"""

from __future__ import annotations

import io
import os
from collections.abc import AsyncIterator, Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import anyio
import anyio.to_thread
from mcp.server.transport_security import TransportSecurityMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mtu_mcp.app import bind_app, bind_owner
from mtu_mcp.errors import MtuError, StorageError
from mtu_mcp.media.kinds import HEAD, kind_of
from mtu_mcp.media.latest import UPLOADED
from mtu_mcp.media.names import quote
from mtu_mcp.media.references import settled
from mtu_mcp.media.spool import Spool
from mtu_mcp.media.tickets import PATH, Tickets
from mtu_mcp.server.edge import hide_key
from mtu_mcp.server.pages import page
from mtu_mcp.server.site import KEEP_OUT, policy

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from mcp.server.transport_security import TransportSecuritySettings
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from mtu_mcp.app import App
    from mtu_mcp.media import Kind
    from mtu_mcp.media.tickets import Ticket

MOST_BYTES: Final = 512 * 1024 * 1024
"""The largest file the Files API takes; what is larger is better saved in an allowed folder than copied."""
IDLE_SECONDS: Final = 30.0
"""How long nothing may arrive of a file that is on its way."""
WHOLE_SECONDS: Final = 900.0
"""How long all of it may take."""
_PIECE: Final = 1 << 20
_NAME: Final = "x-file-name"
_OPEN: Final = '<meta name="state" content="open">'
_LOCAL: Final = ("127.0.0.1", "localhost", "::1")


class _RefusedError(Exception):
    """Why a file is not taken: the status, a word the page knows, and a sentence."""

    def __init__(self, status: int, word: str, text: str) -> None:
        super().__init__(text)
        self.status, self.word, self.text = status, word, text


def tickets_for(app: App, host: str) -> Tickets | None:
    """The links of a server that listens on `host`, put into its App; None where there is no page to hand files in."""
    settings = app.settings
    if host not in _LOCAL or settings.allowed_hosts or settings.read_only:
        return None
    app.uploads = Tickets()
    return app.uploads


def upload_routes(app: App, tickets: Tickets, guard: TransportSecuritySettings) -> list[Route]:
    """The routes below `/upload/`."""
    uploads, checks = Uploads(app, tickets), TransportSecurityMiddleware(guard)

    async def answer(request: Request) -> Response:
        response = await checks.validate_request(request)
        if response is None:
            response = await (uploads.take(request) if request.method == "PUT" else uploads.page(request))
        for name, value in KEEP_OUT.items():
            response.headers.setdefault(name, value)
        return response

    return [Route(f"{PATH}{{token}}", answer, methods=["GET", "PUT"])]


class Listening:
    """An ASGI application that notes where it is reached, for the links that lead back to it.

    Args:
        app: What is inside.
        tickets: The links.
    """

    def __init__(self, app: ASGIApp, tickets: Tickets) -> None:
        self._app = app
        self._tickets = tickets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        server = scope.get("server")
        if not self._tickets.address and scope["type"] == "http" and server and server[1]:
            host = f"[{server[0]}]" if ":" in server[0] else server[0]
            self._tickets.address = f"{scope['scheme']}://{host}:{server[1]}"
        await self._app(scope, receive, send)


class Uploads:
    """What is answered to a person who follows a link.

    Args:
        app: The server the file is for.
        tickets: The links.
        spool: Where a file is kept while it comes.
        idle: Seconds in which something must arrive.
        most: The most bytes a file may have.
    """

    def __init__(
        self,
        app: App,
        tickets: Tickets,
        *,
        spool: Callable[[Path], Spool] = Spool,
        idle: float = IDLE_SECONDS,
        most: int = MOST_BYTES,
    ) -> None:
        self._app = app
        self._tickets = tickets
        self._spool = spool
        self._idle = idle
        self._most = most

    async def page(self, request: Request) -> Response:
        """The page, which tells at once when its link is of no use any more."""
        ticket = self._tickets.find(request.path_params["token"])
        state = self._state(ticket)
        text = page("upload").replace(_OPEN, _OPEN.replace("open", state))
        headers = {"Content-Security-Policy": f"{policy('upload')}; frame-ancestors 'none'"}
        status = {"open": 200, "unknown": 404}.get(state, 410)
        return Response(text, status, headers, media_type="text/html")

    async def take(self, request: Request) -> Response:
        """Take the file in the body of the request."""
        bind_app(self._app)
        try:
            ticket = self._require(request)
            with _taking(ticket):
                bind_owner(ticket.owner)
                told = await self._received(request, ticket)
        except _RefusedError as refused:
            return JSONResponse({"error": refused.word, "text": hide_key(refused.text)}, refused.status)
        return JSONResponse(told, 201)

    def _state(self, ticket: Ticket | None) -> str:
        if ticket is None:
            return "unknown"
        return "used" if ticket.state == "used" else "ended" if self._tickets.ended(ticket) else "open"

    def _require(self, request: Request) -> Ticket:
        """The ticket of a request that may hand in a file.

        Raises:
            _RefusedError: There is none, it was used, or the request comes from another page.
        """
        site, origin = request.headers.get("sec-fetch-site", "none"), request.headers.get("origin")
        if site not in ("same-origin", "none") or origin not in (None, f"{request.url.scheme}://{request.url.netloc}"):
            raise _RefusedError(403, "foreign", "Only the page of this link may hand a file in.")
        ticket = self._tickets.find(request.path_params["token"])
        if ticket is None:
            raise _RefusedError(404, "unknown", "There is no such link.")
        if (state := self._state(ticket)) != "open":
            raise _RefusedError(410, state, "The link was used or its time is over; ask for another one.")
        if ticket.state == "taking":
            raise _RefusedError(409, "taking", "A file is on its way already.")
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._most:
            raise self._too_large()
        return ticket

    async def _received(self, request: Request, ticket: Ticket) -> dict[str, Any]:
        try:
            spool = await anyio.to_thread.run_sync(self._spool, self._app.library.folder)
            try:
                with anyio.fail_after(WHOLE_SECONDS):
                    size = await self._write(request, spool)
                return await self._keep(request, ticket, spool, size)
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(spool.remove)
        except TimeoutError as error:
            raise _RefusedError(408, "slow", f"Nothing arrived for {self._idle:g} s.") from error
        except ClientDisconnect as error:
            raise _RefusedError(400, "cut", "The file did not arrive whole.") from error
        except StorageError as error:
            raise _RefusedError(507, "disk", str(error)) from error
        except MtuError as error:
            raise _RefusedError(400, "cut", str(error)) from error

    async def _write(self, request: Request, spool: Spool) -> int:
        """Write the body to the disk as it arrives; returns how many bytes it has."""
        size, held, refusal = 0, bytearray(), None
        async for chunk in _in_time(request.stream(), self._idle):
            size += len(chunk)
            if size > self._most:
                raise self._too_large()
            held += chunk
            if len(held) >= _PIECE:
                # What it is, is told by its beginning. The rest of what is not taken is read all the same, and dropped:
                # browsers do not read an answer that comes before they have sent everything.
                refusal = refusal or (_wrong_kind(held, _name(request)) if size == len(held) else None)
                await self._add(spool, held, refusal)
        if not size:
            raise _RefusedError(400, "empty", "The file is empty.")
        refusal = refusal or (_wrong_kind(held, _name(request)) if size == len(held) else None)
        if refusal is not None:
            raise refusal
        await self._add(spool, held, None)
        return size

    async def _add(self, spool: Spool, held: bytearray, refusal: _RefusedError | None) -> None:
        if held and refusal is None:
            await anyio.to_thread.run_sync(spool.write, bytes(held))
        held.clear()

    async def _keep(self, request: Request, ticket: Ticket, spool: Spool, size: int) -> dict[str, Any]:
        name = _name(request)
        kind = await anyio.to_thread.run_sync(_finished, spool, name)
        title = name.rpartition(".")[0] or name or "upload"
        about = {UPLOADED: True, "original": quote(name, 200)}
        saved = await self._app.library.adopt(spool.path, title=title, extension=kind.extension, about=about)
        ticket.state, ticket.uri = "used", saved.uri
        return {"uri": saved.uri, "name": saved.name, "mime": kind.mime, "size": size}

    def _too_large(self) -> _RefusedError:
        return _RefusedError(
            413, "large", f"A file may have {self._most:,} bytes; save larger ones in an allowed folder."
        )


@contextmanager
def _taking(ticket: Ticket) -> Generator[None]:
    """Hold a ticket while its file comes; unless it is used then, it is open again."""
    ticket.state = "taking"
    try:
        yield
    finally:
        if ticket.state == "taking":
            ticket.state = "open"


async def _in_time(stream: AsyncIterator[bytes], idle: float) -> AsyncIterator[bytes]:
    """The chunks of a body.

    Raises:
        TimeoutError: Nothing arrived for `idle` seconds.
    """
    while True:
        with anyio.fail_after(idle):
            chunk = await anext(stream, None)
        if chunk is None:
            return
        yield chunk


def _name(request: Request) -> str:
    """The last part of the name a browser gives the file, in no way trusted."""
    said = unquote(request.headers.get(_NAME, ""))[:400]
    return said.replace("\\", "/").rpartition("/")[2].strip()


def _wrong_kind(head: bytearray, name: str) -> _RefusedError | None:
    """Why a file that begins so is not taken."""
    if kind_of(bytes(head[:HEAD]), name).family != "unknown":
        return None
    return _RefusedError(415, "kind", "This is no picture, sound, video or document that any tool here could use.")


def _finished(spool: Spool, name: str) -> Kind:
    """What the whole file is, once it is on the disk to stay. Blocking."""
    with spool.path.open("r+b") as stream:  # Windows flushes only what may be written
        os.fsync(stream.fileno())
        kind = kind_of(stream.read(HEAD), name)
        stream.seek(0, io.SEEK_SET)
        return settled(kind, stream)
