"""Where hosts keep their servers, on three systems; the rules are the hosts' own documentation."""

import json
import sys
from pathlib import Path

import pytest

from mtu_mcp.cli import HOSTS as NAMED
from mtu_mcp.cli._entries import forwarded, how_to_start, is_transient, make_entry
from mtu_mcp.cli._handshake import anywhere, minimal
from mtu_mcp.cli._hostfiles import HOSTS, Surroundings, config_file

MAC = Surroundings("darwin", {}, "/Users/ada")
LINUX = Surroundings("linux", {}, "/home/ada")
WINDOWS = Surroundings(
    "win32",
    {"APPDATA": "C:\\Users\\Ada Lovelace\\AppData\\Roaming", "LOCALAPPDATA": "C:\\Users\\Ada Lovelace\\AppData\\Local"},
    "C:\\Users\\Ada Lovelace",
)


@pytest.mark.parametrize(
    ("host", "around", "path"),
    [
        ("claude-desktop", MAC, "/Users/ada/Library/Application Support/Claude/claude_desktop_config.json"),
        ("claude-desktop", LINUX, "/home/ada/.config/Claude/claude_desktop_config.json"),
        ("claude-desktop", WINDOWS, "C:\\Users\\Ada Lovelace\\AppData\\Roaming\\Claude\\claude_desktop_config.json"),
        ("claude-code", MAC, "/Users/ada/.claude.json"),
        ("claude-code", LINUX, "/home/ada/.claude.json"),
        ("claude-code", WINDOWS, "C:\\Users\\Ada Lovelace\\.claude.json"),
        ("cursor", MAC, "/Users/ada/.cursor/mcp.json"),
        ("cursor", LINUX, "/home/ada/.cursor/mcp.json"),
        ("cursor", WINDOWS, "C:\\Users\\Ada Lovelace\\.cursor\\mcp.json"),
        ("vscode", MAC, "/Users/ada/Library/Application Support/Code/User/mcp.json"),
        ("vscode", LINUX, "/home/ada/.config/Code/User/mcp.json"),
        ("vscode", WINDOWS, "C:\\Users\\Ada Lovelace\\AppData\\Roaming\\Code\\User\\mcp.json"),
    ],
)
def test_a_host_s_file_is_where_its_documentation_says(host: str, around: Surroundings, path: str) -> None:
    """Whatever system this test runs on."""
    assert str(HOSTS[host].user(around)[0]) == path


def test_variables_that_move_the_folders_are_followed() -> None:
    """XDG Base Directory Specification; Claude Code: CLAUDE_CONFIG_DIR; Windows without APPDATA."""
    moved = Surroundings("linux", {"XDG_CONFIG_HOME": "/elsewhere", "CLAUDE_CONFIG_DIR": "/cc"}, "/home/ada")
    assert str(HOSTS["claude-desktop"].user(moved)[0]) == "/elsewhere/Claude/claude_desktop_config.json"
    assert str(HOSTS["claude-code"].user(moved)[0]) == "/cc/.claude.json"
    bare = Surroundings("win32", {}, "D:\\Ada")
    assert str(HOSTS["vscode"].user(bare)[0]) == "D:\\Ada\\AppData\\Roaming\\Code\\User\\mcp.json"


def test_the_edition_that_is_installed_is_taken(tmp_path: Path) -> None:
    """Our promise: an Insiders edition, or Claude Desktop from the store, is found where the ordinary one is not."""
    around = Surroundings("linux", {}, str(tmp_path))
    usual, insiders = tmp_path / ".config/Code/User/mcp.json", tmp_path / ".config/Code - Insiders/User/mcp.json"
    host = HOSTS["vscode"]
    assert config_file(host, around, None, Path.exists) == usual
    insiders.parent.mkdir(parents=True)
    assert config_file(host, around, None, Path.exists) == insiders
    usual.parent.mkdir(parents=True)
    assert config_file(host, around, None, Path.exists) == usual
    store = [str(place) for place in HOSTS["claude-desktop"].user(WINDOWS)][1]
    assert store.startswith("C:\\Users\\Ada Lovelace\\AppData\\Local\\Packages\\Claude_")


