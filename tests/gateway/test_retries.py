"""What is tried again, and what is not."""

from datetime import UTC, datetime
from email.utils import format_datetime

import httpx
import pytest

from gateway.scripted import Scripted, events, json_body, open_gateway
from mtu_mcp.errors import (
    Overloaded,
    QuotaExhausted,
    Rejected,
    UnknownModel,
    Unreachable,
    UpstreamFailure,
)
from mtu_mcp.gateway import ChatRequest, TranscriptionRequest, Upload, open_scope

QUESTION = ChatRequest("m", [{"role": "user", "content": "hello"}])
HELLO = '{"choices":[{"message":{"content":"hello"},"finish_reason":"stop"}],"model":"m"}'
MODELS = '{"data":[{"id":"m"}]}'
BUSY = '{"error":{"message":"slow down","code":"rate_limit_exceeded"}}'


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"retry_after": "7"}, 7, 7),
        ({"retry_after": "0.5"}, 0.5, 0.5),
        ({"retry_after_ms": "1500", "retry_after": "9"}, 1.5, 1.5),
        ({"retry_after": format_datetime(datetime.fromtimestamp(1012, UTC), usegmt=True)}, 12, 12),
        ({"retry_after": format_datetime(datetime.fromtimestamp(10, UTC), usegmt=True)}, 0, 0),
        ({"retry_after": "-3"}, 0, 0),
        ({"retry_after": "soon"}, 0.3, 0.7),
        ({}, 0.3, 0.7),
    ],
)
async def test_a_busy_gateway_is_asked_again_when_it_says(headers: dict[str, str], least: float, most: float):
    """RFC 9110, 10.2.3: Retry-After is seconds or a date; the OpenAI clients also read retry-after-ms."""
    gateway, transport, waits = open_gateway(json_body(BUSY, 429, **headers), json_body(HELLO), now=lambda: 1000.0)
    assert (await gateway.chat(QUESTION)).text == "hello"
    assert len(waits) == 1
    assert least <= waits[0] <= most
    assert transport.closed == 2


async def test_a_long_wait_is_left_to_the_caller():
    """Our promise: no call sleeps for more than 30 seconds; the error says how long to wait."""
    gateway, transport, waits = open_gateway(json_body(BUSY, 429, retry_after="120"), json_body(HELLO))
    with pytest.raises(Overloaded, match="120 s") as caught:
        await gateway.chat(QUESTION)
    assert caught.value.retry_after == 120
    assert (len(transport.sent), waits) == (1, [])


@pytest.mark.parametrize(
    "first",
    [
        json_body(BUSY, 429),
        json_body('{"error":{"message":"maintenance"}}', 503),
        Scripted(503, {}, (b"<html><title>503</title></html>",)),
        httpx.ConnectError("refused"),
        httpx.PoolTimeout(""),
    ],
)
async def test_what_cannot_have_cost_anything_is_tried_again_under_the_same_key(first: Scripted | Exception):
    """Our promise: retries only where nothing was billed, and one Idempotency-Key for all of them."""
    gateway, transport, waits = open_gateway(first, first, json_body(HELLO))
    with open_scope() as scope:
        assert (await gateway.chat(QUESTION)).text == "hello"
    keys = {sent.headers["idempotency-key"] for sent in transport.sent}
    assert keys == {scope.exchanges[0].idempotency_key}
    assert len(transport.sent) == 3
    assert waits[0] < waits[1]
    assert [exchange.state for exchange in scope.exchanges] == ["done"]


