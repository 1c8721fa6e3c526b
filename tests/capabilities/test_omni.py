"""`understand`: pictures, one sound, one video or frames, over several turns, within what the model documents."""

import base64
import io
import wave
from importlib import resources
from pathlib import Path

import pytest

from capabilities.material import answered, bodies, call, messages, picture, read_named, refused, sound, spent
from connections import MEMORY, connect, text_of
from mtu_mcp.sandbox import Sandbox

ONE_GATEWAY = True

Environ = dict[str, str]


def sample(name: str) -> bytes:
    return resources.files("mtu_mcp.sandbox").joinpath("samples", name).read_bytes()


@pytest.fixture
def folder(tmp_path: Path, environ: Environ) -> Path:
    """A folder the user allowed, with one file of each sort."""
    given = tmp_path / "给 the model"
    given.mkdir()
    (given / "red.png").write_bytes(picture(color="red"))
    (given / "blue.png").write_bytes(picture(color="blue"))
    (given / "声音.wav").write_bytes(sound(2.0))
    (given / "video.mp4").write_bytes(sample("video.mp4"))
    environ["MTU_ALLOWED_DIRS"] = str(given)
    return given


async def test_several_pictures_are_looked_at_in_order(environ: Environ, gateway: Sandbox, folder: Path) -> None:
    """Alibaba Cloud Model Studio, Qwen-Omni: several image_url parts, streamed, modalities ["text"]."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "understand", question="What are these?", media=["red.png", "blue.png"])
    assert said.index("red") < said.index("blue")
    [body] = bodies(gateway)
    assert body["modalities"] == ["text"]
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}
    assert [part["type"] for part in body["messages"][0]["content"]] == ["image_url", "image_url", "text"]


async def test_one_sound_is_listened_to(environ: Environ, gateway: Sandbox, folder: Path) -> None:
    """Model Studio: input_audio with a data URI that names no media type, and the format beside it."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "understand", question="What is heard?", media=[str(folder / "声音.wav")])
    assert "2.0" in said
    part = messages(gateway)[0]["content"][0]
    assert part["input_audio"]["format"] == "wav"
    assert part["input_audio"]["data"].startswith("data:;base64,")


async def test_openais_audio_models_get_a_sound_as_base64_alone(
    environ: Environ, gateway: Sandbox, folder: Path
) -> None:
    """OpenAI API reference, input_audio: base64 without a data: prefix, WAV or MP3, and no address."""
    (folder / "voice.wav").write_bytes(sound(2.0, "Ship it on Friday"))
    address = gateway.desk.shelve(sound(2.0, "By address"), "audio/wav", "wav")
    given = {"model": "gpt-audio", "conversation": "heard"}
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "understand", question="What is said?", media=["voice.wav"], **given)
        assert "Ship it on Friday" in said
        said = await answered(client, "understand", question="What is said?", media=[address], model="gpt-audio")
        assert "By address" in said
        await answered(client, "understand", question="And before?", **given)
    for part in (body["messages"][0]["content"][0] for body in bodies(gateway)):
        assert part["input_audio"]["format"] == "wav"
        assert part["input_audio"]["data"].startswith("UklGR")  # "RIFF" in base64


async def test_frames_go_as_pictures_to_models_that_know_no_frames(
    environ: Environ, gateway: Sandbox, folder: Path
) -> None:
    """Model Studio alone has a part for frames; our promise: others are told what the pictures are."""
    async with connect(MEMORY, environ) as client:
        media = ["red.png", "blue.png"]
        await answered(client, "understand", question="What moves?", media=media, frames=True, model="gpt-4o")
    kinds = [part["type"] for part in messages(gateway)[0]["content"]]
    assert kinds == ["image_url", "image_url", "text", "text"]


