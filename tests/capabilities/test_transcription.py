"""`transcribe`: text, subtitles and segments, with the words the file itself carries for the embedded gateway to read."""

import base64
import re
from pathlib import Path
from typing import Any

import pytest

from capabilities.material import answered, bodies, call, picture, read_named, refused, sound, spent
from connections import MEMORY, connect, text_of
from media import samples
from mtu_mcp.sandbox import Options, Sandbox

ONE_GATEWAY = True

Environ = dict[str, str]
WORDS = "Alice: Good morning. Bob: The tea is ready."


@pytest.fixture
def folder(tmp_path: Path, environ: Environ) -> Path:
    """A folder the user allowed, with a recording."""
    given = tmp_path / "录音"
    given.mkdir()
    (given / "会议.wav").write_bytes(sound(4.0, "Good morning. The tea is ready."))
    (given / "two.wav").write_bytes(sound(4.0, WORDS))
    environ["MTU_ALLOWED_DIRS"] = str(given)
    return given


async def test_speech_becomes_text(environ: Environ, gateway: Sandbox, folder: Path) -> None:
    """OpenAI API reference, create transcription: multipart with file, model, language, prompt."""
    async with connect(MEMORY, environ) as client:
        said = await answered(
            client,
            "transcribe",
            file=str(folder / "会议.wav"),
            language="en",
            hint="Darjeeling",
            options={"temperature": 0.2},
        )
    assert said.startswith("Good morning. The tea is ready.")
    [asked] = bodies(gateway, "/audio/transcriptions")
    assert asked["language"] == "en"
    assert asked["prompt"] == "Darjeeling"
    assert asked["temperature"] == "0.2"
    assert asked["response_format"] == "json"


async def test_srt_holds_numbered_cues_with_commas(environ: Environ, folder: Path) -> None:
    """SubRip, as players read it: number, times with a comma, text."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "transcribe", file="会议.wav", output="srt")
    assert re.match(r"1\n00:00:0\d,\d{3} --> 00:00:0\d,\d{3}\nGood morning\.", said)
    assert "\n2\n" in said


async def test_vtt_begins_with_its_head_and_has_points(environ: Environ, folder: Path) -> None:
    """W3C WebVTT."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "transcribe", file="会议.wav", output="vtt")
    assert said.startswith("WEBVTT\n")
    assert re.search(r"00:00(:00)?\.\d{3} --> ", said)


async def test_segments_are_lines_with_times(environ: Environ, folder: Path) -> None:
    """OpenAI API reference: verbose_json has segments."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "transcribe", file="会议.wav", output="segments")
    assert re.match(r"\[00:00:0\d\.\d{3} - 00:00:0\d\.\d{3}\] Good morning\.", said)


@pytest.mark.parametrize("output", ["segments", "srt", "text"])
async def test_speakers_are_told_apart(environ: Environ, gateway: Sandbox, folder: Path, output: str) -> None:
    """OpenAI API reference: diarized_json, with chunking_strategy for the diarizing model."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "transcribe", file="two.wav", output=output, speakers=True)
    [asked] = bodies(gateway, "/audio/transcriptions")
    assert asked["response_format"] == "diarized_json"
    assert asked["chunking_strategy"] == "auto"
    assert "Good morning." in said
    if output != "text":
        assert re.search(r"(?m)^(\[.*\] )?\w+: Good morning\.", said)


async def test_speech_is_translated_to_english(environ: Environ, gateway: Sandbox, folder: Path) -> None:
    """OpenAI API reference, create translation."""
    (folder / "中文.wav").write_bytes(sound(3.0, "你好。今天天气很好。"))
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "transcribe", file="中文.wav", to_english=True)
    assert "not translated" in said  # the embedded gateway says so
    assert bodies(gateway, "/audio/translations")[0]["model"] == "whisper-1"


