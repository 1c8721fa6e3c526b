"""The pages at the top of the table of contents: what is offered, what is new, and OpenAI's guides."""

from server.rows.host import Host, serves

UPDATES = (
    "1114模型更新列表",
    "1106模型更新列表",
    "1021模型更新列表",
    "1013模型更新列表",
    "1003模型更新列表",
    "0922模型更新列表",
)
WEATHER = {
    "name": "get_weather",
    "description": "Weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@serves("Mtu API简介")
async def introduction(host: Host) -> None:
    """Our promise: what the gateway is, and whether the way to it is right, can be read in the host."""
    status = await host.read("mtu://status")
    assert host.gateway.base_url in str(status)
    assert "sk-test-key" not in str(status)


@serves("Model-Studio-Pricing模型列表价格")
async def prices(host: Host) -> None:
    """The page on Qwen-Omni in the gateway's documentation: prices in CNY per 1,000 tokens."""
    facts = await host.facts("list_models", name="qwen-omni-turbo")
    [turbo] = [one for one in facts["models"] if one["name"] == "qwen-omni-turbo"]
    assert {0.0004, 0.025, 0.0015, 0.0016, 0.0045} <= set(turbo["cny_per_1k"].values())
    listed = await host.read("mtu://prices")
    assert listed["qwen-omni-turbo"].items() >= turbo["cny_per_1k"].items()


@serves("Model限时免费模型列表")
async def free_models(host: Host) -> None:
    """Resellers mark free models in the name; the list of models says no more."""
    facts = await host.facts("list_models", name="free")
    assert [one["name"] for one in facts["models"]] == ["acme/tiny:free"]
    listed = await host.read("mtu://models")
    assert listed["live"] is True
    assert "acme/tiny:free" in [one["name"] for one in listed["models"]]
    assert "free as air" in await host.ask("chat", prompt="Say: free as air", model="acme/tiny:free")


@serves("1206更新(接入纯搜索baidu接口)")
async def baidu(host: Host) -> None:
    """Qianfan AI search: the query is the last message; recency, sites, kinds of result and blocked sites are fields."""
    facts = await host.facts(
        "web_search",
        query="埃菲尔铁塔 高度",
        engine="baidu",
        results_only=True,
        recency="year",
        sites=["example.com", "example.org"],
        options={"resource_type_filter": [{"type": "web", "top_k": 3}], "block_websites": ["bad.example"]},
    )
    assert host.sent("/v2/ai_search/web_search") == {
        "messages": [{"role": "user", "content": "埃菲尔铁塔 高度"}],
        "search_filter": {"match": {"site": ["example.com", "example.org"]}},
        "search_recency_filter": "year",
        "resource_type_filter": [{"type": "web", "top_k": 3}],
        "block_websites": ["bad.example"],
        "search_source": "baidu_search_v2",
    }
    assert facts["engine"] == "baidu"
    plain = await host.facts("web_search", query="Eiffel Tower height", engine="baidu", results_only=True)
    assert plain["sources"]
    assert {"n", "title", "url", "quote"} <= set(plain["sources"][0])


@serves("1204模型更新Mistral-Large-3(675B)")
async def mistral(host: Host) -> None:
    """The model is in the list and answers."""
    facts = await host.facts("list_models", name="mistral-large-3")
    assert [one["name"] for one in facts["models"]] == ["mistral-large-3"]
    said = await host.ask("chat", prompt="Say: bonjour", model="mistral-large-3", max_tokens=50)
    assert said.startswith("bonjour")
    assert "[mistral-large-3 · " in said
    assert host.sent()["max_tokens"] == 50


@serves("1120模型更新Jina DeepSearch v1")
async def jina(host: Host) -> None:
    """Jina DeepSearch: a chat model that thinks, visits pages and cites them; budgets and hosts are top-level fields."""
    fields = {"budget_tokens": 50_000, "max_attempts": 1, "max_returned_urls": 5, "no_direct_answer": True}
    result = await host.facts(
        "web_search",
        query="How high is the Eiffel Tower?",
        engine="jina",
        sites=["towers.example.com"],
        options={**fields, "reasoning_effort": "low", "language_code": "en"},
    )
    body = host.sent()
    assert body["model"] == "jina-deepsearch-v1"
    assert body["stream"] is True
    wanted = {**fields, "reasoning_effort": "low", "language_code": "en", "only_hostnames": ["towers.example.com"]}
    assert {name: body[name] for name in wanted} == wanted
    facts = await host.facts("web_search", query="How high is the Eiffel Tower?", engine="jina")
    assert "330" in facts["answer"]
    assert facts["sources"][0]["url"].startswith("http")
    assert facts["visited"]
    assert result["engine"] == "jina"


@serves("1119模型更新列表Gemini 3 API")
async def gemini(host: Host) -> None:
    """Gemini's OpenAI interface: reasoning_effort sets its level of thinking; pictures go in as image_url."""
    facts = await host.facts("list_models", name="gemini-3")
    assert [one["name"] for one in facts["models"]] == ["gemini-3-pro-preview"]
    from capabilities.material import picture

    said = await host.ask(
        "chat",
        prompt="Which colour?",
        images=[host.put("red.png", picture())],
        model="gemini-3-pro-preview",
        effort="low",
    )
    assert "red" in said
    assert host.sent()["reasoning_effort"] == "low"
    assert [part["type"] for part in host.sent()["messages"][0]["content"]] == ["image_url", "text"]


@serves("1116模型更新列表GPT-5.1系列")
async def gpt(host: Host) -> None:
    """OpenAI: GPT-5.1 takes effort none and counts thoughts into max_completion_tokens; its codex lives in Responses."""
    names = {one["name"] for one in (await host.facts("list_models", name="gpt-5.1"))["models"]}
    assert {"gpt-5.1", "gpt-5.1-codex"} <= names
    assert "hello" in await host.ask("chat", prompt="Say: hello", model="gpt-5.1", effort="none", max_tokens=99)
    assert host.sent().items() >= {"reasoning_effort": "none", "max_completion_tokens": 99}.items()
    assert "hello" in await host.ask("chat", prompt="Say: hello", model="gpt-5.1-codex")
    assert host.sent("/responses")["model"] == "gpt-5.1-codex"


@serves(*UPDATES)
async def updates(host: Host) -> None:
    """News of what was added: asked of the gateway, so that it is today's."""
    facts = await host.facts("list_models")
    assert facts["live"] is True
    assert {one["name"] for one in facts["models"]} <= {model.id for model in host.gateway.desk.roster.all()}
    listed = await host.read("mtu://models")
    assert len(listed["models"]) == facts["total"] == len(host.gateway.desk.roster.all())


@serves("Migrate to the Responses API")
async def responses(host: Host) -> None:
    """OpenAI, migration guide: input items, flat function tools, text.format, effort under reasoning, store."""
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    await host.ask(
        "chat", prompt="Where is the tower?", system="Be brief.", model="gpt-5-codex", json_schema=schema, effort="low"
    )
    body = host.sent("/responses")
    assert body["input"][0] == {"role": "system", "content": "Be brief."}
    assert body["store"] is False
    assert body["reasoning"] == {"effort": "low"}
    assert body["text"]["format"].items() >= {"type": "json_schema", "schema": schema, "strict": False}.items()
    whole = await host.operate("create_response", model="gpt-4o", input="Say: hello", instructions="Be brief.")
    assert whole["object"] == "response"
    assert whole["output"][0]["content"][0]["text"].startswith("hello")
    if host.relay:
        for name in ("get_response", "delete_response", "list_input_items", "cancel_response"):
            path = {"list_input_items": "/input_items", "cancel_response": "/cancel"}.get(name, "")
            given = {"name": name, "arguments": {"response_id": whole["id"]}, "confirm": True}
            await host.lacking("responses/{response_id}" + path, "call_operation", **given)
        return
    again = await host.operate(
        "create_response", model="gpt-4o", input="What did I say first?", previous_response_id=whole["id"]
    )
    assert "Say: hello" in json_text(again)
    waiting = await host.operate("create_response", model="gpt-4o", input="Say: hello", background=True)
    assert waiting["status"] == "queued"
    assert (await host.operate("cancel_response", response_id=waiting["id"]))["status"] == "cancelled"
    assert (await host.operate("get_response", response_id=whole["id"]))["id"] == whole["id"]
    assert (await host.operate("list_input_items", response_id=whole["id"]))["data"][0]["role"] == "user"
    assert (await host.operate("delete_response", response_id=whole["id"]))["deleted"] is True


def json_text(value: object) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)


