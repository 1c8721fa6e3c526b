"""The real `mtu-mcp` as a child process, spoken to over raw pipes: what a client library would hide."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

PATIENCE = 30.0
"""Seconds a test waits for an event that has to come, on a slow machine."""
MODERN = "2026-07-28"
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


def request(number: int | str, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A JSON-RPC request."""
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": dict(params or {})}


def modern(number: int | str, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A JSON-RPC request with the 2026-07-28 envelope."""
    return request(number, method, {**(params or {}), "_meta": ENVELOPE})


class Child:
    """A running child: everything it writes is kept, and can be waited for."""

    def __init__(self, process: "subprocess.Popen[bytes]", read: Callable[[bytes], Any]) -> None:
        self.process = process
        self._read = read
        self.lines: list[bytes] = []
        self.errors: list[str] = []
        self._messages: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._errors: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._read_stdout, daemon=True),
            threading.Thread(target=self._read_stderr, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _read_stdout(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            self._messages.put(self._read(line))
        self._messages.put(None)

    def _read_stderr(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.errors.append(line.decode("utf-8", "replace"))
            self._errors.put(self.errors[-1])
        self._errors.put(None)

    def write(self, data: bytes) -> None:
        """Write bytes as they are."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, *messages: Mapping[str, Any]) -> None:
        """Write messages, one a line."""
        self.write(b"".join(json.dumps(message).encode() + b"\n" for message in messages))

    def next(self) -> dict[str, Any]:
        """The next message."""
        message = self._messages.get(timeout=PATIENCE)
        assert message is not None, f"stdout ended; stderr: {self.stderr}"
        return message

    def answer(self, number: int | str | None) -> dict[str, Any]:
        """The answer to a request; what comes before it is passed over."""
        while True:
            message = self.next()
            if "method" not in message and message.get("id") == number:
                return message

    def ask(self, number: int | str, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        self.send(request(number, method, params))
        return self.answer(number)

    def shake_hands(self) -> dict[str, Any]:
        """Open the handshake era."""
        answer = self.ask("hello", "initialize", HELLO)
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return answer

    def error_line(self, part: str) -> str:
        """Wait for a line on stderr that holds `part`."""
        while (line := self._errors.get(timeout=PATIENCE)) is not None:
            if part in line:
                return line
        raise AssertionError(f"stderr ended without {part!r}: {self.stderr}")

    @property
    def stderr(self) -> str:
        """What came on stderr so far."""
        return "".join(self.errors)

    def leave(self) -> None:
        """Close its stdin, as a host does."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def ended(self) -> tuple[int, float]:
        """Wait for its end: the exit code, and how many seconds it took from now."""
        started = time.monotonic()
        code = self.process.wait(PATIENCE)
        seconds = time.monotonic() - started
        for thread in self._threads:
            thread.join(PATIENCE)
        return code, seconds


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without our own variables, in English, and with `extra`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MTU_")}
    return {**kept, "PYTHONUNBUFFERED": "", "LC_ALL": "C.UTF-8", **extra}


@contextmanager
def running(
    environ: Mapping[str, str],
    *command: str,
    executable: Sequence[str] = (),
    read: Callable[[bytes], Any] = json.loads,
) -> Iterator[Child]:
    """Start `python -m mtu_mcp COMMAND`, or another executable; killed at the end if it still runs.

    `read` makes a message of a line of its stdout.
    """
    process = subprocess.Popen(
        [*(executable or (sys.executable, "-m", "mtu_mcp")), *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(environ),
    )
    child = Child(process, read)
    try:
        yield child
    finally:
        process.kill()
        with process:
            child.ended()


def run(environ: Mapping[str, str], *command: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    """Run `python -m mtu_mcp COMMAND` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "mtu_mcp", *command],
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        env=environment({"PYTHONIOENCODING": "utf-8", **environ}),
        timeout=PATIENCE,
        check=False,
    )


ASKED_TO_END = [signal.SIGINT, signal.SIGTERM]
