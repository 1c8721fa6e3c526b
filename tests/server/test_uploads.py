"""Handing a file in by a link: who may, what is kept, and what an attacker or an accident makes of it."""

import re
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import anyio
import httpx
import pytest
from mcp.types import TextContent
from starlette.requests import Request

from callers import ANN, BOB, OVER_HTTP, TEAM, Served, serving
from capabilities.material import answered, picture, refused, sound
from connections import MODERN, Cell
from mtu_mcp.app import App, open_app
from mtu_mcp.errors import StorageError
from mtu_mcp.media.spool import Spool
from mtu_mcp.media.tickets import MOST_OF_ONE, SECONDS, Tickets
from mtu_mcp.server.uploads import MOST_BYTES, Uploads, tickets_for
from mtu_mcp.settings import Settings

Environ = dict[str, str]
PICTURE = picture()
MARK = f"{MOST_BYTES:,}".encode()


@asynccontextmanager
async def browsing() -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        yield client


def link_in(said: str) -> str:
    found = re.search(r"http://127\.0\.0\.1:\d+/upload/[\w-]{43}", said)
    assert found, said
    return found[0]


async def invited(served: Served, token: str = "", era: str = MODERN) -> str:
    """A link as a call gets it."""
    async with served.caller(token, era) as client:
        return link_in(await answered(client, "understand", question="What?", media=["upload"]))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def kept(environ: Environ) -> list[str]:
    """Every file below the output folder, hidden ones too, by its name."""
    return sorted(path.name for path in Path(environ["MTU_OUTPUT_DIR"]).rglob("*") if path.is_file())


@pytest.mark.parametrize("cell", OVER_HTTP, ids=str)
async def test_a_file_is_handed_in_and_used(cell: Cell, environ: Environ) -> None:
    """Our promise: over every HTTP transport and era a call gives the link, and the file has a name to call it by."""
    async with (
        serving(environ, cell.transport) as served,
        served.caller("", cell.era) as client,
        browsing() as browser,
    ):
        link = link_in(await answered(client, "understand", question="What?", media=["upload"]))
        shown = await browser.get(link)
        assert (shown.status_code, "file" in shown.text) == (200, True)
        given = await browser.put(link, content=PICTURE, headers={"X-File-Name": quote("红 fox.png")})
        assert given.status_code == 201
        told = given.json()
        assert told["size"] == len(PICTURE)
        assert "PNG" in await answered(client, "understand", question="What?", media=[told["uri"]])
        said = await answered(client, "understand", question="And?", media=["latest"])
        assert said.startswith(f"Latest picture: {told['name']}")
        listed = await client.read_resource("mtu://media")
        assert "fox" in str(listed)


@pytest.mark.parametrize(
    "media", ["/mnt/user-data/uploads/x.png", "x.png", "/etc/hosts", "~/Downloads/x.png", "latest video"]
)
async def test_a_file_that_cannot_be_seen_gets_a_link(media: str, environ: Environ) -> None:
    """Our promise: the error about a file says what a person can do at once."""
    async with serving(environ) as served, served.caller("") as client, browsing() as browser:
        said = await refused(client, "understand", question="What?", media=[media])
        assert (await browser.get(link_in(said))).status_code == 200
        for other in ("mtu://media/x.png", "data:image/png;base64,AAAA"):
            assert "/upload/" not in await refused(client, "understand", question="What?", media=[other])


async def test_a_link_is_good_for_one_file(environ: Environ) -> None:
    """RFC 9110, 410: gone; what was handed in stays what it was."""
    async with serving(environ) as served, browsing() as browser:
        link = await invited(served)
        assert (await browser.put(link, content=PICTURE)).status_code == 201
        before = kept(environ)
        second = await browser.put(link, content=sound())
        assert (second.status_code, second.json()["error"]) == (410, "used")
        assert (await browser.get(link)).status_code == 410
        assert kept(environ) == before


