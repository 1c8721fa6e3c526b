"""What a gateway can do wrong, on every tool: a clear error or an answer marked as partial, and the server lives on."""

from pathlib import Path
from typing import Any

import pytest

from capabilities.material import BROKE, answered, call, mask, sound
from connections import MEMORY, connect, text_of
from mtu_mcp.sandbox import Sandbox
from mtu_mcp.sandbox.faults import FAULTS

ONE_GATEWAY = True

HARMLESS = {"pings", "split-utf8", "crlf", "no-done", "no-blank-end", "slow", "lying-content-type"}
STREAMED = "/chat/completions"
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("chat", STREAMED, {"prompt": "Hello 你好"}),
    ("understand", STREAMED, {"question": "What?", "media": ["fox.png"]}),
    ("generate_image", "/images/generations", {"prompt": "a fox", "model": "dall-e-2", "size": "256x256"}),
    ("generate_image", "/images/edits", {"prompt": "snow", "images": ["fox.png"], "model": "dall-e-2"}),
    ("generate_image", "/images/variations", {"images": ["fox.png"], "size": "256x256"}),
    ("transcribe", "/audio/transcriptions", {"file": "voice.wav"}),
    ("transcribe", "/audio/translations", {"file": "voice.wav", "to_english": True}),
    ("web_search", "/ai_search/web_search", {"query": "tea", "engine": "baidu", "results_only": True}),
    ("web_search", STREAMED, {"query": "tea", "engine": "openai"}),
    ("web_search", STREAMED, {"query": "tea", "engine": "jina"}),
    ("web_search", STREAMED, {"query": "tea", "engine": "qwen"}),
]


@pytest.mark.parametrize("fault", sorted(FAULTS))
async def test_every_tool_survives_the_fault(
    fault: str, environ: dict[str, str], gateway: Sandbox, tmp_path: Path
) -> None:
    """Our promise: an answer cut short is returned as such with what arrived; anything else says what to do next."""
    (tmp_path / "fox.png").write_bytes(mask())
    (tmp_path / "voice.wav").write_bytes(sound(1.0, "Hello."))
    # A stalled gateway is given up after this long; every other answer comes at once.
    timeout = "1" if fault == "stall" else "30"
    calls = [CALLS[0], CALLS[2], CALLS[5]] if fault == "stall" else CALLS
    settings = {"MTU_ALLOWED_DIRS": str(tmp_path), "MTU_MAX_RETRIES": "0", "MTU_TIMEOUT": timeout}
    async with connect(MEMORY, {**environ, **settings}) as client:
        await answered(client, "list_models", can="omni")
        for tool, path, arguments in calls:
            gateway.desk.faults.clear()
            gateway.arm("slow:0.001" if fault == "slow" else fault, path)
            result = await call(client, tool, **arguments)
            said = text_of(result)
            where = f"{tool} at {path}: {said}"
            assert BROKE not in said, where
            assert "<html" not in said.lower(), where
            assert ".." not in said.replace("…", ""), where
            assert environ["MTU_API_KEY"] not in said, where
            if fault in HARMLESS:
                assert not result.is_error, where
                assert "incomplete" not in said, where
            elif result.is_error:
                assert 20 < len(said) < 700, where
            elif path == STREAMED and fault != "garbled":
                assert "The answer is incomplete: " in said, where
        gateway.desk.faults.clear()
        assert "6 * 7 = 42" in await answered(client, "chat", prompt="What is 6 * 7?")


@pytest.mark.parametrize("fault", ["rate-limit:0", "503:0"])
async def test_a_busy_gateway_is_asked_again_with_the_same_key(
    fault: str, environ: dict[str, str], gateway: Sandbox
) -> None:
    """RFC 9110, Retry-After; our promise: a retry of a spending call carries the same Idempotency-Key."""
    gateway.arm(fault, STREAMED, times=2)
    async with connect(MEMORY, environ) as client:
        await answered(client, "chat", prompt="Hello")
    tries = gateway.journal.find(STREAMED)
    assert [entry.status for entry in tries][-1] == 200
    assert len(tries) == 3
    assert len({entry.headers["idempotency-key"] for entry in tries}) == 1


@pytest.mark.parametrize(("key", "words"), [("sk-wrong", "MTU_API_KEY"), ("sk-broke", "Top up"), ("", "MTU_API_KEY")])
async def test_a_key_that_does_not_work_says_the_one_thing_to_fix(
    key: str, words: str, environ: dict[str, str], gateway: Sandbox, tmp_path: Path
) -> None:
    """Our promise: no key, a wrong one, no money: tools are listed, and each call says what to do."""
    (tmp_path / "fox.png").write_bytes(mask())
    (tmp_path / "voice.wav").write_bytes(sound())
    settings = {"MTU_API_KEY": key, "MTU_ALLOWED_DIRS": str(tmp_path)}
    async with connect(MEMORY, {**environ, **settings}) as client:
        assert len((await client.list_tools()).tools) >= 6
        for tool, _, arguments in CALLS:
            result = await call(client, tool, **arguments)
            assert result.is_error
            assert words in text_of(result), tool


async def test_no_network_says_so(environ: dict[str, str], tmp_path: Path) -> None:
    """Our promise: the server starts and says which way is blocked. Port 9 of this machine is nobody's."""
    (tmp_path / "fox.png").write_bytes(mask())
    (tmp_path / "voice.wav").write_bytes(sound())
    gone = {"MTU_BASE_URL": "http://127.0.0.1:9/v1", "MTU_MAX_RETRIES": "0", "MTU_ALLOWED_DIRS": str(tmp_path)}
    async with connect(MEMORY, {**environ, **gone}) as client:
        for tool, _, arguments in CALLS:
            result = await call(client, tool, **arguments)
            assert result.is_error
            assert "No connection to the gateway" in text_of(result), tool
