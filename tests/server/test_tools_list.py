"""The list of tools: product text, and in every conversation of every user.

`MTU_UPDATE=1 python -m pytest tests/server/test_tools_list.py` writes the snapshots anew; read the difference before
committing it, since hosts and their users see it.
"""

import base64
import io
import json
import os
import re
import wave
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from connections import CELLS, HANDSHAKE, MEMORY, Cell, connect, every_cell, text_of
from mtu_mcp.capabilities import INSTRUCTIONS, capabilities
from mtu_mcp.capabilities._spec import ToolSpec

SNAPSHOTS = Path(__file__).with_name("snapshots")
TOOLS: list[ToolSpec] = [tool for capability in capabilities() for tool in capability.tools]
NAMES = [tool.name for tool in TOOLS]
CORE = [tool.name for tool in TOOLS if tool.toolset == "core"]
MOST_TOKENS = 1800
ALL = {"MTU_TOOLSETS": "all"}


def silence() -> str:
    """A tenth of a second of nothing, as a data URI."""
    held = io.BytesIO()
    with wave.open(held, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(1600))
    return f"data:audio/wav;base64,{base64.b64encode(held.getvalue()).decode('ascii')}"


SOUND = silence()
FEWEST: dict[str, dict[str, Any]] = {
    "chat": {"prompt": "hi"},
    "understand": {"question": "What is it?", "media": [SOUND]},
    "generate_image": {"prompt": "a cat"},
    "transcribe": {"file": SOUND},
    "web_search": {"query": "news"},
    "list_models": {},
    "get_job": {},
}
"""The least a call of each core tool needs."""


async def listed(environ: Mapping[str, str], cell: Cell = MEMORY) -> list[dict[str, Any]]:
    async with connect(cell, environ) as client:
        return [
            tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in (await client.list_tools()).tools
        ]


def inside(value: Any) -> Iterator[dict[str, Any]]:
    """Every object inside a JSON value, itself included."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from inside(item)
    elif isinstance(value, list):
        for item in value:
            yield from inside(item)


def schemas(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every schema inside a schema; the names of properties are no keywords."""
    yield value
    for named in ("properties", "$defs"):
        for one in value.get(named, {}).values():
            yield from schemas(one)
    for held in ("items", "additionalProperties"):
        if isinstance(value.get(held), dict):
            yield from schemas(value[held])
    for several in ("anyOf", "oneOf", "allOf"):
        for one in value.get(several, []):
            yield from schemas(one)


@pytest.mark.parametrize("name", NAMES)
async def test_a_tool_is_listed_as_its_snapshot_says(name: str) -> None:
    """Our promise: what a host shows changes only on purpose."""
    tool = next(one for one in await listed(ALL) if one["name"] == name)
    text = json.dumps(tool, ensure_ascii=False, indent=2) + "\n"
    file = SNAPSHOTS / f"{name}.json"
    if os.environ.get("MTU_UPDATE"):
        SNAPSHOTS.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert json.loads(file.read_text(encoding="utf-8")) == tool, "MTU_UPDATE=1 writes the snapshots anew"


def test_there_is_a_snapshot_for_each_tool_and_no_other() -> None:
    """Our promise: a tool that was removed leaves nothing behind."""
    assert {file.stem for file in SNAPSHOTS.glob("*.json")} == set(NAMES)


async def test_the_list_is_small() -> None:
    """Our promise: 1,800 tokens at four characters each, however a host writes its JSON; every conversation reads it."""
    assert len(json.dumps({"tools": await listed({})})) / 4 <= MOST_TOKENS


@every_cell
async def test_every_transport_and_era_lists_the_same(cell: Cell) -> None:
    """Our promise: both eras and all transports are production paths."""
    assert await listed({}, cell) == await listed({})


async def test_the_order_is_that_of_the_index() -> None:
    """MCP tools: the list should come in a deterministic order, so that prompt caches hold."""
    assert [tool["name"] for tool in await listed({})] == CORE
    assert [tool["name"] for tool in await listed(ALL)] == NAMES


async def test_names_fit_every_host() -> None:
    """Anthropic Messages API: tool names match this pattern; MCP itself allows more."""
    for tool in await listed(ALL):
        assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", tool["name"])
        assert re.fullmatch(r"[a-z][a-z0-9_]*", tool["name"])


async def test_every_tool_has_a_title_and_annotations() -> None:
    """MCP tools: hosts show titles and decide by annotations when to ask the user; absent ones mean the worst."""
    for tool in await listed(ALL):
        assert tool["title"]
        notes = tool["annotations"]
        assert {"readOnlyHint", "openWorldHint"} <= set(notes)
        assert notes["readOnlyHint"] or "destructiveHint" in notes
        assert 20 <= len(tool["description"]) <= 1000


async def test_schemas_are_what_strict_clients_accept() -> None:
    """Anthropic and Gemini function declarations: no union at the root, none inside array items, no dialect keyword."""
    for tool in await listed(ALL):
        schema = tool["inputSchema"]
        assert schema["type"] == "object"
        assert schema["additionalProperties"] is False
        assert not {"anyOf", "oneOf", "allOf", "$schema"} & set(schema)
        assert schema.get("required") != []
        for one in schemas(schema):
            assert "title" not in one
            assert one.get("default", ...) is not None
            assert {"type": "null"} not in one.get("anyOf", [])
            assert not isinstance(one.get("type"), list)
            if one.get("type") == "array":
                assert one["items"]
                assert not any({"anyOf", "oneOf", "allOf"} & set(part) for part in schemas(one["items"]))


