"""The edge: what every call passes through, whatever its route.

It reads the whole body first, so that from then on the only thing the connection can still say is that the client has
gone: that is how the journal knows "client closed", for streams and plain answers alike. It checks the key, plays
faults, signs every reply, and words refusals in the dialect of the day.
"""

import json
import logging
import uuid
from urllib.parse import parse_qs

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mtu_mcp.sandbox.desk import Desk
from mtu_mcp.sandbox.faults import Fault, parse_fault
from mtu_mcp.sandbox.journal import Entry
from mtu_mcp.sandbox.misbehaviour import Broken, refuse_by_fault, spoil
from mtu_mcp.sandbox.refusals import Refusal, render
from mtu_mcp.sandbox.wire import Wire

_NOTED = ("user-agent", "content-type", "accept", "idempotency-key", "openai-beta", "x-request-id", "x-sandbox-fault")
MAX_BODY = 400 * 1024 * 1024
"""Bytes of a request held in memory; the largest documented upload is a video of 256 MB."""

_log = logging.getLogger(__name__)


class Edge:
    """ASGI middleware around the routes of one sandbox."""

    def __init__(self, app: ASGIApp, desk: Desk) -> None:
        self.app = app
        self.desk = desk
        self._open: set[anyio.CancelScope] = set()
        self._closing = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call; lifespan and others pass through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        entry = self._enter(scope)
        wire = Wire(entry, send)
        body = await _read_body(receive, entry)
        if body is None:
            self.desk.journal.close(entry, "client closed")
            return
        gone = False
        async with anyio.create_task_group() as tasks:
            self._open.add(tasks.cancel_scope)

            async def watch() -> None:
                nonlocal gone
                while (await receive())["type"] != "http.disconnect":
                    pass
                gone = not wire.finished
                tasks.cancel_scope.cancel()

            tasks.start_soon(watch)
            try:
                await self._serve(scope, body, wire)
            finally:
                self._open.discard(tasks.cancel_scope)
            tasks.cancel_scope.cancel()
        self.desk.journal.close(entry, "answered" if wire.finished else "client closed" if gone else "cut")

    def close(self) -> None:
        """Break off every call that is still open: the server goes down."""
        self._closing = True
        for scope in list(self._open):
            scope.cancel()

    def _enter(self, scope: Scope) -> Entry:
        headers = Headers(scope=scope)
        entry = self.desk.journal.open(
            f"req_{uuid.uuid4().hex}",
            scope["method"],
            scope["path"],
            query=scope["query_string"].decode("latin-1"),
            headers={name: headers[name] for name in _NOTED if name in headers},
            started=self.desk.options.clock(),
        )
        scope["mtu.entry"] = entry
        return entry

    async def _serve(self, scope: Scope, body: bytes, wire: Wire) -> None:
        own = scope["path"].startswith("/sandbox")
        try:
            fault = None if own else self._fault(scope)
            if not own:
                self.desk.admit(Headers(scope=scope).get("authorization", ""))
                self._offered(scope)
            if wire.entry.received > MAX_BODY:
                raise Refusal(413, f"Request body too large: at most {MAX_BODY} bytes.", code="request_too_large")
            if fault is not None:
                wire.entry.fault = fault.text
                if await refuse_by_fault(fault, wire):
                    return
            outward = spoil(fault, wire, self.desk) if fault is not None else wire.send
            await self.app(scope, _replay(body), outward)
        except Broken:
            return
        except Refusal as refusal:
            await self._refuse(refusal, wire)
        except Exception:  # noqa: BLE001 - a route's mistake must not take the server down
            _log.exception("the embedded gateway failed at %s %s", scope["method"], scope["path"])
            await self._refuse(Refusal(500, "The embedded gateway itself failed.", "server_error"), wire)

    async def _refuse(self, refusal: Refusal, wire: Wire) -> None:
        if wire.started:  # too late for a status: the stream ends where it is
            return
        status, body = render(refusal, self.desk.dialect, wire.entry.request_id)
        text = json.dumps(body, ensure_ascii=False).encode()
        await wire.answer(status, text, "application/json", refusal.headers)

    def _fault(self, scope: Scope) -> Fault | None:
        asked = Headers(scope=scope).get("x-sandbox-fault") or "".join(
            parse_qs(scope["query_string"].decode("latin-1")).get("fault", [])[:1]
        )
        return parse_fault(asked) if asked else self.desk.faults.take(scope["path"])

    def _offered(self, scope: Scope) -> None:
        if any(scope["path"].endswith(ending) for ending in self.desk.options.without):
            raise Refusal(404, f"Invalid URL ({scope['method']} {scope['path']})")


async def _read_body(receive: Receive, entry: Entry) -> bytes | None:
    """The body, or None when the client left before it was whole."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        entry.received += len(message.get("body", b""))
        if entry.received <= MAX_BODY:
            parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _replay(body: bytes) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if waiting:
            return waiting.pop()
        await anyio.sleep_forever()
        raise AssertionError

    return receive
