"""How this server stands: what is set, what the gateway offers, what is wrong and what mends it."""

from __future__ import annotations

import json
from typing import Any

import mtu_mcp
from mtu_mcp.app import App, current_app
from mtu_mcp.capabilities._spec import Capability, Content, ResourceSpec
from mtu_mcp.errors import MtuError

ABILITIES = ("chat", "omni", "image", "transcribe", "search", "research", "qwen_search")


async def status() -> Content:
    """Version, settings in force (never the key), the gateway's state, and what to fix."""
    app = current_app()
    offer = await app.catalogue.offered()
    facts: dict[str, Any] = {
        "version": mtu_mcp.__version__,
        "gateway": app.settings.base_url,
        "key": "set" if app.settings.api_key else "missing: set MTU_API_KEY",
        "models": len(offer.names) if offer.live else f"unknown: {offer.note}",
        "defaults": {ability: (await app.catalogue.choose(ability)).model for ability in ABILITIES},
        "not_offered": app.missing,
        "output_folder": str(app.settings.output_dir),
        "allowed_folders": [str(folder) for folder in app.settings.allowed_dirs],
        "database": await _database(app),
        "problems": list(app.settings.problems),
    }
    return Content(json.dumps(facts, ensure_ascii=False, indent=1), "application/json")


async def _database(app: App) -> str:
    try:
        await app.records.check()
    except MtuError as error:
        return str(error)
    return f"{app.settings.database_path}: fine"


CAPABILITY = Capability(resources=(ResourceSpec("mtu://status", status, "Status"),))
