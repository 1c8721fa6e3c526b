"""The API reference: pictures, sound and files."""

import re
from pathlib import Path
from typing import Any

from capabilities.material import mask, named, picture, sound
from connections import text_of
from server.rows.host import Host, serves

OPENAI = "OpenAI 项目"
IMAGES = f"{OPENAI} / 图像(Images)"
AUDIO = f"{OPENAI} / 音频(Audio)"
OLD_AUDIO = f"{OPENAI} / 已弃用-音频(Audio)"
FILES = f"{OPENAI} / 文件(Files)"
WORDS = "We ship on Friday. Tell Anna."


def saved(said: str) -> list[Path]:
    """Every file an answer names."""
    return [Path(one) for one in re.findall(r"Saved (.+?)(?: \(.*\))?$", said, re.MULTILINE)]


@serves(
    "Images / Create image", f"{IMAGES} / 创建图像", f"{IMAGES} / README", "数据模型 / Schemas / ImageCreateRequest"
)
async def image(host: Host) -> None:
    """OpenAI API reference, create image: n, size, quality, format, background; each picture is a file."""
    said = await host.ask(
        "generate_image",
        prompt="a red fox",
        n=2,
        size="1536x1024",
        quality="low",
        output_format="webp",
        model="gpt-image-1",
        options={"background": "opaque", "output_compression": 50, "moderation": "low", "user": "u1"},
    )
    assert host.sent("/images/generations") == {
        "model": "gpt-image-1",
        "prompt": "a red fox",
        "n": 2,
        "size": "1536x1024",
        "quality": "low",
        "output_format": "webp",
        "background": "opaque",
        "output_compression": 50,
        "moderation": "low",
        "user": "u1",
    }
    assert [path.read_bytes()[8:12] for path in saved(said)] == [b"WEBP"] * 2
    old = await host.ask(
        "generate_image", prompt="a boat", model="dall-e-3", size="1792x1024", options={"style": "natural"}
    )
    assert host.sent("/images/generations")["style"] == "natural"
    assert "1792x1024" in old
    told = await host.operate("create_image", prompt="a fox", model="gpt-image-1", stream=True, partial_images=1)
    assert [one["type"] for one in told] == ["image_generation.partial_image", "image_generation.completed"]
    assert all(one["b64_json"].startswith("mtu://media/") for one in told)
    shown = await host.read("mtu://operations/create_image", "mtu://operations/{name}")
    assert {"prompt", "n", "size", "quality", "style", "response_format"} <= set(shown["arguments"]["properties"])


@serves(f"{IMAGES} / 图像对象")
async def image_object(host: Host) -> None:
    """OpenAI API reference, the image object: b64_json or url, revised_prompt; here a file beside its data."""
    result = await host.call("generate_image", prompt="a red fox", model="dall-e-3")
    [link] = [block for block in result.content if block.type == "resource_link"]
    sidecar = named(text_of(result)).with_name(link.name + ".json")
    assert '"revised_prompt"' in sidecar.read_text(encoding="utf-8")
    for form in ("url", "b64_json"):
        made = await host.operate(
            "create_image", prompt="a red fox", model="dall-e-2", size="256x256", response_format=form
        )
        assert made["data"][0][form].startswith("mtu://media/"), "an address holds for an hour, so it is fetched"


@serves("Images / Create image edit", f"{IMAGES} / 创建图片编辑")
async def image_edit(host: Host) -> None:
    """OpenAI API reference, create image edit: one picture as `image`, several as `image[]`, a mask for the first."""
    one, two = host.put("one.png", picture(256, 256)), host.put("two.png", picture(256, 256, "blue"))
    hole = host.put("mask.png", mask(256))
    said = await host.ask(
        "generate_image",
        prompt="add snow",
        images=[one],
        mask=hole,
        model="gpt-image-1",
        options={"input_fidelity": "high"},
    )
    assert named(said).is_file()
    form = host.sent("/images/edits")
    assert set(form) == {"model", "prompt", "n", "image", "mask", "input_fidelity"}
    await host.ask("generate_image", prompt="put them together", images=[one, two], model="gpt-image-1")
    assert "image[]" in host.sent("/images/edits")
    again = await host.operate("create_image_edit", prompt="snow", model="gpt-image-1", image=one)
    assert again["data"][0]["b64_json"].startswith("mtu://media/")