async def test_every_parameter_says_what_it_is() -> None:
    """Our promise: objects are described; the name of a value or of a list may speak for itself."""
    for tool in await listed(ALL):
        for name, schema in tool["inputSchema"].get("properties", {}).items():
            plain = schema.get("type") in ("string", "integer", "number", "boolean", "array")
            assert schema.get("description") or "enum" in schema or plain, f"{tool['name']}: {name}"


async def test_nothing_of_the_hosts_side_is_a_parameter() -> None:
    """Our promise: what resolvers fill in (roots, the host's model) is not asked of the model."""
    for tool in await listed(ALL):
        text = json.dumps(tool["inputSchema"])
        assert not re.search(r"\b(ctx|context|roots|sampled|resolve)\b", text, re.IGNORECASE), tool["name"]


@pytest.mark.parametrize("cell", [Cell("http", "auto"), Cell("memory", HANDSHAKE)], ids=str)
async def test_the_instructions_are_short_and_name_every_core_tool(cell: Cell) -> None:
    """Hosts cut instructions at 4,096 characters, and some show the model nothing else until it searches for tools."""
    async with connect(cell, {}) as client:
        instructions = client.instructions
    assert instructions == INSTRUCTIONS
    assert len(INSTRUCTIONS) < 2000
    assert all(name in INSTRUCTIONS for name in CORE)


@pytest.mark.parametrize("setting", ["true", "1", "yes"])
async def test_a_read_only_server_lists_no_tool_that_writes(setting: str) -> None:
    """Our promise, MTU_READ_ONLY."""
    names = [tool["name"] for tool in await listed({**ALL, "MTU_READ_ONLY": setting})]
    assert names == [tool.name for tool in TOOLS if not tool.writes]
    assert "generate_image" not in names


@pytest.mark.parametrize("toolset", sorted({tool.toolset for tool in TOOLS}))
async def test_a_toolset_lists_its_tools_alone(toolset: str) -> None:
    """Our promise, MTU_TOOLSETS."""
    names = [tool["name"] for tool in await listed({"MTU_TOOLSETS": toolset})]
    assert names == [tool.name for tool in TOOLS if tool.toolset == toolset]


async def test_a_tool_that_is_not_listed_cannot_be_called() -> None:
    """Our promise: hiding a tool is refusing it."""
    async with connect(MEMORY, {"MTU_READ_ONLY": "1"}) as client:
        result = await client.call_tool("generate_image", {"prompt": "a cat"})
    assert result.is_error
    assert "There is no tool 'generate_image'" in text_of(result)


WRONG = {
    "MTU_TIMEOUT": "soon",
    "MTU_MAX_RETRIES": "-1",
    "MTU_OUTPUT_DIR": "relative/folder",
    "MTU_BASE_URL": "not an address",
    "MTU_TOOLSETS": "nonsense",
    "MTU_READ_ONLY": "perhaps",
    "MTU_LOG_LEVEL": "LOUD",
    "MTU_DATABASE_URL": "mysql://somewhere",
    "MTU_ALLOWED_DIRS": "relative",
}


@pytest.mark.parametrize("name", sorted(WRONG))
async def test_a_setting_that_is_wrong_still_lists_the_tools(environ: dict[str, str], name: str) -> None:
    """Our promise: a server that does not start tells nobody why; each call names the variable to correct."""
    async with connect(MEMORY, {**environ, name: WRONG[name]}) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == CORE
        result = await client.call_tool("chat", {"prompt": "hi"})
    assert result.is_error
    assert name in text_of(result)
    assert environ["MTU_API_KEY"] not in text_of(result)


@pytest.mark.parametrize(
    ("tool", "key"),
    [
        *((tool, None) for tool in FEWEST if tool != "get_job"),  # which asks the database, not the gateway
        *(("chat", key) for key in ("", "  ", "${MTU_API_KEY}", "${user_config.key}")),
    ],
)
async def test_without_a_key_each_call_says_what_to_set(environ: dict[str, str], tool: str, key: str | None) -> None:
    """Our promise; Claude Desktop passes an unfilled placeholder on as it is written."""
    without = {name: value for name, value in environ.items() if name != "MTU_API_KEY"}
    async with connect(MEMORY, without if key is None else {**without, "MTU_API_KEY": key}) as client:
        result = await client.call_tool(tool, FEWEST[tool])
    assert "MTU_API_KEY" in text_of(result)
    assert result.is_error or tool == "list_models"


def test_the_least_arguments_are_known_for_every_core_tool() -> None:
    """This file's own table is complete."""
    assert sorted(FEWEST) == sorted(CORE)


@pytest.mark.parametrize("cell", [Cell("http", "auto"), *(cell for cell in CELLS if cell.era == HANDSHAKE)], ids=str)
async def test_every_era_is_told_that_changes_of_the_lists_are_announced(cell: Cell) -> None:
    """MCP lifecycle, capabilities: a host of the handshake era that reads `listChanged: false` never looks again."""
    async with connect(cell, {}) as client:
        offered = client.server_capabilities
    assert offered.tools is not None
    assert offered.tools.list_changed
    assert offered.resources is not None
    assert offered.resources.list_changed
    assert offered.completions is not None
