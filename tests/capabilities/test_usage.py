"""The tool, the resources and their completion: one report in three places."""

import json
from datetime import datetime
from typing import Any

import pytest
from mcp.types import ResourceTemplateReference

from capabilities.material import answered, call, refused
from connections import CELLS, MEMORY, Cell, connect, text_of
from mtu_mcp.sandbox import Sandbox
from processes import run

ONE_GATEWAY = True

Environ = dict[str, str]


@pytest.fixture
def environ(environ: Environ) -> Environ:
    return {**environ, "MTU_TOOLSETS": "core,usage"}


async def read(client: Any, uri: str) -> dict[str, Any]:
    [content] = (await client.read_resource(uri)).contents
    return json.loads(content.text)


async def test_tool_resource_and_command_agree(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: they come from one function."""
    environ = {**environ, "MTU_BUDGET_DAY": "50", "MTU_CONFIRM_ABOVE": "40", "MTU_BUDGET_CALL": "45"}
    month = f"{datetime.now():%Y-%m}"
    async with connect(MEMORY, environ) as client:
        await answered(client, "chat", prompt="What is 6 * 7?", model="qwen-math-plus")
        await answered(client, "chat", prompt="Hello", model="qwen-plus")
        await answered(client, "web_search", query="tea", engine="baidu", results_only=True)
        result = await call(client, "usage_report")
        by_tool = dict(result.structured_content or {})
        by_resource = await read(client, "mtu://usage")
        by_month = await read(client, f"mtu://usage/{month}")
    told = {key: value for key, value in by_tool.items() if key not in ("notes", "receipts")}
    command = run(environ, "usage", "--json")
    assert command.returncode == 0, command.stderr
    assert told == by_resource == by_month == json.loads(command.stdout)
    assert text_of(result).strip() == run(environ, "usage").stdout.strip()
    assert told["total"]["calls"] == 3
    assert {one["name"]: one["calls"] for one in told["tools"]} == {"chat": 2, "web_search": 1}
    assert told["limits"][0]["remaining"] == pytest.approx(50 - told["total"]["cny"])


async def test_the_text_says_everything_the_data_says(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: some hosts show the model only one of the two."""
    environ = {**environ, "MTU_BUDGET_MONTH": "50"}
    gateway.arm("500", "/chat/completions")
    async with connect(MEMORY, environ) as client:
        await refused(client, "chat", prompt="Hello", model="acme/tiny:free", max_tokens=100)
        await answered(client, "chat", prompt="Hello", model="acme/tiny:free", max_tokens=100)
        result = await call(client, "usage_report")
    said, data = text_of(result), result.structured_content or {}
    assert f"CNY {data['total']['cny']:.4f}" in said
    assert "2 calls" in said
    assert f"{data['limits'][0]['remaining']:.4f} remain (MTU_BUDGET_MONTH)" in said
    assert f"CNY {data['assumed']:.4f} of it rest on assumed prices" in said
    assert "not all calls ended well: 1 failed" in said
    for group in ("days", "models", "tools"):
        assert all(one["name"] in said for one in data[group])


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.transport in ("memory", "stdio")], ids=str)
async def test_the_months_complete(cell: Cell, environ: Environ) -> None:
    """MCP specification, completion: a template's arguments."""
    month = f"{datetime.now():%Y-%m}"
    async with connect(cell, environ) as client:
        reference = ResourceTemplateReference(type="ref/resource", uri="mtu://usage/{month}")
        found = await client.complete(reference, {"name": "month", "value": month[:3]})
        nothing = await client.complete(reference, {"name": "month", "value": "19"})
    assert found.completion.values == [month]
    assert nothing.completion.values == []


async def test_a_month_that_is_none_is_refused_in_words(environ: Environ) -> None:
    """Our promise: the form that is wanted."""
    async with connect(MEMORY, environ) as client:
        assert "Write it as" in await refused(client, "usage_report", month="last month")
        with pytest.raises(Exception, match="Write it as"):
            await client.read_resource("mtu://usage/2026-99")


async def test_an_empty_month_is_an_empty_report(environ: Environ) -> None:
    """Our promise: no calls is an answer."""
    async with connect(MEMORY, environ) as client:
        assert "CNY 0.0000, 0 calls" in await answered(client, "usage_report", month="1999-01")
