"""`compare_models`: one question, several models, side by side."""

from typing import Any

import pytest

from capabilities.material import answered, bodies, call, refused, spent
from connections import HANDSHAKE, MEMORY, Cell, HostModel, connect, text_of
from mtu_mcp.capabilities.comparison import best_letter
from mtu_mcp.catalogue.facts import shipped
from mtu_mcp.sandbox import Options, Sandbox

ONE_GATEWAY = True
Environ = dict[str, str]
SUM = "What is 17 * 3?"


@pytest.fixture
def wide(environ: Environ) -> Environ:
    return {**environ, "MTU_TOOLSETS": "compare"}


def structured(result: Any) -> dict[str, Any]:
    assert not result.is_error, text_of(result)
    assert result.structured_content is not None
    return result.structured_content


async def test_models_answer_side_by_side_with_time_tokens_and_cost(wide: Environ, gateway: Sandbox) -> None:
    """Our promise: a table to look at, the whole answers below, and the same as data."""
    models = ["qwen-omni-turbo", "acme/tiny:free", "gpt-5-codex"]
    async with connect(MEMORY, wide) as client:
        result = await call(client, "compare_models", prompt=SUM, models=models, system="Be brief")
    data, said = structured(result), text_of(result)
    assert [seat["model"] for seat in data["answers"]] == models
    assert all(
        "17 * 3 = 51" in seat["answer"] and seat["tokens_in"] and seat["seconds"] >= 0 for seat in data["answers"]
    )
    assert data["answers"][0]["cny_estimated"] > 0
    assert "cny_estimated" not in data["answers"][1]
    head, _, first, *_ = said.splitlines()
    assert head == "| model | answer | time | tokens in / out | cost |"
    assert first.startswith("| qwen-omni-turbo | 17 * 3 = 51")
    assert first.endswith("| under CNY 0.0001 |")
    assert "## acme/tiny:free\n\n17 * 3 = 51" in said
    assert said.count("\n[") == 3
    assert spent(gateway) == 3


async def test_without_names_the_best_of_three_makers_answer(wide: Environ, gateway: Sandbox) -> None:
    """Our promise: different makers, since models of one maker err alike."""
    async with connect(MEMORY, wide) as client:
        data = structured(await call(client, "compare_models", prompt=SUM))
    names = [seat["model"] for seat in data["answers"]]
    assert names[:2] == ["gpt-5.1", "qwen3-max"]
    assert len({shipped().entry(name).vendor for name in names}) == len(names) == 3


async def test_one_that_fails_keeps_its_seat_and_the_others_are_given(wide: Environ) -> None:
    """Our promise: what was paid for is never lost."""
    async with connect(MEMORY, wide) as client:
        result = await call(client, "compare_models", prompt=SUM, models=["gpt-4o", "gpt-4oo", "qwen-plus"])
    data, said = structured(result), text_of(result)
    assert [bool(seat.get("error")) for seat in data["answers"]] == [False, True, False]
    assert "Nearest names: gpt-4o" in data["answers"][1]["error"]
    assert "| gpt-4oo | failed: The gateway does not have the model" in said
    assert "No answer: The gateway does not have the model 'gpt-4oo'" in said


async def test_when_all_fail_each_reason_is_given(wide: Environ) -> None:
    """Our promise: an error says what happened and what to do next."""
    async with connect(MEMORY, wide) as client:
        said = await refused(client, "compare_models", prompt=SUM, models=["gpt-4oo", "qwen-pluss"])
    assert said.startswith("No model answered.")
    assert "gpt-4oo: " in said
    assert "qwen-pluss: " in said


async def test_a_judge_sees_letters_and_no_names(wide: Environ, gateway: Sandbox) -> None:
    """Our promise: a judge that knew the names would judge those."""
    async with connect(MEMORY, wide) as client:
        result = await call(client, "compare_models", prompt=SUM, models=["gpt-4o", "qwen-plus"], judge="best")
    data, said = structured(result), text_of(result)
    asked = bodies(gateway)[-1]
    assert asked["model"] == data["verdict"]["model"] == "gpt-5.1"
    material = asked["messages"][1]["content"]
    assert material.startswith(f"Question: {SUM}\n\nAnswer A:\n17 * 3 = 51")
    assert "gpt-4o" not in material
    assert "qwen-plus" not in material
    assert "(A is gpt-4o, B is qwen-plus)" in data["verdict"]["text"]
    assert "## Verdict of gpt-5.1" in said
    assert "best was asked for; gpt-5.1 was used" in said


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("Best: B\nIt is short.", "B"),
        ("**Best:** `c` because", "C"),
        ("Best answer: A.", "A"),
        ("The best is hard to tell.", ""),
        ("Both are good.", ""),
        ("", ""),
    ],
)
def test_the_letter_a_judge_names_is_found_in_any_markdown(text: str, letter: str) -> None:
    """Our promise: a program finds the winner in the data."""
    assert best_letter(text) == letter


async def test_a_judge_on_the_panel_is_told_of(wide: Environ) -> None:
    """Our promise: it tells the truth."""
    async with connect(MEMORY, wide) as client:
        said = await answered(client, "compare_models", prompt=SUM, models=["gpt-4o", "qwen-plus"], judge="gpt-4o")
    assert "gpt-4o judged its own answer too; it saw no names." in said


