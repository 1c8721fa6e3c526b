"""Chat completions of the embedded gateway; rules are the OpenAI API reference's unless a test says otherwise."""

import json
import re

import jsonschema
import pytest

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]}},
            "required": ["city"],
        },
    },
}


def said(*texts):
    """A conversation: user and assistant in turns."""
    return [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        (said("Repeat: blue heron"), "blue heron"),
        (said("My name is Ada.", "Hello.", "What is my name?"), "Ada"),
        (said("The secret word is plum.", "Noted.", "What is the secret word?"), "plum"),
        (said("First things first.", "Yes.", "What did I say first?"), "First things first."),
        (said("One.", "a", "Two.", "b", "List what I have asked you."), "2. Two."),
        (said("Count to 5"), "1, 2, 3, 4, 5"),
        (said("a", "b", "How many messages have I sent?"), "sent 2 messages"),
        (said("What is 12 * (3 + 4)?"), "= 84"),
        (said("我叫小明。", "你好。", "我叫什么？"), "小明"),
        (said("Which tree is tallest?"), "Which tree is tallest?"),
    ],
)
def test_an_answer_reflects_the_conversation(chat, messages, expected):
    """Our promise: deterministic answers computed from what was said."""
    assert expected in chat.text(messages)


def test_an_answer_is_signed_in_its_text_its_fingerprint_and_its_headers(chat):
    """Our promise: nobody takes the sandbox for a model."""
    answer = chat("Hello")
    assert answer.json()["choices"][0]["message"]["content"].endswith("[embedded gateway]")
    assert answer.json()["system_fingerprint"] == "fp_mtu_sandbox"
    assert answer.headers["x-mtu-sandbox"] == "1"
    assert answer.headers["x-request-id"].startswith("req_")


def test_a_huge_power_is_not_computed(chat):
    """Our promise: sums are parsed safely and bounded."""
    assert "not a model" in chat.text("What is 999 ** 999 ** 999 ?")


def test_a_stream_joins_to_the_plain_answer_and_ends_in_done(chat):
    """Chunks carry one id, the role first, a finish reason last, then [DONE]."""
    plain = chat.text("What is 2+2?")
    answer = chat("What is 2+2?", stream=True)
    chunks = chat.chunks("What is 2+2?")
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == plain
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert answer.text.endswith("data: [DONE]\n\n")
    assert "usage" not in chunks[0]


def test_usage_comes_in_a_last_chunk_without_choices(chat):
    """`stream_options.include_usage`: every chunk has usage null but one more with `choices: []`."""
    chunks = chat.chunks(stream_options={"include_usage": True})
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["total_tokens"] > 0
    assert all(chunk["usage"] is None for chunk in chunks[:-1])


def test_max_tokens_cuts_with_finish_length(chat):
    choice = chat("Count to 100", max_tokens=5).json()["choices"][0]
    assert choice["finish_reason"] == "length"
    assert choice["message"]["content"].startswith("1, 2")


def test_a_stop_sequence_ends_the_text_before_itself(chat):
    assert chat.text("Count to 9", stop=["4", "6"]) == "1, 2, 3, "


def test_n_gives_so_many_different_choices(chat):
    choices = chat(n=3).json()["choices"]
    assert [choice["index"] for choice in choices] == [0, 1, 2]
    assert len({choice["message"]["content"] for choice in choices}) == 3


def test_logprobs_say_that_fixed_rules_are_certain(chat):
    answer = chat("Repeat: hi", logprobs=True, top_logprobs=1).json()["choices"][0]
    tokens = answer["logprobs"]["content"]
    assert "".join(token["token"] for token in tokens) == answer["message"]["content"]
    assert tokens[0]["logprob"] == 0.0
    assert tokens[0]["top_logprobs"][0]["token"] == tokens[0]["token"]


