"""Claude Code's own command, which knows better than we where its servers are kept.

It also rewrites its file while it runs; going through it means that nobody's change is lost.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, Final

from mtu_mcp.errors import SettingsError

SECONDS: Final = 60.0


def find(environ: Mapping[str, str]) -> str:
    """Return the path of `claude`; empty if it is not there, or a batch file, which cannot be given JSON safely."""
    import shutil

    found = shutil.which("claude", path=environ.get("PATH"))
    return "" if found is None or found.lower().endswith((".cmd", ".bat", ".ps1")) else found


def add(claude: str, name: str, entry: Mapping[str, Any], environ: Mapping[str, str], *, replace: bool) -> str:
    """Add a server for the user, in all projects; return what the command said.

    Raises:
        SettingsError: The command failed.
    """
    if replace:
        remove(claude, name, environ)
    return _run(claude, ["mcp", "add-json", "--scope", "user", name, json.dumps(entry, ensure_ascii=False)], environ)


def remove(claude: str, name: str, environ: Mapping[str, str]) -> str:
    """Take a server of the user's out; return what the command said.

    Raises:
        SettingsError: The command failed.
    """
    return _run(claude, ["mcp", "remove", "--scope", "user", name], environ)


def _run(claude: str, arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    shown = " ".join(arguments[:-1])
    try:
        done = subprocess.run(  # noqa: S603 - the person's own claude
            [claude, *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            stdin=subprocess.DEVNULL,
            env=dict(environ),
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SettingsError(
            f"claude {shown} failed: {error}.", advice="Use --file to write the file itself."
        ) from error
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[:300]
        raise SettingsError(f"claude {shown} failed: {said}", advice="Use --file to write the file itself.")
    return " ".join(done.stdout.split())
