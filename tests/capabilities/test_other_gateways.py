"""What a person reads when the gateway behind is a server of another kind: vLLM, llama.cpp, New API, LiteLLM, a relay."""

import base64
import json
from pathlib import Path
from typing import Any

import httpx
from mcp import Client

from capabilities.material import picture, sound
from capabilities.replay import Server, chatted, said
from mtu_mcp.app import open_app
from mtu_mcp.server.assembly import build_server
from mtu_mcp.settings import Settings


def llama(request: httpx.Request) -> httpx.Response:
    """llama.cpp, tools/server: errors of a path it lacks, and of a prompt too long inside the stream."""
    if request.url.path != "/v1/chat/completions":
        missing = {"code": 404, "message": "File Not Found", "type": "not_found_error"}
        return httpx.Response(404, json={"error": missing})
    error = {
        "code": 400,
        "message": "the request exceeds the available context size",
        "type": "exceed_context_size_error",
    }
    stream = f"data: {json.dumps({'error': error})}\n\n"
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, text=stream)


async def test_what_llama_cpp_lacks_is_said_in_one_sentence(environ: dict[str, str]) -> None:
    """Our promise: an endpoint the gateway lacks is a sentence, and `auto` goes on behind it."""
    server = Server([{"id": "/models/gemma.gguf", "meta": {"n_ctx_train": 131072}}], llama)
    picture = await said(environ, server, "generate_image", fails=True, prompt="a boat")
    search = await said(environ, server, "web_search", fails=True, query="boats")
    chat = await said(environ, server, "chat", fails=True, prompt="a long text")
    assert picture.startswith("This gateway does not offer images/generations (it answered 404).")
    assert search.startswith("This gateway offers none of the search engines.")
    assert "exceeds the available context size" in chat


