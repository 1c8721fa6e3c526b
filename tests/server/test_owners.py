"""What one caller of a shared server makes, another neither sees nor reaches; and nobody's secrets get out."""

import json
import logging
import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from callers import ANN, BOB, JSON, OVER_HTTP, TEAM, Served, issuing, serving, shake_hands
from capabilities.material import answered, picture, refused
from connections import MEMORY, Cell, connect, roots, text_of
from mtu_mcp.app import bind_owner, open_app
from mtu_mcp.sandbox import Sandbox
from mtu_mcp.server.door import Door, parts_of
from mtu_mcp.server.http import security
from mtu_mcp.server.logs import Lines
from mtu_mcp.settings import Settings
from processes import request

Environ = dict[str, str]
every_way = pytest.mark.parametrize("cell", OVER_HTTP, ids=str)
KEY = "sk-test-key-0123456789"


@pytest.fixture
def team(environ: Environ) -> Environ:
    """Variables of a server for two callers, with every tool listed."""
    return {**environ, "MTU_SERVER_TOKENS": TEAM, "MTU_TOOLSETS": "all"}


@asynccontextmanager
async def both(environ: Environ, cell: Cell, **client: Any) -> AsyncGenerator[tuple[Client, Client, Served]]:
    """Two callers of one server at once."""
    async with (
        serving(environ, cell.transport) as served,
        served.caller(ANN, cell.era, **client) as ann,
        served.caller(BOB, cell.era, **client) as bob,
    ):
        yield ann, bob, served


async def read(client: Client, uri: str) -> str:
    [content] = (await client.read_resource(uri)).contents
    return getattr(content, "text", "") or getattr(content, "blob", "")


async def listed(client: Client, uri: str) -> list[Any]:
    return json.loads(await read(client, uri))


@every_way
async def test_a_conversation_is_its_callers_own(gateway: Sandbox, team: Environ, cell: Cell) -> None:
    """Our promise: two callers use the same name and never meet in it, also side by side."""
    async with both(team, cell) as (ann, bob, _), anyio.create_task_group() as tasks:
        for client, word in ((ann, "apricot"), (bob, "blueberry")):
            arguments = {"prompt": f"Remember the word {word}.", "conversation": "plans"}
            tasks.start_soon(client.call_tool, "chat", arguments)
    async with both(team, cell) as (ann, bob, _):
        gateway.journal.clear()
        await answered(ann, "chat", prompt="Which word?", conversation="plans")
        [entry] = gateway.journal.find("/chat/completions")
        assert "apricot" in json.dumps(entry.asked)
        assert "blueberry" not in json.dumps(entry.asked)
        for client, own, other in ((ann, "apricot", "blueberry"), (bob, "blueberry", "apricot")):
            text = await read(client, "mtu://conversations/plans")
            assert own in text
            assert other not in text
            [summary] = await listed(client, "mtu://conversations")
            assert other not in json.dumps(summary)


@every_way
async def test_anothers_conversation_is_not_there(team: Environ, cell: Cell) -> None:
    """Our promise: "not found", whether it is another's or nobody's; completions do not tell its name either."""
    async with both(team, cell) as (ann, bob, _):
        await answered(ann, "chat", prompt="Hello", conversation="secret-plans")
        for name in ("secret-plans", "no-such-plans"):
            with pytest.raises(MCPError, match=f"There is no conversation '{name}'"):
                await read(bob, f"mtu://conversations/{name}")
        from mcp.types import ResourceTemplateReference

        ref = ResourceTemplateReference(type="ref/resource", uri="mtu://conversations/{name}")
        argument = {"name": "name", "value": "secret"}
        assert (await bob.complete(ref, argument)).completion.values == []
        assert (await ann.complete(ref, argument)).completion.values == ["secret-plans"]


