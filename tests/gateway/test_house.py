"""The room's own rules."""

import subprocess
import sys

import mtu_mcp.gateway


def test_every_public_name_is_there():
    """Our promise: names are loaded on first use, so a wrong one would only show then."""
    assert sorted(mtu_mcp.gateway.__all__) == list(mtu_mcp.gateway.__all__)
    assert all(getattr(mtu_mcp.gateway, name).__name__ == name for name in mtu_mcp.gateway.__all__)
    assert set(mtu_mcp.gateway.__all__) <= set(dir(mtu_mcp.gateway))


def test_a_gateway_is_built_without_importing_httpx():
    """Our promise: `serve` answers first; the client is loaded at the first call."""
    code = (
        "import sys; from mtu_mcp.gateway import Gateway, open_scope; from mtu_mcp.settings import Settings;"
        "Gateway(Settings()); print([name for name in ('httpx', 'PIL', 'sqlite3') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", check=True)
    assert found.stdout.strip() == "[]"
