"""How each fault is played: answers instead of the route's, or the route's own answer spoilt on its way out."""

import itertools
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import anyio
from starlette.types import Message, Send

from mtu_mcp.sandbox.faults import Fault
from mtu_mcp.sandbox.refusals import Refusal, not_offered, render

if TYPE_CHECKING:
    from mtu_mcp.sandbox.desk import Desk
    from mtu_mcp.sandbox.wire import Wire

_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head>\n"
    b"<body><center><h1>502 Bad Gateway</h1></center><hr><center>embedded gateway</center></body></html>\n"
)
_GARBLED = b'data: {"id":"chatcmpl-garbled","object":"chat.comp\n\n'
_SLOWEST = 1.0
_HTML = "text/html; charset=utf-8"


class Broken(Exception):
    """The fault has ended the answer; nothing more may be sent."""


async def refuse_by_fault(fault: Fault, wire: "Wire") -> bool:
    """Answer instead of the route, when the fault is of that kind; True if it did."""
    if fault.name in {"502-html", "html"}:
        await wire.answer(502 if fault.name == "502-html" else 200, _PAGE, _HTML)
    elif fault.name == "empty":
        await wire.answer(200, b"", "application/json")
    elif fault.name == "not-json":
        await wire.answer(200, b"upstream connect error [embedded gateway]", "application/json")
    elif fault.name == "redirect":
        await wire.answer(307, b"", "text/plain", {"location": "https://gateway.example.com/elsewhere"})
    else:
        _raise_refusal(fault)
        return False
    return True


def _raise_refusal(fault: Fault) -> None:
    said = "(fault asked for, embedded gateway)"
    wait = {"retry-after": f"{fault.number:g}"}
    if fault.name == "rate-limit":
        raise Refusal(429, f"Rate limit reached {said}.", "requests", code="rate_limit_exceeded", headers=wait)
    if fault.name == "503":
        raise Refusal(503, f"The engine is currently overloaded {said}.", "server_error", headers=wait)
    if fault.name == "500":
        raise Refusal(500, f"The server had an error while processing your request {said}.", "server_error")
    if fault.name == "status":
        raise Refusal(int(fault.number), f"An unusual status {said}.", "server_error")
    if fault.name == "filtered":
        raise Refusal(400, f"Input data may contain inappropriate content {said}.", code="data_inspection_failed")
    if fault.name == "not-offered":
        raise not_offered(f"API not implemented {said}")


def spoil(fault: Fault, wire: "Wire", desk: "Desk") -> Send:
    """A `send` that plays the fault on the route's answer."""
    return Spoiler(fault, wire, desk).send


class Spoiler:
    """Stands between a route and the wire. Packets of a stream are whole events, so counting them counts events."""

    def __init__(self, fault: Fault, wire: "Wire", desk: "Desk") -> None:
        self.fault = fault
        self.wire = wire
        self.desk = desk
        self.events = 0
        self.streaming = False
        self.play: Callable[[Message], Awaitable[None]] = getattr(self, "_" + fault.name.replace("-", "_"), self._pass)

    async def send(self, message: Message) -> None:
        """Pass a message on, spoilt."""
        if message["type"] == "http.response.start":
            headers = dict(message.get("headers", []))
            self.streaming = headers.get(b"content-type", b"").startswith(b"text/event-stream")
            await self._start(message)
        elif message.get("body"):
            await self.play(message)
            self.events += 1
        else:
            await self.wire.send(message)

    async def _start(self, message: Message) -> None:
        if self.fault.name == "stall" and not self.streaming:
            await self._hold()
        if self.fault.name == "lying-content-type":
            kind = b"application/json" if self.streaming else b"text/html; charset=utf-8"
            others = [pair for pair in message["headers"] if pair[0].lower() != b"content-type"]
            message = {**message, "headers": [*others, (b"content-type", kind)]}
        elif self.fault.name in {"crlf", "no-blank-end", "garbled", "pings", "no-done"} and not self.streaming:
            self.play = self._pass  # these are faults of streams
        await self.wire.send(message)

    async def _pass(self, message: Message) -> None:
        await self.wire.send(message)

    async def _more(self, body: bytes) -> None:
        await self.wire.send({"type": "http.response.body", "body": body, "more_body": True})

    async def _hold(self) -> None:
        self.wire.entry.notes["stalled"] = True
        self.desk.journal.touch()
        await self.desk.released()

    def _strikes(self) -> bool:
        return self.events >= self.fault.number

    async def _cut(self, message: Message) -> None:
        if not self.streaming:
            await self._more(message["body"][: len(message["body"]) // 2])
            raise Broken
        if self._strikes():
            raise Broken
        await self.wire.send(message)

    async def _stall(self, message: Message) -> None:
        if self.streaming and self.events == int(self.fault.number):
            await self._hold()
        await self.wire.send(message)

    async def _error_in_stream(self, message: Message) -> None:
        if self.streaming and not self._strikes():
            await self.wire.send(message)
            return
        refusal = Refusal(500, "The server had an error (fault asked for, embedded gateway).", "server_error")
        text = json.dumps(render(refusal, self.desk.dialect, self.wire.entry.request_id)[1])
        body = f"data: {text}\n\n" if self.streaming else text.ljust(len(message["body"]))
        length = len(message["body"]) if not self.streaming else None
        await self.wire.send({"type": "http.response.body", "body": body.encode()[:length], "more_body": False})
        raise Broken

    async def _garbled(self, message: Message) -> None:
        if self.events == int(self.fault.number):
            await self._more(_GARBLED)
        await self.wire.send(message)

    async def _pings(self, message: Message) -> None:
        await self._more(b": ping\n\n")
        await self.wire.send(message)

    async def _split_utf8(self, message: Message) -> None:
        body: bytes = message["body"]
        for start, end in _inside_characters(body):
            await self._more(body[start:end])
            await anyio.sleep(0.001)  # lets the packet leave by itself
        if not message.get("more_body", False):
            await self.wire.send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _crlf(self, message: Message) -> None:
        await self.wire.send({**message, "body": message["body"].replace(b"\n", b"\r\n")})

    async def _no_done(self, message: Message) -> None:
        if b"data: [DONE]" not in message["body"]:
            await self.wire.send(message)

    async def _no_blank_end(self, message: Message) -> None:
        last = b"[DONE]" in message["body"] or not message.get("more_body", False)
        await self.wire.send({**message, "body": message["body"].rstrip(b"\n")} if last else message)

    async def _slow(self, message: Message) -> None:
        await anyio.sleep(min(self.fault.number, _SLOWEST))
        await self.wire.send(message)


def _inside_characters(body: bytes) -> list[tuple[int, int]]:
    """Cuts just after the first byte of each character of several bytes (at most 16), or once in the middle."""
    starts = [place + 1 for place, byte in enumerate(body) if byte >= 0xC0][:16] or [len(body) // 2]
    edges = [0, *starts, len(body)]
    return [(low, high) for low, high in itertools.pairwise(edges) if high > low]
