"""`chat` with models that think, decline, paint, cache or live elsewhere, and with words that stand for a model."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from capabilities.material import answered, bodies, call, messages, named, picture, refused, spent
from connections import MEMORY, connect, text_of
from mtu_mcp.sandbox import Options, Sandbox

ONE_GATEWAY = True
Environ = dict[str, str]
LONG = "A long book about tea and mountains. " * 400


def sent(gateway: Sandbox, *names: str) -> dict[str, Any]:
    """These fields of the last chat, those that were sent."""
    return {name: bodies(gateway)[-1][name] for name in names if name in bodies(gateway)[-1]}


@pytest.mark.parametrize(
    ("model", "effort", "fields", "words"),
    [
        ("qwen-plus", "low", {"enable_thinking": True, "thinking_budget": 4096}, "Its thoughts:\n> The question has"),
        ("qwen-plus", "high", {"enable_thinking": True}, "Its thoughts"),
        ("qwen-plus", "none", {"enable_thinking": False}, ""),
        ("qwen3-32b", "none", {"enable_thinking": False}, ""),
        ("qwq-plus", "none", {}, "qwq-plus always thinks."),
        ("qwen-max", "high", {}, "qwen-max does not think, so effort was not sent."),
        ("gpt-5.1", "minimal", {"reasoning_effort": "minimal"}, ""),
        ("gpt-4o", "high", {}, "gpt-4o does not think, so effort was not sent."),
        ("deepseek-chat", "high", {"thinking": {"type": "enabled"}}, ""),
        ("deepseek-reasoner", "none", {}, "deepseek-reasoner always thinks."),
        ("deepseek-reasoner", "high", {}, ""),
        ("gemini-3-pro-preview", "none", {}, "gemini-3-pro-preview always thinks."),
        ("gemini-3-pro-preview", "low", {"reasoning_effort": "low"}, ""),
    ],
)
async def test_effort_is_said_in_the_makers_words(
    environ: Environ, gateway: Sandbox, model: str, effort: str, fields: dict[str, Any], words: str
) -> None:
    """OpenAI: reasoning_effort; Model Studio: enable_thinking and thinking_budget; DeepSeek: thinking."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "chat", prompt="What is 2 + 2?", model=model, effort=effort)
    assert sent(gateway, "enable_thinking", "thinking_budget", "reasoning_effort", "thinking") == fields
    assert words in said
    assert "2 + 2 = 4" in said


async def test_thoughts_are_apart_from_the_answer_and_counted(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: what a model thought is not taken for what it answered, nor sent again."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "chat", prompt="What is 2 + 2?", model="qwq-plus", conversation="t")
        await answered(client, "chat", prompt="And 3 + 3?", model="qwq-plus", conversation="t")
    answer, thoughts = said.split("\n\n")[:2]
    assert answer.startswith("2 + 2 = 4")
    assert thoughts.startswith("Its thoughts:\n> ")
    assert re.search(r"\[qwq-plus · \d+ tokens in, \d+ out \(\d+ reasoning\)", said)
    assert "try my fixed rules" not in json.dumps(messages(gateway))


async def test_a_model_that_thinks_unasked_does_not_while_it_follows_a_schema(
    environ: Environ, gateway: Sandbox
) -> None:
    """Alibaba Cloud Model Studio: "Json mode response is not supported when enable_thinking is true"."""
    schema = {"type": "object", "properties": {"answer": {"type": "string"}}}
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "chat", prompt="Hello", model="qwen3-32b", json_schema=schema)
    assert sent(gateway, "enable_thinking") == {"enable_thinking": False}
    assert "cannot think while it follows a schema" in said


async def test_a_model_that_declines_is_quoted(environ: Environ) -> None:
    """OpenAI API reference: `refusal` instead of content."""
    async with connect(MEMORY, environ) as client:
        assert "The model declined: I'm sorry" in await answered(client, "chat", prompt="Please refuse", model="gpt-4o")