def test_a_tool_named_in_the_question_is_called_with_arguments_of_its_schema(chat):
    choice = chat("What is the weather in Paris, in fahrenheit?", tools=[WEATHER]).json()["choices"][0]
    call = choice["message"]["tool_calls"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert json.loads(call["function"]["arguments"]) == {"city": "Paris", "unit": "fahrenheit"}


def test_a_tool_is_called_only_when_asked_for(chat):
    assert "tool_calls" not in chat("Hello", tools=[WEATHER]).json()["choices"][0]["message"]
    assert "tool_calls" not in chat("weather?", tools=[WEATHER], tool_choice="none").json()["choices"][0]["message"]
    assert chat("Hello", tools=[WEATHER], tool_choice="required").json()["choices"][0]["message"]["tool_calls"]
    forced = {"type": "function", "function": {"name": "get_weather"}}
    assert chat("Hello", tools=[WEATHER], tool_choice=forced).json()["choices"][0]["message"]["tool_calls"]


def test_tool_arguments_stream_in_fragments_and_the_result_is_told(chat):
    chunks = chat.chunks("weather in Rome", tools=[WEATHER])
    calls = [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", [])]
    assert calls[0]["function"]["name"] == "get_weather"
    assert json.loads("".join(call["function"]["arguments"] for call in calls))["city"] == "Rome"
    whole = {"id": calls[0]["id"], "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "weather in Rome"},
        {"role": "assistant", "content": None, "tool_calls": [whole]},
        {"role": "tool", "tool_call_id": calls[0]["id"], "content": "sunny, 21 degrees"},
    ]
    assert "sunny, 21 degrees" in chat.text(messages, tools=[WEATHER])


def test_qwen_repeats_an_empty_call_id_in_later_fragments(chat):
    """Model Studio: the id stands in the first fragment only."""
    chunks = chat.chunks("weather in Rome", tools=[WEATHER], model="qwen-plus")
    calls = [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", [])]
    assert calls[0]["id"]
    assert {call["id"] for call in calls[1:]} == {""}


def test_unanswered_tool_calls_and_stray_tool_messages_are_refused(chat):
    whole = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    asked = [{"role": "user", "content": "x"}, {"role": "assistant", "content": None, "tool_calls": [whole]}]
    assert "must be followed by tool messages" in chat.error([*asked, {"role": "user", "content": "y"}])["message"]
    assert "must be a response" in chat.error([{"role": "tool", "tool_call_id": "z", "content": "y"}])["message"]


SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 3, "maxLength": 40},
        "age": {"type": "integer", "minimum": 18, "maximum": 99},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 2, "maxItems": 4},
        "when": {"type": "string", "format": "date"},
        "kind": {"anyOf": [{"const": "cat"}, {"const": "dog"}]},
        "nested": {
            "type": "object",
            "properties": {"ok": {"type": ["boolean", "null"]}, "share": {"type": "number", "exclusiveMaximum": 1}},
            "required": ["ok", "share"],
            "additionalProperties": False,
        },
    },
    "required": ["name", "age", "tags", "when", "kind", "nested"],
    "additionalProperties": False,
    "$defs": {"tag": {"type": "string", "enum": ["red", "green"]}},
}


def test_a_json_schema_is_satisfied(chat):
    """`json_schema` gives an object that validates against the schema."""
    wanted = {"type": "json_schema", "json_schema": {"name": "pet", "schema": SCHEMA, "strict": True}}
    made = json.loads(chat.text("A green cat of 7 years", response_format=wanted))
    jsonschema.validate(made, SCHEMA)
    assert made["tags"][0] == "green"


@pytest.mark.parametrize(
    "pattern", [r"^[A-Z]{3}-\d{4}$", "^(red|green)$", "^#[0-9a-f]{6}$", r"^\w+@\w+\.com$", "[^a-z]"]
)
def test_a_pattern_is_satisfied(chat, pattern):
    schema = {"type": "object", "properties": {"code": {"type": "string", "pattern": pattern}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert re.search(pattern, json.loads(chat.text("Name one", response_format=wanted))["code"])


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": 5},
        {"type": "string", "pattern": "("},
        {"type": "string", "pattern": "(?!)"},
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {"type": "array", "items": {"type": "string"}, "minItems": "many"},
    ],
)
def test_a_schema_that_cannot_be_met_is_refused(chat, schema):
    """Our promise: never a crash, never an object that does not fit."""
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert chat.error(response_format=wanted)["code"] == "invalid_json_schema"


