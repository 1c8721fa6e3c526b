"""Qwen and DeepSeek on chat completions; rules are those of the Alibaba Cloud Model Studio documentation."""

import pytest


def test_thoughts_stream_before_the_answer_with_null_content(chat):
    chunks = chat.chunks(model="qwen-plus", enable_thinking=True, stream_options={"include_usage": True})
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    assert deltas[0] == {"role": "assistant", "content": None, "reasoning_content": ""}
    assert deltas[1]["content"] is None
    assert deltas[1]["reasoning_content"]
    first_word = next(delta for delta in deltas if delta.get("content"))
    assert first_word["reasoning_content"] is None
    assert chunks[-1]["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model": "qwq-plus"}, "only support stream mode"),
        ({"model": "qwen3-32b"}, "must be set to false for non-streaming"),
        ({"model": "qwq-plus", "stream": True, "enable_thinking": False}, "restricted to True"),
        ({"model": "qwen-max", "enable_thinking": True}, "restricted to False"),
        ({"model": "qwen3-32b", "enable_thinking": False, "enable_search": True}, "does not support enable_search"),
        ({"model": "qwen-plus", "max_tokens": 99_999}, "Range of max_tokens should be [1, 16384]"),
        ({"model": "qwen-plus", "temperature": 2}, "Expected a value < 2"),
        ({"model": "qwen-plus", "n": 5}, "Expected a value <= 4"),
        ({"model": "qwen-plus", "tool_choice": "required"}, "tool_choice"),
    ],
)
def test_what_a_qwen_model_does_not_take_is_refused(chat, fields, message):
    assert message in chat.error(**fields)["message"]


def test_json_mode_excludes_thinking(chat):
    fields = {"stream": True, "enable_thinking": True, "response_format": {"type": "json_object"}}
    assert "enable_thinking" in chat.error("json", model="qwen-plus", **fields)["message"]


def test_a_partial_message_is_continued_without_being_repeated(chat):
    messages = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "Spring is", "partial": True}]
    assert "Spring is" not in chat.text(messages, model="qwen-plus")
    thinking = {"stream": True, "enable_thinking": True}
    assert "partial" in chat.error(messages, model="qwen-plus", **thinking)["message"]


def test_enable_search_answers_from_the_library_without_a_list_of_sources(chat):
    """In OpenAI mode DashScope returns no sources."""
    message = chat("长城有多长", model="qwen-plus", enable_search=True).json()["choices"][0]["message"]
    assert "两万一千公里" in message["content"]
    assert "annotations" not in message


def test_deepseek_reasoner_always_thinks(chat):
    """DeepSeek's reference: `reasoning_content` beside `content`."""
    assert chat(model="deepseek-reasoner").json()["choices"][0]["message"]["reasoning_content"]
