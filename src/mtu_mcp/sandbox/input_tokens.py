"""POST /responses/input_tokens: how many tokens a request to the Responses API would read, without making it."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mtu_mcp.sandbox.bodies import read_checked
from mtu_mcp.sandbox.desk import desk_of
from mtu_mcp.sandbox.fields import Table, string
from mtu_mcp.sandbox.replies import json_reply
from mtu_mcp.sandbox.responses import check_request, prompt_tokens, read_input
from mtu_mcp.sandbox.responses_fields import TABLE

_TABLE: Table = {
    **{name: rule for name, rule in TABLE.items() if name != "model"},
    "model": string(1),
    "personality": string(1),
}
_FIELDS = (
    *("conversation", "input", "instructions", "model", "parallel_tool_calls", "personality"),
    *("previous_response_id", "reasoning", "text", "tool_choice", "tools", "truncation"),
)
COUNTED: Table = {name: _TABLE[name] for name in _FIELDS}
"""The fields that count (API reference, get input token counts); the model decides how."""


async def count_input(request: Request) -> Response:
    """The same figure as the usage of the response would tell."""
    desk = desk_of(request)
    body = await read_checked(request, COUNTED)
    if "model" in body:
        check_request(body, desk.model(body["model"], "responses"))
    return json_reply({"object": "response.input_tokens", "input_tokens": prompt_tokens(read_input(desk, body), body)})


ROUTES = [Route("/v1/responses/input_tokens", count_input, methods=["POST"])]
