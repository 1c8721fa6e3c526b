"""HTTP as hosts, browsers and service managers meet it."""

import http.client
import json
import os
import signal
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest
from mcp import Client
from mcp.client.sse import sse_client

from connections import HANDSHAKE, MODERN, Cell, connect, text_of
from mtu_mcp.errors import SettingsError
from mtu_mcp.sandbox import Sandbox
from mtu_mcp.server.auth import require_way_in
from mtu_mcp.server.http import LOOPBACK
from mtu_mcp.settings import Settings
from processes import ENVELOPE, HELLO, PATIENCE, Child, modern, request, run, running

LIMIT = 2.0
"""Seconds a service manager's user waits."""
JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


@contextmanager
def serving(environ: dict[str, str], *arguments: str) -> Iterator[tuple[Child, str]]:
    """A real child that serves HTTP on a free port, and its address."""
    with running(environ, "serve", "--transport", "http", "--port", "0", *arguments) as child:
        address = child.error_line("listening on").split()[-1]
        yield child, address.removesuffix("/mcp").removesuffix("/sse")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One server for tests that never reach the gateway."""
    folder = tmp_path_factory.mktemp("served")
    with serving({"MTU_OUTPUT_DIR": str(folder / "made"), "MTU_DATABASE_URL": str(folder / "mtu.db")}) as (_, base):
        yield base


def send(base: str, path: str, body: bytes, method: str = "POST", **headers: str) -> tuple[int, bytes]:
    """Send one request with exactly these headers."""
    with closing(http.client.HTTPConnection(urlsplit(base).netloc, timeout=PATIENCE)) as connection:
        connection.putrequest(method, path, skip_host="Host" in headers)
        for name, value in {**JSON, **headers, "Content-Length": str(len(body))}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.read() if method == "POST" else b""


def hello() -> bytes:
    return json.dumps(request(1, "initialize", HELLO)).encode()


async def test_both_http_transports_are_served_by_one_process(served: str) -> None:
    """Our promise: streamable HTTP at /mcp for today's hosts, /sse for older ones, on one port."""
    async with Client(f"{served}/mcp", mode=MODERN) as client:
        today = (await client.list_tools()).tools
    async with Client(sse_client(f"{served}/sse"), mode="legacy") as client:
        older = (await client.list_tools()).tools
    assert today == older


@pytest.mark.parametrize("path", ["/mcp", "/messages/?session_id=00000000000000000000000000000000"])
@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "169.254.169.254", ""])
def test_a_foreign_host_header_is_refused(served: str, path: str, host: str) -> None:
    """MCP transports, security warning: DNS rebinding; a name that now points to 127.0.0.1 is still a foreign name."""
    assert send(served, path, hello(), Host=host)[0] == 421


def test_a_foreign_host_header_is_refused_on_the_older_stream(served: str) -> None:
    """MCP transports, security warning, for the SSE stream itself."""
    assert send(served, "/sse", b"", "GET", Host="evil.example")[0] == 421


@pytest.mark.parametrize("path", ["/mcp", "/messages/?session_id=00000000000000000000000000000000"])
@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost.evil.example", "null", "file://"])
def test_a_foreign_origin_is_refused(served: str, path: str, origin: str) -> None:
    """MCP transports: servers MUST validate the Origin header and answer 403 if it is not valid."""
    assert send(served, path, hello(), Origin=origin)[0] == 403


@pytest.mark.parametrize("path", ["/mcp", "/messages/?session_id=00000000000000000000000000000000", "/ui/"])
@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (421, {"Host": "127.0.0.1:80.evil.example"}),
        (421, {"Host": "localhost:1/../x"}),
        (421, {"Host": "[::1]:80:80"}),
        (403, {"Origin": "http://127.0.0.1:1@evil.example"}),
        (403, {"Origin": "http://localhost:80.evil.example"}),
        (403, {"Origin": "http://[::1]:x"}),
    ],
)
def test_what_follows_the_colon_of_a_name_must_be_a_port(
    served: str, path: str, status: int, headers: dict[str, str]
) -> None:
    """RFC 3986, section 3.2.3: a port is digits; found by throwing names at the door, for the SDK takes anything there."""
    assert send(served, path, hello(), **headers)[0] == status


def test_a_page_of_this_machine_is_let_in(served: str) -> None:
    """Our promise: tools such as the Inspector run in a browser, on a port of their own."""
    assert send(served, "/mcp", hello(), Origin="http://localhost:6274")[0] == 200


def test_a_request_that_is_too_long_is_refused(served: str) -> None:
    """RFC 9110, 413: memory for one request is bounded."""
    padded = json.dumps(request(1, "initialize", {**HELLO, "_meta": {"padding": "x" * (8 << 20)}})).encode()
    try:
        status, _ = send(served, "/mcp", padded)
    except (BrokenPipeError, ConnectionResetError):  # it need not read what it will refuse
        status = 413
    assert status == 413
    assert send(served, "/mcp", hello())[0] == 200


@pytest.mark.parametrize("body", [b"", b"garbage", b"[]", b'{"jsonrpc":"2.0"}', b"\xff\xfe"])
def test_a_body_that_is_no_message_is_a_bad_request(served: str, body: bytes) -> None:
    """MCP transports: if the server cannot accept the input, it MUST return an HTTP error status code."""
    assert send(served, "/mcp", body)[0] == 400
    assert send(served, "/mcp", hello())[0] == 200


def test_unknown_paths_and_methods_are_refused(served: str) -> None:
    """RFC 9110: 404 and 405."""
    assert send(served, "/", hello())[0] == 404
    assert send(served, "/mcp", b"", "PUT")[0] == 405


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com", ""])
def test_an_address_others_can_reach_is_refused(environ: dict[str, str], host: str) -> None:
    """Our promise: without a way to tell callers apart, nobody else may spend with this key."""
    done = run(environ, "serve", "--transport", "http", "--host", host, "--port", "0")
    assert done.returncode == 1
    assert "127.0.0.1" in done.stderr
    assert "key" in done.stderr
    assert "Traceback" not in done.stderr


