"""Resources of what is kept: conversations, and the files that were made."""

import json
from pathlib import Path
from typing import Any

import pytest
from mcp import MCPError
from mcp.types import ResourceTemplateReference

from capabilities.material import answered, call, picture
from connections import CELLS, MEMORY, Cell, connect

ONE_GATEWAY = True

Environ = dict[str, str]


async def read(client: Any, uri: str) -> Any:
    return json.loads((await client.read_resource(uri)).contents[0].text)


async def test_conversations_are_listed_and_read_as_markdown(environ: Environ) -> None:
    """Our promise: what is kept can be seen."""
    async with connect(MEMORY, environ) as client:
        await answered(client, "chat", prompt="你好 there", conversation="工作/one two", model="qwen-plus")
        [row] = await read(client, "mtu://conversations")
        shown = await client.read_resource("mtu://conversations/%E5%B7%A5%E4%BD%9C%2Fone%20two")
    assert row["name"] == "工作/one two"
    assert row["turns"] == 2
    assert row["model"] == "qwen-plus"
    assert row["starts"] == "你好 there"
    [content] = shown.contents
    assert content.mime_type == "text/markdown"
    assert content.text.startswith("# 工作/one two\n\n## user\n\n你好 there\n\n## assistant (qwen-plus)")


async def test_media_in_a_conversation_is_named_not_shown(environ: Environ, tmp_path: Path) -> None:
    """Our promise: never base64 where text is read."""
    (tmp_path / "fox.png").write_bytes(picture())
    async with connect(MEMORY, {**environ, "MTU_ALLOWED_DIRS": str(tmp_path)}) as client:
        await answered(client, "understand", question="What?", media=["fox.png"], conversation="pics")
        shown = (await client.read_resource("mtu://conversations/pics")).contents[0].text
    assert "[image: fox.png]\nWhat?" in shown


async def test_a_conversation_that_is_not_there_is_an_error(environ: Environ) -> None:
    """MCP specification, resources: an unknown resource is an error."""
    async with connect(MEMORY, environ) as client:
        with pytest.raises(MCPError, match="There is no conversation 'nobody'"):
            await client.read_resource("mtu://conversations/nobody")


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.transport in ("memory", "http")], ids=str)
async def test_a_made_file_is_listed_and_read_back_whole(cell: Cell, environ: Environ) -> None:
    """MCP specification, resources: blobs as base64 with their media type."""
    async with connect(cell, environ) as client:
        result = await call(client, "generate_image", prompt="红狐 & friends 100%")
        [row] = await read(client, "mtu://media")
        content = (await client.read_resource(row["uri"])).contents[0]
        side = (await client.read_resource(row["uri"] + ".json")).contents[0]
    [link] = [block for block in result.content if block.type == "resource_link"]
    assert row["uri"] == link.uri
    assert row["bytes"] == link.size
    assert content.mime_type == "image/png"
    assert json.loads(side.text)["prompt"] == "红狐 & friends 100%"


@pytest.mark.parametrize("name", ["..%2Fmtu.db", "%2Fetc%2Fpasswd", "none.png", ".hidden", "a%00b"])
async def test_what_is_not_a_made_file_is_not_read(environ: Environ, name: str) -> None:
    """Our promise: it touches only what it may."""
    async with connect(MEMORY, environ) as client:
        await answered(client, "chat", prompt="Hello", conversation="so that there is a database")
        with pytest.raises(MCPError):
            await client.read_resource(f"mtu://media/{name}")


async def test_a_file_too_large_for_one_message_is_named_instead(environ: Environ, tmp_path: Path) -> None:
    """Some clients close the connection at 10 MB of one message; our promise: 7 MB, with the path."""
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "big.png").write_bytes(picture() + b"\0" * 7_340_033)
    async with connect(MEMORY, environ) as client:
        with pytest.raises(MCPError, match="too many for a resource"):
            await client.read_resource("mtu://media/big.png")


async def test_names_complete(environ: Environ) -> None:
    """MCP specification, completion of template arguments."""
    conversations = ResourceTemplateReference(type="ref/resource", uri="mtu://conversations/{name}")
    media = ResourceTemplateReference(type="ref/resource", uri="mtu://media/{name}")
    async with connect(MEMORY, environ) as client:
        await answered(client, "chat", prompt="Hello", conversation="工作")
        await answered(client, "chat", prompt="Hello", conversation="home")
        await answered(client, "generate_image", prompt="red fox")
        named = await client.complete(conversations, {"name": "name", "value": "工"})
        files = await client.complete(media, {"name": "name", "value": "FOX"})
    assert named.completion.values == ["工作"]
    assert len(files.completion.values) == 1


async def test_completion_gives_nothing_when_the_database_cannot_be_used(environ: Environ, tmp_path: Path) -> None:
    """Our promise: typing a name never fails, whatever is broken."""
    (tmp_path / "mtu.db").write_bytes(b"this is no database" * 100)
    conversations = ResourceTemplateReference(type="ref/resource", uri="mtu://conversations/{name}")
    async with connect(MEMORY, environ) as client:
        given = await client.complete(conversations, {"name": "name", "value": "a"})
        with pytest.raises(MCPError, match=r"mtu\.db"):
            await client.read_resource("mtu://conversations")
    assert given.completion.values == []