@serves("Images / Create image variation", f"{IMAGES} / 创建图像变体")
async def image_variation(host: Host) -> None:
    """OpenAI API reference, create image variation: a square PNG and no prompt; New API answers 501."""
    square = host.put("square.png", picture(256, 256))
    given: dict[str, Any] = {"images": [square], "n": 2, "size": "256x256"}
    if host.relay:
        said = await host.lacking("images/variations", "generate_image", **given)
        assert said.endswith("add a prompt that says what may differ, and the picture is edited.")
        arguments = {"image": square, "model": "dall-e-2"}
        said = await host.lacking(
            "images/variations", "call_operation", name="create_image_variation", arguments=arguments
        )
        assert "removed by OpenAI on 2026-05-12" in said
        return
    said = await host.ask("generate_image", **given)
    assert len(saved(said)) == 2
    assert host.sent("/images/variations").items() >= {"model": "dall-e-2", "n": "2", "size": "256x256"}.items()


@serves("Audio / Create speech", f"{AUDIO} / 创建语音")
async def speech(host: Host) -> None:
    """OpenAI API reference, create speech: voice, format, speed and instructions; the answer is a sound file."""
    said = await host.ask(
        "speak",
        text="Hello there.",
        voice="coral",
        format="wav",
        speed=1.25,
        instructions="Warmly.",
        model="gpt-4o-mini-tts",
    )
    assert host.sent("/audio/speech") == {
        "model": "gpt-4o-mini-tts",
        "input": "Hello there.",
        "voice": "coral",
        "response_format": "wav",
        "speed": 1.25,
        "instructions": "Warmly.",
    }
    assert saved(said)[0].read_bytes().startswith(b"RIFF")
    marks = {"mp3": (b"ID3", b"\xff"), "opus": (b"OggS",), "aac": (b"\xff",), "flac": (b"fLaC",), "pcm": (b"",)}
    for form, starts in marks.items():
        [path] = saved(await host.ask("speak", text="Hi.", format=form))
        assert path.read_bytes().startswith(starts), form
    arguments = {"model": "gpt-4o-mini-tts", "input": "Hi.", "voice": "coral", "response_format": "wav"}
    whole = await host.ask("call_operation", name="create_speech", arguments=arguments)
    pieces = await host.ask("call_operation", name="create_speech", arguments={**arguments, "stream_format": "sse"})
    assert host.sent("/audio/speech")["stream_format"] == "sse"
    assert saved(pieces)[0].read_bytes() == saved(whole)[0].read_bytes()


@serves("Audio / Create transcription", f"{AUDIO} / 创建转录", f"{OLD_AUDIO} / 创建转录")
async def transcription(host: Host) -> None:
    """OpenAI API reference, create transcription: file, language, prompt, temperature; text, SRT, VTT, segments, speakers."""
    voice = host.put("voice.wav", sound(4.0, WORDS))
    said = await host.ask(
        "transcribe",
        file=voice,
        output="segments",
        language="en",
        hint="Anna",
        model="whisper-1",
        options={"temperature": 0.2, "timestamp_granularities": ["segment", "word"]},
    )
    assert "[00:00:00.000 - " in said
    form = host.sent("/audio/transcriptions")
    assert {name: form[name] for name in form if name != "file"} == {
        "model": "whisper-1",
        "language": "en",
        "prompt": "Anna",
        "response_format": "verbose_json",
        "temperature": "0.2",
        "timestamp_granularities[]": "word",
    }
    assert "-->" in await host.ask("transcribe", file=voice, output="srt")
    assert (await host.ask("transcribe", file=voice, output="vtt")).startswith("WEBVTT")
    assert "We ship on Friday" in await host.ask("transcribe", file=voice)
    told_apart = await host.ask("transcribe", file=voice, output="segments", speakers=True)
    assert (
        host.sent("/audio/transcriptions").items()
        >= {
            "model": "gpt-4o-transcribe-diarize",
            "response_format": "diarized_json",
            "chunking_strategy": "auto",
        }.items()
    )
    assert "We ship on Friday" in told_apart
    events = await host.operate("create_transcription", file=voice, model="gpt-4o-transcribe", stream=True)
    assert [one["type"] for one in (events[0], events[-1])] == ["transcript.text.delta", "transcript.text.done"]
    assert "We ship on Friday" in events[-1]["text"]


@serves("Audio / Create translation", f"{AUDIO} / 创建翻译", f"{OLD_AUDIO} / 创建翻译")
async def translation(host: Host) -> None:
    """OpenAI API reference, create translation: into English, by whisper-1."""
    voice = host.put("voice.wav", sound(2.0, "Bonjour"))
    said = await host.ask("transcribe", file=voice, to_english=True, hint="greeting", options={"temperature": 0})
    assert said.strip()
    form = host.sent("/audio/translations")
    assert {name: form[name] for name in form if name != "file"} == {
        "model": "whisper-1",
        "prompt": "greeting",
        "response_format": "json",
        "temperature": "0",
    }
    assert "-->" in await host.ask("transcribe", file=voice, to_english=True, output="srt")


