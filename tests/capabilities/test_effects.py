"""What was asked for and had no effect is said, where the answer shows it, and nowhere else."""

import base64
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from capabilities.material import picture, sound
from capabilities.replay import Server, chatted, said
from mtu_mcp.capabilities._effects import unheeded
from mtu_mcp.gateway import ChatAnswer, ToolCall, Usage

DROPPED = "seems to drop"


@pytest.mark.parametrize(
    ("options", "answer", "words"),
    [
        ({"enable_thinking": True}, ChatAnswer("4"), "shows no thoughts although they were asked for"),
        ({"thinking": {"type": "enabled"}}, ChatAnswer("4"), "drop thinking"),
        ({"enable_thinking": False}, ChatAnswer("4", reasoning="2 and 2"), "thought although it was told not to"),
        ({"reasoning_effort": "none"}, ChatAnswer("4", usage=Usage(reasoning_tokens=90)), "drop reasoning_effort"),
        ({"thinking_budget": 100}, ChatAnswer("4", usage=Usage(reasoning_tokens=5_000)), "5,000 tokens although"),
        ({"n": 3}, ChatAnswer("4"), "3 answers were asked for and 1 came"),
        ({"n": 2}, ChatAnswer("4", finish="length", cut="stopped at the token limit"), "2 answers were asked for"),
    ],
)
def test_what_an_answer_shows_to_be_dropped_is_said(options: dict[str, Any], answer: ChatAnswer, words: str) -> None:
    """Model Studio: enable_thinking, thinking_budget; DeepSeek: thinking; OpenAI: reasoning_effort, n."""
    [sentence] = unheeded(options, answer)
    assert words in sentence
    assert sentence.endswith(".")


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ({}, ChatAnswer("4", reasoning="well")),
        ({"enable_thinking": True}, ChatAnswer("4", reasoning="well")),
        ({"enable_thinking": True}, ChatAnswer("4", usage=Usage(reasoning_tokens=9))),
        ({"enable_thinking": True}, ChatAnswer("4", cut="the stream ended without a finish")),
        ({"enable_thinking": True}, ChatAnswer("", tool_calls=(ToolCall("c", "f", "{}"),))),
        ({"enable_thinking": "yes"}, ChatAnswer("4")),
        ({"reasoning_effort": "high"}, ChatAnswer("4")),  # OpenAI's models show no thoughts
        ({"thinking_budget": 100}, ChatAnswer("4", usage=Usage(reasoning_tokens=150))),
        ({"thinking_budget": True}, ChatAnswer("4", usage=Usage(reasoning_tokens=150))),
        ({"thinking": "enabled"}, ChatAnswer("4")),
        ({"n": 2}, ChatAnswer("4", alternatives=("5",))),
        ({"n": "many"}, ChatAnswer("4")),
    ],
)
def test_what_an_answer_cannot_show_is_not_claimed(options: dict[str, Any], answer: ChatAnswer) -> None:
    """Our promise: it tells the truth; what cannot be known is not said."""
    assert unheeded(options, answer) == []


async def test_thoughts_that_did_not_come_are_missed_in_the_answer(environ: dict[str, str]) -> None:
    """Gateways of the New API kind rebuild requests from the fields they know."""
    plain = Server([{"id": "qwen-flash"}], lambda _: chatted("4"))
    assert DROPPED in await said(environ, plain, "chat", prompt="2 + 2?", model="qwen-flash", effort="high")
    shown = Server([{"id": "qwen-flash"}], lambda _: chatted("4", reasoning_content="two and two"))
    assert DROPPED not in await said(environ, shown, "chat", prompt="2 + 2?", model="qwen-flash", effort="high")


async def test_each_seat_of_a_comparison_says_what_it_dropped(environ: dict[str, str]) -> None:
    """Our promise: one model's gateway may heed what another's drops."""

    def one_thinks(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)["model"]
        return chatted("4", reasoning_content="two and two" if asked == "qwen-flash" else "")

    server = Server([{"id": "qwen-flash"}, {"id": "qwen-plus"}], one_thinks)
    tools = {**environ, "MTU_TOOLSETS": "all"}
    models = ["qwen-flash", "qwen-plus"]
    compared = await said(
        tools, server, "compare_models", prompt="2 + 2?", models=models, options={"enable_thinking": True}
    )
    assert compared.count(DROPPED) == 1
    assert DROPPED in compared.partition("## qwen-plus")[2]


