import subprocess
import sys


def test_importing_the_room_imports_nothing_heavy():
    """Our promise: the server answers first; parts are loaded when they are used."""
    code = (
        "import sys, mtu_mcp.media as media; from mtu_mcp.media import Library, Workspace, open_reference, preview, measure\n"
        "print(sorted({'httpx', 'PIL', 'platformdirs', 'anyio', 'asyncio', 'ssl', 'sqlite3'} & set(sys.modules)), len(media.__all__))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", check=True)
    assert done.stdout.startswith("[] ")


def test_every_public_name_can_be_had():
    """The list of names and where they live must agree."""
    import mtu_mcp.media as media

    assert all(getattr(media, name) is not None for name in media.__all__)
