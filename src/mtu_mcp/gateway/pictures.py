"""Pictures: made, edited and varied.

What comes back differs by gateway, not by endpoint: base64, an address, an address that is a data: URI, base64 in the
field for addresses, or an error for one picture among several. The first field that holds something counts.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

import anyio.to_thread

from mtu_mcp.errors import BadAnswer
from mtu_mcp.gateway import failures, sound
from mtu_mcp.gateway.body import Body
from mtu_mcp.gateway.complaints import Complaint, read_complaint
from mtu_mcp.gateway.exchange import Exchange, current_scope
from mtu_mcp.gateway.forms import Form, fields
from mtu_mcp.gateway.images import ImageEdit, ImageRequest, ImagesAnswer, ImageVariation, MadeImage
from mtu_mcp.gateway.shapes import mapping, sequence, shortened, text, whole
from mtu_mcp.gateway.usage import Usage
from mtu_mcp.gateway.wire import Call

if TYPE_CHECKING:
    from mtu_mcp.gateway.wire import Wire

GENERATIONS: Final = "images/generations"
EDITS: Final = "images/edits"
VARIATIONS: Final = "images/variations"
_EXPECTED: Final = ("data", "images", "output", "b64_json", "url")
_MOST: Final = 100
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_\-\s]{64,}={0,2}\s*")


async def generate(wire: "Wire", request: ImageRequest) -> ImagesAnswer:
    """Make pictures from words."""
    payload = {**request.options, "model": request.model, "prompt": request.prompt}
    return await _call(wire, Call(GENERATIONS, request.model, payload=payload))


async def edit(wire: "Wire", request: ImageEdit) -> ImagesAnswer:
    """Change a picture; one is sent as `image`, several as `image[]`."""
    name = "image" if len(request.images) == 1 else "image[]"
    files = [(name, image) for image in request.images]
    files += [("mask", request.mask)] if request.mask else []
    values = {**request.options, "model": request.model, "prompt": request.prompt}
    return await _call(wire, Call(EDITS, request.model, form=Form(list(fields(values)), files)))


async def vary(wire: "Wire", request: ImageVariation) -> ImagesAnswer:
    """Make variations of a picture."""
    values = {**request.options, "model": request.model}
    form = Form(list(fields(values)), [("image", request.image)])
    return await _call(wire, Call(VARIATIONS, request.model, form=form))


async def _call(wire: "Wire", call: Call) -> ImagesAnswer:
    asked, files = (dict(call.form.fields), call.form.files) if call.form else (call.payload or {}, ())
    async with wire.spend(call.endpoint, call.model, asked, files) as entry:
        await current_scope().report(f"asking {call.model} for a picture")
        async with wire.open(call.keyed(entry.idempotency_key)) as body:
            entry.request_id = body.request_id
            raw = await _raw(body)
            # Tens of megabytes of base64: decoded where it holds nobody up.
            answer = await anyio.to_thread.run_sync(_read, raw, call.model, body.request_id)
            entry.usage, entry.served = answer.usage, text(raw.get("model"))
            entry.made = sum(1 for image in answer.images if image.data or image.url)
            _require_one(answer, raw, body, entry)
            return answer


async def _raw(body: Body) -> Mapping[str, Any]:
    """The answer as an object; a stream of events is put into the same shape."""
    if await body.form() != "events":
        return mapping(await body.json(_EXPECTED))
    made: list[Mapping[str, Any]] = []
    async with aclosing(body.objects(_EXPECTED)) as objects:
        async for raw in objects:
            if text(raw.get("type")).endswith(".completed") or raw.get("data"):
                made.append(raw)
            elif text(raw.get("type")).endswith(".partial_image"):
                await current_scope().report("a first sketch is here")
    if len(made) == 1 and made[0].get("data"):
        return made[0]
    return {**(made[-1] if made else {}), "data": made}


def _read(raw: Mapping[str, Any], model: str, request_id: str) -> ImagesAnswer:
    images = tuple(_image(item) for item in _entries(raw)[:_MOST])
    return ImagesAnswer(
        images=tuple(image for image in images if image != MadeImage()),
        usage=Usage.read(raw.get("usage")),
        model=text(raw.get("model")) or model,
        created=whole(raw.get("created")) or whole(raw.get("created_at")),
        size=text(raw.get("size")),
        quality=text(raw.get("quality")),
        output_format=text(raw.get("output_format")),
        background=text(raw.get("background")),
        request_id=request_id,
    )


def _entries(raw: Mapping[str, Any]) -> Sequence[object]:
    """Where the pictures stand: `data`, `images`, or DashScope's own `output`."""
    output = mapping(raw.get("output"))
    for place in (raw.get("data"), raw.get("images"), output.get("results")):
        if found := sequence(place):
            return found
    if single := mapping(raw.get("data")):
        return (single,)
    messages = (mapping(mapping(choice).get("message")) for choice in sequence(output.get("choices")))
    parts = [part for message in messages for part in sequence(message.get("content"))]
    return parts or ((raw,) if raw.get("b64_json") or raw.get("url") else ())


def _image(raw: object) -> MadeImage:
    item = {"url": raw} if isinstance(raw, str) else mapping(raw)
    error = read_complaint(item).quote if item.get("error") else ""
    value = next((found for key in ("b64_json", "url", "image") if (found := _value(item.get(key)))), "")
    data, url = _decoded(value)
    return MadeImage(data, url, text(item.get("revised_prompt")), error, text(item.get("size")))


def _value(raw: object) -> str:
    found = raw if isinstance(raw, str) else next((item for item in sequence(raw) if isinstance(item, str)), "")
    return found.strip()


def _decoded(value: str) -> tuple[bytes | None, str]:
    """Bytes or an address from a field that may hold either."""
    if value[:5].lower() == "data:":
        head, _, rest = value.partition(",")
        data = sound.decoded(rest) if head.lower().endswith("base64") else unquote_to_bytes(rest)
        return data or None, ""
    if "://" in value[:32] or (value.startswith("/") and len(value) < 2048 and not _BASE64.fullmatch(value)):
        return None, shortened(value, 4096)
    return sound.decoded(value) or None, ""


def _require_one(answer: ImagesAnswer, raw: Mapping[str, Any], body: Body, entry: Exchange) -> None:
    if any(image.data or image.url for image in answer.images):
        return
    for item in _entries(raw):
        if complaint := read_complaint(item) if mapping(item).get("error") else Complaint():
            raise failures.from_complaint(body.asked, complaint, entry.request_id)
    raise BadAnswer(
        "The gateway's answer holds no picture.", advice="Try again.", status=200, request_id=entry.request_id
    )
