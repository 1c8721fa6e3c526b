"""The same over a real socket, where framing and hanging up are real too."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.scripted import make_settings
from mtu_mcp.errors import BadInput, Unreachable
from mtu_mcp.gateway import ChatRequest, Gateway, TranscriptionRequest, Upload, open_scope

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def framed(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


async def read_request(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = next(
        int(line.partition(":")[2]) for line in head.splitlines() if line.lower().startswith("content-length")
    )
    return head, await reader.readexactly(length)


@asynccontextmanager
async def served(talk: Talk) -> AsyncIterator[Gateway]:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    gateway = Gateway(make_settings(base_url=f"http://127.0.0.1:{port}/v1", max_retries=0))
    try:
        yield gateway
    finally:
        await gateway.aclose()
        server.close()
        await server.wait_closed()


async def test_cancelling_hangs_up():
    """MCP, cancellation: upstream work stops."""
    began, hung_up = asyncio.Event(), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(HEAD + framed(b'data: {"choices":[{"delta":{"content":"half"}}]}\n\n'))
        await writer.drain()
        assert await reader.read() == b""
        hung_up.set()

    async def report(progress: object) -> None:
        if "answering" in str(progress):
            began.set()

    async with served(talk) as gateway:
        with open_scope(report) as scope:
            task = asyncio.create_task(gateway.chat(ChatRequest("m", [])))
            await began.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await hung_up.wait()
    assert [(entry.state, entry.partial) for entry in scope.exchanges] == [("cancelled", "half")]


async def test_a_connection_that_is_dropped_in_the_middle_gives_what_arrived():
    """RFC 9112: a chunked body without its last chunk is incomplete."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(HEAD + framed(b'data: {"choices":[{"delta":{"content":"half"}}]}\n\n'))
        await writer.drain()

    async with served(talk) as gateway:
        answer = await gateway.chat(ChatRequest("m", []))
    assert answer.text == "half"
    assert answer.cut.startswith("the connection to the gateway broke")


async def test_a_connection_is_used_again_after_a_stream():
    """RFC 9112, persistence; our promise: reading on past [DONE] pays."""
    connections: list[int] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        for _ in range(2):
            await read_request(reader)
            body = b'data: {"choices":[{"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
            writer.write(HEAD + framed(body) + b"0\r\n\r\n")
            await writer.drain()
        await reader.read()

    async with served(talk) as gateway:
        for _ in range(2):
            assert (await gateway.chat(ChatRequest("m", []))).text == "hi"
    assert len(connections) == 1


async def test_a_file_is_sent_from_disk_with_its_length(tmp_path: Path):
    """RFC 7578 and RFC 9110: a form with a Content-Length, not chunked."""
    sound = bytes(range(256)) * 8192
    (tmp_path / "a.wav").write_bytes(sound)
    seen: list[tuple[str, bytes]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await read_request(reader))
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"text":"hi"}')
        await writer.drain()

    async with served(talk) as gateway:
        upload = Upload("a.wav", "audio/wav", path=tmp_path / "a.wav")
        assert (await gateway.transcribe(TranscriptionRequest("m", upload))).text == "hi"
    assert sound in seen[0][1]
    assert "chunked" not in seen[0][0].lower()


async def test_a_file_that_shrinks_while_it_is_sent_is_noticed(tmp_path: Path):
    """Our promise: half a file is not sent as a whole one."""
    path = tmp_path / "a.wav"
    path.write_bytes(b"x" * (64 << 20))

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        path.write_bytes(b"x")
        await reader.read()

    async with served(talk) as gateway:
        with pytest.raises((BadInput, Unreachable)) as caught:
            await gateway.transcribe(TranscriptionRequest("m", Upload("a.wav", "audio/wav", path=path)))
    assert "became shorter" in str(caught.value)


async def test_nobody_listening_is_unreachable():
    """Our promise: the sentence names what to check."""
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    gateway = Gateway(make_settings(base_url=f"http://127.0.0.1:{port}/v1", max_retries=0))
    with pytest.raises(Unreachable, match="MTU_BASE_URL"):
        await gateway.list_models()
    await gateway.aclose()