async def test_pictures_are_shown_to_a_chat_model_where_there_is_no_omni_model(
    environ: dict[str, str], tmp_path: Path
) -> None:
    """Our promise: `understand` works on a gateway without Qwen-Omni as far as its models see, and says so."""
    (tmp_path / "a.png").write_bytes(picture())
    asked: list[dict[str, Any]] = []

    def look(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content))
        return chatted("A red square.")

    server = Server([{"id": "deepseek-chat"}, {"id": "gpt-4o"}], look)
    allowed = {**environ, "MTU_ALLOWED_DIRS": str(tmp_path)}
    ask: dict[str, Any] = {"question": "What is it?", "media": [str(tmp_path / "a.png")]}
    answer = await said(allowed, server, "understand", **ask)
    assert answer.startswith("A red square.")
    assert "gpt-4o was used: the gateway lists no Qwen-Omni model, and of those that see pictures" in answer
    framed = await said(allowed, server, "understand", frames=True, **ask)
    assert framed.startswith("A red square.")
    assert [body["model"] for body in asked] == ["gpt-4o", "gpt-4o"]
    assert all("modalities" not in body for body in asked)
    kinds = [[part["type"] for part in body["messages"][-1]["content"]] for body in asked]
    assert kinds == [["image_url", "text"], ["image_url", "text", "text"]]


async def test_a_model_that_the_list_says_sees_is_shown_pictures(environ: dict[str, str], tmp_path: Path) -> None:
    """OpenRouter's list tells what each model takes; ours knows not every model."""
    (tmp_path / "a.png").write_bytes(picture())
    kinds = {"input_modalities": ["text", "image"], "output_modalities": ["text"]}
    server = Server([{"id": "blind-1"}, {"id": "house-1", "architecture": kinds}], lambda _: chatted("A red square."))
    allowed = {**environ, "MTU_ALLOWED_DIRS": str(tmp_path)}
    answer = await said(allowed, server, "understand", question="What?", media=[str(tmp_path / "a.png")])
    assert answer.startswith("A red square.")
    assert "house-1 was used: the gateway lists no Qwen-Omni model, and of those that see pictures it is the" in answer


async def test_sound_without_an_omni_model_is_refused_by_naming_what_it_needs(
    environ: dict[str, str], tmp_path: Path
) -> None:
    """Our promise: what a gateway does not offer is one sentence, and costs nothing."""
    (tmp_path / "a.wav").write_bytes(sound())
    (tmp_path / "a.png").write_bytes(picture())
    allowed = {**environ, "MTU_ALLOWED_DIRS": str(tmp_path)}
    seeing = Server([{"id": "gpt-4o"}], lambda _: httpx.Response(500))
    blind = Server([{"id": "deepseek-chat"}], lambda _: httpx.Response(500))
    heard = await said(allowed, seeing, "understand", fails=True, question="What?", media=[str(tmp_path / "a.wav")])
    assert heard.startswith("This gateway lists no model that listens to sound. That needs a Qwen-Omni model such as")
    seen = await said(allowed, blind, "understand", fails=True, question="What?", media=[str(tmp_path / "a.png")])
    assert "nor another that is known to see pictures" in seen


async def test_an_omni_model_named_in_the_settings_is_asked_whatever_is_listed(
    environ: dict[str, str], tmp_path: Path
) -> None:
    """Our promise: a gateway may serve more than it lists."""
    (tmp_path / "a.wav").write_bytes(sound())
    server = Server([{"id": "gpt-4o"}], lambda _: chatted("A tone."))
    allowed = {**environ, "MTU_ALLOWED_DIRS": str(tmp_path), "MTU_MODEL_OMNI": "qwen3-omni-flash"}
    answer = await said(allowed, server, "understand", question="What?", media=[str(tmp_path / "a.wav")])
    assert answer.startswith("A tone.")


async def test_pictures_that_failed_are_told_in_one_sentence(environ: dict[str, str]) -> None:
    """Some gateways put an error in place of one picture among several."""
    good = {"b64_json": base64.b64encode(picture()).decode()}
    bad = {"error": {"message": "blocked by rules", "code": "moderation_blocked"}}
    some = Server([{"id": "gpt-image-1"}], lambda _: httpx.Response(200, json={"data": [good, bad, good]}))
    shown = await said(environ, some, "generate_image", prompt="a boat", n=3)
    assert "Note: 2 of 3 pictures came: number 2 was not made (blocked by rules).\n" in shown
    assert shown.count("Saved ") == 2
    few = Server([{"id": "gpt-image-1"}], lambda _: httpx.Response(200, json={"data": [good]}))
    shown = await said(environ, few, "generate_image", prompt="a boat", n=2)
    assert "Note: 1 of 2 pictures came; the gateway says nothing of the others." in shown
    odd = await said(environ, few, "generate_image", prompt="a boat", options={"n": "two"})
    assert "pictures came" not in odd