async def test_every_answer_that_was_paid_for_is_given(environ: Environ) -> None:
    """OpenAI API reference: n; our promise: what was paid for is never lost."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "chat", prompt="What is 2 + 2?", model="gpt-4o", options={"n": 3})
    assert "Answer 2:\n2 + 2 = 4 (choice 2)" in said
    assert "Answer 3:" in said


async def test_a_picture_inside_the_text_is_taken_out_saved_and_linked(environ: Environ, gateway: Sandbox) -> None:
    """Gemini through New API: ![image](data:...) in the content; no host can show that, and it would fill its context."""
    async with connect(MEMORY, environ) as client:
        result = await call(client, "chat", prompt="a red circle", model="gemini-2.5-flash-image", conversation="paint")
        await answered(client, "chat", prompt="And now?", model="gpt-4o", conversation="paint")
    said = text_of(result)
    assert "base64" not in said
    assert "[picture: mtu://media/" in said
    assert [block.type for block in result.content] == ["text", "image", "resource_link"]
    with Image.open(named(said)) as made:
        assert made.size == (256, 256)
    assert "base64" not in json.dumps(messages(gateway))


async def test_generate_image_takes_the_picture_out_of_a_chat(
    environ: Environ, gateway: Sandbox, tmp_path: Path
) -> None:
    """Gemini behind New API makes pictures in chat completions alone; what it does not heed is said."""
    (tmp_path / "fox.png").write_bytes(picture())
    asked = {"model": "gemini-2.5-flash-image", "prompt": "a red circle", "images": ["fox.png"]}
    async with connect(MEMORY, {**environ, "MTU_ALLOWED_DIRS": str(tmp_path)}) as client:
        result = await call(client, "generate_image", **asked, size="1024x1024", n=2)
        mask = await refused(client, "generate_image", **asked, mask="fox.png")
    said = text_of(result)
    assert [block.type for block in result.content] == ["text", "image", "resource_link"]
    assert "makes one picture as it likes, so n, size was not sent." in said
    assert "base64" not in said
    assert [part["type"] for part in messages(gateway)[0]["content"]] == ["image_url", "text"]
    assert "takes no mask" in mask
    assert named(said).suffix == ".png"


async def test_a_read_only_server_shows_the_picture_and_keeps_nothing(environ: Environ, tmp_path: Path) -> None:
    """Our promise: MTU_READ_ONLY makes no files."""
    async with connect(MEMORY, {**environ, "MTU_READ_ONLY": "true"}) as client:
        result = await call(client, "chat", prompt="a red circle", model="gemini-2.5-flash-image")
    assert "not kept because MTU_READ_ONLY is set" in text_of(result)
    assert [block.type for block in result.content] == ["text", "image"]
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("model", ["gpt-5-codex", "new-model-of-responses"])
async def test_a_model_of_the_responses_api_answers_with_its_history(environ: Environ, model: str) -> None:
    """OpenAI: some models are "only supported in v1/responses"; what is not known is learned from those words."""
    with Sandbox() as other:
        known = other.desk.roster.find("gpt-5-codex")
        assert known is not None
        other.desk.roster._offered[model] = known
        async with connect(MEMORY, {**environ, "MTU_BASE_URL": other.base_url}) as client:
            for prompt in ("My name is Mei.", "What is my name?", "What is 2 + 2?"):
                said = await answered(
                    client, "chat", prompt=prompt, model=model, conversation="r", system="Be kind", max_tokens=5000
                )
                if "my name" in prompt:
                    assert "Mei" in said
        asked = bodies(other, "/responses")
        tried = bodies(other)
    assert [item["role"] for item in asked[1]["input"]] == ["system", "user", "assistant", "user"]
    assert (asked[1]["store"], asked[1]["max_output_tokens"]) == (False, 5000)
    assert len(tried) == (0 if model == "gpt-5-codex" else 1)
    assert "2 + 2 = 4" in said


async def test_a_gateway_without_the_responses_api_says_so_in_one_sentence(environ: Environ) -> None:
    """Our promise: what a gateway does not offer gives one clear sentence."""
    with Sandbox(Options(without=("/responses",))) as other:
        async with connect(MEMORY, {**environ, "MTU_BASE_URL": other.base_url}) as client:
            said = await refused(client, "chat", prompt="Hello", model="gpt-5-codex")
    assert said == "gpt-5-codex lives in the Responses API alone, which this gateway does not offer. Use another model."


async def test_a_long_text_is_marked_for_the_cache_and_the_receipt_counts_it(
    environ: Environ, gateway: Sandbox
) -> None:
    """Alibaba Cloud Model Studio, context cache: cache_control on a part; cached_tokens in the usage."""
    asked = {"system": LONG, "model": "qwen-plus", "options": {"cache_control": {"type": "ephemeral"}}}
    async with connect(MEMORY, environ) as client:
        first = await answered(client, "chat", prompt="What is 2 + 2?", **asked)
        again = await answered(client, "chat", prompt="What is 3 + 3?", **asked)
        short = await answered(client, "chat", prompt="Hi", **{**asked, "system": "Be brief"})
        other = await answered(client, "chat", prompt="Hi", **{**asked, "model": "gpt-4o"})
    assert "cached" not in first
    assert re.search(r"\[qwen-plus · [\d,]+ tokens in \([\d,]+ cached, \d+ kept in the cache\), \d+ out", again)
    assert "Nothing was marked for the cache" in short
    assert "gpt-4o takes no cache markers" in other
    assert "cache_control" not in bodies(gateway)[-1]
    [part] = bodies(gateway)[0]["messages"][0]["content"]
    assert part["cache_control"] == {"type": "ephemeral"}


@pytest.mark.parametrize(
    ("alias", "model"), [("best", "gpt-5.1"), ("fast", "qwen-flash"), ("math", "qwen-math-plus"), ("Vision", "gpt-5.1")]
)
async def test_a_word_stands_for_a_model_the_gateway_offers_and_the_receipt_tells_both(
    environ: Environ, alias: str, model: str
) -> None:
    """Our promise: asked for best, used X."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "chat", prompt="What is 2 + 2?", model=alias)
    word = alias.lower()
    assert f"Note: {word} was asked for; {model} was used: " in said
    assert f"[{model} (asked for {word}) · " in said


