"""`chat` with function tools, schemas and beginnings: what a model is asked beside the question."""

import json
from typing import Any

import pytest

from capabilities.material import answered, bodies, messages, refused, spent
from connections import MEMORY, connect
from mtu_mcp.capabilities._schemas import mismatch
from mtu_mcp.sandbox import Options, Sandbox

ONE_GATEWAY = True
Environ = dict[str, str]
WEATHER = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def wished(said: str) -> list[dict[str, Any]]:
    """The calls an answer asks for."""
    return json.loads(said.partition("```json\n")[2].partition("\n```")[0])


@pytest.mark.parametrize("model", ["gpt-4o", "qwen-plus", "gpt-5-codex"])
async def test_a_function_is_asked_for_and_its_result_given_back(
    environ: Environ, gateway: Sandbox, model: str
) -> None:
    """OpenAI API reference, function calling; gpt-5-codex does the same through the Responses API."""
    async with connect(MEMORY, environ) as client:
        said = await answered(
            client, "chat", prompt="What is the weather in Paris?", tools=[WEATHER], conversation="w", model=model
        )
        [call] = wished(said)
        assert (call["name"], call["arguments"]) == ("get_weather", {"city": "Paris"})
        assert "Give the results back with tool_results" in said
        end = await answered(client, "chat", tool_results={call["id"]: {"degrees": 22}}, conversation="w", model=model)
        later = await answered(client, "chat", prompt="What is 2 + 2?", conversation="w", model=model)
    assert 'The tool answered: {"degrees": 22}' in end
    assert "2 + 2 = 4" in later
    if model != "gpt-5-codex":
        asked, result = bodies(gateway)[1]["messages"][-2:]
        assert asked["tool_calls"][0]["id"] == result["tool_call_id"] == call["id"]
        assert [tool["function"]["name"] for tool in bodies(gateway)[1]["tools"]] == ["get_weather"]


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "function", "function": WEATHER},
        {"name": "get_weather", "inputSchema": WEATHER["parameters"]},
        {"type": "function", **WEATHER, "strict": False},
    ],
)
async def test_tools_are_taken_in_every_form_models_write(environ: Environ, gateway: Sandbox, tool: Any) -> None:
    """Chat completions nest a function, Responses does not, MCP calls its schema inputSchema."""
    async with connect(MEMORY, environ) as client:
        await answered(client, "chat", prompt="What is the weather in Rome?", tools=[tool])
    assert bodies(gateway)[0]["tools"][0]["function"]["parameters"] == WEATHER["parameters"]


@pytest.mark.parametrize(
    ("tools", "words"),
    [
        ([{"type": "web_search"}], "no function tool"),
        ([{"name": "get weather"}], "get weather"),
        ([{"description": "x"}], "needs a name"),
        ([WEATHER, WEATHER], "Two tools are called get_weather"),
        ([{"name": "a", "parameters": "x"}], "must be a JSON Schema"),
        ([{"name": f"t{number}"} for number in range(129)], "128"),
    ],
)
async def test_tools_that_cannot_be_sent_are_refused_before_it_costs(
    environ: Environ, gateway: Sandbox, tools: Any, words: str
) -> None:
    """OpenAI API reference: names of 64 letters, digits, - and _; 128 tools."""
    async with connect(MEMORY, environ) as client:
        assert words in await refused(client, "chat", prompt="Hello", tools=tools)
    assert not spent(gateway)


async def test_results_must_answer_the_calls_that_wait(environ: Environ, gateway: Sandbox) -> None:
    """OpenAI API reference: every call needs its result, and every result its call."""
    async with connect(MEMORY, environ) as client:
        assert "No tool call waits" in await refused(client, "chat", tool_results={"x": "1"})
        assert "No tool call waits" in await refused(client, "chat", tool_results={"x": "1"}, conversation="new")
        await answered(client, "chat", prompt="What is the weather in Oslo?", tools=[WEATHER], conversation="w")
        said = await refused(client, "chat", tool_results={"call_unknown": "1"}, conversation="w")
        named = await answered(client, "chat", tool_results={"get_weather": "cold"}, conversation="w")
    assert "(get_weather)" in said
    assert "The tool answered: cold" in named
    assert spent(gateway) == 2


async def test_a_call_nobody_answered_does_not_end_the_conversation(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: one may also just go on; the API refuses open calls, so they become words."""
    async with connect(MEMORY, environ) as client:
        await answered(client, "chat", prompt="What is the weather in Oslo?", tools=[WEATHER], conversation="w")
        said = await answered(client, "chat", prompt="Never mind. What is 3 * 3?", conversation="w")
    assert "3 * 3 = 9" in said
    assert "tool_calls" not in messages(gateway)[1]
    assert "get_weather" in messages(gateway)[1]["content"]


async def test_without_a_conversation_the_answer_says_that_results_need_one(environ: Environ) -> None:
    """Our promise: nobody is left with a call whose result cannot be given back."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "chat", prompt="What is the weather in Oslo?", tools=[WEATHER])
    assert "ask again with a conversation name" in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"people": [{"age": 4}, {"age": "old"}]}', "at $.people[1].age: 'old' is not of type 'integer'."),
        ('```json\n{"people": [{"age": 4}]}\n```', ""),
        ('{"people": "none"}', "at $.people: 'none' is not of type 'array'."),
        ("{}", "at $: 'people' is a required property."),
        ("Here you are.", "is not the JSON that was asked for (Expecting value: line 1 column 1 (char 0))."),
        ('{"people": [' + "[" * 100_000, "is not the JSON that was asked for"),
    ],
)
async def test_an_answer_that_breaks_its_schema_is_told_with_the_place(text: str, words: str) -> None:
    """Our promise: the schema is checked here, for many gateways take it and pass it to models that ignore it."""
    people = {"type": "array", "items": {"type": "object", "properties": {"age": {"type": "integer"}}}}
    schema = {"type": "object", "properties": {"people": people}, "required": ["people"]}
    said = await mismatch(schema, text)
    assert words in said
    assert bool(said) == bool(words)


