"""Bytes in and out, safely.

Owns: the one function for paths, the one for downloads, what bytes are and measure, what is taken out of them before
they leave, the output folder, previews.
Asks for: the folders a call may touch, the output folder, a clock, a resolver and a transport.
Knows nothing of: the gateway, models, prices, conversations, MCP.
Because: this room stands between a language model's arguments and a person's disk and network; one door is watched best.
"""

from typing import TYPE_CHECKING, Final

from mtu_mcp.deferral import deferred

if TYPE_CHECKING:
    from mtu_mcp.media.download import Fetched, fetch
    from mtu_mcp.media.extraction import extract_text
    from mtu_mcp.media.kinds import Family, Kind, kind_of, kind_of_name
    from mtu_mcp.media.latest import Found, Wish, newest, wish_of
    from mtu_mcp.media.library import Library, Saved
    from mtu_mcp.media.measurement import Measurement
    from mtu_mcp.media.measuring import measure, measure_blocking
    from mtu_mcp.media.media import Media
    from mtu_mcp.media.privacy import strip_metadata
    from mtu_mcp.media.references import open_reference
    from mtu_mcp.media.thumbnails import Preview, preview
    from mtu_mcp.media.workspace import Workspace, folders_from_roots

__all__ = [
    "Family",
    "Fetched",
    "Found",
    "Kind",
    "Library",
    "Measurement",
    "Media",
    "Preview",
    "Saved",
    "Wish",
    "Workspace",
    "extract_text",
    "fetch",
    "folders_from_roots",
    "kind_of",
    "kind_of_name",
    "measure",
    "measure_blocking",
    "newest",
    "open_reference",
    "preview",
    "strip_metadata",
    "wish_of",
]

# Names are loaded when first asked for: a server that lists its tools needs none of this yet.
_HOMES: Final = {
    "Family": "kinds",
    "Fetched": "download",
    "Found": "latest",
    "Kind": "kinds",
    "Library": "library",
    "Measurement": "measurement",
    "Media": "media",
    "Preview": "thumbnails",
    "Saved": "library",
    "Wish": "latest",
    "Workspace": "workspace",
    "extract_text": "extraction",
    "fetch": "download",
    "folders_from_roots": "workspace",
    "kind_of": "kinds",
    "kind_of_name": "kinds",
    "measure": "measuring",
    "measure_blocking": "measuring",
    "newest": "latest",
    "open_reference": "references",
    "preview": "thumbnails",
    "strip_metadata": "privacy",
    "wish_of": "latest",
}

__getattr__ = deferred(__name__, _HOMES)