def test_loopback_names_are_let_through() -> None:
    """Our promise: the three ways to say "this machine"."""
    for host in LOOPBACK:
        require_way_in(Settings(), host, LOOPBACK)
    with pytest.raises(SettingsError, match="anybody on the network"):
        require_way_in(Settings(), "0.0.0.0", LOOPBACK)


@pytest.mark.parametrize("transport", ["http", "sse"])
def test_a_port_in_use_is_said_clearly(environ: dict[str, str], transport: str) -> None:
    """Our promise: a sentence and exit code 1, not a traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run(environ, "serve", "--transport", transport, "--port", str(port))
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_ipv6_loopback_is_served_under_an_address_that_works(environ: dict[str, str]) -> None:
    """RFC 3986: an IPv6 address stands in brackets."""
    if not socket.has_ipv6:
        pytest.skip("no IPv6")
    with serving(environ, "--host", "::1") as (_, base):
        assert base.startswith("http://[::1]:")
        answered = urllib.request.urlopen(urllib.request.Request(f"{base}/mcp", hello(), JSON), timeout=PATIENCE)
        with answered:
            assert answered.status == 200


HELD = [("listener", signal.SIGTERM), ("listener", signal.SIGINT), ("sse", signal.SIGTERM), ("call", signal.SIGTERM)]


@pytest.mark.skipif(os.name == "nt", reason="there are no such signals to a service on Windows")
@pytest.mark.parametrize(("stream", "number"), HELD, ids=str)
def test_open_streams_do_not_hold_up_the_end(
    gateway: Sandbox, environ: dict[str, str], stream: str, number: signal.Signals
) -> None:
    """Our promise: SIGTERM ends the server within 2 s, whatever hosts hold open."""
    gateway.arm("stall", "chat/completions")
    bodies: dict[str, tuple[str, str, Any]] = {
        "listener": ("POST", "/mcp", modern(1, "subscriptions/listen", {"notifications": {"toolsListChanged": True}})),
        "sse": ("GET", "/sse", None),
        "call": ("POST", "/mcp", modern(1, "tools/call", {"name": "chat", "arguments": {"prompt": "hi"}})),
    }
    method, path, message = bodies[stream]
    headers = dict(JSON)
    if message:
        headers |= {"MCP-Protocol-Version": ENVELOPE["io.modelcontextprotocol/protocolVersion"]}
        headers |= {"Mcp-Method": message["method"]}
        headers |= {"Mcp-Name": message["params"]["name"]} if "name" in message["params"] else {}
    with serving(environ) as (child, base), closing(http.client.HTTPConnection(urlsplit(base).netloc)) as connection:
        connection.request(method, path, json.dumps(message).encode() if message else None, headers)
        if stream == "call":
            gateway.journal.wait(lambda entry: entry.path.endswith("chat/completions"))
        else:
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            assert answer.readline()
        child.process.send_signal(number)
        code, seconds = child.ended()
        assert code == 0, child.stderr
        assert seconds < LIMIT
        assert "Traceback" not in child.stderr
    if stream == "call":
        gateway.journal.wait(lambda entry: entry.ended == "client closed")


@pytest.mark.parametrize("cell", [Cell("http", MODERN), Cell("http", HANDSHAKE), Cell("sse", HANDSHAKE)], ids=str)
async def test_one_hosts_stalled_call_holds_up_nobody(gateway: Sandbox, environ: dict[str, str], cell: Cell) -> None:
    """Our promise: while a call hangs upstream, everybody else is answered."""
    gateway.arm("stall", "chat/completions")
    async with connect(cell, environ) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(client.call_tool, "chat", {"prompt": "hi"})
        await gateway.journal.awaited(lambda entry: entry.path.endswith("chat/completions"))
        assert (await client.list_tools()).tools
        assert "qwen" in text_of(await client.call_tool("list_models", {}))
        tasks.cancel_scope.cancel()


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGTERM to a service on Windows")
def test_a_session_of_the_handshake_era_does_not_hold_up_the_end(gateway: Sandbox, environ: dict[str, str]) -> None:
    """Our promise: a stateful session's call runs outside of any request, and ends with the server too."""
    gateway.arm("stall", "chat/completions")
    with serving(environ) as (child, base), closing(http.client.HTTPConnection(urlsplit(base).netloc)) as connection:
        connection.request("POST", "/mcp", hello(), JSON)
        answer = connection.getresponse()
        session = {**JSON, "Mcp-Session-Id": answer.headers["Mcp-Session-Id"]}
        answer.read()
        ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        call = request(2, "tools/call", {"name": "chat", "arguments": {"prompt": "hi"}})
        for message in (ready, call):
            connection.request("POST", "/mcp", json.dumps(message).encode(), session)
            if message is ready:
                connection.getresponse().read()
        gateway.journal.wait(lambda entry: entry.path.endswith("chat/completions"))
        child.process.send_signal(signal.SIGTERM)
        code, seconds = child.ended()
        assert code == 0, child.stderr
        assert seconds < LIMIT
        assert "Traceback" not in child.stderr
    gateway.journal.wait(lambda entry: entry.ended == "client closed")


def test_nothing_is_written_to_stdout_over_http_either(environ: dict[str, str]) -> None:
    """Our promise: the address goes to stderr, so that stdout can be closed or piped."""
    with serving(environ) as (child, base):
        assert send(base, "/mcp", hello())[0] == 200
        child.process.terminate()
        child.ended()
        assert child.lines == []
