"""`mtu-mcp install` and `uninstall`, run as a person runs them, on home folders of their own."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mtu_mcp.cli._hostfiles import HOSTS, Surroundings
from mtu_mcp.cli._jsontext import written
from mtu_mcp.cli._replacement import changes, masked, replace_file
from mtu_mcp.cli.install import expanded
from mtu_mcp.errors import StorageError
from processes import PATIENCE, run

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "claude_desktop_config.example.json"
PRIVATE = 0o600
CLEAN = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """Variables of a person with an empty home folder, no proxy and no `claude`."""
    folder = tmp_path / "home"
    folder.mkdir()
    unset = dict.fromkeys([*CLEAN, *(name.lower() for name in CLEAN), "CURL_CA_BUNDLE"], "")
    # Left empty, Claude Code would take the working folder for its own.
    where = {"HOME": str(folder), "USERPROFILE": str(folder), "CLAUDE_CONFIG_DIR": str(folder)}
    where |= {"PATH": str(tmp_path / "nothing"), "XDG_CONFIG_HOME": ""}
    windows = {"APPDATA": str(folder / "Roaming"), "LOCALAPPDATA": str(folder / "Local")} if os.name == "nt" else {}
    return {**unset, **where, **windows}


def file_of(host: str, environ: dict[str, str]) -> Path:
    return Path(str(HOSTS[host].user(Surroundings(sys.platform, environ, environ["HOME"]))[0]))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def data(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def backups(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}.backup-*"))


def test_it_writes_an_entry_that_starts_and_leaves_the_others(home: dict[str, str]) -> None:
    """Our promise: others' entries stay, the old file is kept, and what was written is started as the host would."""
    before = (
        '{\n  "mcpServers": {\n    "other": {"command": "x", "env": {"OTHER_TOKEN": "geheim"}}\n  },\n  "z": 1\n}\n'
    )
    file = write(file_of("claude-desktop", home), before)
    done = run(home, "install", "claude-desktop")
    assert done.returncode == 0, done.stderr
    now = data(file)
    entry = now["mcpServers"].pop("mtu")
    assert now == json.loads(before)
    assert Path(entry["command"]).is_absolute()
    assert "MTU_API_KEY" not in entry["env"]
    [backup] = backups(file)
    assert backup.read_text(encoding="utf-8") == before
    if os.name != "nt":
        assert stat.S_IMODE(backup.stat().st_mode) == PRIVATE
    assert '+    "mtu": {' in done.stdout
    assert "geheim" not in done.stdout
    assert "No key was written" in done.stdout
    assert re.search(r"\d tools \(chat, understand, generate_image, ", done.stdout)
    assert "protocol 2025-11-25" in done.stdout


@pytest.mark.parametrize(
    ("host", "key"), [("claude-desktop", "mcpServers"), ("cursor", "mcpServers"), ("vscode", "servers")]
)
def test_a_host_without_a_file_gets_one_and_loses_only_the_entry(home: dict[str, str], host: str, key: str) -> None:
    """Our promise: uninstall takes out what install put in."""
    file = file_of(host, home)
    done = run(home, "install", host)
    assert done.returncode == 0, done.stderr
    assert list(data(file)[key]) == ["mtu"]
    if os.name != "nt":
        assert stat.S_IMODE(file.stat().st_mode) == PRIVATE
    gone = run(home, "uninstall", host)
    assert gone.returncode == 0, gone.stderr
    assert data(file) == {key: {}}
    assert "nothing to take out" in run(home, "uninstall", host).stdout


