"""The HTTP answers under way, so that a server that stops can end them in order.

A listener's stream never ends by itself, and uvicorn ends what is left by cancelling it, which fills the log with
tracebacks and leaves clients with half an answer. Ended here, a stream is closed as HTTP wants it, and the tool call
behind it is cancelled like any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

STOPPING: Final = 503


class Answers:
    """An ASGI application that knows which answers of the application inside are under way."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._running: set[anyio.CancelScope] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; if `stop` is called before its answer is complete, complete it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        with anyio.CancelScope() as running:
            self._running.add(running)
            try:
                await self._app(scope, receive, answer)
            finally:
                self._running.discard(running)
        if running.cancel_called:
            await answer.complete()

    def stop(self) -> None:
        """End every answer under way."""
        for running in list(self._running):
            running.cancel()


class _Answer:
    """Sends one answer; a second start, which the SDK sends after a stream has ended, goes nowhere."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._started = False
        self._complete = False

    async def __call__(self, message: Message) -> None:
        if self._complete or (self._started and message["type"] == "http.response.start"):
            return
        self._started = True
        self._complete = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    async def complete(self) -> None:
        """Send what is missing."""
        if not self._started:
            await self({"type": "http.response.start", "status": STOPPING, "headers": []})
        await self({"type": "http.response.body", "body": b"", "more_body": False})
