"""Every way to spend, through every tool: what the gateway's journal says was sent is what the ledger says, row for row."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from capabilities.material import call, mask, sound
from connections import MEMORY, HostModel, connect, text_of
from mtu_mcp.capabilities._approval import FREE
from mtu_mcp.sandbox import Sandbox
from mtu_mcp.sandbox.journal import Entry

Environ = dict[str, str]
CHAT = "/chat/completions"
MANY = "\n\n".join(f"Good morning to all {number} of you, and a fine day." for number in range(600))
BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
FIVE = ["gpt-4o", "gpt-4o-mini", "qwen-plus", "qwen-max", "deepseek-chat"]
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("chat", CHAT, {"prompt": "Hello", "conversation": "talk"}),
    ("chat", CHAT, {"prompt": "Who?", "json_schema": {"type": "object", "properties": {"name": {"type": "string"}}}}),
    ("understand", CHAT, {"question": "What?", "media": ["fox.png"]}),
    ("generate_image", "/images/generations", {"prompt": "a fox", "model": "dall-e-2", "size": "256x256"}),
    ("generate_image", CHAT, {"prompt": "a fox", "model": "dall-e-2", "size": "256x256", "refine_prompt": True}),
    ("generate_image", "/images/edits", {"prompt": "redder", "images": ["fox.png"], "model": "dall-e-2"}),
    ("generate_image", "/images/variations", {"images": ["fox.png"], "model": "dall-e-2"}),
    ("transcribe", "/audio/transcriptions", {"file": "voice.wav"}),
    ("transcribe", "/audio/translations", {"file": "voice.wav", "to_english": True}),
    ("web_search", "/responses", {"query": "tea", "engine": "openai", "model": "gpt-4o"}),
    ("web_search", CHAT, {"query": "tea", "engine": "qwen"}),
    ("web_search", CHAT, {"query": "tea", "engine": "jina"}),
    ("web_search", "/ai_search/web_search", {"query": "tea", "engine": "baidu", "digest": "host"}),
    ("speak", "/audio/speech", {"text": "Hello there. " * 700}),
    ("translate_text", CHAT, {"text": MANY, "target": "zh"}),
    ("complete_code", "/completions", {"prefix": "def add(a, b):", "suffix": "print(add(1, 2))"}),
    ("compare_models", CHAT, {"prompt": "Hello", "models": FIVE, "judge": "gpt-4o"}),
    ("ask_document", CHAT, {"question": "What is it?", "documents": ["tea.txt"]}),
    ("run_batch", "/batches", {"prompts": ["one", "two"], "model": "gpt-4o-mini"}),
    ("embed_text", "/embeddings", {"texts": [f"tea {n}" for n in range(60)], "model": "text-embedding-v4"}),
    ("moderate_content", "/moderations", {"texts": ["tea"]}),
    ("call_operation", CHAT, {"name": "create_chat_completion", "arguments": BODY}),
    ("call_operation", "/responses", {"name": "create_response", "arguments": {"model": "gpt-4o", "input": "Hi"}}),
    ("call_operation", "/images/variations", {"name": "create_image_variation", "arguments": {"image": "fox.png"}}),
]
PIECES = {"speak": 2, "translate_text": 2, "embed_text": 6, "compare_models": 6}
"""Of calls that make several, the fewest that they make."""


@pytest.fixture
def server(environ: Environ, tmp_path: Path) -> Environ:
    """A server with every toolset and a folder of files."""
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "fox.png").write_bytes(mask())
    (folder / "voice.wav").write_bytes(sound(1.0, "Hello."))
    (folder / "tea.txt").write_text("Tea is a plant.", encoding="utf-8")
    return {**environ, "MTU_ALLOWED_DIRS": str(folder), "MTU_TOOLSETS": "all"}


def ledger(environ: Environ) -> dict[str, tuple[str, str, float]]:
    """State, basis and held sum of each row, by the key it was sent under."""
    with closing(sqlite3.connect(environ["MTU_DATABASE_URL"])) as connection:
        rows = connection.execute("SELECT idempotency_key, state, basis, reserved FROM ledger").fetchall()
    found = {key: (state, basis, reserved) for key, state, basis, reserved in rows}
    assert len(found) == len(rows)
    return found


def keyed(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """What was sent under each key, of what may cost; files are kept at no cost."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.method == "POST" and not entry.path.startswith("/sandbox") and not entry.path.endswith("/files"):
            found.setdefault(entry.headers["idempotency-key"], []).append(entry)
    return found