def test_a_key_is_written_only_when_it_is_given(home: dict[str, str]) -> None:
    """Our promise: a key in the environment alone is no permission; one that was given before stays."""
    file = file_of("claude-desktop", home)
    keyed = {**home, "MTU_API_KEY": "sk-test-from-shell"}
    done = run(keyed, "install", "claude-desktop")
    assert "sk-test-from-shell" not in file.read_text(encoding="utf-8") + done.stdout
    assert "--with-key" in done.stdout
    if os.name != "nt":
        file.chmod(0o644)
    done = run(keyed, "install", "claude-desktop", "--with-key")
    assert data(file)["mcpServers"]["mtu"]["env"]["MTU_API_KEY"] == "sk-test-from-shell"
    assert "The key was written" in done.stdout
    assert "sk-test-from-shell" not in done.stdout
    if os.name != "nt":  # nobody else may read it any more
        assert stat.S_IMODE(file.stat().st_mode) == PRIVATE
    again = run(home, "install", "claude-desktop", "--allow", home["HOME"])
    env = data(file)["mcpServers"]["mtu"]["env"]
    assert env == {"MTU_API_KEY": "sk-test-from-shell", "MTU_ALLOWED_DIRS": home["HOME"]}
    assert "The key that was there is kept." in again.stdout
    typed = run(home, "install", "claude-desktop", "--key", "-", stdin="sk-test-typed\n")
    assert typed.returncode == 0
    assert data(file)["mcpServers"]["mtu"]["env"]["MTU_API_KEY"] == "sk-test-typed"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["claude-desktop", "--with-key"], "MTU_API_KEY, which is not set"),
        (["claude-desktop", "--key", "two words"], "no key has"),
        (["claude-desktop", "--key", "sk-your-key"], "put your own key"),
        (["claude-desktop", "--name", "a b"], "letters, digits"),
        (["claude-desktop", "--project"], "no files of projects"),
        (["cursor", "--project", "nowhere-at-all"], "no such folder"),
        (["vscode", "--project", ".", "--key", "sk-test"], "shared with others"),
    ],
)
def test_wrong_arguments_are_explained_and_nothing_is_written(
    home: dict[str, str], arguments: list[str], said: str
) -> None:
    """Our promise: exit code 2, the reason on stderr."""
    done = run(home, "install", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert list(Path(home["HOME"]).rglob("*.json")) == []


@pytest.mark.parametrize("host", ["claude-desktop", "claude-code", "cursor", "vscode"])
@pytest.mark.parametrize(
    "text",
    ['{"mcpServers": {"x": {}},', "[]", '{"mcpServers": [1], "servers": [1]}', "\xff not JSON", '{"a": 1, "a": 2}'],
)
def test_a_broken_file_is_refused_and_stays_as_it_is(home: dict[str, str], host: str, text: str) -> None:
    """Our promise: a clear error, nothing written, no backup."""
    file = write(file_of(host, home), text)
    for command in ("install", "uninstall") if "[1]" not in text else ("install",):
        done = run(home, command, host)
        assert done.returncode == 1, done.stdout
        assert str(file) in done.stderr
        assert "Nothing was written" in done.stderr
        assert file.read_text(encoding="utf-8") == text
        assert backups(file) == []


def test_a_file_in_another_encoding_is_refused(home: dict[str, str]) -> None:
    """Our promise, as above."""
    file = file_of("cursor", home)
    file.parent.mkdir(parents=True)
    file.write_bytes('{"mcpServers": {}}'.encode("utf-16"))
    done = run(home, "install", "cursor")
    assert done.returncode == 1
    assert "UTF-8" in done.stderr


def test_comments_of_visual_studio_code_stay(home: dict[str, str]) -> None:
    """Visual Studio Code's settings are JSON with comments."""
    before = '{\n  // mine\n  "servers": {\n    "one": {"command": "a"}, // first\n  },\n}\n'
    file = write(file_of("vscode", home), before)
    assert run(home, "install", "vscode").returncode == 0
    text = file.read_text(encoding="utf-8")
    assert "// mine" in text
    assert '"one": {"command": "a"}, // first' in text
    assert '"MTU_API_KEY": "${input:mtu-api-key}"' in text
    assert '"password": true' in text
    assert run(home, "uninstall", "vscode").returncode == 0
    text = file.read_text(encoding="utf-8")
    assert "mtu" not in text
    assert "// mine" in text
    assert "// first" in text


def test_a_comment_where_the_host_allows_none_is_said(home: dict[str, str]) -> None:
    """Claude Desktop reads plain JSON."""
    write(file_of("claude-desktop", home), "{} // mine\n")
    done = run(home, "install", "claude-desktop")
    assert done.returncode == 1
    assert "comments are not allowed" in done.stderr


def test_print_and_dry_run_write_nothing(home: dict[str, str]) -> None:
    """Our promise: --print gives the entry alone, --dry-run the change."""
    printed = run(home, "install", "cursor", "--print")
    assert list(json.loads(printed.stdout)["mcpServers"]) == ["mtu"]
    tried = run(home, "install", "cursor", "--dry-run", "--name", "other")
    assert '+    "other": {' in tried.stdout
    assert "Nothing was written" in tried.stdout
    assert list(Path(home["HOME"]).rglob("*.json")) == []


def test_a_project_s_file_refers_to_the_key_and_holds_none(home: dict[str, str], tmp_path: Path) -> None:
    """Claude Code: .mcp.json expands ${VAR:-default}; Cursor: ${env:VAR}; Visual Studio Code asks."""
    references = {"claude-code": "${MTU_API_KEY:-}", "cursor": "${env:MTU_API_KEY}", "vscode": "${input:mtu-api-key}"}
    for host, reference in references.items():
        done = run(home, "install", host, "--project", str(tmp_path))
        assert done.returncode == 0, done.stderr
        entry = data(tmp_path / HOSTS[host].project)[HOSTS[host].key]["mtu"]
        assert entry["env"] == {"MTU_API_KEY": reference}


def test_references_are_filled_as_hosts_do() -> None:
    """Claude Code and Cursor, as above; a question to the user stays."""
    environ = {"A": "1"}
    assert expanded("${A} ${A:-2} ${B:-3} ${B}${env:A}", environ) == "1 1 3 1"
    assert expanded("${input:a}", environ) == "${input:a}"


def test_an_entry_a_person_changed_keeps_what_they_added(home: dict[str, str]) -> None:
    """Our promise: installing again changes the command and what is given now, nothing else."""
    old = {
        "mcpServers": {
            "mtu": {"command": "gone", "args": [], "timeout": 99, "env": {"MTU_API_KEY": "sk-test", "X": "y"}}
        }
    }
    file = write(file_of("cursor", home), json.dumps(old, indent=4))
    done = run(home, "install", "cursor")
    assert done.returncode == 0, done.stderr
    entry = data(file)["mcpServers"]["mtu"]
    assert entry["timeout"] == 99
    assert entry["env"] == {"MTU_API_KEY": "sk-test", "X": "y"}
    assert entry["command"] != "gone"
    assert "holds this entry already" in run(home, "install", "cursor").stdout
    assert len(backups(file)) == 1


def test_a_wrong_variable_is_refused_before_it_is_passed_on(home: dict[str, str]) -> None:
    """Our promise: a host is not given what the server cannot use."""
    done = run({**home, "MTU_TIMEOUT": "soon"}, "install", "cursor")
    assert done.returncode == 1
    assert "MTU_TIMEOUT" in done.stderr
    assert not file_of("cursor", home).exists()


def test_the_example_is_what_install_prints(home: dict[str, str]) -> None:
    """Our promise: the example configuration, but for its path of the command, is printed by the command it stands for."""
    folder = "/absolute/path/to/a/folder/it/may/read" if os.name != "nt" else "C:\\folder"
    done = run(home, "install", "claude-desktop", "--print", "--key", "sk-your-key", "--allow", folder)
    printed, example = json.loads(done.stdout), data(EXAMPLE)
    mine, theirs = printed["mcpServers"]["mtu"], example["mcpServers"]["mtu"]
    mine["command"] = theirs["command"]
    mine["args"] = mine["args"][-1:]  # where there is no script, the interpreter runs the package
    mine["env"]["MTU_ALLOWED_DIRS"] = theirs["env"]["MTU_ALLOWED_DIRS"]
    assert printed == example
    assert written(printed) + "\n" == EXAMPLE.read_text(encoding="utf-8")


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_linked_file_stays_a_link(home: dict[str, str], tmp_path: Path) -> None:
    """People keep such files in a repository and link them."""
    real = write(tmp_path / "dotfiles" / "mcp.json", "{}\n")
    link = file_of("cursor", home)
    link.parent.mkdir(parents=True)
    link.symlink_to(real)
    assert run(home, "install", "cursor").returncode == 0
    assert link.is_symlink()
    assert "mtu" in data(real)["mcpServers"]


def test_a_file_that_changes_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    """Hosts write their files too."""
    file = write(tmp_path / "a.json", "theirs")
    with pytest.raises(StorageError, match="changed meanwhile"):
        replace_file(file, "what was read", "ours")
    assert file.read_text(encoding="utf-8") == "theirs"
    first = replace_file(file, "theirs", "ours", lambda: 0.0)
    second = replace_file(file, "ours", "more", lambda: 0.0)
    assert first != second
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({"a.json", first.name, second.name})  # type: ignore[union-attr]


def test_secrets_of_others_are_not_shown() -> None:
    """The change is printed on a screen that others may see."""
    was = '{"API_KEY": "abc", "authToken":"def", "u": "https://name:word@host/", "a": "sk-abcdefgh", "k": "${KEY}"}'
    shown = masked(was)
    for secret in ("abc", "def", "name:word", "sk-abcdefgh"):
        assert secret not in shown
    assert '"k": "${KEY}"' in shown
    assert "abc" not in "\n".join(changes(Path("a"), was, was + "\n\n"))


CLAUDE = shutil.which("claude")


@pytest.mark.skipif(CLAUDE is None, reason="Claude Code is not installed")
def test_claude_code_s_own_command_is_used_where_it_is(home: dict[str, str]) -> None:
    """Claude Code: `claude mcp add-json` writes for the user; `claude mcp list` connects without a login."""
    assert CLAUDE is not None
    usual = {**home, "PATH": os.environ["PATH"], "DISABLE_TELEMETRY": "1", "DISABLE_AUTOUPDATER": "1"}
    done = run(usual, "install", "claude-code", "--sandbox")
    assert done.returncode == 0, done.stderr
    assert "Added stdio MCP server mtu" in done.stdout
    assert "protocol 2026-07-28" in done.stdout
    again = run(usual, "install", "claude-code", "--sandbox", "--key", "sk-test-key-0000")
    assert again.returncode == 0, again.stderr
    entry = data(file_of("claude-code", home))["mcpServers"]["mtu"]
    assert entry["env"]["MTU_API_KEY"] == "sk-test-key-0000"
    listed = subprocess.run(
        [CLAUDE, "mcp", "list"],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, **usual},
        timeout=4 * PATIENCE,
        check=False,
    )
    assert "Connected" in listed.stdout, listed.stdout + listed.stderr
    gone = run(usual, "uninstall", "claude-code")
    assert gone.returncode == 0, gone.stderr
    assert "with its key if it had one" in gone.stdout
    assert "mtu" not in data(file_of("claude-code", home))["mcpServers"]


def test_without_its_command_claude_code_s_file_is_changed(home: dict[str, str]) -> None:
    """Our promise: what else the file holds stays."""
    file = write(file_of("claude-code", home), '{\n  "numStartups": 7,\n  "projects": {"/x": {"mcpServers": {}}}\n}\n')
    done = run(home, "install", "claude-code")
    assert done.returncode == 0, done.stderr
    now = data(file)
    assert now.pop("mcpServers")["mtu"]["type"] == "stdio"
    assert now == {"numStartups": 7, "projects": {"/x": {"mcpServers": {}}}}


def test_a_file_that_cannot_be_written_has_a_way_around_it(tmp_path: Path) -> None:
    """Our promise: one thing to do, and nothing changed; here a file stands where the host's folder should be."""
    (folder := tmp_path / ".cursor").write_text("mine", encoding="utf-8")
    with pytest.raises(StorageError, match="cannot be written") as refused:
        replace_file(folder / "mcp.json", "", "{}")
    assert "--print" in refused.value.advice
    assert folder.read_text(encoding="utf-8") == "mine"
