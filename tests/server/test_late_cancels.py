"""Cancels that cross with their answer: it was thrown away, so it is given to the retry and paid for once."""

import errno
import json
import os
import re
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import anyio
import httpx
import pytest
import uvicorn
from mcp import Client
from mcp.types import CallToolResult, ImageContent, ResourceLink, TextContent
from uvicorn.server import ServerState

from callers import ANN, BOB, TEAM, TODAY, serving, shake_hands
from capabilities.material import spent
from connections import CELLS, MODERN, Cell, connect, text_of
from mtu_mcp.app import open_app
from mtu_mcp.capabilities._handed import slim
from mtu_mcp.delivery import KEY, LATE, Delivery, bind_delivery
from mtu_mcp.gateway import open_scope
from mtu_mcp.sandbox import Sandbox
from mtu_mcp.server.assembly import build_server
from mtu_mcp.server.handoff import Calls
from mtu_mcp.server.partings import Parting
from mtu_mcp.server.recall import MOST, MOST_BYTES, Numbers, Recall
from mtu_mcp.server.work import Work
from mtu_mcp.settings import Settings
from near_ends import NearEnds
from processes import modern, request, running
from storms import said

Environ = dict[str, str]
PATH = "/chat/completions"
ASKED: dict[str, Any] = {"name": "chat", "arguments": {"prompt": "What is 6 * 7?"}}
OTHER: dict[str, Any] = {"name": "chat", "arguments": {"prompt": "What is 7 * 7?"}}
KEPT = ("which nobody had been given", "running already")
"""What is said of an answer that was paid for before, read from the database or found on its way there."""


def kept(text: str) -> bool:
    """Whether an answer says that it was paid for before."""
    return any(words in text for words in KEPT)


@pytest.mark.parametrize("cell", CELLS, ids=str)
async def test_a_storm_of_cancels_near_the_end_pays_each_call_once(
    cell: Cell, environ: Environ, gateway: Sandbox
) -> None:
    """Our promise: never paid twice, whichever of cancel and answer comes first. See benchmarks/crossings.py."""
    figures = await NearEnds(7, gateway).blow(cell, environ, 30)
    assert figures.lost == []
    assert figures.paid_twice == []
    assert figures.hung_up > 10
    assert figures.given_late > 10


@dataclass
class Session:
    """One handshake session of a host that chooses its numbers itself."""

    http: httpx.AsyncClient
    base: str
    headers: dict[str, str]

    async def call(self, number: int | str, asked: dict[str, Any] = ASKED) -> str:
        answer = await self._post(request(number, "tools/call", asked))
        [line] = [line for line in answer.text.splitlines() if line.startswith("data: {")]
        return said(json.loads(line.removeprefix("data: "))["result"])

    async def cancel(self, number: object) -> int:
        params = {"requestId": number, "reason": "the user pressed Stop"}
        return (await self._post({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})).status_code

    async def _post(self, message: dict[str, Any]) -> httpx.Response:
        return await self.http.post(f"{self.base}/mcp", headers=self.headers, content=json.dumps(message))


@asynccontextmanager
async def sessions(environ: Environ, *tokens: str) -> AsyncGenerator[list[Session]]:
    """Sessions of the handshake era on one server."""
    async with serving(environ) as served, httpx.AsyncClient(trust_env=False, timeout=30) as http:
        yield [Session(http, served.base, await shake_hands(http, served.base, token)) for token in tokens]


async def test_an_answer_that_was_cancelled_after_it_left_is_given_to_the_retry_once(
    environ: Environ, gateway: Sandbox
) -> None:
    """MCP, Cancellation: a host ignores a response that comes after its cancel. Our promise: the retry is not paid for."""
    async with sessions(environ, "none") as [host]:
        await host.call(5)
        assert await host.cancel(5) == 202
        assert kept(await host.call(6))
        assert spent(gateway) == 1
        assert not kept(await host.call(7))
        assert spent(gateway) == 2


