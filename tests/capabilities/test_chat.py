"""`chat`: one question, or a conversation that outlives the server and goes on with any model."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import anyio
import pytest

from capabilities.material import answered, bodies, call, messages, picture, read_named, refused, spent
from connections import MEMORY, connect, text_of
from mtu_mcp.sandbox import Sandbox

ONE_GATEWAY = True

Environ = dict[str, str]


async def test_the_answer_names_the_model_and_what_it_used(environ: Environ) -> None:
    """Our promise: it tells the truth about which model answered and what was counted."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "chat", prompt="What is 17 * 3?", model="qwen-omni-turbo")
    assert "17 * 3 = 51" in said
    assert re.search(
        r"\[qwen-omni-turbo · \d+ tokens in, \d+ out · (about CNY 0\.00\d+|under CNY 0\.0001) \(list price\)\]$", said
    )


async def test_chinese_goes_there_and_back_unchanged(environ: Environ, gateway: Sandbox) -> None:
    """RFC 8259, section 8.1: JSON is UTF-8."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "chat", prompt="请用一句话介绍北京。", conversation="中文 对话")
        again = await answered(client, "chat", prompt="上一句", conversation="中文 对话")
    assert "请用一句话介绍北京。" in said
    assert "请用一句话介绍北京。" in again
    assert messages(gateway)[0]["content"] == "请用一句话介绍北京。"


async def test_every_argument_arrives_under_the_apis_name(environ: Environ, gateway: Sandbox) -> None:
    """OpenAI API reference, create chat completion: response_format, reasoning_effort and the limit's two names."""
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    async with connect(MEMORY, environ) as client:
        said = await answered(
            client,
            "chat",
            prompt="Name a city",
            model="gpt-5.1",
            system="Be brief",
            json_schema=schema,
            effort="low",
            max_tokens=200,
            options={"seed": 7},
        )
        await answered(client, "chat", prompt="Hello", model="qwen-plus", max_tokens=50, options={"top_p": 0.5})
    assert "city" in json.loads(said.partition("\n\n")[0])
    reasoning, plain = bodies(gateway)
    assert reasoning["messages"][0] == {"role": "system", "content": "Be brief"}
    assert reasoning["response_format"]["json_schema"]["schema"] == schema
    assert reasoning["reasoning_effort"] == "low"
    assert reasoning["max_completion_tokens"] == 200
    assert reasoning["seed"] == 7
    assert reasoning["stream"] is True
    assert plain["max_tokens"] == 50
    assert plain["top_p"] == 0.5


@pytest.mark.parametrize("wrapping", ["bare", "named", "whole"])
async def test_a_schema_is_taken_with_or_without_the_apis_wrapping(
    environ: Environ, gateway: Sandbox, wrapping: str
) -> None:
    """Our promise: models write all three; what is meant is clear."""
    schema: dict[str, Any] = {"type": "object", "properties": {"n": {"type": "integer"}}}
    named = {"name": "answer", "schema": schema}
    given = {"bare": schema, "named": named, "whole": {"type": "json_schema", "json_schema": named}}[wrapping]
    async with connect(MEMORY, environ) as client:
        await answered(client, "chat", prompt="A number", json_schema=given)
    assert bodies(gateway)[0]["response_format"]["json_schema"]["schema"] == schema


async def test_a_schema_that_is_no_object_is_refused_before_anything_is_spent(
    environ: Environ, gateway: Sandbox
) -> None:
    """OpenAI, structured outputs: the root of a schema must be an object."""
    async with connect(MEMORY, environ) as client:
        assert "type is object" in await refused(client, "chat", prompt="A list", json_schema={"type": "array"})
    assert not spent(gateway)


async def test_an_answer_stopped_at_the_limit_says_that_it_is_incomplete(environ: Environ) -> None:
    """OpenAI API reference: finish_reason "length"."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "chat", prompt="Count to 400", max_tokens=5)
    assert "The answer is incomplete: stopped at the token limit." in said


async def test_a_conversation_goes_on_after_a_restart_and_with_another_model(
    environ: Environ, gateway: Sandbox
) -> None:
    """Our promise: threads are not lost on restart, and belong to no model."""
    async with connect(MEMORY, environ) as client:
        await answered(client, "chat", prompt="My name is Mei.", conversation="work", model="gpt-4o")
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "chat", prompt="What is my name?", conversation="work", model="qwen-plus")
    assert "Mei" in said
    assert "[qwen-plus" in said
    assert [message["role"] for message in messages(gateway)] == ["user", "assistant", "user"]


async def test_without_a_name_nothing_is_remembered(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: a question without a conversation stands alone."""
    async with connect(MEMORY, environ) as client:
        await answered(client, "chat", prompt="My name is Mei.")
        await answered(client, "chat", prompt="What is my name?")
    assert len(messages(gateway)) == 1


