"""How long hosts wait for the answer to a call, as far as they say, and when a call is therefore handed off.

A host whose time is over sends the same cancellation as a person who pressed Stop, so the answer has to be on its way
before. `MARGIN` is for the way: a slow pipe, a busy host.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import inf
from typing import Final

MARGIN: Final = 15.0
"""Seconds between being answered and the host's own limit."""
UNKNOWN: Final = 60.0
"""Seconds that clients made with the TypeScript SDK wait unless told otherwise; the shortest limit that is known."""
OWN: Final = "mtu-mcp-shell"
"""How `mtu-mcp call` and `mtu-mcp demo` name themselves: they wait for as long as it takes."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """What one host is known to wait.

    Attributes:
        client: The beginning of the name it gives itself, in small letters.
        seconds: How long it waits for the answer to a call.
        since: The first version that does; older ones are as unknown.
    """

    client: str
    seconds: float
    since: str = ""


TABLE: Final = (
    # Claude Code has no limit of its own, but MCP_TOOL_TIMEOUT sets one, and its model can do nothing while it waits.
    Deadline("claude-code", 300),
    # Claude Desktop: about four minutes, 60 s in older builds; all of them give the same version.
    Deadline("claude-ai", 60),
)
"""The last entry that fits counts."""


def patience(client: str, version: str, override: float | None, table: tuple[Deadline, ...] = TABLE) -> float:
    """Seconds after which a call is handed off; infinity for never.

    Args:
        client: The name the host gives itself; empty when it gives none.
        version: Its version.
        override: What the user set; 0 is never.
        table: What is known of hosts.
    """
    if client == OWN:
        return inf
    if override is not None:
        return override or inf
    name = client.lower()
    fitting = [one.seconds for one in table if name.startswith(one.client) and _figures(version) >= _figures(one.since)]
    return max(1.0, (fitting[-1] if fitting else UNKNOWN) - MARGIN)


def _figures(version: str) -> tuple[int, ...]:
    return tuple(int(part[:9]) for part in re.findall(r"\d+", version)[:4])
