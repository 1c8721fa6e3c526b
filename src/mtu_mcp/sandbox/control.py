"""The sandbox's own routes, under /sandbox: journal, faults, release. They need no key and are never spoilt."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mtu_mcp.sandbox.bodies import read_json
from mtu_mcp.sandbox.desk import desk_of, entry_of
from mtu_mcp.sandbox.faults import FAULTS
from mtu_mcp.sandbox.fields import Table, check_body, integer, string
from mtu_mcp.sandbox.refusals import Refusal
from mtu_mcp.sandbox.replies import json_reply

LIMITS = (
    "Nothing here is a model: answers are computed from the request by fixed rules and signed [embedded gateway].",
    "No request leaves this machine: http URLs of media are refused unless they point back here.",
    "Prices and token counts follow the published formulas for media; text is counted by a rule of thumb.",
    "State lives in memory and ends with the process.",
)
_FAULT: Table = {"fault": string(1).required(), "path": string(1), "times": integer(1, 10_000)}


async def show_card(request: Request) -> Response:
    """What this is, its limits first."""
    desk = desk_of(request)
    faults = {name: {"does": does, "number": number} for name, (does, number) in FAULTS.items()}
    return json_reply({"name": "mtu-mcp sandbox", "limits": LIMITS, "dialect": desk.dialect, "faults": faults})


async def show_journal(request: Request) -> Response:
    """Entries, filtered by ?path=, ?ended=, ?model=; requests to /sandbox itself are left out."""
    asked = request.query_params
    found = desk_of(request).journal.find(asked.get("path", ""), asked.get("ended", ""), asked.get("model", ""))
    return json_reply({"entries": [each.as_json() for each in found if not each.path.startswith("/sandbox")]})


async def await_entry(request: Request) -> Response:
    """Wait (?timeout= seconds, at most 30) for an entry as in `show_journal`; 408 when there is none."""
    asked = request.query_params
    own, path, model = entry_of(request).number, asked.get("path", ""), asked.get("model", "")
    try:
        found = await desk_of(request).journal.awaited(
            lambda each: (
                each.number != own
                and each.path.endswith(path)
                and model in {"", each.model}
                and each.ended == asked.get("ended", "answered")
            ),
            min(float(asked.get("timeout", "10")), 30.0),
        )
    except TimeoutError as late:
        return json_reply({"error": str(late)}, status=408)
    return json_reply(found.as_json())


async def clear_journal(request: Request) -> Response:
    """Forget every entry."""
    desk_of(request).journal.clear()
    return json_reply({"entries": []})


async def show_faults(request: Request) -> Response:
    """The faults armed now."""
    return json_reply({"armed": desk_of(request).faults.as_json()})


async def arm_fault(request: Request) -> Response:
    """Arm `fault` for the next `times` calls whose path ends in `path` (default any)."""
    body = check_body(_FAULT, await read_json(request))
    faults = desk_of(request).faults
    faults.arm(body["fault"], body.get("path", "*"), body.get("times", 1))
    return json_reply({"armed": faults.as_json()})


async def clear_faults(request: Request) -> Response:
    """Disarm every fault."""
    desk_of(request).faults.clear()
    return json_reply({"armed": []})


async def release(request: Request) -> Response:
    """Let stalled calls go on."""
    desk_of(request).release()
    return json_reply({"released": True})


async def serve_file(request: Request) -> Response:
    """A file made by another route, for those who asked for a URL."""
    found = desk_of(request).unshelve(request.path_params["name"])
    if found is None:
        raise Refusal(404, "No such file; made files are kept for a while only.")
    return Response(found[0], media_type=found[1])


ROUTES = [
    Route("/sandbox/files/{name}", serve_file),
    Route("/sandbox", show_card),
    Route("/sandbox/journal", show_journal),
    Route("/sandbox/journal", clear_journal, methods=["DELETE"]),
    Route("/sandbox/journal/wait", await_entry),
    Route("/sandbox/faults", show_faults),
    Route("/sandbox/faults", arm_fault, methods=["POST"]),
    Route("/sandbox/faults", clear_faults, methods=["DELETE"]),
    Route("/sandbox/release", release, methods=["POST"]),
]