async def test_a_kept_answer_that_is_cancelled_too_is_kept_on(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: it waits until somebody reads it, in the database, too; then it is nobody's any more."""
    async with sessions(environ, "none") as [host]:
        await host.call(5)
        await host.cancel(5)
        for number in range(6, 10):
            assert kept(await host.call(number))
            await host.cancel(number)
    async with sessions(environ, "none") as [host]:
        assert KEPT[0] in await host.call(1)
        assert spent(gateway) == 1
        await host.call(2)
    assert spent(gateway) == 2


async def test_a_jobs_answer_that_was_cancelled_after_it_left_is_still_to_be_given(
    environ: Environ, gateway: Sandbox
) -> None:
    """Our promise: what get_job gave counts as given unless its host threw it away; then the call that asks the same has it."""
    gateway.arm("stall:1", PATH)
    async with sessions({**environ, "MTU_HAND_OFF_AFTER": "0.2"}, "none") as [host]:
        [job] = re.findall(r'job="([^"]+)"', await host.call(5))
        gateway.release()
        await host.call(6, {"name": "get_job", "arguments": {"job": job, "wait": 10}})
        await host.cancel(6)
        assert kept(await host.call(7))
        assert spent(gateway) == 1
        assert not kept(await host.call(8))
    assert spent(gateway) == 2


@pytest.mark.parametrize("number", [True, 5.0, None, [5], {"id": 5}, "five", 6, ""])
async def test_only_the_number_itself_takes_an_answer_back(number: object, environ: Environ, gateway: Sandbox) -> None:
    """JSON-RPC 2.0: an id is a string or a number, and MCP wants an integer; `true` is not 1. Asked again it is paid again."""
    async with sessions(environ, "none") as [host]:
        await host.call(1 if number is True else 5)
        await host.cancel(number)
        assert not kept(await host.call(7))
    assert spent(gateway) == 2


async def test_a_number_is_one_sessions_own(environ: Environ, gateway: Sandbox) -> None:
    """MCP: request ids are unique within a session; another session's cancel of the same number is about its own call."""
    async with sessions(environ, "none", "none") as [one, other]:
        await other.call(5, OTHER)
        await one.call(5)
        await other.cancel(5)
        assert not kept(await one.call(6))
        assert kept(await other.call(6, OTHER))
    assert spent(gateway) == 3


async def test_nobody_takes_back_another_callers_answer(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: a session is its caller's; whoever knows its id still gets nothing by it."""
    async with sessions({**environ, "MTU_SERVER_TOKENS": TEAM}, ANN, BOB) as [ann, bob]:
        await ann.call(5)
        await bob.call(5)
        thief = Session(bob.http, bob.base, {**ann.headers, "Authorization": bob.headers["Authorization"]})
        assert await thief.cancel(5) == 404
        assert not kept(await ann.call(6))
        assert not kept(await bob.call(6))
    assert spent(gateway) == 4


@pytest.mark.parametrize("ask", [request, modern], ids=["handshake", "modern"])
def test_a_late_cancel_on_stdio_takes_the_answer_back(ask: Any, environ: Environ, gateway: Sandbox) -> None:
    """Our promise: in both eras, and `true` and `1.0` are not the request 1."""
    with running(environ, "serve") as child:
        if ask is request:
            child.shake_hands()

        def asked(number: int) -> str:
            child.send(ask(number, "tools/call", ASKED))
            return said(child.answer(number)["result"])

        def cancel(number: object) -> None:
            child.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}})

        asked(1)
        cancel(True)
        cancel(1.0)
        assert not kept(asked(2))
        assert spent(gateway) == 2
        cancel(2)
        assert kept(asked(3))
        assert spent(gateway) == 2


