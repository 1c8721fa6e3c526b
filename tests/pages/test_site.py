"""The pages at `/ui/` of the HTTP server, and in a file: the same rules as for `/mcp`, and nothing but reading."""

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http.client import HTTPConnection
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import anyio.to_thread
import pytest
from mcp import Client
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client

from connections import MODERN, listening
from mtu_mcp.app import open_app
from mtu_mcp.server.pages import PAGES, filled, page
from mtu_mcp.settings import Settings
from pages.browser import Browser
from pages.samples import sound, usage

ONE_DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
"""The smallest picture, in base64."""
TOKEN = "a-token-of-the-team-0123456789"  # gitleaks:allow


@asynccontextmanager
async def serving(environ: dict[str, str]) -> AsyncGenerator[str]:
    async with open_app(Settings.read(environ)) as app, listening(app, "http") as base:
        yield base


async def get(base: str, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """One request with exactly these headers."""

    def ask() -> tuple[int, dict[str, str], bytes]:
        connection = HTTPConnection(urlsplit(base).netloc, timeout=20)
        connection.putrequest(method, path, skip_host="Host" in headers)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        connection.close()
        return found

    return await anyio.to_thread.run_sync(ask)


async def test_every_page_is_served_with_a_policy_of_its_own(environ: dict[str, str]) -> None:
    """Content Security Policy, level 3: the one script by its digest, frames and outside addresses not at all."""
    async with serving(environ) as base:
        for name in PAGES:
            status, headers, body = await get(base, f"/ui/{name}")
            assert (status, body.decode()) == (200, page(name))
            policy = headers["content-security-policy"]
            assert "'sha256-" in policy
            assert "script-src 'unsafe-inline'" not in policy
            assert "frame-ancestors 'none'" in policy
            assert headers["cache-control"] == "no-store"
        assert (await get(base, "/ui/"))[0] == 200
        assert (await get(base, "/ui"))[1]["location"] == "ui/"
        assert (await get(base, "/ui/nothing"))[0] == 404
        assert (await get(base, "/ui/feed/nothing"))[0] == 404
        assert (await get(base, "/ui/media/nothing.png"))[0] == 404
        assert (await get(base, "/ui/feed/usage?month=nonsense"))[0] == 400


async def test_the_icon_is_there_for_every_browser(environ: dict[str, str]) -> None:
    """HTML, "Link type icon": a browser asks for /favicon.ico by itself; it sends no password there, nor asks for one."""
    async with serving(environ) as base:
        status, headers, body = await get(base, "/favicon.ico")
        assert (status, headers["content-type"], body[:4]) == (200, "image/png", b"\x89PNG")
        assert "no-store" not in headers["cache-control"]
        assert (await get(base, "/favicon.ico", Host="evil.example"))[0] == 421
        assert (await get(base, "/favicon.ico", "POST"))[0] == 405
    async with serving({**environ, "MTU_SERVER_TOKENS": f"ann:{TOKEN}"}) as base:
        assert (await get(base, "/favicon.ico"))[0] == 200
        assert (await get(base, "/favicon.ico/x"))[0] == 401


async def test_the_feeds_hold_what_was_made_spent_and_found(environ: dict[str, str]) -> None:
    """Our promise: the library's pictures and sounds, the ledger, and the last search and comparison."""
    async with serving({**environ, "MTU_TOOLSETS": "all"}) as base:
        async with Client(f"{base}/mcp", mode=MODERN) as client:
            await client.call_tool("generate_image", {"prompt": "a lighthouse"})
            await client.call_tool("speak", {"text": "Good morning.", "format": "wav"})
            await client.call_tool("web_search", {"query": "ferry times"})
        feeds = {name: json.loads((await get(base, f"/ui/feed/{name}"))[2]) for name in PAGES}
        [picture] = feeds["gallery"]["_meta"]["mtu-mcp/view"]["files"]
        [sound] = feeds["player"]["_meta"]["mtu-mcp/view"]["files"]
        assert (picture["prompt"], sound["text"]) == ("a lighthouse", "Good morning.")
        assert feeds["search"]["structuredContent"]["query"] == "ferry times"
        assert feeds["usage"]["structuredContent"]["total"]["calls"] >= 3
        assert feeds["comparison"] == {"content": []}
        status, headers, body = await get(base, f"/ui/media/{sound['name']}", Range="bytes=0-3")
        assert (status, headers["content-type"], body) == (206, "audio/wav", b"RIFF")
        assert headers["content-security-policy"].startswith("sandbox")
        assert environ["MTU_API_KEY"] not in json.dumps(feeds)


async def test_a_file_that_could_run_is_given_to_be_saved(environ: dict[str, str]) -> None:
    """OWASP, unrestricted file upload: what a model wrote must not run where the pages are."""
    async with serving(environ) as base:
        folder = anyio.Path(environ["MTU_OUTPUT_DIR"])
        await folder.mkdir()
        await (folder / "page.html").write_text("<script>alert(1)</script>", encoding="utf-8")
        await (folder.parent / "secret.png").write_bytes(b"\x89PNG")
        _, headers, _ = await get(base, "/ui/media/page.html")
        assert headers["content-type"] == "application/octet-stream"
        assert headers["content-disposition"].startswith("attachment")
        for path in ("/ui/media/..%2Fsecret.png", "/ui/media/%2e%2e%2fsecret.png", "/ui/media/.hidden"):
            assert (await get(base, path))[0] in (400, 404)


def fill(folder: Path, count: int) -> None:
    """Put pictures into an output folder, one a second, and something else between them."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        file = folder / f"picture-{number:04}.png"
        file.write_bytes(base64.b64decode(ONE_DOT))
        about = {"prompt": f"picture {number}", "created": "2026-11-22T10:00:00Z"}
        file.with_name(f"{file.name}.json").write_text(json.dumps(about), encoding="utf-8")
        os.utime(file, (1_795_000_000 + number, 1_795_000_000 + number))
        if number % 3 == 0:
            (folder / f"text-{number}.txt").write_text("words", encoding="utf-8")


def record(folder: Path, count: int) -> None:
    """Put recordings into an output folder, one a second."""
    folder.mkdir(parents=True)
    for number in range(count):
        file = folder / f"talk-{number:03}.wav"
        file.write_bytes(base64.b64decode(sound(0.01)))
        os.utime(file, (1_795_000_000 + number, 1_795_000_000 + number))


async def test_older_pictures_come_in_parts_that_neither_repeat_nor_leave_out(environ: dict[str, str]) -> None:
    """Our promise: every picture can be reached, whatever is made or deleted while somebody looks."""
    folder = Path(environ["MTU_OUTPUT_DIR"])
    fill(folder, 450)
    async with serving(environ) as base:

        async def part(before: str = "") -> dict[str, Any]:
            said = (await get(base, f"/ui/feed/gallery?before={quote(before)}"))[2]
            return json.loads(said)["_meta"]["mtu-mcp/view"]

        first = await part()
        (folder / first["files"][-1]["name"]).unlink()
        (folder / "newest.png").write_bytes(base64.b64decode(ONE_DOT))
        second = await part(first["older"])
        third = await part(second["older"])
        names = [one["name"] for each in (first, second, third) for one in each["files"]]
        assert names == [f"picture-{number:04}.png" for number in reversed(range(450))]
        assert [len(each["files"]) for each in (first, second, third)] == [200, 200, 50]
        assert (first["total"], first["beyond"], third["older"]) == (450, False, "")
        for wrong in ("nonsense", "12", "1 ", "²3 x", "1e9 x", "9" * 30 + " x", "\x00 x"):
            assert (await get(base, f"/ui/feed/gallery?before={quote(wrong)}"))[0] == 400, wrong


async def test_a_person_goes_on_to_older_pictures(environ: dict[str, str], browser: Browser, chinese: Browser) -> None:
    """Our promise: the page says how many there are in all, and shows the rest when asked, by keyboard too."""
    fill(Path(environ["MTU_OUTPUT_DIR"]), 450)
    async with serving(environ) as base:

        def look() -> None:
            count = "return document.querySelectorAll('#grid li').length"
            browser.open(f"{base}/ui/gallery")
            browser.wait("document.getElementById('sum').innerText === '450 pictures'")
            assert browser.run(count) == 200
            assert browser.text("#older") == "Show older (200 of 450)"
            apart = "document.getElementById('older').getBoundingClientRect().top - grid.getBoundingClientRect().bottom"
            assert browser.run(f"return {apart}") >= 12
            browser.run("document.querySelector('#older button').focus()")
            browser.press("Enter")
            browser.wait("document.querySelectorAll('#grid li').length === 400")
            assert browser.run("return document.activeElement.innerText").startswith("picture 249")
            browser.press("Enter")
            browser.wait("document.getElementById('prompt').innerText === 'picture 249'")
            browser.press("Escape")
            browser.click("#older button")
            browser.wait("document.querySelectorAll('#grid li').length === 450")
            assert browser.text("#older") == ""
            chinese.open(f"{base}/ui/gallery")
            chinese.wait("document.getElementById('older').innerText === '显示更早的（200 / 450）'")
            assert chinese.text("#sum") == "450 张图片"
            assert browser.complaints() == chinese.complaints() == []
            for one in (browser, chinese):  # no picture is on its way when the server goes
                one.open("about:blank")

        await anyio.to_thread.run_sync(look)


async def test_a_person_goes_on_to_older_recordings(environ: dict[str, str], browser: Browser) -> None:
    """Our promise: the player leads on as the gallery does, and what was chosen stays chosen."""
    record(Path(environ["MTU_OUTPUT_DIR"]), 201)
    async with serving(environ) as base:

        def look() -> None:
            browser.open(f"{base}/ui/player")
            browser.wait("document.querySelectorAll('#tracks li').length === 200")
            browser.click("#older button")
            browser.wait("document.querySelectorAll('#tracks li').length === 201")
            assert browser.run("return document.activeElement.innerText") == "talk-000.wav"
            assert browser.text("#sum") == "talk-200.wav"
            assert browser.text("#tracks [aria-current]") == "talk-200.wav"
            browser.press("Enter")
            browser.wait("document.getElementById('sum').innerText === 'talk-000.wav'")
            assert browser.complaints() == []
            browser.open("about:blank")

        await anyio.to_thread.run_sync(look)


@pytest.mark.parametrize("path", ["/ui/", "/ui/gallery", "/ui/feed/usage", "/ui/media/x.png"])
async def test_foreign_names_origins_and_methods_are_refused(environ: dict[str, str], path: str) -> None:
    """MCP transports, security warning: DNS rebinding and foreign pages; and nothing here changes anything."""
    async with serving(environ) as base:
        assert (await get(base, path, Host="evil.example"))[0] == 421
        assert (await get(base, path, Origin="https://evil.example"))[0] == 403
        assert (await get(base, path, "POST"))[0] == 405


@pytest.mark.parametrize("path", ["/ui/", "/ui/gallery", "/ui/feed/gallery", "/ui/media/x.png"])
async def test_with_tokens_a_browser_is_asked_for_one(environ: dict[str, str], path: str) -> None:
    """RFC 7617: a browser asks for a password, which is the token; RFC 6750 works as well."""
    async with serving({**environ, "MTU_SERVER_TOKENS": f"ann:{TOKEN}"}) as base:
        status, headers, _ = await get(base, path)
        assert status == 401
        assert headers["www-authenticate"].startswith("Basic ")
        for given, wanted in ((f"ann:{TOKEN}", True), (f":{TOKEN}", True), ("ann:wrong", False), (TOKEN, False)):
            coded = base64.b64encode(given.encode()).decode()
            assert ((await get(base, path, Authorization=f"Basic {coded}"))[0] != 401) is wanted
        assert (await get(base, path, Authorization=f"Bearer {TOKEN}"))[0] != 401
        assert (await get(base, path, Authorization="Basic \xff!"))[0] == 401
        coded = base64.b64encode(f"ann:{TOKEN}".encode()).decode()
        assert (await get(base, "/mcp", "POST", Authorization=f"Basic {coded}"))[0] == 401


async def test_each_caller_sees_what_is_the_callers_own(environ: dict[str, str]) -> None:
    """Our promise: files, searches and figures of one caller are not shown to another."""
    other = TOKEN.replace("a", "b")
    tokens = f"ann:{TOKEN},bob:{other}"
    async with serving({**environ, "MTU_SERVER_TOKENS": tokens}) as base:
        async with (
            create_mcp_http_client(headers={"Authorization": f"Bearer {TOKEN}"}) as http,
            Client(streamable_http_client(f"{base}/mcp", http_client=http), mode=MODERN) as client,
        ):
            await client.call_tool("generate_image", {"prompt": "a lighthouse"})
            await client.call_tool("web_search", {"query": "ferry times"})
        for token, seen in ((TOKEN, True), (other, False)):
            for name, words in (("gallery", "lighthouse"), ("search", "ferry times")):
                body = (await get(base, f"/ui/feed/{name}", Authorization=f"Bearer {token}"))[2].decode()
                assert (words in body) is seen


async def test_a_browser_shows_the_pages_of_the_server(environ: dict[str, str], browser: Browser) -> None:
    """Our promise: `/ui/` in any browser, with whole pictures and sound that can be sought in."""
    async with serving({**environ, "MTU_TOOLSETS": "all"}) as base:
        async with Client(f"{base}/mcp", mode=MODERN) as client:
            await client.call_tool("generate_image", {"prompt": "a lighthouse", "n": 2})
            await client.call_tool("speak", {"text": "Good morning. Here is the news.", "format": "wav"})

        def look() -> None:
            browser.complaints()
            browser.open(f"{base}/ui")
            browser.click("a[href=gallery]")
            browser.wait("document.querySelectorAll('#grid img').length === 2")
            browser.run("document.body.style.height = '3000px'")  # as many pictures make it, with a bar at its side
            browser.click("#grid button")
            browser.wait("document.getElementById('big').naturalWidth >= 512")
            right = "document.getElementById('close').getBoundingClientRect().right"
            assert browser.run(f"return {right} < document.documentElement.clientWidth - 10"), "under the bar"
            assert "Make another" not in browser.text("#deeds")
            browser.open(f"{base}/ui/player")
            browser.wait("document.querySelectorAll('#lines li').length === 2")
            browser.click("#lines li:nth-child(2) button")
            browser.wait("document.querySelector('audio').currentTime > 0.3")
            browser.open(f"{base}/ui/usage")
            browser.wait("document.querySelectorAll('#days g').length === 1")
            browser.click("#earlier")
            browser.wait("document.getElementById('days').innerText.includes('No calls')")
            browser.open(f"{base}/ui/search")
            browser.wait("document.getElementById('notice').innerText.includes('Ask your host')")
            browser.click("a.home")
            browser.wait("document.querySelectorAll('main li a').length === 5")
            assert browser.complaints() == []

        await anyio.to_thread.run_sync(look)


async def test_a_recording_that_was_transcribed_is_followed_there_too(
    environ: dict[str, str], browser: Browser
) -> None:
    """Our promise: the same player at `/ui/`, with the transcript following, and a click that seeks."""
    folder = anyio.Path(environ["MTU_OUTPUT_DIR"])
    await folder.mkdir(parents=True)
    for name in ("talk.wav", "other.wav"):
        await (folder / name).write_bytes(files("mtu_mcp.sandbox").joinpath("samples", "recording.wav").read_bytes())
    async with serving(environ) as base:
        async with Client(f"{base}/mcp", mode=MODERN) as client:
            await client.call_tool("transcribe", {"file": "mtu://media/talk.wav"})
            await client.call_tool("transcribe", {"file": "mtu://media/talk.wav", "output": "segments"})

        def look() -> None:
            browser.open(f"{base}/ui/player")
            browser.wait("document.querySelectorAll('#lines li').length === 3")
            assert browser.run("return document.querySelectorAll('#tracks li').length") == 2
            browser.click("#lines li:nth-child(2) button")
            browser.wait("document.querySelector('audio').currentTime > 2.8")
            browser.wait("document.querySelector('#lines [aria-current]').innerText.includes('reading room')")
            browser.complaints()

        await anyio.to_thread.run_sync(look)


def test_the_report_is_written_as_a_page(environ: dict[str, str], tmp_path: Path) -> None:
    """Our promise: `mtu-mcp usage --html FILE` writes the same figures as `--json`; a folder that is not there is told."""

    def report(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "mtu_mcp", "usage", *words]
        return subprocess.run(
            command, env={**os.environ, **environ}, capture_output=True, encoding="utf-8", check=False
        )

    file = tmp_path / "用量.html"
    written = report("--html", str(file))
    assert (written.returncode, written.stdout.strip()) == (0, str(file))
    given = re.search(r'id="given">(.*?)</script>', file.read_text(encoding="utf-8"), re.DOTALL)
    assert given
    assert json.loads(given[1])["structuredContent"] == json.loads(report("--json").stdout)
    refused = report("--html", str(tmp_path / "no" / "usage.html"))
    assert refused.returncode == 1
    assert "could not be written" in refused.stderr


def test_the_written_page_speaks_the_readers_language(tmp_path: Path, browser: Browser, chinese: Browser) -> None:
    """Our promise: the page in a file needs no server, and follows the browser's language."""
    file = tmp_path / "usage.html"
    file.write_text(filled("usage", usage()), encoding="utf-8")
    for one, words in ((browser, "By model"), (chinese, "按模型")):
        one.open(file.as_uri())
        one.wait("document.querySelectorAll('#days g').length === 11")
        assert words in one.text()
        assert one.run("return document.getElementById('months').hidden")
        assert one.complaints() == []
