"""Text to speech.

The answer of this endpoint is bare bytes, and a refusal is JSON under the same address, sometimes under status 200: so what
came is looked at, not what the headers call it. Sound that broke off is given as incomplete, for what arrived can be
played. What does the work is imported when there is work, as in `chat`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mtu_mcp.errors import BadAnswer, UpstreamError

if TYPE_CHECKING:
    from mtu_mcp.gateway.body import Body
    from mtu_mcp.gateway.usage import Usage
    from mtu_mcp.gateway.wire import Wire

ENDPOINT: Final = "audio/speech"
_EXPECTED: Final = ("audio", "usage", "output", "data")
_REPORT_EVERY: Final = 64 * 1024
_LOOK: Final = 4096
_MOST: Final = 64 * 1024 * 1024
"""Bytes held of one recording: twenty minutes of uncompressed speech, where a request's text is spoken in five."""


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """A text to be spoken.

    Attributes:
        model: The model's name.
        text: What to say; the Audio API takes at most 4,096 characters.
        voice: One of the model's voices.
        response_format: mp3, opus, aac, flac, wav or pcm (16-bit little-endian, 24 kHz, mono, without a header).
        options: Further fields as they stand in the API's body: speed, instructions, stream_format; None is left out.
    """

    model: str
    text: str
    voice: str
    response_format: str = "mp3"
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class SpokenAnswer:
    """Sound, as far as it came.

    Attributes:
        sound: The file's bytes; a gateway may send another format than was asked for.
        cut: Why it is incomplete, a clause without a full stop; empty when it is complete.
        usage: What the gateway counted; most count nothing here.
        request_id: The gateway's name for the request.
    """

    sound: bytes = field(repr=False)
    cut: str = ""
    usage: "Usage | None" = None
    request_id: str = ""


async def speak(wire: "Wire", request: SpeechRequest) -> SpokenAnswer:
    """Have a text spoken.

    Raises:
        UpstreamError: The gateway refused, failed or broke off before any sound was here.
        BadAnswer: What it sent is no sound.
    """
    from mtu_mcp.gateway.exchange import current_scope
    from mtu_mcp.gateway.wire import Call

    payload = {
        **request.options,
        "model": request.model,
        "input": request.text,
        "voice": request.voice,
        "response_format": request.response_format,
    }
    async with wire.spend(ENDPOINT, request.model, payload) as entry:
        await current_scope().report(f"asking {request.model} to speak")
        call = Call(ENDPOINT, request.model, payload=payload, key=entry.idempotency_key, accept="*/*")
        async with wire.open(call) as body:
            entry.request_id = body.request_id
            data, cut = await _gather(body)
            answer = _read(body, data, cut)
            entry.usage = answer.usage
            if answer.cut:
                entry.state = "cut"
            return answer


async def _gather(body: "Body") -> tuple[bytes, str]:
    """Read everything; a connection that breaks after the first byte is said, not raised."""
    from contextlib import aclosing

    from mtu_mcp.gateway.exchange import current_scope

    parts: list[bytes] = []
    size = told = 0
    try:
        async with aclosing(body.packets(_MOST)) as packets:
            async for packet in packets:
                parts.append(packet)
                size += len(packet)
                if size - told >= _REPORT_EVERY:
                    told = size
                    await current_scope().report(f"speaking ({size // 1024:,} KB of sound)")
    except UpstreamError as error:
        if not parts:
            raise
        why = error.message.rstrip(".")
        return b"".join(parts), why[:1].lower() + why[1:]
    return b"".join(parts), ""


def _read(body: "Body", data: bytes, cut: str) -> SpokenAnswer:
    """Tell sound from everything else that may come in its place."""
    head = data[:_LOOK]
    if not _is_text(head):
        return SpokenAnswer(data, cut, request_id=body.request_id)
    if any(line.startswith((b"data:", b"event:")) for line in head.removeprefix(b"\xef\xbb\xbf").splitlines()):
        return _from_events(body, data, cut)
    if cut:
        raise BadAnswer(f"The gateway's answer is no sound, and it broke off: {cut}.", request_id=body.request_id)
    return _from_json(body, data)


def _is_text(head: bytes) -> bool:
    """Whether bytes are words: sound is not UTF-8 for long, and silence is not printable."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data" or len(head) < _LOOK:
            return False
        text = head[: error.start].decode("utf-8")
    return all(letter.isprintable() or letter.isspace() for letter in text)


def _from_json(body: "Body", data: bytes) -> SpokenAnswer:
    """Find the error in a JSON body, or sound in base64, which some gateways wrap."""
    from mtu_mcp.gateway import failures
    from mtu_mcp.gateway.complaints import reported
    from mtu_mcp.gateway.shapes import loads, mapping, text
    from mtu_mcp.gateway.sound import decoded
    from mtu_mcp.gateway.usage import Usage

    try:
        raw = mapping(loads(data))
    except ValueError as error:
        raise body.unreadable(data) from error
    if complaint := reported(raw, _EXPECTED):
        raise failures.from_complaint(body.asked, complaint, body.request_id)
    inner = mapping(mapping(raw.get("output")).get("audio")) or mapping(raw.get("audio"))
    sound = decoded(text(inner.get("data")) or text(raw.get("audio")) or text(raw.get("data")))
    if not sound:
        raise body.unreadable(data)
    return SpokenAnswer(sound, usage=Usage.read(raw.get("usage")), request_id=body.request_id)


def _from_events(body: "Body", data: bytes, cut: str) -> SpokenAnswer:
    """Put a stream of `speech.audio.*` events together."""
    from mtu_mcp.gateway import failures
    from mtu_mcp.gateway.complaints import reported
    from mtu_mcp.gateway.events import decode
    from mtu_mcp.gateway.shapes import loads, mapping, text
    from mtu_mcp.gateway.sound import decoded
    from mtu_mcp.gateway.usage import Usage

    parts: list[bytes] = []
    usage: Usage | None = None
    ended = False
    for event in decode(data):
        try:
            raw = mapping(loads(event.data))
        except ValueError:
            ended = ended or event.data.strip() == "[DONE]"
            continue
        if complaint := reported(raw, ("type", *_EXPECTED)):
            if not parts:
                raise failures.from_complaint(body.asked, complaint, body.request_id)
            cut = cut or f"the gateway sent an error in the stream: {body.asked.struck(complaint.quote)}"
        parts.append(decoded(text(raw.get("audio")) or text(raw.get("delta"))))
        ended = ended or text(raw.get("type")).endswith(".done")
        usage = Usage.read(raw.get("usage")) or usage
    sound = b"".join(parts)
    if not sound:
        raise body.odd("a stream without sound")
    cut = cut or ("" if ended else "the stream ended without a finish")
    return SpokenAnswer(sound, cut, usage, body.request_id)
