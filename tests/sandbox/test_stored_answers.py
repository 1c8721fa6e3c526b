"""Completions and responses kept at the gateway, through the public `openai` client and by hand."""

import openai
import pytest


@pytest.fixture
def client(sandbox):
    sandbox.desk.faults.clear()
    with openai.OpenAI(base_url=sandbox.base_url, api_key="sk-test", max_retries=0) as made:
        yield made


def ask(client, question, **fields):
    return client.chat.completions.create(
        **({"model": "gpt-4o", "messages": [{"role": "user", "content": question}]} | fields)
    )


def test_a_completion_is_kept_only_when_asked_to(client):
    """OpenAI API reference: only completions made with `store: true` are listed."""
    loose = ask(client, "one")
    kept = ask(client, "two", store=True, metadata={"set": "kept"}, temperature=0.3)
    listed = client.chat.completions.list(metadata={"set": "kept"})
    assert [each.id for each in listed] == [kept.id]
    found = client.chat.completions.retrieve(kept.id)
    assert found.choices[0].message.content == kept.choices[0].message.content
    assert found.to_dict()["temperature"] == 0.3
    with pytest.raises(openai.NotFoundError, match="No completion found with id"):
        client.chat.completions.retrieve(loose.id)


def test_a_stream_is_kept_too(client):
    """OpenAI API reference: `store` does not depend on `stream`."""
    with ask(client, "Repeat: streamed", store=True, stream=True) as stream:
        [name] = {chunk.id for chunk in stream}
    assert client.chat.completions.retrieve(name).choices[0].message.content == "streamed [embedded gateway]"


def test_kept_completions_come_in_pages_oldest_first(client):
    """OpenAI API reference: `after`, `limit`, `order` (asc unless said otherwise), `model`."""
    made = [ask(client, str(number), store=True, metadata={"set": "pages"}).id for number in range(5)]
    assert [each.id for each in client.chat.completions.list(metadata={"set": "pages"}, limit=2)] == made
    page = client.chat.completions.list(metadata={"set": "pages"}, limit=2, order="desc")
    assert ([each.id for each in page.data], page.has_more) == (made[:2:-1], True)
    assert not client.chat.completions.list(metadata={"set": "pages"}, model="gpt-5").data
    with pytest.raises(openai.BadRequestError, match="No completion found"):
        client.chat.completions.list(after="chatcmpl-x")


