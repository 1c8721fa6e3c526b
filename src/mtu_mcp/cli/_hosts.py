"""What a host does for a server, as far as the commands that play one need it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcp.client import ClientRequestContext
    from mcp.client.session import ListRootsFnT
    from mcp.types import ErrorData, ListRootsResult


def naming(*folders: Path) -> ListRootsFnT:
    """Answer `roots/list` with these folders."""

    async def answer(context: ClientRequestContext) -> ListRootsResult | ErrorData:
        from mcp.types import ListRootsResult, Root

        del context
        return ListRootsResult.model_validate(
            {"roots": [Root.model_validate({"uri": one.as_uri()}) for one in folders]}
        )

    return answer
