"""The door of the HTTP server: every request comes through here before anything reads it.

Says who the caller is (RFC 6750), binds what belongs to that caller, counts the request, and words the refusals that
the SDK sends bare, so that a person knows what to do. It tells clients where tokens come from (RFC 9728, as the MCP
authorization specification asks). The token itself goes no further than this file: what is passed on names the owner.
"""

from __future__ import annotations

import base64
import json
import math
import re
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import anyio
from mcp.server.auth.middleware.auth_context import auth_context_var
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.shared.inbound import MCP_PROTOCOL_VERSION_HEADER
from mcp.types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.authentication import AuthCredentials
from starlette.datastructures import Headers
from starlette.responses import JSONResponse

from mtu_mcp.errors import MtuError
from mtu_mcp.media.tickets import PATH as UPLOADS
from mtu_mcp.server.auth import LEEWAY, verifier_of
from mtu_mcp.server.limits import MOST_SESSIONS, SESSION, bind_gate, gates_of
from mtu_mcp.server.site import ICON, is_site
from mtu_mcp.settings import Settings, variable

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp.server.auth.provider import AccessToken
    from mcp.server.transport_security import TransportSecuritySettings
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from mtu_mcp.server.auth import Verifier
    from mtu_mcp.server.limits import Gate, Gates

METADATA: Final = "/.well-known/oauth-protected-resource"
RETRY_SECONDS: Final = 30
_PORT: Final = re.compile(r"\d{1,5}\Z", re.ASCII)
CHALLENGE: Final = 'Basic realm="mtu-mcp: the password is your token", charset="UTF-8"'


