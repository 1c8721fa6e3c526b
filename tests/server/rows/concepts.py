"""The pages on MCP, on the API as a whole and on Claude Code: what of them can be used from a host, and why the rest cannot."""

import json
from pathlib import Path

import pytest
from anyio import to_thread
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS

from capabilities.material import picture
from connections import MEMORY, MODERN, Cell, HostModel, connect, roots, text_of
from mtu_mcp.capabilities import capabilities
from mtu_mcp.gateway import all_operations
from processes import run
from server.rows.host import Host, serves

ROOT = Path(__file__).parents[3]
BEGIN = "MCP开发 / MCP开始使用"
CONCEPTS = "MCP开发 / 概念"
OPENAI = "OpenAI 项目"


def readme() -> str:
    """The page people read first."""
    return (ROOT / "README.md").read_text(encoding="utf-8")


@serves(
    f"{BEGIN} / 简介",
    f"{BEGIN} / 示例 Servers",
    f"{BEGIN} / 示例 Clients",
    f"{BEGIN} / 快速上手 / 服务器开发",
    f"{BEGIN} / 快速上手 / 客户端开发",
    "MCP开发 / 教程 / 使用 LLMs 构建 MCP",
    f"{CONCEPTS} / 核心架构",
    "MCP开发 / 开发 / 新计划",
    "MCP开发 / 开发 / 规划",
    "MCP开发 / 开发 / 贡献",
    once=True,
)
async def documentation(host: Host) -> None:
    """Our promise: a page that nothing can be called for is named with the reason, and with what comes nearest."""
    del host
    rows = [line for line in readme().splitlines() if line.startswith("| MCP开发 / ") and "documentation only" in line]
    assert len(rows) == 10
    for row in rows:
        reason = row.partition("documentation only: ")[2].partition(", [")[0]
        assert len(reason.split()) >= 4, row
        assert "](#" in row, row


@serves(f"{BEGIN} / 快速上手 / Claude 桌面版开发", once=True)
async def desktop(host: Host) -> None:
    """Claude Desktop: `mcpServers` by name; the command writes the entry that starts this server."""
    environ = {"MTU_BASE_URL": host.gateway.base_url}
    done = await to_thread.run_sync(lambda: run(environ, "install", "claude-desktop", "--print"))
    entry = json.loads(done.stdout)
    assert "serve" in json.dumps(entry)
    assert "mtu-mcp install claude-desktop" in readme()


@serves("MCP开发 / 教程 / 调试 Debugging")
async def debugging(host: Host) -> None:
    """Our promise: state, settings in force and what to fix, in the host as in the shell."""
    assert host.gateway.base_url in str(await host.read("mtu://status"))
    assert "mtu-mcp doctor" in readme()


@serves("MCP开发 / 教程 / 调试器 Inspector", once=True)
async def inspector(host: Host) -> None:
    """The Inspector starts a server by its command; what it asks first is the list of tools."""
    assert "npx @modelcontextprotocol/inspector --cli " in readme()
    assert len((await host.client.list_tools()).tools) == sum(len(one.tools) for one in capabilities())


@serves("资源 Resources", under=CONCEPTS)
async def resources(host: Host) -> None:
    """MCP resources: listed, as templates, read, and completed from what there is."""
    listed = {str(one.uri) for one in (await host.client.list_resources()).resources}
    templates = {one.uri_template for one in (await host.client.list_resource_templates()).resource_templates}
    named_here = {one.uri for capability in capabilities() for one in capability.resources}
    assert listed | templates >= {uri for uri in named_here if "{" not in uri}
    assert templates == {uri for uri in named_here if "{" in uri}
    for uri in sorted(uri for uri in named_here if "{" not in uri):
        assert await host.read(uri) is not None
    with pytest.raises(MCPError):
        await host.client.read_resource("mtu://nothing")


@serves("提示词 Prompts", under=CONCEPTS, once=True)
async def prompts(host: Host) -> None:
    """MCP prompts: each can be had with its arguments; without a needed one it is -32602."""
    listed = (await host.client.list_prompts()).prompts
    assert len(listed) == 7
    for prompt in listed:
        needed = {one.name: "x.md" for one in prompt.arguments or () if one.required}
        assert (await host.client.get_prompt(prompt.name, needed)).messages
        with pytest.raises(MCPError) as raised:
            await host.client.get_prompt(prompt.name, {})
        assert raised.value.code == INVALID_PARAMS


@serves("工具 Tools", under=CONCEPTS, once=True)
async def tools(host: Host) -> None:
    """MCP tools: a title, what it does, its arguments and its effect, of each."""
    for tool in (await host.client.list_tools()).tools:
        assert tool.title
        assert tool.description
        assert tool.input_schema["type"] == "object"
        assert tool.annotations is not None


