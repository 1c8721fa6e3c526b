"""Running a sandbox: in a thread of its own, in the caller's loop, or for good from the command line."""

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Generator
from typing import Any, Self

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from mtu_mcp.sandbox.app import create_app
from mtu_mcp.sandbox.desk import Desk, Options
from mtu_mcp.sandbox.journal import Entry, Journal

_quiet = logging.getLogger("mtu_mcp.sandbox.wire")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False
_PARTING = 0.05
"""Seconds between a client's goodbye and the word of TCP that it had not read everything."""


class _Protocol(H11Protocol):
    """uvicorn's own, with its complaints about answers cut off on purpose kept out of the program's log."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = _quiet

    def eof_received(self) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride] - asyncio takes a bool
        """Stay for a moment when a client goes after an answer: whether it had read all of it comes with the next packet."""
        answered = self.cycle is not None and self.cycle.response_complete  # pyright: ignore[reportUnnecessaryComparison]
        if answered:
            self.loop.call_later(_PARTING, self._part)
        return answered

    def _part(self) -> None:
        """Note of an answer that its client went without having read it: TCP resets such a connection (RFC 1122, 4.2.2.13)."""
        connection = self.transport.get_extra_info("socket")
        entry: Entry | None = self.scope.get("mtu.entry")
        with contextlib.suppress(OSError):  # closed meanwhile
            if entry is not None and connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                entry.notes["unread"] = True
        self.transport.close()


class _Server(uvicorn.Server):
    """A server that leaves signals to the program and tells when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Signals belong to the program."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets)
        self._ready()


class Sandbox:
    """One running sandbox on a loopback port (0 = a free one).

    `with Sandbox() as s:` runs it in a thread with its own loop; `async with Sandbox() as s:` in the current loop.
    `base_url` ends in `/v1`; `root` does not. Leaving breaks off open calls and takes well under a second.
    """

    def __init__(self, options: Options | None = None, *, port: int = 0, host: str = "127.0.0.1") -> None:
        self.desk = Desk(options or Options())
        self.app = create_app(desk=self.desk)
        self._address = (host, port)
        self._listening = threading.Event()
        self._server: _Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def journal(self) -> Journal:
        """What was asked and how it ended."""
        return self.desk.journal

    @property
    def root(self) -> str:
        """The address without a path."""
        return self.desk.base_url

    @property
    def base_url(self) -> str:
        """The address an OpenAI client takes."""
        return self.desk.base_url + "/v1"

    def arm(self, fault: str, path: str = "*", times: int = 1) -> None:
        """Play a fault for the next calls whose path ends in `path`; see `faults.FAULTS`."""
        self.desk.faults.arm(fault, path, times)

    def release(self) -> None:
        """Let stalled calls go on, from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.desk.release)

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        # asyncio turns Nagle's delay (40 ms an answer) off only where the protocol is named.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.bind(self._address)
        except OSError:
            listener.close()
            raise
        host, port = listener.getsockname()[:2]
        self.desk.base_url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        return listener

    async def _serve(self, listener: socket.socket) -> None:
        config = uvicorn.Config(
            self.app,
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_keep_alive=75,
        )
        self._loop = asyncio.get_running_loop()
        self._server = _Server(config, self._listening.set)
        try:
            await self._server.serve(sockets=[listener])
        finally:
            listener.close()
            self._listening.set()

    def _stop(self) -> None:
        self.app.state.edge.close()
        if self._server is not None:
            self._server.should_exit = True

    def start(self) -> Self:
        """Run in a thread and return once it listens."""
        listener = self._bind()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(listener)), name="sandbox", daemon=True)
        self._thread.start()
        self._listening.wait()
        return self

    def close(self) -> None:
        """End the thread, breaking off open calls; a second time does nothing."""
        thread, self._thread = self._thread, None
        if self._loop is not None and thread is not None:
            self._loop.call_soon_threadsafe(self._stop)
            thread.join(5)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exc: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._serve(self._bind()))
        await asyncio.to_thread(self._listening.wait)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self._stop()
        if self._task is not None:
            await self._task


def run(
    port: int,
    options: Options | None = None,
    *,
    host: str = "127.0.0.1",
    ready: Callable[[str], object] | None = None,
    until: threading.Event | None = None,
) -> None:
    """Serve until interrupted (or until `until` is set); `ready` gets the base URL once it listens. OSError: the port is taken."""
    ended = until or threading.Event()
    with Sandbox(options, port=port, host=host) as sandbox, contextlib.suppress(KeyboardInterrupt):
        if ready is not None:
            ready(sandbox.base_url)
        while not ended.wait(1.0):  # a wait without end cannot be interrupted on Windows
            pass
