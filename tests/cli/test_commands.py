"""The command itself: help, versions, exit codes, what starts and how it ends."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request

import pytest

import mtu_mcp
from mtu_mcp.cli import main
from processes import PATIENCE, run, running

COMMANDS = ["serve", "demo", "call", "sandbox", "install", "uninstall", "doctor", "claude-code-env"]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_helps(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Our promise: --help of every command explains it and exits 0."""
    with pytest.raises(SystemExit) as ended:
        main([*([command] if command else []), "--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert said.startswith("usage: mtu-mcp")
    assert all(re.search(rf"\b{one}\s", said) for one in ([command] if command else COMMANDS))
    options = [line for line in said.splitlines() if line.lstrip().startswith("--")]
    assert all(len(line.split()) > 1 or "http" in line for line in options)


def test_python_m_is_the_same_command() -> None:
    """Our promise: where the script is not on the path, `python -m mtu_mcp` works."""
    done = run({}, "--version")
    assert (done.returncode, done.stdout) == (0, f"mtu-mcp {mtu_mcp.__version__}\n")
    assert "usage: mtu-mcp" in run({}, "--help").stdout


@pytest.mark.parametrize(
    "arguments", [[], ["fly"], ["serve", "--port", "99999"], ["serve", "--port", "x"], ["serve", "--transport", "tcp"]]
)
def test_wrong_arguments_are_explained_with_exit_code_two(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """POSIX utility conventions: 2 for a wrong command line, the reason on stderr."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: mtu-mcp" in capsys.readouterr().err


def test_the_command_alone_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr: a host that forgot to say `serve` reads stdout."""
    with pytest.raises(SystemExit):
        main([])
    said = capsys.readouterr()
    assert said.out == ""
    assert "first steps:" in said.err


def test_an_interrupt_while_a_command_is_loaded_ends_it_without_a_word() -> None:
    """POSIX shells: 130; a slow machine loads for seconds, and a traceback is nothing to read."""
    finder = "type('Stop', (), {'find_spec': staticmethod(lambda name, *rest: interrupt(name))})"
    code = (
        "import sys, signal\n"
        "def interrupt(name):\n"
        "    if name == 'mtu_mcp.cli.usage': signal.raise_signal(signal.SIGINT)\n"
        f"sys.meta_path.insert(0, {finder})\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from mtu_mcp.cli import main\n"
        "sys.exit(main(['usage']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_the_sandbox_command_serves_curl_and_any_client() -> None:
    """Our promise: the address is printed, and what it prints can be copied."""
    with running({}, "sandbox", "--port", "0", read=bytes.decode) as child:
        base = child.next().split()[-1]
        asked = urllib.request.Request(f"{base}/models", headers={"Authorization": "Bearer any"})
        with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
            assert "qwen-plus" in {one["id"] for one in json.load(answer)["data"]}
        child.process.send_signal(signal.SIGINT if os.name != "nt" else signal.SIGTERM)
        code, seconds = child.ended()
        assert code in (0, 130)
        assert seconds < 2
        assert "Traceback" not in child.stderr


def test_a_port_in_use_is_said_clearly_by_the_sandbox_too() -> None:
    """Our promise: a sentence and exit code 1."""
    with running({}, "sandbox", "--port", "0", read=bytes.decode) as child:
        port = child.next().split()[-1].split(":")[2].split("/")[0]
        done = run({}, "sandbox", "--port", port)
    assert done.returncode == 1
    assert port in done.stderr
    assert "Traceback" not in done.stderr


def test_serving_the_sandbox_needs_no_key_and_shows_it_none(environ: dict[str, str]) -> None:
    """Our promise: `serve --sandbox` reaches nothing but the embedded gateway."""
    elsewhere = {**environ, "MTU_BASE_URL": "http://127.0.0.1:9/v1", "MTU_PROXY": "http://127.0.0.1:9"}
    with running(elsewhere, "serve", "--sandbox") as child:
        child.shake_hands()
        answer = child.ask(1, "tools/call", {"name": "chat", "arguments": {"prompt": "Repeat: good morning"}})
        assert not answer["result"].get("isError"), answer
        assert "good morning" in answer["result"]["content"][0]["text"]
        child.leave()
        code, seconds = child.ended()
        assert code == 0
        assert seconds < 2
        assert child.stderr == ""
