"""POST /moderations: texts and pictures held against a short list of words; see `vocabulary` for how short.

A picture is opened and checked but not looked at: only words in its own metadata (a PNG's text chunks) are judged, so
that a test can have a picture flagged. Shapes are those of the OpenAI API reference: an array of strings gives a result
for each, an array of parts gives one result; models that read text alone have neither the illicit categories nor
`category_applied_input_types`.
"""

import io
from typing import Any

from PIL import Image
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mtu_mcp.sandbox.attachments import measure_picture, open_url
from mtu_mcp.sandbox.bodies import read_json, unknown_fields
from mtu_mcp.sandbox.desk import Desk, desk_of
from mtu_mcp.sandbox.fields import Table, check_body, either, listing, one_of, record, string
from mtu_mcp.sandbox.refusals import Invalid, Refusal
from mtu_mcp.sandbox.replies import json_reply
from mtu_mcp.sandbox.vocabulary import CATEGORIES, OF_PICTURES, scores_of

FLAGGED = 0.5
_PART = record(
    {
        "type": one_of("text", "image_url").required(),
        "text": string(),
        "image_url": record({"url": string(1).required()}),
    }
)
MODERATION: Table = {
    "input": either(string(), listing(either(string(), _PART), 1)).required(),
    "model": string(1),
}


async def moderate(request: Request) -> Response:
    """Judge what was sent."""
    desk = desk_of(request)
    default = "text-moderation-latest" if desk.dialect == "new-api" else "omni-moderation-latest"
    body = check_body(MODERATION, await read_json(request), unknown=unknown_fields(request))
    model = desk.model(body.get("model", default), "moderate").id
    given: Any = body["input"]
    items: list[Any] = [given] if isinstance(given, str) else given
    if all(isinstance(item, str) for item in items):
        results = [_result([item], [], model) for item in items]
    elif any(isinstance(item, str) for item in items):
        raise Invalid("Invalid 'input': strings and parts may not be mixed.", param="input", code="invalid_type")
    else:
        results = [_parts_result(desk, items, model)]
    return json_reply({"id": desk.new_id("modr-"), "model": model, "results": results})


def _parts_result(desk: Desk, parts: list[dict[str, Any]], model: str) -> dict[str, Any]:
    texts: list[str] = []
    pictures: list[str] = []
    for place, part in enumerate(parts):
        kind = part["type"]
        if kind not in part:
            path = f"input[{place}].{kind}"
            raise Invalid(f"Missing required parameter: '{path}'.", param=path, code="missing_required_parameter")
        if kind == "text":
            texts.append(part["text"])
        else:
            pictures.append(_read_picture(desk, part["image_url"]["url"], f"input[{place}].image_url.url"))
    if pictures and model.startswith("text-"):
        raise Invalid(f"The model '{model}' does not take images.", param="input", code="unsupported_value")
    if len(pictures) > 1:
        raise Refusal(400, "Too many images: at most 1 in a request.", param="input", code="too_many_images")
    return _result(texts, pictures, model)


def _read_picture(desk: Desk, url: str, path: str) -> str:
    """The words a picture carries in its own metadata."""
    data = open_url(desk, url, path)
    measure_picture(data, path)
    with Image.open(io.BytesIO(data)) as image:
        return " ".join(value for value in image.info.values() if isinstance(value, str))


def _result(texts: list[str], pictures: list[str], model: str) -> dict[str, Any]:
    written, seen = scores_of("\n".join(texts)), scores_of("\n".join(pictures))
    text_only = model.startswith("text-")
    names = [name for name in CATEGORIES if not (text_only and name.startswith("illicit"))]
    scores = {name: max(written[name], seen[name] if name in OF_PICTURES else 0.0) for name in names}
    categories = {name: score >= FLAGGED for name, score in scores.items()}
    flagged = any(categories.values())
    result: dict[str, Any] = {"flagged": flagged, "categories": categories, "category_scores": scores}
    if not text_only:
        result["category_applied_input_types"] = {
            name: [*(["text"] if texts else []), *(["image"] if pictures and name in OF_PICTURES else [])]
            for name in names
        }
    return result


ROUTES = [Route("/v1/moderations", moderate, methods=["POST"])]
