"""Speech: sound told from refusals, whatever status and headers say, and kept when it breaks off."""

import base64
import json

import httpx
import pytest

from gateway.scripted import Scripted, events, json_body, open_gateway
from mtu_mcp.errors import BadAnswer, NotOffered, QuotaExhausted, Rejected, Unreachable, UpstreamError
from mtu_mcp.gateway import SpeechRequest, SpokenAnswer, Usage, open_scope

MP3 = b"\xff\xf3\x84\xc4" + bytes(68)


def sound(*steps: bytes | Exception, kind: str = "audio/mpeg") -> Scripted:
    return Scripted(200, {"content-type": kind}, steps)


async def spoken(script: Scripted, form: str = "mp3") -> SpokenAnswer:
    gateway, _, _ = open_gateway(script)
    return await gateway.speak(SpeechRequest("tts-1", "Hello", "alloy", form))


async def test_the_request_is_the_references() -> None:
    """OpenAI API reference, create speech: input, model, voice, response_format and the options beside them."""
    gateway, transport, _ = open_gateway(sound(MP3))
    await gateway.speak(SpeechRequest("tts-1", "你好", "nova", "wav", options={"speed": 1.5, "instructions": None}))
    [sent] = transport.sent
    assert sent.url == "https://gateway.test/v1/audio/speech"
    assert sent.headers["idempotency-key"]
    assert json.loads(sent.body) == {
        "model": "tts-1",
        "input": "你好",
        "voice": "nova",
        "response_format": "wav",
        "speed": 1.5,
    }


@pytest.mark.parametrize("kind", ["audio/mpeg", "application/octet-stream", "application/json", "text/html"])
async def test_sound_is_known_by_its_bytes(kind: str) -> None:
    """Our promise: gateways mislabel their answers."""
    assert (await spoken(sound(MP3[:10], MP3[10:], kind=kind))).sound == MP3


async def test_samples_that_begin_like_an_event_or_json_are_samples() -> None:
    """OpenAI, text to speech guide: pcm has no header, so its first byte may be anything."""
    for start in (b":\x00{\x80", b"{\x01\xff\xfe", b"<\x00\x90\x00", b"\x00\x00\x00\x00"):
        assert (await spoken(sound(start + bytes(500)), "pcm")).sound.startswith(start)


async def test_sound_that_breaks_off_is_kept_and_said_to_be_cut() -> None:
    """Our promise: what was paid for is never lost."""
    gateway, _, _ = open_gateway(sound(MP3, httpx.ReadError("gone")))
    with open_scope() as scope:
        answer = await gateway.speak(SpeechRequest("tts-1", "Hello", "alloy"))
    assert answer.sound == MP3
    assert "broke" in answer.cut
    assert not answer.cut.endswith(".")
    assert scope.exchanges[0].state == "cut"


async def test_a_connection_that_breaks_before_any_sound_is_an_error() -> None:
    """Our promise: nothing arrived, nothing is claimed."""
    with pytest.raises(Unreachable):
        await spoken(sound(httpx.ReadError("gone")))


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (json_body('{"error":{"message":"no voice","type":"invalid_request_error","code":null}}'), Rejected),
        (json_body('{"error":{"message":"no money","code":"insufficient_quota"}}'), QuotaExhausted),
        (json_body('{"error":{"message":"API not implemented","code":"api_not_implemented"}}', 501), NotOffered),
        (sound(b'{"code":"InvalidParameter","message":"voice","request_id":"r"}'), UpstreamError),
        (sound(b"upstream connect error"), BadAnswer),
        (sound(b""), BadAnswer),
        (sound(b"<html><head><title>502</title></head></html>"), UpstreamError),
        (sound(b'{"id":"x"}'), BadAnswer),
    ],
)
async def test_what_is_no_sound_is_an_error(script: Scripted, error: type[UpstreamError]) -> None:
    """OpenAI API reference: errors are JSON although success is bytes; gateways add pages and bare text under 200."""
    with pytest.raises(error) as raised:
        await spoken(script)
    assert "<html" not in str(raised.value)


async def test_events_are_put_together_with_their_usage() -> None:
    """OpenAI API reference, stream_format sse: speech.audio.delta and speech.audio.done."""
    halves = [base64.b64encode(part).decode() for part in (MP3[:31], MP3[31:])]
    deltas = [f'data: {{"type":"speech.audio.delta","audio":"{half}"}}\n\n'.encode() for half in halves]
    usage = {"input_tokens": 3, "output_tokens": 9, "total_tokens": 12}
    done = f"data: {json.dumps({'type': 'speech.audio.done', 'usage': usage})}\n\n".encode()
    answer = await spoken(events(b": ping\n\n", *deltas, done))
    assert (answer.sound, answer.cut, answer.usage) == (MP3, "", Usage(3, 9))
    assert (await spoken(events(*deltas))).cut == "the stream ended without a finish"
    failed = await spoken(events(*deltas, b'data: {"error":{"message":"overloaded"}}\n\n'))
    assert failed.cut == "the gateway sent an error in the stream: overloaded"
    with pytest.raises(UpstreamError):
        await spoken(events(b'data: {"error":{"message":"overloaded"}}\n\n'))


async def test_sound_inside_json_is_unwrapped() -> None:
    """Gateways in front of makers whose speech comes as base64 in JSON."""
    inner = base64.b64encode(MP3).decode()
    for body in ({"audio": inner}, {"data": inner}, {"output": {"audio": {"data": inner}}}):
        assert (await spoken(json_body(json.dumps(body)))).sound == MP3
