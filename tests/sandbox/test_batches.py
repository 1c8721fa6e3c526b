"""The Batch API of the sandbox: lines really run, states follow each other, both makers' rules hold."""

import json

import openai
import pytest

from mtu_mcp.sandbox import Options, Sandbox
from sandbox.asking import client_of

NOW = 1_795_000_000.0


def line(number, model="gpt-4o-mini", url="/v1/chat/completions", **body):
    asked = {"model": model, "messages": [{"role": "user", "content": f"What is {number}+1?"}], **body}
    return {"custom_id": f"n{number}", "method": "POST", "url": url, "body": asked}


def jsonl(*lines):
    return "".join(json.dumps(each) + "\n" for each in lines).encode()


def upload(client, data, name="in.jsonl"):
    made = client.post("/v1/files", files={"file": (name, data)}, data={"purpose": "batch"})
    assert made.status_code == 200, made.text
    return made.json()["id"]


def create(client, data, **fields):
    file_id = upload(client, data) if isinstance(data, bytes) else data
    body = {"input_file_id": file_id, "endpoint": "/v1/chat/completions", "completion_window": "24h", **fields}
    return client.post("/v1/batches", json=body)


def poll(client, batch_id, times=4):
    for _ in range(times):
        batch = client.get(f"/v1/batches/{batch_id}").json()
    return batch


def rows(client, file_id):
    return [json.loads(each) for each in client.get(f"/v1/files/{file_id}/content").text.splitlines()]


def error(answer):
    assert answer.status_code >= 400, answer.text
    return answer.json()["error"]["message"]


def test_a_batch_runs_its_lines_and_says_how_far_it_is(raw):
    """OpenAI API reference, batch object: states, counts and times."""
    made = create(raw, jsonl(line(1), line(2), line(3, n=0)), metadata={"a": "b"}).json()
    assert (made["object"], made["status"], made["metadata"]) == ("batch", "validating", {"a": "b"})
    assert made["expires_at"] == made["created_at"] + 86_400
    states = [raw.get(f"/v1/batches/{made['id']}").json() for _ in range(5)]
    assert [each["status"] for each in states] == [
        *("validating", "in_progress", "finalizing", "completed", "completed")
    ]
    done = states[-1]
    assert done["request_counts"] == {"total": 3, "completed": 2, "failed": 1}
    assert done["completed_at"] >= done["finalizing_at"] >= done["in_progress_at"] >= done["created_at"]
    good, bad = rows(raw, done["output_file_id"]), rows(raw, done["error_file_id"])
    assert [row["custom_id"] for row in good] == ["n1", "n2"]
    assert good[0]["response"]["status_code"] == 200
    assert "1+1 = 2" in good[0]["response"]["body"]["choices"][0]["message"]["content"]
    assert good[0]["error"] is None
    assert (bad[0]["custom_id"], bad[0]["response"]["status_code"]) == ("n3", 400)
    assert "'n'" in bad[0]["response"]["body"]["error"]["message"]


def test_other_endpoints_run_too(raw):
    """OpenAI API reference, create batch: endpoint."""
    asked = {"custom_id": "a", "method": "POST", "url": "/v1/responses", "body": {"model": "gpt-4o", "input": "1+1"}}
    made = create(raw, jsonl(asked), endpoint="/v1/responses").json()
    done = poll(raw, made["id"])
    assert rows(raw, done["output_file_id"])[0]["response"]["body"]["object"] == "response"


def test_a_line_that_streams_or_names_no_model_fails_alone(raw):
    """Our promise: one bad line does not spoil the others."""
    done = poll(raw, create(raw, jsonl(line(1, stream=True), line(2))).json()["id"])
    assert done["request_counts"] == {"total": 2, "completed": 1, "failed": 1}
    none = poll(raw, create(raw, jsonl(line(1, "gpt-17"))).json()["id"])
    assert rows(raw, none["error_file_id"])[0]["response"]["body"]["error"]["code"] == "model_not_found"
    assert none["output_file_id"] is None


@pytest.mark.parametrize(
    ("data", "code", "at"),
    [
        (b"not json\n", "invalid_json_line", 1),
        (jsonl(line(1), {**line(2), "custom_id": ""}), "missing_required_parameter", 2),
        (jsonl({**line(1), "method": "GET"}), "invalid_method", 1),
        (jsonl(line(1, url="/v1/embeddings")), "mismatched_url", 1),
        (jsonl(line(1), line(2), line(1)), "duplicate_custom_id", 3),
        (jsonl(line(1), line(2, "gpt-4o")), "mismatched_model", 2),
        (jsonl({**line(1), "body": "text"}), "invalid_type", 1),
        (b"\n\n", "empty_file", None),
    ],
)
def test_what_is_wrong_with_a_line_is_told_with_its_number(raw, data, code, at):
    """OpenAI API reference, batch object: errors.data."""
    failed = poll(raw, create(raw, data).json()["id"], 2)
    assert failed["status"] == "failed"
    assert [(one["code"], one["line"]) for one in failed["errors"]["data"]] == [(code, at)]
    assert failed["failed_at"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"endpoint": "/v1/audio/speech"}, "Invalid value: '/v1/audio/speech'"),
        ({"completion_window": "48h"}, "Supported values are: '24h'"),
        ({"input_file_id": "file-none"}, "no file with id 'file-none'"),
        ({"colour": "red"}, "Unknown parameter: 'colour'"),
        ({"metadata": {"a": 1}}, "metadata.a"),
    ],
)
def test_requests_are_checked_strictly(raw, fields, said):
    """Our promise: strict on requests."""
    assert said in error(create(raw, jsonl(line(1)), **fields))
    wrong = raw.post("/v1/files", files={"file": ("a.txt", b"x")}, data={"purpose": "user_data"}).json()["id"]
    assert "purpose 'batch'" in error(create(raw, wrong))


