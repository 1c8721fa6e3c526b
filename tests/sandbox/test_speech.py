"""POST /v1/audio/speech of the embedded gateway: sound a person can hear, as long as the text, in every format."""

import base64
from array import array
from operator import mul
from typing import Any

import httpx
import openai
import pytest

from mtu_mcp.sandbox import Sandbox
from mtu_mcp.sandbox.frames import adts_facts
from mtu_mcp.sandbox.listening import describe_sound
from mtu_mcp.sandbox.prosody import plan_speech
from sandbox.asking import read_events

TEXT = "Good morning, and welcome to the library."
CHINESE = "早上好，欢迎来到图书馆。"


def speak(raw: httpx.Client, text: str = TEXT, **fields: Any) -> httpx.Response:
    body = {"model": "gpt-4o-mini-tts", "voice": "nova", "input": text} | fields
    return raw.post("/v1/audio/speech", json=body)


def length(text: str, speed: float = 1.0) -> float:
    return sum(slot.seconds for slot in plan_speech(text, speed))


@pytest.mark.parametrize("form", ["mp3", "opus", "flac", "wav"])
@pytest.mark.parametrize("text", [TEXT, CHINESE])
def test_a_file_is_as_long_as_its_text_and_notes_the_words(raw: httpx.Client, form: str, text: str) -> None:
    """OpenAI API reference, create speech: response_format; our promise: the words are in the file's own notes."""
    answer = speak(raw, text, response_format=form)
    sound = describe_sound(answer.content)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == {"mp3": "audio/mpeg"}.get(form, f"audio/{form}")
    assert sound.transcript == text
    assert sound.seconds == pytest.approx(length(text), abs=0.06)


def test_aac_and_pcm_are_as_long_as_the_text(raw: httpx.Client) -> None:
    """OpenAI, text to speech guide: pcm is 24 kHz, 16-bit, without a header; ADTS has no room for words."""
    aac = speak(raw, response_format="aac").content
    pcm = speak(raw, response_format="pcm").content
    assert adts_facts(aac).seconds == pytest.approx(length(TEXT), abs=0.06)
    assert len(pcm) / 48_000 == pytest.approx(length(TEXT), abs=0.01)


@pytest.mark.parametrize("speed", [0.25, 2.0, 4.0])
@pytest.mark.parametrize("form", ["wav", "mp3", "opus"])
def test_speed_divides_the_length(raw: httpx.Client, speed: float, form: str) -> None:
    """OpenAI API reference, create speech: speed from 0.25 to 4.0."""
    found = describe_sound(speak(raw, speed=speed, response_format=form).content)
    assert found.seconds == pytest.approx(length(TEXT) / speed, abs=0.06)


def test_it_can_be_heard_and_pauses_at_a_comma(raw: httpx.Client) -> None:
    """Our promise: real sound, with the rhythm of the text."""
    found = describe_sound(speak(raw, "Good morning. Good night.", response_format="wav").content)
    assert found.loudness_dbfs is not None
    assert found.loudness_dbfs > -30
    assert len(found.spans) == 2


def test_voices_differ_in_pitch(raw: httpx.Client) -> None:
    """Our promise: a voice can be told from another."""

    def period(voice: str) -> int:
        samples = array("h", speak(raw, voice=voice, response_format="pcm").content[1000:3000])
        return max(range(90, 300), key=lambda lag: sum(map(mul, samples[:700], samples[lag : lag + 700])))

    assert period("onyx") == pytest.approx(24_000 / 95, rel=0.03)
    assert period("nova") == pytest.approx(24_000 / 225, rel=0.03)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"input": ""}, "input"),
        ({"input": "x" * 4097}, "maximum length 4096"),
        ({"voice": "darth"}, "Supported values"),
        ({"voice": {"id": "voice_1"}}, "not found"),
        ({"voice": None}, "voice"),
        ({"speed": 5}, "speed"),
        ({"response_format": "midi"}, "Supported values"),
        ({"colour": "red"}, "Unknown parameter: 'colour'"),
        ({"model": "tts-1", "instructions": "Softly"}, "instructions"),
        ({"model": "tts-1", "stream_format": "sse"}, "stream_format"),
        ({"model": "tts-1", "voice": "cedar"}, "Supported values for this model"),
        ({"model": "whisper-1"}, "speech"),
    ],
)
def test_what_the_reference_forbids_is_refused(raw: httpx.Client, fields: dict[str, Any], words: str) -> None:
    """OpenAI API reference, create speech."""
    answer = speak(raw, **({"text": fields.pop("input")} if "input" in fields else {}), **fields)
    assert answer.status_code in {400, 404}
    assert words in answer.json()["error"]["message"]


def test_events_carry_the_same_sound_and_the_usage(raw: httpx.Client) -> None:
    """OpenAI API reference: speech.audio.delta, then speech.audio.done with the usage; no [DONE]."""
    answer = speak(raw, stream_format="sse", response_format="wav")
    *deltas, done = read_events(answer.text)
    assert {each["type"] for each in deltas} == {"speech.audio.delta"}
    assert done["type"] == "speech.audio.done"
    assert done["usage"]["output_tokens"] > 0
    assert b"".join(base64.b64decode(each["audio"]) for each in deltas) == speak(raw, response_format="wav").content
    assert "[DONE]" not in answer.text


def test_the_public_client_speaks_and_streams(sandbox: Sandbox) -> None:
    """Our promise: the public `openai` client works unmodified."""
    sandbox.desk.faults.clear()
    with openai.OpenAI(base_url=sandbox.base_url, api_key="sk-test", max_retries=0) as client:
        whole = client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT).content
        with client.audio.speech.with_streaming_response.create(model="tts-1", voice="alloy", input=TEXT) as answer:
            assert b"".join(answer.iter_bytes()) == whole
        with pytest.raises(openai.BadRequestError):
            client.audio.speech.create(model="tts-1", voice="alloy", input="x" * 5000)
