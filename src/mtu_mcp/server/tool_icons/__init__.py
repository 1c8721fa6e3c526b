"""The tools' icons, for hosts that draw them: `TOOL.png`, drawn by `packaging/draw_tool_icons.py`.

An icon is for people, and longer than most of what a tool says of itself; a host without a place for it would count it,
log it or even hand it to its model. So a host is given icons when it shows pages (MCP Apps) or is known to draw them,
and every host when `MTU_TOOL_ICONS` is set. They are PNG, which hosts must know (MCP 2025-11-25, Icons): VS Code has
left SVG in a data address undrawn.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from functools import cache
from pkgutil import get_data
from typing import TYPE_CHECKING, Final

from mcp.types import Icon

if TYPE_CHECKING:
    from mcp.types import Tool

DRAWN_BY: Final = ("visual studio code", "mcp-inspector")
"""How hosts name themselves, in small letters, that draw tools' icons and may show no pages."""


def draws(client: str) -> bool:
    """Whether a host of this name is known to draw tools' icons."""
    return client.lower().startswith(DRAWN_BY)


def with_icons(tools: Iterable[Tool]) -> list[Tool]:
    """The tools, each with its icon."""
    return [tool.model_copy(update={"icons": [_icon(tool.name)]}) for tool in tools]


@cache
def _icon(name: str) -> Icon:
    png = get_data(__name__, f"{name}.png")
    assert png is not None, f"{name} has no icon in the package"
    return Icon(src=f"data:image/png;base64,{b64encode(png).decode()}", mime_type="image/png", sizes=["48x48"])
