"""Replies: JSON, and streams of server-sent events sent one event a packet.

Faults are played further out, at the edge, on the packets these make: so each event must be one packet.
"""

import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from mtu_mcp.sandbox.desk import desk_of

DONE = "data: [DONE]\n\n"


def event(data: dict[str, Any], name: str = "") -> str:
    """One server-sent event as text; `name` adds an `event:` line, as Responses and images have it."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data, ensure_ascii=False)}\n\n"


def json_reply(body: Any, headers: dict[str, str] | None = None, status: int = 200) -> Response:
    """A JSON answer."""
    return JSONResponse(body, status, headers)


def stream_reply(request: Request, events: Iterable[str], headers: dict[str, str] | None = None) -> Response:
    """A stream of events (made with `event`; end with `DONE` where the API does), paced as the options say."""
    pace = desk_of(request).options.pace

    async def paced() -> AsyncIterator[str]:
        for each in events:
            yield each
            await anyio.sleep(pace)

    return StreamingResponse(
        paced(), media_type="text/event-stream", headers={"cache-control": "no-cache", **(headers or {})}
    )
