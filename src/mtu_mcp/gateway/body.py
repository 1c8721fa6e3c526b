"""The body of an answer, read once in the form it turns out to have.

What a gateway sends need not be what was asked for or what its Content-Type says: some put a whole JSON answer where
a stream was asked, or a stream where none was, and a wrong address answers with a web page under status 200. So
the first bytes decide. Every reading is bounded, and every way a connection can break becomes an error of the tree.
"""

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from math import inf
from typing import TYPE_CHECKING, Any, Final, Literal

import anyio
import anyio.to_thread

from mtu_mcp.errors import BadAnswer, UpstreamError
from mtu_mcp.gateway import failures
from mtu_mcp.gateway.complaints import reported
from mtu_mcp.gateway.events import Event, EventDecoder
from mtu_mcp.gateway.exchange import mark_heard
from mtu_mcp.gateway.failures import Asked
from mtu_mcp.gateway.shapes import loads, mapping, shortened

if TYPE_CHECKING:
    import httpx

JSON_LIMIT: Final = 64 * 1024 * 1024
STREAM_LIMIT: Final = 256 * 1024 * 1024
MOST_BLANK: Final = 1024 * 1024
ENCODINGS: Final = ("gzip", "deflate")
"""Compressions that are asked for: those whose largest packet holds no more than some 60 MB."""
_PACKED: Final = (*ENCODINGS, "br", "zstd")
_BIG: Final = 1024 * 1024
_DRAIN_SECONDS: Final = 0.05
_ESCAPED: Final = re.compile(rb"\\u00(?!22|5[cC])([2-7][0-9a-fA-F])|\\/")
"""Letters as JSON may write them too; a quotation mark or a backslash would end what they stand in."""
SHORTEST_KEY: Final = 12
_FIELDS: Final = (b"data:", b"event:", b":", b"id:", b"retry:")

BodyForm = Literal["events", "json", "page", "text", "empty"]


