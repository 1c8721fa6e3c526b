"""The API reference, in its English section and in the Chinese one: what makes text, vectors and verdicts."""

import json
from pathlib import Path
from typing import Any

from capabilities.material import picture
from server.rows.host import Host, serves

OPENAI = "OpenAI 项目"
CHAT = f"{OPENAI} / 聊天(Chat)"


def lines_of(path: str) -> list[str]:
    """The lines of a file that was made."""
    return Path(path).read_text(encoding="utf-8").splitlines()


@serves(
    "Chat / Create chat completion", f"{CHAT} / 创建 Chat Completions", "数据模型 / Schemas / ChatCompletionRequest"
)
async def chat_completion(host: Host) -> None:
    """OpenAI API reference, create chat completion: what is asked for arrives under the API's own names."""
    fields = {
        "temperature": 0.5,
        "top_p": 0.9,
        "n": 2,
        "seed": 7,
        "stop": ["END"],
        "presence_penalty": 0.1,
        "user": "u1",
    }
    said = await host.ask(
        "chat",
        prompt="Say: red",
        system="Be brief.",
        model="gpt-4o",
        max_tokens=60,
        options={**fields, "logit_bias": {}},
    )
    assert said.startswith("red")
    assert "Answer 2:" in said
    assert host.sent() == {
        "model": "gpt-4o",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say: red"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 60,
        "logit_bias": {},
        **fields,
    }
    older = {"functions": [{"name": "get_weather", "parameters": {"type": "object"}}], "function_call": "auto"}
    asked = [{"role": "user", "content": "What is the weather?"}]
    called = await host.operate("create_chat_completion", model="gpt-4o", messages=asked, **older)
    assert host.sent().items() >= older.items()
    assert called["choices"][0]["finish_reason"] in ("function_call", "tool_calls")
    shown = await host.read("mtu://operations/create_chat_completion", "mtu://operations/{name}")
    assert set(fields) | {"messages", "model", "logit_bias"} <= set(shown["arguments"]["properties"])


@serves(f"{CHAT} / Chat Completions 对象", "数据模型 / Schemas / ChatCompletionObject")
async def chat_object(host: Host) -> None:
    """OpenAI API reference, the chat completion object: text, who answered, tokens; whole through the operation."""
    assert "[gpt-4o · 9 tokens in, " in await host.ask("chat", prompt="Say: red", model="gpt-4o")
    asked = [{"role": "user", "content": "Say: red"}]
    whole = await host.operate(
        "create_chat_completion", model="gpt-4o", messages=asked, logprobs=True, top_logprobs=1, store=True
    )
    assert whole["object"] == "chat.completion"
    [choice] = whole["choices"]
    assert choice["message"]["content"].startswith("red")
    assert choice["logprobs"]["content"][0]["top_logprobs"]
    assert whole["usage"]["total_tokens"] == whole["usage"]["prompt_tokens"] + whole["usage"]["completion_tokens"]
    shown = await host.read("mtu://operations/get_chat_completion", "mtu://operations/{name}")
    assert shown["path"] == "chat/completions/{completion_id}"
    if host.relay:
        await host.lacking(
            shown["path"], "call_operation", name="get_chat_completion", arguments={"completion_id": "x"}
        )
        return
    assert (await host.operate("get_chat_completion", completion_id=whole["id"]))["id"] == whole["id"]


