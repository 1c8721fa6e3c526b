"""What people who have not even been asked for a token can do to the port: keep connections, and say nothing in them."""

import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from typing import Any

import anyio
import pytest
import uvicorn
from anyio.abc import SocketStream

from callers import ANN, TEAM, knock
from mtu_mcp.server.sockets import Connection, Room, connections, most_connections
from processes import running

Environ = dict[str, str]
ASK = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
WAIT = b"GET /wait HTTP/1.1\r\nHost: here\r\n\r\n"
BIG = b"GET /big HTTP/1.1\r\nHost: here\r\n\r\n"
MUCH = 32 << 20
"""Bytes that no system takes off the server's hands at once."""
AGES = 3600.0


class Inside:
    """An application that answers at once, except on `/wait`, where it answers when it is told; on `/big`, with much."""

    def __init__(self) -> None:
        self.waiting = 0
        self.go = anyio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        del receive
        if scope["path"] == "/wait":
            self.waiting += 1
            await self.go.wait()
        body = bytes(MUCH if scope["path"] == "/big" else 0) + b"ok"
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def port(room: Room) -> AsyncGenerator[tuple[int, Inside]]:
    """A server whose connections are so bounded."""
    inside = Inside()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            inside,
            http=connections(room),
            log_level="critical",
            timeout_keep_alive=3600,
            timeout_graceful_shutdown=0,
            ws="none",
            lifespan="off",
        )
        server = uvicorn.Server(config)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [listener])
            while not server.started:
                await anyio.lowlevel.checkpoint()
            yield listener.getsockname()[1], inside
            inside.go.set()
            server.should_exit = True


async def call(number: int, said: bytes = b"") -> SocketStream:
    stream = await anyio.connect_tcp("127.0.0.1", number)
    await stream.send(said) if said else None
    return stream


async def heard(stream: SocketStream) -> bytes:
    """What comes until the answer is whole or the connection is ended."""
    data = b""
    with anyio.fail_after(30):
        try:
            while not data.endswith(b"ok"):
                data += await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return b""
    return data


@pytest.mark.parametrize("said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: here\r\n"])
async def test_who_does_not_say_what_he_wants_is_not_waited_for(said: bytes) -> None:
    """RFC 9112, section 9.5: a server may close a connection that is idle; half a head is no more than none."""
    async with port(Room(10, seconds=0.05)) as (number, _), await call(number, said) as stream:
        assert await heard(stream) == b""


async def test_the_next_head_is_waited_for_no_longer_than_the_first() -> None:
    """The same for a connection that was of use before, and goes on with a letter."""
    async with port(Room(10, seconds=0.3)) as (number, _), await call(number, ASK) as stream:
        assert await heard(stream)
        await stream.send(b"G")
        assert await heard(stream) == b""


async def test_an_answer_takes_as_long_as_it_takes() -> None:
    """Our promise: only the head of a request is in a hurry; calls of tools run for minutes."""
    room = Room(10, seconds=0.2)
    async with port(room) as (number, inside), await call(number, WAIT) as stream, await call(number) as silent:
        assert await heard(silent) == b""  # so its time is over, and was over for the other one, too
        inside.go.set()
        assert (await heard(stream)).startswith(b"HTTP/1.1 200")


@asynccontextmanager
async def answered_with_much() -> AsyncGenerator[tuple[SocketStream, Connection]]:
    """A client that has begun to read a large answer, and the server's end of it."""
    room = Room(10, seconds=AGES)
    async with port(room) as (number, _), await call(number, BIG) as stream:
        await stream.receive()
        while not room.silent:  # the whole of it has been handed to the connection
            await anyio.lowlevel.checkpoint()
        [connection] = room.silent
        assert connection.transport.get_write_buffer_size()
        yield stream, connection


async def test_an_answer_is_read_as_slowly_as_the_line_is() -> None:
    """Our promise: an answer that was paid for arrives whole, also where the next request's time is over meanwhile."""
    async with answered_with_much() as (stream, connection):
        left = connection.transport.get_write_buffer_size()
        with anyio.fail_after(30):
            while connection.transport.get_write_buffer_size() == left:
                await stream.receive()
        connection.overdue()
        assert await heard(stream)


async def test_an_answer_that_nobody_reads_holds_no_connection() -> None:
    """Our promise: nor may one take up room by asking for much and reading nothing."""
    async with answered_with_much() as (stream, connection):
        connection.overdue()
        assert await heard(stream) == b""


async def test_the_silent_make_room_for_those_who_speak() -> None:
    """Our promise: whoever holds connections open to keep others out is the one who goes."""
    room = Room(3, seconds=AGES)
    async with port(room) as (number, inside):
        silent = [await call(number) for _ in range(3)]
        async with await call(number, WAIT) as first, await call(number, WAIT) as second:
            while inside.waiting < 2:
                await anyio.lowlevel.checkpoint()
            assert [await heard(one) for one in silent[:2]] == [b"", b""]
            async with await call(number, ASK) as third:
                assert await heard(third)
            inside.go.set()
            assert await heard(first)
            assert await heard(second)
        for one in silent:
            await one.aclose()


async def test_those_who_are_answered_make_no_room() -> None:
    """Our promise: a call under way is not ended because of somebody who comes later."""
    async with (
        port(Room(1, seconds=AGES)) as (number, inside),
        await call(number, WAIT) as first,
    ):
        while not inside.waiting:
            await anyio.lowlevel.checkpoint()
        async with await call(number) as late:
            assert await heard(late) == b""
        inside.go.set()
        assert await heard(first)


async def test_requests_one_after_the_other_and_all_at_once_are_answered() -> None:
    """RFC 9112, section 9.3.2: pipelined requests are answered in turn."""
    room = Room(10, seconds=AGES)
    async with port(room) as (number, _), await call(number, ASK + ASK) as stream:
        data = b""
        with anyio.fail_after(30):
            while data.count(b"HTTP/1.1 200") < 2:
                data += await stream.receive()
        for _ in range(2):
            await stream.send(ASK)
            assert await heard(stream)
        assert len(room.silent) == 1
    assert not room.silent


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere this process itself may not have as many connections")
async def test_descriptors_are_never_used_up(environ: Environ) -> None:
    """Our promise: the port answers, and the log stays empty, however many connections somebody opens."""
    shell = ("sh", "-c", 'ulimit -n 600 && exec "$0" -m mtu_mcp "$@"', sys.executable)
    command = ("serve", "--transport", "http", "--port", "0")
    with running({**environ, "MTU_SERVER_TOKENS": TEAM}, *command, executable=shell) as child:
        base = child.error_line("listening on").split()[-1].removesuffix("/mcp")
        where = "127.0.0.1", int(base.rpartition(":")[2])
        held = [socket.create_connection(where) for _ in range(700)]
        try:
            assert (await knock(base, f"Bearer {ANN}")).status_code == 200
        finally:
            for one in held:
                with closing(one):
                    pass
        assert "Too many open files" not in child.stderr
    assert most_connections() > 0