def test_a_project_has_a_file_of_its_own(tmp_path: Path) -> None:
    """Claude Code: .mcp.json; Cursor: .cursor/mcp.json; Visual Studio Code: .vscode/mcp.json."""
    found = {
        name: config_file(HOSTS[name], LINUX, tmp_path, Path.exists) for name in ("claude-code", "cursor", "vscode")
    }
    assert {name: path.relative_to(tmp_path).as_posix() for name, path in found.items()} == {
        "claude-code": ".mcp.json",
        "cursor": ".cursor/mcp.json",
        "vscode": ".vscode/mcp.json",
    }


def test_the_command_line_names_every_host() -> None:
    """The names stand in the argument parser too, which loads nothing else."""
    assert tuple(HOSTS) == NAMED


def test_the_script_beside_the_interpreter_is_started_and_else_the_package() -> None:
    """Our promise: absolute paths, no reliance on PATH, and a virtual environment's link is not followed out of it."""
    script = how_to_start("/venv/bin/python", exists=lambda path: path == "/venv/bin/mtu-mcp")
    assert script == ("/venv/bin/mtu-mcp", ("serve",))
    package = how_to_start("/venv/bin/python", exists=lambda _: False)
    assert package == ("/venv/bin/python", ("-m", "mtu_mcp", "serve"))
    command, _ = how_to_start(sys.executable)
    assert Path(command).is_absolute()
    assert Path(command).exists()


def test_proxy_and_certificates_and_settings_are_passed_on_but_never_the_key(tmp_path: Path) -> None:
    """Our promise: what the server needs stands in the entry; a key only if it was given."""
    bundle = tmp_path / "ca.pem"
    bundle.write_text("", encoding="utf-8")
    environ = {
        "MTU_API_KEY": "sk-test",
        "MTU_BASE_URL": "https://gateway.example/v1",
        "MTU_TOOLSETS": "",
        "MTU_UNHEARD_OF": "x",
        "https_proxy": "http://proxy.example:3128",
        "NO_PROXY": "localhost",
        "REQUESTS_CA_BUNDLE": str(bundle),
        "OPENAI_API_KEY": "sk-test-other",
        "PATH": "/bin",
    }
    assert forwarded(environ) == {
        "MTU_BASE_URL": "https://gateway.example/v1",
        "HTTPS_PROXY": "http://proxy.example:3128",
        "NO_PROXY": "localhost",
        "SSL_CERT_FILE": str(bundle),  # httpx does not read REQUESTS_CA_BUNDLE
    }
    assert "sk-test" not in json.dumps(make_entry(sys.executable, environ).data(HOSTS["claude-desktop"]))
    given = make_entry(sys.executable, environ, key="sk-test-given", folders=["/pictures"])
    assert given.env["MTU_API_KEY"] == "sk-test-given"
    assert given.env["MTU_ALLOWED_DIRS"] == "/pictures"


def test_certificates_are_passed_on_as_absolute_paths() -> None:
    """A host starts the server in another folder."""
    found = forwarded({"SSL_CERT_FILE": "ca.pem", "REQUESTS_CA_BUNDLE": "/other.pem"})
    assert Path(found["SSL_CERT_FILE"]).is_absolute()


def test_an_installation_in_a_cache_is_known_as_such() -> None:
    """uv keeps what uvx runs in a cache that `uv cache clean` empties."""
    assert is_transient("/home/ada/.cache/uv/archive-v0/x/bin/mtu-mcp")
    assert not is_transient("/home/ada/.local/share/uv/tools/mtu-mcp/bin/mtu-mcp")


def test_a_host_s_environment_and_folder_are_played() -> None:
    """The protocol's SDKs pass on a handful of variables; Claude Desktop starts servers in / or system32."""
    environ = {"HOME": "/home/ada", "PATH": "/bin", "MTU_API_KEY": "sk-test", "SYSTEMROOT": "C:\\Windows"}
    assert minimal(environ, "linux") == {"HOME": "/home/ada", "PATH": "/bin"}
    assert minimal(environ, "win32") == {"PATH": "/bin", "SYSTEMROOT": "C:\\Windows"}
    assert anywhere(environ, "linux") == "/"
    assert anywhere(environ, "win32").startswith("C:\\Windows")