def test_only_metadata_changes_and_deletion_is_final(client):
    """OpenAI API reference: update takes `metadata` alone."""
    kept = ask(client, "one", store=True)
    assert client.chat.completions.update(kept.id, metadata={"a": "b"}).to_dict()["metadata"] == {"a": "b"}
    with pytest.raises(openai.BadRequestError, match="Unknown parameter: 'model'"):
        client.chat.completions.update(kept.id, metadata={}, extra_body={"model": "x"})
    assert client.chat.completions.delete(kept.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.delete(kept.id)


def test_the_messages_that_were_sent_are_listed(client):
    """OpenAI API reference: ids are the completion's with a number; parts are kept apart from text."""
    parts = [{"type": "text", "text": "Hello"}]
    messages = [{"role": "system", "content": "Be short."}, {"role": "user", "content": parts}]
    kept = ask(client, "", messages=messages, store=True)
    [first, second] = client.chat.completions.messages.list(kept.id)
    assert (first.id, first.content, first.content_parts) == (f"{kept.id}-0", "Be short.", None)
    assert (second.content, second.content_parts[0].text) == ("Hello", "Hello")
    assert [each.id for each in client.chat.completions.messages.list(kept.id, order="desc").data] == [
        second.id,
        first.id,
    ]


def test_a_query_is_checked_as_strictly_as_a_body(raw):
    """Our promise: unknown fields are refused by name."""
    for query, words in (
        ("colour=red", "Unknown parameter: 'colour'"),
        ("limit=0", "below minimum"),
        ("order=up", "'asc'"),
    ):
        answer = raw.get(f"/v1/chat/completions?{query}")
        assert answer.status_code == 400
        assert words in answer.json()["error"]["message"]


def test_a_response_is_kept_unless_told_otherwise(client):
    """OpenAI API reference: `store` is true by default here."""
    kept = client.responses.create(model="gpt-4o", input="Say: hello")
    assert client.responses.retrieve(kept.id).output_text == kept.output_text
    loose = client.responses.create(model="gpt-4o", input="Say: hello", store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(loose.id)


def test_a_deleted_response_cannot_be_continued(client):
    """OpenAI API reference: previous_response_id needs what is kept."""
    first = client.responses.create(model="gpt-4o", input="My name is Mei.")
    again = client.responses.create(model="gpt-4o", input="What is my name?", previous_response_id=first.id)
    assert "Mei" in again.output_text
    client.responses.delete(first.id)
    with pytest.raises(openai.BadRequestError, match="not found"):
        client.responses.create(model="gpt-4o", input="And?", previous_response_id=first.id)


def test_a_response_in_the_background_is_polled_to_its_end(client):
    """OpenAI API reference, background: queued, in_progress, completed; nothing of the answer before its end."""
    made = client.responses.create(model="gpt-4o", input="Say: hello", background=True)
    assert (made.status, made.output, made.usage) == ("queued", [], None)
    assert [client.responses.retrieve(made.id).status for _ in range(3)] == ["in_progress", "completed", "completed"]
    assert client.responses.retrieve(made.id).output_text == "hello [embedded gateway]"
    with pytest.raises(openai.BadRequestError, match="must be stored"):
        client.responses.create(model="gpt-4o", input="x", background=True, store=False)


def test_only_background_responses_are_cancelled_and_as_often_as_one_likes(client):
    """OpenAI API reference: cancelling twice is the same as once; a finished one stays as it is."""
    made = client.responses.create(model="gpt-4o", input="Say: hello", background=True)
    assert [client.responses.cancel(made.id).status for _ in range(2)] == ["cancelled", "cancelled"]
    assert client.responses.retrieve(made.id).output == []
    done = client.responses.create(model="gpt-4o", input="Say: hello", background=True)
    for _ in range(2):
        client.responses.retrieve(done.id)
    assert client.responses.cancel(done.id).status == "completed"
    plain = client.responses.create(model="gpt-4o", input="Say: hello")
    with pytest.raises(openai.BadRequestError, match="Cannot cancel a synchronous response"):
        client.responses.cancel(plain.id)


def test_the_events_of_a_response_are_told_again_from_any_number(client):
    """OpenAI API reference: GET with `stream` and `starting_after`."""
    made = client.responses.create(model="gpt-4o", input="Say: hello", background=True)
    with client.responses.retrieve(made.id, stream=True, starting_after=3) as stream:
        told = list(stream)
    assert told[0].sequence_number == 4
    assert told[-1].type == "response.completed"


def test_the_input_of_a_response_is_listed_latest_first(client):
    """OpenAI API reference, input items: order desc unless said otherwise; text becomes parts."""
    given = [{"role": "user", "content": "one"}, {"role": "user", "content": [{"type": "input_text", "text": "two"}]}]
    made = client.responses.create(model="gpt-4o", input=given)
    listed = list(client.responses.input_items.list(made.id, limit=1))
    assert [each.content[0].text for each in listed] == ["two", "one"]
    assert [each.id for each in client.responses.input_items.list(made.id, order="asc")] == [
        each.id for each in listed[::-1]
    ]


def test_tokens_are_counted_before_they_are_paid_for(client):
    """OpenAI API reference, get input token counts: the same figure as the usage of the response."""
    given = {"model": "gpt-4o", "input": "How many words are these?", "instructions": "Be brief."}
    counted = client.responses.input_tokens.count(**given)
    assert counted.object == "response.input_tokens"
    assert counted.input_tokens == client.responses.create(**given).usage.input_tokens
    with pytest.raises(openai.NotFoundError, match="no-such-model"):
        client.responses.input_tokens.count(model="no-such-model", input="x")
    with pytest.raises(openai.BadRequestError, match="temperature"):
        client.responses.input_tokens.count(model="gpt-4o", input="x", extra_body={"temperature": 1})