class Body:
    """One answer's body.

    Args:
        response: The answer, of which the head is here.
        asked: What was asked, for the wording of errors.
        seconds: How long nothing may come.
        until: When all of it has to be here, on the event loop's clock.
        whole: Seconds from the request to then.

    Attributes:
        asked: What was asked, for the wording of errors.
        request_id: The gateway's name for the request, from the headers.

    Raises:
        BadAnswer: It is compressed otherwise than was asked for.
    """

    def __init__(
        self, response: "httpx.Response", asked: Asked, seconds: float, *, until: float = inf, whole: float = inf
    ) -> None:
        self.asked = asked
        # A short one may be a word that answers hold for other reasons: "EMPTY", "null", "sandbox".
        self._secret = asked.secret if len(asked.secret) >= SHORTEST_KEY else ""
        self.request_id = asked.struck(failures.request_id_of(response.headers))
        if packing := swollen(response.headers):
            raise BadAnswer(
                f"The gateway's answer is compressed in a way that was not asked for ({shortened(packing, 80)}).",
                advice="Tell whoever runs the gateway, or a proxy before it.",
                request_id=self.request_id,
            )
        self._type = response.headers.get("content-type", "").lower()
        self._seconds = seconds
        self._until = until
        self._whole = whole
        self._packets = response.aiter_bytes()
        self._head: list[bytes] = []

    @property
    def media_type(self) -> str:
        """What the gateway says the bytes are, in small letters, without parameters; empty when it says nothing."""
        return self._type.partition(";")[0].strip()

    async def form(self) -> BodyForm:
        """Look at the first bytes and say what they begin.

        Raises:
            BadAnswer: There are blanks, with which some gateways keep the connection open, and nothing else.
        """
        said_events = "event-stream" in self._type
        start, size = b"", 0
        while len(start) < (1 if said_events else 6):
            packet = await self._next()
            if packet is None:
                break
            self._head.append(packet)
            start = (start + packet).removeprefix(b"\xef\xbb\xbf").lstrip()[:64]
            size += len(packet)
            if not start and size > MOST_BLANK:
                raise BadAnswer(
                    f"The gateway's answer began with more than {MOST_BLANK:,} blanks, and was not read on."
                )
        if not start:
            return "empty"
        if start.startswith((b"{", b"[")):
            return "json"
        if start.startswith(b"<"):
            return "page"
        return "events" if said_events or start.startswith(_FIELDS) else "text"

    async def read(self, limit: int = JSON_LIMIT) -> bytes:
        """Read all of it.

        Raises:
            BadAnswer: It is larger than `limit` bytes.
        """
        parts: list[bytes] = []
        size = 0
        async with aclosing(self._stream()) as packets:
            async for packet in packets:
                size += len(packet)
                if size > limit:
                    raise BadAnswer(f"The gateway's answer is larger than {limit:,} bytes, the most that is read.")
                parts.append(packet)
        data, secret = b"".join(parts), self._secret.encode()
        if secret:
            data = _unescaped(data, secret)
        return data.replace(secret, b"***") if secret and secret in data else data

    def is_page(self, data: bytes) -> bool:
        """Whether these bytes of it are a web page that nobody asked for."""
        return "html" in self._type and data.lstrip()[:15].lower().startswith((b"<!doctype", b"<html"))

    async def json(self, expected: tuple[str, ...], limit: int = JSON_LIMIT) -> Any:
        """Read a JSON answer.

        Args:
            expected: Keys of a real answer; see `complaints.reported`.
            limit: The most bytes that are read.

        Raises:
            UpstreamError: It is an error, a web page, or cannot be read.
        """
        data = await self.read(limit)
        try:
            # A picture is megabytes of base64: parsing it here would hold up every other call.
            parsed = await anyio.to_thread.run_sync(loads, data) if len(data) > _BIG else loads(data)
        except ValueError as error:
            raise self.unreadable(data) from error
        if complaint := reported(parsed, expected):
            raise failures.from_complaint(self.asked, complaint, self.request_id)
        return parsed

    async def events(self) -> AsyncGenerator[list[Event]]:
        """Give the events of a stream, those of one packet together.

        Raises:
            BadAnswer: The stream, or one piece of it, is larger than any honest one.
        """
        decoder = EventDecoder()
        size = 0
        async with aclosing(self._stream()) as packets:
            async for packet in packets:
                size += len(packet)
                if size > STREAM_LIMIT:
                    raise BadAnswer(
                        f"The gateway's stream is longer than {STREAM_LIMIT:,} bytes, the most that is read."
                    )
                if events := decoder.feed(packet):
                    yield self._struck(events)
        if events := decoder.close():
            yield self._struck(events)

    async def objects(self, expected: tuple[str, ...]) -> AsyncGenerator[Mapping[str, Any]]:
        """Give the JSON objects of a stream whose pieces are each complete in themselves, leaving out the rest.

        Raises:
            UpstreamError: One of them is an error.
        """
        async with aclosing(self.events()) as packets:
            async for events in packets:
                for event in events:
                    raw = _object(event.data)
                    if complaint := reported(raw, ("type", *expected)):
                        raise failures.from_complaint(self.asked, complaint, self.request_id)
                    if raw:
                        yield raw

    async def packets(self, limit: int = STREAM_LIMIT) -> AsyncGenerator[bytes]:
        """Give the bytes as they come, whatever they are, without the key, however they are cut.

        Raises:
            UpstreamError: The connection broke, or there are more than `limit` of them.
        """
        size, held, secret = 0, b"", self._secret.encode()
        async with aclosing(self._stream()) as packets:
            async for packet in packets:
                size += len(packet)
                if size > limit:
                    raise BadAnswer(f"The gateway's answer is larger than {limit:,} bytes, the most that is read.")
                if secret:
                    packet = (held + packet).replace(secret, b"***")
                    held = _begun(packet, secret)
                    packet = packet[: len(packet) - len(held)]
                if packet:
                    yield packet
        if held:
            yield held

    async def drain(self) -> None:
        """Read what follows the end of a stream, briefly, so that the connection can be used again."""
        with anyio.move_on_after(_DRAIN_SECONDS):
            for _ in range(4):
                if await self._next() is None:
                    return

    def unreadable(self, data: bytes) -> UpstreamError:
        """The error for bytes that are not the JSON they should be."""
        text = data[:16384].decode("utf-8", "replace").strip()
        if text.startswith("<"):
            return failures.from_page(self.asked, text)
        quote = shortened(self.asked.struck(text), 200)
        what = f'is not JSON: "{quote}"' if quote else "is empty"
        return BadAnswer(
            f"The gateway's answer {what}.",
            advice="Try again; if it stays so, check MTU_BASE_URL.",
            status=200,
            request_id=self.request_id,
        )

    def odd(self, what: str) -> UpstreamError:
        """The error for an answer that can be read and is not what it should be; `what` follows "holds"."""
        return BadAnswer(
            f"The gateway's answer holds {what}.",
            advice="Try again; if it stays so, check MTU_BASE_URL.",
            status=200,
            request_id=self.request_id,
        )

    def struck(self, text: str) -> str:
        """A text without the key, for what was put together from several events, each with a piece of it."""
        return self.asked.struck(text) if self._secret else text

    def _struck(self, events: list[Event]) -> list[Event]:
        """The events without the key: a gateway that says it back must not get it into what is kept."""
        if not self._secret:
            return events
        return [self._struck_event(event) for event in events]

    def _struck_event(self, event: Event) -> Event:
        data = event.data
        if "\\" in data:
            data = _unescaped(data.encode("utf-8", "replace"), self._secret.encode()).decode()
        return event if self._secret not in data else Event(self.asked.struck(data), event.name)

    async def _next(self) -> bytes | None:
        import httpx

        packet: bytes | None = None
        try:
            with anyio.CancelScope(deadline=self._until) as limit:
                packet = await anext(self._packets, None)
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise failures.from_transport(error, self._seconds) from error
        if limit.cancelled_caught:
            raise failures.endless(self._whole)
        mark_heard(whole=packet is None)
        return packet

    async def _stream(self) -> AsyncGenerator[bytes]:
        for packet in self._head:
            yield packet
        self._head = []
        while (packet := await self._next()) is not None:
            yield packet


def _unescaped(data: bytes, secret: bytes) -> bytes:
    """JSON text with its letters written plainly, if the key is found in it then; else as it is."""
    if b"\\u00" in data or (b"/" in secret and b"\\/" in data):
        plain = _ESCAPED.sub(lambda one: bytes([int(one[1], 16)]) if one[1] else b"/", data)
        return plain if secret in plain else data
    return data


def _begun(packet: bytes, secret: bytes) -> bytes:
    """The end of a packet that the next one may make into the key."""
    lengths = range(min(len(secret) - 1, len(packet)), 0, -1)
    return next((secret[:size] for size in lengths if packet.endswith(secret[:size])), b"")


def swollen(headers: Mapping[str, str]) -> str:
    """How an answer is compressed, if a packet of it may hold more than memory does; else nothing.

    Compressed twice, 300 bytes hold gigabytes, and they would all be there before anything of them could be counted.
    """
    given = headers.get("content-encoding", "")
    packed = [one for one in (part.strip().lower() for part in given.split(",")) if one in _PACKED]
    return given if len(packed) > 1 or (packed and packed[0] not in ENCODINGS) else ""


def _object(data: str) -> Mapping[str, Any]:
    try:
        return mapping(loads(data))
    except ValueError:
        return {}
