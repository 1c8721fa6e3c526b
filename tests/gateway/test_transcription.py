"""Transcripts in every format, asked for or not."""

import json

import pytest

from gateway.scripted import Scripted, events, json_body, open_gateway
from mtu_mcp.errors import BadAnswer, NotOffered, Rejected, UpstreamFailure
from mtu_mcp.gateway import Segment, Transcript, TranscriptionRequest, Upload, Usage

SOUND = Upload("a.wav", "audio/wav", data=b"RIFF")
SRT = "1\n00:00:00,000 --> 00:00:01,500\nHello\nthere.\n\n2\n00:00:01,500 --> 01:00:03,000\n你好\n"
VTT = "WEBVTT\n\n00:00.000 --> 00:01.500\n<v Ann>Hello there.\n\n00:01.500 --> 00:03.000\n你好\n"


async def heard(script: Scripted, response_format: str = "json") -> Transcript:
    gateway, _, _ = open_gateway(script)
    return await gateway.transcribe(TranscriptionRequest("m", SOUND, response_format))


def plain(text: str) -> Scripted:
    return Scripted(200, {"content-type": "text/plain; charset=utf-8"}, (text.encode(),))


async def test_json_gives_text_and_usage():
    """OpenAI API reference: the details are spelled input_token_details here."""
    body = {
        "text": "hi ",
        "usage": {
            "type": "tokens",
            "input_tokens": 14,
            "output_tokens": 4,
            "input_token_details": {"audio_tokens": 10},
        },
    }
    found = await heard(json_body(json.dumps(body)))
    assert (found.text, found.model) == ("hi", "m")
    assert found.usage == Usage(14, 4, input_audio=10)


async def test_verbose_json_gives_times():
    """OpenAI API reference, verbose_json."""
    body = {
        "task": "transcribe",
        "language": "english",
        "duration": 2.5,
        "text": "Hi you",
        "segments": [{"id": 0, "start": 0.0, "end": 2.5, "text": " Hi you"}],
        "words": [{"word": "Hi", "start": 0, "end": 1}],
        "usage": {"type": "duration", "seconds": 3},
    }
    found = await heard(json_body(json.dumps(body)), "verbose_json")
    assert (found.language, found.duration) == ("english", 2.5)
    assert found.segments == (Segment(0.0, 2.5, " Hi you"),)
    assert found.words == (Segment(0.0, 1.0, "Hi"),)
    assert found.usage == Usage(seconds=3.0)


async def test_diarized_json_gives_speakers():
    """OpenAI API reference, diarized_json."""
    body = {"segments": [{"start": 0, "end": 1, "text": "Hi.", "speaker": "A"}, {"text": "Yes?", "speaker": 2}]}
    found = await heard(json_body(json.dumps(body)), "diarized_json")
    assert found.text == "Hi. Yes?"
    assert found.segments == (Segment(0.0, 1.0, "Hi.", "A"), Segment(None, None, "Yes?", "2"))


@pytest.mark.parametrize(
    ("body", "asked"), [(SRT, "srt"), (VTT, "vtt"), (SRT, "json"), (VTT.replace("\n", "\r\n"), "text")]
)
async def test_captions_are_kept_and_read(body: str, asked: str):
    """SubRip and W3C WebVTT; some gateways ignore the format that was asked."""
    found = await heard(plain(body), asked)
    assert found.body == body
    assert found.text == "Hello there. 你好"
    assert [segment.start for segment in found.segments] == [0.0, 1.5]


async def test_captions_inside_json_are_read():
    """Gateways that wrap whatever they get."""
    found = await heard(json_body(json.dumps({"text": SRT, "usage": {"type": "duration", "seconds": 3}})), "srt")
    assert found.body == SRT
    assert found.usage


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("Hello there.\n", "Hello there."),
        ('{"text":"Hello"}', "Hello"),
        ('"Hello"', "Hello"),
        ("42", "42"),
        ("", ""),
        ("WEBVTT\n\n", ""),
    ],
)
async def test_text_is_text_whatever_it_looks_like(body: str, text: str):
    """OpenAI API reference, format text; some gateways answer JSON to it."""
    assert (await heard(plain(body), "text")).text == text


async def test_a_stream_is_put_together():
    """OpenAI API reference, transcription streaming."""
    pieces = [
        {"type": "transcript.text.delta", "delta": "Hel"},
        {"type": "transcript.text.delta", "delta": "lo"},
        {"type": "transcript.text.segment", "start": 0, "end": 1, "text": "Hello", "speaker": "A"},
        {"type": "transcript.text.done", "text": "Hello", "usage": {"type": "duration", "seconds": 1}},
    ]
    found = await heard(events("".join(f"data: {json.dumps(piece)}\n\n" for piece in pieces).encode()))
    assert (found.text, found.segments) == ("Hello", (Segment(0.0, 1.0, "Hello", "A"),))


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (plain("hello"), BadAnswer),
        (json_body("{}"), BadAnswer),
        (json_body("[]"), BadAnswer),
        (plain("<html><title>x</title>"), NotOffered),
        (json_body('{"error":{"message":"no"}}'), UpstreamFailure),
        (json_body('{"code":"InvalidParameter","message":"no"}'), Rejected),
        (events(b'data: {"error":{"message":"x"}}\n\n'), UpstreamFailure),
        (events(b": nothing\n\n"), BadAnswer),
    ],
)
async def test_what_is_no_transcript_is_an_error(script: Scripted, kind: type[Exception]):
    """Our promise: nothing is passed on as words that was not said."""
    with pytest.raises(kind):
        await heard(script)


async def test_options_become_form_fields():
    """OpenAI API reference: lists are sent as name[], objects as name[key]."""
    gateway, transport, _ = open_gateway(json_body('{"text":"hi"}'))
    options = {
        "timestamp_granularities": ["word", "segment"],
        "chunking_strategy": {"type": "server_vad", "threshold": 0.5},
        "stream": False,
        "temperature": 0,
        "language": None,
    }
    await gateway.translate_audio(TranscriptionRequest("m", SOUND, "json", options))
    sent = transport.sent[0]
    assert sent.url.endswith("/audio/translations")
    for name, value in [
        ("timestamp_granularities[]", "word"),
        ("timestamp_granularities[]", "segment"),
        ("chunking_strategy[type]", "server_vad"),
        ("chunking_strategy[threshold]", "0.5"),
        ("stream", "false"),
        ("temperature", "0"),
        ("response_format", "json"),
    ]:
        assert f'name="{name}"\r\n\r\n{value}\r\n'.encode() in sent.body
    assert b"language" not in sent.body
