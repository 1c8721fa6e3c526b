"""Where each host keeps its servers, and in what shape.

Pure functions of (platform, environment, home), so that the three systems' rules can be tried on any of them. Several
places are possible for some hosts; they come best first, and the first whose folder exists is the one in use.

Sources: modelcontextprotocol.io (Claude Desktop), code.claude.com/docs/en/mcp (Claude Code), cursor.com/docs (Cursor),
code.visualstudio.com/docs (Visual Studio Code).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Final

Places = tuple[PurePath, ...]
STORE_PACKAGE: Final = "Claude_pzs8sxrjxfjjc"
"""The package of Claude Desktop from the Microsoft Store, whose %APPDATA% is redirected into the package's folder."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What decides where a host's files are.

    Attributes:
        platform: As `sys.platform` says it: "darwin", "win32", "linux".
        environ: The environment's variables.
        home: The home folder, as text.
    """

    platform: str
    environ: Mapping[str, str]
    home: str

    def path(self, text: str) -> PurePath:
        """Read a path by this platform's rules."""
        return PureWindowsPath(text) if self.platform == "win32" else PurePosixPath(text)

    @property
    def roaming(self) -> PurePath:
        """Where programs keep their users' settings."""
        home = self.path(self.home)
        if self.platform == "win32":
            return self.path(self.environ.get("APPDATA") or str(home / "AppData" / "Roaming"))
        if self.platform == "darwin":
            return home / "Library" / "Application Support"
        return self.path(self.environ.get("XDG_CONFIG_HOME") or str(home / ".config"))


@dataclass(frozen=True, slots=True)
class Host:
    """One host.

    Attributes:
        name: As on our command line.
        title: As people call it.
        key: The member of its file that holds the servers by name.
        lax: Whether its file may hold comments.
        reference: What its file holds in place of a key, with {} for the variable's name: a variable of the host's own
            environment, or a question it asks its user; empty if it knows neither.
        modern: Whether it speaks the 2026-07-28 protocol; otherwise the one with a handshake.
        user: Where its file is, best first.
        project: Where a project's file is, below the project's folder; empty if it has none.
        reload: What a person does for a changed file to be read.
    """

    name: str
    title: str
    key: str
    lax: bool
    reference: str
    modern: bool
    user: Callable[[Surroundings], Places]
    project: str
    reload: str


def claude_desktop(around: Surroundings) -> Places:
    """Return where Claude Desktop reads its servers."""
    name = "claude_desktop_config.json"
    places = [around.roaming / "Claude" / name]
    if around.platform == "win32":
        home = around.path(around.home)
        local = around.path(around.environ.get("LOCALAPPDATA") or str(home / "AppData" / "Local"))
        places.append(local / "Packages" / STORE_PACKAGE / "LocalCache" / "Roaming" / "Claude" / name)
    return tuple(places)


def claude_code(around: Surroundings) -> Places:
    """Return where Claude Code keeps a user's servers."""
    folder = around.environ.get("CLAUDE_CONFIG_DIR") or around.home
    return (around.path(folder) / ".claude.json",)


def cursor(around: Surroundings) -> Places:
    """Return where Cursor reads a user's servers."""
    return (around.path(around.home) / ".cursor" / "mcp.json",)


def vscode(around: Surroundings) -> Places:
    """Return where Visual Studio Code and its kin read a user's servers."""
    return tuple(around.roaming / edition / "User" / "mcp.json" for edition in ("Code", "Code - Insiders", "VSCodium"))


HOSTS: Final[Mapping[str, Host]] = {
    host.name: host
    for host in (
        Host(
            "claude-desktop",
            "Claude Desktop",
            key="mcpServers",
            lax=False,
            reference="",
            modern=False,
            user=claude_desktop,
            project="",
            reload="Quit Claude Desktop fully (not only its window) and start it again.",
        ),
        Host(
            "claude-code",
            "Claude Code",
            key="mcpServers",
            lax=False,
            reference="${{{}:-}}",
            modern=True,
            user=claude_code,
            project=".mcp.json",
            reload="Start a new session of Claude Code; /mcp shows the server.",
        ),
        Host(
            "cursor",
            "Cursor",
            key="mcpServers",
            lax=True,
            reference="${{env:{}}}",
            modern=False,
            user=cursor,
            project=".cursor/mcp.json",
            reload="Cursor asks whether to start it; see Settings, Tools & MCP.",
        ),
        Host(
            "vscode",
            "Visual Studio Code",
            key="servers",
            lax=True,
            reference="${{input:mtu-api-key}}",
            modern=False,
            user=vscode,
            project=".vscode/mcp.json",
            reload='Run "MCP: List Servers" in the command palette and start it.',
        ),
    )
}


def config_file(host: Host, around: Surroundings, project: Path | None, exists: Callable[[Path], bool]) -> Path:
    """Return the host's file on this machine; it need not exist yet.

    Args:
        host: Which host.
        around: The platform, environment and home folder.
        project: The project's folder, for the project's own file.
        exists: Whether a folder or file is there.
    """
    if project is not None:
        return project / host.project
    places = [Path(str(place)) for place in host.user(around)]
    for there in (places, [place.parent for place in places], [place.parent.parent for place in places]):
        for place, seen in zip(places, there, strict=True):
            if exists(seen):
                return place
    return places[0]
