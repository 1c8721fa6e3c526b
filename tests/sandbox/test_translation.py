"""Qwen-MT on the embedded gateway: its one message, its options, its two ways of streaming."""

import itertools
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from mtu_mcp.sandbox import Sandbox
from sandbox.asking import Chat

OPTIONS = {"source_lang": "English", "target_lang": "French"}


def said(chat: Chat, text: str, model: str = "qwen-mt-plus", **options: Any) -> str:
    return chat.text(text, model=model, translation_options={**OPTIONS, **options})


def test_words_it_knows_are_translated_and_lines_with_others_are_marked(chat: Chat) -> None:
    """Our promise: nobody takes it for a model."""
    assert said(chat, "Good morning, my friend\nHello") == "[fr] Bonjour, my ami\nBonjour"
    assert said(chat, "Hello quantum", target_lang="Chinese") == "【译】 你好 quantum"


@pytest.mark.parametrize("target", ["French", "french", "fr", "FR"])
def test_languages_go_by_name_or_code(chat: Chat, target: str) -> None:
    """Model Studio, Qwen-MT: source_lang and target_lang."""
    assert said(chat, "Hello", target_lang=target, source_lang="auto") == "Bonjour"


def test_terms_and_memory_are_honoured_to_the_letter(chat: Chat) -> None:
    """Model Studio, Qwen-MT: terms and tm_list."""
    terms = [{"source": "cat", "target": "MINOU"}]
    memory = [{"source": "The cat is open.", "target": "Ouvert, le chat."}]
    assert said(chat, "The cat", terms=terms) == "Le MINOU"
    assert said(chat, "The cat is open.", terms=terms, tm_list=memory) == "Ouvert, le chat."


@pytest.mark.parametrize(
    ("model", "grows"), [("qwen-mt-plus", True), ("qwen-mt-turbo", True), ("qwen-mt-flash", False)]
)
def test_plus_and_turbo_stream_the_whole_so_far(chat: Chat, model: str, grows: bool) -> None:
    """Model Studio, Qwen-MT: streaming output is cumulative for plus and turbo, incremental for flash and lite."""
    chunks = chat.chunks("Hello world and goodbye", model=model, translation_options=OPTIONS)
    texts = [chunk["choices"][0]["delta"].get("content") for chunk in chunks if chunk["choices"]]
    texts = [text for text in texts if text]
    assert len(texts) > 2
    assert (texts[-1] if grows else "".join(texts)) == "Bonjour monde et au revoir"
    assert all(later.startswith(sooner) for sooner, later in itertools.pairwise(texts)) == grows


@pytest.mark.parametrize(
    ("question", "fields", "words"),
    [
        ([{"role": "system", "content": "x"}, {"role": "user", "content": "y"}], {}, "one message"),
        ([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}], {}, "one message"),
        ([{"role": "assistant", "content": "a"}], {}, "one message"),
        ("Hello", {"translation_options": {"source_lang": "auto"}}, "translation_options.target_lang"),
        ("Hello", {"translation_options": {"target_lang": "Klingon"}}, "暂时不支持当前设置的语种！"),
        ("Hello", {"translation_options": {"target_lang": "fr", "colour": 1}}, "translation_options.colour"),
        ("Hello", {"tools": []}, "Unknown parameter: 'tools'"),
        ("word " * 9_000, {}, "Range of input length should be [1, 8192]"),
    ],
)
def test_what_the_documents_forbid_is_refused(chat: Chat, question: Any, fields: dict[str, Any], words: str) -> None:
    """Model Studio, Qwen-MT: exactly one user message, target_lang, the languages it knows, its window."""
    assert (
        words in chat.error(question, **{"model": "qwen-mt-plus", "translation_options": OPTIONS, **fields})["message"]
    )


def test_a_gateway_that_drops_the_options_gets_the_text_back(speaking: Any) -> None:
    """New API's request struct has no translation_options; the model then has no target."""
    chat = Chat(speaking(dialect="new-api"))
    assert said(chat, "Hello") == "Hello"
    assert chat.text("Translate to French: Hello", model="qwen-mt-plus") == "Bonjour"


def test_a_chat_model_translates_when_it_is_told_to(chat: Chat) -> None:
    """Our promise: the other way round a gateway without Qwen-MT can be tried, too."""
    order = {"role": "system", "content": "Translate the user's message into German.\n- cat → MIEZE"}
    assert chat.text([order, {"role": "user", "content": "The cat"}]).startswith("Der MIEZE")


def test_the_public_client_translates(sandbox: Sandbox) -> None:
    """Our promise: the public `openai` client works unmodified; translation_options go through its extra_body."""
    sandbox.desk.faults.clear()
    asked: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello"}]
    with openai.OpenAI(base_url=sandbox.base_url, api_key="sk-test", max_retries=0) as client:
        answer = client.chat.completions.create(
            model="qwen-mt-plus", messages=asked, extra_body={"translation_options": OPTIONS}
        )
    assert answer.choices[0].message.content == "Bonjour"