async def test_one_video_is_watched(environ: Environ, gateway: Sandbox, folder: Path) -> None:
    """Model Studio: video_url."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "understand", question="What happens?", media=["video.mp4"])
    assert "video" in said
    assert messages(gateway)[0]["content"][0]["type"] == "video_url"


async def test_pictures_may_be_the_frames_of_a_video(environ: Environ, gateway: Sandbox, folder: Path) -> None:
    """Model Studio: a part of type "video" with the list of frames."""
    async with connect(MEMORY, environ) as client:
        await answered(client, "understand", question="What moves?", media=["red.png", "blue.png"] * 2, frames=True)
    [part, _] = messages(gateway)[0]["content"]
    assert part["type"] == "video"
    assert len(part["video"]) == 4


@pytest.mark.parametrize(
    ("media", "frames", "model", "figure"),
    [
        (["red.png"], True, "qwen3-omni-flash", "2 to 128 frames; there are 1"),
        (["red.png"], True, "qwen-omni-turbo", "4 to 80 frames; there are 1"),
        (["red.png"] * 129, True, "qwen3-omni-flash", "2 to 128 frames; there are 129"),
        (["声音.wav"], True, None, "frames is for pictures"),
        (["red.png", "声音.wav"], False, None, "not audio and image together"),
        (["声音.wav", "声音.wav"], False, None, "one audio; there are 2"),
        (["video.mp4", "video.mp4"], False, None, "one video; there are 2"),
    ],
)
async def test_what_one_message_may_not_hold_is_refused_before_it_is_sent(
    environ: Environ, gateway: Sandbox, folder: Path, media: list[str], frames: bool, model: str | None, figure: str
) -> None:
    """Model Studio, Qwen-Omni: one modality besides text a message; bounds on the frames of a video."""
    async with connect(MEMORY, environ) as client:
        said = await refused(client, "understand", question="?", media=media, frames=frames, model=model)
    assert figure in said
    assert not spent(gateway)


@pytest.mark.parametrize(
    ("name", "data", "figure"),
    [
        ("small.png", picture(10, 40), "10x40; each side must be over 10 pixels"),
        ("thin.png", picture(11, 2300), "sides may differ by 200:1"),
        ("large.png", picture(1700, 1700, form="BMP"), "a local file may have 7.5 MB"),
        ("huge.png", picture(2000, 2000, form="BMP"), "10 MB"),
        ("long.wav", sound(200.0), "lasts 200 s; the model takes 180 s"),
        ("text.txt", b"hello", "accepted here: image or audio or video"),
        ("empty.png", b"", "is empty"),
    ],
)
async def test_a_file_beyond_the_models_limits_is_refused_with_the_figure(
    environ: Environ, gateway: Sandbox, folder: Path, name: str, data: bytes, figure: str
) -> None:
    """Model Studio, Qwen-Omni-Turbo: sides over 10 px, 200:1, 10 MB, base64 under 10 MB, 3 minutes of sound."""
    (folder / name).write_bytes(data)
    async with connect(MEMORY, environ) as client:
        said = await refused(client, "understand", question="?", media=[name], model="qwen-omni-turbo")
    assert figure in said
    assert not spent(gateway)


async def test_more_files_than_the_model_takes_as_text_are_refused(
    environ: Environ, gateway: Sandbox, folder: Path
) -> None:
    """Model Studio, Qwen3.5-Omni: 2,048 pictures by URL, 250 as base64."""
    async with connect(MEMORY, environ) as client:
        for media, figure in ((["red.png"] * 251, "251 of the pictures are files"), (["red.png"] * 2049, "2,049")):
            said = await refused(client, "understand", question="?", media=media, model="qwen3.5-omni-plus")
            assert figure in said
    assert not spent(gateway)


@pytest.mark.parametrize(("tool", "asked"), [("understand", "question"), ("chat", "prompt")])
async def test_what_a_model_says_aloud_is_kept_as_a_file(
    environ: Environ, gateway: Sandbox, tool: str, asked: str
) -> None:
    """Model Studio, Qwen-Omni, audio output: samples without a header, paid for, so a WAV file on disk before all else."""
    spoken = {"modalities": ["text", "audio"], "audio": {"voice": "Cherry", "format": "wav"}}
    given = {asked: "Say: hello there", "model": "qwen3-omni-flash", "options": spoken}
    async with connect(MEMORY, environ) as client:
        result = await call(client, tool, **given)
    assert text_of(result).startswith("hello there")
    with wave.open(io.BytesIO(read_named(text_of(result).replace(" (", "\n")))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
        assert file.getnframes() > 2_400
    assert [block.type for block in result.content] == ["text", "audio", "resource_link"]
    async with connect(MEMORY, {**environ, "MTU_READ_ONLY": "true"}) as client:
        result = await call(client, tool, **given)
    assert "MTU_READ_ONLY" in text_of(result)
    assert [block.type for block in result.content] == ["text", "audio"]


async def test_a_url_is_passed_on_for_the_gateway_to_fetch(environ: Environ, gateway: Sandbox) -> None:
    """Model Studio: media by public URL; our promise: nothing is downloaded here for it."""
    address = gateway.desk.shelve(picture(color="green"), "image/png", "png")
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "understand", question="Which colour?", media=[address])
    assert "green" in said
    assert messages(gateway)[0]["content"][0]["image_url"]["url"] == address


async def test_a_data_uri_and_a_made_file_are_understood(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: paths, URLs, data URIs and mtu://media/ links alike."""
    inline = f"data:image/png;base64,{base64.b64encode(picture(color='blue')).decode()}"
    async with connect(MEMORY, environ) as client:
        assert "blue" in await answered(client, "understand", question="Colour?", media=[inline])
        result = await client.call_tool("generate_image", {"prompt": "红色 fox & friends"})
        [link] = [block for block in result.content if block.type == "resource_link"]
        assert "PNG" in await answered(client, "understand", question="What is it?", media=[link.uri])


