"""Fine-tuning at the embedded gateway, through the public `openai` client."""

import json

import openai
import pytest

EXAMPLE = {"messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]}


@pytest.fixture
def client(sandbox):
    sandbox.desk.faults.clear()
    with openai.OpenAI(base_url=sandbox.base_url, api_key="sk-test", max_retries=0) as made:
        yield made


def upload(client, lines, purpose="fine-tune"):
    data = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines).encode()
    return client.files.create(file=("train.jsonl", data), purpose=purpose).id


def begin(client, lines=None, **fields):
    file = upload(client, lines or [EXAMPLE] * 12)
    return client.fine_tuning.jobs.create(**({"model": "gpt-4o-mini", "training_file": file} | fields))


def looked_at(client, job, times):
    return [client.fine_tuning.jobs.retrieve(job.id).status for _ in range(times)]


def test_a_job_goes_through_its_stages_and_a_model_comes_out(client):
    """OpenAI API reference, fine-tuning job: its states, and the name of the new model."""
    job = begin(client, suffix="mine", metadata={"set": "stages"})
    assert job.status == "validating_files"
    assert looked_at(client, job, 3) == ["queued", "running", "succeeded"]
    done = client.fine_tuning.jobs.retrieve(job.id)
    assert done.fine_tuned_model.startswith("ft:gpt-4o-mini:sandbox:mine:")
    assert (done.trained_tokens > 0, done.hyperparameters.n_epochs) == (True, 3)
    assert client.files.content(done.result_files[0]).text.startswith("step,train_loss")
    assert done.fine_tuned_model in [model.id for model in client.models.list()]
    asked = client.chat.completions.create(
        model=done.fine_tuned_model, messages=[{"role": "user", "content": "Say: hi"}]
    )
    assert asked.choices[0].message.content == "hi [embedded gateway]"
    assert [each.id for each in client.fine_tuning.jobs.list(metadata={"set": "stages"})] == [job.id]


def test_events_and_checkpoints_tell_the_story_newest_first(client):
    """OpenAI API reference: events with level and type; a checkpoint an epoch, each a model of its own."""
    job = begin(client, method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2}}})
    looked_at(client, job, 3)
    events = list(client.fine_tuning.jobs.list_events(job.id, limit=2))
    assert events[0].message == "The job has successfully completed"
    assert events[-1].message.startswith("Created fine-tuning job")
    assert [each.data["step"] for each in events if each.type == "metrics"] == [24, 12]
    checkpoints = list(client.fine_tuning.jobs.checkpoints.list(job.id))
    assert [each.step_number for each in checkpoints] == [24, 12]
    assert checkpoints[0].fine_tuned_model_checkpoint.endswith(":ckpt-step-24")


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([EXAMPLE] * 9, "invalid_n_examples"),
        (["{"] * 12, "invalid_training_file"),
        ([EXAMPLE] * 11 + [{"messages": [{"role": "user", "content": "x"}]}], "invalid_training_file"),
    ],
)
def test_a_faulty_training_file_fails_the_job(client, lines, code):
    """OpenAI's fine-tuning guide: at least ten examples, each a chat that ends with the assistant."""
    job = begin(client, lines)
    failed = client.fine_tuning.jobs.retrieve(job.id)
    assert (failed.status, failed.error.code, failed.error.param) == ("failed", code, "training_file")
    with pytest.raises(openai.BadRequestError, match="already completed"):
        client.fine_tuning.jobs.cancel(job.id)


def test_a_job_can_be_cancelled_paused_and_resumed(client):
    """OpenAI API reference: cancel, pause, resume."""
    job = begin(client)
    assert client.fine_tuning.jobs.cancel(job.id).status == "cancelled"
    job = begin(client)
    with pytest.raises(openai.BadRequestError, match="cannot be paused: it is validating_files"):
        client.fine_tuning.jobs.pause(job.id)
    looked_at(client, job, 2)
    assert client.fine_tuning.jobs.pause(job.id).status == "paused"
    assert looked_at(client, job, 2) == ["paused", "paused"]
    assert client.fine_tuning.jobs.resume(job.id).status == "queued"
    assert looked_at(client, job, 2) == ["running", "succeeded"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"model": "qwen-plus"}, "not available for fine-tuning"),
        ({"training_file": "file-none"}, "No such File object"),
        ({"suffix": "x" * 65}, "maximum length 64"),
        ({"method": {"type": "magic"}}, "'supervised', 'dpo', and 'reinforcement'"),
        ({"extra_body": {"colour": 1}}, "Unknown parameter: 'colour'"),
    ],
)
def test_what_cannot_be_tuned_is_refused(client, fields, words):
    """Our promise: strict on requests."""
    with pytest.raises(openai.BadRequestError, match=words):
        begin(client, **fields)


def test_a_file_of_another_purpose_is_not_trained_on(client):
    """OpenAI API reference: the file must be uploaded with the purpose fine-tune."""
    file = upload(client, [EXAMPLE], "user_data")
    with pytest.raises(openai.BadRequestError, match="has purpose 'user_data'"):
        begin(client, training_file=file)


def test_only_tuned_models_are_deleted(client):
    """OpenAI API reference, delete a fine-tuned model: you must own it."""
    job = begin(client)
    looked_at(client, job, 3)
    name = client.fine_tuning.jobs.retrieve(job.id).fine_tuned_model
    assert client.models.delete(name).deleted
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve(name)
    with pytest.raises(openai.PermissionDeniedError):
        client.models.delete("gpt-4o")
    with pytest.raises(openai.NotFoundError):
        client.models.delete("gpt-17")


def test_new_api_has_none_of_it(speaking):
    """New API's source: no route for jobs and kept answers, 501 for deleting a model."""
    client = speaking(dialect="new-api")
    for path in ("fine_tuning/jobs", "chat/completions", "responses/resp_1", "assistants"):
        assert client.get(f"/v1/{path}").json()["error"]["message"] == f"Invalid URL (GET /v1/{path})"
    assert client.delete("/v1/models/gpt-4o").status_code == 501
