"""The Batch API: files of requests that really run, each line through the very route it names.

A batch takes one step (validating, in_progress, finalizing, completed) each time it is asked after, or when POST
/sandbox/batches/step says so; how many polls a step needs is an option. Rules are those of the OpenAI API reference, in
the `dashscope` dialect Model Studio's: windows of 24 to 336 hours, `ds_name` and `ds_description`, its own limits.
"""

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mtu_mcp.sandbox.batching import Batch, Plan, advance, stop
from mtu_mcp.sandbox.bodies import read_json
from mtu_mcp.sandbox.desk import Desk, desk_of
from mtu_mcp.sandbox.fields import Table, check_body, integer, mapping, one_of, record, string
from mtu_mcp.sandbox.paging import AFTER, page, read_query
from mtu_mcp.sandbox.refusals import Invalid, Refusal
from mtu_mcp.sandbox.replies import json_reply

HOUR = 3600
_DRAWER = "batches"
_ENDPOINTS = {
    "openai": (
        "/v1/responses",
        "/v1/chat/completions",
        "/v1/embeddings",
        "/v1/completions",
        "/v1/moderations",
        "/v1/images/generations",
        "/v1/images/edits",
    ),
    "dashscope": ("/v1/chat/completions", "/v1/embeddings", "/v1/chat/ds-test"),
}
_EXPIRY = record({"anchor": one_of("created_at").required(), "seconds": integer(3600, 2_592_000).required()})
_FILTERS = ("ds_name", "input_file_ids", "status", "create_after", "create_before")


async def create_batch(request: Request) -> Response:
    """Take a file of requests."""
    desk = desk_of(request)
    dashscope = desk.dialect == "dashscope"
    table: Table = {
        "input_file_id": string(1).required(),
        "endpoint": one_of(*_ENDPOINTS["dashscope" if dashscope else "openai"]).required(),
        "completion_window": string(1).required(),
        "metadata": mapping(string(0, 512), 16, 64),
        **({} if dashscope else {"output_expires_after": _EXPIRY}),
    }
    body = check_body(table, await read_json(request))
    window = _seconds(body["completion_window"], dashscope=dashscope)
    for name, most in (("ds_name", 100), ("ds_description", 200)) if dashscope else ():
        if len(body.get("metadata", {}).get(name, "")) > most:
            raise Invalid(f"'metadata.{name}' has more than {most} characters.", param=f"metadata.{name}")
    stored = desk.files.find(body["input_file_id"])
    if stored is None or stored.purpose != "batch":
        msg = f"Invalid input_file_id: no file with id '{body['input_file_id']}' and purpose 'batch' found."
        raise Refusal(400, msg, param="input_file_id", code="invalid_input_file_id")
    batch = Batch(
        desk.new_id("batch_"),
        stored.id,
        body["endpoint"],
        body["completion_window"],
        desk.now(),
        desk.now() + window,
        body.get("metadata"),
        body.get("output_expires_after", {}).get("seconds"),
        desk.options.batch_polls,
    )
    desk.keep(_DRAWER, batch.id, batch)
    return json_reply(batch.as_json())


def _seconds(window: str, *, dashscope: bool) -> int:
    if not dashscope:
        one_of("24h").check(window, "completion_window")
        return 24 * HOUR
    found = re.fullmatch(r"(\d+)([hd])", window)
    hours = int(found[1]) * (24 if found[2] == "d" else 1) if found else 0
    if not 24 <= hours <= 336:
        msg = "Invalid 'completion_window': it must be from 24h to 336h, in hours (h) or days (d)."
        raise Invalid(msg, param="completion_window", code="invalid_value")
    return hours * HOUR


async def list_batches(request: Request) -> Response:
    """Batches, newest first, a page at a time."""
    desk = desk_of(request)
    filters: Table = {name: string(1) for name in _FILTERS} if desk.dialect == "dashscope" else {}
    asked = read_query(request, {**AFTER, **filters})
    found = [batch.as_json() for batch in _kept(desk) if _wanted(batch, asked)]
    return json_reply(page(found, asked, kind="batch"))


def _wanted(batch: Batch, asked: dict[str, Any]) -> bool:
    return (
        asked.get("ds_name", "") in (batch.metadata or {}).get("ds_name", "")
        and batch.input_file_id in asked.get("input_file_ids", batch.input_file_id).split(",")
        and batch.status in asked.get("status", batch.status).split(",")
    )


async def retrieve_batch(request: Request) -> Response:
    """One batch; asking moves it on, after it has been told as it was."""
    batch = _found(request)
    answer = batch.as_json()
    if batch.polls > 0:
        batch.waited += 1
        if batch.waited >= batch.polls:
            batch.waited = 0
            await advance(_plan(request), batch)
    return json_reply(answer)


async def cancel_batch(request: Request) -> Response:
    """Stop a batch; what has run so far is kept."""
    batch = _found(request)
    if not stop(_plan(request), batch):
        msg = f"Cannot cancel a batch with status '{batch.status}'."
        raise Refusal(409, msg, param="status", code="batch_not_cancellable")
    return json_reply(batch.as_json())


async def step_batches(request: Request) -> Response:
    """Move every batch one step on (the sandbox's own route)."""
    plan = _plan(request)
    kept = _kept(plan.desk)
    for batch in kept:
        await advance(plan, batch)
    return json_reply({"batches": {batch.id: batch.status for batch in kept}})


def _plan(request: Request) -> Plan:
    return Plan(desk_of(request), request.app.state.edge.app, request.app)


def _kept(desk: Desk) -> list[Batch]:
    return list(desk.drawer(_DRAWER).values())


def _found(request: Request) -> Batch:
    wanted = request.path_params["batch"]
    batch: Batch | None = desk_of(request).drawer(_DRAWER).get(wanted)
    if batch is None:
        raise Refusal(404, f"No batch found with id '{wanted}'.", param="id")
    return batch


ROUTES = [
    Route("/v1/batches", create_batch, methods=["POST"]),
    Route("/v1/batches", list_batches, methods=["GET"]),
    Route("/v1/batches/{batch}", retrieve_batch, methods=["GET"]),
    Route("/v1/batches/{batch}/cancel", cancel_batch, methods=["POST"]),
    Route("/sandbox/batches/step", step_batches, methods=["POST"]),
]