def test_a_schema_that_nests_in_itself_comes_to_an_end(chat):
    node = {
        "type": "object",
        "properties": {"value": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
        "required": ["value", "next"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": node, "strict": True}}
    jsonschema.validate(json.loads(chat.text(response_format=wanted)), node)


def test_a_tool_needs_its_function_and_a_plain_name(chat):
    assert chat.error(tools=[{"type": "function"}])["param"] == "tools[0].function"
    assert chat.error(tools=[{"type": "function", "function": {"name": "a b"}}])["param"] == "tools[0].function.name"


@pytest.mark.parametrize("text", ['{"model": "gpt-4o", "temperature": NaN}', '{"model": "a\\ud800"}', "[]", "5"])
def test_what_only_looks_like_json_is_refused(raw, text):
    """RFC 8259 has no NaN and no half surrogates; the API takes an object."""
    answer = raw.post("/v1/chat/completions", content=text, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert "could not parse the JSON body" in answer.json()["error"]["message"]


def test_a_strict_schema_must_close_its_objects(chat):
    loose = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": loose, "strict": True}}
    assert "additionalProperties" in chat.error(response_format=wanted)["message"]


def test_json_mode_needs_the_word_json(chat):
    wanted = {"type": "json_object"}
    assert "must contain the word 'json'" in chat.error("Give an object", response_format=wanted)["message"]
    assert json.loads(chat.text("Give JSON", response_format=wanted))["question"] == "Give JSON"


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"colour": 1}, "unknown_parameter", "colour"),
        ({"temperature": 3}, "decimal_above_max_value", "temperature"),
        ({"temperature": "hot"}, "invalid_type", "temperature"),
        ({"n": 0}, "integer_below_min_value", "n"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "array_above_max_length", "stop"),
        ({"reasoning_effort": "enormous"}, "invalid_value", "reasoning_effort"),
        ({"messages": []}, "empty_array", "messages"),
        ({"messages": [{"role": "king", "content": "x"}]}, "invalid_value", "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "invalid_type", "messages[0].content"),
        ({"messages": [{"role": "user"}]}, "missing_required_parameter", "messages[0].content"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "txt": "x"}]}]},
            "unknown_parameter",
            "messages[0].content[0].txt",
        ),
        ({"enable_thinking": True}, "unknown_parameter", "enable_thinking"),
    ],
)
def test_a_wrong_field_is_refused_by_its_path(chat, fields, code, param):
    error = chat.error(**fields)
    assert (error["status"], error["code"], error["param"]) == (400, code, param)
    assert f"'{param.split('.')[0].split('[')[0]}" in error["message"] or code == "invalid_value"


def test_a_missing_model_and_an_unknown_model_are_refused(chat):
    assert chat.error(model="")["param"] == "model"
    assert chat.error(model="gpt-17")["status"] == 404
    assert chat.error(model="gpt-17")["code"] == "model_not_found"
    assert chat.error(model="whisper-1")["status"] == 404


def test_reasoning_models_of_openai_refuse_sampling_fields(chat):
    assert chat.error(model="gpt-5", max_tokens=5)["code"] == "unsupported_parameter"
    assert chat.error(model="gpt-5", temperature=0.2)["code"] == "unsupported_value"
    assert chat(model="gpt-5", max_completion_tokens=50, reasoning_effort="low").status_code == 200


def test_a_prompt_longer_than_the_window_is_refused(chat):
    assert chat.error("word " * 9000, model="acme/tiny:free")["code"] == "context_length_exceeded"


def test_search_models_cite_the_places_of_their_links(chat):
    """Chat annotations are nested under `url_citation`, with indices into the text."""
    fields = {"model": "gpt-4o-search-preview", "web_search_options": {"search_context_size": "low"}}
    message = chat("How high is the Eiffel Tower?", **fields).json()["choices"][0]["message"]
    cited = message["annotations"][0]["url_citation"]
    assert cited["url"] in message["content"][cited["start_index"] : cited["end_index"]]
    assert "330 metres" in message["content"]
    assert chat.error(web_search_options={})["param"] == "web_search_options"


def test_a_picture_in_a_chat_is_measured(chat, red_square):
    parts = [{"type": "image_url", "image_url": {"url": red_square}}, {"type": "text", "text": "What is it?"}]
    text = chat.text([{"role": "user", "content": parts}])
    assert "64x64" in text
    assert "red" in text


def test_no_outside_url_is_fetched(chat):
    """Our promise: the sandbox makes no requests of its own."""
    parts = [{"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}]
    assert "Failed to download multimodal content" in chat.error([{"role": "user", "content": parts}])["message"]
