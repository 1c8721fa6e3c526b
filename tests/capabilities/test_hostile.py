"""Arguments no sensible caller sends: each gets a clear answer, and the next call is served."""

from pathlib import Path
from typing import Any

import pytest

from capabilities.material import BROKE, answered, call, picture, sound
from connections import MEMORY, Cell, connect, text_of

ONE_GATEWAY = True

HUGE = "x" * 1_000_000
HALF = "a\ud800b"
EVIL_TEXT = [
    "",
    "   ",
    "\x00",
    "\x1b[31m\r\n",
    "\u202e\u2028",
    HALF,
    HUGE,
    "%s{0}${HOME}`id`",
    "../../etc/passwd",
    "-1",
]
EVIL_VALUES: list[Any] = [None, True, 0, -1, 10**40, 1.5, float("nan"), float("inf"), [], {}, [[]], {"a": {"b": []}}]
EVIL_PATHS = [
    *EVIL_TEXT,
    "/dev/zero",
    "/proc/self/environ",
    "/etc/passwd",
    "~root/.ssh/id_rsa",
    "file:///etc/passwd",
    "file://server/share/x.png",
    "\\\\server\\share\\x.png",
    "C:\\Windows\\win.ini",
    "data:image/png;base64,!!!",
    "data:,",
    "http://[::1",
    "https://169.254.169.254/latest/meta-data",
    "ftp://example.com/x.png",
    "mtu://media/..%2F..%2Fmtu.db",
    "mtu://status",
    "javascript:alert(1)",
]
ARGUMENTS = {
    "chat": ("prompt", ["model", "conversation", "system", "images", "json_schema", "effort", "max_tokens", "options"]),
    "understand": ("question", ["media", "frames", "model", "conversation", "options"]),
    "generate_image": ("prompt", ["images", "mask", "n", "size", "quality", "output_format", "model", "options"]),
    "transcribe": ("file", ["output", "language", "to_english", "speakers", "hint", "model", "options"]),
    "web_search": ("query", ["engine", "results_only", "digest", "model", "options"]),
    "list_models": ("name", ["can"]),
}
FAST = {"model": "dall-e-2", "size": "256x256"}


@pytest.fixture
def server(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    (tmp_path / "voice.wav").write_bytes(sound(1.0))
    (tmp_path / "fox.png").write_bytes(picture())
    return {**environ, "MTU_ALLOWED_DIRS": str(tmp_path), "MTU_MAX_RETRIES": "0"}


async def survives(client: Any, tool: str, arguments: dict[str, Any]) -> str:
    result = await call(client, tool, **arguments)
    said = text_of(result)
    assert BROKE not in said, (tool, str(arguments)[:200], said)
    assert "Traceback" not in said
    if result.is_error:
        assert 10 < len(said) < 2_000, (tool, str(arguments)[:200], said[:3000])
    return said


@pytest.mark.parametrize("tool", sorted(ARGUMENTS))
async def test_odd_values_of_any_argument_get_a_clear_answer(tool: str, server: dict[str, str]) -> None:
    """Our promise: an error always says what to fix; RFC 8259, section 8.2, lets half a surrogate pair through."""
    first, others = ARGUMENTS[tool]
    base: dict[str, Any] = {first: "voice.wav" if tool == "transcribe" else "tea"}
    if tool == "generate_image":
        base |= FAST
    async with connect(MEMORY, server) as client:
        for value in (*EVIL_TEXT, *EVIL_VALUES):
            await survives(client, tool, {**base, first: value})
            for name in others:
                await survives(client, tool, {**base, name: value})
        await answered(client, "chat", prompt="Still there?")


@pytest.mark.parametrize(
    ("tool", "name", "many"),
    [
        ("chat", "images", True),
        ("understand", "media", True),
        ("generate_image", "images", True),
        ("generate_image", "mask", False),
        ("transcribe", "file", False),
    ],
)
async def test_odd_references_open_nothing(tool: str, name: str, many: bool, server: dict[str, str]) -> None:
    """Our promise: files under the allowed folders, and nothing else, leave this machine."""
    base: dict[str, Any] = {
        "chat": {"prompt": "What?"},
        "understand": {"question": "What?"},
        "generate_image": {"prompt": "a fox", "images": ["fox.png"]},
        "transcribe": {},
    }[tool]
    async with connect(MEMORY, server) as client:
        for reference in EVIL_PATHS:
            said = await survives(client, tool, {**base, name: [reference] if many else reference})
            assert "root:" not in said
            assert "PATH=" not in said


@pytest.mark.parametrize("tool", sorted(ARGUMENTS))
async def test_a_misspelt_argument_is_refused_with_the_right_ones(tool: str, server: dict[str, str]) -> None:
    """Our promise: a misspelt argument is never dropped in silence."""
    first, others = ARGUMENTS[tool]
    async with connect(MEMORY, server) as client:
        said = await survives(client, tool, {first: "tea", "promt": 1})
    assert "There is no argument 'promt'" in said
    assert all(name in said for name in (first, *others))


async def test_options_may_hold_anything_that_is_json(server: dict[str, str]) -> None:
    """Our promise: further fields go to the gateway, which refuses what it does not know by name."""
    deep: Any = 1
    for _ in range(50):
        deep = {"a": deep}
    async with connect(MEMORY, server) as client:
        for value in (float("nan"), HALF, deep, [1, [2, {"b": None}]], "\x00", 10**40):
            await survives(client, "chat", {"prompt": "Hello", "options": {"x": value}})
            await survives(client, "generate_image", {"prompt": "a", "images": ["fox.png"], "options": {"x": value}})
            await survives(client, "web_search", {"query": "tea", "digest": "host", "options": {"x": value}})
        for key in ("", "a\r\nb", "x" * 1000, "é"):
            said = await survives(client, "chat", {"prompt": "Hello", "options": {key: 1}})
            assert "no field has" in said


async def test_an_unknown_tool_is_answered_with_the_tools_there_are(server: dict[str, str]) -> None:
    """MCP specification, tools: an unknown tool is an error; our promise: with the names."""
    async with connect(MEMORY, server) as client:
        said = await survives(client, "chatt", {})
    assert "chat, understand" in said


@pytest.mark.parametrize("cell", [Cell("stdio", "legacy"), Cell("http", "2026-07-28")], ids=str)
async def test_long_and_odd_text_passes_over_a_real_wire(cell: Cell, server: dict[str, str]) -> None:
    """MCP specification, transports: messages are UTF-8, one a line on stdio."""
    async with connect(cell, server) as client:
        assert "maximum context length" in await survives(client, "chat", {"prompt": HUGE * 2, "model": "gpt-4o"})
        assert "\x00\x1b" in await survives(client, "chat", {"prompt": "a\x00\x1b\u2028\n"})
        await survives(client, "web_search", {"query": "\u2028\u0085\r\n"})
