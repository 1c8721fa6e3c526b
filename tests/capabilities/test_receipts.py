"""The last lines of an answer: which model, what it used, what that costs, and why it was another one."""

import re
from typing import Any

import pytest

from capabilities.material import answered, picture, sound
from connections import MEMORY, connect
from mtu_mcp.amounts import counted
from mtu_mcp.sandbox import Options, Sandbox

ONE_GATEWAY = True

Environ = dict[str, str]
MARKED = r"(about CNY \d+\.\d{4}|under CNY 0\.0001) \((list|assumed) price\)"

CALLS: dict[str, tuple[dict[str, Any], str]] = {
    "chat": ({"prompt": "Hello"}, r"\[gpt-5\.1 · 7 tokens in, \d+ out · {sum}\]"),
    "generate_image": (
        {"prompt": "a fox", "model": "dall-e-2"},
        r"\[dall-e-2 · 1 picture · about CNY 0\.1500 \(list price\)\]",
    ),
    "speak": ({"text": "Hello there", "model": "tts-1"}, r"\[tts-1 · 11 characters · {sum}\]"),
    "translate_text": ({"text": "Hello", "target": "Chinese"}, r"\[qwen-mt-plus · 7 tokens in, 2 out · {sum}\]"),
    "complete_code": ({"prefix": "def add(a, b):"}, r"\[qwen-coder-turbo · \d+ tokens in, \d+ out · {sum}\]"),
    "embed_text": ({"texts": ["a", "b"]}, r"\[text-embedding-3-small · 2 tokens in, 0 out · {sum}\]"),
    "moderate_content": ({"texts": ["a"]}, r"\[omni-moderation-latest · CNY 0 \(list price\)\]"),
    "ask_document": (
        {"question": "What colour?", "text": "The sky is blue."},
        r"\[qwen-long · \d+ tokens in, \d+ out · {sum}\]",
    ),
    "compare_models": (
        {"prompt": "2+2", "models": ["gpt-4o", "qwen-plus"]},
        r"\[gpt-4o · .* · {sum}\]\n\[qwen-plus · .* · {sum}\]",
    ),
    "call_operation": (
        {"name": "create_completion", "arguments": {"model": "gpt-3.5-turbo-instruct", "prompt": "x"}},
        r"\[gpt-3\.5-turbo-instruct · 1 token in, \d+ out · {sum}\]",
    ),
}


@pytest.fixture
def environ(environ: Environ) -> Environ:
    return {**environ, "MTU_TOOLSETS": "all"}


@pytest.mark.parametrize("tool", CALLS)
async def test_every_answer_that_spends_ends_with_what_it_used_and_costs(environ: Environ, tool: str) -> None:
    """Our promise: model, amounts and a sum marked as what it is, whatever is paid for."""
    arguments, wanted = CALLS[tool]
    async with connect(MEMORY, environ) as client:
        said = await answered(client, tool, **arguments)
    assert re.search(wanted.replace("{sum}", MARKED), said), said


async def test_media_are_on_the_receipt_by_what_is_paid_for(environ: Environ, tmp_path: Any) -> None:
    """OpenAI's price list: whisper-1 by the length; Alibaba's: Qwen-Omni by tokens."""
    (tmp_path / "a.wav").write_bytes(sound(2.0, "Hello."))
    (tmp_path / "p.png").write_bytes(picture(60, 60))
    async with connect(MEMORY, {**environ, "MTU_ALLOWED_DIRS": str(tmp_path)}) as client:
        heard = await answered(client, "transcribe", file=str(tmp_path / "a.wav"), model="whisper-1")
        seen = await answered(client, "understand", question="What?", media=[str(tmp_path / "p.png")])
    assert "[whisper-1 · 2.0 s of sound · about CNY 0.0015 (list price)]" in heard
    assert re.search(rf"\[qwen3-omni-flash · \d+ tokens in, \d+ out · {MARKED}\]", seen)


async def test_a_price_nobody_knows_is_said_to_be_unknown(environ: Environ) -> None:
    """Our promise: silence about a price would read as nothing to pay."""
    async with connect(MEMORY, environ) as client:
        tiny = await answered(client, "chat", prompt="Hello", model="acme/tiny:free")
        raw = await answered(client, "web_search", query="tea", engine="baidu", results_only=True)
    assert re.search(r"\[acme/tiny:free · \d+ tokens in, \d+ out · price not known\]", tiny)
    assert "[baidu_search_v2 · 1 search · price not known]" in raw


async def test_cached_tokens_are_on_the_receipt_and_cheaper(environ: Environ) -> None:
    """Alibaba's page on the context cache: a marked beginning costs more once and a tenth after."""
    system = "You know this by heart. " * 400
    arguments: dict[str, Any] = {"prompt": "Hello", "model": "qwen-plus", "system": system, "max_tokens": 20}
    arguments |= {"options": {"cache_control": {"type": "ephemeral"}}}
    async with connect(MEMORY, environ) as client:
        first, second = [await answered(client, "chat", **arguments) for _ in range(2)]
    assert re.search(r"\(\d[\d,]* kept in the cache\)", first), first
    assert re.search(r"\(\d[\d,]* cached\)", second), second
    paid = [float(match[1]) for said in (first, second) if (match := re.search(r"about CNY (\d+\.\d+)", said))]
    assert paid[0] > 3 * paid[1] > 0


async def test_another_model_than_anybody_would_expect_comes_with_its_reason(environ: Environ) -> None:
    """Our promise: why it was another one."""
    with Sandbox(Options(models=("gpt-4o", "tts-1-hd", "qwen-mt-lite"))) as small:
        async with connect(MEMORY, {**environ, "MTU_BASE_URL": small.base_url}) as client:
            best = await answered(client, "chat", prompt="Hello", model="math")
            code = await answered(client, "complete_code", prefix="def add(a, b):")
    assert "Note: math was asked for; gpt-4o was used: the gateway lists nothing known for math" in best
    assert "[gpt-4o (asked for math) · " in best
    assert "gpt-4o" in code
    assert "Note: " in code


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 searches"), (1, "1 search"), (2, "2 searches"), (1_240, "1,240 searches")],
)
def test_a_number_agrees_with_its_noun(count: int, words: str) -> None:
    """Our promise: no "1 pictures"."""
    assert counted(count, "search", "searches") == words
    assert counted(1, "picture") == "1 picture"
    assert counted(3, "picture") == "3 pictures"
