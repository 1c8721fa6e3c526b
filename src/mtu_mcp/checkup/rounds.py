"""The order of the checks: what stands on something broken is not looked at, and says so."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import anyio.to_thread

from mtu_mcp.checkup import offers, reach, surroundings
from mtu_mcp.checkup.findings import Finding

if TYPE_CHECKING:
    from mtu_mcp.app import App


async def standing(app: App, environ: Mapping[str, str] | None = None) -> list[Finding]:
    """Check what needs no network.

    Args:
        app: The server, or what would be one.
        environ: The variables it was started with; the default is this process's.
    """
    known = os.environ if environ is None else environ
    settings = app.settings
    return [
        *surroundings.variables(settings, known),
        surroundings.key(settings),
        surroundings.address(settings, known),
        surroundings.proxy(settings, environ),
        await anyio.to_thread.run_sync(surroundings.certificates, known),
        surroundings.working_folder(),
        *await anyio.to_thread.run_sync(surroundings.allowed, settings.allowed_dirs),
        await anyio.to_thread.run_sync(surroundings.output, settings.output_dir),
        await anyio.to_thread.run_sync(surroundings.disk, settings.output_dir),
        await surroundings.database(app),
    ]


async def everything(
    app: App, environ: Mapping[str, str] | None = None, *, offline: bool = False, clock: Callable[[], float] = time.time
) -> list[Finding]:
    """Check what needs no network, then the way to the gateway, then what it offers; stop where going on is pointless.

    Args:
        app: The server, or what would be one; its gateway should not try again, or a broken network takes minutes.
        environ: The variables it was started with; the default is this process's.
        offline: Leave the network alone.
        clock: Seconds since 1970.
    """
    found = await standing(app, environ)
    if offline:
        return [
            *found,
            *reach.misset(clock()),
            Finding("gateway", "skipped", "The network was left alone (--offline)."),
        ]
    broken = next((one for one in found if one.verdict == "bad" and one.name in ("settings", "key")), None)
    if broken is None or broken.name == "key":
        found.append(await reach.name(app, environ))
        broken = broken or (found[-1] if found[-1].verdict == "bad" else None)
    if broken is not None:
        missing = f"It cannot be asked before this is mended: {broken.name}."
        return [*found, *reach.misset(clock()), Finding("gateway", "skipped", missing)]
    seen, usable = await reach.models(app)
    found += seen
    found.append(reach.clock(app.gateway.skew, clock()))
    if not usable:
        return [*found, Finding("tools", "skipped", "What the gateway offers cannot be asked before that is mended.")]
    trust = await reach.trust(app)
    found.append(trust)
    # What kept both questions from being answered would be said of every tool again.
    if trust.verdict == "bad" or (trust.verdict == "warn" and any(one.verdict == "bad" for one in seen)):
        return [*found, Finding("tools", "skipped", "What the gateway offers cannot be asked before that is mended.")]
    return [*found, *await offers.offers(app)]