class Door:
    """An ASGI application that lets callers in to the one inside.

    Args:
        app: What is inside.
        settings: Who may come in, and how much each may ask.
        guard: Which Host headers are answered.
        verifier: Tells callers by their tokens; None lets everybody in.
        gates: Bounds what each may ask; None bounds nothing.
        sessions: Tells how many sessions a caller has.
        now: Unix seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        guard: TransportSecuritySettings,
        verifier: Verifier | None,
        gates: Gates | None,
        *,
        sessions: Callable[[str], int] = lambda _: 0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._app = app
        self._sessions = sessions
        self._now = now
        self._issuer = settings.jwt_issuer
        self._audience = settings.jwt_audience
        self._most_bytes = settings.request_bytes
        self._guard = guard
        self._verifier = verifier
        self._gates = gates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or say why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif status := _misnamed(scope):
            await _Worded(scope, send, self._most_bytes)({"type": "http.response.start", "status": status})
        elif scope["path"].startswith("/.well-known/"):
            await self._tell(scope, receive, send)
        elif self._verifier is None or scope["path"] == ICON or scope["path"].startswith(UPLOADS):
            # The icon is for all, and of a link to hand a file in the link itself is the permission.
            await self._enter(scope, receive, send, "")
        else:
            await self._check(self._verifier, scope, receive, send)

    async def _check(self, verifier: Verifier, scope: Scope, receive: Receive, send: Send) -> None:
        token = _bearer(scope) or _password(scope)
        try:
            found = await verifier.verify(token) if token else None
        except MtuError as error:
            refusal = _refusal(503, "temporarily_unavailable", str(error), {"Retry-After": str(RETRY_SECONDS)})
            await refusal(scope, receive, send)
            return
        if found is None:
            await self._unknown(scope, given=bool(token))(scope, receive, send)
            return
        await self._let_in(found, scope, receive, send)

    async def _let_in(self, found: AccessToken, scope: Scope, receive: Receive, send: Send) -> None:
        user = AuthenticatedUser(found)
        # Sessions are bound to the user in the scope; handlers ask the context variable.
        known = {**scope, "user": user, "auth": AuthCredentials(found.scopes)}
        bound = auth_context_var.set(user)
        left = found.expires_at + LEEWAY - self._now() if found.expires_at and _listens(scope) else math.inf
        try:
            with anyio.move_on_after(left) as limit:
                await self._enter(known, receive, send, found.client_id)
        finally:
            auth_context_var.reset(bound)
        if limit.cancelled_caught:  # who only listens would hear on, long after the token is good for nothing else
            await send({"type": "http.response.body", "body": b""})

    async def _enter(self, scope: Scope, receive: Receive, send: Send, owner: str) -> None:
        gate = self._gates.of(owner) if self._gates else None
        text, wait = self._too_much(gate, scope, owner) if gate else ("", 0.0)
        if wait:
            await _refusal(429, "too_many_requests", text, {"Retry-After": str(math.ceil(wait))})(scope, receive, send)
            return
        bind_gate(gate)
        with gate.opened() if gate else nullcontext():
            await self._app(_without_token(scope), receive, _Worded(scope, send, self._most_bytes))

    def _too_much(self, gate: Gate, scope: Scope, owner: str) -> tuple[str, float]:
        """Why a request is more than its caller may ask, and the seconds to wait; 0 if it is not."""
        weight = _weight(scope)
        if wait := gate.request(weight):
            return f"Too many requests within a minute; try again in {math.ceil(wait)} s.", wait
        if gate.full:
            return "Too many requests of yours are open, listeners among them; end some.", RETRY_SECONDS
        if weight == SESSION and scope["method"] == "POST" and self._sessions(owner) >= MOST_SESSIONS:
            return f"You have {MOST_SESSIONS:,} sessions open; end some with DELETE.", RETRY_SECONDS
        return "", 0.0

    def _unknown(self, scope: Scope, *, given: bool) -> JSONResponse:
        """401 with what RFC 6750, section 3, and RFC 9728, section 5.1, have in the header."""
        said = ['error="invalid_token"', 'error_description="The token is wrong or expired"'] if given else []
        if self._issuer and (resource := self._resource(scope)):
            said.append(f'resource_metadata="{_metadata_address(resource)}"')
        text = (
            "The token is wrong, expired, or for somebody else."
            if given
            else "A token is needed: send the header Authorization: Bearer TOKEN."
        )
        challenge = f"Bearer {', '.join(said)}" if said else "Bearer"
        if is_site(scope["path"]):
            challenge = CHALLENGE
        return _refusal(401, "invalid_token" if given else "unauthorized", text, {"WWW-Authenticate": challenge})

    async def _tell(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Protected resource metadata, for anybody; nothing else is told without a token."""
        path, resource = scope["path"], self._resource(scope)
        if not self._issuer or not resource or path not in (METADATA, urlsplit(_metadata_address(resource)).path):
            await _refusal(404, "not_found", "There is nothing here.", {})(scope, receive, send)
            return
        told = {
            "resource": resource,
            "authorization_servers": [self._issuer],
            "bearer_methods_supported": ["header"],
            "resource_name": "mtu-mcp",
        }
        await JSONResponse(told, headers={"Access-Control-Allow-Origin": "*"})(scope, receive, send)

    def _resource(self, scope: Scope) -> str:
        """The address of this server as clients know it: the audience, or what they asked for; empty for a foreign name."""
        if self._audience.startswith(("https://", "http://")):
            return self._audience
        host = Headers(scope=scope).get("host", "")
        names = self._guard.allowed_hosts
        if host not in names and f"{host.rpartition(':')[0]}:*" not in names:
            return ""
        return f"{scope['scheme']}://{host}/{'sse' if scope['path'].endswith('/sse') else 'mcp'}"


def parts_of(settings: Settings) -> tuple[Verifier | None, Gates | None]:
    """The verifier and the gates that the settings describe."""
    verifier = verifier_of(settings)
    return verifier, gates_of(settings, known=verifier is not None)