@every_way
async def test_a_picture_is_its_callers_own(team: Environ, cell: Cell, tmp_path: Path) -> None:
    """Our promise: neither the list, nor the name, nor the path of another's file leads to it."""
    async with both({**team, "MTU_ALLOWED_DIRS": str(tmp_path)}, cell, list_roots_callback=roots(tmp_path)) as (
        ann,
        bob,
        _,
    ):
        await answered(ann, "generate_image", prompt="A red apple")
        [made] = await listed(ann, "mtu://media")
        assert await read(ann, made["uri"])
        assert await listed(bob, "mtu://media") == []
        with pytest.raises(MCPError, match="There is no saved file"):
            await read(bob, made["uri"])
        folder = Path(made["path"]).parent
        crooked = [
            made["uri"],
            made["path"],
            made["path"] + ".json",
            Path(made["path"]).as_uri(),
            str(folder / ".." / folder.name / made["name"]),
            f"{folder.parent.name}/{folder.name}/{made['name']}",
            made["uri"].replace("apple.png", "appl.png"),
            made["path"].replace("apple.png", "appl.png"),
            f"mtu://media/..%2F{folder.name}%2F{made['name']}",
            str(tmp_path / "mtu.db"),
        ]
        assert made["name"].endswith("apple.png")
        for reference in crooked:
            for tool, arguments in (
                ("understand", {"question": "What is it?", "media": [reference]}),
                ("generate_image", {"prompt": "Bluer", "images": [reference]}),
                ("embed_text", {"file": reference}),
                ("manage_files", {"action": "upload", "file": reference}),
            ):
                said = (await refused(bob, tool, **arguments)).replace(reference, "")
                assert "There is no argument" not in said
                assert made["name"] in reference or made["name"] not in said
                assert folder.name in reference or folder.name not in said
        await answered(ann, "understand", question="What is it?", media=[made["uri"]])
        await answered(ann, "understand", question="What is it?", media=[made["path"]])


async def test_a_name_links_to_nobody_elses_file(team: Environ, tmp_path: Path) -> None:
    """Our promise: what decides is where a link leads."""
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    async with both({**team, "MTU_ALLOWED_DIRS": str(allowed)}, OVER_HTTP[0]) as (ann, bob, _):
        await answered(ann, "generate_image", prompt="A red apple")
        [made] = await listed(ann, "mtu://media")
        try:
            (allowed / "link.png").symlink_to(made["path"])
        except OSError:
            pytest.skip("no links here")
        await refused(bob, "understand", question="What is it?", media=["link.png"])


@every_way
async def test_a_callers_roots_are_not_this_machines_folders(team: Environ, cell: Cell, tmp_path: Path) -> None:
    """Our promise: a caller with a token may sit elsewhere, so the folders its host names open nothing here."""
    house = tmp_path / "house"
    house.mkdir()
    (house / "photo.png").write_bytes(picture())
    async with both(team, cell, list_roots_callback=roots(house, Path("/"))) as (ann, _, _served):
        said = await refused(ann, "understand", question="What is it?", media=[str(house / "photo.png")])
        assert "outside the folders" in said
    allowed = {**team, "MTU_ALLOWED_DIRS": str(house)}
    async with serving(allowed, cell.transport) as served, served.caller(ANN, cell.era) as ann:
        await answered(ann, "understand", question="What is it?", media=[str(house / "photo.png")])


async def test_anothers_job_is_not_there(gateway: Sandbox, team: Environ) -> None:
    """Our promise: a job's id, even known, opens nothing to another caller: not to read, not to cancel."""
    async with both({**team, "MTU_HAND_OFF_AFTER": "0.05"}, OVER_HTTP[0]) as (ann, bob, served):
        gateway.arm("stall", "chat/completions")
        handed = await ann.call_tool("chat", {"prompt": "What is 6 * 7?"})
        [link] = [block for block in handed.content if block.type == "resource_link"]
        job = link.uri.rpartition("/")[2]
        for arguments in ({"job": job}, {"job": job, "cancel": True}, {"job": job, "wait": 1}):
            assert "no job" in (await refused(bob, "get_job", **arguments)).lower()
        with pytest.raises(MCPError):
            await read(bob, link.uri)
        assert job not in text_of(await bob.call_tool("get_job", {}))
        assert job in text_of(await ann.call_tool("get_job", {}))
        assert not served.app.under_way[job].ended.is_set()
        gateway.release()
        await served.app.under_way[job].ended.wait() if job in served.app.under_way else None
        assert "42" in text_of(await ann.call_tool("get_job", {"job": job, "wait": 10}))