async def test_conversations_do_not_see_each_other(environ: Environ, gateway: Sandbox) -> None:
    """Our promise."""
    async with connect(MEMORY, environ) as client:
        await answered(client, "chat", prompt="My name is Mei.", conversation="one")
        await answered(client, "chat", prompt="What is my name?", conversation="two")
    assert len(messages(gateway)) == 1


async def test_a_new_system_message_replaces_the_old_one_and_stays(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: instructions given last are in force, once, and first in the request."""
    async with connect(MEMORY, environ) as client:
        for prompt, system in (("one", "Speak French"), ("two", None), ("three", "Speak German"), ("four", None)):
            await answered(client, "chat", prompt=prompt, system=system, conversation="tongues")
    sent = [[m["content"] for m in body["messages"] if m["role"] == "system"] for body in bodies(gateway)]
    assert sent == [["Speak French"], ["Speak French"], ["Speak German"], ["Speak German"]]
    assert messages(gateway)[0]["role"] == "system"


async def test_history_is_trimmed_to_the_models_window_and_the_answer_says_so(
    environ: Environ, gateway: Sandbox
) -> None:
    """Our promise: a model with a small window still answers; nobody is left to guess what it was not shown."""
    long = "tea " * 10_000
    async with connect(MEMORY, environ) as client:
        for number in range(4):
            await answered(client, "chat", prompt=f"{number}: {long}", conversation="long", model="gpt-4.1")
        small = await answered(client, "chat", prompt="What now?", conversation="long", model="qwen-max")
        sent = len(messages(gateway))
        large = await answered(client, "chat", prompt="What now?", conversation="long", model="gpt-4.1")
    found = re.search(r"The oldest (\d+) of 8 turns no longer fit qwen-max and were not sent\.", small)
    assert found
    assert sent == 8 - int(found[1]) + 1
    assert "no longer fit" not in large
    assert len(messages(gateway)) == 11


async def test_calls_in_one_conversation_take_turns(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: two calls at once do not both answer from the same history."""
    async with connect(MEMORY, environ) as client, anyio.create_task_group() as tasks:
        for number in range(4):
            tasks.start_soon(_ask, client, f"question {number}")
    assert sorted(len(body["messages"]) for body in bodies(gateway)) == [1, 3, 5, 7]


async def _ask(client: Any, prompt: str) -> None:
    await answered(client, "chat", prompt=prompt, conversation="shared")


async def test_ten_calls_at_once_are_all_answered_with_their_own_answer(environ: Environ) -> None:
    """Our promise: one call does not block or mix up another."""
    said: dict[int, str] = {}

    async def ask(number: int) -> None:
        said[number] = await answered(client, "chat", prompt=f"What is {number} * 1000?")

    async with connect(MEMORY, environ) as client, anyio.create_task_group() as tasks:
        for number in range(1, 11):
            tasks.start_soon(ask, number)
    assert all(f"{number} * 1000 = {number * 1000}" in text for number, text in said.items())
    assert len(said) == 10


async def test_a_conversation_whose_database_cannot_be_used_is_refused_before_it_costs(
    environ: Environ, gateway: Sandbox, tmp_path: Path
) -> None:
    """Our promise: the server still answers what needs no database, and says which file is the trouble."""
    (tmp_path / "mtu.db").write_bytes(b"this is no database, but a letter to a friend" * 100)
    async with connect(MEMORY, environ) as client:
        said = await refused(client, "chat", prompt="Hello", conversation="work")
        assert not spent(gateway)
        await answered(client, "chat", prompt="Hello")
    assert "mtu.db" in said


async def test_pictures_are_shown_to_the_model(environ: Environ, gateway: Sandbox, tmp_path: Path) -> None:
    """OpenAI API reference: image_url parts, with a data URI for a local file and the address for a remote one."""
    path = tmp_path / "红 狐狸.png"
    path.write_bytes(picture(color="red"))
    async with connect(MEMORY, {**environ, "MTU_ALLOWED_DIRS": str(tmp_path)}) as client:
        said = await answered(client, "chat", prompt="What is it?", images=[str(path)], model="gpt-4o")
    assert "mostly red" in said
    [part, question] = messages(gateway)[0]["content"]
    assert part["image_url"]["url"].startswith("data:image/png;base64,")
    assert question == {"type": "text", "text": "What is it?"}


async def test_a_picture_of_an_earlier_turn_is_sent_again_to_models_that_see(
    environ: Environ, gateway: Sandbox, tmp_path: Path
) -> None:
    """Our promise: in a conversation, later questions need not repeat the media; models that only read get its name."""
    (tmp_path / "fox.png").write_bytes(picture())
    async with connect(MEMORY, {**environ, "MTU_ALLOWED_DIRS": str(tmp_path)}) as client:
        await answered(client, "chat", prompt="Look", images=["fox.png"], conversation="fox", model="gpt-4o")
        await answered(client, "chat", prompt="And now?", conversation="fox", model="gpt-4o")
        seen = messages(gateway)[0]["content"]
        await answered(client, "chat", prompt="And you?", conversation="fox", model="deepseek-chat")
    assert [part["type"] for part in seen] == ["image_url", "text"]
    assert messages(gateway)[0]["content"] == "[image: fox.png]\nLook"


async def test_a_picture_given_inside_the_call_is_kept_for_later_turns(
    environ: Environ, gateway: Sandbox, tmp_path: Path
) -> None:
    """Our promise: never base64 in the database, and still there in the next turn."""
    uri = f"data:image/png;base64,{base64.b64encode(picture()).decode()}"
    async with connect(MEMORY, environ) as client:
        await answered(client, "chat", prompt="Look", images=[uri], conversation="fox", model="gpt-4o")
        await answered(client, "chat", prompt="Again", conversation="fox", model="gpt-4o")
    assert [part["type"] for part in messages(gateway)[0]["content"]] == ["image_url", "text"]
    assert list((tmp_path / "made").glob("*Look.png"))


async def test_a_paid_answer_survives_a_disk_that_cannot_keep_its_picture(environ: Environ, tmp_path: Path) -> None:
    """Our promise: what was paid for is never lost; the folder for files being a file stands for any broken disk."""
    uri = f"data:image/png;base64,{base64.b64encode(picture()).decode()}"
    (tmp_path / "made").write_bytes(b"in the way")
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "chat", prompt="Look", images=[uri], conversation="fox", model="gpt-4o")
        later = await answered(client, "chat", prompt="Again", conversation="fox", model="gpt-4o")
    assert "was not kept for later turns" in said
    assert "mostly red" in said
    assert "[image: file.png]" not in said
    assert "You asked" in later