async def test_a_search_that_left_no_trace_is_doubted(environ: dict[str, str]) -> None:
    """OpenAI API reference: search models annotate what they cite; a gateway may drop web_search_options."""
    plain = Server([{"id": "gpt-5-search-api"}], lambda _: chatted("Tea is hot."))
    doubted = await said(environ, plain, "web_search", query="tea", engine="openai")
    assert "Nothing in the answer shows that a search was made; the gateway may have dropped web_search_opt" in doubted
    cited = {"type": "url_citation", "url_citation": {"url": "https://a.example", "title": "A"}}
    shown = Server([{"id": "gpt-5-search-api"}], lambda _: chatted("Tea is hot.", annotations=[cited]))
    assert "Nothing in the answer" not in await said(environ, shown, "web_search", query="tea", engine="openai")


async def test_filters_a_relay_drops_are_asked_for_in_words_too(environ: dict[str, str]) -> None:
    """New API's list names each model's endpoints; it rebuilds chat requests without search_options."""
    asked: list[dict[str, Any]] = []

    def search(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content))
        return chatted("Tea is hot.")

    relay = Server([{"id": "qwen-plus", "supported_endpoint_types": ["openai"]}], search)
    other = Server([{"id": "qwen-plus"}], search)
    for server in (relay, other):
        words = await said(environ, server, "web_search", query="tea", engine="qwen", sites=["a.example"])
        assert "nothing shows whether it searched" in words
        assert ("Gateways of this kind drop search_options" in words) is (server is relay)
    assert [body["messages"][-1]["content"] for body in asked] == [
        "tea\n\n(Use only sources from a.example.)",
        "tea",
    ]


async def test_auto_names_the_engine_that_failed_and_how_to_ask_another(environ: dict[str, str]) -> None:
    """Our promise: `auto` does not pay twice in silence, and an error says what to do next."""
    models = [{"id": "gpt-5-search-api"}, {"id": "qwen-plus"}]
    broken = Server(models, lambda _: httpx.Response(500, json={"error": {"message": "boom"}}))
    words = await said(environ, broken, "web_search", fails=True, query="tea")
    assert words.startswith('Searching with openai failed. The gateway failed (it answered 500): "boom".')
    assert words.endswith("engine=qwen or engine=baidu asks another.")
    named = await said(environ, broken, "web_search", fails=True, query="tea", engine="qwen")
    assert named.startswith("The gateway failed (it answered 500)")


async def test_a_picture_unlike_what_was_asked_is_told(environ: dict[str, str]) -> None:
    """OpenAI API reference, create image: size and output_format, which some gateways do not pass on."""
    good = {"b64_json": base64.b64encode(picture(1024, 1024)).decode()}
    server = Server([{"id": "gpt-image-1"}], lambda _: httpx.Response(200, json={"data": [good]}))
    told = await said(environ, server, "generate_image", prompt="a", size="1536x1024", output_format="jpeg")
    assert "Asked for 1536x1024 jpeg, but 1024x1024 png came" in told
    for asked in ({"size": "1024x1024", "output_format": "png"}, {"size": "auto"}, {}):
        assert "Asked for" not in await said(environ, server, "generate_image", prompt="a", **asked)


async def test_vectors_of_another_length_than_asked_are_told(environ: dict[str, str]) -> None:
    """OpenAI API reference, embeddings: dimensions; llama.cpp's server takes the field and does not heed it."""
    vector = {"object": "list", "data": [{"index": 0, "embedding": [0.1] * 8}], "usage": {"prompt_tokens": 1}}
    server = Server([{"id": "tiny"}], lambda _: httpx.Response(200, json=vector))
    tools = {**environ, "MTU_TOOLSETS": "all"}
    told = await said(tools, server, "embed_text", texts=["tea"], model="tiny", dimensions=4)
    assert "4 numbers a vector were asked for and 8 came; dimensions had no effect." in told
    assert "had no effect" not in await said(tools, server, "embed_text", texts=["tea"], model="tiny", dimensions=8)


async def test_a_file_id_without_a_model_for_documents_says_how_to_go_on(environ: dict[str, str]) -> None:
    """Our promise: an error says what to do next, and never to leave out what was not given."""
    server = Server([{"id": "gpt-4o"}], lambda _: httpx.Response(500))
    tools = {**environ, "MTU_TOOLSETS": "all"}
    words = await said(tools, server, "ask_document", fails=True, question="What?", documents=["file-abc123"])
    assert words.startswith(
        "file-abc123 can only be read by a model for documents, such as qwen-long. Name one as model"
    )