async def test_a_judge_that_fails_does_not_take_the_answers_with_it(wide: Environ) -> None:
    """Our promise: what was paid for is never lost."""
    async with connect(MEMORY, wide) as client:
        said = await answered(client, "compare_models", prompt=SUM, models=["gpt-4o", "qwen-plus"], judge="gpt-4oo")
    assert "Nothing was judged: The gateway does not have the model 'gpt-4oo'" in said
    assert "17 * 3 = 51" in said


@pytest.mark.parametrize("cell", [MEMORY, Cell("memory", HANDSHAKE)], ids=str)
async def test_the_hosts_own_model_sits_on_the_panel(wide: Environ, gateway: Sandbox, cell: Cell) -> None:
    """MCP: sampling/createMessage, on both eras; the gateway's models are asked once."""
    host = HostModel("Fifty-one.")
    async with connect(cell, wide, sampling_callback=host) as client:
        result = await call(client, "compare_models", prompt=SUM, models=["gpt-4o"], host_seat=True)
    data, said = structured(result), text_of(result)
    assert data["answers"][1] == {"model": "host", "served": "host-model", "answer": "Fifty-one."}
    assert "| host (host-model) | Fifty-one. | - | - | - |" in said
    assert spent(gateway) == 1
    assert len(host.asked) == 1


async def test_a_host_that_lends_no_model_leaves_its_seat_empty(wide: Environ) -> None:
    """Our promise: sampling is used where offered and never depended on."""
    async with connect(MEMORY, wide) as client:
        said = await answered(client, "compare_models", prompt=SUM, models=["gpt-4o", "qwen-plus"], host_seat=True)
    assert "The host lends no model, so its seat stayed empty." in said


async def test_the_same_model_by_two_names_is_asked_once(wide: Environ, gateway: Sandbox) -> None:
    """Our promise: nothing is paid for twice."""
    async with connect(MEMORY, wide) as client:
        said = await answered(client, "compare_models", prompt=SUM, models=["best", "gpt-5.1", "math", "gpt-5.1"])
    assert "gpt-5.1 is gpt-5.1, which is asked already." in said
    assert spent(gateway) == 2


async def test_the_limit_has_the_name_each_model_knows(wide: Environ, gateway: Sandbox) -> None:
    """OpenAI API reference: reasoning models take max_completion_tokens alone."""
    async with connect(MEMORY, wide) as client:
        await answered(
            client, "compare_models", prompt="Count to 300", models=["gpt-5.1", "gpt-4o"], options={"max_tokens": 9}
        )
    limits = {body["model"]: (body.get("max_tokens"), body.get("max_completion_tokens")) for body in bodies(gateway)}
    assert limits == {"gpt-5.1": (None, 9), "gpt-4o": (9, None)}


async def test_long_answers_are_cut_alike_and_kept_whole(wide: Environ) -> None:
    """Claude Code moves results of about 50,000 characters into a file; our promise: cut before, with a link."""
    async with connect(MEMORY, wide) as client:
        prompt = "say: " + "x" * 30_000
        result = await call(client, "compare_models", prompt=prompt, models=["gpt-4.1", "gpt-4.1-mini"])
    said = text_of(result)
    assert len(said) < 45_000
    assert said.count("Shown: the first 20,000 of 30,0") == 2
    assert [block.type for block in result.content] == ["text", "resource_link"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"models": ["gpt-4o"]}, "needs two models"),
        ({"models": ["gpt-4o", "gpt-4o"]}, "needs two models"),
        ({"models": [f"m{number}" for number in range(9)]}, "at most 8"),
        ({"models": ["gpt-4o", "a\nb"]}, "no model's name"),
        ({"models": ["gpt-4o", "qwen-plus"], "prompt": " "}, "prompt is empty"),
        ({"models": ["gpt-4o", "qwen-plus"], "options": {"stream": False}}, "options may not set stream"),
    ],
)
async def test_what_cannot_be_compared_is_refused_before_it_costs(
    wide: Environ, gateway: Sandbox, arguments: dict[str, Any], words: str
) -> None:
    """Our promise: hostile arguments get a clear answer and cost nothing."""
    async with connect(MEMORY, wide) as client:
        assert words in await refused(client, "compare_models", **{"prompt": SUM, **arguments})
    assert not spent(gateway)


async def test_progress_tells_which_model_it_is_about(wide: Environ) -> None:
    """Our promise: models that answer side by side are told apart."""
    heard: list[str] = []

    async def hear(done: float, total: float | None, message: str | None) -> None:
        heard.append(message or "")

    with Sandbox(Options(pace=0.01)) as slow:
        async with connect(MEMORY, {**wide, "MTU_BASE_URL": slow.base_url}) as client:
            arguments = {"prompt": SUM, "models": ["gpt-4o", "qwen-plus"]}
            await client.call_tool("compare_models", arguments, progress_callback=hear)
    assert any(message.startswith(("gpt-4o: ", "qwen-plus: ")) for message in heard)