async def test_the_same_call_of_another_is_another_call(gateway: Sandbox, team: Environ) -> None:
    """Our promise: only one's own running call is joined; another's answer is never given, nor its cost shared."""
    async with both(team, OVER_HTTP[0]) as (ann, bob, _), anyio.create_task_group() as tasks:
        gateway.arm("stall", "chat/completions", 2)
        for client in (ann, bob):
            tasks.start_soon(client.call_tool, "chat", {"prompt": "What is 6 * 7?"})
        await gateway.journal.awaited(lambda _: len(gateway.journal.find("/chat/completions")) == 2)
        gateway.release()


async def test_usage_is_told_by_caller(team: Environ) -> None:
    """Our promise: the report of one caller counts that caller's calls."""
    async with both(team, OVER_HTTP[0]) as (ann, bob, _):
        for _round in range(2):
            await answered(ann, "chat", prompt="Hello")
        await answered(bob, "chat", prompt="Hello")
        counts = [json.loads(await read(client, "mtu://usage"))["total"]["calls"] for client in (ann, bob)]
        assert counts == [2, 1]
        assert "2 calls" in text_of(await ann.call_tool("usage_report", {}))
    alone = {name: value for name, value in team.items() if name != "MTU_SERVER_TOKENS"}
    async with connect(MEMORY, alone) as client:
        assert json.loads(await read(client, "mtu://usage"))["total"]["calls"] == 3


async def test_what_was_made_before_there_were_callers_stays_the_operators(team: Environ) -> None:
    """Our promise: turning tokens on gives nobody what the person at this machine has, and takes nothing away."""
    alone = {name: value for name, value in team.items() if name != "MTU_SERVER_TOKENS"}
    async with connect(MEMORY, alone) as client:
        await answered(client, "chat", prompt="Hello", conversation="mine")
        await answered(client, "generate_image", prompt="A red apple")
        [made] = await listed(client, "mtu://media")
    async with both(team, OVER_HTTP[0]) as (ann, _, _served):
        assert await listed(ann, "mtu://conversations") == []
        assert await listed(ann, "mtu://media") == []
        await refused(ann, "understand", question="What is it?", media=[made["path"]])
    async with connect(MEMORY, alone) as client:
        assert len(await listed(client, "mtu://conversations")) == 1


@pytest.mark.parametrize("headers", [{"X-Owner": "bob"}, {"X-Forwarded-User": "bob"}, {"Mcp-Owner": "bob"}])
async def test_a_header_makes_nobody_of_anybody(team: Environ, headers: dict[str, str]) -> None:
    """Our promise: the owner comes from the verified token alone."""
    async with serving(team) as served:
        async with served.caller(BOB) as bob:
            await answered(bob, "chat", prompt="Hello", conversation="plans")
        async with httpx.AsyncClient(trust_env=False) as client:
            session = {**await shake_hands(client, served.base, ANN), **headers}
            reading = request(2, "resources/read", {"uri": "mtu://conversations"})
            reading["params"]["_meta"] = {"owner": "bob", "io.modelcontextprotocol/owner": "bob"}
            answer = await client.post(f"{served.base}/mcp", headers=session, content=json.dumps(reading))
            assert "plans" not in answer.text
            assert answer.status_code == 200


async def test_a_session_is_bound_to_its_token(team: Environ) -> None:
    """MCP security best practices, session hijacking: another's session id is as good as none."""
    async with serving(team) as served, httpx.AsyncClient(trust_env=False) as client:
        session = await shake_hands(client, served.base, ANN)
        stolen = {**session, "Authorization": f"Bearer {BOB}"}
        ping = json.dumps(request(2, "ping"))
        assert (await client.post(f"{served.base}/mcp", headers=stolen, content=ping)).status_code == 404
        assert (await client.request("DELETE", f"{served.base}/mcp", headers=stolen)).status_code == 404
        assert (await client.get(f"{served.base}/mcp", headers=stolen)).status_code == 404
        assert (await client.post(f"{served.base}/mcp", headers=session, content=ping)).status_code == 200


