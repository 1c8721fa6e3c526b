"""Answers without a bound of their own, under a cap: however long they would be, the caps hold."""

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from books import rows
from capabilities.material import answered, call
from connections import MEMORY, connect, text_of
from mtu_mcp.sandbox import Sandbox

Environ = dict[str, str]
NOTHING: dict[str, Any] = {}
LONG = "Count to 300"
"""Some 600 tokens of answer."""


def priced(environ: Environ, tmp_path: Path, **models: dict[str, Any]) -> Environ:
    """Variables of a server where a token of answer costs a yuan."""
    file = tmp_path / "models.json"
    prices = {"input_text": 0, "output_text": 1000}
    told = {name: {"prices": prices, **facts} for name, facts in models.items()}
    file.write_text(json.dumps({"models": told}), encoding="utf-8")
    return {**environ, "MTU_MODELS_FILE": str(file), "MTU_MAX_RETRIES": "0"}


async def test_twenty_long_answers_at_once_stay_within_the_cap(
    environ: Environ, gateway: Sandbox, tmp_path: Path
) -> None:
    """Our promise: the sum of settled rows is no more than the cap, however long each answer wants to be."""
    # Three times the model's most fits; of what is left then, a fourth call gets all.
    environ = {**priced(environ, tmp_path, **{"gpt-4o": {"max_output": 1000}}), "MTU_BUDGET_DAY": "3400"}
    gateway.arm("stall:0", "/chat/completions", times=3)
    said: list[str] = []
    async with connect(MEMORY, environ) as client:

        async def one(number: int) -> None:
            said.append(text_of(await call(client, "chat", prompt=f"{LONG} ({number})", model="gpt-4o")))

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(one, number)
            await gateway.journal.awaited(lambda entry: bool(entry.asked) and "max_tokens" in entry.asked)
            gateway.release()
    [(spent, held)] = rows(environ, "sum(cny)", "sum(reserved)")
    assert held == 0
    assert 2000 < spent <= 3400
    [bound] = {
        entry.asked["max_tokens"] for entry in gateway.journal.find("chat/completions") if "max_tokens" in entry.asked
    }
    assert bound == 400
    assert len(said) == 20
    assert any("This was not sent" in each for each in said)
    [stopped] = [each for each in said if "left room for" in each]
    assert "left room for 400 tokens of answer" in stopped
    assert "MTU_BUDGET_DAY" in stopped
    assert "incomplete" in stopped


async def test_a_models_own_limit_is_enough_where_there_is_room(
    environ: Environ, gateway: Sandbox, tmp_path: Path
) -> None:
    """Our promise: what the caps can pay in full is asked as it was."""
    environ = {**priced(environ, tmp_path, **{"gpt-4o": {"max_output": 600}}), "MTU_BUDGET_DAY": "100000"}
    async with connect(MEMORY, environ) as client:
        await answered(client, "chat", prompt="Hi", model="gpt-4o")
    assert "max_tokens" not in gateway.journal.find("chat/completions")[0].asked


@pytest.mark.parametrize(("cap", "most"), [("100000000", None), ("10000", 4096), ("2000", 2000)])
async def test_a_model_of_unknown_limit_is_asked_for_no_more_than_usual(
    environ: Environ, gateway: Sandbox, tmp_path: Path, cap: str, most: int | None
) -> None:
    """Our promise: too large a bound would be refused, so none is sent that models do not take."""
    environ = {**priced(environ, tmp_path, **{"deepseek-v3": NOTHING}), "MTU_BUDGET_MONTH": cap}
    async with connect(MEMORY, environ) as client:
        await call(client, "chat", prompt="Hi", model="deepseek-v3")
    asked = gateway.journal.find("chat/completions")[0].asked
    assert asked.get("max_tokens") == most


async def test_the_callers_own_bound_stands(environ: Environ, gateway: Sandbox, tmp_path: Path) -> None:
    """Our promise: nobody's bound is changed; what it may cost is what is held."""
    environ = {**priced(environ, tmp_path, **{"gpt-4o": {"max_output": 600}}), "MTU_BUDGET_DAY": "590"}
    async with connect(MEMORY, environ) as client:
        await answered(client, "chat", prompt="Hi", model="gpt-4o", max_tokens=580)
        result = await call(client, "chat", prompt="Hi", model="gpt-4o", max_tokens=595)
    assert "may cost up to CNY 595.0000" in text_of(result)
    assert gateway.journal.find("chat/completions")[0].asked["max_tokens"] == 580


@pytest.mark.parametrize(
    ("tool", "arguments", "path", "field"),
    [
        ("chat", {"prompt": "Hi", "model": "o3"}, "chat/completions", "max_completion_tokens"),
        ("complete_code", {"prefix": "def f():", "model": "qwen-coder-turbo"}, "completions", "max_tokens"),
        ("web_search", {"query": "tea", "engine": "openai", "model": "gpt-4o"}, "responses", "max_output_tokens"),
        (
            "call_operation",
            {"name": "create_response", "arguments": {"model": "gpt-4o", "input": "Hi"}},
            "responses",
            "max_output_tokens",
        ),
    ],
)
async def test_each_endpoint_and_model_has_its_own_word_for_the_bound(
    environ: Environ, gateway: Sandbox, tmp_path: Path, tool: str, arguments: dict[str, Any], path: str, field: str
) -> None:
    """OpenAI API reference: max_completion_tokens of models that think, max_output_tokens of responses."""
    facts = {"max_output": 6000}
    models = {"o3": facts, "qwen-coder-turbo": facts, "gpt-4o": facts}
    more = {"MTU_BUDGET_CALL": "5999", "MTU_TOOLSETS": "all"}
    async with connect(MEMORY, {**priced(environ, tmp_path, **models), **more}) as client:
        await answered(client, tool, **arguments)
    asked = gateway.journal.find(path)[0].asked
    assert asked[field] < 6000


async def test_caps_that_cannot_pay_a_short_answer_refuse_it(
    environ: Environ, gateway: Sandbox, tmp_path: Path
) -> None:
    """Our promise: an answer of a few words that is paid for and useless is not asked for."""
    environ = {**priced(environ, tmp_path, **{"gpt-4o": NOTHING}), "MTU_BUDGET_DAY": "500"}
    async with connect(MEMORY, environ) as client:
        assert "This was not sent" in text_of(await call(client, "chat", prompt="Hi", model="gpt-4o"))
    assert not gateway.journal.find("chat/completions")
