"""Pages as hosts find them: by tools' metadata, as resources, and with what a result says beside its text."""

from typing import Any

import pytest
from mcp.client import advertise
from mcp.server.apps import APP_MIME_TYPE, EXTENSION_ID
from mcp.types import TextResourceContents

from connections import HANDSHAKE, MEMORY, Cell, connect
from mtu_mcp.server.pages import PAGES, page
from mtu_mcp.server.views import SHOWN_BY
from pages.samples import VIEW

ALL = {"MTU_TOOLSETS": "all"}
SHOWING: dict[str, Any] = {"extensions": [advertise(EXTENSION_ID, {"mimeTypes": [APP_MIME_TYPE]})]}
cells = pytest.mark.parametrize(
    "cell", [MEMORY, Cell("memory", HANDSHAKE), Cell("stdio", HANDSHAKE), Cell("http", HANDSHAKE)], ids=str
)


@cells
async def test_a_host_that_shows_pages_is_told_of_them(environ: dict[str, str], cell: Cell) -> None:
    """MCP Apps, Resource Discovery: `_meta.ui.resourceUri` names a resource of that very media type."""
    async with connect(cell, {**environ, **ALL}, **SHOWING) as client:
        tools = {tool.name: (tool.meta or {}).get("ui") for tool in (await client.list_tools()).tools}
        listed = {str(one.uri): one for one in (await client.list_resources()).resources}
        assert {name for name, ui in tools.items() if ui} == set(SHOWN_BY)
        for name, shown_by in SHOWN_BY.items():
            uri = tools[name]["resourceUri"]
            assert listed[uri].mime_type == APP_MIME_TYPE
            found = (await client.read_resource(uri)).contents[0]
            assert isinstance(found, TextResourceContents)
            assert (found.text, found.mime_type) == (page(shown_by), APP_MIME_TYPE)
            assert found.meta
            assert found.meta["ui"]["csp"] == {
                "connectDomains": [],
                "resourceDomains": ["data:"],
                "frameDomains": [],
                "baseUriDomains": [],
            }


@cells
async def test_any_other_host_is_told_nothing(environ: dict[str, str], cell: Cell) -> None:
    """Our promise: what a host cannot use costs it nothing."""
    async with connect(cell, {**environ, **ALL}) as client:
        assert all("ui" not in (tool.meta or {}) for tool in (await client.list_tools()).tools)
        assert not [one for one in (await client.list_resources()).resources if str(one.uri).startswith("ui://")]
        made = await client.call_tool("generate_image", {"prompt": "a cat"})
        assert VIEW not in (made.meta or {})


async def test_a_result_tells_the_page_more_and_the_model_the_same(environ: dict[str, str]) -> None:
    """MCP Apps, Data Passing: `_meta` is for the page; the text is for the model and for hosts without pages."""
    async with connect(MEMORY, environ) as client:
        plain = await client.call_tool("generate_image", {"prompt": "a cat", "n": 2})
    async with connect(MEMORY, environ, **SHOWING) as client:
        rich = await client.call_tool("generate_image", {"prompt": "a cat", "n": 2})
        assert [one.type for one in rich.content] == [one.type for one in plain.content]
        assert rich.meta
        files = rich.meta[VIEW]["files"]
        assert [one["prompt"] for one in files] == ["a cat", "a cat"]
        assert all(one["model"] for one in files)
        assert (await client.read_resource(files[0]["uri"])).contents[0].mime_type == "image/png"


async def test_a_transcript_comes_with_its_times(environ: dict[str, str]) -> None:
    """Our promise: the player follows what is heard."""
    async with connect(MEMORY, {**environ, **ALL}, **SHOWING) as client:
        spoken = await client.call_tool("speak", {"text": "Good morning. Here is the news.", "format": "wav"})
        assert spoken.meta
        [file] = spoken.meta[VIEW]["files"]
        assert file["text"] == "Good morning. Here is the news."
        heard = await client.call_tool("transcribe", {"file": file["uri"], "output": "segments"})
        assert heard.meta
        told = heard.meta[VIEW]
        assert told["segments"]
        assert told["source"]["uri"] == file["uri"]


def test_the_pages_are_those_of_the_issue() -> None:
    """Our promise: pictures, sound, comparisons, searches, usage."""
    assert set(PAGES) == {"gallery", "player", "comparison", "search", "usage"}
