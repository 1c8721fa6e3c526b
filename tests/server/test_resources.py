"""Resources as a client reads them."""

import base64
import json
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.types import BlobResourceContents, ResourceTemplateReference, TextResourceContents

from connections import HANDSHAKE, MEMORY, MODERN, Cell, connect, every_cell
from mtu_mcp.capabilities import capabilities
from mtu_mcp.server.assembly import LIST_TTL_MS

SPECS = [resource for capability in capabilities() for resource in capability.resources]
FIXED = {spec.uri: spec for spec in SPECS if "{" not in spec.uri}
FAMILIES = {spec.uri: spec for spec in SPECS if "{" in spec.uri}
BOTH_ERAS = pytest.mark.parametrize("cell", [MEMORY, Cell("memory", HANDSHAKE)], ids=str)


async def read_text(client: Client, uri: str) -> tuple[str, str | None]:
    (held,) = (await client.read_resource(uri)).contents
    assert isinstance(held, TextResourceContents)
    return held.text, held.mime_type


async def complete(client: Client, uri: str, name: str, typed: str) -> list[str]:
    reference = ResourceTemplateReference(type="ref/resource", uri=uri)
    return (await client.complete(reference, {"name": name, "value": typed})).completion.values


@every_cell
async def test_resources_and_templates_are_listed(cell: Cell, environ: dict[str, str]) -> None:
    """Our promise: status, models, one model, prices, conversations, one conversation, media, one media file."""
    async with connect(cell, environ) as client:
        resources = (await client.list_resources()).resources
        templates = (await client.list_resource_templates()).resource_templates
    assert [one.uri for one in resources] == list(FIXED)
    assert [one.uri_template for one in templates] == list(FAMILIES)
    for one in (*resources, *templates):
        assert one.title
        assert one.description
        assert one.mime_type
        assert one.name
    assert {"mtu://status", "mtu://models", "mtu://prices", "mtu://conversations", "mtu://media"} <= set(FIXED)
    assert len({one.name for one in (*resources, *templates)}) == len(SPECS)


@BOTH_ERAS
async def test_every_fixed_resource_reads_as_it_is_listed(cell: Cell, environ: dict[str, str]) -> None:
    """MCP resources: mimeType says what the contents are."""
    async with connect(cell, environ) as client:
        for uri, spec in FIXED.items():
            text, mime = await read_text(client, uri)
            assert mime == spec.mime == "application/json", uri
            json.loads(text)


async def test_every_fixed_resource_reads_on_an_empty_machine_without_a_key(environ: dict[str, str]) -> None:
    """Our promise: the status is for when things are wrong."""
    del environ["MTU_API_KEY"]
    async with connect(MEMORY, environ) as client:
        for uri in FIXED:
            text, _ = await read_text(client, uri)
            assert ("MTU_API_KEY" in text) >= (uri == "mtu://status")


NOT_THERE = [
    "mtu://nothing",
    "mtu://models/no-such-model",
    "mtu://conversations/nobody",
    "mtu://media/nothing.png",
    "mtu://media/..%2F..%2Fetc%2Fpasswd",
    "mtu://media/%00",
    "mtu://status/more",
    "file:///etc/passwd",
    "https://example.com/",
]


@BOTH_ERAS
async def test_a_resource_that_is_not_there_is_an_invalid_parameter(cell: Cell, environ: dict[str, str]) -> None:
    """MCP resources, error handling on 2026-07-28: not found is -32602, with the address in the data."""
    async with connect(cell, environ) as client:
        for uri in NOT_THERE:
            with pytest.raises(MCPError) as caught:
                await client.read_resource(uri)
            assert caught.value.error.code == -32602, uri
            assert caught.value.error.data == {"uri": uri}
            assert len(caught.value.error.message) < 400


@BOTH_ERAS
async def test_every_placeholder_of_every_template_completes(cell: Cell, environ: dict[str, str]) -> None:
    """MCP completion: at most 100 values; our promise: every template completes."""
    async with connect(cell, environ) as client:
        await client.call_tool("chat", {"prompt": "hi", "conversation": "trip to 杭州"})
        await client.call_tool("generate_image", {"prompt": "a red kite"})
        for uri, spec in FAMILIES.items():
            for name in spec.complete or {}:
                values = await complete(client, uri, name, "")
                assert len(values) <= 100, (uri, name)
                assert values or uri not in ("mtu://models/{+model}", "mtu://media/{name}"), uri
        assert await complete(client, "mtu://conversations/{name}", "name", "trip") == ["trip to 杭州"]
        assert all("qwen" in one for one in await complete(client, "mtu://models/{+model}", "model", "qwen"))
        assert await complete(client, "mtu://conversations/{name}", "other", "x") == []
        assert await complete(client, "mtu://nothing/{name}", "name", "x") == []


def test_every_template_has_a_completer_for_each_placeholder() -> None:
    """Our promise: templates complete."""
    for uri, spec in FAMILIES.items():
        names = {part.split("}")[0].lstrip("+") for part in uri.split("{")[1:]}
        assert names == set(spec.complete or {}), uri


@BOTH_ERAS
async def test_files_and_conversations_are_read_under_names_of_any_script(cell: Cell, environ: dict[str, str]) -> None:
    """RFC 3986: other characters are percent-encoded; our promise: links of answers can be read back."""
    async with connect(cell, environ) as client:
        await client.call_tool("chat", {"prompt": "hi", "conversation": "a/b ? 旅行"})
        text, mime = await read_text(client, "mtu://conversations/a%2Fb%20%3F%20%E6%97%85%E8%A1%8C")
        assert mime == "text/markdown"
        assert text.startswith("# a/b ? 旅行")
        made = await client.call_tool("generate_image", {"prompt": "红色的风筝"})
        (link,) = [block for block in made.content if block.type == "resource_link"]
        (held,) = (await client.read_resource(link.uri)).contents
    assert isinstance(held, BlobResourceContents)
    assert held.mime_type == link.mime_type == "image/png"
    assert base64.b64decode(held.blob).startswith(b"\x89PNG")


async def test_the_lists_may_be_kept_for_an_hour_and_what_changes_may_not(environ: dict[str, str]) -> None:
    """MCP caching on 2026-07-28: ttlMs; the lists depend on settings read at start, the contents on everything."""
    async with connect(Cell("http", MODERN), environ) as client:
        lists: list[Any] = [
            await client.list_tools(),
            await client.list_resources(),
            await client.list_resource_templates(),
        ]
        status: Any = await client.read_resource("mtu://status")
    assert {one.ttl_ms for one in lists} == {LIST_TTL_MS}
    assert not status.ttl_ms
