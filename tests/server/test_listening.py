"""What callers keep open: how many requests, how many sessions, and how long on a token that has expired."""

import time
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest
from mcp.server.auth.provider import AccessToken

from callers import ANN, BOB, TEAM, issuing, serving, shake_hands
from mtu_mcp.app import open_app
from mtu_mcp.server.assembly import build_server
from mtu_mcp.server.auth import LATEST, LEEWAY, Verifier
from mtu_mcp.server.door import Door, parts_of
from mtu_mcp.server.http import build_http_app, security, sessions_of
from mtu_mcp.server.issuer import IssuerKeys
from mtu_mcp.server.limits import MOST_SESSIONS, REQUESTS_A_CALL
from mtu_mcp.settings import Settings

Environ = dict[str, str]
Message = dict[str, Any]
BASE = "http://127.0.0.1"
LISTEN = {"mcp-method": "subscriptions/listen"}


class Inside:
    """An application whose answers begin and do not end."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended = 0
        self.go = anyio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Begin an answer, and end it when it is told, or cancelled."""
        del scope, receive
        await send({"type": "http.response.start", "status": 200, "headers": []})
        self.begun += 1
        try:
            await self.go.wait()
        finally:
            self.ended += 1
        await send({"type": "http.response.body", "body": b"all"})


def door(inside: Any, environ: Environ, **more: Any) -> Door:
    settings = Settings.read(environ)
    verifier, gates = parts_of(settings)
    return Door(inside, settings, security("127.0.0.1"), more.pop("verifier", verifier), gates, **more)


async def ask(app: Door, token: str, method: str = "GET", path: str = "/mcp", **headers: str) -> list[Message]:
    """What is answered to one request."""
    given = {"host": "127.0.0.1", "authorization": f"Bearer {token}", **headers}
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()]
    scope = {"type": "http", "method": method, "path": path, "scheme": "http", "headers": pairs, "query_string": b""}
    said: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        said.append(message)

    await app(scope, receive, send)
    return said


async def until(true: Callable[[], bool]) -> None:
    with anyio.fail_after(30):
        while not true():
            await anyio.lowlevel.checkpoint()


async def test_one_caller_keeps_only_so_many_requests_open(environ: Environ) -> None:
    """Our promise: each open request holds a connection, and one caller's listeners must not use up everybody's."""
    inside = Inside()
    app = door(inside, {**environ, "MTU_SERVER_TOKENS": TEAM, "MTU_CALLS_AT_ONCE": "1"})
    async with anyio.create_task_group() as tasks:
        for _ in range(REQUESTS_A_CALL):
            tasks.start_soon(ask, app, ANN)
        await until(lambda: inside.begun == REQUESTS_A_CALL)
        refused = await ask(app, ANN)
        assert refused[0]["status"] == 429
        assert b"listeners" in refused[1]["body"]
        tasks.start_soon(ask, app, BOB)
        await until(lambda: inside.begun == REQUESTS_A_CALL + 1)
        inside.go.set()
    assert (await ask(app, ANN))[0]["status"] == 200


async def test_one_caller_keeps_only_so_many_sessions(environ: Environ) -> None:
    """Our promise: the room for sessions is everybody's, so nobody who keeps his own alive can take all of it."""
    inside = Inside()
    inside.go.set()
    has = {"ann": MOST_SESSIONS}
    app = door(inside, {**environ, "MTU_SERVER_TOKENS": TEAM}, sessions=lambda owner: has.get(owner, 0))
    refused = await ask(app, ANN, "POST")
    assert refused[0]["status"] == 429
    assert f"{MOST_SESSIONS:,} sessions".encode() in refused[1]["body"]
    assert (await ask(app, BOB, "POST"))[0]["status"] == 200
    for within in ({"mcp-session-id": "1"}, {"mcp-protocol-version": "2026-07-28"}):
        assert (await ask(app, ANN, "POST", **within))[0]["status"] == 200


