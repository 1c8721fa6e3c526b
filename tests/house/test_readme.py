"""The README's tables are made from the code, and the commands a newcomer copies are the ones that are tested.

`MTU_UPDATE=1 python -m pytest tests/house/test_readme.py` writes the tables anew.
"""

import inspect
import json
import os
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connections import MEMORY, connect, roots, text_of
from mtu_mcp.capabilities import capabilities
from mtu_mcp.cli import call, demo
from mtu_mcp.settings import Settings, variable

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
EXAMPLE = ROOT / "claude_desktop_config.example.json"


def first_sentence(text: str | None) -> str:
    """The first sentence of a docstring, on one line."""
    return re.split(r"(?<=[.!?])\s", " ".join((text or "").split()), maxsplit=1)[0]


def tools() -> str:
    rows = [
        f"| `{tool.name}` | {tool.toolset} | {first_sentence(tool.fn.__doc__)} |"
        for capability in capabilities()
        for tool in capability.tools
    ]
    return "\n".join(["| tool | toolset | what it does |", "|---|---|---|", *rows])


def resources() -> str:
    rows = [
        f"| `{resource.uri.replace('{+', '{')}` | {first_sentence(resource.fn.__doc__)} |"
        for capability in capabilities()
        for resource in capability.resources
    ]
    return "\n".join(["| address | what it holds |", "|---|---|", *rows])


def prompts() -> str:
    specs = {prompt.name: prompt for capability in capabilities() for prompt in capability.prompts}
    rows = [f"| `{name}` | {first_sentence(one.fn.__doc__)} | {arguments(one.fn)} |" for name, one in specs.items()]
    return "\n".join(["| prompt | what it does | arguments |", "|---|---|---|", *rows])


def arguments(fn: Callable[..., str]) -> str:
    """The arguments of a prompt; those in brackets may be left out."""
    given = inspect.signature(fn).parameters.values()
    return ", ".join(f"`{one.name}`" if one.default is one.empty else f"[`{one.name}`]" for one in given)


def settings() -> str:
    rows: list[str] = []
    for name, field in Settings.model_fields.items():
        if name == "problems":
            continue
        default = field.default if field.default_factory is None else None
        shown = f"`{shown_default(default)}`" if default not in (None, "", ()) else ""
        rows.append(f"| `{variable(name)}` | {shown} | {field.description} |")
    return "\n".join(["| variable | default | what it does |", "|---|---|---|", *rows])


def shown_default(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def config() -> str:
    return f"```json\n{EXAMPLE.read_text(encoding='utf-8').strip()}\n```"


TABLES: dict[str, Callable[[], str]] = {
    "tools": tools,
    "resources": resources,
    "prompts": prompts,
    "settings": settings,
    "config": config,
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_the_readme_says_what_the_code_says(name: str) -> None:
    """Our promise: documentation is generated and checked, so it cannot go stale."""
    page = README.read_text(encoding="utf-8")
    start, end = f"<!-- {name}:start -->\n", f"<!-- {name}:end -->"
    before, _, rest = page.partition(start)
    stands, _, after = rest.partition(end)
    made = TABLES[name]() + "\n"
    if os.environ.get("MTU_UPDATE"):
        README.write_text(before + start + made + end + after, encoding="utf-8")
        return
    assert stands == made


def test_the_example_configuration_is_what_claude_desktop_reads() -> None:
    """Claude Desktop: `mcpServers` by name, each with command, args and env of strings; only paths are to be changed."""
    [(name, server)] = json.loads(EXAMPLE.read_text(encoding="utf-8"))["mcpServers"].items()
    assert name == "mtu"
    assert server["args"] == ["serve"]
    assert Path(server["command"]).is_absolute()
    assert not Settings.read(server["env"]).problems


@pytest.mark.parametrize("name", ["demo", "tests"])
def test_the_readme_has_one_command_to(name: str) -> None:
    """Our promise: two commands do all the set-up on a fresh machine, each in a virtual environment of its own."""
    found = re.search(rf"<!-- {name} -->\n```sh\n(.+)\n```\n", README.read_text(encoding="utf-8"))
    assert found is not None
    command = found[1]
    assert command.startswith("python3 -m venv ")
    assert "\n" not in command


def test_every_link_inside_the_readme_leads_somewhere() -> None:
    """A link to a file or a heading that is not there sends a reader nowhere."""
    page = README.read_text(encoding="utf-8")
    headings = {re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in page.splitlines()}
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", page):
        assert target.lstrip("#") in headings or (ROOT / target).exists(), target


def examples() -> list[tuple[str, list[str]]]:
    """The calls that stand in the README, each as a tool and its words."""
    lines = README.read_text(encoding="utf-8").splitlines()
    said = [shlex.split(line) for line in lines if line.startswith("mtu-mcp call --sandbox ")]
    return [(words[3], words[4:]) for words in said]


async def test_every_call_in_the_readme_works(environ: dict[str, str], tmp_path: Path) -> None:
    """Our promise: one worked example for each capability, on the files that the demo leaves; none is a dead end."""
    (folder := tmp_path / demo.FOLDER).mkdir()
    demo.bring_files(folder)
    for name in ("README.md", "CHANGELOG.md"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    async with connect(MEMORY, {"MTU_TOOLSETS": "all", **environ}, list_roots_callback=roots(tmp_path)) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        for tool, words in examples():
            given: dict[str, list[str]] = {}
            for name, value in map(call._pair, words):
                given.setdefault(name, []).append(value)
            result = await client.call_tool(tool, call._values(tools[tool], given))
            assert not result.is_error, (tool, text_of(result))
        called = {tool for tool, _ in examples()} | {"get_job"}  # which needs the name of a job
        assert called == set(tools)
