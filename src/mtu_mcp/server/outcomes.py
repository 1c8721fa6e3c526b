"""What came of a call's work, as it is written down, and as a caller is told of work that goes on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from mcp.types import CallToolResult, ResourceLink, TextContent

from mtu_mcp.capabilities._handed import stored
from mtu_mcp.server.edge import failed, hide_key

if TYPE_CHECKING:
    from mtu_mcp.records import Job
    from mtu_mcp.server.work import Work


def worth_keeping(work: Work) -> bool:
    """Whether something is left that nobody was given."""
    if work.stopped:
        return bool(work.parts())
    if work.result is None or work.result.is_error or not work.reusable:
        return False
    return not work.waiting and not work.given


def outcome(work: Work) -> dict[str, Any]:
    """The fields of a job that say what came of its work."""
    if work.failure is not None:
        text = hide_key(str(work.failure))
        return {"state": "failed", "result": stored(failed(text)), "note": ""}
    if work.result is None:
        part = hide_key(work.parts())
        said = (
            f"What had arrived when it was stopped:\n\n{part}" if part else "Nothing had arrived when it was stopped."
        )
        result = CallToolResult(content=[TextContent(type="text", text=said)])
        return {"state": "cancelled", "result": stored(result), "note": work.why}
    return {"state": "failed" if work.result.is_error else "done", "result": stored(work.result), "note": ""}


def still_running(job: Job, work: Work) -> CallToolResult:
    """The answer to a call whose work goes on as a job."""
    seconds = max(0.0, time.time() - job.created if job is not work.job else time.time() - work.began)
    heard = f" Last heard: {hide_key(work.told)}." if work.told else ""
    text = (
        f"{work.scope.tool} is still running after {seconds:.0f} s, and goes on as {job.id}.{heard}\n"
        f'Its answer comes from get_job with job="{job.id}" and wait=30, as often as needed. The same call made again '
        "waits for the same work; it is not paid for twice. get_job with cancel=true stops it."
    )
    uri = f"mtu://jobs/{job.id}"
    link = ResourceLink(type="resource_link", name=job.id, uri=uri, title=job.title, mime_type="application/json")
    return CallToolResult(content=[TextContent(type="text", text=text), link])
