"""`mtu-mcp call`: one tool call from the shell, through a real client and the real server in one process."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtu_mcp.cli._hosts import naming
from mtu_mcp.cli.serve import environment, settings_from

if TYPE_CHECKING:
    from mcp import Client
    from mcp.types import CallToolResult, Tool

    from mtu_mcp.settings import Settings


def run(arguments: argparse.Namespace) -> int:
    """Call the tool and print its answer; without a tool, list the tools."""
    import anyio

    try:
        given = dict(map(_pair, arguments.arguments))
    except ValueError as error:
        print(f"mtu-mcp call: {error}", file=sys.stderr)
        return 2
    with environment(arguments.sandbox) as environ:
        return anyio.run(_call, settings_from(environ), arguments.tool, given, arguments.json)


async def _call(settings: Settings, tool: str | None, given: Mapping[str, str], as_json: bool) -> int:
    from mcp import Client

    from mtu_mcp.app import open_app
    from mtu_mcp.server.assembly import build_server

    # Whoever types a path in a shell may read it: the working folder and the home folder are this call's roots.
    here = naming(Path.cwd(), Path.home())
    async with open_app(settings) as app, Client(build_server(app), list_roots_callback=here) as client:
        tools = {listed.name: listed for listed in (await client.list_tools()).tools}
        if tool not in tools:
            return _list(tools, tool)
        result = await _ask(client, tools[tool], given)
    return _show(result, as_json)


async def _ask(client: Client, tool: Tool, given: Mapping[str, str]) -> CallToolResult:
    properties = tool.input_schema.get("properties", {})
    arguments = {name: _value(text, properties.get(name, {})) for name, text in given.items()}
    return await client.call_tool(tool.name, arguments, progress_callback=_progress)


async def _progress(progress: float, total: float | None, message: str | None) -> None:
    del progress, total
    if sys.stderr.isatty():
        print(f"\r\033[K{(message or '')[:100]}", end="", file=sys.stderr, flush=True)


def _show(result: CallToolResult, as_json: bool) -> int:
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    if as_json:
        print(result.model_dump_json(by_alias=True, exclude_none=True, indent=1))
    else:
        for block in result.content:
            if block.type == "text":
                print(block.text)
    return 1 if result.is_error else 0


def _list(tools: Mapping[str, Tool], asked: str | None) -> int:
    if asked:
        print(f"mtu-mcp call: there is no tool {asked!r}. The tools are:", file=sys.stderr)
    for tool in tools.values():
        print(f"{tool.name}: {tool.description}")
        required = tool.input_schema.get("required", [])
        for name, schema in tool.input_schema.get("properties", {}).items():
            mark = " (required)" if name in required else ""
            print(f"    {name}{mark}  {_kind(schema)}  {schema.get('description', '')}".rstrip())
    return 2 if asked else 0


def _kind(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return "|".join(map(str, schema["enum"]))
    return str(schema.get("type", "value"))


def _pair(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark or not name:
        raise ValueError(f"arguments are written key=value, not {text!r}")
    if value == "-":
        value = sys.stdin.read()
    elif value.startswith("@"):
        value = _from_file(value[1:])
    return name.replace("-", "_"), value


def _from_file(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot read {path!r} as text: {error}") from error


def _value(text: str, schema: Mapping[str, Any]) -> Any:
    """Read a shell word as the schema wants it: text stays text, a single word for a list becomes a list of one."""
    kind = schema.get("type")
    if kind == "string":
        return text
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = text
    return [value] if kind == "array" and not text.lstrip().startswith("[") else value


__all__: Sequence[str] = ["run"]
