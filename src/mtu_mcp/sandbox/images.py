"""POST /images/generations, /images/edits and /images/variations: painted pictures in the API's envelopes.

gpt-image models answer base64 with usage and echo what was used; DALL·E answers a URL (served by the sandbox itself) or base64; the `new-api`
dialect always writes `url`, `b64_json` and `revised_prompt`, empty where there is nothing, as that program does. Token figures are
those of OpenAI's image guide: 272 to 6,240 a picture by size and quality, 65 plus 129 a tile for a reference.
"""

import base64
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mtu_mcp.sandbox import image_fields, painting
from mtu_mcp.sandbox.bodies import read_form, read_json, unknown_fields
from mtu_mcp.sandbox.desk import SIGNATURE, desk_of
from mtu_mcp.sandbox.fields import Table, check_body
from mtu_mcp.sandbox.painting import Finish, PictureFacts
from mtu_mcp.sandbox.refusals import Invalid
from mtu_mcp.sandbox.replies import event, json_reply, stream_reply
from mtu_mcp.sandbox.roster import Model
from mtu_mcp.sandbox.tokens import pieces

_OUTPUT_TOKENS: Mapping[str, tuple[int, int, int]] = {
    "low": (272, 408, 400),
    "medium": (1056, 1584, 1568),
    "high": (4160, 6240, 6208),
}
_GPT_ONLY = frozenset(
    {"background", "moderation", "output_format", "output_compression", "partial_images", "stream", "input_fidelity"}
)


@dataclass(frozen=True, slots=True)
class _Order:
    """A checked request: what to paint, and how to hand it over."""

    model: Model
    family: str
    body: Mapping[str, Any]
    width: int
    height: int
    references: tuple[PictureFacts, ...] = ()

    @property
    def count(self) -> int:
        return self.body.get("n", 1)

    @property
    def quality(self) -> str:
        asked = self.body.get("quality", "auto")
        return "medium" if asked == "auto" else asked

    @property
    def finish(self) -> Finish:
        form = self.body.get("output_format", "png")
        return Finish(form, self.body.get("output_compression", 100), f"{self.model.id} · {self.width}x{self.height}")

    @property
    def transparent(self) -> bool:
        return self.body.get("background") == "transparent"


async def generate_images(request: Request) -> Response:
    """Paint the prompt."""
    found = check_body(image_fields.GENERATION_UNION, await read_json(request), unknown=unknown_fields(request))
    order = _order(request, found, "image", image_fields.GENERATION)

    def paint(number: int) -> bytes:
        prompt = order.body["prompt"]
        return painting.paint(
            prompt, order.width, order.height, number=number, transparent=order.transparent, finish=order.finish
        )

    return await _deliver(request, order, paint, "image_generation")


async def edit_images(request: Request) -> Response:
    """Show the prompt on the pictures sent, in the mask's transparent area if there is one."""
    found = await read_form(request, image_fields.EDIT_UNION)
    numbered = [found.pop(f"image[{at}]", None) for at in range(image_fields.MOST_PICTURES)]
    if any(numbered):
        found["image"] = [*found.get("image", []), *filter(None, numbered)]
    order = _order(request, found, "edit", image_fields.EDIT)
    pictures, facts, mask = await anyio.to_thread.run_sync(_uploads, order)
    if order.family != "dall-e-2" and order.body.get("size", "auto") == "auto":
        width, height = _nearest_size(facts[0])
        order = _Order(order.model, order.family, order.body, width, height, facts)
    else:
        order = _Order(order.model, order.family, order.body, order.width, order.height, facts)

    def paint(number: int) -> bytes:
        return painting.edit(
            order.body["prompt"], pictures, order.width, order.height, mask=mask, number=number, finish=order.finish
        )

    return await _deliver(request, order, paint, "image_edit")


def _uploads(order: _Order) -> tuple[list[bytes], tuple[PictureFacts, ...], bytes | None]:
    """Check the pictures and the mask of an edit."""
    sent: list[Any] = order.body["image"]
    names = ["image"] if len(sent) == 1 else [f"image[{at}]" for at in range(len(sent))]
    checked = [image_fields.check_picture(each, name, order.family) for each, name in zip(sent, names, strict=True)]
    pictures, facts = [data for data, _ in checked], tuple(fact for _, fact in checked)
    mask = image_fields.check_mask(order.body["mask"], facts[0]) if "mask" in order.body else None
    if order.family == "dall-e-2" and mask is None:
        if len(pictures) > 1 or not facts[0].alpha:
            msg = "Invalid input image: without a mask, 'image' must be one PNG whose transparent area is to be edited."
            raise Invalid(msg, param="image", code="invalid_image_file")
        mask = pictures[0]
    return pictures, facts, mask


async def vary_image(request: Request) -> Response:
    """Make variations of one square PNG (dall-e-2)."""
    found = await read_form(request, image_fields.VARIATION)
    model = desk_of(request).model(found.get("model", "dall-e-2"), "variation")
    data, facts = image_fields.check_picture(found["image"], "image", "dall-e-2")
    width, height = image_fields.picture_size("dall-e-2", model.id, found.get("size"), "")
    order = _Order(model, "dall-e-2", found, width, height, (facts,))
    return await _deliver(
        request, order, lambda number: painting.vary(data, width, height, number=number, finish=order.finish), ""
    )


