"""Alibaba's text models: thinking, translation, mathematics, code, conversations, tools, JSON, prefixes, batches, cache."""

import re
from typing import Any

from capabilities.material import messages
from connections import text_of
from server.rows.host import Host, serves

TEXT = "通义千问 项目 / 文本生成"
THINKING = f"{TEXT} / 深度思考(QwQ)"
TRANSLATION = f"{TEXT} / 翻译能力"
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "metres": {"type": "integer"}},
    "required": ["city", "metres"],
}
WEATHER = {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}


@serves("通义千问 项目 / 首次调用通义千问API")
async def first_call(host: Host) -> None:
    """Model Studio, first call: a system message and a question to qwen-plus."""
    said = await host.ask("chat", prompt="你是谁？", system="You are a helpful assistant.", model="qwen-plus")
    assert "[qwen-plus · " in said
    assert [one["role"] for one in host.sent()["messages"]] == ["system", "user"]


@serves("深度思考(QwQ)概括", "快速开始", under=THINKING)
async def thinking(host: Host) -> None:
    """Model Studio, deep thinking: QwQ streams only and thinks first; the budget of thought is a field."""
    said = await host.ask("chat", prompt="Which is larger, 9.9 or 9.11?", model="qwq-plus", effort="low")
    assert "Its thoughts:\n> " in said
    assert " reasoning)" in said
    assert host.sent() == {
        "model": "qwq-plus",
        "messages": [{"role": "user", "content": "Which is larger, 9.9 or 9.11?"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "thinking_budget": 4096,
    }
    said = await host.ask("chat", prompt="9.9?", model="qwen-plus", effort="high")
    assert "Its thoughts:" in said
    assert host.sent()["enable_thinking"] is True
    plain = await host.ask("chat", prompt="9.9?", model="qwen3-32b", effort="none")
    assert "Its thoughts:" not in plain
    assert host.sent()["enable_thinking"] is False


@serves("多轮对话", under=THINKING)
async def thinking_further(host: Host) -> None:
    """Model Studio, deep thinking, several rounds: only what was answered goes back, never what was thought."""
    given = {"model": "qwq-plus", "conversation": f"thinking {host.dialect}"}
    await host.ask("chat", prompt="The fox is red.", **given)
    said = await host.ask("chat", prompt="What is the fox?", **given)
    assert "red" in said
    assert [one["role"] for one in host.sent()["messages"]] == ["user", "assistant", "user"]
    assert all(set(one) == {"role", "content"} for one in host.sent()["messages"])
    assert "fixed rules in order" not in host.sent()["messages"][1]["content"]


@serves("Qwen-MT模型", "简单示例", under=TRANSLATION)
async def translation(host: Host) -> None:
    """Model Studio, Qwen-MT: one user message, translation_options; gateways that drop them are asked in words."""
    for model in ("qwen-mt-plus", "qwen-mt-turbo"):
        said = await host.ask("translate_text", text="hello world", target="法语", source="en", model=model)
        assert said.startswith("bonjour monde")
        _options(host, said, {"source_lang": "English", "target_lang": "French"}, model)


def _options(host: Host, said: str, wanted: dict[str, Any], model: str) -> None:
    """The options arrived, or a gateway known to drop them was asked in words and the answer says so."""
    if host.relay:
        assert "Note: " in said
        assert "French" in str(host.sent()["messages"])
        assert "translation_options" not in host.sent()
        return
    assert host.sent()["model"] == model
    assert host.sent()["translation_options"] == wanted
    assert [one["role"] for one in host.sent()["messages"]] == ["user"]


@serves("支持的语言", under=TRANSLATION)
async def languages(host: Host) -> None:
    """Model Studio, Qwen-MT: 92 languages by name and code; any other is refused here, with the nearest."""
    listed = await host.read("mtu://languages")
    assert len(listed) == 92
    assert listed["Cantonese"] == "yue"
    assert "粤" not in await host.ask("translate_text", text="hello", target="yue")
    assert "Nearest: French" in await host.refused("translate_text", text="hello", target="Frensh")


@serves("流式输出", under=TRANSLATION)
async def translation_stream(host: Host) -> None:
    """Model Studio, Qwen-MT: plus and turbo send the whole so far again and again, flash and lite what is new."""
    for model in ("qwen-mt-plus", "qwen-mt-turbo", "qwen-mt-flash", "qwen-mt-lite"):
        said = await host.ask("translate_text", text="hello world and goodbye", target="de", model=model)
        assert said.startswith("hallo Welt und auf Wiedersehen")
        assert host.gateway.journal.find("/chat/completions")[-1].stream


@serves("术语干预翻译", under=TRANSLATION)
async def terms(host: Host) -> None:
    """Model Studio, Qwen-MT, terms: source and target of each."""
    said = await host.ask("translate_text", text="The cat", target="fr", terms={"cat": "MINOU"}, model="qwen-mt-plus")
    assert "MINOU" in said
    pairs = [{"source": "cat", "target": "MINOU"}]
    _options(host, said, {"source_lang": "auto", "target_lang": "French", "terms": pairs}, "qwen-mt-plus")


@serves("使用翻译记忆", under=TRANSLATION)
async def memory(host: Host) -> None:
    """Model Studio, Qwen-MT, translation memory: tm_list."""
    pairs = [{"source": "Yes, friend.", "target": "Si fait."}]
    said = await host.ask("translate_text", text="Yes, friend.", target="fr", memory=pairs, model="qwen-mt-plus")
    assert "Si fait." in said
    _options(host, said, {"source_lang": "auto", "target_lang": "French", "tm_list": pairs}, "qwen-mt-plus")


@serves("领域提示", under=TRANSLATION)
async def domain(host: Host) -> None:
    """Model Studio, Qwen-MT, domain: a sentence in English."""
    about = "The sentence is from a picture book."
    said = await host.ask("translate_text", text="The cat", target="fr", domain=about, model="qwen-mt-plus")
    _options(host, said, {"source_lang": "auto", "target_lang": "French", "domains": about}, "qwen-mt-plus")
    assert "English" in await host.refused("translate_text", text="The cat", target="fr", domain="这是一本图画书")


@serves("模型概览", under=f"{TEXT} / 数学能力")
async def mathematics(host: Host) -> None:
    """Model Studio, mathematics: the models, their windows and prices; the alias picks the best of them."""
    rows = (await host.facts("list_models", name="qwen-math"))["models"]
    assert {one["name"] for one in rows} == {"qwen-math-plus", "qwen-math-turbo"}
    assert all(one["context"] == 4_096 and one["max_output"] == 3_072 and one["cny_per_1k"] for one in rows)
    said = await host.ask("chat", prompt="What is 7 * 13?", model="math")
    assert "91" in said
    assert "math was asked for; qwen-math-plus was used" in said


@serves("示例代码", under=f"{TEXT} / 数学能力")
async def mathematics_example(host: Host) -> None:
    """Model Studio, mathematics: a bare user message."""
    assert "91" in await host.ask("chat", prompt="What is 7 * 13?", model="qwen-math-turbo")
    assert host.sent()["messages"] == [{"role": "user", "content": "What is 7 * 13?"}]


@serves("模型概览", under=f"{TEXT} / 代码能力")
async def coders(host: Host) -> None:
    """Model Studio, code: which models write code, and which fill gaps."""
    rows = (await host.facts("list_models", can="code"))["models"]
    assert {"qwen3-coder-plus", "qwen-coder-turbo"} <= {one["name"] for one in rows}
    assert "[qwen3-coder-plus" in await host.ask("chat", prompt="Write a loop", model="code")


@serves("简单示例", under=f"{TEXT} / 代码能力")
async def code_example(host: Host) -> None:
    """Model Studio, code: ordinary chat."""
    said = await host.ask("chat", prompt="Say: for i in range(3): print(i)", model="qwen3-coder-plus")
    assert said.startswith("for i in range(3)")


@serves("代码补全", under=f"{TEXT} / 代码能力")
async def code_after(host: Host) -> None:
    """Model Studio, code completion: the marks of a prompt with a prefix alone."""
    said = await host.ask("complete_code", prefix="def add(a, b):\n", max_tokens=60)
    assert said.startswith("```\n")
    body = host.sent("/v1/completions")
    assert body["model"] == "qwen-coder-turbo"
    assert body["prompt"] == "<|fim_prefix|>def add(a, b):\n<|fim_suffix|>"
    assert body["max_tokens"] == 60


@serves("根据前缀和后缀生成中间内容", under=f"{TEXT} / 代码能力")
async def code_between(host: Host) -> None:
    """Model Studio, code completion: the marks of a prompt with both sides."""
    await host.ask("complete_code", prefix="def add(a, b):\n", suffix="\nprint(add(1, 2))")
    wanted = "<|fim_prefix|>def add(a, b):\n<|fim_suffix|>\nprint(add(1, 2))<|fim_middle|>"
    assert host.sent("/v1/completions")["prompt"] == wanted


@serves("开始使用", under=f"{TEXT} / 多轮对话")
async def rounds(host: Host) -> None:
    """Model Studio, several rounds: what was said goes along; here a name keeps it, also for another model."""
    name = f"rounds {host.dialect}"
    await host.ask("chat", prompt="My name is Mei.", model="qwen-plus", conversation=name)
    assert "Mei" in await host.ask("chat", prompt="What is my name?", model="qwen-max", conversation=name)
    assert host.sent()["messages"][0]["content"] == "My name is Mei."
    kept = await host.read(f"mtu://conversations/rounds%20{host.dialect}", "mtu://conversations/{name}")
    assert "My name is Mei." in kept


@serves("概述", "开始使用", under=f"{TEXT} / 流式输出(Stream)")
async def stream(host: Host) -> None:
    """Model Studio, streaming: include_usage gives the tokens; in MCP what arrives is shown as progress."""
    seen: list[str] = []

    async def heard(progress: float, total: float | None, message: str | None) -> None:
        del progress, total
        seen.append(message or "")

    host.used.add("chat")
    result = await host.client.call_tool(
        "chat", {"prompt": "Count to 200", "model": "qwen-plus"}, progress_callback=heard
    )
    assert "199, 200" in text_of(result)
    assert seen
    assert host.sent().items() >= {"stream": True, "stream_options": {"include_usage": True}}.items()


@serves("概述", under=f"{TEXT} / 工具调用(Function Calling)")
async def functions(host: Host) -> None:
    """Model Studio, function calling: tools, the wish to call, the result under its id, the answer."""
    given = {"model": "qwen-plus", "conversation": f"functions {host.dialect}"}
    asked = await host.ask(
        "chat",
        prompt="What is the weather in Paris?",
        tools=[WEATHER],
        options={"parallel_tool_calls": True, "tool_choice": "auto"},
        **given,
    )
    assert '"name": "get_weather"' in asked
    assert host.sent()["tools"][0]["function"]["name"] == "get_weather"
    assert host.sent().items() >= {"parallel_tool_calls": True, "tool_choice": "auto"}.items()
    said = await host.ask("chat", tool_results={"get_weather": "Rain, 12 degrees"}, **given)
    assert "Rain" in said
    _, wish, result = host.sent()["messages"]
    assert result == {"role": "tool", "content": "Rain, 12 degrees", "tool_call_id": wish["tool_calls"][0]["id"]}


@serves("支持的模型", "开始使用", under=f"{TEXT} / 结构化输出(Json Mode)")
async def json_mode(host: Host) -> None:
    """Model Studio, JSON mode: json_schema on some models, json_object with the word JSON on others; none while thinking."""
    for model, kind in (("qwen-plus", "json_schema"), ("qwen-max", "json_object")):
        said = await host.ask("chat", prompt="How high is the tower in Paris?", json_schema=CITY, model=model)
        assert said.startswith("{")
        assert ('"city"' in said) != ("Note: The answer does not follow" in said), said
        body = host.sent()
        assert body["response_format"]["type"] == kind
        assert "max_tokens" not in body
        assert ("JSON" in str(body["messages"])) == (kind == "json_object")
    said = await host.ask("chat", prompt="Where?", json_schema=CITY, model="qwen3-32b")
    assert host.sent()["enable_thinking"] is False
    assert "cannot think while it follows a schema" in said
    plain = await host.ask(
        "chat", prompt="Answer as JSON.", model="qwen-plus", options={"response_format": {"type": "json_object"}}
    )
    assert plain.startswith("{")


@serves("支持的模型", "开始使用", under=f"{TEXT} / 前缀续写(Partial Mode)")
async def prefix(host: Host) -> None:
    """Model Studio, partial mode: the last message is the beginning; New API knows only `prefix`."""
    begin = "Spring has come, the earth"
    for model in ("qwen-plus", "qwen-max", "qwen3-coder-plus"):
        said = await host.ask("chat", prompt="Go on.", prefix=begin, model=model)
        assert said.startswith(begin)
        flag = "prefix" if host.relay else "partial"
        assert messages(host.gateway)[-1] == {"role": "assistant", "content": begin, flag: True}


@serves("概述", under=f"{TEXT} / 批量推理(Batch)")
async def batch(host: Host) -> None:
    """Model Studio, batch: a file of requests, a batch, its results, at half the price."""
    given = {"prompts": ["Say: one", "Say: two"], "model": "qwen-plus", "options": {"temperature": 0.1}}
    if host.relay:
        said = await host.refused("run_batch", **given)
        assert said.startswith("This gateway does not offer files (it answered 501), which a batch needs.")
        host.used |= {"get_job", "mtu://jobs/{job}"}
        return
    said = await host.ask("run_batch", **given)
    job = said.partition("get_job(job='")[2].partition("'")[0]
    assert host.sent("/batches").items() >= {"endpoint": "/v1/chat/completions", "completion_window": "24h"}.items()
    assert host.sent("/files")["purpose"] == "batch"
    done = await host.ask("get_job", job=job, wait=30)
    assert "one" in done
    assert "two" in done
    facts = await host.read(f"mtu://jobs/{job}", "mtu://jobs/{job}")
    assert facts["state"] == "done"


@serves("概述", under=f"{TEXT} / 上下文缓存(Context Cache)")
async def cache(host: Host) -> None:
    """Model Studio, context cache: cache_control on a part of 1,024 tokens or more; the second call is told its hits."""
    given = {
        "system": f"The rules of the {host.dialect} house. " + "Every guest shuts the door quietly. " * 300,
        "model": "qwen-plus",
        "options": {"cache_control": {"type": "ephemeral"}},
    }
    await host.ask("chat", prompt="Say: one", **given)
    said = await host.ask("chat", prompt="Say: two", **given)
    assert re.search(r"\([\d,]+ cached", said)
    part = host.sent()["messages"][0]["content"][0]
    assert part["cache_control"] == {"type": "ephemeral"}
    assert "keeps 1,024 tokens and more" in await host.ask(
        "chat", **{**given, "prompt": "Say: one", "system": "Short."}
    )
