"""What several tools do with files at the gateway and the results fetched from it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from mtu_mcp.errors import NotOffered

if TYPE_CHECKING:
    from mtu_mcp.app import App
    from mtu_mcp.media import Saved


@asynccontextmanager
async def offered(app: App, endpoint: str) -> AsyncGenerator[None]:
    """Wrap calls of an endpoint without a model: one the gateway lacks is remembered until it answers after all.

    Raises:
        NotOffered: As the gateway said it.
    """
    try:
        yield
        app.missing.pop(endpoint, None)
    except NotOffered as error:
        app.missing[endpoint] = error.message
        raise


def stored_text(app: App, saved: Saved, longest: int) -> str:
    """The first `longest` characters of a saved file; empty when it is not text. Blocking."""
    if not saved.kind.mime.startswith("text/") and saved.kind.extension not in ("json", "jsonl"):
        return ""
    with app.library.open(saved.name) as stream:
        return stream.read(longest * 4).decode("utf-8-sig", "replace")[:longest]
