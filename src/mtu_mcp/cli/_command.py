"""How this command is called here: a person copies what is printed, and a virtual environment is seldom on the path."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Final

NAME: Final = "mtu-mcp"
COMMANDS: Final = "serve|demo|call|usage|sandbox|install|uninstall|doctor|claude-code-env"
_MENTION: Final = re.compile(rf"(?<![\w./\\-]){NAME}(?= (?:{COMMANDS})\b)")


def as_typed(text: str, typed: str | None = None, found: str | None = None) -> str:
    """Return a text in which every `mtu-mcp COMMAND` is written so that it runs in this shell.

    Args:
        text: What is to be printed.
        typed: How the command was called. Default: as this process was.
        found: Where the shell finds `mtu-mcp` by its name alone. Default: by this process's path.
    """
    typed = sys.argv[0] if typed is None else typed
    found = (shutil.which(NAME) or "") if found is None else found
    if Path(typed).stem != NAME or Path(typed).absolute() == Path(found).absolute():
        return text
    return _MENTION.sub(lambda _: quoted(typed), text)


def quoted(path: str, *, windows: bool = sys.platform == "win32") -> str:
    """Return a path as one word of the shell."""
    if windows:
        return f'& "{path}"' if " " in path else path
    return shlex.quote(path)