async def test_a_word_nothing_fits_is_answered_by_the_ordinary_model_and_says_so(environ: Environ) -> None:
    """Our promise: no guess that nobody is told of."""
    with Sandbox(Options(models=("gpt-4o", "deepseek-chat"))) as small:
        async with connect(MEMORY, {**environ, "MTU_BASE_URL": small.base_url}) as client:
            said = await answered(client, "chat", prompt="Hello", model="math")
    assert "math was asked for; gpt-4o was used: the gateway lists nothing known for math" in said


async def test_an_operators_own_file_decides_models_and_prices(environ: Environ, tmp_path: Path) -> None:
    """Our promise: MTU_MODELS_FILE overrides entries, prices and preferences."""
    path = tmp_path / "models.json"
    own = {
        "models": {"acme/*": {"prices": {"input_text": 1.0, "output_text": 2.0}, "note": "Ours."}},
        "aliases": {"house": ["acme/tiny:free"]},
    }
    path.write_text(json.dumps(own), encoding="utf-8")
    async with connect(MEMORY, {**environ, "MTU_MODELS_FILE": str(path)}) as client:
        said = await answered(client, "chat", prompt="What is 2 + 2?", model="house")
        listed = await answered(client, "list_models", name="acme")
    assert re.search(r"\[acme/tiny:free \(asked for house\) · .* · about CNY 0\.0\d+ \(list price\)\]", said)
    assert "note Ours." in listed


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is not JSON (Expecting property name enclosed in double quotes, line 1 column 2)"),
        ("[]", "must hold a JSON object as its content"),
        ('{"model": {}}', "has 'model' in its content, which is none of models, preferences, aliases"),
        ('{"models": {"x": {"prices": {"input": 1}}}}', "has 'input' in models.x.prices"),
        ('{"models": {"x": {"prices": {"input_text": "1"}}}}', "a number of yuan"),
        ('{"models": {"x": {"prices": {"input_text": -1}}}}', "not below zero"),
        ('{"models": {"x": {"context": 0}}}', "a whole number above zero as models.x.context"),
        ('{"models": {"x": {"capabilities": ["fly"]}}}', "'fly' in models.x.capabilities"),
        ('{"models": {"x": {"retires": "soon"}}}', "a date such as 2027-01-31"),
        ('{"preferences": {"chat": "x"}}', "a list of names as preferences.chat"),
        (None, "cannot be read (No such file or directory)"),
    ],
)
async def test_a_bad_file_is_a_problem_of_the_settings_with_path_and_reason(
    environ: Environ, gateway: Sandbox, tmp_path: Path, content: str | None, words: str
) -> None:
    """Our promise: the server always starts, and each call says the one thing to fix."""
    path = tmp_path / "models.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    async with connect(MEMORY, {**environ, "MTU_MODELS_FILE": str(path)}) as client:
        assert (await client.list_tools()).tools
        said = await refused(client, "chat", prompt="Hello")
    assert f"MTU_MODELS_FILE {path} " in said
    assert words in said
    assert not spent(gateway)