async def test_sessions_are_counted_by_their_caller(environ: Environ) -> None:
    """Our promise: those that were ended count no more, and another's do not at all."""
    settings = Settings.read({**environ, "MTU_SERVER_TOKENS": TEAM})
    async with open_app(settings) as app:
        server = build_server(app)
        way = httpx.ASGITransport(build_http_app(server, settings))
        async with server.session_manager.run(), httpx.AsyncClient(transport=way) as client:
            kept = [await shake_hands(client, BASE, ANN) for _ in range(3)]
            await client.request("DELETE", f"{BASE}/mcp", headers=kept[0])
            await shake_hands(client, BASE, BOB)
            assert [sessions_of(server)(owner) for owner in ("ann", "bob", "nobody")] == [2, 1, 0]


@pytest.mark.parametrize(("method", "headers"), [("GET", {}), ("POST", LISTEN)])
async def test_nobody_listens_on_a_token_that_has_expired(environ: Environ, method: str, headers: Any) -> None:
    """RFC 7519, section 4.1.4: an expired token is good for nothing, so it does not hold a stream of news open either."""
    async with issuing() as issuer:
        inside, values = Inside(), {**environ, "MTU_JWT_ISSUER": issuer.address, "MTU_JWT_AUDIENCE": "us"}
        verifier = Verifier((), issuer.address, "us", IssuerKeys(issuer.address))
        token = issuer.token(aud="us", exp=time.time() + 600)
        found = await verifier.verify(token)
        assert found is not None
        ends = found.expires_at or 0
        assert 598 < ends - time.time() <= 600
        app = door(inside, values, verifier=verifier, now=lambda: ends + LEEWAY - 0.01)
        said = await ask(app, token, method, **headers)
        assert said == [{"type": "http.response.start", "status": 200, "headers": []}, said[1]]
        assert said[1] == {"type": "http.response.body", "body": b""}
        assert inside.ended == 1


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/mcp"), ("GET", "/ui/files/talk.wav")], ids=["a call", "a download"]
)
async def test_what_was_begun_ends_when_its_token_expires(environ: Environ, method: str, path: str) -> None:
    """Our promise: what was begun on a good token is paid for, and answered; a file comes whole, as its head says."""
    inside = Inside()

    class Known:
        async def verify(self, _: str) -> AccessToken:
            return AccessToken(token="", client_id="ann", scopes=[], expires_at=1)

    app = door(inside, {**environ, "MTU_SERVER_TOKENS": TEAM}, verifier=Known(), now=lambda: 1e9)
    async with anyio.create_task_group() as tasks:
        said: list[Message] = []

        async def call() -> None:
            said.extend(await ask(app, ANN, method, path, **{"mcp-method": "tools/call"}))

        tasks.start_soon(call)
        await until(lambda: inside.begun == 1)
        await anyio.wait_all_tasks_blocked()
        assert not inside.ended
        inside.go.set()
    assert said[-1]["body"] == b"all"


@pytest.mark.parametrize("exp", [10**30, 1e300])
async def test_a_token_that_lasts_for_ever_is_no_fault(exp: float) -> None:
    """RFC 7519, section 2: a NumericDate may be any number."""
    async with issuing() as issuer:
        verifier = Verifier((), issuer.address, "us", IssuerKeys(issuer.address))
        found = await verifier.verify(issuer.token(aud="us", exp=exp))
        assert found is not None
        assert found.expires_at == LATEST


async def test_a_client_that_wants_to_resume_hears_what_is_new(environ: Environ) -> None:
    """MCP transports, resumability: a server may offer it; one that does not must still answer, with a stream."""
    async with serving({**environ, "MTU_SERVER_TOKENS": TEAM}) as served, httpx.AsyncClient(trust_env=False) as client:
        session = await shake_hands(client, served.base, ANN)
        for event in ("0", "x" * 5_000, session["Mcp-Session-Id"]):
            headers = {**session, "Last-Event-ID": event}
            async with client.stream("GET", f"{served.base}/mcp", headers=headers) as answer:
                assert answer.status_code == 200
                assert answer.headers["content-type"].startswith("text/event-stream")
            await client.request("DELETE", f"{served.base}/mcp", headers=session)
            session = await shake_hands(client, served.base, ANN)
