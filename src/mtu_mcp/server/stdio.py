"""Serving one host over stdin and stdout.

Two threads stand at the pipes and hand whole lines to the event loop. Against the SDK's own transport this saves
thread hops on every message, and it can be left at any moment: a reader blocked in `os.read` on a raw descriptor
holds no lock and is a daemon, so SIGTERM, SIGINT and a vanished host all end the process with its clean-up done.

While serving, descriptor 0 is the null device and descriptor 1 is stderr, so that a stray print, or a child that
writes, cannot break the protocol.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread
from mcp.shared.message import SessionMessage
from mcp.types import jsonrpc_message_adapter

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

    from mtu_mcp.server.assembly import MtuServer

    Incoming = MemoryObjectReceiveStream[SessionMessage | Exception]
    Outgoing = MemoryObjectSendStream[SessionMessage]

logger = logging.getLogger(__name__)

READ_SIZE: Final = 1 << 16
LONGEST_LINE: Final = 64 << 20
"""Bytes of one message; a host that sends more without a newline is not speaking the protocol."""
FLUSH_SECONDS: Final = 0.5
"""How long the last answers may take to leave once the server is stopping."""


async def serve_stdio(server: MtuServer) -> None:
    """Serve until stdin closes or the process is told to stop (SIGINT, SIGTERM)."""
    with anyio.CancelScope() as scope, stopping(scope.cancel):
        async with stdio_streams() as (read, write):
            lowlevel = server._lowlevel_server  # pyright: ignore[reportPrivateUsage] - the SDK offers no other way to run on given streams
            await lowlevel.run(read, write, lowlevel.create_initialization_options())


@contextmanager
def stopping(stop: Callable[[], None]) -> Generator[None]:
    """Call `stop` in the event loop when a signal asks the process to end; a second signal ends it at once."""
    loop = asyncio.get_running_loop()
    previous: dict[int, Any] = {}

    def heard(number: int, _frame: object) -> None:
        signal.signal(number, previous[number] or signal.SIG_DFL)
        loop.call_soon_threadsafe(stop)

    names = ("SIGINT", "SIGTERM", "SIGBREAK")
    for number in (getattr(signal, name) for name in names if hasattr(signal, name)):
        with suppress(ValueError):  # not the main thread: whoever runs us there handles signals
            previous[number] = signal.signal(number, heard)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler or signal.SIG_DFL)


@asynccontextmanager
async def stdio_streams() -> AsyncGenerator[tuple[Incoming, Outgoing]]:
    """Give the pair of message streams a server runs on, over this process's stdin and stdout."""
    with _claimed(0, os.devnull, os.O_RDONLY) as stdin, _claimed(1, None, 0) as stdout:
        incoming, read = anyio.create_memory_object_stream[SessionMessage | Exception](float("inf"))
        write, outgoing = anyio.create_memory_object_stream[SessionMessage](0)
        loop = asyncio.get_running_loop()
        threading.Thread(target=_read_lines, args=(stdin, loop, incoming), daemon=True).start()
        lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        writer = threading.Thread(target=_write_lines, args=(stdout, lines), daemon=True)
        writer.start()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_forward, outgoing, lines)
            try:
                yield read, write
            finally:
                write.close()  # ends the forwarder, which then ends the writer
                with anyio.CancelScope(shield=True):
                    # Bounded: a host that reads nothing must not keep us from ending.
                    await anyio.to_thread.run_sync(writer.join, FLUSH_SECONDS)
                read.close()


async def _forward(outgoing: MemoryObjectReceiveStream[SessionMessage], lines: queue.SimpleQueue[bytes | None]) -> None:
    try:
        with anyio.CancelScope(shield=True):  # ended by closing the other end, so that the last answer still leaves
            async with outgoing:
                async for message in outgoing:
                    lines.put(message.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
    finally:
        lines.put(None)


def _read_lines(
    descriptor: int, loop: asyncio.AbstractEventLoop, incoming: MemoryObjectSendStream[SessionMessage | Exception]
) -> None:
    """Read until the end of the input, in a thread; whole lines go to the loop in one hop a read."""
    pending = b""
    with suppress(OSError, RuntimeError):  # the descriptor or the loop was closed: the server has ended
        while chunk := os.read(descriptor, READ_SIZE):
            *lines, pending = (pending + chunk).split(b"\n")
            if lines:
                loop.call_soon_threadsafe(_deliver, lines, incoming)
            if len(pending) > LONGEST_LINE:
                logger.error("A message of more than %d bytes came in; stopping.", LONGEST_LINE)
                break
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(incoming.close)


def _deliver(lines: list[bytes], incoming: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
    for line in lines:
        if not line.strip():
            continue
        try:
            message: SessionMessage | Exception = SessionMessage(
                jsonrpc_message_adapter.validate_json(line.decode("utf-8", "replace"), by_name=False)
            )
        except ValueError as error:
            message = error
        with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
            incoming.send_nowait(message)


def _write_lines(descriptor: int, lines: queue.SimpleQueue[bytes | None]) -> None:
    with suppress(OSError):  # the host closed its end: there is nobody left to tell
        while (line := lines.get()) is not None:
            view = memoryview(line)
            while view:
                view = view[os.write(descriptor, view) :]


@contextmanager
def _claimed(descriptor: int, instead: str | None, flags: int) -> Generator[int]:
    """Take a standard descriptor for the protocol and put something harmless in its place."""
    private = os.dup(descriptor)
    harmless = os.open(instead, flags) if instead else os.dup(2)
    os.dup2(harmless, descriptor)
    os.close(harmless)
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(private, os.O_BINARY)
    try:
        yield private
    finally:
        os.dup2(private, descriptor)
        # `private` stays open: the reader may still be blocked on it, and a closed number could be handed out again.
