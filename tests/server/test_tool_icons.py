"""Icons of tools: given to hosts that draw them, and no burden to any other."""

import base64
import io
from typing import Any

import pytest
from mcp.client import advertise
from mcp.server.apps import APP_MIME_TYPE, EXTENSION_ID
from mcp.types import Implementation
from PIL import Image

from connections import CELLS, MEMORY, Cell, connect, every_cell
from mtu_mcp.server.tool_icons import draws

ALL = {"MTU_TOOLSETS": "all"}
SHOWING: dict[str, Any] = {"extensions": [advertise(EXTENSION_ID, {"mimeTypes": [APP_MIME_TYPE]})]}


def named(name: str) -> dict[str, Any]:
    return {"client_info": Implementation(name=name, version="1.0")}


async def icons(cell: Cell, environ: dict[str, str], **client: Any) -> dict[str, list[Any]]:
    async with connect(cell, environ, **client) as connected:
        return {tool.name: tool.icons or [] for tool in (await connected.list_tools()).tools}


async def test_each_tool_has_a_picture_of_its_own() -> None:
    """MCP 2025-11-25, Icons: hosts that draw icons must know PNG, and should take none but https and data addresses."""
    found = await icons(MEMORY, ALL, **SHOWING)
    for one in found.values():
        [icon] = one
        head, _, data = icon.src.partition(",")
        assert head == f"data:{icon.mime_type};base64" == "data:image/png;base64"
        with Image.open(io.BytesIO(base64.b64decode(data, validate=True))) as picture:
            picture.load()
            assert picture.format == "PNG"
            assert icon.sizes == [f"{picture.width}x{picture.height}"]
    assert len({one[0].src for one in found.values()}) == len(found) == 19


@every_cell
async def test_a_host_that_shows_pages_is_given_them(cell: Cell) -> None:
    """Our promise: both eras and all transports are production paths."""
    assert all((await icons(cell, {}, **SHOWING)).values())


@every_cell
async def test_a_host_that_is_known_to_draw_them_is_given_them(cell: Cell) -> None:
    """Our promise: what a host can show its user, it has."""
    assert all((await icons(cell, {}, **named("Visual Studio Code"))).values())


@pytest.mark.parametrize("cell", CELLS[:2], ids=str)
async def test_every_host_is_given_them_when_they_are_set(cell: Cell) -> None:
    """Our promise: MTU_TOOL_ICONS."""
    assert all((await icons(cell, {"MTU_TOOL_ICONS": "true"}, **named("a host of one's own"))).values())


@every_cell
async def test_no_other_host_pays_for_them(cell: Cell) -> None:
    """Our promise: the list is small, and some hosts count it whole."""
    assert not any((await icons(cell, {}, **named("claude-code"))).values())


@pytest.mark.parametrize(
    ("client", "drawn"),
    [
        ("Visual Studio Code", True),
        ("Visual Studio Code - Insiders", True),
        ("mcp-inspector", True),
        ("inspector-cli", False),
        ("claude-ai", False),
        ("", False),
    ],
)
def test_hosts_are_known_by_how_their_names_begin(client: str, drawn: bool) -> None:
    """Names that these hosts give themselves."""
    assert draws(client) is drawn
