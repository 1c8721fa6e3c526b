"""Opening what a model named as a file, with its bytes here: what is at an address is downloaded first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mtu_mcp.app import App
    from mtu_mcp.media import Media, Workspace
    from mtu_mcp.media.references import Download


async def open_here(
    app: App,
    workspace: Workspace,
    reference: str,
    families: Sequence[str],
    most: int,
    download: Download | None = None,
) -> Media:
    """Open a path, address, data URI or mtu://media/ link.

    Args:
        app: The running server.
        workspace: The folders this call may read.
        reference: What the model wrote.
        families: What is accepted.
        most: Bytes.
        download: Downloads an address, where the app's own way is not the right one.

    Raises:
        MtuError: As `media.open_reference` does.
    """
    from mtu_mcp.media import open_reference

    return await open_reference(
        reference,
        workspace=workspace,
        library=app.library,
        families=families,
        max_bytes=most,
        keep_urls=False,
        download=download or app.download,
    )
