"""`complete_code`: what comes next, by the endpoint made for it or by chat where that is missing."""

from typing import Any

import pytest

from capabilities.material import answered, bodies, refused, spent
from connections import CELLS, MEMORY, Cell, connect
from mtu_mcp.sandbox import Options, Sandbox

ONE_GATEWAY = True
PREFIX = "def add(a, b):\n    return "
SUFFIX = "\n\nprint(add(1, 2))\n"


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return {**environ, "MTU_TOOLSETS": "core,text"}


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.transport in ("memory", "http")], ids=str)
async def test_a_gap_is_filled_by_the_model_made_for_it(cell: Cell, environ: dict[str, str], gateway: Sandbox) -> None:
    """Model Studio, code completion: both sides in one prompt with three marks."""
    async with connect(cell, environ) as client:
        said = await answered(client, "complete_code", prefix=PREFIX, suffix=SUFFIX)
    assert said.startswith("```\na + b\n```\n\n[qwen-coder-turbo · ")
    assert (
        bodies(gateway, "/completions")[-1]["prompt"] == f"<|fim_prefix|>{PREFIX}<|fim_suffix|>{SUFFIX}<|fim_middle|>"
    )


async def test_a_prefix_alone_goes_on(environ: dict[str, str], gateway: Sandbox) -> None:
    """Model Studio, code completion: without a suffix the prompt ends with <|fim_suffix|>."""
    async with connect(MEMORY, environ) as client:
        await answered(client, "complete_code", prefix=PREFIX, stop=["\n"], max_tokens=9, options={"temperature": 0})
    body = bodies(gateway, "/completions")[0]
    assert body["prompt"] == f"<|fim_prefix|>{PREFIX}<|fim_suffix|>"
    assert (body["stop"], body["max_tokens"], body["temperature"]) == (["\n"], 9, 0)


async def test_a_legacy_model_gets_the_suffix_in_its_own_field(environ: dict[str, str], gateway: Sandbox) -> None:
    """OpenAI API reference, create completion: suffix."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "complete_code", prefix=PREFIX, suffix=SUFFIX, model="gpt-3.5-turbo-instruct")
    assert "a + b" in said
    assert bodies(gateway, "/completions")[0]["suffix"] == SUFFIX


@pytest.mark.parametrize("options", [{"without": ("/v1/completions",)}, {"models": ("qwen3-coder-plus", "gpt-4o")}])
async def test_without_the_endpoint_or_the_model_a_chat_model_goes_on_and_the_answer_says_so(
    options: dict[str, Any], environ: dict[str, str]
) -> None:
    """Model Studio, partial mode: the last message is the assistant's and carries partial; our promise: it is said."""
    with Sandbox(Options(**options)) as lacking:
        async with connect(MEMORY, {**environ, "MTU_BASE_URL": lacking.base_url}) as client:
            said = await answered(client, "complete_code", prefix=PREFIX, suffix=SUFFIX)
            again = await answered(client, "complete_code", prefix=PREFIX)
        [first, *_] = bodies(lacking, "/chat/completions")
    assert "```\na + b\n```" in said
    assert "in chat (partial mode)" in said
    assert "in chat (partial mode)" in again
    assert first["messages"][-1] == {"role": "assistant", "content": PREFIX, "partial": True}
    assert first["messages"][0]["content"].startswith("Continue the code")


async def test_a_model_that_only_chats_is_told_what_to_do(environ: dict[str, str], gateway: Sandbox) -> None:
    """OpenAI's chat models refuse the field partial by name."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "complete_code", prefix=PREFIX, model="gpt-4o")
        gap = await answered(client, "complete_code", prefix=PREFIX, suffix="\nprint(x)", model="gpt-4o")
    assert "gpt-4o is no completion model, so it was asked in chat." in said
    assert "gpt-4o does not fill gaps, so it was asked in chat." in gap
    assert "partial" not in bodies(gateway)[0]["messages"][-1]


async def test_the_setting_chooses_the_model(environ: dict[str, str]) -> None:
    """Our promise: MTU_MODEL_CODE is used as it is, also when it only chats."""
    async with connect(MEMORY, {**environ, "MTU_MODEL_CODE": "qwen3-coder-plus"}) as client:
        assert "[qwen3-coder-plus · " in await answered(client, "complete_code", prefix=PREFIX)


async def test_code_that_holds_a_fence_gets_a_longer_one(environ: dict[str, str]) -> None:
    """CommonMark: a fence is closed by one at least as long."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "complete_code", prefix="text = '''```sh'''\n# ```` end")
    assert said.startswith("`````\n")


async def test_an_answer_stopped_at_the_limit_says_so(environ: dict[str, str]) -> None:
    """OpenAI API reference: finish_reason "length"."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "complete_code", prefix=PREFIX, max_tokens=1)
    assert "The answer is incomplete: stopped at the token limit." in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"prefix": ""}, "prefix"),
        ({"prefix": "  \n"}, "only after some code"),
        ({"prefix": "x <|fim_suffix|> y"}, "takes for its own mark"),
        ({"prefix": "x", "stop": ["a"] * 5}, "stop"),
        ({"prefix": "x", "max_tokens": 0}, "max_tokens"),
        ({"prefix": "x", "options": {"prompt": "y"}}, "prompt"),
        ({"prefix": "word " * 4_000, "model": "qwen-math-plus"}, "qwen-math-plus holds 4,096"),
    ],
)
async def test_what_cannot_be_completed_is_refused_before_anything_is_spent(
    arguments: dict[str, Any], words: str, environ: dict[str, str], gateway: Sandbox
) -> None:
    """Our promise: limits are checked with their figures before money is spent."""
    async with connect(MEMORY, environ) as client:
        assert words in await refused(client, "complete_code", **arguments)
    assert not spent(gateway)


@pytest.mark.parametrize("fault", ["500", "not-json", "empty", "error-in-stream:0", "cut:0", "filtered"])
async def test_every_fault_gives_a_clear_error(fault: str, environ: dict[str, str], gateway: Sandbox) -> None:
    """Our promise: never the apology, never another model in silence."""
    gateway.arm(fault, "/v1/completions")
    async with connect(MEMORY, {**environ, "MTU_MAX_RETRIES": "0"}) as client:
        assert len(await refused(client, "complete_code", prefix=PREFIX)) > 20