async def test_a_number_that_is_no_count_spoils_neither_receipt_nor_ledger(environ: dict[str, str]) -> None:
    """Our promise: an odd `usage` costs nobody the answer, and what is kept can be summed."""

    def boast(_: httpx.Request) -> httpx.Response:
        message = {"role": "assistant", "content": "fine"}
        usage = {"prompt_tokens": 5, "completion_tokens": 1e30}
        return httpx.Response(200, json={"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage})

    server = Server([{"id": "odd"}], boast)
    assert (await said(environ, server, "chat", prompt="hi", model="odd")).endswith(
        "[odd · 5 tokens in, 0 out · price not known]"
    )
    report = await said({**environ, "MTU_TOOLSETS": "all"}, server, "usage_report")
    assert "1 call" in report


async def test_bytes_that_are_no_picture_are_kept_and_said_to_be_none(environ: dict[str, str]) -> None:
    """Our promise: what was paid for is never lost, and never called what it is not."""

    def words(_: httpx.Request) -> httpx.Response:
        inside = base64.b64encode(b"<html>come back later</html>").decode()
        return httpx.Response(200, json={"data": [{"url": "", "b64_json": inside}]})

    shown = await said(environ, Server([{"id": "gpt-image-1"}], words), "generate_image", prompt="a boat")
    assert "Saved " in shown
    assert "what the gateway sent is no picture" in shown


async def test_a_model_that_gave_no_times_is_not_named_as_one_that_gives_them(
    environ: dict[str, str], tmp_path: Path
) -> None:
    """Some gateways ignore `response_format`, so that whisper-1 answers with the text alone."""
    (tmp_path / "a.wav").write_bytes(sound(1.0))
    server = Server([{"id": "whisper-1"}], lambda _: httpx.Response(200, json={"text": "hello"}))
    allowed = {**environ, "MTU_ALLOWED_DIRS": str(tmp_path)}
    for output in ("srt", "segments"):
        words = await said(allowed, server, "transcribe", file=str(tmp_path / "a.wav"), output=output)
        assert words.startswith("hello")
        assert "gave no times" in words
        assert "such as whisper-1" not in words


def refusal(status: int, message: str, kind: str = "None", code: Any = None) -> httpx.Response:
    return httpx.Response(status, json={"error": {"message": message, "type": kind, "param": None, "code": code}})


async def test_a_model_that_takes_text_alone_is_not_to_be_asked_again_in_a_minute(
    environ: dict[str, str], tmp_path: Path
) -> None:
    """llama.cpp's server without a projector answers 500 to a picture."""
    (tmp_path / "a.png").write_bytes(picture())
    words = "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"
    server = Server([{"id": "tiny.gguf"}], lambda _: refusal(500, words, "server_error", 500))
    allowed = {**environ, "MTU_ALLOWED_DIRS": str(tmp_path)}
    said_of_it = await said(allowed, server, "chat", fails=True, prompt="What?", images=[str(tmp_path / "a.png")])
    assert said_of_it.endswith("Ask a model that takes pictures, sound or video, or give this one text alone.")
    assert "minute" not in said_of_it


async def test_what_nobody_set_up_behind_litellm_is_not_offered(environ: dict[str, str]) -> None:
    """LiteLLM routes files and assistants, and answers 500 and 400 until its operator names a provider."""

    def proxy(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/assistants"):
            return refusal(400, "'custom_llm_provider' must be set. Either via: `Router(assistants_config={..})`")
        return refusal(500, "files_settings is not set, set it on your config.yaml file.", code="500")

    server = Server([{"id": "gpt-4o"}], proxy)
    tools = {**environ, "MTU_TOOLSETS": "all"}
    batch = await said(tools, server, "run_batch", fails=True, prompts=["a", "b"], model="gpt-4o")
    assert batch.startswith("This gateway does not offer files (it answered 500")
    assert batch.endswith("which a batch needs. Ask the prompts one by one with chat.")
    listed = await said(tools, server, "call_operation", fails=True, name="list_assistants")
    assert listed.startswith("This gateway does not offer assistants")


async def test_a_key_litellm_cannot_look_up_is_a_matter_of_the_key(environ: dict[str, str]) -> None:
    """LiteLLM without a database knows its master key alone, and says of another that no db is connected."""
    server = Server([], lambda _: refusal(400, "No connected db.", "no_db_connection", "400"))
    words = await said(environ, server, "chat", fails=True, prompt="hi", model="gpt-4o")
    assert words.startswith('The gateway refused the key: "No connected db".')
    assert "MTU_API_KEY" in words


async def test_auto_goes_on_where_a_server_is_pinned_to_one_model(environ: dict[str, str]) -> None:
    """Hugging Face, transformers serve MODEL: 400 to every other model, and it costs nothing."""

    def pinned(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/chat/completions") and b'"qwen-plus"' in request.content:
            return chatted("Tea is hot.")
        return httpx.Response(400, json={"detail": "Server is pinned to 'qwen-plus'; requested another."})

    server = Server([{"id": "gpt-5-search-api"}, {"id": "qwen-plus"}], pinned)
    words = await said(environ, server, "web_search", query="tea")
    assert words.startswith("Tea is hot.")
    assert "Searched with qwen; not offered here: openai: The gateway does not have the model" in words


async def test_a_schema_a_server_does_not_know_is_asked_for_in_another_way(environ: dict[str, str]) -> None:
    """llama-cpp-python answers 500 with what its own model of a request finds wrong."""

    def strict(request: httpx.Request) -> httpx.Response:
        if json.loads(request.content)["response_format"]["type"] == "json_schema":
            found = "{'type': 'literal_error', 'loc': ('body', 'response_format', 'type'), 'input': 'json_schema'}"
            return refusal(500, f"1 validation error:\n  {found}", "internal_server_error")
        return chatted('{"a": 1}')

    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    words = await said(environ, Server([{"id": "tiny"}], strict), "chat", prompt="a?", model="tiny", json_schema=schema)
    assert words.startswith('{"a": 1}')
    assert "tiny takes no JSON schema, so it was asked for in words." in words


async def test_an_answer_of_megabytes_does_not_reach_the_host_as_one_line(
    environ: dict[str, str], tmp_path: Path
) -> None:
    """Our promise: long text is cut to the host's limit with a link to the whole; found with a gateway that lies."""
    endless = "z" * 3_000_000

    def flood(_: httpx.Request) -> httpx.Response:
        source = {"title": endless, "url": f"https://pages.example/{endless}", "content": endless}
        judged = {"flagged": True, "categories": {endless: True}, "category_scores": {endless: 0.9}}
        choice = {"text": endless, "message": {"content": endless}, "finish_reason": "stop"}
        return httpx.Response(200, json={"choices": [choice], "references": [source] * 3, "results": [judged]})

    settings = Settings.read(
        {**environ, "MTU_TOOLSETS": "all", "MTU_OUTPUT_DIR": str(tmp_path), "MTU_MAX_RETRIES": "0"}
    )
    server = Server([{"id": "odd"}], flood)
    async with open_app(settings, transport=server) as app, Client(build_server(app)) as client:
        for tool, arguments in (
            ("web_search", {"query": "boats", "engine": "baidu"}),
            ("web_search", {"query": "boats", "engine": "qwen"}),
            ("complete_code", {"prefix": "def f("}),
            ("moderate_content", {"texts": ["a"]}),
        ):
            result = await client.call_tool(tool, arguments)
            assert 400 < len(result.model_dump_json()) < 600_000, (tool, arguments)
    assert _largest(tmp_path) >= len(endless)


def _largest(folder: Path) -> int:
    return max(path.stat().st_size for path in folder.iterdir())
