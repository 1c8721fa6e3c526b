"""stdio as a host meets it: a raw child process, bytes on pipes, signals."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mtu_mcp.sandbox import Sandbox
from processes import HELLO, PATIENCE, Child, environment, modern, request, running

RUDE = (sys.executable, str(Path(__file__).with_name("rude_server.py")))
LIMIT = 2.0
"""Seconds a host waits before it kills."""
posix = pytest.mark.skipif(os.name == "nt", reason="Windows hosts close stdin and kill; there are no such signals")


def call(number: int, tool: str, **arguments: Any) -> dict[str, Any]:
    return request(number, "tools/call", {"name": tool, "arguments": arguments})


def said(answer: dict[str, Any]) -> str:
    return answer["result"]["content"][0]["text"]


def assert_clean(child: Child) -> None:
    """The end was orderly: in time, exit code 0, nothing but messages on stdout, no traceback."""
    code, seconds = child.ended()
    assert code == 0, child.stderr
    assert seconds < LIMIT
    assert "Traceback" not in child.stderr
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in child.lines)


def test_stdout_carries_only_messages_whatever_prints(environ: dict[str, str]) -> None:
    """MCP transports, stdio: the server MUST NOT write anything to stdout that is not a valid MCP message."""
    with running(environ, executable=RUDE) as child:
        child.shake_hands()
        assert said(child.ask("1", "tools/call", {"name": "shout", "arguments": {"times": 3}})) == "shouted"
        child.leave()
        assert_clean(child)
        assert "written to descriptor 1" in child.stderr
        assert "from a child" in child.stderr
        assert "left in the buffer" in child.stderr


def test_code_that_reads_stdin_takes_nothing_from_the_protocol(environ: dict[str, str]) -> None:
    """Our promise: descriptor 0 is the null device while serving."""
    with running(environ, executable=RUDE) as child:
        child.shake_hands()
        child.send(call(1, "listen"), request(2, "ping"))
        assert said(child.answer(1)) == "''"
        assert child.ask(3, "ping")["result"] == {}


def test_a_text_that_is_no_unicode_is_still_answered(environ: dict[str, str]) -> None:
    """RFC 3629: UTF-8 has no surrogates; a file name with one must not end the connection."""
    with running(environ, executable=RUDE) as child:
        child.shake_hands()
        child.send(call(1, "halve"))
        assert said(child.answer(1)) == "half ? of a pair"


def test_the_key_is_not_in_the_log_of_a_call_that_broke(environ: dict[str, str]) -> None:
    """Our promise: the key never leaves, and a traceback may quote it."""
    with running(environ, executable=RUDE) as child:
        child.shake_hands()
        child.send(call(1, "leak"))
        assert "broke" in said(child.answer(1))
        child.leave()
        child.ended()
        assert "RuntimeError: refused: Bearer [key hidden]" in child.stderr
        assert environ["MTU_API_KEY"] not in child.stderr


def test_closing_stdin_ends_the_server(environ: dict[str, str]) -> None:
    """MCP lifecycle, shutdown on stdio: the client closes the input stream and waits for the server to exit."""
    with running(environ, "serve") as child:
        child.shake_hands()
        child.leave()
        assert_clean(child)


def test_closing_stdin_before_the_first_message_ends_the_server(environ: dict[str, str]) -> None:
    """Our promise: a host that changes its mind leaves nothing running."""
    with running(environ, "serve") as child:
        child.leave()
        code, _ = child.ended()
        assert code == 0
        assert child.lines == []


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda one: one.name)
def test_a_signal_ends_the_server_while_stdin_is_open(environ: dict[str, str], number: signal.Signals) -> None:
    """MCP lifecycle: SIGTERM follows if the server does not exit; Claude Code begins with SIGINT and keeps stdin open."""
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("a child of nohup is not told of a terminal that is gone")
    with running(environ, "serve") as child:
        child.shake_hands()
        child.process.send_signal(number)
        assert_clean(child)


@posix
def test_sigint_followed_by_sigterm_ends_the_server_quietly(environ: dict[str, str]) -> None:
    """Claude Code sends SIGINT and, 0.1 s later, SIGTERM."""
    with running(environ, "serve") as child:
        child.shake_hands()
        child.process.send_signal(signal.SIGINT)
        child.process.send_signal(signal.SIGTERM)
        code, seconds = child.ended()
        assert code in (0, -signal.SIGTERM)
        assert seconds < LIMIT
        assert "Traceback" not in child.stderr


ENDINGS: list[Any] = [("closed stdin", request), ("closed stdin", modern)]
ENDINGS += [(signal.SIGINT, modern), (signal.SIGTERM, request)] if os.name != "nt" else []


@pytest.mark.parametrize(("ending", "ask"), ENDINGS, ids=lambda one: getattr(one, "__name__", str(one)))
def test_a_call_that_stalls_upstream_does_not_hold_up_the_end(
    gateway: Sandbox, environ: dict[str, str], ending: Any, ask: Any
) -> None:
    """Our promise: gone within 2 s, with the upstream connection closed."""
    gateway.arm("stall", "chat/completions")
    with running(environ, "serve") as child:
        if ask is request:
            child.shake_hands()
        child.send(ask(1, "tools/call", {"name": "chat", "arguments": {"prompt": "hi"}}))
        gateway.journal.wait(lambda entry: entry.path.endswith("chat/completions"))
        child.leave() if ending == "closed stdin" else child.process.send_signal(ending)
        assert_clean(child)
    gateway.journal.wait(lambda entry: entry.ended == "client closed")


def test_a_thread_that_cannot_be_interrupted_does_not_hold_up_the_end(environ: dict[str, str]) -> None:
    """Our promise: no orphan, even if a library hangs in a system call such as a name look-up."""
    with running(environ, executable=RUDE) as child:
        child.shake_hands()
        child.send(call(1, "block"))
        child.error_line("blocked")
        child.leave()
        code, _ = child.ended()
        assert code == 0


@posix
def test_the_server_ends_when_its_parent_is_killed(environ: dict[str, str]) -> None:
    """Our promise: a host that crashes leaves no orphan; nobody is left to close stdin but the system."""
    parent = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-m', 'mtu_mcp', 'serve'], stdin=subprocess.PIPE)\n"
        "child.stdin.write(sys.argv[1].encode() + b'\\n'); child.stdin.flush()\n"
        "time.sleep(60)\n"
    )
    hello = json.dumps(request("hello", "initialize", HELLO))
    with running(environ, "-c", parent, hello, executable=(sys.executable,)) as child:
        child.answer("hello")
        child.process.kill()
        # The grandchild holds the other end of this pipe: the end of the file is its end.
        child.ended()
        assert child.stderr == ""


def test_a_host_that_stops_reading_ends_the_server(environ: dict[str, str]) -> None:
    """Our promise: when stdout is a broken pipe nobody can be answered, and calls for nobody would cost money."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mtu_mcp", "serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(environ),
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.close()
        process.stdin.write(json.dumps(request(1, "initialize", HELLO)).encode() + b"\n")
        process.stdin.flush()
        assert process.wait(PATIENCE) == 0
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


