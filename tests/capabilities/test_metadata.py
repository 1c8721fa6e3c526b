"""Where a picture was taken stays at home: what reaches the gateway is read byte for byte, whatever the tool."""

import base64
import io
import json
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client
from PIL import Image

from capabilities.material import call
from connections import MODERN, text_of
from mtu_mcp.app import open_app
from mtu_mcp.server.assembly import build_server
from mtu_mcp.settings import Settings

ONE_GATEWAY = True

SECRET = b"SECRETPLACE"
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("chat", {"prompt": "What is it?", "images": ["fox.jpg"]}),
    ("understand", {"question": "What is it?", "media": ["fox.jpg"]}),
    ("understand", {"question": "What is it?", "media": ["fox.jpg"] * 4, "frames": True}),
    ("generate_image", {"prompt": "snow", "images": ["fox.png", "fox.png"], "model": "gpt-image-1"}),
    ("generate_image", {"prompt": "snow", "images": ["fox.png"], "mask": "fox.png", "model": "dall-e-2"}),
    ("generate_image", {"images": ["fox.png"], "size": "256x256"}),
    ("generate_image", {"prompt": "snow", "images": ["fox.jpg"], "model": "gemini-2.5-flash-image"}),
    ("moderate_content", {"images": ["fox.jpg"]}),
    ("manage_files", {"action": "upload", "file": "fox.jpg", "purpose": "vision"}),
    ("ask_document", {"question": "What is it?", "documents": ["fox.jpg"]}),
    ("call_operation", {"name": "create_image_variation", "arguments": {"image": "fox.png", "size": "256x256"}}),
]


def photo(form: str) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[27] = SECRET
    out = io.BytesIO()
    Image.new("RGBA" if form == "PNG" else "RGB", (64, 64)).save(out, form, exif=exif.tobytes())
    assert SECRET in out.getvalue()
    return out.getvalue()


class Overheard(httpx.AsyncBaseTransport):
    """The network, with a copy kept of every body."""

    def __init__(self) -> None:
        self._inner = httpx.AsyncHTTPTransport()
        self.bodies: list[bytes] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(await request.aread())
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()

    def heard(self) -> bytes:
        """All that was sent, base64 undone."""
        said = b"\n".join(self.bodies)
        inline = re.findall(rb"base64,([A-Za-z0-9+/=]+)", said.replace(rb"\/", b"/"))
        return b"\n".join([said, *map(base64.b64decode, inline)])


@asynccontextmanager
async def overheard(environ: dict[str, str], folder: Path) -> AsyncGenerator[tuple[Client, Overheard]]:
    (folder / "fox.jpg").write_bytes(photo("JPEG"))
    (folder / "fox.png").write_bytes(photo("PNG"))
    settings = Settings.read({**environ, "MTU_ALLOWED_DIRS": str(folder), "MTU_TOOLSETS": "all"})
    network = Overheard()
    async with open_app(settings, transport=network) as app, Client(build_server(app), mode=MODERN) as client:
        yield client, network


@pytest.mark.parametrize(("tool", "arguments"), CALLS, ids=lambda one: one if isinstance(one, str) else None)
async def test_the_place_of_a_picture_never_reaches_the_gateway(
    tool: str, arguments: dict[str, Any], environ: dict[str, str], tmp_path: Path
) -> None:
    """Our promise: metadata (EXIF, GPS) is stripped from what is sent unless asked."""
    async with overheard(environ, tmp_path) as (client, network):
        known = {one.name for one in (await client.list_tools()).tools}
        assert tool in known
        result = await call(client, tool, **arguments)
    heard = network.heard()
    assert b"\xff\xd8\xff" in heard or b"\x89PNG" in heard, text_of(result)
    assert SECRET not in heard
    # Which way is up is no secret: orientation 6, as Pillow or we write it.
    assert b"\x01\x12\x00\x03" in heard


async def test_who_asks_for_it_has_pictures_sent_as_they_are(environ: dict[str, str], tmp_path: Path) -> None:
    """Our promise: unless asked; MTU_KEEP_METADATA asks."""
    async with overheard({**environ, "MTU_KEEP_METADATA": "true"}, tmp_path) as (client, network):
        await call(client, "chat", prompt="Where was it?", images=["fox.jpg"])
        inline = "data:image/jpeg;base64," + base64.b64encode((tmp_path / "fox.jpg").read_bytes()).decode()
        await call(client, "understand", question="Where was it?", media=[inline])
    assert network.heard().count(SECRET) >= 2


async def test_a_conversation_that_goes_on_sends_no_place_either(environ: dict[str, str], tmp_path: Path) -> None:
    """Our promise: earlier turns name the file, and it is opened again."""
    async with overheard(environ, tmp_path) as (client, network):
        await call(client, "chat", prompt="What is it?", images=["fox.jpg"], conversation="foxes")
        await call(client, "chat", prompt="And now?", conversation="foxes")
    chats = [json.loads(body) for body in network.bodies if b'"messages"' in body]
    assert len(chats[-1]["messages"]) == 3
    assert network.heard().count(b"\xff\xd8\xff") >= 2
    assert SECRET not in network.heard()
