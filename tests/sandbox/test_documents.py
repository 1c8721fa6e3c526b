"""qwen-long at the sandbox: documents by file id, as text and as a JSON list, with Model Studio's own refusals."""

import json

import openai
import pytest

from sandbox.asking import Chat

TOWER = "The Eiffel Tower stands in Paris.\n\nIt is 330 metres high.\n\nIt was finished in 1889."
BRIDGE = "The Golden Gate Bridge opened in 1937.\n\nIts towers are 227 metres high."


def upload(client, text=TOWER, name="tower.txt", purpose="file-extract"):
    made = client.post("/v1/files", files={"file": (name, text.encode())}, data={"purpose": purpose})
    assert made.status_code == 200, made.text
    return made.json()["id"]


def system(text):
    return {"role": "system", "content": text}


def user(text):
    return {"role": "user", "content": text}


@pytest.fixture
def long(raw):
    chat = Chat(raw)
    return lambda *messages, **fields: chat.text(list(messages), model="qwen-long", **fields)


@pytest.fixture
def wrong(raw):
    chat = Chat(raw)
    return lambda *messages, **fields: chat.error(list(messages), model="qwen-long", **fields)


def test_the_passage_that_answers_is_quoted(raw, long):
    """Model Studio, long context: fileid:// in a system message."""
    file_id = upload(raw)
    said = long(system("You are brief."), system(f"fileid://{file_id}"), user("How high is it in metres?"))
    assert said == 'From tower.txt: "It is 330 metres high." [embedded gateway]'
    assert "1889" in long(system(f"fileid://{file_id}"), user("When was it finished?"))


def test_several_files_and_files_appended_later(raw, long):
    """Model Studio, long context: ids separated by commas; a further system message after an answer."""
    tower, bridge = upload(raw), upload(raw, BRIDGE, "bridge.txt")
    said = long(system(f"fileid://{tower},fileid://{bridge}"), user("When did the Golden Gate Bridge open?"))
    assert "1937" in said
    assert "2 documents read: tower.txt, bridge.txt" in said
    said = long(
        system(f"fileid://{tower}"),
        user("How high?"),
        {"role": "assistant", "content": "330 metres"},
        system(f"fileid://{bridge}"),
        user("When did the bridge open?"),
    )
    assert "1937" in said


def test_text_and_json_documents_come_in_the_second_system_message(long):
    """Model Studio, long context: plain text, and a JSON string of documents."""
    assert "330 metres" in long(system("Be brief."), system(TOWER), user("How high, in metres?"))
    listed = json.dumps([{"file_name": "a.md", "title": "A", "content": TOWER}, {"title": "B", "content": BRIDGE}])
    assert 'From B: "The Golden Gate Bridge opened in 1937."' in long(
        system("Be brief."), system(listed), user("When did the bridge open?")
    )


def test_chinese_documents_are_searched(raw, long):
    """Our promise: Chinese works."""
    file_id = upload(raw, "北京是中国的首都。\n\n上海是最大的城市。", "城市.txt")
    assert "上海是最大的城市" in long(system(f"fileid://{file_id}"), user("最大的城市是哪里？"))


def test_what_the_documents_do_not_hold_is_not_made_up(raw, long):
    """Our promise: an answer says so."""
    said = long(system(f"fileid://{upload(raw)}"), user("Who baked bread?"))
    assert "The document holds nothing about that" in said


@pytest.mark.parametrize("dialect", ["openai", "dashscope"])
def test_refusals_are_worded_as_documented(speaking, dialect):
    """Model Studio, error codes of qwen-long."""
    client = speaking(dialect=dialect, parse_polls=1)
    chat = Chat(client)

    def ask(*messages):
        return chat.error(list(messages), model="qwen-long")

    file_id = upload(client)
    fresh = ask(system(f"fileid://{file_id}"), user("x"))
    assert fresh["message"] == "File parsing in progress, please try again later."
    assert (fresh["status"], fresh["code"]) == (400, "invalid_parameter_error")
    assert ask(system("fileid://file-none"), user("x"))["message"] == "Invalid file [id:file-none]."
    many = ",".join(["fileid://file-x"] * 101)
    assert ask(system(many), user("x"))["message"] == "Too many files provided."
    jsonl = client.post("/v1/files", files={"file": ("a.jsonl", b"{}")}, data={"purpose": "batch"}).json()["id"]
    assert "Invalid file" in ask(system(f"fileid://{jsonl}"), user("x"))["message"]
    assert "[1, 9000]" in ask(system("fine"), user("word " * 9_001))["message"]


def test_limits_of_text_are_those_of_the_page(wrong):
    """Model Studio, long context: 9,000 tokens of other text; tools are not offered."""
    assert "[1, 9000]" in wrong(system("word " * 9_001), user("x"))["message"]
    tool = {"type": "function", "function": {"name": "f"}}
    assert "tools" in wrong(user("x"), tools=[tool])["message"]


def test_tokens_of_the_documents_are_counted(raw):
    """Our promise: usage counts what was read."""
    chat = Chat(raw)
    file_id = upload(raw, "word " * 5_000, "long.txt")
    body = chat([system(f"fileid://{file_id}"), user("word?")], model="qwen-long").json()
    assert body["usage"]["prompt_tokens"] > 5_000


def test_the_public_client_asks_documents(sandbox):
    """The public `openai` package, unmodified."""
    with openai.OpenAI(base_url=sandbox.base_url, api_key="sk-test", max_retries=0) as client:
        file = client.files.create(file=("tower.txt", TOWER.encode()), purpose="file-extract")
        messages = [system("You are helpful."), system(f"fileid://{file.id}"), user("How high is it, in metres?")]
        with client.chat.completions.create(model="qwen-long", messages=messages, stream=True) as stream:
            text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert "330 metres" in text