@posix
@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_closed_standard_descriptors_are_no_crash(environ: dict[str, str], closed: str) -> None:
    """Our promise: some supervisors start services with closed descriptors; a socket must not take their number."""
    command = f'"{sys.executable}" -m mtu_mcp serve {closed}'
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        input=json.dumps(request(1, "initialize", HELLO)).encode() + b"\n",
        capture_output=True,
        env=environment(environ),
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0
    assert done.stderr == b""
    assert (b'"id":1' in done.stdout) == (closed == "2>&-")


@pytest.mark.parametrize(
    ("line", "code", "number"),
    [
        (b"garbage", -32700, None),
        (b"\xff\xfe\x00", -32700, None),
        pytest.param(b"[" * 100_000, -32700, None, id="nested"),
        (b'{"jsonrpc":"2.0","id":7,"method":"tools/list"', -32700, None),
        (b"42", -32600, None),
        (b"{}", -32600, None),
        (b'[{"jsonrpc":"2.0","id":7,"method":"ping"}]', -32600, None),
        (b'{"jsonrpc":"2.0","id":7,"method":5}', -32600, 7),
        (b'{"jsonrpc":"1.0","id":"seven","method":"ping"}', -32600, "seven"),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600, None),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600, None),
    ],
)
def test_a_line_that_is_no_message_is_answered_with_an_error(quiet: Child, line: bytes, code: int, number: Any) -> None:
    """JSON-RPC 2.0, section 5: parse errors and invalid requests are answered, with id null if it cannot be read."""
    quiet.write(line + b"\n")
    answer = quiet.next()
    assert (answer["error"]["code"], answer["id"]) == (code, number)
    assert quiet.ask("after", "ping")["result"] == {}


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One server in the handshake era that never asks the gateway, for tests that only send lines."""
    folder = tmp_path_factory.mktemp("quiet")
    environ = {"MTU_OUTPUT_DIR": str(folder / "made"), "MTU_DATABASE_URL": str(folder / "mtu.db")}
    with running(environ, "serve") as child:
        child.shake_hands()
        yield child


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"   \r",
        b'{"jsonrpc":"2.0","id":99,"result":{}}',
        b'{"jsonrpc":"2.0","id":99,"error":"no"}',
        b'{"jsonrpc":"2.0","method":"notifications/unheard-of"}',
        b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":12345}}',
        b'{"jsonrpc":"2.0","method":"notifications/cancelled"}',
        b'{"jsonrpc":"2.0","method":"notifications/progress","params":{}}',
        b'{"jsonrpc":"2.0","method":"notifications/message","params":{"id":1}}',
    ],
)
def test_lines_that_ask_for_nothing_get_no_answer(quiet: Child, line: bytes) -> None:
    """JSON-RPC 2.0: notifications and responses are not answered; an error for an error would go on for ever."""
    quiet.write(line + b"\n")
    quiet.send(request("next", "ping"))
    assert quiet.next()["id"] == "next"


def test_a_message_of_five_megabytes_is_read(quiet: Child) -> None:
    """Our promise: a host may send a picture as a data URI."""
    quiet.send(request(5, "ping", {"_meta": {"padding": "x" * 5_000_000}}))
    assert quiet.answer(5)["result"] == {}


def test_a_message_split_anywhere_is_put_together(quiet: Child) -> None:
    """MCP transports, stdio: messages end at newlines, not at the ends of packets, and characters may be cut."""
    line = json.dumps(request("切", "ping"), ensure_ascii=False).encode() + b"\r\n"
    for at in range(len(line)):
        quiet.write(line[at : at + 1])
    assert quiet.answer("切")["result"] == {}


def test_a_byte_order_mark_is_passed_over(quiet: Child) -> None:
    """Our promise: PowerShell puts one in front of what it pipes."""
    quiet.write(b"\xef\xbb\xbf" + json.dumps(request("bom", "ping")).encode() + b"\n")
    assert quiet.answer("bom")["result"] == {}


def test_thousands_of_messages_at_once_are_all_answered(quiet: Child) -> None:
    """Our promise: nothing is lost when a host writes faster than we answer."""
    quiet.send(*(request(number, "ping") for number in range(3000)))
    assert {quiet.next()["id"] for _ in range(3000)} == set(range(3000))


@pytest.mark.parametrize("ask", [request, modern], ids=["handshake", "modern"])
def test_requests_piped_in_are_answered_before_the_server_leaves(environ: dict[str, str], ask: Any) -> None:
    """Our promise: `mtu-mcp serve < requests` shows the answers, also of a last line without its newline."""
    with running(environ, "serve") as child:
        if ask is request:
            child.send(request("hello", "initialize", HELLO), {"jsonrpc": "2.0", "method": "notifications/initialized"})
        child.send(ask("first", "tools/list"))
        child.answer("first")  # starting takes as long as the machine takes; what follows is promised after that
        child.send(*(ask(number, "tools/list") for number in range(20)))
        child.write(json.dumps(ask("last", "tools/list")).encode())
        child.leave()
        assert_clean(child)
        answered = [json.loads(line) for line in child.lines]
        assert {one["id"] for one in answered if "result" in one} >= {*range(20), "last"}


def test_a_line_without_end_is_skipped_and_answered(environ: dict[str, str]) -> None:
    """Our promise: memory for one message is bounded, and the connection outlives it."""
    with running(environ, "serve") as child:
        child.shake_hands()
        block = b"x" * (1 << 20)
        for _ in range(66):
            child.write(block)
        child.write(b"\n")
        assert child.answer(None)["error"]["code"] == -32600
        assert child.ask(1, "ping")["result"] == {}


def test_the_server_starts_in_any_folder(environ: dict[str, str], tmp_path: Path) -> None:
    """Claude Desktop starts servers in `/` or `system32`: nothing may be read from or written to the working folder."""
    with running(environ, "-c", "import os, sys; os.chdir(os.path.abspath(os.sep)); sys.argv[0:] = ['mtu-mcp', 'serve']; "
                 "from mtu_mcp.cli import main; sys.exit(main())", executable=(sys.executable,)) as child:  # fmt: skip
        child.shake_hands()
        assert child.ask(1, "tools/list")["result"]["tools"]
        child.leave()
        assert_clean(child)
    assert not (tmp_path / "made").exists()
