"""How this server stands: what is set, what the gateway offers, what is wrong and what mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import mtu_mcp
from mtu_mcp.amounts import counted
from mtu_mcp.app import App, current_app
from mtu_mcp.capabilities._spec import Capability, Content, ResourceSpec
from mtu_mcp.errors import MtuError

if TYPE_CHECKING:
    from mtu_mcp.catalogue import Capability as Ability
    from mtu_mcp.catalogue.catalogue import Offer
    from mtu_mcp.checkup import Finding

ABILITIES: Final[tuple[Ability, ...]] = (
    *("chat", "omni", "vision", "image", "image_edit", "image_vary", "transcribe", "timestamps", "diarize"),
    *("translate_audio", "speech", "search", "research", "qwen_search", "gemini_search", "translate", "code"),
    *("fill_in", "document", "embed", "moderate"),
)
"""What tools need models for, in the order of the tools."""


async def status() -> Content:
    """Version, settings in force (never the key), the gateway's state, and what to fix."""
    app = current_app()
    offer = await app.catalogue.offered()
    facts: dict[str, Any] = {
        "version": mtu_mcp.__version__,
        "gateway": app.settings.base_url,
        "key": "set" if app.settings.api_key else "missing: set MTU_API_KEY",
        "models": len(offer.names) if offer.live else f"unknown: {offer.note}",
        "defaults": {ability: await _default(app, ability, offer) for ability in ABILITIES},
        "not_offered": app.missing,
        "output_folder": str(app.library.folder),
        "allowed_folders": [str(folder) for folder in app.settings.allowed_dirs],
        "database": await _database(app),
        "problems": list(app.settings.problems),
        "checks": [finding.data() for finding in await _checks(app, offer)],
    }
    return Content.of(facts)


async def _default(app: App, ability: Ability, offer: Offer) -> str:
    """The model a tool takes when nobody names one; and why, where nobody would expect it."""
    choice = await app.catalogue.choose(ability)
    return choice.model if choice.expected or not offer.live else f"{choice.model}: {choice.why}"


async def _checks(app: App, offer: Offer) -> list[Finding]:
    """What `mtu-mcp doctor` says, without asking the gateway more than its list of models."""
    from mtu_mcp.checkup import Finding, standing

    found = await standing(app)
    if offer.live:
        return [*found, Finding("models", "ok", f"{counted(len(offer.names), 'model is', 'models are')} listed.")]
    broken = next((one.name for one in found if one.verdict == "bad" and one.name in ("settings", "key")), "")
    if broken:
        return [*found, Finding("gateway", "skipped", f"It cannot be asked before this is mended: {broken}.")]
    return [*found, Finding("models", "bad", offer.note, "Run: mtu-mcp doctor")]


async def _database(app: App) -> str:
    try:
        await app.records.check()
    except MtuError as error:
        return str(error)
    return f"{app.settings.database_path}: fine"


CAPABILITY = Capability(resources=(ResourceSpec("mtu://status", status, "Status"),))
