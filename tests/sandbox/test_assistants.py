"""The Assistants API behind its switch, through the public `openai` client, which still ships it."""

import warnings

import openai
import pytest

from mtu_mcp.sandbox import Options, Sandbox
from sandbox.asking import client_of

NOW = 1_795_000_000.0
WEATHER = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


@pytest.fixture(scope="module")
def removed():
    """A gateway that still serves what OpenAI removed on 2026-08-26."""
    with Sandbox(Options(assistants=True, clock=lambda: NOW)) as running:
        yield running


@pytest.fixture
def beta(removed):
    with (
        openai.OpenAI(base_url=removed.base_url, api_key="sk-test", max_retries=0) as client,
        warnings.catch_warnings(action="ignore", category=DeprecationWarning),
    ):
        yield client.beta


def looked_at(beta, run):
    return beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)


def finished(beta, run):
    while run.status in {"queued", "in_progress", "cancelling"}:
        run = looked_at(beta, run)
    return run


def test_by_default_it_is_gone(sandbox):
    """OpenAI's deprecations page: removed on 2026-08-26."""
    with (
        openai.OpenAI(base_url=sandbox.base_url, api_key="sk-test", max_retries=0) as client,
        warnings.catch_warnings(action="ignore", category=DeprecationWarning),
        pytest.raises(openai.NotFoundError, match=r"Invalid URL \(POST /v1/assistants\)"),
    ):
        client.beta.assistants.create(model="gpt-4o")


def test_an_assistant_is_made_changed_listed_and_deleted(beta):
    """The API reference of version 2."""
    made = beta.assistants.create(model="gpt-4o", name="Ann", instructions="Be short.", tools=[{"type": "file_search"}])
    assert beta.assistants.update(made.id, name="Bea", model="gpt-4.1").name == "Bea"
    assert beta.assistants.retrieve(made.id).instructions == "Be short."
    other = beta.assistants.create(model="gpt-4o")
    assert [each.id for each in beta.assistants.list(limit=1)][:2] == [other.id, made.id]
    assert [each.id for each in beta.assistants.list(before=made.id, limit=5).data] == [other.id]
    assert beta.assistants.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError, match="No assistant found"):
        beta.assistants.retrieve(made.id)


def test_a_run_answers_the_thread(beta):
    """The API reference: queued, in_progress, completed; one message, one step that made it."""
    assistant = beta.assistants.create(model="gpt-4o", instructions="Be short.")
    thread = beta.threads.create(messages=[{"role": "user", "content": "My name is Mei."}])
    beta.threads.messages.create(thread.id, role="user", content=[{"type": "text", "text": "What is my name?"}])
    run = beta.threads.runs.create(thread.id, assistant_id=assistant.id)
    assert [run.status, looked_at(beta, run).status] == ["queued", "in_progress"]
    run = finished(beta, run)
    assert (run.status, run.usage.total_tokens > 0) == ("completed", True)
    [message] = beta.threads.messages.list(thread.id, run_id=run.id)
    assert message.content[0].text.value == "You told me your name is Mei. [embedded gateway]"
    [step] = beta.threads.runs.steps.list(run.id, thread_id=thread.id)
    assert step.step_details.message_creation.message_id == message.id
    assert beta.threads.runs.steps.retrieve(step.id, thread_id=thread.id, run_id=run.id).status == "completed"


def test_a_run_waits_for_the_functions_it_asks_for(beta):
    """The API reference: requires_action, then all outputs at once."""
    assistant = beta.assistants.create(model="gpt-4o", tools=[WEATHER])
    words = {"messages": [{"role": "user", "content": "What is the weather in Oslo?"}]}
    run = finished(beta, beta.threads.create_and_run(assistant_id=assistant.id, thread=words))
    assert run.status == "requires_action"
    [asked] = run.required_action.submit_tool_outputs.tool_calls
    assert asked.function.arguments == '{"city":"Oslo"}'
    with pytest.raises(openai.BadRequestError, match="Expected tool outputs for call_ids"):
        beta.threads.runs.submit_tool_outputs(
            run_id=run.id, thread_id=run.thread_id, tool_outputs=[{"tool_call_id": "call_x", "output": "?"}]
        )
    outputs = [{"tool_call_id": asked.id, "output": "Rain, 7 degrees"}]
    run = beta.threads.runs.submit_tool_outputs(run.id, thread_id=run.thread_id, tool_outputs=outputs)
    run = finished(beta, run)
    [said] = beta.threads.messages.list(run.thread_id, run_id=run.id)
    assert "Rain, 7 degrees" in said.content[0].text.value
    making, calling = beta.threads.runs.steps.list(run.id, thread_id=run.thread_id)
    assert (making.type, calling.type) == ("message_creation", "tool_calls")
    assert calling.step_details.tool_calls[0].function.output == "Rain, 7 degrees"