async def test_two_calls_have_two_keys():
    """The OpenAI API reference: a key names one request."""
    gateway, transport, _ = open_gateway(json_body(HELLO), json_body(HELLO))
    await gateway.chat(QUESTION)
    await gateway.chat(QUESTION)
    assert transport.sent[0].headers["idempotency-key"] != transport.sent[1].headers["idempotency-key"]


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        (json_body('{"error":{"message":"boom"}}', 500), UpstreamFailure),
        (json_body('{"error":{"message":"boom"}}', 502), UpstreamFailure),
        (json_body('{"error":{"message":"no money","code":"insufficient_quota"}}', 429), QuotaExhausted),
        (json_body('{"error":{"message":"x","code":"model_not_found"}}', 503), UnknownModel),
        (json_body('{"error":{"message":"x"}}', 400), Rejected),
        (httpx.ReadError("reset"), Unreachable),
        (httpx.ConnectTimeout(""), Unreachable),
        (httpx.ReadTimeout(""), Unreachable),
        (httpx.WriteError("reset"), Unreachable),
        (httpx.RemoteProtocolError("gone"), Unreachable),
        (httpx.ConnectError("CERTIFICATE_VERIFY_FAILED"), Unreachable),
    ],
)
async def test_what_may_have_cost_something_or_cannot_get_better_is_not(
    first: Scripted | Exception, kind: type[Exception]
):
    """Our promise: retries only where nothing was billed."""
    gateway, transport, _ = open_gateway(first, json_body(HELLO))
    with pytest.raises(kind):
        await gateway.chat(QUESTION)
    assert len(transport.sent) == 1


async def test_nothing_is_tried_again_after_bytes_arrived():
    """Our promise: an answer that began was billed."""
    gateway, transport, _ = open_gateway(events(b": hello\n\n", httpx.ReadError("reset")), json_body(HELLO))
    with pytest.raises(Unreachable):
        await gateway.chat(QUESTION)
    assert len(transport.sent) == 1


@pytest.mark.parametrize("first", [json_body("", 500), json_body("", 502), httpx.ReadError("reset")])
async def test_a_question_that_costs_nothing_is_asked_again(first: Scripted | Exception):
    """Our promise: other 5xx and broken connections are retried on reads alone."""
    gateway, transport, _ = open_gateway(first, json_body(MODELS))
    assert [model.id for model in await gateway.list_models()] == ["m"]
    assert "idempotency-key" not in transport.sent[0].headers


async def test_the_number_of_tries_is_a_setting():
    """MTU_MAX_RETRIES."""
    gateway, transport, waits = open_gateway(*[json_body(BUSY, 429)] * 4, max_retries=3)
    with pytest.raises(Overloaded):
        await gateway.chat(QUESTION)
    assert (len(transport.sent), len(waits)) == (4, 3)


async def test_a_form_is_sent_whole_again():
    """Our promise: a file is opened anew for every try."""
    gateway, transport, _ = open_gateway(json_body(BUSY, 429), json_body('{"text":"hi"}'))
    await gateway.transcribe(TranscriptionRequest("m", Upload("a.wav", "audio/wav", data=b"RIFF")))
    assert transport.sent[0].body == transport.sent[1].body
    assert b"RIFF" in transport.sent[1].body


@pytest.mark.parametrize("status", [400, 422, 500])
@pytest.mark.parametrize(
    "words",
    [
        '"message":"Unrecognized request argument: stream_options"',
        '"message":"Unknown parameter","param":"stream_options"',
    ],
)
async def test_a_gateway_that_does_not_know_stream_options_is_asked_without(status: int, words: str):
    """Our promise: usage is always asked for, but a refusal of the parameter costs nothing and is not the end."""
    refusal = f'{{"error":{{{words},"type":"invalid_request_error"}}}}'
    gateway, transport, _ = open_gateway(json_body(refusal, status), json_body(HELLO))
    with open_scope() as scope:
        assert (await gateway.chat(QUESTION)).text == "hello"
    assert b"include_usage" in transport.sent[0].body
    assert b"stream_options" not in transport.sent[1].body
    assert transport.sent[0].headers["idempotency-key"] != transport.sent[1].headers["idempotency-key"]
    assert [exchange.state for exchange in scope.exchanges] == ["done"]
