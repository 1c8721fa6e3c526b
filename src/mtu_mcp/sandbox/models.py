"""GET /models and GET /models/{id}: what is offered. Ids may hold slashes and colons, encoded or not."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mtu_mcp.sandbox.desk import Desk, desk_of
from mtu_mcp.sandbox.refusals import Refusal
from mtu_mcp.sandbox.replies import json_reply
from mtu_mcp.sandbox.roster import Model


async def list_models(request: Request) -> Response:
    """Every model; gateways of the New API kind add the endpoint types of each."""
    desk = desk_of(request)
    listing = {"object": "list", "data": [_object(desk, model) for model in desk.roster.all()]}
    return json_reply({**listing, "success": True} if desk.dialect == "new-api" else listing)


async def retrieve_model(request: Request) -> Response:
    """One model, 404 `model_not_found` when there is none."""
    desk = desk_of(request)
    name = request.path_params["model"]
    model = desk.roster.find(name)
    if model is None:
        raise Refusal(404, f"The model '{name}' does not exist", param="model", code="model_not_found")
    return json_reply(_object(desk, model))


def _object(desk: Desk, model: Model) -> dict[str, Any]:
    if desk.dialect != "new-api":
        return model.as_json()
    kinds = {"chat": "openai", "responses": "openai-response", "image": "image-generation"}
    return model.as_json() | {
        "supported_endpoint_types": [kinds[kind] for kind in sorted(model.kinds) if kind in kinds]
    }


ROUTES = [
    Route("/v1/models", list_models),
    Route("/v1/models/{model:path}", retrieve_model),
]
