"""The plugin's launcher: it finds what the server needs, or says through the protocol what is missing.

Plugin reference: a server of a plugin is one command, the plugin's data folder outlives updates, and a field of the form
that was left empty arrives as an empty string.
"""

import ast
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

LAUNCHER = Path(__file__).parents[2] / "packaging" / "claude-code" / "launch.py"
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}


@pytest.fixture(scope="module")
def launcher() -> ModuleType:
    spec = importlib.util.spec_from_file_location("launch", LAUNCHER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_is_read_by_pythons_that_are_too_old_for_the_server() -> None:
    """macOS ships Python 3.9; it must say what is missing instead of a syntax error."""
    tree = ast.parse(LAUNCHER.read_text(encoding="utf-8"), feature_version=(3, 8))
    outside = {name.name.split(".")[0] for node in tree.body if isinstance(node, ast.Import) for name in node.names}
    assert outside <= sys.stdlib_module_names


def test_a_field_left_empty_hides_no_variable(launcher: ModuleType) -> None:
    """Our promise: the form goes before the environment only where something was typed."""
    made = launcher.environment(
        {
            "MTU_API_KEY": "from the shell",
            "MTU_TOOLSETS": "all",
            "MTU_OPTION_API_KEY": "",
            "MTU_OPTION_TOOLSETS": "core",
            "MTU_OPTION_BASE_URL": "${user_config.base_url}",
            "PYTHONPATH": "/somewhere",
        }
    )
    assert {name: value for name, value in made.items() if name.startswith("MTU_")} == {
        "MTU_API_KEY": "from the shell",
        "MTU_TOOLSETS": "core",
    }
    assert Path(made["PYTHONPATH"]).joinpath("mtu_mcp", "__init__.py").is_file()


def test_only_one_of_two_windows_installs(launcher: ModuleType, tmp_path: Path) -> None:
    """Our promise: hosts that start at the same moment do not install twice, and a lock left behind ends."""
    lock = tmp_path / "env.lock"
    assert launcher._taken(lock)
    assert not launcher._taken(lock)
    os.utime(lock, (0, 0))
    assert launcher._taken(lock)


def test_environments_nobody_uses_are_removed(launcher: ModuleType, tmp_path: Path) -> None:
    """Our promise: updates do not fill the disk."""
    for name, used in (("env-old", 0), ("env-new", None), ("env-mine", 0)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "complete").touch()
        if used is not None:
            os.utime(tmp_path / name / "complete", (used, used))
    launcher.prune(tmp_path / "env-mine")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["env-mine", "env-new"]


def test_what_is_quoted_is_the_line_that_names_the_cause(launcher: ModuleType, tmp_path: Path) -> None:
    """Our promise: a person reads why, not how pip ended."""
    log = tmp_path / "install.log"
    log.write_text(
        "+ pip install\nWARNING: Retrying after 'Connection refused'\nERROR: No matching distribution\n",
        encoding="utf-8",
    )
    assert "Connection refused" in launcher._last_words(log)
    log.write_text("+ pip install\nERROR: No matching distribution found for mcp\nmtu-mcp: failed\n", encoding="utf-8")
    assert launcher._last_words(log) == "ERROR: No matching distribution found for mcp"
    log.write_text("", encoding="utf-8")
    assert launcher._last_words(log) == "nothing was said"


def test_without_the_network_the_server_still_answers(tmp_path: Path) -> None:
    """Our promise: what keeps the tools away is told through the protocol, where the person and the model see it."""
    asked: list[dict[str, Any]] = [
        {"id": 1, "method": "initialize", "params": HELLO},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/list"},
        {"id": 3, "method": "tools/call", "params": {"name": "explain_setup", "arguments": {}}},
        {"id": 4, "method": "server/discover"},
    ]
    lines = "".join(json.dumps({"jsonrpc": "2.0", **one}) + "\n" for one in asked)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_", "MTU_"))}
    environ = kept | {
        "PATH": str(tmp_path),  # no uv
        "CLAUDE_PLUGIN_DATA": str(tmp_path / "data"),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, str(LAUNCHER), "serve"],
        input=lines,
        capture_output=True,
        encoding="utf-8",
        env=environ,
        timeout=60,
        check=False,
    )
    answers = {one["id"]: one for one in map(json.loads, done.stdout.splitlines())}
    assert "Tell the user: The Mtu plugin could not install" in answers[1]["result"]["instructions"]
    assert [tool["name"] for tool in answers[2]["result"]["tools"]] == ["explain_setup"]
    said = answers[3]["result"]["content"][0]["text"]
    assert "It needs the network once" in said
    assert str(tmp_path / "data" / "install.log") in said
    assert answers[4]["error"]["code"] == -32601
    assert done.returncode == 1
    assert [one.name for one in (tmp_path / "data").iterdir()] == ["install.log"]  # nothing half made, no lock
