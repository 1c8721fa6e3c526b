"""`mtu-mcp usage`: what was spent, as a table or as JSON; the same figures as the tool and the resource."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from mtu_mcp.cli._language import gettext as _
from mtu_mcp.cli._language import told
from mtu_mcp.cli.serve import environment, settings_from
from mtu_mcp.errors import BadInput, MtuError

if TYPE_CHECKING:
    from mtu_mcp.money import Report
    from mtu_mcp.settings import Settings


def run(arguments: argparse.Namespace) -> int:
    """Print the report of a month."""
    import anyio

    from mtu_mcp.money import rendered

    with environment(sandbox=False) as environ:
        settings = settings_from(environ)
    try:
        report = anyio.run(_report, settings, arguments.month)
    except MtuError as error:
        print(f"mtu-mcp usage: {told(error)}", file=sys.stderr)
        return 2 if isinstance(error, BadInput) else 1
    if arguments.html:
        return _write_page(report, arguments.html)
    print(json.dumps(report.as_dict(), ensure_ascii=False, indent=1) if arguments.json else rendered(report, _))
    return 0


def _write_page(report: Report, file: str) -> int:
    from pathlib import Path

    from mtu_mcp.server.pages import filled

    path = Path(file).expanduser()
    try:
        path.write_text(filled("usage", {"content": [], "structuredContent": report.as_dict()}), encoding="utf-8")
    except OSError as error:
        said = _("{path} could not be written: {reason}.").format(path=path, reason=error.strerror or error)
        print(f"mtu-mcp usage: {said}", file=sys.stderr)
        return 1
    print(path.resolve())
    return 0


async def _report(settings: Settings, month: str) -> Report:
    from mtu_mcp.app import open_app

    async with open_app(settings) as app:
        return await app.budget.report(month)
