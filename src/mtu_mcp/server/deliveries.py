"""Whether answers over HTTP left, as the server that sends them sees it; what is done about it is in `mtu_mcp.delivery`.

In a stream of events the answer is one of them, and clients go as soon as they have read it: what counts is that it was
sent, not that the stream was heard to its end. Requests of the older pair are answered on the stream of their session,
as one event each, and when that breaks before, they are not.
"""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio

from mtu_mcp.delivery import KEY, POSTED, Delivery

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

OLDER: Final = "/messages"
OLDER_STREAM: Final = "/sse"
SESSION: Final = re.compile(rb"[?&]session_id=([0-9a-f]+)")
FRONT: Final = 1000
"""Bytes of an event in which its number is; it is written before the answer."""
NUMBER: Final = re.compile(rb'data: \{"jsonrpc":"2\.0","id":("(?:[^"\\]|\\.)*"|-?[0-9]+),"(?:result|error)":')
TURNS: Final = 3
"""Turns of the event loop until a connection that was lost is known to be; what is sent meanwhile goes nowhere in silence."""


class Deliveries:
    """An ASGI application that gives each request of the one inside a delivery."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._older: dict[bytes, dict[str | int, Delivery]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and say in the end whether it was answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"].startswith(OLDER):
            named = SESSION.search(b"?" + scope["query_string"])
            await self._app({**scope, POSTED: partial(self._posted, named[1] if named else b"")}, receive, send)
        elif scope["path"] == OLDER_STREAM:
            await self._listen(scope, receive, send)
        else:
            await self._answer(scope, receive, send)

    def _posted(self, session: bytes, number: str | int) -> Delivery:
        """The delivery of an answer that comes on a session's stream; without one it never leaves."""
        waiting = self._older.get(session)
        if waiting is None:
            return Delivery(left=False)
        for old in [old for old, delivery in waiting.items() if delivery.settled or old == number]:
            waiting.pop(old).settle(left=False)
        made = waiting[number] = Delivery()
        return made

    async def _listen(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a session's stream on, and say of each answer whether it left."""
        stream = scope[KEY] = Delivery()  # knows whether the client is gone
        waiting: dict[str | int, Delivery] = {}
        sessions: list[bytes] = []

        async def hear() -> Message:
            message = await receive()
            stream.gone = stream.gone or message["type"] == "http.disconnect"
            return message

        async def tell(message: Message) -> None:
            event: bytes = message.get("body", b"")
            if not sessions and (named := SESSION.search(event)):
                sessions.append(named[1])
                self._older[named[1]] = waiting
            answered = NUMBER.search(event, 0, FRONT)
            delivery = waiting.pop(json.loads(answered[1]), None) if answered else None
            if delivery is not None:
                await _a_moment()
            await send(message)
            if delivery is not None:
                delivery.settle(left=not stream.gone)

        try:
            await self._app(scope, hear, tell)
        finally:
            for session in sessions:
                self._older.pop(session, None)
            for delivery in waiting.values():
                delivery.settle(left=False)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
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
            if settles:
                await _a_moment()
            await send(message)
            if settles:
                delivery.settle(left=not delivery.gone)
                if not counted:  # clients go without reading the end of a stream: that says nothing of its last event
                    scope.pop(KEY, None)

        try:
            await self._app(scope, hear, tell)
        finally:
            delivery.settle(left=False)


async def _a_moment() -> None:
    with anyio.CancelScope(shield=True):  # the head has left and says how long this is: half an answer is none
        for _ in range(TURNS):
            await anyio.lowlevel.checkpoint()


def _answers(event: bytes) -> bool:
    """Whether an event is the answer to a request, not a notification: inside a text the quotes would be escaped."""
    return event.startswith((b"event:", b"id:", b"data:")) and (b'"result":' in event or b'"error":' in event)
