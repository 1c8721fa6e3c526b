"""Arguments made from each tool's own schema, right and wrong: never the apology, never a hang, the server alive.

Examples come from a fixed seed, so a run finds what the last one found; what is found goes to test_hostile as a case.
"""

import math
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir
from mcp import Client

from capabilities.material import BROKE, answered, call, mask, sound
from connections import MODERN, text_of
from mtu_mcp.app import open_app
from mtu_mcp.capabilities import capabilities
from mtu_mcp.capabilities._spec import ToolSpec
from mtu_mcp.sandbox import Sandbox
from mtu_mcp.server.assembly import build_server, build_tool
from mtu_mcp.settings import Settings

ONE_GATEWAY = True
# What hypothesis notes about our sources belongs to no checkout.
set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "hypothesis-of-mtu-mcp")

SPECS: dict[str, ToolSpec] = {tool.name: tool for capability in capabilities() for tool in capability.tools}
EXAMPLES = 50
PATIENCE = 60.0
"""Seconds after which a call counts as hanging; the gateway answers at once."""
WORDS = [
    "tea", "", " ", "\x00", "\ud800", "x" * 5000, "你好", "fox.png", "voice.wav", "tea.txt", "../up", "/dev/zero",
    "file:///etc/passwd", "data:image/png;base64,!!!", "data:,", "https://[", "mtu://media/none.png", "1024x1024",
    "gpt-4o", "whisper-1", "qwen-plus", "dall-e-2", "list_files", "retrieve_file", "job-000000000000", "1e999", "-1",
    "2026-11", "batch_none", "file-none", "%s{0}", "en", "zh",
]  # fmt: skip

# Half a surrogate pair as a name of an object is what the client itself cannot write.
names = st.sampled_from(
    [*(word for word in WORDS if word != "\ud800"), "a", "title", "content", "role", "type", "function", "id"]
)
texts = st.one_of(st.sampled_from(WORDS), st.text(max_size=12))
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.sampled_from([10**30, -(10**30), 0.5, math.inf, -math.inf, math.nan]),
    texts,
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=6
)


def fitting(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values a schema describes, near its bounds."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type")
    if kind == "array":
        return st.lists(fitting(schema.get("items", {})), max_size=3)
    if kind == "object":
        return st.dictionaries(names, anything, max_size=3)
    if kind == "integer":
        return st.integers(schema.get("minimum", -3), schema.get("maximum", 4))
    if kind == "number":
        return st.floats(schema.get("minimum", -1), schema.get("maximum", 4))
    return {"boolean": st.booleans(), "string": texts}.get(str(kind), anything)


def arguments_of(tool: str) -> st.SearchStrategy[dict[str, Any]]:
    """Arguments of a tool, most of them fitting, some of any kind, some left out."""
    schema = build_tool(SPECS[tool]).parameters
    required = set(schema.get("required", ()))
    fits = {name: fitting(one) for name, one in schema["properties"].items()}
    odd = {name: st.one_of(one, one, one, anything) for name, one in fits.items()}
    return st.fixed_dictionaries(
        {name: odd[name] for name in odd if name in required},
        optional={name: odd[name] for name in odd if name not in required},
    )


async def survives(client: Client, tool: str, arguments: dict[str, Any]) -> None:
    with anyio.fail_after(PATIENCE):
        result = await call(client, tool, **arguments)
    said = text_of(result)
    assert BROKE not in said, (tool, arguments, said)
    assert "Traceback" not in said, (tool, arguments, said)
    if result.is_error:
        assert 10 < len(said) < 3_000, (tool, arguments, said[:3000])


@asynccontextmanager
async def connected(environ: dict[str, str], folder: Path) -> AsyncGenerator[Client]:
    (folder / "fox.png").write_bytes(mask())
    (folder / "voice.wav").write_bytes(sound(0.5, "Hello."))
    (folder / "tea.txt").write_text("Tea is a plant.", encoding="utf-8")
    own = {"MTU_ALLOWED_DIRS": str(folder), "MTU_TOOLSETS": "all", "MTU_MAX_RETRIES": "0", "MTU_TIMEOUT": "20"}
    async with open_app(Settings.read({**environ, **own})) as app, Client(build_server(app), mode=MODERN) as client:
        yield client


def drawn(tool: str) -> list[dict[str, Any]]:
    """The examples of a tool, the same on every run: found first and then sent over one connection."""
    found: list[dict[str, Any]] = []

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(arguments_of(tool))
    def draw(arguments: dict[str, Any]) -> None:
        found.append(arguments)

    draw()
    return found


@pytest.mark.parametrize("tool", sorted(SPECS))
async def test_whatever_the_schema_allows_gets_an_answer(
    tool: str, environ: dict[str, str], gateway: Sandbox, tmp_path: Path
) -> None:
    """JSON Schema of each tool; our promise: a clear answer or error to any argument, and the next call is served."""
    async with connected(environ, tmp_path) as client:
        for arguments in drawn(tool):
            await survives(client, tool, arguments)
        assert "6 * 7 = 42" in await answered(client, "chat", prompt="What is 6 * 7?")