def check(environ: Environ, gateway: Sandbox) -> None:
    """Compare the two accounts."""
    rows, sent = ledger(environ), keyed(gateway.journal)
    accepted = {key for key, entries in sent.items() if any(200 <= one.status < 300 for one in entries)}
    owed = {key for key, (_, basis, _) in rows.items() if basis != "none"}
    assert rows.keys() <= sent.keys()
    # Whether a batch was taken whose answer was a failure, is found out when somebody asks after it.
    assert accepted == {key for key in owed if key in accepted or not sent[key][0].path.endswith("/batches")}
    assert all(state != "running" or sent[key][0].path.endswith("/batches") for key, (state, _, _) in rows.items())
    # Of what was refused under a body of its own, the same call went on under another key.
    assert all(all(one.status >= 400 for one in sent[key]) for key in sent.keys() - rows.keys())


async def ask(client: Client, tool: str, arguments: dict[str, Any]) -> str:
    return text_of(await call(client, tool, **arguments))


async def test_every_tool_that_may_spend_is_tried(server: Environ) -> None:
    """Our promise: this file knows all of them, also one that is added tomorrow."""
    async with connect(MEMORY, server) as client:
        listed = {tool.name for tool in (await client.list_tools()).tools}
    assert listed - FREE == {tool for tool, _, _ in CALLS}


async def test_what_is_answered_is_one_row_each(server: Environ, gateway: Sandbox) -> None:
    """Our promise: one row per upstream call, pieces and parts of a call included."""
    async with connect(MEMORY, server, sampling_callback=HostModel("a fox")) as client:
        await call(client, "usage_report")  # makes the database
        for tool, path, arguments in CALLS:
            before = len(ledger(server))
            gateway.journal.clear()
            said = await ask(client, tool, arguments)
            after = ledger(server)
            accepted = keyed(one for one in gateway.journal if one.status < 300)
            assert len(after) - before == len(accepted) >= PIECES.get(tool, 1), f"{tool} at {path}: {said}"
            assert accepted.keys() <= after.keys()


@pytest.mark.parametrize("fault", ["rate-limit:0", "503:0", "500", "cut:1", "not-json", "empty", "filtered", "status"])
async def test_what_goes_wrong_is_one_row_each_too(server: Environ, gateway: Sandbox, fault: str) -> None:
    """Our promise: retries are the same row; what was refused costs nothing; what broke off may cost."""
    async with connect(MEMORY, server) as client:
        for tool, path, arguments in CALLS:
            gateway.desk.faults.clear()
            gateway.arm(fault, path)
            await ask(client, tool, arguments)
        gateway.desk.faults.clear()
    check(server, gateway)


async def test_what_is_stopped_is_one_row_each_too(server: Environ, gateway: Sandbox) -> None:
    """Our promise: cancelled calls are settled, none goes on holding anything."""
    async with connect(MEMORY, server) as client:
        for tool, path, arguments in CALLS:
            gateway.desk.faults.clear()
            gateway.arm("stall:0", path, times=20)
            gateway.journal.clear()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask, client, tool, arguments)
                await gateway.journal.awaited(lambda one, path=path: one.path.endswith(path) and bool(one.fault))
                tasks.cancel_scope.cancel()
            await gateway.journal.awaited(lambda one: one.ended == "client closed")
        gateway.desk.faults.clear()
        await call(client, "list_models", can="chat")
    rows = ledger(server)
    assert len(rows) >= len(CALLS)
    # A batch that may have been taken holds its sum until somebody looks; nothing else does.
    assert [state for state, _, _ in rows.values()].count("running") == 1


@pytest.mark.parametrize("cap", ["MTU_BUDGET_CALL", "MTU_BUDGET_DAY", "MTU_BUDGET_MONTH"])
async def test_no_way_to_spend_passes_a_cap(server: Environ, gateway: Sandbox, cap: str, tmp_path: Path) -> None:
    """Our promise: caps refuse before spending, whatever tool asks for it, and in whatever part of it."""
    models = tmp_path / "models.json"  # moderation is free, which no cap forbids
    models.write_text('{"models": {"omni-moderation-latest": {"prices": {"call": 0.01}}}}', encoding="utf-8")
    environ = {**server, cap: "0.0000001", "MTU_MODELS_FILE": str(models)}
    async with connect(MEMORY, environ, sampling_callback=HostModel("a fox")) as client:
        for tool, path, arguments in CALLS:
            said = await ask(client, tool, arguments)
            assert "This was not sent" in said, f"{tool} at {path}: {said}"
            assert cap in said, f"{tool} at {path}: {said}"
    assert not keyed(gateway.journal)
    assert not ledger(environ)
