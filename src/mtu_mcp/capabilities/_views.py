"""What a page for people knows of an answer beyond what a model reads.

It goes into the result's `_meta`, which hosts pass on to the page and not to the model (MCP Apps, "Data Passing"), and
only to hosts that show pages. Everything the answer says is in its text as well; this is the same as data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from mtu_mcp.gateway import current_scope

if TYPE_CHECKING:
    from mtu_mcp.media import Saved

VIEW: Final = "mtu-mcp/view"
"""The key in a result's `_meta`."""
LONGEST: Final = 20_000
"""Characters of one value."""
_TOLD: Final = ("prompt", "revised_prompt", "full_prompt", "model", "cny", "seconds", "voice", "text")


def file_facts(saved: Saved) -> dict[str, Any]:
    """What a page shows of a file: where it is, and what its sidecar says of how it came to be."""
    facts: dict[str, Any] = {
        "uri": saved.uri,
        "name": saved.name,
        "mime": saved.kind.mime,
        "path": str(saved.path),
        "created": saved.created,
    }
    for name in _TOLD:
        value = saved.about.get(name)
        if isinstance(value, str) and value:
            facts[name] = value[:LONGEST]
        elif isinstance(value, int | float):
            facts[name] = value
    return facts


def meta_of(told: Mapping[str, Any]) -> dict[str, Any] | None:
    """The `_meta` of a result; None where there is nothing to tell."""
    kept = {name: value for name, value in told.items() if value}
    return {VIEW: kept} if kept else None


def share_of_cost(among: int = 1) -> dict[str, float]:
    """What each of some things cost that this call made, for a sidecar: `cny`; nothing where no price is known."""
    paid = [one.cny for one in current_scope().exchanges if one.cny is not None]
    return {"cny": round(sum(paid) / max(1, among), 6)} if paid else {}
