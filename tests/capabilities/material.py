"""Small files to send, and short ways to call a tool and to ask the gateway's journal what arrived."""

import io
import re
import struct
import wave
from pathlib import Path
from typing import Any

from mcp import Client
from mcp.types import CallToolResult
from PIL import Image

from connections import text_of
from mtu_mcp.sandbox import Sandbox

BROKE = "Something inside mtu-mcp broke"


def picture(width: int = 64, height: int = 64, color: str = "red", mode: str = "RGB", form: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new(mode, (width, height), color).save(out, form)
    return out.getvalue()


def mask(side: int = 64) -> bytes:
    """A picture whose left half may change."""
    image = Image.new("RGBA", (side, side), (0, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, side // 2, side))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def sound(seconds: float = 2.0, says: str = "") -> bytes:
    """A tone; what it says stands in the file's own comment (RIFF LIST/INFO ICMT), where the embedded gateway reads it."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\x00\x20\x00\xe0" * int(seconds * 4000))
    data = out.getvalue()
    if not says:
        return data
    words = f"transcript: {says}".encode() + b"\0"
    words += b"\0" * (len(words) % 2)
    info = b"INFOICMT" + struct.pack("<I", len(words)) + words
    data += b"LIST" + struct.pack("<I", len(info)) + info
    return b"RIFF" + struct.pack("<I", len(data) - 8) + data[8:]


async def answered(client: Client, tool: str, /, **arguments: Any) -> str:
    """The text of a call that has to succeed."""
    result = await call(client, tool, **arguments)
    assert not result.is_error, text_of(result)
    return text_of(result)


async def refused(client: Client, tool: str, /, **arguments: Any) -> str:
    """The text of a call that has to fail with something a person can act on."""
    result = await call(client, tool, **arguments)
    assert result.is_error, text_of(result)
    said = text_of(result)
    assert BROKE not in said
    assert not said.startswith("Error executing tool"), said
    return said


async def call(client: Client, tool: str, /, **arguments: Any) -> CallToolResult:
    result = await client.call_tool(tool, arguments)
    assert isinstance(result, CallToolResult)
    return result


def named(said: str, before: str = "Saved ") -> Path:
    """The path an answer names."""
    return Path(re.split(r" \(\d+x\d+\)$|$", said.partition(before)[2].partition("\n")[0])[0])


def read_named(said: str, before: str = "Saved ") -> bytes:
    """The file an answer names."""
    return named(said, before).read_bytes()


def bodies(gateway: Sandbox, path: str = "/chat/completions") -> list[dict[str, Any]]:
    """What was asked of an endpoint, oldest first; long strings are shortened."""
    return [entry.asked for entry in gateway.journal.find(path)]


def messages(gateway: Sandbox) -> list[dict[str, Any]]:
    """The messages of the last chat."""
    return bodies(gateway)[-1]["messages"]


def spent(gateway: Sandbox) -> int:
    """How many calls reached the gateway, besides asking for its list of models."""
    return sum(entry.method == "POST" for entry in gateway.journal)
