"""Roots: local files are allowed under the folders a host names, in both protocol eras and on every transport."""

from pathlib import Path

import pytest

from capabilities.material import answered, messages, picture, refused, sound, spent
from connections import CELLS, MEMORY, Cell, connect, every_cell, roots
from mtu_mcp.sandbox import Sandbox

ONE_GATEWAY = True

Environ = dict[str, str]
unlisted = pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.transport in ("memory", "http")], ids=str)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder that only the host knows of; spaces, Chinese and a percent sign as in real ones."""
    folder = tmp_path / "My 项目 100%"
    folder.mkdir()
    (folder / "红 fox.png").write_bytes(picture())
    (folder / "voice.wav").write_bytes(sound(2.0, "Hello."))
    (tmp_path / "secret.png").write_bytes(picture())
    return folder


@every_cell
async def test_files_under_the_hosts_roots_are_read_and_others_are_not(
    cell: Cell, environ: Environ, gateway: Sandbox, project: Path
) -> None:
    """MCP specification, roots; our promise: it touches only what it may."""
    path = str(project / "红 fox.png")
    async with connect(cell, environ, list_roots_callback=roots(project)) as client:
        assert "PNG" in await answered(client, "understand", question="What?", media=[path])
        assert "PNG" in await answered(client, "chat", prompt="What?", images=["红 fox.png"], model="gpt-4o")
        before = spent(gateway)
        said = await refused(client, "understand", question="What?", media=[str(project.parent / "secret.png")])
        climbing = await refused(client, "understand", question="What?", media=[str(project / ".." / "secret.png")])
    assert "outside the folders" in said
    assert str(project) in said
    assert "outside the folders" in climbing
    assert spent(gateway) == before


@every_cell
async def test_without_roots_only_the_configured_folders_count(
    cell: Cell, environ: Environ, gateway: Sandbox, project: Path
) -> None:
    """Claude Desktop declares no roots; our promise: then MTU_ALLOWED_DIRS and the output folder are what there is."""
    async with connect(cell, {**environ, "MTU_ALLOWED_DIRS": str(project)}) as client:
        assert "Hello." in await answered(client, "transcribe", file=str(project / "voice.wav"))
        said = await refused(client, "transcribe", file=str(project.parent / "secret.png"))
    assert "MTU_ALLOWED_DIRS" in said
    assert spent(gateway) == 1


@unlisted
async def test_every_tool_that_takes_files_asks_for_roots(cell: Cell, environ: Environ, project: Path) -> None:
    """Our promise: one rule for all tools, and `file:` addresses as hosts write them."""
    async with connect(cell, environ, list_roots_callback=roots(project)) as client:
        await answered(client, "transcribe", file=(project / "voice.wav").as_uri())
        await answered(client, "generate_image", prompt="snow", images=["红 fox.png"])


@unlisted
async def test_a_later_turn_opens_media_of_an_earlier_one_under_the_hosts_roots(
    cell: Cell, environ: Environ, gateway: Sandbox, project: Path
) -> None:
    """Our promise: later questions need not repeat the media, also where only the host's roots allow it."""
    async with connect(cell, environ, list_roots_callback=roots(project)) as client:
        await answered(client, "understand", question="What?", media=["红 fox.png"], conversation="fox")
        said = await answered(client, "understand", question="And now?", conversation="fox")
    assert "not sent again" not in said
    assert [part["type"] for part in messages(gateway)[0]["content"]] == ["image_url", "text"]


async def test_a_root_taken_away_takes_its_files_along(environ: Environ, gateway: Sandbox, project: Path) -> None:
    """Our promise: the rules that hold now decide, not those of an earlier turn."""
    async with connect(MEMORY, environ, list_roots_callback=roots(project)) as client:
        await answered(client, "understand", question="What?", media=["红 fox.png"], conversation="fox")
    async with connect(MEMORY, environ, list_roots_callback=roots()) as client:
        said = await answered(client, "understand", question="And now?", conversation="fox")
    assert "from an earlier turn was not sent again" in said
    assert "image_url" not in str(messages(gateway))


async def test_addresses_ask_the_host_nothing(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: a question to the host costs a round; it is asked only for local files."""
    asked: list[str] = []

    async def answer(_: object) -> object:
        asked.append("roots")
        raise AssertionError

    address = gateway.desk.shelve(picture(), "image/png", "png")
    async with connect(MEMORY, environ, list_roots_callback=answer) as client:
        await answered(client, "understand", question="What?", media=[address])
        await answered(client, "chat", prompt="Hello", conversation="talk")
    assert not asked
