"""Starting a server as a host does, and shaking hands with it over raw pipes.

A client library would hide what matters here: that the very first line on stdout is a message and not somebody's
greeting, and what the child said on stderr when it could not start.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, cast

from mtu_mcp import __version__

PATIENCE: Final = 30.0
"""Seconds; Claude Code gives a server as long."""
MODERN: Final = "2026-07-28"
HANDSHAKE: Final = "2025-11-25"
_POSIX: Final = ("HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER")
_WINDOWS: Final = (
    "APPDATA", "HOMEDRIVE", "HOMEPATH", "LOCALAPPDATA", "PATH", "PATHEXT", "PROCESSOR_ARCHITECTURE",
    "SYSTEMDRIVE", "SYSTEMROOT", "TEMP", "USERNAME", "USERPROFILE",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Greeting:
    """How a handshake went.

    Attributes:
        tools: Names of the tools listed.
        version: What the server calls itself.
        protocol: The protocol version agreed on.
        seconds: From start to the list of tools.
        trouble: What went wrong, one sentence; empty if nothing did.
        said: The last lines on stderr.
    """

    tools: tuple[str, ...] = ()
    version: str = ""
    protocol: str = ""
    seconds: float = 0.0
    trouble: str = ""
    said: str = ""


class _BrokenError(Exception):
    """The child did not do what a server does; says what it did instead."""


def minimal(environ: Mapping[str, str], platform: str = sys.platform) -> dict[str, str]:
    """Return what a host's SDK passes on of its own environment to the servers it starts."""
    return {name: environ[name] for name in (_WINDOWS if platform == "win32" else _POSIX) if name in environ}


def anywhere(environ: Mapping[str, str], platform: str = sys.platform) -> str:
    """Return the folder in which Claude Desktop starts servers."""
    if platform == "win32":
        return os.path.join(environ.get("SYSTEMROOT", "C:\\Windows"), "system32")  # noqa: PTH118 - text for a child
    return "/"


def greet(
    command: Sequence[str], environ: Mapping[str, str], folder: str, *, modern: bool, patience: float = PATIENCE
) -> Greeting:
    """Start a server, ask for its tools, and end it. Blocks for up to `patience` seconds.

    Args:
        command: What to start, an absolute path first.
        environ: All of its environment.
        folder: Its working folder.
        modern: Speak the 2026-07-28 protocol; otherwise the one with a handshake.
        patience: Seconds for all of it.
    """
    started = time.monotonic()
    try:
        with _running(command, environ, folder, patience) as child:
            try:
                return _talk(child, modern, started)
            except (_BrokenError, OSError) as error:
                late = time.monotonic() - started >= patience
                trouble = f"It did not answer within {patience:g} s." if late else str(error)
                return Greeting(trouble=trouble, said=child.last_words())
    except OSError as error:
        return Greeting(trouble=f"It cannot be started: {error.strerror or error} ({command[0]}).")


@dataclass(slots=True)
class _Child:
    process: subprocess.Popen[bytes]
    errors: Any
    number: int = field(default=0)

    def ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        self.number += 1
        self.send({"jsonrpc": "2.0", "id": self.number, "method": method, "params": dict(params)})
        while True:
            message = self._next()
            if "method" in message or message.get("id") != self.number:
                continue
            if "error" in message:
                raise _BrokenError(f"It answered {method} with an error: {str(message['error'])[:200]}.")
            return message["result"]

    def send(self, message: Mapping[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def _next(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            raise _BrokenError(f"It ended (exit code {code}) before it answered.")
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            shown = line.decode("utf-8", "replace").strip()[:100]
            raise _BrokenError(f"It wrote something on stdout that is no message: {shown!r}.")
        return cast("dict[str, Any]", message)

    def last_words(self) -> str:
        self.process.kill()
        self.process.wait()
        self.errors.seek(0, os.SEEK_END)
        self.errors.seek(max(0, self.errors.tell() - 4000))
        return "\n".join(self.errors.read().decode("utf-8", "replace").strip().splitlines()[-5:])


@contextmanager
def _running(command: Sequence[str], environ: Mapping[str, str], folder: str, patience: float) -> Generator[_Child]:
    import tempfile
    import threading

    with tempfile.TemporaryFile() as errors:  # a pipe that nobody reads could fill up and stop the child
        process = subprocess.Popen(  # noqa: S603 - starting what the person's own file names is the task
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=dict(environ),
            cwd=folder,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        timer = threading.Timer(patience, process.kill)  # ends every wait for the child
        timer.daemon = True
        timer.start()
        try:
            yield _Child(process, errors)
        finally:
            timer.cancel()
            _leave(process)


def _leave(process: subprocess.Popen[bytes]) -> None:
    """Close its stdin, as hosts do, and give it a moment."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            try:
                stream.close()
            except OSError:  # it has gone, with what was still to be written
                continue
    try:
        process.wait(3.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _talk(child: _Child, modern: bool, started: float) -> Greeting:
    client = {"name": "mtu-mcp-install", "version": __version__}
    envelope: dict[str, Any] = {}
    if modern:
        prefix = "io.modelcontextprotocol/"
        said = {f"{prefix}protocolVersion": MODERN, f"{prefix}clientInfo": client, f"{prefix}clientCapabilities": {}}
        envelope = {"_meta": said}
        about = child.ask("server/discover", envelope)
        protocol = MODERN
    else:
        hello = {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": client}
        about = child.ask("initialize", hello)
        protocol = str(about.get("protocolVersion", ""))
        child.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
    tools: list[dict[str, Any]] = child.ask("tools/list", envelope).get("tools", [])
    meta: dict[str, Any] = about.get("_meta") or {}
    server: dict[str, Any] = about.get("serverInfo") or meta.get("io.modelcontextprotocol/serverInfo") or {}
    names = tuple(str(tool.get("name", "")) for tool in tools)
    version = f"{server.get('name', '')} {server.get('version', '')}".strip()
    return Greeting(names, version, protocol, time.monotonic() - started)
