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
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread
from mcp.shared.dispatcher import as_request_id
from mcp.shared.message import SessionMessage
from mcp.types import INTERNAL_ERROR, JSONRPCError, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

from mtu_mcp.delivery import Delivery, post_with
from mtu_mcp.server.lines import Refusal, Splitter, read_line
from mtu_mcp.server.recall import Numbers

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
    from mcp.types import JSONRPCMessage

    from mtu_mcp.server.assembly import MtuServer

    Incoming = MemoryObjectReceiveStream[SessionMessage | Exception]
    Outgoing = MemoryObjectSendStream[SessionMessage]

logger = logging.getLogger(__name__)

READ_SIZE: Final = 1 << 16
FLUSH_SECONDS: Final = 0.5
"""How long the last answers may take to leave once the server is stopping."""
ANSWER_SECONDS: Final = 0.5
"""How long requests that came in just before stdin closed have to be answered: `mtu-mcp serve < requests` works."""


async def serve_stdio(server: MtuServer, ending: Callable[[], None] = lambda: None) -> None:
    """Serve until stdin closes or stdout breaks.

    Args:
        server: What to serve.
        ending: Called, in any thread, when the host has left.
    """
    async with stdio_streams(ending) as (read, write):
        await server.serve_streams(read, write)


@asynccontextmanager
async def stdio_streams(ending: Callable[[], None]) -> AsyncGenerator[tuple[Incoming, Outgoing]]:
    """Give the pair of message streams a server runs on, over this process's stdin and stdout."""
    with _claimed(0, os.devnull, os.O_RDONLY) as stdin, _claimed(1, None, 0) as stdout:
        incoming, read = anyio.create_memory_object_stream[SessionMessage | Exception](float("inf"))
        write, outgoing = anyio.create_memory_object_stream[SessionMessage](0)
        pipes = _Pipes(incoming, ending)
        post_with(pipes.delivery)
        threading.Thread(target=pipes.read_lines, args=(stdin,), daemon=True).start()
        writer = threading.Thread(target=pipes.write_lines, args=(stdout,), daemon=True)
        writer.start()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pipes.forward, outgoing)
            try:
                yield read, write
            finally:
                write.close()  # ends the forwarder, which then ends the writer
                with anyio.CancelScope(shield=True):
                    # Bounded: a host that reads nothing must not keep us from ending.
                    await anyio.to_thread.run_sync(writer.join, FLUSH_SECONDS)
                    await anyio.lowlevel.checkpoint()  # what the writer said of its last lines is heard first
                pipes.give_up()
                read.close()


class _Pipes:
    """Messages between two descriptors and the event loop; knows which requests are still unanswered, and whose answers left."""

    def __init__(
        self, incoming: MemoryObjectSendStream[SessionMessage | Exception], ending: Callable[[], None]
    ) -> None:
        self._incoming = incoming
        self._ending = ending
        self._loop = asyncio.get_running_loop()
        self._lines: queue.SimpleQueue[tuple[bytes, Delivery | None] | None] = queue.SimpleQueue()
        self._deliveries: dict[str | int, Delivery] = {}
        self._numbers = Numbers()
        self._sent: set[Delivery] = set()
        self._unanswered: set[str | int] = set()
        self._at_end = False

    def delivery(self, request: str | int) -> Delivery:
        """Whether the answer to a request leaves; to be asked for before it does."""
        if (before := self._deliveries.get(request)) is not None:  # a number used twice: only one can be answered
            before.settle(left=False)
        made = self._deliveries[request] = Delivery()
        self._numbers.enter(request, made)
        return made

    def give_up(self) -> None:
        """Say of every answer that has not left that it will not."""
        for delivery in (*self._deliveries.values(), *self._sent):
            delivery.settle(left=False)

    def read_lines(self, descriptor: int) -> None:
        """Read until the end of the input, in a thread; whole lines go to the loop in one hop a read."""
        splitter = Splitter()
        with suppress(OSError, RuntimeError):  # the descriptor or the loop was closed: the server has ended
            while chunk := os.read(descriptor, READ_SIZE):
                if lines := splitter.feed(chunk):
                    self._loop.call_soon_threadsafe(self._deliver, lines)
        self._ending()
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._end, splitter.rest())

    def write_lines(self, descriptor: int) -> None:
        """Write what is queued, in a thread."""
        try:
            while (item := self._lines.get()) is not None:
                line, delivery = item
                view = memoryview(line)
                while view:
                    view = view[os.write(descriptor, view) :]
                if delivery is not None:
                    with suppress(RuntimeError):
                        self._loop.call_soon_threadsafe(self._left, delivery)
        except OSError:  # the host closed its end: whatever still runs, nobody would hear of it
            self._ending()
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._incoming.close)

    def _left(self, delivery: Delivery) -> None:
        self._sent.discard(delivery)
        delivery.settle(left=True)

    async def forward(self, outgoing: MemoryObjectReceiveStream[SessionMessage]) -> None:
        """Queue what the server sends, until its end of the stream is closed, so that the last answer still leaves."""
        try:
            with anyio.CancelScope(shield=True):
                async with outgoing:
                    async for message in outgoing:
                        self._send(message.message)
        finally:
            self._lines.put(None)

    def _send(self, message: JSONRPCMessage) -> None:
        request = _id(message)
        delivery = self._deliveries.pop(request, None) if request is not None else None
        if delivery is not None:
            self._sent.add(delivery)
        self._lines.put((_line(message), delivery))
        self._settle(request)

    def _deliver(self, lines: list[bytes | None]) -> None:
        for line in lines:
            message = read_line(line)
            if message is None:
                continue
            if isinstance(message, Refusal):
                self._lines.put((_line(message.answer), None))
                continue
            if isinstance(message, JSONRPCRequest):
                self._unanswered.add(message.id)
            elif isinstance(message, JSONRPCNotification) and message.method == "notifications/cancelled":
                self._drop(message.params)
            with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
                self._incoming.send_nowait(SessionMessage(message))

    def _drop(self, params: Mapping[str, Any] | None) -> None:
        """A request was cancelled: an answer that has not been sent by now never is, and one that has is not read."""
        self._numbers.cancelled(params)
        if (request := as_request_id((params or {}).get("requestId"))) is not None:
            self._deliveries.pop(request, None)
            self._settle(request)

    def _settle(self, request: str | int | None) -> None:
        if request is not None:
            self._unanswered.discard(request)
        if self._at_end and not self._unanswered:
            self._incoming.close()

    def _end(self, lines: list[bytes | None]) -> None:
        self._deliver(lines)
        self._at_end = True
        self._loop.call_later(ANSWER_SECONDS, self._incoming.close)
        self._settle(None)


def _line(message: JSONRPCMessage) -> bytes:
    try:
        return message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"
    except ValueError as error:  # half a surrogate pair is a str in Python and nothing in UTF-8
        logger.exception("a message could not be written")
        failure = Refusal.of(INTERNAL_ERROR, f"The answer could not be written ({type(error).__name__}).", _id(message))
        return failure.answer.model_dump_json(by_alias=True).encode() + b"\n"


def _id(message: JSONRPCMessage) -> str | int | None:
    return message.id if isinstance(message, (JSONRPCResponse, JSONRPCError)) else None


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
        if sys.stdout is not None and descriptor == 1:  # pyright: ignore[reportUnnecessaryComparison] - None without a console
            # What was printed waits in Python's buffer; it must not leave for the protocol's pipe afterwards.
            with suppress(OSError, ValueError):
                sys.stdout.flush()
        os.dup2(private, descriptor)
        # `private` stays open: the reader may still be blocked on it, and a closed number could be handed out again.
