"""Callers of a shared server over real HTTP, and an issuer of tokens of their own on loopback."""

import json
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx
import httpx2
import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.api_jws import PyJWS
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from connections import HANDSHAKE, MODERN, Cell, listening
from mtu_mcp.app import App, open_app
from mtu_mcp.settings import Settings
from processes import HELLO, modern, request

ANN, BOB = "ann-token-0123456789", "bob-token-9876543210"
TEAM = f"ann:{ANN},bob:{BOB}"
JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
TODAY = {**JSON, "MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/list"}
OVER_HTTP = [Cell("http", MODERN), Cell("http", HANDSHAKE), Cell("sse", HANDSHAKE)]
AUDIENCE = "https://mcp.example.com/mcp"


@dataclass
class Served:
    """A server under test: its parts, and where it listens."""

    app: App
    base: str
    transport: str

    @asynccontextmanager
    async def caller(self, token: str, era: str = MODERN, **client: Any) -> AsyncGenerator[Client]:
        """Connect as the holder of a token."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if self.transport == "sse":
            async with Client(sse_client(f"{self.base}/sse", headers), mode=HANDSHAKE, **client) as connected:
                yield connected
            return
        timeout = httpx2.Timeout(60.0)
        async with create_mcp_http_client(headers, timeout) as http:
            way = streamable_http_client(f"{self.base}/mcp", http_client=http)
            async with Client(way, mode=era, **client) as connected:
                yield connected


@asynccontextmanager
async def serving(
    environ: Mapping[str, str], transport: str = "http", way: httpx.AsyncBaseTransport | None = None
) -> AsyncGenerator[Served]:
    """Serve over real HTTP on loopback; `way` is the way to the gateway, when it is not the network."""
    async with open_app(Settings.read(environ), transport=way) as app, listening(app, transport) as base:
        yield Served(app, base, transport)


async def knock(base: str, *given: str, path: str = "/mcp", **headers: str) -> httpx.Response:
    """Send one request of today's protocol with these Authorization headers."""
    named = [*{**TODAY, **headers}.items(), *(("Authorization", one) for one in given)]
    pairs = [(name.encode(), value.encode()) for name, value in named]
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        return await client.post(base + path, headers=pairs, content=json.dumps(modern(1, "tools/list")))


async def shake_hands(client: httpx.AsyncClient, base: str, token: str) -> dict[str, str]:
    """Open a session of the handshake era and return the headers that go on with it."""
    headers = {**JSON, "Authorization": f"Bearer {token}"}
    answer = await client.post(f"{base}/mcp", headers=headers, content=json.dumps(request(1, "initialize", HELLO)))
    assert answer.status_code == 200, answer.text
    return {**headers, "Mcp-Session-Id": answer.headers["Mcp-Session-Id"]}


def fresh_key(kind: str = "ES256") -> Any:
    """A private key for a family of algorithms."""
    if kind[:2] in ("RS", "PS"):
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if kind == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
    return ec.generate_private_key(curves[kind])


def public(key: Any, kid: str | None, algorithm: str = "ES256", **more: Any) -> dict[str, Any]:
    """The public half of a key as an issuer publishes it."""
    made = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    made.pop("key_ops", None)
    return {**made, **({"kid": kid} if kid else {}), **more}


@dataclass
class Issuer:
    """A stand-in issuer: answers by path, and remembers what it was asked."""

    address: str = ""
    key: Any = field(default_factory=fresh_key)
    kid: str = "first"
    keys: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    asked: list[str] = field(default_factory=list[str])
    pages: dict[str, Callable[[], Any]] = field(default_factory=dict[str, Callable[[], Any]])
    open: anyio.Event = field(default_factory=anyio.Event)
    slow: bool = False

    def __post_init__(self) -> None:
        self.keys = self.keys or [public(self.key, self.kid)]
        self.pages = {"/.well-known/openid-configuration": self.metadata, "/keys": lambda: {"keys": self.keys}}

    def metadata(self) -> dict[str, Any]:
        """What OpenID Connect Discovery has it publish."""
        return {"issuer": self.address, "jwks_uri": f"{self.address}/keys"}

    def token(self, subject: str = "ann", *, key: Any = None, algorithm: str = "ES256", **changes: Any) -> str:
        """A token; a claim of None is left out, `headers` go into the header."""
        now = time.time()
        claims = {"iss": self.address, "aud": AUDIENCE, "sub": subject, "iat": now, "nbf": now, "exp": now + 600}
        headers = {"kid": self.kid, **changes.pop("headers", {})}
        claims = {name: value for name, value in {**claims, **changes}.items() if value is not None}
        headers = {name: value for name, value in headers.items() if value is not None}
        return PyJWS().encode(json.dumps(claims).encode(), key or self.key, algorithm, headers)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        self.asked.append(scope["path"])
        if self.slow:
            await self.open.wait()
        page = self.pages.get(scope["path"])
        found = page() if page else None
        body = found if isinstance(found, bytes) else json.dumps(found).encode()
        await send({"type": "http.response.start", "status": 200 if page else 404, "headers": []})
        await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def issuing(**changes: Any) -> AsyncGenerator[Issuer]:
    """Run a stand-in issuer on loopback."""
    import socket

    issuer = Issuer(**changes)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(issuer, log_level="critical", timeout_graceful_shutdown=0, ws="none", lifespan="off")
        server = uvicorn.Server(config)
        issuer.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [listener])
            while not server.started:
                await anyio.lowlevel.checkpoint()
            try:
                yield issuer
            finally:
                issuer.open.set()
                server.should_exit = True
