"""Speech to text: transcription in the spoken language, translation into English.

A gateway may ignore the format asked for, so the answer is read for what it is: JSON of any of the formats, captions,
plain text, or a stream of pieces. `body` keeps captions as they came.
"""

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from mtu_mcp.gateway import failures
from mtu_mcp.gateway.body import Body
from mtu_mcp.gateway.captions import read_cues
from mtu_mcp.gateway.complaints import reported
from mtu_mcp.gateway.exchange import current_scope
from mtu_mcp.gateway.forms import Form, fields
from mtu_mcp.gateway.shapes import loads, mapping, number, sequence, text, word
from mtu_mcp.gateway.transcripts import Segment, Transcript, TranscriptionRequest
from mtu_mcp.gateway.usage import Usage
from mtu_mcp.gateway.wire import Call

if TYPE_CHECKING:
    from mtu_mcp.gateway.wire import Wire

TRANSCRIPTIONS: Final = "audio/transcriptions"
TRANSLATIONS: Final = "audio/translations"
_EXPECTED: Final = ("text", "segments", "words", "duration", "task")
_TEXTUAL: Final = ("text", "srt", "vtt")


async def transcribe(wire: "Wire", request: TranscriptionRequest) -> Transcript:
    """Write speech down in its own language."""
    return await _call(wire, TRANSCRIPTIONS, request)


async def translate(wire: "Wire", request: TranscriptionRequest) -> Transcript:
    """Write speech down in English."""
    return await _call(wire, TRANSLATIONS, request)


async def _call(wire: "Wire", endpoint: str, request: TranscriptionRequest) -> Transcript:
    values = {**request.options, "model": request.model, "response_format": request.response_format}
    form = Form(list(fields(values)), [("file", request.file)])
    async with wire.spend(endpoint, request.model, values, form.files, seconds=request.seconds) as entry:
        await current_scope().report(f"asking {request.model} to listen")
        call = Call(endpoint, request.model, form=form, key=entry.idempotency_key, accept="*/*")
        async with wire.open(call) as body:
            entry.request_id = body.request_id
            transcript = replace(await _read(body, request), model=request.model, request_id=body.request_id)
            entry.usage = transcript.usage
            return transcript


async def _read(body: Body, request: TranscriptionRequest) -> Transcript:
    if await body.form() == "events":
        return await _from_events(body)
    data = await body.read()
    said = data.decode("utf-8-sig", "replace")
    try:
        parsed = loads(data)
    except ValueError as error:
        page = said.lstrip()[:15].lower().startswith(("<!doctype", "<html"))
        # Captions are captions even where JSON was asked; other text only where text was.
        if page or not (request.response_format in _TEXTUAL or "-->" in said):
            raise body.unreadable(data) from error
        return _from_text(said)
    if complaint := reported(parsed, _EXPECTED):
        raise failures.from_complaint(body.asked, complaint, body.request_id)
    if isinstance(parsed, str):
        return _from_text(parsed)
    if any(key in mapping(parsed) for key in _EXPECTED):
        return _from_json(mapping(parsed))
    if request.response_format in _TEXTUAL:  # the words may well be "42" or "[music]"
        return _from_text(said)
    raise body.unreadable(data)


def _from_text(said: str) -> Transcript:
    cues = read_cues(said)
    if not cues:
        captions = said if said.startswith("WEBVTT") else ""
        return Transcript(text="" if captions else said.strip(), body=captions)
    segments = tuple(Segment(cue.start, cue.end, cue.text) for cue in cues)
    words = " ".join(cue.text for cue in cues if cue.text)
    return Transcript(text=words, duration=cues[-1].end, segments=segments, body=said)


def _from_json(raw: Mapping[str, Any]) -> Transcript:
    segments = tuple(_segment(item) for item in sequence(raw.get("segments")))
    said = raw.get("text")
    words = text(said) if isinstance(said, str) else " ".join(segment.text.strip() for segment in segments)
    usage = Usage.read(raw.get("usage"))
    duration = number(raw.get("duration"))
    if duration is None and usage:
        duration = usage.seconds
    # A gateway that ignores the format may put captions into the JSON's text.
    if read_cues(words[:2000]) and not segments:
        captions = _from_text(words)
        return replace(captions, usage=usage)
    return Transcript(
        text=words.strip(),
        language=text(raw.get("language")),
        duration=duration,
        segments=segments,
        words=tuple(_segment(item) for item in sequence(raw.get("words"))),
        usage=usage,
    )


def _segment(raw: object) -> Segment:
    item = mapping(raw)
    words = text(item.get("text")) or text(item.get("word"))
    return Segment(number(item.get("start")), number(item.get("end")), words, word(item.get("speaker")))


async def _from_events(body: Body) -> Transcript:
    """Put a stream of `transcript.text.*` events together."""
    pieces: list[str] = []
    segments: list[Mapping[str, Any]] = []
    last: Mapping[str, Any] = {}
    async with aclosing(body.objects(_EXPECTED)) as objects:
        async for raw in objects:
            kind = text(raw.get("type"))
            if kind.endswith(".delta"):
                pieces.append(text(raw.get("delta")))
            elif kind.endswith(".segment"):
                segments.append(raw)
            elif kind.endswith(".done") or raw.get("text"):
                last = raw
    if not (pieces or segments or last):
        raise body.odd("a stream without words")
    return _from_json({"text": body.struck("".join(pieces)), **last, "segments": segments or last.get("segments")})
