"""What a gateway can do wrong, on the tools of every toolset, and what goes wrong at home: a clear word, the server alive."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO, Self

import anyio
import pytest
from mcp import Client

from capabilities.material import BROKE, answered, call, mask, sound
from connections import HANDSHAKE, MEMORY, MODERN, Cell, connect, text_of
from mtu_mcp.app import open_app
from mtu_mcp.media import Library
from mtu_mcp.sandbox import Sandbox
from mtu_mcp.sandbox.faults import FAULTS
from mtu_mcp.server.assembly import build_server
from mtu_mcp.settings import Settings

ONE_GATEWAY = True

HARMLESS = {"pings", "split-utf8", "crlf", "no-done", "no-blank-end", "slow", "lying-content-type"}
CHAT = "/chat/completions"
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("speak", "/audio/speech", {"text": "Hello there."}),
    ("translate_text", CHAT, {"text": "Good morning.", "target": "zh"}),
    ("complete_code", "/completions", {"prefix": "def add(a, b):"}),
    ("complete_code", "/completions", {"prefix": "def add(a, b):", "suffix": "print(add(1, 2))"}),
    ("compare_models", CHAT, {"prompt": "Hello", "models": ["gpt-4o", "qwen-plus"]}),
    ("ask_document", "/files", {"question": "What is it?", "documents": ["tea.txt"]}),
    ("ask_document", CHAT, {"question": "What is it?", "text": "Tea is a plant."}),
    ("run_batch", "/files", {"prompts": ["one", "two"]}),
    ("run_batch", "/batches", {"prompts": ["one", "two"]}),
    ("embed_text", "/embeddings", {"texts": ["tea", "coffee"], "query": "kettle"}),
    ("moderate_content", "/moderations", {"texts": ["tea"]}),
    ("moderate_content", "/moderations", {"images": ["fox.png"]}),
    ("manage_files", "/files", {"action": "upload", "file": "tea.txt"}),
    ("manage_files", "/files", {"action": "list"}),
    ("call_operation", "/files", {"name": "list_files"}),
    ("call_operation", "/images/variations", {"name": "create_image_variation", "arguments": {"image": "fox.png"}}),
    ("list_models", "/models", {}),
]
EVERY: list[tuple[str, dict[str, Any]]] = [
    ("chat", {"prompt": "Hello", "conversation": "talk"}),
    ("understand", {"question": "What?", "media": ["fox.png"]}),
    ("generate_image", {"prompt": "a fox", "model": "dall-e-2", "size": "256x256"}),
    ("transcribe", {"file": "voice.wav"}),
    ("web_search", {"query": "tea", "engine": "baidu", "results_only": True}),
    ("get_job", {}),
    ("find_operation", {"words": "tea"}),
    ("usage_report", {}),
    *((tool, arguments) for tool, _, arguments in CALLS),
]


@pytest.fixture
def server(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """A server with every toolset and a folder of files."""
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "fox.png").write_bytes(mask())
    (folder / "voice.wav").write_bytes(sound(1.0, "Hello."))
    (folder / "tea.txt").write_text("Tea is a plant.", encoding="utf-8")
    return {**environ, "MTU_ALLOWED_DIRS": str(folder), "MTU_TOOLSETS": "all", "MTU_MAX_RETRIES": "0"}


def check(said: str, where: str, key: str) -> None:
    assert BROKE not in said, where
    assert "Traceback" not in said, where
    assert "<html" not in said.lower(), where
    assert key not in said, where


@pytest.mark.parametrize("fault", sorted(FAULTS.keys() - {"stall"}))
async def test_every_toolset_survives_the_fault(fault: str, server: dict[str, str], gateway: Sandbox) -> None:
    """Our promise: every fault on every tool is a clear error or a marked partial answer."""
    async with connect(MEMORY, server) as client:
        for tool, path, arguments in CALLS:
            gateway.desk.faults.clear()
            gateway.arm("slow:0.001" if fault == "slow" else fault, path)
            result = await call(client, tool, **arguments)
            said = text_of(result)
            check(said, f"{fault}, {tool} at {path}: {said}", server["MTU_API_KEY"])
            if fault in HARMLESS:
                assert not result.is_error, f"{tool} at {path}: {said}"
            elif result.is_error:
                assert 20 < len(said) < 900, f"{tool} at {path}: {said}"
        gateway.desk.faults.clear()
        assert "6 * 7 = 42" in await answered(client, "chat", prompt="What is 6 * 7?")


async def test_a_gateway_that_says_nothing_is_given_up(server: dict[str, str], gateway: Sandbox) -> None:
    """Our promise: MTU_TIMEOUT seconds without a byte end a call, on every tool. All wait side by side."""
    for path in {path for _, path, _ in CALLS}:
        gateway.arm("stall:0", path, times=50)
    said: dict[str, str] = {}
    async with connect(MEMORY, {**server, "MTU_TIMEOUT": "1"}) as client:

        async def ask(tool: str, path: str, arguments: dict[str, Any]) -> None:
            said[f"{tool} at {path}"] = text_of(await call(client, tool, **arguments))

        async with anyio.create_task_group() as tasks:
            for tool, path, arguments in CALLS:
                tasks.start_soon(ask, tool, path, arguments)
        gateway.desk.faults.clear()
        assert "6 * 7 = 42" in await answered(client, "chat", prompt="What is 6 * 7?")
    for where, text in said.items():
        check(text, f"{where}: {text}", server["MTU_API_KEY"])


FIFTY = [Cell(transport, era) for transport in ("stdio", "http") for era in (HANDSHAKE, MODERN)]


@pytest.mark.filterwarnings("ignore:ping is removed")
@pytest.mark.parametrize("cell", [*FIFTY, Cell("sse", HANDSHAKE)], ids=str)
async def test_while_fifty_calls_hang_others_are_answered(cell: Cell, server: dict[str, str], gateway: Sandbox) -> None:
    """Our promise: while 50 calls hang, another call answers at once; nothing is timed, the 50 are still waiting."""
    gateway.arm("stall:0", CHAT, times=50)
    ended: list[int] = []
    async with connect(cell, {**server, "MTU_HAND_OFF_AFTER": "600"}) as client, anyio.create_task_group() as tasks:

        async def hang(number: int) -> None:
            await client.call_tool("chat", {"prompt": f"Hello {number}"})
            ended.append(number)

        for number in range(50):
            tasks.start_soon(hang, number)
        await waiting(gateway, 50)
        if cell.era == HANDSHAKE:  # 2026-07-28 has no ping
            await client.send_ping()
        assert "gpt-4o" in await answered(client, "list_models", can="chat")
        assert (await client.list_tools()).tools
        assert "tea" in (await answered(client, "moderate_content", texts=["tea"])).lower()
        assert ended == []
        tasks.cancel_scope.cancel()
    gateway.release()


async def waiting(gateway: Sandbox, calls: int) -> None:
    """Until so many chats wait for the gateway."""

    def enough(_: Any) -> bool:
        return len([one for one in gateway.journal.find(CHAT) if one.fault and not one.ended]) >= calls

    await gateway.journal.awaited(enough, timeout=60.0)


@asynccontextmanager
async def with_disk(environ: dict[str, str], create: Any) -> AsyncGenerator[Client]:
    """A client of a server whose output folder is opened for writing by `create`."""
    settings = Settings.read(environ)
    async with open_app(settings) as app:
        app.whole_library = Library(settings.output_dir, create=create)
        async with Client(build_server(app), mode=MODERN) as client:
            yield client


class Full:
    """A disk that takes nothing, or nothing after so many bytes; the error is the system's own."""

    def __init__(self, left: int) -> None:
        self.left = left

    def __call__(self, path: Path) -> BinaryIO:
        stream = path.open("xb", buffering=0)
        disk, write = self, stream.write

        class Limited:
            def write(self, data: bytes) -> int:
                disk.left -= len(data)
                if disk.left < 0:
                    raise OSError(28, "No space left on device", str(path))
                return write(data)

            def __enter__(self) -> Self:
                return self

            def __exit__(self, *_: object) -> None:
                stream.close()

            def flush(self) -> None:
                stream.flush()

            def fileno(self) -> int:
                return stream.fileno()

        return Limited()  # type: ignore[return-value]


