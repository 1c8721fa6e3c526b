"""Pages in hosts that show them (MCP Apps, `io.modelcontextprotocol/ui`): which tool has which page.

A host that does not say it shows pages is told nothing of them: its list of tools, its resources and its results are
the same as if there were none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from mcp.server.apps import APP_MIME_TYPE, Apps, ResourceCsp, client_supports_apps
from mcp.types import CallToolResult

from mtu_mcp.app import current_owner
from mtu_mcp.capabilities._spec import Content, ResourceSpec
from mtu_mcp.capabilities._views import VIEW
from mtu_mcp.server.pages import PAGES, page

if TYPE_CHECKING:
    from mcp.server.mcpserver import Context
    from mcp.types import InputRequiredResult, Resource, Tool

SHOWN_BY: Final[Mapping[str, str]] = {
    "generate_image": "gallery",
    "transcribe": "player",
    "speak": "player",
    "web_search": "search",
    "compare_models": "comparison",
    "usage_report": "usage",
}
"""Tools whose results a page shows."""
REMEMBERED: Final = ("compare_models", "web_search", "transcribe")
"""Tools of what a page shows and no file keeps."""
MOST_REMEMBERED: Final = 64
NOTHING_OUTSIDE: Final[Mapping[str, Any]] = {
    "ui": {
        "csp": ResourceCsp(
            connect_domains=[], resource_domains=["data:"], frame_domains=[], base_uri_domains=[]
        ).model_dump(by_alias=True, exclude_none=True),
        "prefersBorder": True,
    }
}
"""What a page asks of the frame it is shown in: no address to load from, and a border. Its pictures and sounds are in it
or handed to it, as `data:`, which the Inspector allows only where it is declared; others allow it anyway."""


def extension() -> Apps:
    """The extension by which the server says that it has pages."""
    return Apps()


def resources() -> list[ResourceSpec]:
    """The pages as resources."""
    return [ResourceSpec(address(name), _reader(name), title, mime=APP_MIME_TYPE) for name, title in PAGES.items()]


def address(name: str) -> str:
    """A page's address as a resource."""
    return f"ui://mtu-mcp/{name}.html"


def is_page(uri: str) -> bool:
    """Whether an address is that of a page."""
    return uri.startswith("ui://")


def meta_of_resource(uri: str) -> dict[str, Any] | None:
    """What goes with a resource besides its content."""
    return dict(NOTHING_OUTSIDE) if is_page(uri) else None


def with_pages(tools: Iterable[Tool]) -> list[Tool]:
    """The tools, each with the page that shows its results."""
    return [
        tool.model_copy(update={"meta": {**(tool.meta or {}), "ui": {"resourceUri": address(SHOWN_BY[tool.name])}}})
        if tool.name in SHOWN_BY
        else tool
        for tool in tools
    ]


def without_pages(listed: Iterable[Resource]) -> list[Resource]:
    """The resources of a host that shows no pages."""
    return [one for one in listed if not is_page(str(one.uri))]


def without_view(result: CallToolResult) -> CallToolResult:
    """A result without what only a page reads."""
    if not result.meta or VIEW not in result.meta:
        return result
    kept = {name: value for name, value in result.meta.items() if name != VIEW}
    return result.model_copy(update={"meta": kept or None})


class Latest:
    """The last result of each page for each caller; our own HTTP server shows it, since no host hands it over there."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], CallToolResult] = {}

    def of(self, name: str) -> CallToolResult | None:
        """The caller's last result that a page would show; None before the first."""
        return self._kept.get((current_owner(), name))

    def handed(
        self, tool: str, result: CallToolResult | InputRequiredResult, context: Context[Any, Any] | None
    ) -> CallToolResult | InputRequiredResult:
        """Remember a result, and return it as this host should have it."""
        if not isinstance(result, CallToolResult):
            return result
        tool, whole = _finished(tool, result)
        told: dict[str, Any] = (whole.meta or {}).get(VIEW, {})
        if tool in REMEMBERED and (whole.structured_content or told.get("transcript")):
            self._kept.pop(key := (current_owner(), SHOWN_BY[tool]), None)
            self._kept[key] = whole
            while len(self._kept) > MOST_REMEMBERED:
                del self._kept[next(iter(self._kept))]
        return result if context is not None and client_supports_apps(context) else without_view(result)


def _finished(tool: str, result: CallToolResult) -> tuple[str, CallToolResult]:
    """A result and its tool; of a job, what the call gave that was handed off, and which tool it called."""
    told: dict[str, Any] = (result.meta or {}).get(VIEW, {})
    if "job" not in told:
        return tool, result
    return told["job"]["tool"], result.model_copy(update={"structured_content": told.get("data")})


def _reader(name: str) -> Any:
    async def read() -> Content:
        return Content(page(name), APP_MIME_TYPE)

    read.__doc__ = f"{PAGES[name]}, as a page for people."
    return read
