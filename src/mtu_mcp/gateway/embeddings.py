"""Embeddings: texts to vectors.

Vectors are asked for as base64, a third of the size of decimal numbers and what the public `openai` client asks too. A
gateway may send numbers all the same, which is accepted, or refuse the field by name, and is then asked without it.
"""

import binascii
import math
import sys
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread

from mtu_mcp.amounts import counted
from mtu_mcp.errors import Rejected
from mtu_mcp.gateway.exchange import current_scope
from mtu_mcp.gateway.shapes import mapping, sequence, text, whole
from mtu_mcp.gateway.usage import Usage
from mtu_mcp.gateway.wire import Call

if TYPE_CHECKING:
    from mtu_mcp.gateway.body import Body
    from mtu_mcp.gateway.wire import Wire

    Vector = array[float]
else:
    Vector = array  # takes no parameter at run time before Python 3.12

ENDPOINT: Final = "embeddings"
ENCODING: Final = "encoding_format"
LIMIT: Final = 256 * 1024 * 1024
"""Bytes of an answer: 2,048 vectors of 3,072 numbers written out are some 140 MB."""
_EXPECTED: Final = ("data",)


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """Texts to embed in one call.

    Attributes:
        model: The model's name.
        texts: None of them empty; how many a call takes depends on the model.
        options: Further fields of the API's body, such as `dimensions`.
    """

    model: str
    texts: Sequence[str]
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Embeddings:
    """A vector of 32-bit floats for each text, in the order of the texts, all of one length."""

    vectors: tuple[Vector, ...]
    model: str = ""
    usage: Usage | None = None
    request_id: str = ""


async def embed(wire: "Wire", request: EmbeddingRequest) -> Embeddings:
    """Embed texts.

    Raises:
        Rejected: Among other things, more texts than the model takes in one call.
        BadAnswer: Not one vector for each text.
    """
    try:
        return await _ask(wire, request, {ENCODING: "base64"})
    except Rejected as error:
        # A refusal costs nothing, and some gateways know only the encoding they do not call by a name.
        if ENCODING in request.options or ENCODING not in error.message:
            raise
        return await _ask(wire, request, {})


async def _ask(wire: "Wire", request: EmbeddingRequest, encoding: Mapping[str, Any]) -> Embeddings:
    payload = {**encoding, **request.options, "model": request.model, "input": list(request.texts)}
    async with wire.spend(ENDPOINT, request.model, payload) as entry:
        await current_scope().report(f"embedding {counted(len(request.texts), 'text')}")
        async with wire.open(Call(ENDPOINT, request.model, payload, key=entry.idempotency_key)) as body:
            entry.request_id = body.request_id
            raw = mapping(await body.json(_EXPECTED, LIMIT))
            entry.usage, entry.served = Usage.read(raw.get("usage")), text(raw.get("model"))
            vectors = await anyio.to_thread.run_sync(_vectors, raw, len(request.texts), body)
            return Embeddings(vectors, entry.served, entry.usage, body.request_id)


def _vectors(raw: Mapping[str, Any], wanted: int, body: "Body") -> tuple[Vector, ...]:
    items = sequence(raw.get("data"))
    places = [whole(mapping(item).get("index")) for item in items]
    if sorted(place for place in places if place is not None) == list(range(len(items))):
        ordered = dict(zip(places, items, strict=True))
        items = [ordered[place] for place in range(len(items))]
    if len(items) != wanted:
        raise body.odd(f"{len(items)} vectors for {wanted} texts")
    vectors = tuple(_vector(mapping(item).get("embedding"), body) for item in items)
    if len({len(vector) for vector in vectors}) > 1 or not all(vectors):
        raise body.odd("vectors of different lengths, or none")
    return vectors


def _vector(raw: object, body: "Body") -> Vector:
    """Read one vector, as numbers or as base64 of little-endian 32-bit floats."""
    if isinstance(next(iter(sequence(raw)), None), list):  # llama.cpp without pooling
        raise body.odd("a vector for each token of a text instead of one for the text")
    try:
        if not isinstance(raw, str):
            vector = array("f", sequence(raw))
        else:
            vector = array("f")
            vector.frombytes(binascii.a2b_base64(raw))
            if sys.byteorder == "big":
                vector.byteswap()
    except (ValueError, TypeError, OverflowError) as error:
        raise body.odd("an embedding without numbers") from error
    if not math.isfinite(sum(vector)):
        raise body.odd("an embedding with numbers that are none")
    return vector
