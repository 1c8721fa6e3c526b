"""What a server loads before it answers: a host waits for it, so what is not needed to list tools is not loaded."""

import json
import subprocess
import sys

import pytest

from processes import environment

LIST = """
import asyncio, json, sys
async def main():
    {setup}
    from mcp.server.mcpserver import MCPServer
    assert await server.list_tools()
asyncio.run(main())
print(json.dumps(sorted(sys.modules)))
"""
BARE = """
    from mcp.server.mcpserver import MCPServer
    server = MCPServer("bare")
    async def tool(text: str, count: int = 1) -> str: return text
    server.add_tool(tool)
"""
OURS = """
    import argparse
    from mtu_mcp.app import open_app
    from mtu_mcp.cli import main as command
    from mtu_mcp.cli.serve import settings_from
    from mtu_mcp.server.assembly import build_server
    from mtu_mcp.server.logs import configure
    from mtu_mcp.server.shutdown import Ending
    from mtu_mcp.server.stdio import serve_stdio
    settings = settings_from({})
    configure(settings.log_level, settings.api_key)
    async with open_app(settings) as app:
        server = build_server(app)
"""


def loaded(setup: str) -> set[str]:
    """The modules in memory once a server built like this has listed its tools."""
    done = subprocess.run(
        [sys.executable, "-c", LIST.format(setup=setup.strip())],
        capture_output=True,
        encoding="utf-8",
        env=environment({}),
        timeout=60,
        check=True,
    )
    return set(json.loads(done.stdout))


@pytest.fixture(scope="module")
def ours() -> set[str]:
    return loaded(OURS)


@pytest.fixture(scope="module")
def beyond(ours: set[str]) -> set[str]:
    """Top-level packages that we load and a bare server does not."""
    return {name.split(".")[0] for name in ours} - {name.split(".")[0] for name in loaded(BARE)}


@pytest.mark.parametrize(
    "name",
    ["httpx", "PIL", "sqlite3", "_sqlite3", "rich", "pygments", "wave", "uvicorn.protocols", "mtu_mcp.sandbox"],
)
def test_what_is_slow_is_loaded_where_it_is_used(ours: set[str], name: str) -> None:
    """Our promise: the database, the client, the image library and rich come with the first call that needs them."""
    assert name not in ours


def test_nothing_else_from_outside_is_loaded_than_what_the_sdk_loads(beyond: set[str]) -> None:
    """Our promise: a start costs what the SDK costs."""
    outside = {name for name in beyond if name not in sys.stdlib_module_names and name != "__main__"}
    assert outside <= {"mtu_mcp", "platformdirs"}


def test_the_rooms_are_loaded_no_further_than_listing_needs(ours: set[str]) -> None:
    """Our promise: code that speaks to the gateway, the disk and the database waits for the first call."""
    assert "mtu_mcp.gateway.streams" not in ours
    for name in ("download", "thumbnails", "pictures", "references", "measurement"):
        assert f"mtu_mcp.media.{name}" not in ours
    assert "mtu_mcp.server.http" not in ours
