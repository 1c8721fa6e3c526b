"""The doctor's look at the hosts on this machine, and at what `serve` writes first."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import mtu_mcp
from mtu_mcp.checkup import Finding
from mtu_mcp.cli._entries import how_to_start
from mtu_mcp.cli._handshake import Greeting, anywhere, greet, minimal
from mtu_mcp.cli._hostfiles import HOSTS, Host, Surroundings
from mtu_mcp.cli._jsontext import JsonTextError, read
from mtu_mcp.cli._replacement import read_file, unmarked
from mtu_mcp.cli.install import expanded, start
from mtu_mcp.errors import MtuError
from mtu_mcp.settings import Settings


def with_key(around: Surroundings, folder: Path, only: str = "") -> tuple[str, dict[str, str]] | None:
    """Find an entry of ours and its variables: what the server will be started with, which is what matters.

    Args:
        around: The platform, environment and home folder.
        folder: The project's folder.
        only: The host to look at; empty takes the first that has an entry with a key.

    Returns:
        Words on where it stands, and its variables; None if there is none.
    """
    for host in HOSTS.values():
        for file in _files(host, around, folder) if only in ("", host.name) else ():
            try:
                servers = _mapping(_mapping(read(unmarked(read_file(file))[1], lax=host.lax)).get(host.key))
            except (MtuError, JsonTextError):
                continue  # the host's own line says what is wrong with it
            for entry in map(_mapping, servers.values()):
                env = {name: expanded(str(value), around.environ) for name, value in _mapping(entry.get("env")).items()}
                if is_ours(entry) and (only or Settings.read(env).api_key):
                    return f"{host.title}'s entry in {file}", env
    return None


def stdout_clean(environ: Mapping[str, str]) -> Finding:
    """Start `serve` as Claude Desktop does, and read its first output: stdout belongs to the protocol."""
    command, args = how_to_start(sys.executable)
    kept = {name: value for name, value in environ.items() if name.startswith("MTU_")}
    greeting = greet([command, *args], {**minimal(environ), **kept}, anywhere(environ), modern=False)
    if greeting.trouble:
        said = f"{greeting.trouble} {greeting.said}".strip()
        return Finding("server", "bad", said, f"Install it again, or run it to see: {command} {' '.join(args)}")
    return Finding(
        "server",
        "ok",
        f"It starts in {greeting.seconds:.1f} s, lists {len(greeting.tools)} tools, and stdout is clean.",
    )


def hosts(around: Surroundings, folder: Path) -> list[Finding]:
    """Check the entries of every host's files on this machine, and of the project in `folder`."""
    findings: list[Finding] = []
    for host in HOSTS.values():
        there = _files(host, around, folder)
        findings += [finding for file in there for finding in _file(host, file, around.environ)]
        usual = Path(str(host.user(around)[0]))
        if not there and usual.parent.exists() and usual.parent != Path(around.home):
            findings.append(_absent(host, usual))
    return findings or [
        Finding(
            "hosts", "skipped", "No host's configuration was found on this machine.", "mtu-mcp install claude-desktop"
        )
    ]


def _files(host: Host, around: Surroundings, folder: Path) -> list[Path]:
    """The host's files that exist: the user's and the project's."""
    places = [Path(str(place)) for place in host.user(around)] + ([folder / host.project] if host.project else [])
    return [place for place in dict.fromkeys(places) if place.exists()]


def _absent(host: Host, file: Path) -> Finding:
    return Finding(host.name, "skipped", f"{file} is not there.", f"mtu-mcp install {host.name}")


def _file(host: Host, file: Path, environ: Mapping[str, str]) -> list[Finding]:
    try:
        body = unmarked(read_file(file))[1]
        data: Any = read(body, lax=host.lax) if body.strip() else {}
    except MtuError as error:
        return [Finding(host.name, "bad", error.message, error.advice)]
    except JsonTextError as error:
        said = f"{file} is broken JSON ({error}); {host.title} reads none of it."
        return [Finding(host.name, "bad", said, "Mend it at that place.")]
    servers = _mapping(_mapping(data).get(host.key))
    ours = {name: _mapping(entry) for name, entry in servers.items() if is_ours(_mapping(entry))}
    if not ours:
        return [Finding(host.name, "skipped", f"{file} has no entry for it.", f"mtu-mcp install {host.name}")]
    return [entry_health(host, name, entry, file, environ) for name, entry in ours.items()]


def is_ours(entry: Mapping[str, Any]) -> bool:
    """Whether an entry starts this server."""
    args: list[object] = entry.get("args") or []
    words = [str(entry.get("command", "")), *map(str, args)]
    return any(re.search(r"(^|[/\\])mtu-mcp(\.exe)?$|^mtu_mcp$", word) for word in words)


def entry_health(host: Host, name: str, entry: Mapping[str, Any], file: Path, environ: Mapping[str, str]) -> Finding:
    """Check one entry: its command exists, starts, and is this version."""
    again = f"mtu-mcp install {host.name}" + (f" --name {name}" if name != "mtu" else "")
    again += (
        f" --project {file.parent if file.name == '.mcp.json' else file.parent.parent}"
        if _is_project(host, file)
        else ""
    )
    command = str(entry.get("command", ""))
    if not os.path.isabs(command):  # noqa: PTH117 - text of another program's file
        if shutil.which(command) is None:
            return Finding(host.name, "bad", f"{file}: the command {command!r} is not on the path.", again)
        said = f"{file}: {command!r} is found here, but {host.title} may have another path."
        return Finding(host.name, "warn", said, again)
    if not Path(command).exists():
        return Finding(host.name, "bad", f"{file}: {command} is not there any more.", again)
    greeting = start(host, entry, environ)
    if greeting.trouble:
        return Finding(host.name, "bad", f"{file}: {greeting.trouble} {greeting.said}".strip(), again)
    return _versions(host, file, greeting, again)


def _versions(host: Host, file: Path, greeting: Greeting, again: str) -> Finding:
    said = f"{file}: {greeting.version} starts and lists {len(greeting.tools)} tools"
    version = greeting.version.rpartition(" ")[2]
    if version != mtu_mcp.__version__:
        return Finding(host.name, "warn", f"{said}; this is {mtu_mcp.__version__}.", again)
    return Finding(host.name, "ok", f"{said}.")


def _is_project(host: Host, file: Path) -> bool:
    return bool(host.project) and file.as_posix().endswith(f"/{host.project}") and host.name != "cursor"


def _mapping(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
