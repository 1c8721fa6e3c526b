"""What a person reads when the gateway behind is a server of another kind: vLLM, llama.cpp, New API, LiteLLM, a relay."""

import base64
import json
from pathlib import Path

import httpx

from capabilities.material import sound
from capabilities.replay import Server, said


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
    assert (await said(environ, server, "chat", prompt="hi", model="odd")).endswith("[odd · 5 tokens in, 0 out]")
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
