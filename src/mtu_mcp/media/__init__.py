"""Bytes in and out, safely.

Owns: the one function for paths, the one for downloads, what bytes are and measure, the output folder, previews.
Asks for: the folders a call may touch, the output folder, a clock, a resolver and a transport.
Knows nothing of: the gateway, models, prices, conversations, MCP.
Because: this room stands between a language model's arguments and a person's disk and network; one door is watched best.
"""

from mtu_mcp.media.download import Fetched, fetch
from mtu_mcp.media.kinds import Family, Kind, identify, kind_of_name
from mtu_mcp.media.library import Library, Saved
from mtu_mcp.media.measurement import Measurement, measure
from mtu_mcp.media.preview import Preview, preview
from mtu_mcp.media.privacy import strip_metadata
from mtu_mcp.media.references import Media, open_reference
from mtu_mcp.media.workspace import Workspace, folders_from_roots

__all__ = [
    "Family",
    "Fetched",
    "Kind",
    "Library",
    "Measurement",
    "Media",
    "Preview",
    "Saved",
    "Workspace",
    "fetch",
    "folders_from_roots",
    "identify",
    "kind_of_name",
    "measure",
    "open_reference",
    "preview",
    "strip_metadata",
]
