"""`mtu-mcp doctor`: everything a call needs, looked at in order, each line with what mends it.

The checks are `mtu_mcp.checkup`'s, which `mtu://status` shows too; only what belongs to this machine's hosts is here.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mtu_mcp.cli._command import as_typed
from mtu_mcp.cli._language import gettext as _
from mtu_mcp.cli._language import told

if TYPE_CHECKING:
    from mtu_mcp.checkup import Finding
    from mtu_mcp.settings import Settings

MARKS: Final = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "bad": ("✗", "bold red"), "skipped": ("-", "dim")}
MOST: Final = 125
"""Shells keep exit codes above it for themselves."""
PATIENCE: Final = 20.0
"""Seconds; a person is waiting."""


def run(arguments: argparse.Namespace) -> int:
    """Look at everything; the exit code is the number of bad lines."""
    import anyio

    from mtu_mcp.cli.serve import environment
    from mtu_mcp.server.logs import configure
    from mtu_mcp.settings import Settings

    source = None if arguments.sandbox else _take_over(arguments.host)
    with environment(arguments.sandbox) as environ:
        settings = Settings.read(environ)
        configure(settings.log_level, settings.api_key)
        findings = anyio.run(_examine, settings, environ, arguments.offline)
    findings = [*([source] if source else []), *findings]
    if arguments.json:
        print(json.dumps([finding.data() for finding in findings], ensure_ascii=False, indent=1))
    else:
        _show(findings)
    return exit_code(findings)


def exit_code(findings: Sequence[Finding]) -> int:
    """Return the number of bad lines, as far as a shell can tell it."""
    return min(MOST, sum(finding.verdict == "bad" for finding in findings))


def hasty(settings: Settings) -> Settings:
    """Return the settings of a gateway that does not try again: a broken network would take minutes."""
    return settings.model_copy(update={"max_retries": 0, "timeout": min(settings.timeout, PATIENCE)})


def _take_over(host: str) -> Finding | None:
    """Without a key here, or when a host is named, look at things as the server will that the host starts."""
    from mtu_mcp.checkup import Finding
    from mtu_mcp.cli._hostchecks import with_key
    from mtu_mcp.cli._hostfiles import Surroundings
    from mtu_mcp.settings import Settings

    if not host and Settings.read(os.environ).api_key:
        return None
    found = with_key(Surroundings(sys.platform, os.environ, str(Path.home())), Path.cwd(), host)
    if found is None:
        return Finding("checked for", "bad", f"{host} has no entry.", f"mtu-mcp install {host}") if host else None
    where, variables = found
    os.environ.update(variables)  # also for the proxy and the certificates, which httpx looks up itself
    if host:
        return Finding("checked for", "ok", f"The variables are those of {where}.")
    return Finding("checked for", "ok", f"The variables are those of {where}, since no key is set here.")


async def _examine(settings: Settings, environ: Mapping[str, str], offline: bool) -> list[Finding]:
    import anyio.to_thread

    from mtu_mcp.app import open_app
    from mtu_mcp.checkup import everything
    from mtu_mcp.cli._hostchecks import hosts, stdout_clean
    from mtu_mcp.cli._hostfiles import Surroundings

    async with open_app(hasty(settings)) as app:
        found = await everything(app, environ, offline=offline)
    around = Surroundings(sys.platform, environ, str(Path.home()))
    found.append(await anyio.to_thread.run_sync(stdout_clean, environ))
    return found + await anyio.to_thread.run_sync(hosts, around, Path(os.getcwd()))  # noqa: PTH109 - as the shell says it


def _show(findings: Sequence[Finding]) -> None:
    from rich.console import Console
    from rich.text import Text

    from mtu_mcp.columns import padded, width

    console = Console(highlight=False)
    names = [told(finding.name) for finding in findings]
    broad = max(map(width, names))
    verdicts = max(width(_(verdict)) for verdict in MARKS)
    for name, finding in zip(names, findings, strict=True):
        mark, style = MARKS[finding.verdict]
        lead = f"{mark} {padded(_(finding.verdict), verdicts)} {padded(name, broad)}  "
        line = Text(lead, style=style) + Text(told(finding.said), style="" if finding.verdict != "skipped" else "dim")
        console.print(line, soft_wrap=True)
        if finding.mend:
            console.print(Text(" " * width(lead) + f"-> {as_typed(told(finding.mend))}", style="cyan"), soft_wrap=True)
    bad = sum(finding.verdict == "bad" for finding in findings)
    warned = sum(finding.verdict == "warn" for finding in findings)
    console.print(_sum(bad, warned), soft_wrap=True)


def _sum(bad: int, warned: int) -> str:
    if not bad and not warned:
        return _("All is well.")
    if not bad:
        return _("Nothing is bad, {warned} to look at.").format(warned=warned)
    return (_("{bad} bad, {warned} to look at.") if warned else _("{bad} bad.")).format(bad=bad, warned=warned)
