"""Qwen-Omni: pictures, one sound, one video or its frames, by path, URL and data URI, over several rounds."""

import base64
from typing import Any

from capabilities.material import messages, picture, sound
from mtu_mcp.sandbox.samples import VIDEO
from server.rows.host import Host, serves

OMNI = "通义千问 项目 / 视觉理解 / 全模态(Qwen-Omni )"
TURBO = "qwen-omni-turbo"


def parts(host: Host, place: int = 0) -> list[dict[str, Any]]:
    """The parts of a message of the last chat."""
    return messages(host.gateway)[place]["content"]


@serves("概述", under=OMNI)
async def overview(host: Host) -> None:
    """Model Studio, Qwen-Omni: stream only, modalities text; one modality besides text; billed by kind of token."""
    red = host.put("red.png", picture(1024, 1024))
    said = await host.ask("understand", question="Which colour?", media=[red], model=TURBO)
    assert "red" in said
    assert host.sent().items() >= {"stream": True, "modalities": ["text"]}.items()
    assert "about CNY " in said
    tone = host.put("tone.wav", sound())
    both = await host.refused("understand", question="What?", media=[red, tone], model=TURBO)
    assert "not audio and image together" in both


@serves("开始使用", under=OMNI)
async def start(host: Host) -> None:
    """Model Studio, Qwen-Omni: text alone; usage comes with the last chunk."""
    said = await host.ask("understand", question="Say: hello", model=TURBO)
    assert said.startswith("hello")
    assert f"[{TURBO} · " in said
    assert host.sent() == {
        "model": TURBO,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Say: hello"}]}],
        "modalities": ["text"],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@serves("图片+文本输入", under=OMNI)
async def images(host: Host) -> None:
    """Model Studio, Qwen-Omni: image_url with a URL or a data URI; several pictures of one message."""
    red, blue = picture(color="red"), picture(color="blue")
    address = host.gateway.desk.shelve(picture(color="green"), "image/png", "png")
    inline = f"data:image/png;base64,{base64.b64encode(blue).decode()}"
    said = await host.ask(
        "understand", question="Which colours?", media=[host.put("red.png", red), address, inline], model=TURBO
    )
    assert said.index("red") < said.index("green") < said.index("blue")
    assert [part["type"] for part in parts(host)] == ["image_url", "image_url", "image_url", "text"]
    urls = [part["image_url"]["url"] for part in parts(host)[:3]]
    assert urls[1] == address
    assert all(url.startswith("data:image/png;base64,") for url in (urls[0], urls[2]))


@serves("音频+文本输入", under=OMNI)
async def audio(host: Host) -> None:
    """Model Studio, Qwen-Omni: input_audio with a URL, or data:;base64, and the format."""
    said = await host.ask(
        "understand", question="What is said?", media=[host.put("voice.wav", sound(2.0, "Ship it"))], model=TURBO
    )
    assert "Ship it" in said
    heard, asked = parts(host)
    assert heard["type"] == "input_audio"
    assert heard["input_audio"]["format"] == "wav"
    assert heard["input_audio"]["data"].startswith("data:;base64,")
    assert asked["type"] == "text"
    address = host.gateway.desk.shelve(sound(2.0, "By address"), "audio/wav", "wav")
    assert "By address" in await host.ask("understand", question="What is said?", media=[address], model=TURBO)
    assert parts(host)[0]["input_audio"] == {"data": address, "format": "wav"}


@serves("视频+文本输入", under=OMNI)
async def video(host: Host) -> None:
    """Model Studio, Qwen-Omni: video_url for a file with its sound, `video` for a list of frames."""
    film = host.put("film.mp4", VIDEO.read_bytes())
    assert "3.0" in await host.ask("understand", question="What happens?", media=[film], model=TURBO)
    assert parts(host)[0]["video_url"]["url"].startswith("data:;base64,")
    frames = [host.put(f"frame{place}.png", picture(color=colour)) for place, colour in enumerate(("red", "blue") * 2)]
    said = await host.ask("understand", question="What moves?", media=frames, frames=True, model=TURBO)
    assert "4 frames" in said
    shown = parts(host)[0]
    assert set(shown) == {"type", "video"}
    assert len(shown["video"]) == 4
    few = await host.refused("understand", question="What moves?", media=frames[:3], frames=True, model=TURBO)
    assert "4 to 80 frames; there are 3" in few


@serves("多轮对话", under=OMNI)
async def rounds(host: Host) -> None:
    """Model Studio, Qwen-Omni, several rounds: answers go back as text, media of earlier rounds are sent again."""
    given = {"conversation": f"omni {host.dialect}", "model": TURBO}
    red, tone = host.put("red.png", picture()), host.put("tone.wav", sound())
    await host.ask("understand", question="Which colour?", media=[red], **given)
    await host.ask("understand", question="And what is heard?", media=[tone], **given)
    await host.ask("understand", question="What did I ask first?", **given)
    turns = messages(host.gateway)
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user", "assistant", "user"]
    assert [part["type"] for part in turns[0]["content"]] == ["image_url", "text"]
    assert [part["type"] for part in turns[2]["content"]] == ["input_audio", "text"]
    assert isinstance(turns[1]["content"], str)
