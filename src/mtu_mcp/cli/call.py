"""`mtu-mcp call`: one tool call from the shell, through a real client and the real server in one process."""

from __future__ import annotations

import argparse
import base64
import difflib
import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtu_mcp.cli._consent import Consent
from mtu_mcp.cli._console import decoded
from mtu_mcp.cli._hosts import naming, shell
from mtu_mcp.cli._language import gettext as _
from mtu_mcp.cli._language import joined, told
from mtu_mcp.cli.serve import environment, settings_from
from mtu_mcp.columns import cut

if TYPE_CHECKING:
    from mcp.types import CallToolResult, Tool

    from mtu_mcp.settings import Settings


def run(arguments: argparse.Namespace) -> int:
    """Call the tool and print its answer; without a tool, list the tools."""
    import anyio

    from mtu_mcp.server.logs import configure

    given: dict[str, list[str]] = {}
    try:
        for name, value in map(_pair, arguments.arguments):
            given.setdefault(name, []).append(value)
    except ValueError as error:
        print(f"mtu-mcp call: {told(str(error))}", file=sys.stderr)
        return 2
    with environment(arguments.sandbox) as environ:
        # A person in a shell looks for a tool by its name; which ones a host lists is another matter.
        settings = settings_from({**environ, "MTU_TOOLSETS": environ.get("MTU_TOOLSETS", "").strip() or "all"})
        configure(settings.log_level, settings.api_key)
        consent = Consent.of_shell(always=arguments.yes)
        tool = arguments.tool and arguments.tool.replace("-", "_")
        found = anyio.run(call_tool, settings, tool, given, consent)
    for question in consent.unasked:
        said = _("Nobody could be asked, for standard input is no terminal. --yes would allow it.")
        print(f"mtu-mcp call: {joined(told(question), said)}", file=sys.stderr)
    if isinstance(found, ValueError):
        print(f"mtu-mcp call: {told(str(found))}", file=sys.stderr)
        return 2
    if isinstance(found, dict):
        return _list(found, arguments.tool)
    code = _show(found, arguments.json)
    return code if arguments.json or settings.read_only else max(code, _kept_here(found))


def _own_folders() -> list[Path]:
    """The working folder and the home folder, where there is one: some containers run as a user without any."""
    folders = [Path.cwd()]
    with suppress(RuntimeError):
        folders.append(Path.home())
    return folders


async def call_tool(
    settings: Settings, tool: str | None, given: Mapping[str, Sequence[str]], consent: Consent
) -> CallToolResult | dict[str, Tool] | ValueError:
    """Return the tool's result; all tools, if it is not one of them; what is wrong with the values.

    Nothing is raised or printed while the client is open, since that would come out of it as a group of exceptions.
    """
    from mcp import Client

    from mtu_mcp.app import open_app
    from mtu_mcp.money.budget import AGAIN
    from mtu_mcp.server.assembly import build_server

    # Whoever types a path in a shell may read it: the working folder and the home folder are this call's roots.
    here = naming(*_own_folders())
    async with (
        open_app(settings) as app,
        Client(
            build_server(app), list_roots_callback=here, elicitation_callback=consent.answer, client_info=shell()
        ) as client,
    ):
        tools = {listed.name: listed for listed in (await client.list_tools()).tools}
        if tool not in tools:
            return tools
        try:
            values = _values(tools[tool], given)
        except ValueError as error:
            return error
        result = await client.call_tool(tool, values, progress_callback=_progress)
        if not any(block.type == "text" and AGAIN in block.text for block in result.content):
            return result
        # What it costs was found out on the way. No other process knows the sum, so it is asked about in this one.
        again = await client.call_tool(tool, values, progress_callback=_progress)
        return result if again.is_error else again


def _values(tool: Tool, given: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    properties = tool.input_schema.get("properties", {})
    return {name: _value(name, words, properties.get(name, {})) for name, words in given.items()}


async def _progress(progress: float, total: float | None, message: str | None) -> None:
    del progress, total
    if sys.stderr.isatty():
        room = shutil.get_terminal_size().columns - 1  # a line that is broken could not be taken back
        print(f"\r\033[K{cut(told(message or ''), room)}", end="", file=sys.stderr, flush=True)


def _show(result: CallToolResult, as_json: bool) -> int:
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    if as_json:
        print(result.model_dump_json(by_alias=True, exclude_none=True, indent=1))
    else:
        for block in result.content:
            if block.type == "text":
                print(told(block.text) if result.is_error else block.text)  # what a model answered is not ours
    return 1 if result.is_error else 0


def _kept_here(result: CallToolResult) -> int:
    """Put what the server could not save into the working folder: a terminal shows no picture, and it is paid for."""
    if any(block.type == "resource_link" for block in result.content):
        return 0
    for block in result.content:
        if block.type != "image" and block.type != "audio":
            continue
        name = f"mtu-mcp-{time.strftime('%Y%m%d-%H%M%S')}-{len(block.data)}.{block.mime_type.partition('/')[2]}"
        try:
            Path(name).write_bytes(base64.b64decode(block.data))
        except (OSError, ValueError) as error:
            print(
                f"mtu-mcp call: {_('it could not be kept here either: {reason}').format(reason=error)}", file=sys.stderr
            )
            return 1
        print(_("What is left of it is in {file}.").format(file=Path(name).absolute()))
    return 0


def _list(tools: Mapping[str, Tool], asked: str | None) -> int:
    if asked:
        near = difflib.get_close_matches(asked.replace("-", "_"), tools, 3)
        said = (
            _("there is no tool {name}. Nearest names: {names}.")
            if near
            else _("there is no tool {name}. The tools are:")
        )
        print(f"mtu-mcp call: {said.format(name=repr(asked), names=', '.join(near))}", file=sys.stderr)
        if near:
            return 2
    for tool in tools.values():
        print(f"{tool.name}: {tool.description}")
        if asked:
            continue
        required = tool.input_schema.get("required", [])
        for name, schema in tool.input_schema.get("properties", {}).items():
            mark = f" {_('(required)')}" if name in required else ""
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
        value = _text(sys.stdin.buffer.read, "standard input")
    elif value.startswith("@"):
        value = _text(Path(value[1:]).read_bytes, repr(value[1:]))
    return name.replace("-", "_"), value


def _text(read: Callable[[], bytes], source: str) -> str:
    try:
        return decoded(read())
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot read {source} as text: {error}") from error


def _value(name: str, words: Sequence[str], schema: Mapping[str, Any]) -> Any:
    """Read shell words as the schema wants them: text stays text, words for a list are its items.

    Raises:
        ValueError: Several words are given for one value.
    """
    kind = schema.get("type")
    if kind == "array" and (len(words) > 1 or not words[0].lstrip().startswith("[")):
        return [_value(name, [word], schema.get("items", {})) for word in words]
    if len(words) > 1:
        raise ValueError(f"{name} is given {len(words)} times, and takes one value")
    if kind == "string":
        return words[0]
    try:
        return json.loads(words[0])
    except json.JSONDecodeError:
        return words[0]


__all__: Sequence[str] = ["run"]
