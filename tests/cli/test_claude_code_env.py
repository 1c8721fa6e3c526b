"""`mtu-mcp claude-code-env`; what Claude Code and its router read is their documentation's."""

import json
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from mtu_mcp.cli.claude_code_env import shell_of, variables, written
from mtu_mcp.settings import Settings
from processes import PATIENCE, environment, run

KEYED = {"MTU_API_KEY": "sk-test-0123456789", "MTU_BASE_URL": "https://gateway.example/v1/chat/completions"}


def test_the_base_url_has_no_version_and_the_key_only_its_name() -> None:
    """Claude Code adds /v1/messages itself; our promise: no key without being asked."""
    done = run(KEYED, "claude-code-env", "--format", "sh")
    assert done.stdout == (
        'export ANTHROPIC_BASE_URL=https://gateway.example\nexport ANTHROPIC_AUTH_TOKEN="$MTU_API_KEY"\n'
    )
    shown = run(KEYED, "claude-code-env", "--format", "sh", "--with-key").stdout
    assert "export ANTHROPIC_AUTH_TOKEN=sk-test-0123456789" in shown


@pytest.mark.parametrize(
    ("shell", "lines"),
    [
        ("sh", ["export ANTHROPIC_MODEL='it'\"'\"'s'", 'export ANTHROPIC_AUTH_TOKEN="$MTU_API_KEY"']),
        ("fish", ["set -gx ANTHROPIC_MODEL 'it\\'s'", "set -gx ANTHROPIC_AUTH_TOKEN $MTU_API_KEY"]),
        ("powershell", ["$env:ANTHROPIC_MODEL = 'it''s'", "$env:ANTHROPIC_AUTH_TOKEN = $env:MTU_API_KEY"]),
    ],
)
def test_each_shell_is_written_in_its_own_quotes(shell: str, lines: list[str]) -> None:
    """POSIX 2.2.2; fish: single quotes; PowerShell: about_Quoting_Rules."""
    text = written(shell, variables(Settings.read({}), "it's", "small"), "")
    assert set(lines) <= set(text.splitlines())
    assert "ANTHROPIC_DEFAULT_HAIKU_MODEL" in text


def test_the_shell_is_known_by_its_variable() -> None:
    """SHELL is the login shell; Windows sets none."""
    assert shell_of({"SHELL": "/usr/bin/fish"}, "linux") == "fish"
    assert shell_of({"SHELL": "/bin/zsh"}, "darwin") == "sh"
    assert shell_of({"SHELL": "/usr/bin/pwsh"}, "linux") == "powershell"
    assert shell_of({}, "win32") == "powershell"
    assert shell_of({}, "linux") == "sh"


def test_a_shell_takes_what_is_printed(tmp_path: Path) -> None:
    """eval "$(mtu-mcp claude-code-env)"."""
    sh = shutil.which("sh")
    if sh is None:
        pytest.skip("no POSIX shell")
    (tmp_path / "env").write_text(run(KEYED, "claude-code-env", "--format", "sh").stdout, encoding="utf-8")
    done = subprocess.run(
        [sh, "-c", '. "$1" && printf %s "$ANTHROPIC_AUTH_TOKEN at $ANTHROPIC_BASE_URL"', "sh", str(tmp_path / "env")],
        capture_output=True, encoding="utf-8", env=environment(KEYED), timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.stdout == "sk-test-0123456789 at https://gateway.example"


def test_settings_json_names_the_key_or_holds_it() -> None:
    """Claude Code: `env` in ~/.claude/settings.json is taken as it is, so a name cannot stand for a value there."""
    named = json.loads(run(KEYED, "claude-code-env", "--format", "json").stdout)
    assert named == {
        "env": {"ANTHROPIC_BASE_URL": "https://gateway.example", "ANTHROPIC_AUTH_TOKEN": "the value of MTU_API_KEY"}
    }
    held = json.loads(run(KEYED, "claude-code-env", "--format", "json", "--with-key").stdout)
    assert held["env"]["ANTHROPIC_AUTH_TOKEN"] == "sk-test-0123456789"


def test_the_router_is_given_the_whole_address_and_routes() -> None:
    """Claude Code Router: api_base_url is the full URL, routes are "provider,model", $NAME is expanded."""
    config = json.loads(run(KEYED, "claude-code-env", "--router", "--model", "qwen-plus").stdout)
    [provider] = config["Providers"]
    assert provider == {
        "name": "mtu",
        "api_base_url": "https://gateway.example/v1/chat/completions",
        "api_key": "$MTU_API_KEY",
        "models": ["qwen-plus"],
    }
    usual = json.loads(run(KEYED, "claude-code-env", "--router").stdout)
    offered = usual["Providers"][0]["models"]
    assert {route.removeprefix("mtu,") for route in usual["Router"].values()} <= set(offered)
    assert set(usual["Router"]) == {"default", "background", "think", "longContext"}


def test_without_a_key_none_can_be_printed() -> None:
    """Our promise: exit code 1, the variable named; the same for one that is wrong."""
    done = run({}, "claude-code-env", "--with-key")
    assert (done.returncode, done.stdout) == (1, "")
    assert "MTU_API_KEY is not set" in done.stderr
    assert "MTU_BASE_URL" in run({"MTU_BASE_URL": "gateway"}, "claude-code-env").stderr


CLAUDE = shutil.which("claude")


@pytest.mark.skipif(CLAUDE is None, reason="Claude Code is not installed")
def test_claude_code_asks_where_the_settings_say(tmp_path: Path) -> None:
    """Claude Code: ANTHROPIC_BASE_URL and ANTHROPIC_AUTH_TOKEN; the stand-in refuses, so that nothing is answered."""
    asked: list[tuple[str, str]] = []

    class Standing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append((self.path.partition("?")[0], self.headers.get("authorization", "")))
            self.rfile.read(int(self.headers.get("content-length", "0")))
            body = b'{"type": "error", "error": {"type": "invalid_request_error", "message": "a stand-in"}}'
            self.send_response(400)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            del args

    with HTTPServer(("127.0.0.1", 0), Standing) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        where = {**KEYED, "MTU_BASE_URL": f"http://127.0.0.1:{server.server_port}"}
        (tmp_path / "s.json").write_text(
            run(where, "claude-code-env", "--format", "json", "--with-key").stdout, encoding="utf-8"
        )
        isolated = {"HOME": str(tmp_path), "CLAUDE_CONFIG_DIR": str(tmp_path / "c"), "DISABLE_AUTOUPDATER": "1"}
        quiet = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "NO_PROXY": "127.0.0.1"}
        assert CLAUDE is not None
        subprocess.run(
            [CLAUDE, "-p", "hi", "--settings", str(tmp_path / "s.json")],
            capture_output=True, env=environment({**isolated, **quiet}), timeout=4 * PATIENCE, check=False, cwd=tmp_path,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        server.shutdown()
        thread.join(PATIENCE)
    assert ("/v1/messages", "Bearer sk-test-0123456789") in asked