@pytest.mark.parametrize("left", [0, 500])
async def test_a_full_disk_keeps_the_answer_in_the_reply(left: int, server: dict[str, str], gateway: Sandbox) -> None:
    """Our promise: a full disk gives a clear error and what was paid for is in the reply."""
    folder = Path(server["MTU_OUTPUT_DIR"])
    async with with_disk(server, Full(left)) as client:
        for tool, arguments in EVERY:
            result = await call(client, tool, **arguments)
            check(text_of(result), f"{tool}: {text_of(result)}", server["MTU_API_KEY"])
        picture = await call(client, "generate_image", prompt="a fox", model="dall-e-2", size="256x256")
        speech = await call(client, "speak", text="Hello there.")
    assert not picture.is_error
    assert [block.type for block in picture.content].count("image") == 1
    assert "full" in text_of(picture)
    assert "full" in text_of(speech)
    assert half_written(folder) == []


def half_written(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*.part")] if folder.is_dir() else []


def spoil_database(how: str, path: Path) -> Any:
    """Make the database unusable; what is returned keeps it so."""
    import sqlite3

    if how == "corrupt":
        path.write_bytes(b"this is no database at all, " * 400)
    elif how == "folder":
        path.mkdir()
    elif how == "newer":
        with sqlite3.connect(path) as newer:
            newer.execute("PRAGMA user_version = 9999")
        newer.close()
    elif how == "locked":
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("PRAGMA journal_mode = WAL")
        holder.execute("CREATE TABLE held (x)")
        holder.execute("BEGIN EXCLUSIVE")
        return holder
    return None


@pytest.mark.parametrize("how", ["corrupt", "folder", "newer"])
async def test_without_a_database_every_tool_still_answers(how: str, server: dict[str, str], gateway: Sandbox) -> None:
    """Our promise: database corrupt, newer or not to be opened: the server serves and says what it could not keep."""
    spoil_database(how, Path(server["MTU_DATABASE_URL"]))
    async with connect(MEMORY, server) as client:
        for tool, arguments in EVERY:
            result = await call(client, tool, **arguments)
            check(text_of(result), f"{tool}: {text_of(result)}", server["MTU_API_KEY"])
        said = text_of(await call(client, "chat", prompt="What is 6 * 7?"))
    assert "6 * 7 = 42" in said
    assert "Note: " in said


async def test_a_locked_database_does_not_hold_an_answer_back(server: dict[str, str], gateway: Sandbox) -> None:
    """Our promise: the answer comes, with a word on what could not be entered."""
    holder = spoil_database("locked", Path(server["MTU_DATABASE_URL"]))
    try:
        async with connect(MEMORY, server) as client:
            said = text_of(await call(client, "chat", prompt="What is 6 * 7?"))
    finally:
        holder.close()
    assert "6 * 7 = 42" in said
    assert "Note: " in said
