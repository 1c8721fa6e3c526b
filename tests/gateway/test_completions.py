"""Text completions: pieces, whole bodies, breaks, and the parameter not every gateway knows."""

import json

import httpx
import pytest

from gateway.scripted import Scripted, events, json_body, open_gateway
from mtu_mcp.errors import BadAnswer, NotOffered, Rejected
from mtu_mcp.gateway import Completion, CompletionRequest, Usage, open_scope


def chunk(text: str, finish: str | None = None, index: int = 0) -> bytes:
    choice = {"text": text, "index": index, "logprobs": None, "finish_reason": finish}
    return f"data: {json.dumps({'object': 'text_completion', 'model': 'served', 'choices': [choice]})}\n\n".encode()


USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}\n\n'
DONE = b"data: [DONE]\n\n"


async def completed(*script: Scripted | Exception) -> Completion:
    gateway, _, _ = open_gateway(*script)
    return await gateway.complete(CompletionRequest("asked", "def f("))


async def test_pieces_are_joined_with_model_finish_and_usage() -> None:
    """OpenAI API reference, create completion: the stream's chunks, the usage chunk has no choices."""
    answer = await completed(events(chunk("x"), chunk("):", "stop"), chunk("other", index=1), USAGE, DONE))
    assert answer == Completion("x):", "served", "stop", "", Usage(5, 2))


async def test_a_whole_body_is_taken_where_a_stream_was_asked() -> None:
    """Some relays gather a stream into one body."""
    body = {"model": "served", "choices": [{"text": "x", "index": 0, "finish_reason": "length"}]}
    answer = await completed(json_body(json.dumps(body)))
    assert (answer.text, answer.cut) == ("x", "stopped at the token limit")


async def test_an_empty_continuation_is_an_answer() -> None:
    """OpenAI API reference: a model may stop at once."""
    assert (await completed(events(chunk("", "stop"), DONE))).text == ""


async def test_a_chats_shape_is_read_too() -> None:
    """Gateways that answer this endpoint with chat chunks."""
    piece = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}\n\n'
    assert (await completed(events(piece, DONE))).text == "x"


async def test_a_broken_stream_returns_what_arrived() -> None:
    """Our promise: what was paid for is never lost."""
    gateway, _, _ = open_gateway(events(chunk("half"), httpx.ReadError("gone")))
    with open_scope() as scope:
        answer = await gateway.complete(CompletionRequest("asked", "x"))
    assert answer.text == "half"
    assert answer.cut
    assert scope.exchanges[0].state == "cut"
    with pytest.raises(BadAnswer):
        await completed(events(DONE))


async def test_stream_options_are_left_out_where_they_are_refused() -> None:
    """Model Studio's code completion does not list stream_options; a refused parameter has cost nothing."""
    refusal = json_body('{"error":{"message":"Unknown parameter: \'stream_options\'."}}', 400)
    gateway, transport, _ = open_gateway(refusal, events(chunk("x", "stop"), DONE))
    assert (await gateway.complete(CompletionRequest("asked", "x"))).text == "x"
    first, second = (json.loads(sent.body) for sent in transport.sent)
    assert first.pop("stream_options") == {"include_usage": True}
    assert first == second == {"model": "asked", "prompt": "x", "stream": True}


async def test_a_missing_endpoint_is_not_offered() -> None:
    """New API: 404 "Invalid URL" or 501."""
    missing = '{"error":{"message":"Invalid URL (POST /v1/completions)","type":"invalid_request_error"}}'
    with pytest.raises(NotOffered):
        await completed(json_body(missing, 404))
    with pytest.raises(Rejected):
        await completed(json_body('{"error":{"message":"max_tokens is too large"}}', 400))