@serves("GPT-5-codex API上线 0924更新")
async def codex(host: Host) -> None:
    """OpenAI: gpt-5-codex is served by Responses alone, so `chat` goes there by itself, earlier turns included."""
    first = await host.ask("chat", prompt="The fox is red.", model="gpt-5-codex", conversation=f"codex {host.dialect}")
    said = await host.ask("chat", prompt="What is the fox?", model="gpt-5-codex", conversation=f"codex {host.dialect}")
    assert "[gpt-5-codex · " in first
    assert "red" in said
    assert [item["role"] for item in host.sent("/responses")["input"]] == ["user", "assistant", "user"]
    assert not host.gateway.journal.find("/chat/completions")


@serves("OpenAI Web search 网络搜索")
async def web_search(host: Host) -> None:
    """OpenAI, web search guide: the web_search tool with domains, place and size; search models in chat."""
    tool = {
        "type": "web_search",
        "search_context_size": "high",
        "user_location": {"type": "approximate", "country": "FR"},
    }
    facts = await host.facts("web_search", query="How high is the Eiffel Tower?", engine="openai", model="gpt-4.1")
    assert "330" in facts["answer"]
    assert facts["sources"]
    body = host.sent("/responses")
    assert body["tools"] == [{"type": "web_search"}]
    assert body["include"] == ["web_search_call.action.sources"]
    await host.facts(
        "web_search", query="tower", engine="openai", model="gpt-4.1", sites=["example.org"], options={"tools": [tool]}
    )
    assert host.sent("/responses")["tools"] == [{**tool, "filters": {"allowed_domains": ["example.org"]}}]
    place = {"country": "FR", "city": "Paris"}
    options = {"search_context_size": "low", "user_location": place}
    for model in ("gpt-4.1", "gpt-4o-search-preview"):
        found = await host.facts("web_search", query="Eiffel Tower", engine="openai", model=model, options=options)
        assert found["sources"]
    assert host.sent("/responses")["tools"] == [
        {"type": "web_search", "search_context_size": "low", "user_location": {"type": "approximate", **place}}
    ]
    assert host.sent()["web_search_options"] == {
        "search_context_size": "low",
        "user_location": {"type": "approximate", "approximate": place},
    }