async def test_two_at_once_are_one(environ: Environ) -> None:
    """Our promise: one link, one file, also in a race."""
    begun, go = anyio.Event(), anyio.Event()

    async def slowly() -> AsyncGenerator[bytes]:
        yield PICTURE[:10]
        begun.set()
        await go.wait()
        yield PICTURE[10:]

    found: list[int] = []

    async with serving(environ) as served, browsing() as browser:
        link = await invited(served)

        async def first() -> None:
            found.append((await browser.put(link, content=slowly())).status_code)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(first)
            await begun.wait()
            while served.app.uploads and served.app.uploads.find(link.rpartition("/")[2]).state != "taking":  # pyright: ignore[reportOptionalMemberAccess]
                await anyio.lowlevel.checkpoint()
            second = await browser.put(link, content=PICTURE)
            assert (second.status_code, second.json()["error"]) == (409, "taking")
            go.set()
    assert found == [201]
    assert len([name for name in kept(environ) if name.endswith(".png")]) == 1


@pytest.mark.parametrize(
    "name",
    [
        "../../../../etc/cron.d/evil",
        "..%2f..%2fevil.png",
        "C:\\Windows\\System32\\evil.dll",
        "/etc/passwd",
        "nul.png",
        "a.png:stream",
        ".bashrc",
        "evil.html",
        "\r\nSet-Cookie: a=b",
        "a" * 5000,
        "\u202egnp.exe",
        "",
        "...",
    ],
)
async def test_the_name_a_browser_gives_is_only_words(name: str, environ: Environ, tmp_path: Path) -> None:
    """OWASP, unrestricted file upload: the file lies in the output folder, under the ending its bytes have."""
    async with serving(environ) as served, browsing() as browser:
        given = await browser.put(await invited(served), content=PICTURE, headers={"X-File-Name": quote(name)})
    assert given.status_code == 201
    [saved] = [one for one in kept(environ) if one.endswith(".png")]
    assert saved == given.json()["name"]
    assert re.fullmatch(r"\d{8}-\d{6}[^/\\:<>|*?\"\x00-\x1f\u202e]*\.png", saved)
    assert (Path(environ["MTU_OUTPUT_DIR"]) / saved).read_bytes() == PICTURE
    assert names(tmp_path) <= {"made", "mtu.db", "mtu.db-wal", "mtu.db-shm"}


@pytest.mark.parametrize("body", [b"MZ\x90\x00" + bytes(2000), b"\x7fELF" + bytes(3 << 20), bytes(100)])
async def test_what_no_tool_could_use_is_not_kept(body: bytes, environ: Environ) -> None:
    """OWASP, unrestricted file upload: told by the bytes; the link stays open for the right file."""
    async with serving(environ) as served, browsing() as browser:
        link = await invited(served)
        wrong = await browser.put(link, content=body, headers={"X-File-Name": "holiday.png"})
        assert (wrong.status_code, wrong.json()["error"]) == (415, "kind")
        assert kept(environ) == []
        assert (await browser.put(link, content=PICTURE)).status_code == 201


async def test_a_gigabyte_declared_is_refused_before_it_is_sent(environ: Environ) -> None:
    """RFC 9110, 413: nothing is read of what is too large anyway."""
    async with serving(environ) as served:
        link = await invited(served)
        head = (
            f"PUT {urlsplit(link).path} HTTP/1.1\r\nHost: {urlsplit(link).netloc}\r\nContent-Length: {1 << 30}\r\n\r\n"
        )

        def send() -> bytes:
            with closing(socket.create_connection((urlsplit(link).hostname, urlsplit(link).port), 20)) as wire:
                wire.sendall(head.encode())
                heard = b""
                while MARK not in heard and (packet := wire.recv(4096)):
                    heard += packet
                return heard

        answer = await anyio.to_thread.run_sync(send)
        assert b" 413 " in answer.partition(b"\r\n")[0]
        assert MARK in answer
        assert kept(environ) == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:6274"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Host": "evil.example"}, 421),
    ],
)
async def test_other_pages_cannot_hand_in(headers: dict[str, str], status: int, environ: Environ) -> None:
    """Fetch standard; MCP transports, security warning: not even a page of this machine's on another port."""
    async with serving(environ) as served, browsing() as browser:
        link = await invited(served)
        assert (await browser.put(link, content=PICTURE, headers=headers)).status_code == status
        asked = {**headers, "Origin": "https://evil.example", "Access-Control-Request-Method": "PUT"}
        preflight = await browser.request("OPTIONS", link, headers=asked)
        assert "access-control-allow-origin" not in preflight.headers
        assert kept(environ) == []
        base = link.partition("/upload")[0]
        own = {"Origin": base, "Sec-Fetch-Site": "same-origin"}
        assert (await browser.put(link, content=PICTURE, headers=own)).status_code == 201


