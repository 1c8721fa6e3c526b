"""POST /audio/speech: a text as sound, in six formats, whole or as a stream of events.

What is heard is a tone a syllable, not a voice (see `phonation`); the length follows the text and the speed, and the
text itself is noted in the file where the format has room for it. Rules are those of the OpenAI API reference:
at most 4,096 characters, nine voices for tts-1, `instructions` and `stream_format` not for tts-1.
"""

import base64
from collections.abc import Iterator
from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from mtu_mcp.sandbox.bodies import read_checked
from mtu_mcp.sandbox.desk import desk_of, entry_of
from mtu_mcp.sandbox.fields import Rule, Table, either, number, one_of, record, string
from mtu_mcp.sandbox.phonation import PITCHES
from mtu_mcp.sandbox.prosody import plan_speech
from mtu_mcp.sandbox.recordings import MIMES
from mtu_mcp.sandbox.recordings import record as recorded
from mtu_mcp.sandbox.refusals import Invalid
from mtu_mcp.sandbox.replies import event, stream_reply
from mtu_mcp.sandbox.tokens import pieces

MAX_CHARACTERS = 4096
_OLDER_VOICES = ("alloy", "ash", "coral", "echo", "fable", "nova", "onyx", "sage", "shimmer")
_SLICE = 9_600
_TOKENS_A_SECOND = 20


def _voices(*names: str) -> Rule:
    return either(one_of(*names), record({"id": string(1).required()}))


SPEECH: Table = {
    "input": string(1, MAX_CHARACTERS).required(),
    "model": string(1).required(),
    "voice": _voices(*PITCHES).required(),
    "instructions": string(0, MAX_CHARACTERS),
    "response_format": one_of(*MIMES),
    "speed": number(0.25, 4.0),
    "stream_format": one_of("sse", "audio"),
}


async def speak(request: Request) -> Response:
    """Speak a text."""
    body = await read_checked(request, SPEECH)
    model = desk_of(request).model(body["model"], "speech").id
    _check_options(body, model)
    form = body.get("response_format", "mp3")
    data = await anyio.to_thread.run_sync(_make, body, form)
    entry_of(request).notes |= {"characters": len(body["input"]), "bytes": len(data)}
    if body.get("stream_format") == "sse":
        return stream_reply(request, _events(body, data))
    # In slices, as the real one sends it: without a length, so that a client must notice for itself when it breaks off.
    return StreamingResponse(_slices(data), media_type=MIMES[form])


def _check_options(body: dict[str, Any], model: str) -> None:
    if isinstance(body["voice"], dict):
        msg = f"Voice '{body['voice']['id']}' not found."
        raise Invalid(msg, param="voice", code="voice_not_found")
    if not model.startswith("tts-1"):
        return
    if body["voice"] not in _OLDER_VOICES:
        listed = ", ".join(f"'{voice}'" for voice in _OLDER_VOICES)
        msg = f"Invalid value: '{body['voice']}'. Supported values for this model are: {listed}."
        raise Invalid(msg, param="voice", code="invalid_value")
    for name in ("instructions", "stream_format"):
        if name in body and body[name] != "audio":
            msg = f"{name} is not supported with model '{model}'."
            raise Invalid(msg, param=name, code="unsupported_parameter")


def _make(body: dict[str, Any], form: str) -> bytes:
    return recorded(plan_speech(body["input"], body.get("speed", 1.0)), body["voice"], form, body["input"])


def _slices(data: bytes) -> Iterator[bytes]:
    for at in range(0, len(data), _SLICE):
        yield data[at : at + _SLICE]


def _events(body: dict[str, Any], data: bytes) -> Iterator[str]:
    """Deltas of base64, then the usage; no [DONE]."""
    for part in _slices(data):
        yield event({"type": "speech.audio.delta", "audio": base64.b64encode(part).decode()})
    told = len(pieces(body["input"] + body.get("instructions", "")))
    seconds = sum(slot.seconds for slot in plan_speech(body["input"], body.get("speed", 1.0)))
    made = round(seconds * _TOKENS_A_SECOND)
    usage = {"input_tokens": told, "output_tokens": made, "total_tokens": told + made}
    yield event({"type": "speech.audio.done", "usage": usage})


ROUTES = [Route("/v1/audio/speech", speak, methods=["POST"])]