async def test_a_model_without_times_gives_plain_text_and_says_which_has_them(environ: Environ, folder: Path) -> None:
    """OpenAI API reference: gpt-4o-transcribe answers json or text alone."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "transcribe", file="会议.wav", output="srt", model="gpt-4o-transcribe")
    assert said.startswith("Good morning.")
    assert "gave no times" in said
    assert "whisper-1" in said


async def test_a_long_transcript_is_saved_as_well_as_shown(environ: Environ, folder: Path) -> None:
    """Our promise: the text is saved as well as shown when long."""
    words = "The tea is ready and the kettle sings. " * 80
    (folder / "long.wav").write_bytes(sound(30.0, words))
    async with connect(MEMORY, environ) as client:
        result = await call(client, "transcribe", file="long.wav")
        read_only = await _read_only(environ)
    said = text_of(result)
    assert read_named(said, "The whole is at ").decode().strip() == words.strip()
    assert said.startswith("The tea is ready")
    assert [block.type for block in result.content] == ["text", "resource_link"]
    assert "The whole is at" not in read_only


async def _read_only(environ: Environ) -> str:
    async with connect(MEMORY, {**environ, "MTU_READ_ONLY": "1"}) as client:
        return await answered(client, "transcribe", file="long.wav")


async def test_a_long_transcript_that_cannot_be_saved_is_still_shown(
    environ: Environ, folder: Path, tmp_path: Path
) -> None:
    """Our promise: what was paid for is never lost."""
    (tmp_path / "made").write_bytes(b"in the way")
    (folder / "long.wav").write_bytes(sound(30.0, "The tea is ready. " * 200))
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "transcribe", file="long.wav")
    assert said.count("The tea is ready.") >= 200
    assert "could not be saved" in said


async def test_a_data_uri_and_the_gateways_own_address_are_taken(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: path, URL, data URI or mtu://media/ link; only the gateway's own origin may be plain http."""
    data = sound(2.0, "Hello there.")
    async with connect(MEMORY, environ) as client:
        inline = f"data:audio/wav;base64,{base64.b64encode(data).decode()}"
        assert "Hello there." in await answered(client, "transcribe", file=inline)
        assert "Hello there." in await answered(
            client, "transcribe", file=gateway.desk.shelve(data, "audio/wav", "wav")
        )
        said = await refused(client, "transcribe", file="http://127.0.0.1:9/a.wav")
    assert "http" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"file": "fox.png"}, "accepted here: audio or video"),
        ({"file": "none.wav"}, "none.wav"),
        ({"file": ""}, "empty"),
        ({"file": "会议.wav", "speakers": True, "to_english": True}, "do not go together"),
        ({"file": "会议.wav", "output": "json"}, "'text', 'srt', 'vtt' or 'segments'"),
        ({"file": "会议.wav", "options": {"response_format": "srt"}}, "options may not set response_format"),
        ({"file": "会议.wav", "options": {"a\r\nb": 1}}, "no field has"),
        ({"file": "会议.wav", "hint": "tea", "speakers": True}, "gpt-4o-transcribe-diarize takes no hint."),
    ],
)
async def test_what_cannot_be_transcribed_is_refused_before_it_is_sent(
    environ: Environ, gateway: Sandbox, folder: Path, arguments: dict[str, Any], words: str
) -> None:
    """OpenAI API reference: files of sound or video, and the fields of the form."""
    (folder / "fox.png").write_bytes(picture())
    async with connect(MEMORY, environ) as client:
        assert words in await refused(client, "transcribe", **arguments)
    assert not spent(gateway)


@pytest.mark.parametrize(
    ("name", "data", "sent"),
    [
        ("voice note.opus", samples.opus(), "voice-note.ogg"),
        ("voice.webm", samples.matroska(b"webm", picture_track=False), "voice.webm"),
        ("talk.wave", sound(2.0, "The tea is ready."), "talk.wav"),
        ("talk.oga", samples.opus(), "talk.ogg"),
    ],
)
async def test_a_recording_is_sent_under_a_name_the_model_knows(
    environ: Environ, gateway: Sandbox, folder: Path, name: str, data: bytes, sent: str
) -> None:
    """OpenAI's API goes by the name: "Unsupported file format opus" for the very bytes it takes as .ogg."""
    (folder / name).write_bytes(data)
    async with connect(MEMORY, environ) as client:
        await answered(client, "transcribe", file=name, model="whisper-1")
    [asked] = bodies(gateway, "/audio/transcriptions")
    assert sent in str(asked["file"])


async def test_a_gateway_without_transcription_is_told_in_one_sentence(environ: Environ, folder: Path) -> None:
    """Our promise: an endpoint the gateway lacks is answered with a sentence saying so."""
    with Sandbox(Options(without=("/audio/transcriptions",))) as lacking:
        async with connect(MEMORY, {**environ, "MTU_BASE_URL": lacking.base_url}) as client:
            said = await refused(client, "transcribe", file="会议.wav")
    assert said.startswith("This gateway does not offer audio/transcriptions (it answered 404).")


async def test_a_wrong_model_is_answered_with_the_nearest_names(environ: Environ, folder: Path) -> None:
    """Our promise: an error heals."""
    async with connect(MEMORY, environ) as client:
        assert "whisper-1" in await refused(client, "transcribe", file="会议.wav", model="wisper-1")