@pytest.mark.parametrize("token", ["", "x", "%2e%2e%2fmcp", "A" * 43, "A" * 5000, "%00", "%F0%9F%A6%8A"])
async def test_a_link_cannot_be_made_up(token: str, environ: Environ) -> None:
    """Our promise: 256 random bits."""
    async with serving(environ) as served, browsing() as browser:
        await invited(served)
        for answer in (
            await browser.put(f"{served.base}/upload/{token}", content=PICTURE),
            await browser.get(f"{served.base}/upload/{token}"),
        ):
            assert answer.status_code in (404, 405)
    assert kept(environ) == []


async def test_a_file_belongs_to_the_caller_who_was_given_the_link(environ: Environ) -> None:
    """Our promise: with tokens the link is the permission, whoever follows it, and the file the inviter's."""
    async with serving({**environ, "MTU_SERVER_TOKENS": TEAM}) as served, browsing() as browser:
        link = await invited(served, ANN)
        given = await browser.put(link, content=PICTURE, headers={"Authorization": f"Bearer {BOB}"})
        assert given.status_code == 201
        uri = given.json()["uri"]
        async with served.caller(ANN) as ann, served.caller(BOB) as bob:
            assert "PNG" in await answered(ann, "understand", question="What?", media=[uri])
            assert "no saved file" in await refused(bob, "understand", question="What?", media=[uri])
            assert "There is no" in await refused(bob, "understand", question="What?", media=["latest"])
        alone = await browser.put(await invited(served, ANN), content=PICTURE)
        assert alone.status_code == 201
        for path in ("/mcp", "/ui/", "/upload/../ui/"):
            assert (await browser.get(served.base + path)).status_code == 401


async def test_ten_links_take_ten_files_at_once(environ: Environ) -> None:
    """Our promise: callers do not disturb each other."""
    found: list[tuple[int, str]] = []
    async with serving(environ) as served, browsing() as browser:
        links = [await invited(served) for _ in range(10)]

        async def give(link: str) -> None:
            answer = await browser.put(link, content=PICTURE, headers={"X-File-Name": "same.png"})
            found.append((answer.status_code, answer.json()["uri"]))

        async with anyio.create_task_group() as tasks:
            for link in links:
                tasks.start_soon(give, link)
    assert {status for status, _ in found} == {201}
    assert len({uri for _, uri in found}) == 10


# --- accidents, with the parts themselves


@asynccontextmanager
async def parts(environ: Environ, **how: Any) -> AsyncGenerator[tuple[App, Uploads, str]]:
    """A server's App, what takes its files, and the token of a link."""
    async with open_app(Settings.read(environ)) as app:
        tickets = Tickets("http://127.0.0.1:1")
        app.uploads = tickets
        yield app, Uploads(app, tickets, **how), tickets.issue("").rpartition("/")[2]


async def put(uploads: Uploads, token: str, chunks: Sequence[bytes], *, end: str = "whole", **headers: str) -> int:
    """A request whose body ends well, is cut, or stops coming; returns the answer's status."""
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    last = {"whole": {"type": "http.request", "body": b"", "more_body": False}, "cut": {"type": "http.disconnect"}}

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        if end not in last:
            await anyio.sleep_forever()
        return last[end]

    pairs = [(name.lower().encode(), value.encode()) for name, value in {"Host": "127.0.0.1:1", **headers}.items()]
    scope = {"type": "http", "method": "PUT", "scheme": "http", "path": f"/upload/{token}", "query_string": b""}
    scope |= {"headers": pairs, "path_params": {"token": token}, "server": ("127.0.0.1", 1)}
    return (await uploads.take(Request(scope, receive))).status_code  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(("end", "status"), [("cut", 400), ("stalled", 408)])
async def test_a_file_that_does_not_arrive_whole_leaves_nothing(environ: Environ, end: str, status: int) -> None:
    """RFC 9110, 408; our promise: the disk is as before, and the link open for another try."""
    async with parts(environ, idle=0.05) as (_, uploads, token):
        assert await put(uploads, token, [PICTURE], end=end) == status
        assert kept(environ) == []
        assert await put(uploads, token, [PICTURE]) == 201


