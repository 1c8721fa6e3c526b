"""What a host does for a server, as far as the commands that play one need it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcp.client import ClientRequestContext
    from mcp.client.session import ListRootsFnT
    from mcp.types import ErrorData, Implementation, ListRootsResult


def naming(*folders: Path) -> ListRootsFnT:
    """Answer `roots/list` with these folders."""

    async def answer(context: ClientRequestContext) -> ListRootsResult | ErrorData:
        from mcp.types import ListRootsResult, Root

        del context
        return ListRootsResult.model_validate(
            {"roots": [Root.model_validate({"uri": one.as_uri()}) for one in folders]}
        )

    return answer


def shell() -> Implementation:
    """How a command names itself: a person in a shell waits, so nothing is handed off."""
    from mcp.types import Implementation

    import mtu_mcp
    from mtu_mcp.server.deadlines import OWN

    return Implementation(name=OWN, version=mtu_mcp.__version__)
