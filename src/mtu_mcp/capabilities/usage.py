"""What was spent: by day, by model, by tool, and what the caps leave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from mcp.server.mcpserver.resolve import Resolve
from mcp.types import CallToolResult
from pydantic import Field

from mtu_mcp.app import App, current_app, current_owner
from mtu_mcp.capabilities._answers import Answer
from mtu_mcp.capabilities._spec import Capability, Content, ResourceSpec, ToolSpec
from mtu_mcp.errors import MtuError


async def usage_report(
    month: Annotated[str | None, Field(description="YYYY-MM.")] = None,
    *,
    app: Annotated[App, Resolve(current_app)],
) -> CallToolResult:
    """Show what calls cost this month, and what the caps leave."""
    from mtu_mcp.money import rendered

    report = await app.budget.report(month or "", _whose())
    answer = Answer(app)
    answer.say(rendered(report))
    return answer.finish(report.as_dict())


async def usage() -> Content:
    """What was spent this month, by day, model and tool, and what the caps leave."""
    return await usage_of("")


async def usage_of(month: str) -> Content:
    """The same of another month, such as 2026-11."""
    report = await current_app().budget.report(month, _whose())
    return Content.of(report.as_dict())


def _whose() -> str | None:
    """The caller's own spending; everybody's for the person at this machine, who pays for it."""
    return current_owner() or None


async def _complete_month(typed: str, given: Mapping[str, str]) -> list[str]:
    del given
    try:
        months = await current_app().budget.months()
    except MtuError:  # typing a month must not fail; reading it says what is wrong
        return []
    return [month for month in months if month.startswith(typed)]


CAPABILITY = Capability(
    tools=(
        ToolSpec(
            usage_report,
            title="Usage and cost",
            toolset="usage",
            read_only=True,
            open_world=False,
            search_hint="spent budget",
        ),
    ),
    resources=(
        ResourceSpec("mtu://usage", usage, "Usage"),
        ResourceSpec("mtu://usage/{month}", usage_of, "Usage of a month", complete={"month": _complete_month}),
    ),
)