async def test_later_questions_need_not_repeat_the_media(environ: Environ, gateway: Sandbox, folder: Path) -> None:
    """Our promise; also after a restart, and when the file was named relative to its folder."""
    async with connect(MEMORY, environ) as client:
        await answered(client, "understand", question="What is it?", media=["red.png"], conversation="pics")
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "understand", question="And now?", conversation="pics")
    assert "not sent again" not in said
    first = messages(gateway)[0]["content"]
    assert [part["type"] for part in first] == ["image_url", "text"]


async def test_media_of_an_earlier_turn_that_is_gone_is_named_and_the_talk_goes_on(
    environ: Environ, gateway: Sandbox, folder: Path
) -> None:
    """Our promise: it tells the truth about what was not sent."""
    async with connect(MEMORY, environ) as client:
        await answered(client, "understand", question="What is it?", media=["red.png"], conversation="pics")
        (folder / "red.png").unlink()
        said = await answered(client, "understand", question="And now?", conversation="pics")
    assert "red.png from an earlier turn was not sent again" in said
    assert "[image no longer available: red.png]" in messages(gateway)[0]["content"]


async def test_a_conversation_moves_between_chat_and_understand(
    environ: Environ, gateway: Sandbox, folder: Path
) -> None:
    """Our promise: a conversation belongs to no tool; sounds and videos become their names for models that only read."""
    async with connect(MEMORY, environ) as client:
        await answered(
            client, "chat", prompt="My name is Mei.", conversation="mixed", model="qwen-plus", system="Be kind"
        )
        await answered(client, "understand", question="What is heard?", media=["声音.wav"], conversation="mixed")
        assert messages(gateway)[0] == {"role": "system", "content": "Be kind"}
        said = await answered(client, "chat", prompt="What is my name?", conversation="mixed", model="gpt-4o")
    assert "Mei" in said
    assert [turn["role"] for turn in messages(gateway)] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert messages(gateway)[3]["content"] == "[audio: 声音.wav]\nWhat is heard?"


async def test_history_beyond_the_models_window_is_left_out_and_said(environ: Environ, gateway: Sandbox) -> None:
    """Model Studio: Qwen-Omni-Turbo takes 30,720 tokens; our promise: the oldest go first, and the answer says so."""
    async with connect(MEMORY, environ) as client:
        for number in range(3):
            await answered(client, "chat", prompt=f"{number} " + "word " * 10_000, conversation="long", model="gpt-4.1")
        said = await answered(client, "understand", question="So?", conversation="long", model="qwen-omni-turbo")
    assert "The oldest 2 of 6 turns no longer fit qwen-omni-turbo and were not sent." in said
    assert len(bodies(gateway)) == 4  # known beforehand, so nothing was sent in vain
    assert len(messages(gateway)) == 5


async def test_a_file_outside_the_allowed_folders_is_refused(environ: Environ, gateway: Sandbox, folder: Path) -> None:
    """Our promise: it touches only what it may, and says how to allow more."""
    (folder.parent / "secret.png").write_bytes(picture())
    async with connect(MEMORY, environ) as client:
        for path in (folder.parent / "secret.png", folder / ".." / "secret.png"):
            said = await refused(client, "understand", question="?", media=[str(path)])
            assert "outside the folders" in said
            assert "MTU_ALLOWED_DIRS" in said
    assert not spent(gateway)


async def test_a_misspelt_file_is_answered_with_the_near_names(environ: Environ, folder: Path) -> None:
    """Our promise: an error heals."""
    async with connect(MEMORY, environ) as client:
        assert "red.png" in await refused(client, "understand", question="?", media=[str(folder / "rad.png")])


async def test_a_wrong_model_is_answered_with_models_that_can_do_it(environ: Environ, folder: Path) -> None:
    """Our promise: the nearest names are of models with these senses."""
    async with connect(MEMORY, environ) as client:
        said = await refused(client, "understand", question="?", media=["red.png"], model="qwen-omni-trubo")
    assert "Nearest names: qwen-omni-turbo" in said