@serves("采样 Sampling", under=CONCEPTS)
async def sampling(host: Host) -> None:
    """MCP sampling: the host's own model writes the prompt of a picture and the answer from search results."""
    lent = HostModel("A red fox in deep snow, woodcut")
    async with connect(MEMORY, host.environ, sampling_callback=lent) as client:
        drawn = text_of(await client.call_tool("generate_image", {"prompt": "a fox", "refine_prompt": True}))
        found = text_of(await client.call_tool("web_search", {"query": "Eiffel Tower height", "digest": "host"}))
    assert "The host's model (host-model) wrote the prompt: A red fox in deep snow, woodcut" in drawn
    assert "The host's model (host-model) wrote the answer." in found
    assert len(lent.asked) == 2
    assert host.sent("/images/generations")["prompt"] == lent.answer
    host.used |= {"generate_image", "web_search"}


@serves("根 Roots", under=CONCEPTS, once=True)
async def bounds(host: Host) -> None:
    """MCP roots: a file under the host's folders is read, one beside them is not."""
    inside, outside = host.folder / "inside", host.folder / "outside.png"
    inside.mkdir(exist_ok=True)
    for path in (inside / "red.png", outside):
        path.write_bytes(picture())
    environ = {name: value for name, value in host.environ.items() if name != "MTU_ALLOWED_DIRS"}
    async with connect(MEMORY, environ, list_roots_callback=roots(inside)) as client:
        asked = {"question": "Which colour?"}
        seen = text_of(await client.call_tool("understand", {**asked, "media": [str(inside / "red.png")]}))
        refused = await client.call_tool("understand", {**asked, "media": [str(outside)]})
    assert "red" in seen
    assert refused.is_error
    assert "outside the folders" in text_of(refused)


@serves("传输 Transports", under=CONCEPTS, once=True)
async def transports(host: Host) -> None:
    """MCP transports: streamable HTTP and the older SSE beside the host's own way."""
    for cell in (Cell("http", MODERN), Cell("sse", "legacy")):
        async with connect(cell, host.environ) as client:
            said = text_of(await client.call_tool("chat", {"prompt": f"Say: over {cell.transport}"}))
        assert said.startswith(f"over {cell.transport}")


@serves("介绍", "项目说明", "导言", under=OPENAI, once=True)
async def all_there_is(host: Host) -> None:
    """The introductions to the API: every operation of it by name, path and state."""
    listed = await host.read("mtu://operations")
    assert [one["name"] for one in listed] == list(all_operations())
    assert {one["state"] for one in listed} == {"live", "deprecated", "removed"}


@serves("身份验证", under=OPENAI)
async def key(host: Host) -> None:
    """OpenAI API reference, authentication: a bearer key; without one, each call says the one thing to fix."""
    assert "sk-test-key" not in str(await host.read("mtu://status"))
    for given, wanted in (("", "MTU_API_KEY"), ("sk-wrong", "MTU_API_KEY")):
        async with connect(MEMORY, {**host.environ, "MTU_API_KEY": given}) as client:
            result = await client.call_tool("chat", {"prompt": "Say: hello"})
        assert result.is_error
        assert wanted in text_of(result)
        assert "\n" not in text_of(result)


@serves("发出请求", under=OPENAI)
async def request(host: Host) -> None:
    """OpenAI API reference, making requests: one chat completion, from the host and from the shell."""
    asked = [{"role": "user", "content": "Say this is a test!"}]
    made = await host.operate("create_chat_completion", model="gpt-4o-mini", messages=asked, temperature=0.7)
    assert made["choices"][0]["finish_reason"] == "stop"
    assert host.sent() == {"model": "gpt-4o-mini", "messages": asked, "temperature": 0.7}
    done = await to_thread.run_sync(lambda: run(host.environ, "call", "chat", "prompt=Say: from the shell"))
    assert done.stdout.startswith("from the shell")


@serves("参数详情", under=OPENAI)
async def parameters(host: Host) -> None:
    """OpenAI API reference, parameters: type, bounds and meaning of each, and what does not fit is refused unsent."""
    shown = json.loads(await host.ask("find_operation", words="create_chat_completion"))
    properties = shown["arguments"]["properties"]
    assert properties["temperature"] == {"type": "number", "minimum": 0, "maximum": 2}
    assert (await host.read("mtu://operations/create_chat_completion", "mtu://operations/{name}"))["pages"]
    wrong = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], "temperature": 3}
    assert "temperature" in await host.refused("call_operation", name="create_chat_completion", arguments=wrong)
    assert not host.gateway.journal.find("/chat/completions")


@serves("Claude code 部署教程接入MTUAPI", "Claude Code Router 配置指南", under="Claude code 部署教程", once=True)
async def claude_code(host: Host) -> None:
    """Claude Code and its router: the address without /v1, the key by its name; the router wants the whole address."""
    root = host.gateway.root
    plain = await to_thread.run_sync(lambda: run(host.environ, "claude-code-env", "--format", "sh"))
    assert f"export ANTHROPIC_BASE_URL={root}\n" in plain.stdout
    routed = await to_thread.run_sync(lambda: run(host.environ, "claude-code-env", "--router"))
    assert f"{root}/v1/chat/completions" in routed.stdout
    assert "sk-test-key" not in plain.stdout + routed.stdout