def test_a_cancel_of_no_number_leaves_a_call_at_work_alone_on_stdio(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: `true` is not 1, also while 1 is at work; its answer is delivered, and asked again it is paid again."""
    gateway.arm("stall:1", PATH)
    with running(environ, "serve") as child:
        child.shake_hands()
        child.send(request(1, "tools/call", ASKED))
        gateway.journal.wait(lambda entry: bool(entry.notes.get("stalled")))
        child.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": True}})
        assert child.ask(2, "ping")["result"] == {}
        gateway.release()
        assert "42" in said(child.answer(1)["result"])
        child.send(request(3, "tools/call", ASKED))
        assert not kept(said(child.answer(3)["result"]))
    assert spent(gateway) == 2


def ask_over(base: str, *, progress: bool = False) -> socket.socket:
    """Ask on today's protocol over a socket of one's own."""
    host, port = base.removeprefix("http://").split(":")
    message = modern(1, "tools/call", ASKED)
    if progress:
        message["params"]["_meta"] = {**message["params"]["_meta"], "progressToken": 1}
    content = json.dumps(message)
    headers = {**TODAY, "Host": f"{host}:{port}", "Mcp-Method": "tools/call", "Mcp-Name": "chat"}
    lines = [f"{name}: {value}" for name, value in {**headers, "Content-Length": len(content)}.items()]
    held = socket.create_connection((host, int(port)))
    held.setblocking(False)
    held.send("\r\n".join(["POST /mcp HTTP/1.1", *lines, "", content]).encode())
    return held


async def unread(held: socket.socket, end: bytes) -> int:
    """Wait until all of an answer that ends like this has come, without reading it; how long it is."""
    with anyio.fail_after(30):
        while True:
            await anyio.wait_readable(held)
            come = held.recv(1 << 20, socket.MSG_PEEK)
            if come.endswith(end) and b'"jsonrpc"' in come:
                return len(come)
            await anyio.lowlevel.checkpoint()


@pytest.mark.skipif(os.name == "nt", reason="Windows has other words for a connection that was closed unread")
async def test_an_answer_that_was_closed_away_unread_is_given_to_the_retry(environ: Environ, gateway: Sandbox) -> None:
    """RFC 1122, 4.2.2.13: closing with data unread resets the connection. Our promise: nobody was given that answer."""
    async with serving(environ) as served:
        with ask_over(served.base) as held:
            await unread(held, b"}}")
        with ask_over(served.base) as held:
            assert kept(held.recv(await unread(held, b"}}")).decode())
        assert spent(gateway) == 1
        with ask_over(served.base) as held:
            assert not kept(held.recv(await unread(held, b"}}")).decode())
        with ask_over(served.base) as held:
            assert not kept(held.recv(await unread(held, b"}}")).decode())
    assert spent(gateway) == 3


async def test_an_answer_whose_request_ended_before_it_was_written_is_given_to_the_retry(
    environ: Environ, gateway: Sandbox
) -> None:
    """Our promise: whatever stops a request between its answer and the wire, nobody was given that answer."""
    answered = anyio.Event()

    async def linger(ctx: Any, call_next: Any) -> Any:
        result = await call_next(ctx)
        if ctx.method == "tools/call" and not answered.is_set():
            answered.set()
            await anyio.sleep_forever()
        return result

    async with open_app(Settings.read(environ)) as app:
        server = build_server(app)
        server._lowlevel_server.middleware.append(linger)  # pyright: ignore[reportPrivateUsage] - inside of ours
        async with Client(server, mode=MODERN) as client:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: client.call_tool(**ASKED))
                await answered.wait()
                tasks.cancel_scope.cancel()
            assert kept(text_of(await client.call_tool(**ASKED)))
    assert spent(gateway) == 1


class Wire:
    """A transport, and its socket with an error that waits in it."""

    def __init__(self, waiting: int) -> None:
        self._waiting = waiting

    def get_extra_info(self, _: str) -> "Wire":
        return self

    def getsockopt(self, *_: int) -> int:
        return self._waiting

    def close(self) -> None:
        pass


async def test_a_connection_tells_how_it_ended() -> None:
    """RFC 9293, 3.10.4: what comes to a closed connection is answered by a reset. Our promise: that answer was not given."""
    reset = ConnectionResetError()

    async def ended(*, complete: bool, error: Exception | None = None, waiting: int = 0) -> tuple[bool, bool]:
        delivery, taken = Delivery(left=complete or None), list[Delivery]()
        delivery.if_taken_back(taken.append)
        connection = Parting(uvicorn.Config(print, log_config=None), ServerState(), {})
        connection.transport = cast("Any", Wire(waiting))
        cycle = SimpleNamespace(scope={KEY: delivery}, response_complete=complete, message_event=anyio.Event())
        connection.cycle = cast("Any", cycle)
        connection.eof_received()
        connection.connection_lost(error)
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()
        return delivery.gone, taken == [delivery]

    assert await ended(complete=False) == (True, False)
    assert await ended(complete=False, error=reset) == (True, False)
    assert await ended(complete=True) == (False, False)
    assert await ended(complete=True, error=reset) == (False, True)
    assert await ended(complete=True, waiting=errno.EPIPE) == (False, True)


async def test_a_stream_left_before_its_last_chunk_was_read(environ: Environ, gateway: Sandbox) -> None:
    """RFC 9112, 7.1: a stream ends with an empty chunk, which clients need not read: the answer before it was given."""
    last = b"\r\n0\r\n\r\n"
    async with serving(environ) as served:
        for _ in range(3):
            with ask_over(served.base, progress=True) as held:
                assert not kept(held.recv(await unread(held, last) - len(last)).decode())
    assert spent(gateway) == 3


async def test_the_answers_held_are_bounded(environ: Environ) -> None:
    """Our promise: some seconds, some hundred answers, some megabytes; the oldest go first and cannot be taken back."""
    now, taken = 0.0, list[int]()
    recall = Recall(lambda: now)

    def held(number: int, size: int) -> Delivery:
        delivery = Delivery(left=True)
        delivery.if_taken_back(lambda one: taken.append(number) if recall.release(one) else None)
        recall.hold(delivery, size)
        return delivery

    deliveries = [held(number, 1) for number in range(MOST + 1)]
    deliveries[0].take_back()
    deliveries[1].take_back()
    deliveries[1].take_back()
    assert taken == [1]
    large = [held(number, MOST_BYTES // 2) for number in (1001, 1002, 1003)]
    for one in (*deliveries, *large, held(1004, MOST_BYTES + 1)):
        one.take_back()
    assert taken == [1, 1002, 1003]  # what is larger than all of the room pushes nobody out
    fresh, stale = held(1005, 1), held(1006, 1)
    now = LATE - 1
    fresh.take_back()
    now = LATE
    stale.take_back()
    assert taken == [1, 1002, 1003, 1005]


def test_a_connection_knows_only_what_somebody_holds() -> None:
    """Our promise: what is remembered of a connection does not grow with its calls."""
    numbers, delivery = Numbers(), Delivery(left=True)
    taken: list[Delivery] = []
    delivery.if_taken_back(taken.append)
    numbers.enter(7, delivery)
    for number in range(100, 200):
        numbers.enter(number, Delivery(left=True))
    for params in (None, {}, {"requestId": 150}, {"requestId": "7"}):
        numbers.cancelled(params)
    assert taken == [delivery]  # the SDK takes "7" for 7, too


def test_pictures_that_are_files_are_not_held_twice() -> None:
    """Our promise: what is held back of an answer with pictures is its words and where they are."""
    link = ResourceLink(type="resource_link", name="fox.png", uri="mtu://media/fox.png")
    image = ImageContent(type="image", data="x" * 1_000_000, mime_type="image/png")
    result = CallToolResult(content=[TextContent(type="text", text="Saved."), image, link])
    assert len(slim(result).model_dump_json()) < 1_000
    assert slim(CallToolResult(content=[image])).content == [image]


@pytest.mark.parametrize("cell", CELLS, ids=str)
async def test_an_answer_that_was_read_is_asked_anew(cell: Cell, environ: Environ, gateway: Sandbox) -> None:
    """Our promise: without a cancel a delivered answer is never used again, nor after the session."""
    for _ in range(2):
        async with connect(cell, environ) as client:
            for _ in range(2):
                assert not kept(text_of(await client.call_tool(**ASKED)))
    assert spent(gateway) == 4


@pytest.mark.parametrize(("later", "joins"), [(60.0, True), (-60.0, False)])
async def test_who_had_asked_before_the_answer_left_joins(environ: Environ, later: float, joins: bool) -> None:
    """Our promise: two equal calls at once are paid for once, however late a loaded server gets to the second of them."""
    async with open_app(Settings.read(environ)) as app:
        calls = Calls(app)
        with open_scope() as scope:
            work = Work("key", "chat: tea", {}, scope, given=1, left=bind_delivery(None, 1).since + later)
        calls._works["key"] = work  # pyright: ignore[reportPrivateUsage] - as it stands while its delivery is written down
        found = await calls._found("key")  # pyright: ignore[reportPrivateUsage]
        assert found is (work if joins else None)
