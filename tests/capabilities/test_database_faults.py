"""A database that cannot be used, on every tool and resource: the server serves and says what it could not keep."""

import sqlite3
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.types import ResourceTemplateReference

from capabilities.material import answered, call, mask, sound
from capabilities.test_faults_everywhere import EVERY, check
from connections import HANDSHAKE, MODERN, text_of
from mtu_mcp.app import App, open_app
from mtu_mcp.capabilities import capabilities
from mtu_mcp.capabilities._approval import FREE
from mtu_mcp.records import Database, Records
from mtu_mcp.sandbox import Sandbox
from mtu_mcp.server.assembly import build_server
from mtu_mcp.settings import Settings

ONE_GATEWAY = True
RESOURCES = [resource.uri for capability in capabilities() for resource in capability.resources]
KEPT = {"run_batch", "get_job", "usage_report"}
"""Tools that are of no use without the database: a batch that nobody finds again, jobs, the account."""
HOWS = ["corrupt", "folder", "in the way", "newer", "another program's", "locked", "read-only", "full"]


LIMITS = {"read-only": "PRAGMA query_only = ON", "full": "PRAGMA max_page_count = 1"}


class Limited(Database):
    """Each connection refuses as the disk would, which a test cannot bring about as root."""

    limit: str

    def _open(self) -> sqlite3.Connection:
        connection = super()._open()
        connection.execute(self.limit)
        return connection


async def made(path: Path) -> None:
    """A database of ours."""
    records = Records(path)
    await records.check()
    await records.aclose()


@contextmanager
def spoiled(how: str, path: Path) -> Iterator[str]:
    """Make the database unusable for as long as the block; gives a word of the complaint."""
    words = {"corrupt": "damaged", "folder": "folder", "in the way": "cannot be opened", "newer": "newer"}
    words |= {
        "another program's": "another program",
        "locked": "locked",
        "read-only": "cannot be written",
        "full": "full",
    }
    holder: Any = None
    if how == "corrupt":
        path.write_bytes(b"this is no database at all, " * 400)
    elif how == "folder":
        path.mkdir()
    elif how == "in the way":
        path.parent.rmdir()
        path.parent.write_text("a file where the folder should be", encoding="utf-8")
    elif how in ("newer", "another program's", "locked"):
        holder = sqlite3.connect(path, isolation_level=None)
        if how == "newer":
            holder.execute("PRAGMA user_version = 9999")
        elif how == "locked":
            holder.execute("PRAGMA journal_mode = DELETE")  # with a write-ahead log a writer keeps no reader off
            holder.execute("BEGIN EXCLUSIVE")
        else:
            holder.execute("CREATE TABLE theirs (x)")
    yield words[how]
    if holder is not None:
        holder.close()


@asynccontextmanager
async def serving(how: str, environ: dict[str, str], era: str = MODERN) -> AsyncGenerator[tuple[App, Client]]:
    """A server on a spoilt database, which does not wait long for a lock."""
    async with open_app(Settings.read(environ)) as app:
        database = app.whole_records.database
        database._busy_seconds = 0.01  # pyright: ignore[reportPrivateUsage] - no test waits 5 s for each of many locks
        if how in LIMITS:
            database.__class__ = Limited  # the app opens its own, so the kind of it is changed
            database.limit = LIMITS[how]  # pyright: ignore[reportAttributeAccessIssue]
        async with Client(build_server(app), mode=era) as client:
            yield app, client


@pytest.fixture
def server(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """Variables of a server with every tool, a folder of files, and a folder of its own for the database."""
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "fox.png").write_bytes(mask())
    (folder / "voice.wav").write_bytes(sound(1.0, "Hello."))
    (folder / "tea.txt").write_text("Tea is a plant.", encoding="utf-8")
    (tmp_path / "kept").mkdir()
    more = {"MTU_ALLOWED_DIRS": str(folder), "MTU_TOOLSETS": "all", "MTU_MAX_RETRIES": "0"}
    return {**environ, **more, "MTU_DATABASE_URL": str(tmp_path / "kept" / "mtu.db")}


def test_every_tool_is_tried() -> None:
    """This file's own list: a tool that is added must be added to it."""
    assert {name for name, _ in EVERY} == {tool.name for capability in capabilities() for tool in capability.tools}


@pytest.mark.parametrize("how", HOWS)
async def test_every_tool_answers_without_its_database(how: str, server: dict[str, str], gateway: Sandbox) -> None:
    """Our promise: locked, corrupt, read-only, newer, full: the answer comes, with what could not be kept."""
    if how in ("locked", *LIMITS):
        await made(Path(server["MTU_DATABASE_URL"]))
    with spoiled(how, Path(server["MTU_DATABASE_URL"])) as word:
        async with serving(how, server) as (_, client):
            for tool, arguments in EVERY:
                result = await call(client, tool, **arguments)
                said = text_of(result)
                check(said, f"{how}, {tool}: {said}", server["MTU_API_KEY"])
                useless = tool in KEPT or "conversation" in arguments  # nothing is sent that could not go on later
                assert useless or not result.is_error, f"{how}, {tool}: {said}"
                small = how == "full" and not result.is_error  # what fits into pages that are there is kept
                if not small and (result.is_error or tool not in FREE | {"call_operation"}):
                    assert word in said, f"{how}, {tool}: {said}"
            if how == "full":
                assert word in await answered(client, "chat", prompt="tea " * 20_000, conversation="long")
            assert (await client.list_tools()).tools
            assert "6 * 7 = 42" in await answered(client, "chat", prompt="What is 6 * 7?")


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("era", [HANDSHAKE, MODERN])
async def test_every_resource_answers_without_the_database(
    how: str, era: str, server: dict[str, str], gateway: Sandbox
) -> None:
    """Our promise: the same for resources and completions; the status says what is wrong."""
    if how in ("locked", *LIMITS):
        await made(Path(server["MTU_DATABASE_URL"]))
    with spoiled(how, Path(server["MTU_DATABASE_URL"])) as word:
        async with serving(how, server, era) as (app, client):
            for uri in RESOURCES:
                if "{" in uri:
                    name = uri.partition("{")[2].strip("}+")
                    ref = ResourceTemplateReference(type="ref/resource", uri=uri)
                    await client.complete(ref, {"name": name, "value": ""})
                    uri = uri.partition("{")[0] + "2026-11"
                try:
                    await client.read_resource(uri)
                except MCPError as error:
                    check(error.error.message, f"{uri}: {error.error.message}", server["MTU_API_KEY"])
                    assert "Internal" not in error.error.message, uri
            status = (await client.read_resource("mtu://status")).contents[0]
            if how not in ("read-only", "full"):  # these can still be read
                assert word in getattr(status, "text", ""), how
            with suppress(MCPError):
                await client.read_resource("mtu://jobs")
            assert app.tasks is not None