@serves("Using tools OpenAI官方文档")
async def using_tools(host: Host) -> None:
    """OpenAI, using tools: functions in chat and in Responses; the answer is a wish to call, with arguments."""
    name = f"tools {host.dialect}"
    said = await host.ask(
        "chat", prompt="What is the weather in Paris?", tools=[WEATHER], conversation=name, model="gpt-4o"
    )
    assert "get_weather" in said
    assert host.sent()["tools"] == [{"type": "function", "function": WEATHER}]
    said = await host.ask("chat", conversation=name, model="gpt-4o", tool_results={"get_weather": {"sky": "rain"}})
    assert "rain" in said
    roles = [message["role"] for message in host.sent()["messages"]]
    assert roles == ["user", "assistant", "tool"]
    tool = {"type": "function", **WEATHER, "strict": False}
    answered = await host.operate(
        "create_response", model="gpt-4o", input="What is the weather in Paris?", tools=[tool]
    )
    assert answered["output"][0]["type"] == "function_call"
    for tool in (
        {"type": "code_interpreter", "container": {"type": "auto"}},
        {"type": "file_search", "vector_store_ids": ["vs_1"]},
        {"type": "mcp", "server_label": "docs", "server_url": "https://mcp.example.com", "require_approval": "never"},
        {"type": "image_generation", "size": "1024x1024"},
    ):
        arguments = {"model": "gpt-4o", "input": "Hi", "tools": [tool]}
        said = await host.refused("call_operation", name="create_response", arguments=arguments)
        assert f"The tool '{tool['type']}' is not offered" in said
        assert host.sent("/responses")["tools"] == [tool]
