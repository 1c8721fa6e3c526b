"""What stands in a host's file for this server: how to start it, and with which variables.

Hosts start servers in any folder, with hardly any environment and another PATH than a shell's; so the command is an
absolute path, and every variable the server needs to reach the gateway stands in the entry. A key is a person's to
give: it is written when they say so, and otherwise not, wherever else it could be found.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mtu_mcp.settings import Settings, variable

if TYPE_CHECKING:
    from mtu_mcp.cli._hostfiles import Host

KEY: Final = variable("api_key")
ALLOWED: Final = variable("allowed_dirs")
PROXIES: Final = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
CERTIFICATES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
OTHERS_BUNDLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Where other programs look for certificates; httpx, which this one uses, reads SSL_CERT_FILE."""
TRANSIENT: Final = ("/uv/archive-v", "/uv/builds-v", "\\uv\\cache\\", "/pipx/.cache/", "/_npx/")
"""Parts of paths of installations that a package runner may clear away at any time."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One server of a host's file.

    Attributes:
        command: An absolute path.
        args: What follows it.
        env: Variables by name.
        forwarded: Names of variables taken from the environment.
    """

    command: str
    args: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    forwarded: tuple[str, ...] = ()

    def data(self, host: Host) -> dict[str, Any]:
        """Return it in the host's shape."""
        kind = {"type": "stdio"} if host.name != "claude-desktop" else {}
        return {**kind, "command": self.command, "args": list(self.args), "env": dict(self.env)}


def how_to_start(executable: str, exists: Any = os.path.exists) -> tuple[str, tuple[str, ...]]:
    """Return the command that starts this installation, and its first arguments.

    The script beside the interpreter is what people recognise; where there is none, the interpreter runs the package.
    Links are not resolved: a virtual environment's interpreter is one, and means the environment.

    Args:
        executable: The running interpreter's path.
        exists: Whether a path is there.
    """
    folder, name = os.path.split(os.path.abspath(executable))  # noqa: PTH100 - Path.resolve would follow the link
    script = os.path.join(folder, "mtu-mcp" + (".exe" if name.lower().endswith(".exe") else ""))  # noqa: PTH118
    if exists(script):
        return script, ("serve",)
    return os.path.join(folder, name), ("-m", "mtu_mcp", "serve")  # noqa: PTH118


def forwarded(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that the server will need and a host would not pass on; never the key."""
    found: dict[str, str] = {}
    for name in Settings.model_fields:
        if name not in ("api_key", "problems") and (value := environ.get(variable(name), "").strip()):
            found[variable(name)] = value
    for name in PROXIES:
        # As urllib does: an empty one in small letters hides the one in capitals.
        if value := environ.get(name.lower(), environ.get(name)):
            found[name] = value
    for name in CERTIFICATES:
        if value := environ.get(name):
            found[name] = _absolute(value)
    if "SSL_CERT_FILE" not in found and "SSL_CERT_DIR" not in found:
        bundle = next((value for name in OTHERS_BUNDLES if (value := environ.get(name))), "")
        if bundle and Path(bundle).is_file():
            found["SSL_CERT_FILE"] = _absolute(bundle)
    return found


def _absolute(path: str) -> str:
    """Hosts start servers in any folder."""
    return str(Path(path).expanduser().absolute())


def make_entry(
    executable: str, environ: Mapping[str, str], *, key: str = "", folders: Sequence[str] = (), sandbox: bool = False
) -> Entry:
    """Return the entry for this installation.

    Args:
        executable: The running interpreter's path.
        environ: Where the variables to pass on are found.
        key: The key, or the host's reference to a variable; empty to write none.
        folders: Absolute folders whose files may be read.
        sandbox: Use the embedded gateway.
    """
    command, args = how_to_start(executable)
    taken = forwarded(environ)
    env = {KEY: key} if key else {}
    env |= taken
    if folders:
        before = [env[ALLOWED]] if env.get(ALLOWED) else []
        env[ALLOWED] = os.pathsep.join([*before, *folders])
    return Entry(command, (*args, *(["--sandbox"] if sandbox else [])), env, tuple(taken))


def is_transient(command: str) -> bool:
    """Whether the installation lies in a package runner's cache and may vanish."""
    return any(part in command for part in TRANSIENT)
