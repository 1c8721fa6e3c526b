"""A transport that replays answers byte for byte and remembers what it was sent."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx
from pydantic import SecretStr

from mtu_mcp.gateway import Gateway
from mtu_mcp.settings import Settings

Step = bytes | Exception | anyio.Event


@dataclass
class Scripted:
    """One answer: a status, headers, and steps of a body: bytes, an exception to raise, an event to stall on."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    steps: Iterable[Step] = ()


@dataclass
class Sent:
    """One request as it arrived, its body whole."""

    method: str
    url: str
    headers: httpx.Headers
    body: bytes


class Stream(httpx.AsyncByteStream):
    """A body that stalls and breaks as scripted, under the read timeout in force."""

    def __init__(self, steps: Iterable[Step], patience: float | None, owner: "ScriptedTransport") -> None:
        self._steps = steps
        self._patience = patience
        self._owner = owner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for step in self._steps:
            if isinstance(step, Exception):
                raise step
            if isinstance(step, anyio.Event):
                self._owner.stalled.set()
                try:
                    with anyio.fail_after(self._patience):
                        await step.wait()
                except TimeoutError:
                    raise httpx.ReadTimeout("") from None
            else:
                await anyio.lowlevel.checkpoint()  # as every network does
                yield step

    async def aclose(self) -> None:
        self._owner.closed += 1


class ScriptedTransport(httpx.AsyncBaseTransport):
    """Answers requests in the order of its script; an exception in it is a connection that fails, an event one that stalls."""

    def __init__(self, *script: Scripted | Exception | anyio.Event) -> None:
        self.script = list(script)
        self.sent: list[Sent] = []
        self.closed = 0
        self.left = 0
        self.stalled = anyio.Event()

    async def aclose(self) -> None:
        self.left += 1

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        self.sent.append(Sent(request.method, str(request.url), request.headers, body))
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        if isinstance(step, anyio.Event):
            await step.wait()
            raise httpx.ReadTimeout("")
        patience = request.extensions["timeout"]["read"]
        return httpx.Response(step.status, headers=dict(step.headers), stream=Stream(step.steps, patience, self))


class Waits(list[float]):
    """Remembers how long it was asked to wait, and waits not at all."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


def make_settings(**changes: Any) -> Settings:
    return Settings(**{"api_key": SecretStr("sk-secret-key"), "base_url": "https://gateway.test/v1", **changes})


def open_gateway(
    *script: Scripted | Exception | anyio.Event,
    now: Callable[[], float] = lambda: 0.0,
    clock: Callable[[], float] = lambda: 0.0,
    longest: float = 7200.0,
    **changes: Any,
) -> tuple[Gateway, ScriptedTransport, Waits]:
    """A gateway whose answers are scripted; no client in it holds a socket, so nothing need be closed."""
    transport, waits = ScriptedTransport(*script), Waits()
    gateway = Gateway(make_settings(**changes), transport=transport, wait=waits, now=now, clock=clock, longest=longest)
    return gateway, transport, waits


def events(*pieces: bytes | Exception | anyio.Event, status: int = 200) -> Scripted:
    return Scripted(status, {"content-type": "text/event-stream"}, pieces)


def json_body(text: str | bytes, status: int = 200, **headers: str) -> Scripted:
    body = text.encode() if isinstance(text, str) else text
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Scripted(status, {"content-type": "application/json", **named}, (body,))
