"""POST /embeddings: vectors of texts or token lists, under the limits their makers document.

OpenAI API reference, create embeddings: at most 2,048 inputs, 8,192 tokens each, 300,000 together, no empty string;
`dimensions` for the third generation. Model Studio: at most 25 (v1, v2) or 10 (v3, v4) texts, a fixed choice of dimensions.
"""

import re
from collections.abc import Sequence
from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mtu_mcp.sandbox.bodies import read_checked
from mtu_mcp.sandbox.desk import desk_of, entry_of
from mtu_mcp.sandbox.fields import Table, either, integer, listing, one_of, string
from mtu_mcp.sandbox.refusals import Invalid, Refusal
from mtu_mcp.sandbox.replies import json_reply
from mtu_mcp.sandbox.roster import Model
from mtu_mcp.sandbox.tokens import pieces
from mtu_mcp.sandbox.vectors import embed_text, embed_tokens, packed

MOST_INPUTS = 2048
MOST_TOKENS_TOGETHER = 300_000
_LAST_TOKEN = 200_018
_BATCHES = {
    "acme/embed": 16,
    "text-embedding-v1": 25,
    "text-embedding-v2": 25,
    "text-embedding-v3": 10,
    "text-embedding-v4": 10,
}
_SIZES = {"text-embedding-3-large": 3072, "text-embedding-v3": 1024, "text-embedding-v4": 1024}
_USUAL_SIZE = 1536
_CHOICES = {
    "text-embedding-v3": (1024, 768, 512, 256, 128, 64),
    "text-embedding-v4": (2048, 1536, 1024, 768, 512, 256, 128, 64),
}
_SHORTENED = re.compile(r"text-embedding-(3-|v3|v4)")
_token = integer(0, _LAST_TOKEN)
EMBEDDING: Table = {
    "input": either(string(), listing(either(string(), _token, listing(_token, 1)), 1, MOST_INPUTS)).required(),
    "model": string(1).required(),
    "dimensions": integer(1),
    "encoding_format": one_of("float", "base64"),
    "user": string(),
}

Input = str | list[int]


async def embed(request: Request) -> Response:
    """Give a vector for each input, in order."""
    body = await read_checked(request, EMBEDDING)
    model = desk_of(request).model(body["model"], "embed")
    inputs = _inputs(body["input"])
    _check_batch(model, inputs)
    size = _size(model, body.get("dimensions"))
    counts = [_count(one) for one in inputs]
    _check_tokens(model, counts)
    vectors = await anyio.to_thread.run_sync(lambda: [_vector(one, size) for one in inputs])
    entry_of(request).notes["inputs"] = len(inputs)
    wanted = body.get("encoding_format", "float")
    data = [
        {"object": "embedding", "index": place, "embedding": packed(vector) if wanted == "base64" else vector}
        for place, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": sum(counts), "total_tokens": sum(counts)}
    return json_reply({"object": "list", "data": data, "model": model.id, "usage": usage})


def _inputs(given: Any) -> list[Input]:
    """The inputs one by one: a bare string or a bare list of tokens is one of them."""
    if isinstance(given, str):
        return [_filled(given, "input")]
    items: list[Any] = given
    if isinstance(items[0], int):
        if not all(isinstance(item, int) for item in items):
            raise Invalid("Invalid 'input': tokens and texts may not be mixed.", param="input", code="invalid_type")
        return [items]
    if not all(type(item) is type(items[0]) for item in items):
        raise Invalid("Invalid 'input': tokens and texts may not be mixed.", param="input", code="invalid_type")
    return [_filled(item, f"input[{place}]") for place, item in enumerate(items)]


def _filled(item: Input, path: str) -> Input:
    if not item:
        raise Invalid(f"Invalid '{path}': input cannot be an empty string.", param=path, code="empty_string")
    return item


def _check_batch(model: Model, inputs: Sequence[Input]) -> None:
    most = _BATCHES.get(model.id, MOST_INPUTS)
    if len(inputs) > most and model.owner == "acme":
        msg = f"This model takes at most {most} inputs in one request; there are {len(inputs)}."
        raise Invalid(msg, param="input", code="too_many_inputs")
    if len(inputs) > most:
        msg = (
            f"<400> InternalError.Algo.InvalidParameter: Value error, batch size is invalid, "
            f"it should not be larger than {most}.: input.contents"
        )
        raise Refusal(400, msg, type="InvalidParameter", code="InvalidParameter")
    if model.id in _BATCHES and not isinstance(inputs[0], str):
        raise Invalid("Invalid 'input': this model takes texts, not tokens.", param="input", code="invalid_type")


def _size(model: Model, asked: int | None) -> int:
    usual = _SIZES.get(model.id, _USUAL_SIZE)
    if asked is None:
        return usual
    if not _SHORTENED.match(model.id):
        msg = "This model does not support specifying dimensions."
        raise Invalid(msg, param="dimensions", code="unsupported_parameter")
    choices = _CHOICES.get(model.id)
    if choices and asked not in choices:
        listed = ", ".join(map(str, choices))
        msg = f"Value error, dimension is invalid, should be one of {listed}: parameters.dimension"
        raise Refusal(400, msg, type="InvalidParameter", code="InvalidParameter")
    if asked > usual and not choices:
        msg = f"Invalid value for 'dimensions' = {asked}. Must be less than or equal to {usual}."
        raise Invalid(msg, param="dimensions", code="invalid_value")
    return asked


def _check_tokens(model: Model, counts: Sequence[int]) -> None:
    for place, count in enumerate(counts):
        if count > model.context:
            msg = (
                f"Invalid 'input[{place}]': maximum context length is {model.context} tokens, "
                f"however you requested {count} tokens."
            )
            raise Invalid(msg, param=f"input[{place}]", code="context_length_exceeded")
    if sum(counts) > MOST_TOKENS_TOGETHER:
        msg = f"Invalid 'input': maximum request size is {MOST_TOKENS_TOGETHER} tokens per request."
        raise Invalid(msg, param="input", code="max_tokens_per_request")


def _count(one: Input) -> int:
    return len(pieces(one)) if isinstance(one, str) else len(one)


def _vector(one: Input, size: int) -> list[float]:
    return embed_text(one, size) if isinstance(one, str) else embed_tokens(one, size)


ROUTES = [Route("/v1/embeddings", embed, methods=["POST"])]