@serves(f"{CHAT} / Chat Completions 对象块")
async def chunk_object(host: Host) -> None:
    """OpenAI API reference, the chat completion chunk object: a delta a chunk, usage in the last."""
    await host.ask("chat", prompt="Count to 20", model="gpt-4o")
    [entry] = host.gateway.journal.find("/chat/completions")
    assert entry.stream
    chunks = await host.operate(
        "create_chat_completion",
        model="gpt-4o",
        messages=[{"role": "user", "content": "Say: red"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"])
    assert text.startswith("red")
    assert chunks[-1]["usage"]["total_tokens"]


@serves("数据模型 / Schemas / ChatMessage")
async def message(host: Host) -> None:
    """OpenAI API reference, messages: system, user with parts, assistant, tool; each arrives in its place."""
    name = f"roles {host.dialect}"
    red = host.put("red.png", picture())
    await host.ask("chat", prompt="My name is Mei.", system="Be kind.", images=[red], model="gpt-4o", conversation=name)
    assert "Mei" in await host.ask("chat", prompt="What is my name?", model="gpt-4o", conversation=name)
    roles = [one["role"] for one in host.sent()["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    first = host.sent()["messages"][1]["content"]
    assert [part["type"] for part in first] == ["image_url", "text"]
    shown = await host.read("mtu://operations/create_chat_completion", "mtu://operations/{name}")
    known = shown["arguments"]["properties"]["messages"]["items"]["properties"]["role"]["enum"]
    assert {"system", "user", "assistant", "tool", "developer"} <= set(known)


@serves(f"{OPENAI} / 自动补全(Completions) / Completions 对象", f"{OPENAI} / 自动补全(Completions) / 创建 Completions")
async def completion(host: Host) -> None:
    """OpenAI API reference, completions: a prompt and a suffix of its own; the object is a text_completion."""
    said = await host.ask(
        "complete_code",
        prefix="def add(a, b):\n    return ",
        suffix="\n\nprint(add(1, 2))\n",
        model="gpt-3.5-turbo-instruct",
        max_tokens=40,
        stop=["\n\n"],
        options={"temperature": 0, "echo": False},
    )
    assert said.startswith("```")
    assert (
        host.sent("/completions").items()
        >= {
            "prompt": "def add(a, b):\n    return ",
            "suffix": "\n\nprint(add(1, 2))\n",
            "max_tokens": 40,
            "stop": ["\n\n"],
            "temperature": 0,
        }.items()
    )
    whole = await host.operate("create_completion", model="gpt-3.5-turbo-instruct", prompt="Once upon a time", n=2)
    assert whole["object"] == "text_completion"
    assert [choice["index"] for choice in whole["choices"]] == [0, 1]


@serves(
    "Embeddings / Create embeddings",
    f"{OPENAI} / 嵌入(Embeddings) / 嵌入对象",
    f"{OPENAI} / 嵌入(Embeddings) / 创建嵌入",
    "数据模型 / Schemas / EmbeddingsRequest",
)
async def embeddings(host: Host) -> None:
    """OpenAI API reference, embeddings: input, model, dimensions; near texts have near vectors."""
    texts = ["A cat sleeps on the sofa", "A kitten naps on a couch", "Interest rates rose again"]
    facts = await host.facts("embed_text", texts=texts, query="a sleeping cat", dimensions=256)
    assert (facts["count"], facts["dimensions"]) == (3, 256)
    assert facts["nearest"][0]["number"] in (1, 2)
    assert {facts["pairs"][0]["one"]["number"], facts["pairs"][0]["other"]["number"]} == {1, 2}
    lines = [json.loads(line) for line in lines_of(facts["path"])]
    assert [len(line["embedding"]) for line in lines if "embedding" in line] == [256] * 3
    body = host.sent("/embeddings")
    assert body["dimensions"] == 256
    assert body["input"] == ["a sleeping cat", *texts]
    whole = await host.operate(
        "create_embedding", model="text-embedding-3-small", input="one", encoding_format="float", dimensions=8
    )
    assert whole["object"] == "list"
    assert whole["data"][0]["object"] == "embedding"
    assert len(whole["data"][0]["embedding"]) == 8
    shown = await host.read("mtu://operations/create_embedding", "mtu://operations/{name}")
    assert {"input", "model", "dimensions", "encoding_format", "user"} <= set(shown["arguments"]["properties"])


@serves(
    "Moderations / Create moderation",
    f"{OPENAI} / 审查(Moderations) / 调节对象",
    f"{OPENAI} / 审查(Moderations) / 创建内容审核",
    "数据模型 / Schemas / ModerationsRequest",
)
async def moderation(host: Host) -> None:
    """OpenAI API reference, moderations: a verdict a text with categories and scores; one picture a call."""
    kind = host.put("kind.png", picture())
    facts = await host.facts("moderate_content", texts=["I like tea.", "I will kill you"], images=[kind])
    assert [one["flagged"] for one in facts["results"]] == [False, True, False]
    assert facts["results"][1]["categories"]
    texts, image = host.sent("/moderations", 0), host.sent("/moderations", 1)
    assert texts == {"model": "omni-moderation-latest", "input": ["I like tea.", "I will kill you"]}
    assert image["input"][0]["type"] == "image_url"
    whole = await host.operate("create_moderation", input="I like tea.", model="omni-moderation-latest")
    assert whole["id"].startswith("modr-")
    [result] = whole["results"]
    assert "harassment/threatening" in result["categories"]
    assert set(result["categories"]) == set(result["category_scores"])
    shown = await host.read("mtu://operations/create_moderation", "mtu://operations/{name}")
    assert set(shown["arguments"]["properties"]) >= {"input", "model"}


@serves("Models / List models", f"{OPENAI} / 模型(Models) / 列出模型")
async def models(host: Host) -> None:
    """OpenAI API reference, list models: the live list, with what each can do."""
    facts = await host.facts("list_models", can="omni")
    assert facts["default"] == "qwen3-omni-flash"
    assert all("omni" in one["can"] for one in facts["models"])
    assert (await host.read("mtu://models"))["live"] is True
    listed = await host.operate("list_models")
    assert listed["object"] == "list"
    assert {one["object"] for one in listed["data"]} == {"model"}


@serves("Models / Retrieve model", f"{OPENAI} / 模型(Models) / 检索模型", f"{OPENAI} / 模型(Models) / 模型对象")
async def model(host: Host) -> None:
    """OpenAI API reference, retrieve model; names with a slash and a colon too."""
    one = await host.read("mtu://models/qwen-omni-turbo", "mtu://models/{model}")
    assert (one["name"], one["context"], one["max_output"]) == ("qwen-omni-turbo", 32_768, 2_048)
    assert (await host.read("mtu://models/acme/tiny:free", "mtu://models/{model}"))["name"] == "acme/tiny:free"
    found = await host.operate("get_model", model="acme/tiny:free")
    assert found.items() >= {"id": "acme/tiny:free", "object": "model", "owned_by": "acme"}.items()


@serves("Models / Delete a fine-tuned model", f"{OPENAI} / 模型(Models) / 删除微调模型")
async def delete_model(host: Host) -> None:
    """OpenAI API reference, delete a fine-tuned model: it is gone from the list, and others cannot be deleted."""
    given: dict[str, Any] = {"name": "delete_model", "arguments": {"model": "gpt-4o"}, "confirm": True}
    if host.relay:
        await host.lacking("models/{model}", "call_operation", **given)
        return
    example = {"messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]}
    lines = host.put("train.jsonl", "\n".join([json.dumps(example)] * 12))
    file = await host.operate("upload_file", file=lines, purpose="fine-tune")
    job = await host.operate("create_fine_tuning_job", model="gpt-4o-mini", training_file=file["id"])
    while not job["fine_tuned_model"]:
        job = await host.operate("get_fine_tuning_job", job_id=job["id"])
    tuned = job["fine_tuned_model"]
    assert tuned in [one["id"] for one in (await host.operate("list_models"))["data"]]
    assert "tuned" in await host.ask("chat", prompt="Say: tuned", model=tuned)
    assert await host.operate("delete_model", model=tuned) == {"id": tuned, "object": "model", "deleted": True}
    assert tuned not in [one["id"] for one in (await host.operate("list_models"))["data"]]
    assert "not allowed" in await host.refused("call_operation", **given)
