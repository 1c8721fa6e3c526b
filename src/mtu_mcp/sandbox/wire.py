"""The way out of one call, for whatever answers it: a route, a refusal, or a fault that is played."""

from dataclasses import dataclass, field

import anyio
from starlette.types import Message, Send

from mtu_mcp.sandbox.journal import Entry

_TURNS = 5
"""Turns of the event loop until a connection that ended is known to have, and the call is broken off."""


@dataclass(slots=True)
class Wire:
    """Signs the head, counts the bytes."""

    entry: Entry
    outward: Send
    started: bool = False
    finished: bool = False
    extra: dict[str, str] = field(default_factory=dict[str, str])

    async def send(self, message: Message) -> None:
        """Pass one ASGI message on."""
        if message["type"] == "http.response.start":
            self.started = True
            self.entry.status = message["status"]
            signed = {"x-mtu-sandbox": "1", "x-request-id": self.entry.request_id, **self.extra}
            headers = [(name.encode(), value.encode()) for name, value in signed.items()]
            message = {**message, "headers": [*message.get("headers", []), *headers]}
        else:
            last = not message.get("more_body", False)
            for _ in range(_TURNS if last else 0):  # a client that has gone is known to be; nothing was answered to it
                await anyio.lowlevel.checkpoint()
            self.entry.sent += len(message.get("body", b""))
            self.finished = last
        await self.outward(message)

    async def answer(self, status: int, body: bytes, content_type: str, headers: dict[str, str] | None = None) -> None:
        """Send a whole answer."""
        sent = {"content-type": content_type, "content-length": str(len(body)), **(headers or {})}
        pairs = [(name.encode(), value.encode()) for name, value in sent.items()]
        await self.send({"type": "http.response.start", "status": status, "headers": pairs})
        await self.send({"type": "http.response.body", "body": body, "more_body": False})