def _order(request: Request, found: dict[str, Any], kind: str, tables: Mapping[str, Table]) -> _Order:
    """Find the model, check the fields against its family's table, and settle the size."""
    desk = desk_of(request)
    if "model" not in found and desk.dialect == "new-api":
        raise Invalid("Missing required parameter: 'model'.", param="model", code="missing_required_parameter")
    name = found.get("model", "gpt-image-1" if _GPT_ONLY & found.keys() else "dall-e-2")
    model = desk.model(name, kind)
    family = image_fields.family_of(model)
    body = check_body(tables[family], found)
    if family == "gpt":
        image_fields.check_finish(body)
    width, height = image_fields.picture_size(family, model.id, body.get("size"), body["prompt"])
    return _Order(model, family, body, width, height)


async def _deliver(request: Request, order: _Order, paint: Callable[[int], bytes], event_name: str) -> Response:
    """Paint in a worker thread and answer in the family's envelope."""

    def work() -> list[bytes]:
        return [paint(number) for number in range(order.count)]

    painted = await anyio.to_thread.run_sync(work)
    desk = desk_of(request)
    if order.body.get("stream"):
        return stream_reply(request, _events(order, painted, event_name, desk.now()))
    answer: dict[str, Any] = {"created": desk.now(), "data": [_item(request, order, data) for data in painted]}
    if order.family == "gpt":
        answer |= {**_echo(order), "usage": _usage(order, len(painted))}
    return json_reply(answer)


def _item(request: Request, order: _Order, data: bytes) -> dict[str, Any]:
    form = order.finish.format
    encoded = order.family == "gpt" or order.body.get("response_format", "url") == "b64_json"
    if encoded:
        item = {"b64_json": base64.b64encode(data).decode("ascii")}
    else:
        item = {"url": desk_of(request).shelve(data, f"image/{form}", "jpg" if form == "jpeg" else form)}
    if order.model.id == "dall-e-3":
        item["revised_prompt"] = f"{order.body['prompt']} {SIGNATURE}"
    if desk_of(request).dialect == "new-api":
        return {"url": "", "b64_json": "", "revised_prompt": "", **item}
    return item


def _echo(order: _Order) -> dict[str, Any]:
    return {
        "background": "transparent" if order.transparent else "opaque",
        "output_format": order.finish.format,
        "quality": order.quality,
        "size": f"{order.width}x{order.height}",
    }


def _events(order: _Order, painted: list[bytes], name: str, now: int) -> Iterator[str]:
    """The events of a stream: blurred pictures first, then the whole one; no [DONE], as the reference has it."""
    steps = order.body.get("partial_images", 0)
    for data in painted:
        for step in range(steps):
            blurred = base64.b64encode(painting.unfinished(data, step, steps)).decode("ascii")
            kind = f"{name}.partial_image"
            part = {"type": kind, "b64_json": blurred, "partial_image_index": step, "created_at": now, **_echo(order)}
            yield event(part, kind)
        kind, whole = f"{name}.completed", base64.b64encode(data).decode("ascii")
        done = {"type": kind, "b64_json": whole, "created_at": now, **_echo(order), "usage": _usage(order, 1)}
        yield event(done, kind)


def _usage(order: _Order, count: int) -> dict[str, Any]:
    text = len(pieces(order.body["prompt"]))
    seen = sum(_reference_tokens(facts, order.body.get("input_fidelity") == "high") for facts in order.references)
    square, portrait, landscape = _OUTPUT_TOKENS[order.quality]
    each = square if order.width == order.height else portrait if order.height > order.width else landscape
    return {
        "input_tokens": text + seen,
        "input_tokens_details": {"text_tokens": text, "image_tokens": seen},
        "output_tokens": each * count,
        "output_tokens_details": {"text_tokens": 0, "image_tokens": each * count},
        "total_tokens": text + seen + each * count,
    }


def _reference_tokens(facts: PictureFacts, high: bool) -> int:
    """Count a reference: its short side scaled to 512, 65 tokens and 129 a tile of 512; high fidelity adds 4,160 or 6,240."""
    scale = 512 / min(facts.width, facts.height)
    tiles = math.ceil(round(facts.width * scale) / 512) * math.ceil(round(facts.height * scale) / 512)
    extra = (4160 if facts.width == facts.height else 6240) if high else 0
    return 65 + 129 * tiles + extra


def _nearest_size(facts: PictureFacts) -> tuple[int, int]:
    """The offered size whose shape is nearest to a picture's: what "auto" means for an edit."""
    ratio = math.log(facts.width / facts.height)
    return min(((1024, 1024), (1536, 1024), (1024, 1536)), key=lambda size: abs(math.log(size[0] / size[1]) - ratio))


ROUTES = [
    Route("/v1/images/generations", generate_images, methods=["POST"]),
    Route("/v1/images/edits", edit_images, methods=["POST"]),
    Route("/v1/images/variations", vary_image, methods=["POST"]),
]
