"""`speak`: text of any length becomes one sound file that is saved before it is shown."""

import base64
import io
import json
import re
import wave
from pathlib import Path
from typing import Any

import pytest

from capabilities.material import answered, bodies, call, refused, spent
from connections import CELLS, MEMORY, Cell, connect, roots, text_of
from mtu_mcp.media import Media, kind_of, measure_blocking
from mtu_mcp.sandbox import Options, Sandbox

ONE_GATEWAY = True
WORDS = "Good morning, and welcome to the library."


@pytest.fixture
def environ(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    return {**environ, "MTU_TOOLSETS": "core,audio", "MTU_ALLOWED_DIRS": str(tmp_path)}


def saved(said: str) -> list[Path]:
    return [Path(found) for found in re.findall(r"^Saved (.+?) \(", said, re.MULTILINE)]


def seconds(path: Path) -> float:
    data = path.read_bytes()
    return measure_blocking(Media(path.name, kind_of(data), len(data), data=data)).seconds or 0.0


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.transport in ("memory", "http")], ids=str)
async def test_a_text_becomes_a_file_with_its_length_a_link_and_the_sound(cell: Cell, environ: dict[str, str]) -> None:
    """Our promise: on disk first, linked, and small sounds are in the answer; MCP content of type audio."""
    async with connect(cell, environ) as client:
        result = await call(client, "speak", text=WORDS, voice="nova")
    [path] = saved(text_of(result))
    assert path.suffix == ".mp3"
    assert f"({seconds(path):.1f} s of mp3)" in text_of(result)
    [sound] = [block for block in result.content if block.type == "audio"]
    [link] = [block for block in result.content if block.type == "resource_link"]
    assert base64.b64decode(sound.data) == path.read_bytes()
    assert sound.mime_type == link.mime_type == "audio/mpeg"
    about = json.loads(path.with_name(path.name + ".json").read_text(encoding="utf-8"))
    assert about["text"] == WORDS
    assert about["voice"] == "nova"
    assert result.structured_content is None


@pytest.mark.parametrize("form", ["mp3", "wav", "flac", "opus"])
async def test_what_was_spoken_can_be_transcribed(form: str, environ: dict[str, str]) -> None:
    """Our promise: the file of one tool is the input of the next, by its mtu:// link."""
    text = "早上好，欢迎来到图书馆。" if form == "opus" else WORDS
    async with connect(MEMORY, environ) as client:
        result = await call(client, "speak", text=text, format=form)
        [link] = [block for block in result.content if block.type == "resource_link"]
        heard = await answered(client, "transcribe", file=str(link.uri), model="whisper-1")
    length = round(seconds(saved(text_of(result))[0]) + 0.4999)
    assert heard.startswith(f"{text}\n\n[whisper-1 · {length:.1f} s of sound · about CNY ")


async def test_every_argument_arrives_under_the_apis_name(environ: dict[str, str], gateway: Sandbox) -> None:
    """OpenAI API reference, create speech."""
    async with connect(MEMORY, environ) as client:
        await answered(
            client,
            "speak",
            text="Hi",
            voice="onyx",
            format="wav",
            speed=2,
            instructions="Softly",
            options={"stream_format": "sse"},
        )
    [body] = bodies(gateway, "/audio/speech")
    assert body == {
        "model": "gpt-4o-mini-tts",
        "input": "Hi",
        "voice": "onyx",
        "response_format": "wav",
        "speed": 2,
        "instructions": "Softly",
        "stream_format": "sse",
    }


@pytest.mark.parametrize("form", ["mp3", "wav", "aac", "pcm"])
async def test_a_long_text_is_cut_at_sentences_and_joined(form: str, environ: dict[str, str], gateway: Sandbox) -> None:
    """OpenAI API reference: at most 4,096 characters a call."""
    sentence = "The library opens at nine. 图书馆九点开门。"
    async with connect(MEMORY, environ) as client:
        short = await answered(client, "speak", text=sentence, format=form)
        said = await answered(client, "speak", text=sentence * 150, format=form)
    parts = [
        int(re.findall(r"\((\d+) characters\)", body["input"])[0]) for body in bodies(gateway, "/audio/speech")[1:]
    ]
    assert len(parts) == 2
    assert max(parts) <= 4096
    [path] = saved(said)
    assert path.suffix == f".{form}"
    one, whole = saved(short)[0].read_bytes(), path.read_bytes()
    if form == "pcm":
        assert len(whole) > 140 * len(one)
    else:
        assert seconds(path) > 140 * seconds(saved(short)[0])
    if form == "wav":
        with wave.open(io.BytesIO(whole)) as file:
            assert file.getnframes() * 2 + 44 == len(whole)