def _misnamed(scope: Scope) -> int:
    """421 or 403 where what follows a colon in Host or Origin is no port; the SDK takes whatever follows one there."""
    for name, status in (("host", 421), ("origin", 403)):
        for given in Headers(scope=scope).getlist(name):
            _, colon, port = given.rpartition("://")[2].rpartition("]")[2].partition(":")
            if colon and not _PORT.match(port):
                return status
    return 0


def _bearer(scope: Scope) -> str:
    """The token of the one Authorization header; empty without one, for two would mean that somebody plays a trick."""
    given = Headers(scope=scope).getlist("authorization")
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    return token.strip() if scheme.lower() == "bearer" else ""


def _password(scope: Scope) -> str:
    """The token as a browser sends it for a page for people: as the password, with any name (RFC 7617)."""
    given = Headers(scope=scope).getlist("authorization")
    scheme, _, coded = given[0].partition(" ") if len(given) == 1 and is_site(scope["path"]) else ("", "", "")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(coded.strip(), validate=True).decode("utf-8").partition(":")[2]
    except ValueError:
        return ""


def _without_token(scope: Scope) -> Scope:
    """The request without its token: handlers can reach a request's headers, and none of them needs this one.

    And without the event a client wants a stream resumed after: our events have no names, so there is nothing to resume,
    and the SDK would leave the request without any answer.
    """
    headers = [pair for pair in scope["headers"] if pair[0].lower() not in (b"authorization", b"last-event-id")]
    return {**scope, "headers": headers}


def _weight(scope: Scope) -> int:
    headers = Headers(scope=scope)
    path = scope["path"].rstrip("/")
    older = headers.get(MCP_PROTOCOL_VERSION_HEADER, "") in ("", *HANDSHAKE_PROTOCOL_VERSIONS)
    opens = path.endswith("/mcp") and scope["method"] == "POST" and older and "mcp-session-id" not in headers
    return SESSION if opens or path.endswith("/sse") else 1


def _listens(scope: Scope) -> bool:
    """Whether a request is answered for as long as its client stays; a file for people only takes as long as it takes."""
    if scope["method"] == "GET":
        return not is_site(scope["path"])
    return Headers(scope=scope).get("mcp-method") == "subscriptions/listen"


def _metadata_address(resource: str) -> str:
    """RFC 9728, section 3.1: the well-known part goes between host and path."""
    parts = urlsplit(resource)
    return f"{parts.scheme}://{parts.netloc}{METADATA}{parts.path.rstrip('/')}"


def _refusal(status: int, error: str, text: str, headers: dict[str, str]) -> JSONResponse:
    return JSONResponse({"error": error, "error_description": text}, status, headers)


class _Worded:
    """Sends an answer on; a bare refusal of the SDK's transport goes out with what to do about it."""

    def __init__(self, scope: Scope, send: Send, most_bytes: int) -> None:
        self._send = send
        host = Headers(scope=scope).get("host", "")[:100]
        self._words = {
            413: f"The request is longer than {most_bytes:,} bytes. Give files by their path, by an https:// address or as "
            f"mtu://media/NAME instead of inside the call; whoever runs this server may raise {variable('request_bytes')}.",
            421: f"This server does not answer to the name {host!r}. Whoever runs it may add that to "
            f"{variable('allowed_hosts')}.",
            403: "Pages of that origin may not use this server. Whoever runs it may add the origin's name to "
            f"{variable('allowed_hosts')}.",
        }
        if scope["path"].startswith(UPLOADS):  # which has a limit of its own, and says so
            del self._words[413]
        self._replaced = False

    async def __call__(self, message: Message) -> None:
        if self._replaced:
            return
        if message["type"] == "http.response.start" and (text := self._words.get(message["status"])):
            self._replaced = True
            body = json.dumps({"error": "refused", "error_description": text}).encode()
            headers: list[Any] = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await self._send({"type": "http.response.start", "status": message["status"], "headers": headers})
            await self._send({"type": "http.response.body", "body": body})
            return
        await self._send(message)