async def test_a_long_answer_is_cut_where_hosts_stop_reading_and_saved_whole(environ: Environ, tmp_path: Path) -> None:
    """Claude Code moves results of about 50,000 characters into a file; our promise: cut before, with a link."""
    async with connect(MEMORY, environ) as client:
        result = await call(client, "chat", prompt="say: " + "x" * 45_000, model="gpt-4.1")
    said = text_of(result)
    assert "Shown: the first 40,000 of " in said
    assert len(said) < 41_000
    [link] = [block for block in result.content if block.type == "resource_link"]
    assert len(read_named(said, "The whole is at ").decode()) > 45_000
    assert link.uri.startswith("mtu://media/")


async def test_a_long_answer_is_still_given_when_it_cannot_be_saved(environ: Environ, tmp_path: Path) -> None:
    """Our promise: what was paid for is never lost."""
    (tmp_path / "made").write_bytes(b"in the way")
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "chat", prompt="say: " + "x" * 45_000, model="gpt-4.1")
        read_only = await answered(client, "chat", prompt="say: hello", model="gpt-4.1")
    assert "The whole could not be saved" in said
    assert "x" * 1000 in said
    assert "hello" in read_only


@pytest.mark.parametrize("wrong", ["gpt4o", "GPT 4o", "openai/gpt-40"])
async def test_a_wrong_model_is_answered_with_the_nearest_names(environ: Environ, wrong: str) -> None:
    """Our promise: an error heals."""
    async with connect(MEMORY, environ) as client:
        said = await refused(client, "chat", prompt="Hello", model=wrong)
    assert "Nearest names: gpt-4o" in said


async def test_a_model_no_gateway_could_have_is_refused_with_the_figure(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: hostile arguments get a clear answer and cost nothing."""
    async with connect(MEMORY, environ) as client:
        assert "100,000 characters" in await refused(client, "chat", prompt="Hello", model="x" * 100_000)
        assert "list_models" in await refused(client, "chat", prompt="Hello", model="a\nb")
    assert not spent(gateway)


@pytest.mark.parametrize("field", ["model", "messages", "stream", "stream_options"])
async def test_options_may_not_replace_what_the_tool_sets(environ: Environ, gateway: Sandbox, field: str) -> None:
    """Our promise: one way to say a thing."""
    async with connect(MEMORY, environ) as client:
        said = await refused(client, "chat", prompt="Hello", options={field: "x"})
    assert f"options may not set {field}" in said
    assert not spent(gateway)


async def test_a_field_the_gateway_does_not_know_is_passed_on_and_its_words_come_back(environ: Environ) -> None:
    """Our promise: further fields as the API names them; the gateway's refusal is quoted."""
    async with connect(MEMORY, environ) as client:
        assert "'nonsense'" in await refused(client, "chat", prompt="Hello", options={"nonsense": 1})


async def test_too_long_a_prompt_is_refused_with_the_models_figure(environ: Environ) -> None:
    """Our promise: the limit and the figure are in the message."""
    async with connect(MEMORY, environ) as client:
        said = await refused(client, "chat", prompt="x" * 3_000_000, model="gpt-4o")
    assert "128000 tokens" in said
    assert len(said) < 600
