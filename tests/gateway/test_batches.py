"""Batches at the gateway: what is sent, how answers are read, and that only making one may cost."""

import json
from typing import Any

import pytest

from gateway.scripted import Scripted, json_body, open_gateway
from mtu_mcp.errors import BadAnswer, BadInput, NotOffered, Rejected, UnknownModel
from mtu_mcp.gateway import BatchRequest, open_scope

REQUEST = BatchRequest("file-1", "/v1/chat/completions", "gpt-4o-mini", metadata={"ds_name": "周报"})
BATCH = {"id": "batch_1", "object": "batch", "status": "validating", "input_file_id": "file-1"}


def told(**changes: Any) -> str:
    return json.dumps({**BATCH, **changes})


async def test_a_batch_is_made_once_and_is_one_exchange() -> None:
    """OpenAI API reference, create batch; our promise: one Exchange for each call that may cost."""
    gateway, transport, _ = open_gateway(json_body(told(), x_request_id="req_9"))
    with open_scope() as scope:
        batch = await gateway.create_batch(REQUEST)
    assert (batch.id, batch.status, batch.input_file_id) == ("batch_1", "validating", "file-1")
    [exchange] = scope.exchanges
    assert (exchange.endpoint, exchange.model, exchange.state) == ("batches", "gpt-4o-mini", "running")
    assert (exchange.goes_on, exchange.remote) == (True, "batch_1")
    assert exchange.request_id == "req_9"
    assert transport.sent[0].headers["idempotency-key"] == exchange.idempotency_key
    assert json.loads(transport.sent[0].body) == {
        "input_file_id": "file-1",
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        "metadata": {"ds_name": "周报"},
    }


@pytest.mark.parametrize("body", ['{"object":"batch"}', '{"id":""}', '{"id":7}', "[]", "ok", ""])
async def test_a_batch_without_an_id_is_a_bad_answer(body: str) -> None:
    """Our promise: a lying gateway is not believed."""
    gateway, _, _ = open_gateway(json_body(body))
    with pytest.raises(BadAnswer):
        await gateway.create_batch(REQUEST)


async def test_counts_files_and_errors_are_read_with_their_lines() -> None:
    """OpenAI API reference, batch object; null and missing fields are the same."""
    whole = told(
        status="FAILED",
        output_file_id=None,
        error_file_id="file-e",
        request_counts={"total": 3, "completed": 1, "failed": 2},
        errors={"object": "list", "data": [{"message": "no JSON", "line": 2}, {"code": "empty_file"}, None]},
    )
    gateway, transport, _ = open_gateway(json_body(whole), json_body(told(request_counts=None, errors=None)))
    with open_scope() as scope:
        batch = await gateway.retrieve_batch("batch_1")
        bare = await gateway.retrieve_batch("batch_1")
    assert (batch.status, batch.output_file_id, batch.error_file_id) == ("failed", "", "file-e")
    assert (batch.total, batch.completed, batch.failed) == (3, 1, 2)
    assert batch.errors == ("line 2: no JSON", "empty_file")
    assert (bare.total, bare.errors) == (None, ())
    assert transport.sent[0].url.endswith("/v1/batches/batch_1")
    assert not scope.exchanges


async def test_batches_are_listed_page_by_page_and_stopped() -> None:
    """OpenAI API reference, list and cancel batches."""
    page = json.dumps({"object": "list", "data": [BATCH, {}, {"id": "batch_2"}], "has_more": True})
    gateway, transport, _ = open_gateway(json_body(page), json_body(told(status="cancelling")))
    found = await gateway.list_batches(after="batch_0", limit=2)
    assert ([batch.id for batch in found.batches], found.after) == (["batch_1", "batch_2"], "batch_2")
    assert transport.sent[0].url.endswith("/v1/batches?after=batch_0&limit=2")
    assert (await gateway.cancel_batch("batch_1")).status == "cancelling"
    assert (transport.sent[1].method, transport.sent[1].url.rpartition("/v1/")[2]) == ("POST", "batches/batch_1/cancel")


async def test_refusals_are_told_apart() -> None:
    """Gateways without batches answer 404 or 501; a wrong id is the caller's mistake."""
    gateway, transport, _ = open_gateway(
        json_body('{"error":{"message":"Invalid URL (POST /v1/batches)"}}', 404),
        Scripted(501),
        json_body('{"error":{"message":"No batch found with id \'batch_9\'."}}', 404),
        json_body('{"error":{"message":"no such model","code":"model_not_found"}}', 400),
    )
    for _ in range(2):
        with pytest.raises(NotOffered, match="does not offer batches"):
            await gateway.create_batch(REQUEST)
    with pytest.raises(Rejected, match="No batch found"):
        await gateway.retrieve_batch("batch_9")
    with pytest.raises(UnknownModel, match="gpt-4o-mini"):
        await gateway.create_batch(REQUEST)
    for call in (gateway.retrieve_batch, gateway.cancel_batch):
        with pytest.raises(BadInput):
            await call("../files")
    assert len(transport.sent) == 4