async def test_an_answer_that_follows_its_schema_carries_no_remark(environ: Environ) -> None:
    """Our promise."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "chat", prompt="A city: Paris", json_schema=SCHEMA, model="gpt-4o")
    assert json.loads(said.partition("\n\n")[0]) == {"city": "Paris"}
    assert "Note:" not in said


async def test_a_model_without_schemas_is_asked_in_words_and_checked(environ: Environ, gateway: Sandbox) -> None:
    """Alibaba Cloud Model Studio: json_schema on some models only; a refused parameter costs nothing."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "chat", prompt="A city: Paris", json_schema=SCHEMA, model="qwen-max")
    assert "qwen-max takes no JSON schema, so it was asked for in words." in said
    assert "does not follow json_schema at $: 'city' is a required property" in said
    first, second = bodies(gateway)
    assert first["response_format"]["type"] == "json_schema"
    assert second["response_format"] == {"type": "json_object"}
    assert '"required": ["city"]' in second["messages"][0]["content"]
    assert said.count("[qwen-max") == 1


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "array"}, "whose type is object"),
        ({"properties": {"a": {"type": "nonsense"}}}, "$.properties.a.type"),
        ({"properties": {"a": {"pattern": "("}}}, "no valid JSON Schema"),
    ],
)
async def test_a_schema_that_is_none_is_refused_before_it_costs(
    environ: Environ, gateway: Sandbox, schema: Any, words: str
) -> None:
    """JSON Schema 2020-12, the metaschema."""
    async with connect(MEMORY, environ) as client:
        assert words in await refused(client, "chat", prompt="Hello", json_schema=schema)
    assert not spent(gateway)


@pytest.mark.parametrize(
    "part", [{"$ref": "https://example.com/schema.json"}, {"$ref": "#/$defs/none"}, {"pattern": "(a+)+$"}]
)
async def test_a_hostile_schema_is_neither_fetched_nor_run_for_ever(environ: Environ, part: Any) -> None:
    """Our promise: no request to an address a schema names, and no expression without a bound."""
    hostile = {"type": "object", "properties": {"answer": {"type": "string", **part}}, "required": ["answer"]}
    async with connect(MEMORY, environ) as client:
        prompt = "In JSON: " + "a" * 60 + "!"
        options = {"response_format": {"type": "json_object"}}
        await answered(client, "chat", prompt=prompt, json_schema=hostile, options=options, model="gpt-4o")


@pytest.mark.parametrize(
    ("model", "field"),
    [("qwen-plus", "partial"), ("deepseek-chat", "prefix"), ("gpt-4o", None), ("acme/tiny:free", "partial")],
)
async def test_an_answer_goes_on_from_its_beginning(
    environ: Environ, gateway: Sandbox, model: str, field: str | None
) -> None:
    """Model Studio continues `partial`, DeepSeek `prefix`; others are asked in words. The whole text comes back."""
    async with connect(MEMORY, environ) as client:
        said = await answered(
            client, "chat", prompt="Tell of spring", prefix="Spring is", model=model, conversation="s"
        )
        await answered(client, "chat", prompt="And now?", model=model, conversation="s")
    assert said.startswith("Spring is")
    first, second = bodies(gateway)
    last = first["messages"][-1]
    assert (last["role"], last["content"]) == ("assistant", "Spring is")
    assert {name for name in ("partial", "prefix") if last.get(name)} == ({field} if field else set())
    assert ("asked to in words" in said) == (field is None)
    assert second["messages"][1]["content"].startswith("Spring is")


async def test_a_gateway_that_drops_partial_is_given_prefix(environ: Environ) -> None:
    """New API's message struct knows `prefix` and loses `partial`; its list of models shows what it is."""
    with Sandbox(Options(dialect="new-api")) as relay:
        async with connect(MEMORY, {**environ, "MTU_BASE_URL": relay.base_url}) as client:
            said = await answered(client, "chat", prompt="Tell of spring", prefix="Spring is", model="qwen-plus")
        assert messages(relay)[-1] == {"role": "assistant", "content": "Spring is", "prefix": True}
    assert "Spring is … and so it goes on." in said


async def test_a_beginning_and_a_schema_do_not_go_together(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: hostile arguments get a clear answer and cost nothing."""
    async with connect(MEMORY, environ) as client:
        assert "do not go together" in await refused(client, "chat", prompt="x", prefix="{", json_schema=SCHEMA)
    assert not spent(gateway)


async def test_a_question_is_needed_unless_results_are_given(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: hostile arguments get a clear answer and cost nothing."""
    async with connect(MEMORY, environ) as client:
        assert "prompt is empty" in await refused(client, "chat")
        assert "prompt is empty" in await refused(client, "chat", prompt=" \n")
    assert not spent(gateway)
