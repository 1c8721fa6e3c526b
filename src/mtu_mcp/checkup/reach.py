"""Checks of the way to the gateway: its name, a connection, its trust in the key, its clock."""

from __future__ import annotations

import ipaddress
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import anyio

from mtu_mcp.checkup.findings import Finding, failed
from mtu_mcp.errors import BadAnswer, MtuError, NotAuthorized, NotOffered, QuotaExhausted, UpstreamError
from mtu_mcp.gateway.connections import Way, way_to
from mtu_mcp.settings import DEFAULT_BASE_URL, variable

if TYPE_CHECKING:
    from mtu_mcp.app import App

Resolver = Callable[[str, int], Awaitable[Any]]
MADE: Final = 1_735_689_600.0
"""1 January 2025, seconds since 1970, before all of this was written: an earlier clock is wrong, whoever can be asked."""
SETTING: Final[Mapping[str, str]] = {
    "linux": "sudo timedatectl set-ntp true",
    "darwin": "sudo sntp -sS time.apple.com",
    "win32": "w32tm /resync",
}
"""What sets a system's clock from the network: systemd's timedatectl(1), macOS's sntp(1), Windows Time, as administrator."""
FAST: Final = 300.0
"""Seconds that two clocks may differ; certificates and signatures begin to fail somewhere above."""
NAME_SECONDS: Final = 10.0


async def name(app: App, environ: Mapping[str, str] | None, resolve: Resolver = anyio.getaddrinfo) -> Finding:
    """Check that the gateway's name is known; behind a proxy it is the proxy that has to know it."""
    way = way_to(app.settings.base_url, app.settings.proxy, environ)
    if way.proxy:
        return Finding("name", "skipped", f"The proxy looks up {way.host}.")
    if _is_number(way):
        return Finding("name", "ok", f"{way.host} is a number and needs no look-up.")
    try:
        with anyio.fail_after(NAME_SECONDS):
            await resolve(way.host, way.port)
    except (OSError, UnicodeError, TimeoutError) as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else type(error).__name__
        mend = f"Check the network, and {variable('base_url')} for a mistyped name."
        return Finding("name", "bad", f"The name {way.host} cannot be found ({reason}).", mend)
    return Finding("name", "ok", f"{way.host} is found.")


async def models(app: App) -> tuple[list[Finding], bool]:
    """Ask for the list of models; return what it shows of connection, list and key, and whether to go on asking."""
    started = time.perf_counter()
    way = way_to(app.settings.base_url, app.settings.proxy)
    try:
        listed = await app.gateway.list_models()
    except UpstreamError as error:
        if error.status is None:
            return [failed("connection", error)], False
        return [_connected(way, started), _unlisted(app, error)], not isinstance(
            error, NotAuthorized | NotOffered | QuotaExhausted
        )
    except MtuError as error:
        return [failed("connection", error)], False
    if not listed:
        return [_connected(way, started), Finding("models", "warn", "The gateway lists no models.")], True
    return [_connected(way, started), Finding("models", "ok", f"{len(listed)} models are listed.")], True


async def trust(app: App) -> Finding:
    """Check that the gateway takes the key: some list their models to everybody."""
    try:
        await app.gateway.probe("chat/completions")
    except (NotAuthorized, QuotaExhausted) as error:
        return failed("key accepted", error)
    except MtuError as error:
        return Finding("key accepted", "warn", f"This could not be found out: {error.message}", error.advice)
    return Finding("key accepted", "ok", "The gateway takes it.")


def misset(now: float) -> list[Finding]:
    """Say of a clock that cannot be right that it is wrong; needs no network."""
    if now >= MADE:
        return []
    day = time.strftime("%Y-%m-%d", time.gmtime(now))
    return [
        Finding("clock", "bad", f"This computer's clock says {day}, which is before this version was made.", _set_it())
    ]


def clock(ahead: float | None, now: float) -> Finding:
    """Compare this machine's clock with the Date of the gateway's last answer."""
    if ahead is None:
        return next(iter(misset(now)), Finding("clock", "skipped", "The gateway did not tell its time."))
    if abs(ahead) <= FAST:
        return Finding("clock", "ok", f"{abs(ahead):.0f} s from the gateway's.")
    span = _span(abs(ahead))
    fast = f"This computer's clock is {span} ahead of the gateway's."
    slow = f"This computer's clock is {span} behind the gateway's."
    return Finding("clock", "bad", fast if ahead > 0 else slow, _set_it())


def _set_it(platform: str = sys.platform) -> str:
    command = SETTING.get(platform)
    if command is None:
        return "Let the system set its clock from the network."
    return f"Let the system set its clock from the network: {command}"


def _connected(way: Way, started: float) -> Finding:
    seconds = time.perf_counter() - started
    if way.proxy:
        return Finding("connection", "ok", f"{way.place} answers through the proxy {way.proxy} ({seconds:.1f} s).")
    return Finding("connection", "ok", f"{way.place} answers ({seconds:.1f} s).")


def _unlisted(app: App, error: UpstreamError) -> Finding:
    if isinstance(error, NotAuthorized):
        return failed("key accepted", error)
    if isinstance(error, NotOffered | BadAnswer):
        mend = (
            f"Check {variable('base_url')}: {app.settings.base_url}/models should answer with JSON. "
            f"The Mtu API's own is {DEFAULT_BASE_URL}."
        )
        return Finding("models", "bad", error.message, mend)
    return failed("account" if isinstance(error, QuotaExhausted) else "models", error)


def _is_number(way: Way) -> bool:
    try:
        ipaddress.ip_address(way.host)
    except ValueError:
        return way.host == "localhost"
    return True


def _span(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.0f} seconds"