async def kept(host: Host, name: str = "notes.txt", data: str = "Anna ships on Friday.") -> str:
    """The id of a file sent to the gateway."""
    said = await host.ask("manage_files", action="upload", file=host.put(name, data))
    found = re.search(r"Uploaded: (\S+)", said)
    assert found, said
    return found[1]


@serves("Files / Upload file", f"{FILES} / 上传文件", f"{FILES} / README")
async def upload(host: Host) -> None:
    """OpenAI API reference, upload file: a file and a purpose."""
    path = host.put("notes.txt", "Anna ships on Friday.")
    if host.relay:
        await host.lacking("files", "manage_files", action="upload", file=path)
        await host.lacking(
            "files", "call_operation", name="upload_file", arguments={"file": path, "purpose": "user_data"}
        )
        return
    purpose = host.purpose
    for given in ({"purpose": purpose}, {}):
        said = await host.ask("manage_files", action="upload", file=path, **given)
        assert f"notes.txt · 21 bytes · {purpose}" in said
    form = host.sent("/files")
    assert set(form) == {"file", "purpose"}
    assert form["purpose"] == purpose
    made = await host.operate("upload_file", file=path, purpose=purpose)
    assert made["object"] == "file"


@serves("Files / List files", f"{FILES} / 列出文件")
async def files(host: Host) -> None:
    """OpenAI API reference, list files: by purpose, page by page."""
    if host.relay:
        await host.lacking("files", "manage_files", action="list")
        return
    first, second = await kept(host), await kept(host, "more.txt")
    said = await host.ask("manage_files", action="list", purpose=host.purpose)
    assert first in said
    assert second in said
    assert (
        f"purpose={host.purpose}" in [entry.query for entry in host.gateway.journal.find("/files") if entry.query][-1]
    )
    page = await host.operate("list_files", limit=1)
    assert (page["object"], len(page["data"]), page["has_more"]) == ("list", 1, True)


@serves("Files / Retrieve file", f"{FILES} / 检索文件", f"{FILES} / 文件对象", "数据模型 / Schemas / FileObject")
async def file(host: Host) -> None:
    """OpenAI API reference, the file object: id, bytes, created_at, filename, purpose, status."""
    host.used.add("mtu://files/{file_id}")
    shown = await host.read("mtu://operations/get_file", "mtu://operations/{name}")
    assert shown["path"] == "files/{file_id}"
    if host.relay:
        await host.lacking("files", "manage_files", action="read", file_id="file-x")
        await host.lacking("files/{file_id}", "call_operation", name="get_file", arguments={"file_id": "file-x"})
        return
    given = await kept(host)
    facts = await host.read(f"mtu://files/{given}", "mtu://files/{file_id}")
    assert facts.items() >= {"id": given, "bytes": 21, "filename": "notes.txt", "purpose": host.purpose}.items()
    assert given in await host.ask("manage_files", action="read", file_id=given)
    whole = await host.operate("get_file", file_id=given)
    assert {"id", "object", "bytes", "created_at", "filename", "purpose", "status"} <= set(whole)


@serves("Files / Delete file", f"{FILES} / 删除文件")
async def delete_file(host: Host) -> None:
    """OpenAI API reference, delete file: it is gone afterwards."""
    if host.relay:
        await host.lacking("files", "manage_files", action="delete", file_id="file-x")
        return
    given = await kept(host)
    assert given in await host.ask("manage_files", action="delete", file_id=given)
    assert given in await host.refused("manage_files", action="delete", file_id=given)


@serves("Files / Retrieve file content", f"{FILES} / 检索文件内容")
async def file_content(host: Host) -> None:
    """OpenAI API reference, retrieve file content: the bytes; user data is not given back, what a batch reads is."""
    if host.relay:
        await host.lacking("files", "manage_files", action="read", file_id="file-x")
        return
    lines = host.put("lines.jsonl", '{"a": 1}\n')
    sent = await host.ask("manage_files", action="upload", file=lines, purpose="fine-tune")
    given = sent.partition("Uploaded: ")[2].partition(" ")[0]
    said = await host.ask("manage_files", action="read", file_id=given)
    if host.dialect == "dashscope":  # Model Studio gives back nothing but a batch's results
        assert "cannot be read back" in said
        return
    assert '{"a": 1}' in said
    assert saved(said)[0].read_text(encoding="utf-8") == '{"a": 1}\n'
