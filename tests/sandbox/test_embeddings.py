"""POST /v1/embeddings: near for near texts, strict about what it takes."""

import base64
import math
import struct

import openai
import pytest

from mtu_mcp.sandbox.vectors import embed_text


def embed(raw, given, model="text-embedding-3-small", **fields):
    return raw.post("/v1/embeddings", json={"model": model, "input": given} | fields)


def vectors(raw, given, **fields):
    answer = embed(raw, given, **fields)
    assert answer.status_code == 200, answer.text
    return [one["embedding"] for one in answer.json()["data"]]


def error(raw, given, **fields):
    answer = embed(raw, given, **fields)
    return answer.json()["error"] | {"status": answer.status_code}


def likeness(one, other):
    return sum(left * right for left, right in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("text", "near", "far"),
    [
        ("The cat sleeps on the sofa", "A cat is sleeping on my sofa", "Quarterly revenue grew by nine percent"),
        ("我喜欢吃北京烤鸭", "北京烤鸭很好吃", "股票市场今天下跌"),
        ("def parse(line): return line.split()", "def parse(text): return text.split()", "苹果 and pears"),
    ],
)
@pytest.mark.parametrize("dimensions", [1536, 256, 64])
def test_near_texts_have_near_vectors(text, near, far, dimensions):
    """Our promise: search in the embedded gateway finds what a person would, as far as spelling goes."""
    one, close, distant = (embed_text(each, dimensions) for each in (text, near, far))
    assert likeness(one, close) > likeness(one, distant) + 0.15


@pytest.mark.parametrize("text", ["x", "?!", "😀", " ", "的", "a" * 5000])
@pytest.mark.parametrize("dimensions", [1, 64, 1536])
def test_every_vector_has_length_one(text, dimensions):
    """OpenAI's guide to embeddings: vectors are normalised to length 1."""
    vector = embed_text(text, dimensions)
    assert len(vector) == dimensions
    assert math.isclose(likeness(vector, vector), 1.0, rel_tol=1e-6)


def test_the_shape_is_the_api_references(raw):
    """OpenAI API reference, create embeddings."""
    body = embed(raw, ["one", "two words"]).json()
    assert (body["object"], body["model"]) == ("list", "text-embedding-3-small")
    assert [(one["object"], one["index"]) for one in body["data"]] == [("embedding", 0), ("embedding", 1)]
    assert body["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    assert len(body["data"][0]["embedding"]) == 1536


def test_base64_holds_the_same_numbers(raw):
    """OpenAI API reference, encoding_format: base64 is little-endian 32-bit floats."""
    [plain] = vectors(raw, "hello")
    [packed] = vectors(raw, "hello", encoding_format="base64")
    data = base64.b64decode(packed)
    assert struct.unpack(f"<{len(data) // 4}f", data) == pytest.approx(plain, abs=1e-6)


def test_tokens_are_taken_one_list_or_several(raw):
    """OpenAI API reference, create embeddings: input is a string, strings, tokens or lists of tokens."""
    assert len(vectors(raw, [1, 2, 3])) == 1
    assert len(vectors(raw, [[1, 2], [3]])) == 2
    assert error(raw, [[1], "x"])["code"] == "invalid_type"
    assert error(raw, [1, "x"])["code"] == "invalid_type"


@pytest.mark.parametrize(
    ("model", "sizes"),
    [
        ("text-embedding-3-large", {None: 3072, 256: 256}),
        ("text-embedding-v4", {None: 1024, 2048: 2048, 64: 64}),
        ("text-embedding-ada-002", {None: 1536}),
    ],
)
def test_dimensions_follow_the_model(raw, model, sizes):
    """OpenAI API reference and Model Studio: which models can be shortened, and to what."""
    for asked, size in sizes.items():
        fields = {} if asked is None else {"dimensions": asked}
        assert len(vectors(raw, "x", model=model, **fields)[0]) == size
    assert error(raw, "x", model=model, dimensions=5000)["status"] == 400
    assert error(raw, "x", model="text-embedding-v4", dimensions=100)["status"] == 400


def test_more_texts_than_the_model_takes_are_refused(raw):
    """OpenAI: 2,048 inputs. Model Studio: 10 for v3 and v4, 25 for v1 and v2."""
    assert error(raw, ["x"] * 2049)["code"] == "array_above_max_length"
    assert len(vectors(raw, ["x"] * 2048, dimensions=2)) == 2048
    for model, most in (("text-embedding-v4", 10), ("text-embedding-v2", 25)):
        assert f"not be larger than {most}" in error(raw, ["x"] * (most + 1), model=model)["message"]
        assert len(vectors(raw, ["x"] * most, model=model)) == most


@pytest.mark.parametrize(
    ("given", "fields", "code"),
    [
        ("", {}, "empty_string"),
        (["a", ""], {}, "empty_string"),
        ([], {}, "empty_array"),
        (None, {}, "missing_required_parameter"),
        (3, {}, "invalid_type"),
        ("x", {"encoding_format": "int8"}, "invalid_value"),
        ("x", {"dimensions": 0}, "integer_below_min_value"),
        ("x", {"dimension": 64}, "unknown_parameter"),
        ("word " * 9000, {}, "context_length_exceeded"),
        (["word " * 8000] * 38, {}, "max_tokens_per_request"),
    ],
)
def test_what_cannot_be_embedded_is_refused_by_name(raw, given, fields, code):
    """OpenAI API reference, create embeddings: no empty string, 8,192 tokens each, 300,000 together."""
    assert error(raw, given, **fields)["code"] == code


def test_a_chat_model_makes_no_vectors(raw):
    assert error(raw, "x", model="gpt-4o")["status"] == 404


def test_the_dialects_word_it_their_way(speaking):
    """New API: validation is HTTP 500, unknown fields vanish. Model Studio: a request id beside the error."""
    assert error(speaking(dialect="new-api"), None)["message"].startswith("field input is required")
    assert len(vectors(speaking(dialect="new-api"), "x", colour=1)) == 1
    assert "request_id" in embed(speaking(dialect="dashscope"), ["x"] * 11, model="text-embedding-v4").json()


def test_the_public_client_embeds_in_both_encodings(sandbox):
    """The `openai` client asks for base64 unless told otherwise, and decodes it."""
    with openai.OpenAI(base_url=sandbox.base_url, api_key="sk-test", max_retries=0) as client:
        usual = client.embeddings.create(model="text-embedding-3-small", input=["你好", "hello"], dimensions=64)
        plain = client.embeddings.create(
            model="text-embedding-3-small", input=["你好", "hello"], dimensions=64, encoding_format="float"
        )
    assert [len(one.embedding) for one in usual.data] == [64, 64]
    assert usual.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-6)
    assert sandbox.journal.find("/embeddings")[-2].asked["encoding_format"] == "base64"
