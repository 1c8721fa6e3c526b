"""Gemini models behind a translating gateway: pictures in the text, and Google's search."""

import base64
import io
import re
from collections.abc import Callable

import httpx
import pytest
from openai import OpenAI
from PIL import Image

from mtu_mcp.sandbox import Sandbox
from sandbox.asking import Chat

SEARCH = [{"type": "function", "function": {"name": "googleSearch"}}]


@pytest.mark.parametrize("stream", [False, True])
def test_a_picture_stands_in_the_text_as_markdown(sandbox: Sandbox, stream: bool):
    """New API's source, 2025-12: a Gemini picture becomes ![image](data:MIME;base64,...) in the content."""
    client = OpenAI(base_url=sandbox.base_url, api_key="sk-test", max_retries=0)
    asked = {"model": "gemini-2.5-flash-image", "messages": [{"role": "user", "content": "a red circle"}]}
    if stream:
        with client.chat.completions.create(**asked, stream=True) as chunks:
            text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    else:
        text = client.chat.completions.create(**asked).choices[0].message.content or ""
    client.close()
    found = re.search(r"!\[image\]\(data:image/png;base64,([A-Za-z0-9+/=]+)\)", text)
    assert found
    with Image.open(io.BytesIO(base64.b64decode(found[1]))) as picture:
        assert picture.size == (256, 256)


def test_grounding_is_passed_on_as_litellm_does(chat: Chat):
    """LiteLLM puts Gemini's grounding metadata beside the choices; Google's own shape inside."""
    body = chat("How do tides work?", model="gemini-2.5-flash", tools=SEARCH).json()
    [metadata] = body["vertex_ai_grounding_metadata"]
    assert metadata["webSearchQueries"] == ["How do tides work?"]
    assert metadata["groundingChunks"][0]["web"]["uri"].startswith("https://")
    [*_, last, _] = chat.chunks(
        "How do tides work?", model="gemini-2.5-flash", tools=SEARCH, stream_options={"include_usage": True}
    )
    assert last["vertex_ai_grounding_metadata"] == [metadata]


def test_new_api_discards_the_grounding(speaking: Callable[..., httpx.Client]):
    """New API's source, 2025-12: grounding metadata has no place in its answers."""
    body = Chat(speaking(dialect="new-api"))("How do tides work?", model="gemini-2.5-flash", tools=SEARCH).json()
    assert "vertex_ai_grounding_metadata" not in body
    assert body["choices"][0]["message"]["annotations"] == []


def test_a_model_of_the_responses_api_alone_says_where_it_lives(chat: Chat):
    """OpenAI's own words for such a model on chat/completions."""
    assert "only supported in v1/responses" in chat.error(model="gpt-5-codex")["message"]


def test_a_refusal_has_its_own_field(chat: Chat):
    """OpenAI API reference: message.refusal, content null; deltas carry `refusal`."""
    message = chat("Please refuse").json()["choices"][0]["message"]
    assert message["content"] is None
    assert "cannot help" in message["refusal"]
    deltas = [choice["delta"].get("refusal") for chunk in chat.chunks("Please refuse") for choice in chunk["choices"]]
    assert "".join(filter(None, deltas)) == message["refusal"]


@pytest.mark.parametrize(
    ("field", "model"), [("partial", "gpt-4o"), ("prefix", "gpt-4o"), ("partial", "gemini-2.5-flash")]
)
def test_models_that_cannot_continue_refuse_the_flag_by_name(chat: Chat, field: str, model: str):
    """OpenAI API reference: an assistant message has no such field."""
    messages = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "Spring", field: True}]
    assert field in chat.error(messages, model=model)["message"]