async def test_an_older_session_is_bound_to_its_token_too(team: Environ) -> None:
    """The same for the pair of endpoints of the older transport: the message endpoint takes one's own messages only."""
    async with serving(team, "sse") as served, httpx.AsyncClient(trust_env=False) as client:
        own = {**JSON, "Authorization": f"Bearer {ANN}"}
        async with client.stream("GET", f"{served.base}/sse", headers=own) as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data: "):
                    break
            where = served.base + line.removeprefix("data: ")
            ping = json.dumps(request(2, "ping"))
            stolen = {**own, "Authorization": f"Bearer {BOB}"}
            assert (await client.post(where, headers=stolen, content=ping)).status_code == 404
            assert (await client.post(where, headers=JSON, content=ping)).status_code == 401
            assert (await client.post(where, headers=own, content=ping)).status_code == 202


async def test_two_subjects_of_one_issuer_are_two_callers(environ: Environ) -> None:
    """RFC 7519: the subject says who; another token of the same subject is the same caller."""
    async with issuing() as issuer:
        variables = {**environ, "MTU_JWT_ISSUER": issuer.address, "MTU_JWT_AUDIENCE": "https://mcp.example.com/mcp"}
        async with serving(variables) as served:
            async with served.caller(issuer.token("ann")) as ann:
                await answered(ann, "chat", prompt="Hello", conversation="plans")
            async with served.caller(issuer.token("ann", exp=32503680000)) as again:
                assert len(await listed(again, "mtu://conversations")) == 1
            async with served.caller(issuer.token("bob")) as bob:
                assert await listed(bob, "mtu://conversations") == []


NAMES = ["ann", "ANN", "a.n-n_", "../../etc", "CON", "https://id.example ann", "安娜", "a" * 500, "\ud800", "a/b\\c:d"]