@pytest.mark.parametrize(("form", "instead"), [("flac", "wav"), ("opus", "mp3")])
async def test_a_long_text_in_a_format_that_does_not_join_is_made_in_another(
    form: str, instead: str, environ: dict[str, str]
) -> None:
    """Our promise: a file that plays to its end, and a word on why it is not what was asked for."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "speak", text="One two three. " * 300, format=form)
    assert saved(said)[0].suffix == f".{instead}"
    assert f"2 parts of {form} cannot be joined safely, so it was made as {instead}." in said


async def test_a_text_file_is_read_aloud_from_the_hosts_folder(environ: dict[str, str], tmp_path: Path) -> None:
    """Our promise: files lie under the host's roots; old Chinese encodings are read."""
    folder = tmp_path / "root"
    folder.mkdir()
    (folder / "letter.txt").write_bytes("你好，朋友。".encode("gb18030"))
    (folder / "picture.txt").write_bytes(b"\x00\x01\x02\x03" * 50)
    settings = {name: value for name, value in environ.items() if name != "MTU_ALLOWED_DIRS"}
    async with connect(MEMORY, settings, list_roots_callback=roots(folder)) as client:
        said = await answered(client, "speak", file=str(folder / "letter.txt"))
        assert "no plain text" in await refused(client, "speak", file=str(folder / "picture.txt"))
    assert "letter" in saved(said)[0].name


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "either text or file"),
        ({"text": "a", "file": "b.txt"}, "either text or file"),
        ({"text": "  …  "}, "nothing to say"),
        ({"text": "Hi", "speed": 9}, "speed"),
        ({"text": "Hi", "format": "midi"}, "format"),
        ({"text": "Hi", "options": {"voice": "x"}}, "voice"),
        ({"text": "word " * 60_000}, "at most 50"),
        ({"file": "/etc/passwd"}, "MTU_ALLOWED_DIRS"),
    ],
)
async def test_what_cannot_be_spoken_is_refused_before_anything_is_spent(
    arguments: dict[str, Any], words: str, environ: dict[str, str], gateway: Sandbox
) -> None:
    """Our promise: limits are checked with their figures before money is spent."""
    async with connect(MEMORY, environ) as client:
        assert words in await refused(client, "speak", **arguments)
    assert not spent(gateway)


async def test_what_the_gateway_refuses_is_said_in_its_words(environ: dict[str, str]) -> None:
    """Our promise: the gateway's reason reaches the reader."""
    async with connect(MEMORY, environ) as client:
        assert "Supported values" in await refused(client, "speak", text="Hi", voice="darth")
        assert "gpt-4o-mini-tts" in await refused(client, "speak", text="Hi", model="gpt-4o-mini-ttt")


async def test_sound_that_breaks_off_is_saved_and_said_to_be_incomplete(
    environ: dict[str, str], gateway: Sandbox
) -> None:
    """Our promise: what was paid for is never lost."""
    gateway.arm("cut", "/audio/speech")
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "speak", text=WORDS * 5, format="wav")
    assert "The answer is incomplete: " in said
    assert saved(said)[0].stat().st_size > 1000


async def test_parts_spoken_before_a_failure_are_kept(environ: dict[str, str], gateway: Sandbox) -> None:
    """Our promise: what was paid for is never lost."""
    async with connect(MEMORY, {**environ, "MTU_MAX_RETRIES": "0"}) as client:
        text = "One two three. " * 1200  # five parts, three at a time
        gateway.arm("slow:0.001", "/audio/speech", times=3)
        gateway.arm("500", "/audio/speech")
        said = await answered(client, "speak", text=text)
    assert re.search(r"Only parts 1 to \d of 5 were spoken: The gateway failed", said)
    assert saved(said)


@pytest.mark.parametrize("fault", ["error-in-stream", "html", "not-json", "empty", "500", "not-offered"])
async def test_no_sound_is_an_error_and_no_file(fault: str, environ: dict[str, str], gateway: Sandbox) -> None:
    """OpenAI API reference: a refusal is JSON, sound is bytes; our promise: a clear error."""
    gateway.arm(fault, "/audio/speech")
    async with connect(MEMORY, {**environ, "MTU_MAX_RETRIES": "0"}) as client:
        said = await refused(client, "speak", text=WORDS)
    assert len(said) > 20
    assert not list(Path(environ["MTU_OUTPUT_DIR"]).parent.glob("made/*"))


async def test_a_gateway_without_speech_is_said_in_one_sentence(environ: dict[str, str]) -> None:
    """Gateways answer 404 or 501 for what they lack."""
    with Sandbox(Options(without=("/audio/speech",))) as lacking:
        async with connect(MEMORY, {**environ, "MTU_BASE_URL": lacking.base_url}) as client:
            assert "does not offer audio/speech" in await refused(client, "speak", text="Hi")


async def test_a_full_disk_leaves_the_sound_in_the_answer(environ: dict[str, str], tmp_path: Path) -> None:
    """Our promise: what was paid for is never lost."""
    (tmp_path / "made").write_text("a file where the folder should be", encoding="utf-8")
    async with connect(MEMORY, environ) as client:
        result = await call(client, "speak", text="Hi")
    assert not result.is_error
    assert "could not be saved" in text_of(result)
    assert any(block.type == "audio" for block in result.content)


async def test_it_is_off_by_default_and_hidden_when_nothing_may_be_written(environ: dict[str, str]) -> None:
    """Our promise: the default list is small; MTU_READ_ONLY hides what makes files."""
    for settings in ({"MTU_TOOLSETS": "core"}, {"MTU_READ_ONLY": "true"}):
        async with connect(MEMORY, {**environ, **settings}) as client:
            assert "speak" not in [tool.name for tool in (await client.list_tools()).tools]


async def test_the_setting_chooses_the_model(environ: dict[str, str], gateway: Sandbox) -> None:
    """Our promise: MTU_MODEL_SPEECH."""
    async with connect(MEMORY, {**environ, "MTU_MODEL_SPEECH": "tts-1-hd"}) as client:
        assert "[tts-1-hd · 2 characters · " in await answered(client, "speak", text="Hi")
    assert bodies(gateway, "/audio/speech")[0]["model"] == "tts-1-hd"