async def test_a_body_that_grows_beyond_the_limit_is_stopped(environ: Environ) -> None:
    """RFC 9110, 413, where no length was declared."""
    async with parts(environ, most=5000) as (_, uploads, token):
        assert await put(uploads, token, [PICTURE, *[bytes(1000)] * 10]) == 413
        assert await put(uploads, token, []) == 400
        assert kept(environ) == []
        assert await put(uploads, token, [PICTURE]) == 201


async def test_a_full_disk_is_told(environ: Environ) -> None:
    """RFC 4918, 507; our promise: nothing half-written stays, and the link is open."""

    class Full(Spool):
        def write(self, data: bytes) -> None:
            super().write(data[: len(data) // 2])
            raise StorageError("The disk is full: nothing was saved.", advice="Free some space.")

    async with parts(environ, spool=Full) as (app, uploads, token):
        assert await put(uploads, token, [PICTURE]) == 507
        assert kept(environ) == []
        assert app.uploads is not None
        ticket = app.uploads.find(token)
        assert ticket is not None
        assert ticket.state == "open"


async def test_a_link_ends_by_itself() -> None:
    """Our promise: ten minutes, and then it says so."""
    now = [0.0]
    tickets = Tickets("http://127.0.0.1:1", clock=lambda: now[0])
    token = tickets.issue("").rpartition("/")[2]
    now[0] = SECONDS - 1
    ticket = tickets.find(token)
    assert ticket is not None
    assert not tickets.ended(ticket)
    now[0] = SECONDS
    assert tickets.ended(ticket)
    now[0] = SECONDS * 3
    tickets.issue("")
    assert tickets.find(token) is None


async def test_an_ended_link_takes_nothing(environ: Environ) -> None:
    """RFC 9110, 410."""
    now = [0.0]
    async with open_app(Settings.read(environ)) as app:
        tickets = Tickets("http://127.0.0.1:1", clock=lambda: now[0])
        token = tickets.issue("").rpartition("/")[2]
        now[0] = SECONDS
        assert await put(Uploads(app, tickets), token, [PICTURE]) == 410
    assert kept(environ) == []


def test_links_are_bounded_for_each_caller() -> None:
    """Our promise: a caller who asks for many closes only links of their own, and a link is kept as a digest alone."""
    tickets = Tickets("http://127.0.0.1:1")
    others = tickets.issue("bob").rpartition("/")[2]
    links = [tickets.issue("ann").rpartition("/")[2] for _ in range(MOST_OF_ONE + 3)]
    assert [tickets.find(one) is not None for one in links] == [False] * 3 + [True] * MOST_OF_ONE
    assert tickets.find(others) is not None
    assert others not in repr(vars(tickets))


@pytest.mark.parametrize(
    ("host", "more"),
    [
        ("0.0.0.0", {}),
        ("192.168.1.5", {}),
        ("127.0.0.1", {"MTU_ALLOWED_HOSTS": "mcp.example.com"}),
        ("127.0.0.1", {"MTU_READ_ONLY": "true"}),
    ],
)
async def test_there_is_no_page_where_it_would_be_of_no_use(host: str, more: Environ, environ: Environ) -> None:
    """Our promise: a link to 127.0.0.1 for somebody at another machine, or a file where none may be kept, is not offered."""
    async with open_app(Settings.read({**environ, **more})) as app:
        assert tickets_for(app, host) is None
        assert app.uploads is None


async def test_nothing_is_served_there_without_a_page(environ: Environ) -> None:
    """Our promise: no page, no route, no link."""
    async with (
        serving({**environ, "MTU_READ_ONLY": "true"}) as served,
        served.caller("") as client,
        browsing() as browser,
    ):
        said = await refused(client, "understand", question="What?", media=["upload"])
        assert "/upload/" not in said
        assert (await browser.put(f"{served.base}/upload/{'A' * 43}", content=PICTURE)).status_code == 404
        result = await client.call_tool("understand", {"question": "What?", "media": ["/mnt/user-data/uploads/x.png"]})
        assert isinstance(result.content[0], TextContent)
        assert '"latest"' in result.content[0].text