async def test_callers_folders_never_meet_or_escape(environ: Environ, tmp_path: Path) -> None:
    """Our promise: one folder for each name, inside the output folder, on every system."""
    async with open_app(Settings.read(environ)) as app:
        folders = [app.whole_library.for_owner(name).folder for name in NAMES]
        assert len({str(folder).lower() for folder in folders}) == len(NAMES)
        for folder in folders:
            assert folder.parent == tmp_path / "made" / "callers"
            assert len(folder.name) < 60
            assert set(folder.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


async def test_two_calls_of_one_caller_take_turns_in_a_conversation(environ: Environ) -> None:
    """Our promise: a caller's own calls queue, whichever view of the database each of them holds."""
    async with open_app(Settings.read(environ)) as app:
        order: list[str] = []

        async def talk(name: str, began: anyio.Event, go: anyio.Event) -> None:
            bind_owner("ann")
            async with app.records.conversations.turn("plans"):
                order.append(f"{name} in")
                began.set()
                await go.wait()
                order.append(f"{name} out")

        first, second, go = anyio.Event(), anyio.Event(), anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(talk, "first", first, go)
            await first.wait()
            tasks.start_soon(talk, "second", second, go)
            await anyio.wait_all_tasks_blocked()
            assert order == ["first in"]
            go.set()
        assert order == ["first in", "first out", "second in", "second out"]


async def test_what_rounds_of_a_call_share_is_the_callers_own(environ: Environ) -> None:
    """Our promise: a question one caller paid for does not answer another's, and nobody pushes another's out."""
    async with open_app(Settings.read(environ)) as app:
        made: list[str] = []

        def make(word: str) -> Callable[[], Any]:
            async def run() -> str:
                made.append(word)
                return word

            return run

        bind_owner("ann")
        assert await app.memo.once("question", make("ann's")) == "ann's"
        bind_owner("bob")
        assert await app.memo.once("question", make("bob's")) == "bob's"
        for number in range(200):
            await app.memo.once(number, make("x"))
        app.memo.forget("question")
        bind_owner("ann")
        assert await app.memo.once("question", make("again")) == "ann's"
        bind_owner("")


# --- nothing secret gets out ---


class Recorder(httpx.AsyncBaseTransport):
    """The way to the gateway, written down byte for byte."""

    def __init__(self) -> None:
        self._way = httpx.AsyncHTTPTransport()
        self.sent: list[bytes] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        head = [str(request.url).encode(), *(name + b": " + value for name, value in request.headers.raw)]
        self.sent += [*head, await request.aread()]
        return await self._way.handle_async_request(request)

    async def aclose(self) -> None:
        await self._way.aclose()


async def everything(client: Client, heard: list[str]) -> None:
    """A caller who uses what there is, also wrongly."""
    calls: list[tuple[str, dict[str, Any]]] = [
        ("chat", {"prompt": "What is 6 * 7?", "conversation": "plans"}),
        ("chat", {"prompt": "again", "model": "no-such-model"}),
        ("chat", {"nonsense": True}),
        ("generate_image", {"prompt": "A red apple"}),
        ("understand", {"question": "What?", "media": ["/etc/passwd"]}),
        ("web_search", {"query": "apples"}),
        ("list_models", {}),
        ("usage_report", {}),
        ("get_job", {}),
    ]
    for tool, arguments in calls:
        heard.append((await client.call_tool(tool, arguments)).model_dump_json())
    for resource in (await client.list_resources()).resources:
        heard.append((await client.read_resource(resource.uri)).model_dump_json())
    for listing in (client.list_tools, client.list_prompts, client.list_resource_templates):
        heard.append((await listing()).model_dump_json())


def files_in(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


@every_way
async def test_neither_token_nor_key_gets_anywhere(
    team: Environ, cell: Cell, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Our promise: the caller's token never goes upstream, and neither it nor the key is in an answer, log, file or row."""
    heard: list[str] = []
    recorder = Recorder()
    caplog.set_level(logging.DEBUG)
    async with serving({**team, "MTU_LOG_LEVEL": "DEBUG"}, cell.transport, recorder) as served:
        async with served.caller(ANN, cell.era, logging_callback=None) as client:
            await everything(client, heard)
        formatter = Lines(*served.app.settings.secrets)
    upstream = b"\n".join(recorder.sent)
    assert KEY.encode() in upstream
    assert ANN.encode() not in upstream
    assert b"ann-token" not in upstream
    told = "\n".join(heard)
    logs = "\n".join(formatter.format(record) for record in caplog.records if record.name.startswith(("mtu", "mcp")))
    files = files_in(tmp_path)
    assert [file for file in files if file.suffix == ".json"]
    assert [file for file in files if file.name == "mtu.db"]
    kept = b"\n".join(file.read_bytes() for file in files)
    for secret in (ANN, BOB, KEY):
        assert secret not in told
        assert secret not in logs
        assert secret.encode() not in kept


async def test_what_is_inside_the_door_never_sees_the_token(team: Environ) -> None:
    """Our promise: a request that handlers, tracers and logs can reach has lost its token; what names its caller has none."""
    seen: list[Any] = []

    async def inside(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    settings = Settings.read(team)
    door = Door(inside, settings, security("127.0.0.1"), *parts_of(settings))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://127.0.0.1") as client:
        await client.post("/mcp", headers={"Authorization": f"Bearer {ANN}", "X-Other": "kept"})
    [scope] = seen
    assert scope["user"].access_token.client_id == "ann"
    assert b"kept" in dict(scope["headers"]).values()
    assert ANN not in repr(scope) + repr(scope["user"].access_token)


def test_settings_shown_or_logged_hide_tokens() -> None:
    """Our promise: a representation of the settings holds no secret."""
    settings = Settings.read({"MTU_SERVER_TOKENS": TEAM, "MTU_API_KEY": KEY})
    for text in (repr(settings), str(settings), settings.model_dump_json()):
        assert ANN not in text
        assert KEY not in text
    record = logging.LogRecord("x", logging.ERROR, "", 0, "leaked %s and %s", (ANN, KEY), None)
    assert ANN not in Lines(*settings.secrets).format(record)


def rows(environ: Environ, query: str) -> list[Any]:
    connection = sqlite3.connect(environ["MTU_DATABASE_URL"])
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


async def test_every_row_has_its_owner(team: Environ) -> None:
    """Our promise: conversations and the ledger are kept under the caller's name."""
    async with both(team, OVER_HTTP[1]) as (ann, bob, _):
        for client in (ann, bob):
            await answered(client, "chat", prompt="Hello", conversation="plans")
    for table in ("conversations", "ledger"):
        assert sorted(rows(team, f"SELECT owner FROM {table}")) == [("ann",), ("bob",)]
