"""The public `openai` client works against the sandbox unmodified: our promise to those who test with it."""

import json

import openai
import pytest

TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture
def client(sandbox):
    sandbox.desk.faults.clear()
    with openai.OpenAI(base_url=sandbox.base_url, api_key="sk-test", max_retries=0) as made:
        yield made


def ask(client, question, **fields):
    return client.chat.completions.create(
        **({"model": "gpt-4o", "messages": [{"role": "user", "content": question}]} | fields)
    )


def test_chat_answers_and_streams(client):
    assert "= 4" in ask(client, "What is 2+2?").choices[0].message.content
    with ask(client, "Repeat: 你好", stream=True) as stream:
        text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert text == "你好 [embedded gateway]"


def test_tools_are_called(client):
    call = ask(client, "weather in Oslo", tools=[TOOL]).choices[0].message.tool_calls[0]
    assert json.loads(call.function.arguments) == {"city": "Oslo"}
    with client.chat.completions.stream(
        model="gpt-4o", messages=[{"role": "user", "content": "weather in Oslo"}], tools=[TOOL | {}]
    ) as stream:
        final = stream.get_final_completion()
    assert json.loads(final.choices[0].message.tool_calls[0].function.arguments) == {"city": "Oslo"}


def test_responses_answer_and_stream(client):
    fields = {"model": "gpt-4o", "input": "How high is the Eiffel Tower?", "tools": [{"type": "web_search"}]}
    answer = client.responses.create(**fields)
    assert "330 metres" in answer.output_text
    with client.responses.stream(**fields) as stream:
        assert stream.get_final_response().output_text == answer.output_text


def test_models_are_listed_and_retrieved(client):
    assert "gpt-4o" in [model.id for model in client.models.list()]
    assert client.models.retrieve("acme/tiny:free").owned_by == "acme"


def test_refusals_become_the_clients_exceptions(sandbox, client):
    with pytest.raises(openai.BadRequestError, match="Unknown parameter: 'colour'"):
        ask(client, "x", extra_body={"colour": 1})
    with pytest.raises(openai.NotFoundError):
        ask(client, "x", model="gpt-17")
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="sk-wrong").models.list()
    sandbox.arm("rate-limit")
    with pytest.raises(openai.RateLimitError):
        ask(client, "x")
    sandbox.arm("error-in-stream")
    with pytest.raises(openai.APIError), ask(client, "x", stream=True) as stream:
        list(stream)


async def test_the_async_client_works_too(sandbox):
    async with openai.AsyncOpenAI(base_url=sandbox.base_url, api_key="sk-test") as client:
        answer = await client.chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": "Repeat: hi"}]
        )
    assert answer.choices[0].message.content == "hi [embedded gateway]"