def test_a_thread_is_locked_while_a_run_is_at_work(beta):
    """The API reference, runs and thread locks."""
    assistant = beta.assistants.create(model="gpt-4o")
    thread = beta.threads.create(messages=[{"role": "user", "content": "Hello"}])
    run = beta.threads.runs.create(thread.id, assistant_id=assistant.id)
    with pytest.raises(openai.BadRequestError, match="while a run"):
        beta.threads.messages.create(thread.id, role="user", content="More")
    with pytest.raises(openai.BadRequestError, match="already has an active run"):
        beta.threads.runs.create(thread.id, assistant_id=assistant.id)
    assert beta.threads.runs.cancel(run.id, thread_id=thread.id).status == "cancelling"
    assert finished(beta, looked_at(beta, run)).status == "cancelled"
    with pytest.raises(openai.BadRequestError, match="Cannot cancel run with status 'cancelled'"):
        beta.threads.runs.cancel(run.id, thread_id=thread.id)
    beta.threads.messages.create(thread.id, role="user", content="More")


def test_metadata_of_everything_can_be_changed(beta):
    """The API reference: modify thread, message and run."""
    assistant = beta.assistants.create(model="gpt-4o")
    thread = beta.threads.create()
    message = beta.threads.messages.create(thread.id, role="user", content="Hello")
    run = beta.threads.runs.create(thread.id, assistant_id=assistant.id)
    labels = {"metadata": {"a": "b"}}
    assert beta.threads.update(thread.id, **labels).metadata == labels["metadata"]
    assert beta.threads.messages.update(message.id, thread_id=thread.id, **labels).metadata == labels["metadata"]
    assert beta.threads.runs.update(run.id, thread_id=thread.id, **labels).metadata == labels["metadata"]
    assert [each.id for each in beta.threads.runs.list(thread.id)] == [run.id]
    assert beta.threads.messages.delete(message.id, thread_id=thread.id).deleted
    assert beta.threads.delete(thread.id).deleted


def test_the_version_must_be_named(removed):
    """The API reference: `OpenAI-Beta: assistants=v2`."""
    with client_of(removed) as raw:
        answer = raw.post("/v1/threads")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_beta")
        assert raw.post("/v1/threads", headers={"openai-beta": "assistants=v2"}).status_code == 200


def test_files_of_version_one_are_listed_and_taken_away(removed, beta):
    """The API reference of version 1: assistant files and message files, known by their own header."""
    file = removed.desk.files.add(b"x", "notes.txt", "assistants").id
    assistant = beta.assistants.create(model="gpt-4o")
    said = {"role": "user", "content": "See", "attachments": [{"file_id": file, "tools": []}]}
    thread = beta.threads.create(messages=[said])
    [message] = beta.threads.messages.list(thread.id)
    with client_of(removed) as raw:
        raw.headers["openai-beta"] = "assistants=v1"
        ours = f"/v1/assistants/{assistant.id}/files"
        assert raw.post(ours, json={"file_id": "file-none"}).status_code == 400
        assert raw.post(ours, json={"file_id": file}).json()["object"] == "assistant.file"
        assert [each["id"] for each in raw.get(ours).json()["data"]] == [file]
        assert raw.delete(f"{ours}/{file}").json()["deleted"]
        assert raw.get(f"{ours}/{file}").status_code == 404
        theirs = f"/v1/threads/{thread.id}/messages/{message.id}/files"
        assert raw.get(f"{theirs}/{file}").json()["message_id"] == message.id


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"colour": 1}, "Unknown parameter: 'colour'"),
        ({"assistant_id": "asst_x"}, "No assistant found"),
        ({}, "Missing required parameter: 'assistant_id'"),
    ],
)
def test_a_run_that_makes_no_sense_is_refused(removed, beta, body, words):
    """Our promise: strict on requests, modest about answers."""
    thread = beta.threads.create()
    with client_of(removed) as raw:
        answer = raw.post(f"/v1/threads/{thread.id}/runs", json=body, headers={"openai-beta": "assistants=v2"})
    assert words in answer.json()["error"]["message"]


def test_a_run_is_told_as_a_stream(beta):
    """The API reference of version 2, streaming: the run, its step, the message word by word, then done."""
    assistant = beta.assistants.create(model="gpt-4o")
    thread = beta.threads.create(messages=[{"role": "user", "content": "What is 2 + 3?"}])
    with beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        names = [each.event for each in stream]
        [message] = stream.get_final_messages()
        run = stream.get_final_run()
    assert names[:3] == ["thread.run.created", "thread.run.queued", "thread.run.in_progress"]
    assert names[-3:] == ["thread.message.completed", "thread.run.step.completed", "thread.run.completed"]
    assert "5" in message.content[0].text.value
    assert run.usage.total_tokens > 0
    assert beta.threads.messages.list(thread.id).data[0].content == message.content


def test_a_streamed_run_waits_for_a_function_and_goes_on(beta):
    """The API reference of version 2: the stream ends at requires_action, and submitting outputs opens the next."""
    assistant = beta.assistants.create(model="gpt-4o", tools=[WEATHER])
    with beta.threads.create_and_run_stream(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "Use get_weather for Rome"}]},
        tool_choice="required",
    ) as stream:
        names = [each.event for each in stream]
        run = stream.current_run
    assert names[0] == "thread.created"
    assert names[-1] == "thread.run.requires_action"
    [call] = run.required_action.submit_tool_outputs.tool_calls
    with beta.threads.runs.submit_tool_outputs_stream(
        run_id=run.id, thread_id=run.thread_id, tool_outputs=[{"tool_call_id": call.id, "output": "21 degrees"}]
    ) as stream:
        assert [each.event for each in stream][-1] == "thread.run.completed"