def test_a_batch_can_be_cancelled_until_it_has_ended(raw):
    """OpenAI API reference, cancel batch: cancelling, then cancelled, with what has run."""
    made = create(raw, jsonl(line(1), line(2))).json()["id"]
    poll(raw, made, 2)
    assert raw.get(f"/v1/batches/{made}").json()["status"] == "finalizing"
    other = create(raw, jsonl(line(1))).json()["id"]
    assert raw.post(f"/v1/batches/{other}/cancel").json()["status"] == "cancelling"
    assert poll(raw, other, 2)["status"] == "cancelled"
    assert raw.post(f"/v1/batches/{made}/cancel").status_code == 409
    assert "No batch found" in error(raw.post("/v1/batches/batch_none/cancel"))
    assert "No batch found" in error(raw.get("/v1/batches/batch_none"))


def test_steps_can_be_taken_without_polls(speaking):
    """Our promise: a test decides when a batch moves."""
    client = speaking(batch_polls=0)
    made = create(client, jsonl(line(1))).json()["id"]
    assert poll(client, made, 9)["status"] == "validating"
    states = [client.post("/sandbox/batches/step").json()["batches"][made] for _ in range(3)]
    assert states == ["in_progress", "finalizing", "completed"]


def test_a_late_batch_expires_with_what_was_left():
    """OpenAI API reference: expired; error code batch_expired."""
    now = [NOW]
    with Sandbox(Options(clock=lambda: now[0])) as sandbox, client_of(sandbox) as client:
        made = create(client, jsonl(line(1), line(2))).json()["id"]
        poll(client, made, 1)
        now[0] += 86_400
        expired = poll(client, made, 2)
        assert expired["status"] == "expired"
        assert {row["error"]["code"] for row in rows(client, expired["error_file_id"])} == {"batch_expired"}


def test_dashscope_has_its_own_rules(speaking):
    """Model Studio, batch: windows, ds_name and ds_description, filters, a test route."""
    client = speaking(dialect="dashscope")
    data = jsonl(line(1, "qwen-plus"))
    for window in ("24h", "336h", "14d"):
        assert create(client, data, completion_window=window).status_code == 200
    for window in ("23h", "15d", "1w"):
        assert "24h to 336h" in error(create(client, data, completion_window=window))
    assert "Invalid value" in error(create(client, data, endpoint="/v1/responses"))
    assert "more than 100" in error(create(client, data, metadata={"ds_name": "x" * 101}))
    named = create(client, data, metadata={"ds_name": "weekly", "ds_description": "d"}).json()["id"]
    listed = client.get("/v1/batches", params={"ds_name": "week", "status": "validating,failed"}).json()
    assert [one["id"] for one in listed["data"]] == [named]
    test = {"custom_id": "t", "method": "POST", "url": "/v1/chat/ds-test", "body": {"model": "batch-test-model"}}
    made = create(client, jsonl(test), endpoint="/v1/chat/ds-test").json()["id"]
    done = poll(client, made)
    assert done["output_file_id"].startswith("file-batch_output-")
    assert rows(client, done["output_file_id"])[0]["response"]["body"] == {"content": "This is a test result."}


def test_the_public_client_works_on_batches(sandbox):
    """The public `openai` package, unmodified."""
    with openai.OpenAI(base_url=sandbox.base_url, api_key="sk-test", max_retries=0) as client:
        file = client.files.create(file=("in.jsonl", jsonl(line(1), line(2))), purpose="batch")
        made = client.batches.create(
            input_file_id=file.id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata={"a": "b"},
            output_expires_after={"anchor": "created_at", "seconds": 3600},
        )
        assert made.id in [one.id for one in client.batches.list(limit=1)]
        for _ in range(5):
            made = client.batches.retrieve(made.id)
        assert made.request_counts.completed == 2
        first = json.loads(client.files.content(made.output_file_id).text.splitlines()[0])
        assert "2" in first["response"]["body"]["choices"][0]["message"]["content"]
        assert client.files.retrieve(made.output_file_id).expires_at
        other = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
        assert client.batches.cancel(other.id).status == "cancelling"
        with pytest.raises(openai.ConflictError):
            client.batches.cancel(made.id)
