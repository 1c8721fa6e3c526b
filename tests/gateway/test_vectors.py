"""Embeddings and moderations: the shapes gateways answer in, and what is no answer."""

import base64
import json
import struct
from typing import Any

import pytest

from gateway.scripted import Scripted, json_body, open_gateway
from mtu_mcp.errors import BadAnswer, MtuError, NotOffered, Rejected
from mtu_mcp.gateway import EmbeddingRequest, ModerationRequest, Usage, open_scope
from mtu_mcp.sandbox import Options, Sandbox

TEXTS = ("one", "two")


def packed(*values: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


def listed(*vectors: Any, **more: Any) -> Scripted:
    data = [{"object": "embedding", "index": place, "embedding": vector} for place, vector in enumerate(vectors)]
    usage = {"prompt_tokens": 2, "total_tokens": 2}
    return json_body(json.dumps({"object": "list", "data": data, "model": "served", "usage": usage, **more}))


async def embed(*script: Scripted, **options: Any) -> tuple[list[list[float]], list[dict[str, Any]]]:
    gateway, transport, _ = open_gateway(*script)
    answer = await gateway.embed(EmbeddingRequest("m", TEXTS, options))
    return [vector.tolist() for vector in answer.vectors], [json.loads(sent.body) for sent in transport.sent]


@pytest.mark.parametrize(
    "answer",
    [
        listed([1, 0.5], [0, -2]),
        listed(packed(1, 0.5), packed(0, -2)),
        listed(packed(1, 0.5), [0, -2]),
        json_body(
            json.dumps({"data": [{"index": 1, "embedding": [0, -2]}, {"index": 0, "embedding": packed(1, 0.5)}]})
        ),
        json_body(json.dumps({"data": [{"embedding": [1, 0.5]}, {"embedding": [0, -2]}]})),
    ],
    ids=["numbers", "base64", "mixed", "out of order", "without indices"],
)
async def test_vectors_are_read_in_both_encodings_and_any_order(answer: Scripted):
    """OpenAI API reference, create embeddings: base64 is little-endian 32-bit floats; `index` gives the order."""
    vectors, [sent] = await embed(answer)
    assert vectors == [[1, 0.5], [0, -2]]
    assert sent == {"encoding_format": "base64", "model": "m", "input": ["one", "two"]}


async def test_a_call_is_one_exchange_with_its_usage():
    """Our promise: whatever spends is counted, once."""
    gateway, _, _ = open_gateway(listed([1], [2]))
    with open_scope() as scope:
        await gateway.embed(EmbeddingRequest("m", TEXTS))
    [entry] = scope.exchanges
    assert (entry.endpoint, entry.model, entry.served, entry.state) == ("embeddings", "m", "served", "done")
    assert entry.usage is not None
    assert (entry.usage.input_tokens, entry.usage.output_tokens) == (2, 0)


async def test_a_gateway_without_encodings_is_asked_again_without():
    """Model Studio documents `float` alone; the refusal names the field and costs nothing."""
    refusal = json_body(
        '{"error":{"message":"Unsupported encoding_format: base64","type":"invalid_request_error"}}', 400
    )
    vectors, sent = await embed(refusal, listed([1], [2]), dimensions=64)
    assert vectors == [[1], [2]]
    assert [body.get("encoding_format") for body in sent] == ["base64", None]
    assert [body["dimensions"] for body in sent] == [64, 64]


async def test_an_encoding_the_caller_chose_is_not_replaced():
    refusal = json_body('{"error":{"message":"Unsupported encoding_format"}}', 400)
    with pytest.raises(Rejected):
        await embed(refusal, encoding_format="float")


@pytest.mark.parametrize(
    "answer",
    [
        listed([1]),
        listed([1], [2], [3]),
        listed([1], [2, 3]),
        listed([], []),
        listed(packed(), packed()),
        listed([1], None),
        listed([1], ["x"]),
        listed([1], "not base64!"),
        listed("AAA=", "AAA="),
        listed(packed(float("nan")), packed(1)),
        listed([1e400], [1]),
        json_body('{"object":"list"}'),
        json_body("[]"),
        json_body("<html><title>502</title></html>"),
    ],
)
async def test_what_is_not_a_vector_for_each_text_is_a_bad_answer(answer: Scripted):
    """Our promise: a vector that is not there is never made up."""
    with pytest.raises(MtuError) as raised:
        await embed(answer)
    assert len(str(raised.value)) < 500
    assert isinstance(raised.value, BadAnswer | NotOffered)


@pytest.mark.parametrize("dialect", ["openai", "new-api", "dashscope"])
async def test_vectors_come_over_a_socket_in_every_dialect(dialect: Any):
    with Sandbox(Options(dialect=dialect)) as sandbox:
        gateway, _, _ = open_gateway()
        real = type(gateway)(gateway._settings.model_copy(update={"base_url": sandbox.base_url}))
        try:
            answer = await real.embed(EmbeddingRequest("text-embedding-v4", ["你好", "世界"], {"dimensions": 64}))
            with pytest.raises(Rejected):
                await real.embed(EmbeddingRequest("text-embedding-v4", ["x"] * 11))
        finally:
            await real.aclose()
    assert [len(vector) for vector in answer.vectors] == [64, 64]


def test_what_many_calls_used_is_summed_and_what_none_counted_stays_unknown():
    """Our promise: a receipt over many calls says no more than the gateway did."""
    both = Usage(3, 1, input_text=3, images=1) + Usage(4, 0, seconds=1.5, estimated=True)
    assert both == Usage(7, 1, input_text=3, seconds=1.5, images=1, estimated=True)
    assert both.output_audio is None


def judged(*results: Any) -> Scripted:
    return json_body(json.dumps({"id": "modr-1", "model": "served", "results": list(results)}))


async def test_verdicts_keep_the_categories_that_apply_and_every_score():
    """OpenAI API reference, create moderation; Python clients spell the keys with underscores."""
    plain = {"flagged": False, "categories": {"hate": False}, "category_scores": {"hate": 0.01}}
    marked = {
        "flagged": True,
        "categories": {"self_harm_intent": True, "violence/graphic": True, "hate": None},
        "category_scores": {"self_harm_intent": 0.9, "violence/graphic": 0.6, "hate": None},
    }
    gateway, transport, _ = open_gateway(judged(plain, marked))
    answer = await gateway.moderate(ModerationRequest("m", TEXTS))
    one, two = answer.verdicts
    assert (one.flagged, one.categories, one.scores) == (False, (), {"hate": 0.01})
    assert two.categories == ("self-harm/intent", "violence/graphic")
    assert two.scores == {"self-harm/intent": 0.9, "violence/graphic": 0.6}
    assert json.loads(transport.sent[0].body) == {"model": "m", "input": ["one", "two"]}
    assert answer.model == "served"


async def test_parts_have_one_verdict_together():
    """OpenAI API reference: a list of parts is one input."""
    parts = [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "https://a.test/b.png"}}]
    gateway, _, _ = open_gateway(judged({"flagged": True}), judged({}, {}))
    assert (await gateway.moderate(ModerationRequest("m", parts))).verdicts[0].flagged
    with pytest.raises(BadAnswer):
        await gateway.moderate(ModerationRequest("m", parts))


@pytest.mark.parametrize(
    "answer", [judged(), judged({}), json_body("{}"), json_body('{"results":null}'), json_body("")]
)
async def test_a_verdict_that_is_missing_is_a_bad_answer(answer: Scripted):
    """Our promise: silence is not "harmless"."""
    gateway, _, _ = open_gateway(answer)
    with pytest.raises(BadAnswer):
        await gateway.moderate(ModerationRequest("m", TEXTS))


async def test_a_vector_for_each_token_is_told_from_one_for_the_text():
    """llama.cpp's server without pooling: `embedding` is then a list of lists."""
    with pytest.raises(BadAnswer) as caught:
        await embed(listed([[0.1, 0.2], [0.3, 0.4]], [[0.1, 0.2]]))
    assert caught.value.message == (
        "The gateway's answer holds a vector for each token of a text instead of one for the text."
    )
