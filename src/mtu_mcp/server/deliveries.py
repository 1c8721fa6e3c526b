"""Whether answers over HTTP left, as the server that sends them sees it; what is done about it is in `mtu_mcp.delivery`.

In a stream of events the answer is one of them, and clients go as soon as they have read it: what counts is that it was
sent, not that the stream was heard to its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

from mtu_mcp.delivery import KEY, Delivery

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

OLDER: Final = "/messages"
"""Requests of the older pair are answered on another one's stream; when that breaks, the session ends and its calls do."""
TURNS: Final = 3
"""Turns of the event loop until a connection that was lost is known to be; what is sent meanwhile goes nowhere in silence."""


class Deliveries:
    """An ASGI application that gives each request of the one inside a delivery."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and say in the end whether it was answered."""
        if scope["type"] != "http" or scope["path"].startswith(OLDER):
            await self._app(scope, receive, send)
            return
        delivery = scope[KEY] = Delivery()  # where the connection finds it, too
        counted = False

        async def hear() -> Message:
            message = await receive()
            delivery.gone = delivery.gone or message["type"] == "http.disconnect"
            return message

        async def tell(message: Message) -> None:
            nonlocal counted
            if message["type"] == "http.response.start":
                counted = any(name.lower() == b"content-length" for name, _ in message["headers"])
            settles = message["type"] == "http.response.body" and (
                not message.get("more_body", False) or _answers(message.get("body", b""))
            )
            with anyio.CancelScope(shield=True):  # the head has left and says how long this is: half an answer is none
                for _ in range(TURNS if settles else 0):
                    await anyio.lowlevel.checkpoint()
            await send(message)
            if settles:
                delivery.settle(left=not delivery.gone)
                if not counted:  # clients go without reading the end of a stream: that says nothing of its last event
                    scope.pop(KEY, None)

        try:
            await self._app(scope, hear, tell)
        finally:
            delivery.settle(left=False)


def _answers(event: bytes) -> bool:
    """Whether an event is the answer to a request, not a notification: inside a text the quotes would be escaped."""
    return event.startswith((b"event:", b"id:", b"data:")) and (b'"result":' in event or b'"error":' in event)
