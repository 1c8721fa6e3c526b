"""The routes of fine-tuning: jobs, their events and checkpoints, and the deletion of the models they made.

Each look at a job moves it on one stage (see `tuning`). Only some models can be tuned, as in OpenAI's guide.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mtu_mcp.sandbox import tuning
from mtu_mcp.sandbox.bodies import read_checked
from mtu_mcp.sandbox.chat_fields import METADATA
from mtu_mcp.sandbox.desk import Desk, desk_of
from mtu_mcp.sandbox.fields import (
    Table,
    anything,
    either,
    integer,
    listing,
    mapping,
    number,
    one_of,
    record,
    string,
)
from mtu_mcp.sandbox.paging import AFTER, find, matches, page, read_nothing, read_query
from mtu_mcp.sandbox.refusals import Refusal
from mtu_mcp.sandbox.replies import json_reply

Body = dict[str, Any]
TUNABLE = frozenset({"gpt-4.1", "gpt-4.1-mini", "gpt-4o", "gpt-4o-mini"})
_HYPER: Table = {
    "n_epochs": either(integer(1, 50), one_of("auto")),
    "batch_size": either(integer(1, 256), one_of("auto")),
    "learning_rate_multiplier": either(number(1e-6), one_of("auto")),
    "beta": either(number(0, 2), one_of("auto")),
    "reasoning_effort": one_of("default", "low", "medium", "high"),
}
_RECIPE = record({"hyperparameters": record(_HYPER), "grader": mapping(anything())})
_METHOD: Table = {
    "type": one_of("supervised", "dpo", "reinforcement").required(),
    "supervised": _RECIPE,
    "dpo": _RECIPE,
    "reinforcement": _RECIPE,
}
_WANDB: Table = {
    "project": string(1).required(),
    "name": string(),
    "entity": string(),
    "tags": listing(string(1, 64), 0, 50),
}
_CREATE: Table = {
    "model": string(1).required(),
    "training_file": string(1).required(),
    "validation_file": string(1),
    "suffix": string(1, 64),
    "seed": integer(0, 2147483647),
    "method": record(_METHOD),
    "hyperparameters": record(_HYPER),
    "integrations": listing(record({"type": one_of("wandb").required(), "wandb": record(_WANDB).required()}), 0, 5),
    "metadata": METADATA,
}


async def create_job(request: Request) -> Response:
    """Begin to tune a model."""
    desk = desk_of(request)
    body = await read_checked(request, _CREATE)
    desk.model(body["model"])
    if body["model"] not in TUNABLE and not body["model"].startswith("ft:"):
        msg = f"Model {body['model']} is not available for fine-tuning. Available: {', '.join(sorted(TUNABLE))}."
        raise Refusal(400, msg, param="model", code="model_not_available")
    for name in ("training_file", "validation_file"):
        if name in body:
            _check_purpose(desk, body[name], name)
    return json_reply(tuning.begin(desk, body)["job"])


def _check_purpose(desk: Desk, file_id: str, name: str) -> None:
    stored = desk.files.find(file_id)
    if stored is None:
        raise Refusal(400, f"invalid {name}: No such File object: {file_id}", param=name, code="invalid_file")
    if stored.purpose != "fine-tune":
        msg = f"invalid {name}: {file_id} has purpose '{stored.purpose}', not 'fine-tune'."
        raise Refusal(400, msg, param=name, code="invalid_file")


async def list_jobs(request: Request) -> Response:
    """Jobs, the newest first."""
    asked = read_query(request, AFTER, filtered=True)
    rows = [kept["job"] for kept in desk_of(request).drawer(tuning.DRAWER).values() if matches(kept["job"], asked)]
    return json_reply(page(rows, asked, kind="job", ids=False))


async def get_job(request: Request) -> Response:
    """One job; looking is what moves it on."""
    kept = _found(request)
    tuning.advance(desk_of(request), kept)
    return json_reply(kept["job"])


async def change_job(request: Request) -> Response:
    """Cancel, pause or resume."""
    change = request.path_params["change"]
    if change not in {"cancel", "pause", "resume"}:
        raise Refusal(404, f"Invalid URL ({request.method} {request.url.path})")
    await read_nothing(request)
    kept = _found(request)
    if change == "cancel":
        tuning.stop(desk_of(request), kept)
    else:
        tuning.pause(desk_of(request), kept, resumed=change == "resume")
    return json_reply(kept["job"])


async def list_events(request: Request) -> Response:
    """What happened, the newest first."""
    asked = read_query(request, AFTER)
    return json_reply(page(_found(request)["events"], asked, kind="event", ids=False))


async def list_checkpoints(request: Request) -> Response:
    """The models saved on the way, the newest first."""
    asked = read_query(request, AFTER)
    return json_reply(page(_found(request)["checkpoints"], asked, kind="checkpoint"))


async def delete_model(request: Request) -> Response:
    """Delete a model that was tuned here; the others belong to somebody else."""
    desk, name = desk_of(request), request.path_params["model"]
    if desk.roster.find(name) is None:
        raise Refusal(404, f"The model '{name}' does not exist", param="model", code="model_not_found")
    if not name.startswith("ft:"):
        raise Refusal(403, "You have insufficient permissions for this operation.")
    desk.roster.remove(name)
    return json_reply({"id": name, "object": "model", "deleted": True})


def _found(request: Request) -> Body:
    return find(desk_of(request).drawer(tuning.DRAWER), request.path_params["job"], "fine-tuning job")


_JOBS = "/v1/fine_tuning/jobs"
ROUTES = [
    Route(_JOBS, create_job, methods=["POST"]),
    Route(_JOBS, list_jobs, methods=["GET"]),
    Route(_JOBS + "/{job}", get_job, methods=["GET"]),
    Route(_JOBS + "/{job}/events", list_events, methods=["GET"]),
    Route(_JOBS + "/{job}/checkpoints", list_checkpoints, methods=["GET"]),
    Route(_JOBS + "/{job}/{change}", change_job, methods=["POST"]),
    Route("/v1/models/{model:path}", delete_model, methods=["DELETE"]),
]
