"""The page a person hands a file in with, in a browser as a person uses it."""

import re
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio.to_thread
import pytest
from mcp import Client

from capabilities.material import answered, picture
from connections import MODERN, listening
from mtu_mcp.app import App, open_app
from mtu_mcp.server.pages import page
from mtu_mcp.server.uploads import MOST_BYTES
from mtu_mcp.settings import Settings
from pages.browser import PATIENCE, Browser

DROP = """
const [name, type, at] = arguments, data = new DataTransfer();
const bytes = Uint8Array.from(atob(at), (one) => one.charCodeAt(0));
for (const one of name.split("|")) data.items.add(new File([bytes], one, { type }));
const event = (kind) => new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true });
for (const kind of ["dragenter", "dragover"]) document.getElementById("drop").dispatchEvent(event(kind));
const lit = document.getElementById("drop").classList.contains("over");
document.getElementById("drop").dispatchEvent(event("drop"));
return lit;
"""


@asynccontextmanager
async def inviting(environ: dict[str, str]) -> AsyncGenerator[tuple[App, Client, str]]:
    async with (
        open_app(Settings.read(environ)) as app,
        listening(app, "http") as base,
        Client(f"{base}/mcp", mode=MODERN) as client,
    ):
        said = await answered(client, "understand", question="What?", media=["upload"])
        found = re.search(r"http\S+/upload/\S+", said)
        assert found
        yield app, client, found[0]


def choose(browser: Browser, file: Path) -> None:
    """Choose a file as the system's dialog does."""
    browser.send("POST", f"element/{browser.find('#file')}/value", {"text": str(file)})


def drop(browser: Browser, name: str, data: bytes, kind: str = "image/png") -> bool:
    import base64

    return browser.run(DROP, name, kind, base64.b64encode(data).decode())


def test_the_page_and_the_server_have_one_limit() -> None:
    """Our promise: what the page lets through is what the server takes."""
    found = re.search(r"const MOST = (\d+) \* (\d+) \* (\d+);", page("upload"))
    assert found
    assert int(found[1]) * int(found[2]) * int(found[3]) == MOST_BYTES


def test_every_word_of_the_page_is_there_in_both_languages() -> None:
    """Our promise: the pages speak Chinese where the browser does; every refusal has its words."""
    text = page("upload")
    script = text.partition("<script>")[2]
    english, chinese = script.partition("zh: { title")[0].rpartition("en: {")[2], script.partition("zh: { title")[2]
    for word in (
        "large",
        "empty",
        "kind",
        "cut",
        "slow",
        "taking",
        "used",
        "ended",
        "unknown",
        "foreign",
        "one",
        "disk",
        "stopped",
    ):
        assert f'{word}: "' in english, word
        assert f'{word}: "' in chinese, word
    for key in re.findall(r'data-t="(\w+)"', text):
        assert f'{key}: "' in chinese or key == "title", key


async def test_a_file_is_chosen_and_its_name_shown(environ: dict[str, str], browser: Browser, tmp_path: Path) -> None:
    """Our promise: choose, and read what to say in the chat; the link is then spent."""
    file = tmp_path / "红 fox.png"
    file.write_bytes(picture(640, 480))
    async with inviting(environ) as (app, client, link):

        def hand_in() -> str:
            browser.complaints()
            browser.open(link)
            assert browser.run("return document.title") == "Hand a file in"
            choose(browser, file)
            browser.wait("!document.getElementById('done').hidden")
            assert "红 fox.png is here." in browser.text()
            assert browser.run("return document.activeElement.id") == "came"
            assert browser.run("return document.getElementById('form').hidden")
            browser.click("#deeds button")
            browser.wait("document.querySelector('#deeds button').textContent === 'Copied'")
            assert browser.complaints() == []
            return browser.text("#uri")

        uri = await anyio.to_thread.run_sync(hand_in)
        assert app.library.list()[0].uri == uri
        assert "640x480" in await answered(client, "understand", question="What?", media=[uri])

        def again() -> None:
            browser.open(link)
            browser.wait("document.getElementById('notice').innerText.includes('used already')")
            assert browser.run("return document.getElementById('form').hidden")

        await anyio.to_thread.run_sync(again)


async def test_a_file_is_dropped_and_a_wrong_one_told(environ: dict[str, str], browser: Browser) -> None:
    """Our promise: drag and drop, one file, and a second try after a wrong one."""
    async with inviting(environ) as (app, _, link):

        def hand_in() -> None:
            browser.open(link)
            assert drop(browser, "a.png|b.png", picture())
            browser.wait("document.getElementById('notice').innerText.includes('One file only')")
            drop(browser, "holiday.png", b"MZ" + bytes(3 << 20))
            browser.wait("document.getElementById('notice').innerText.includes('no picture, sound')")
            drop(browser, "empty.png", b"")
            browser.wait("document.getElementById('notice').innerText.includes('empty')")
            drop(browser, "fox.png", picture())
            browser.wait("!document.getElementById('done').hidden")

        await anyio.to_thread.run_sync(hand_in)
        assert [saved.kind.mime for saved in app.library.list()] == ["image/png"]


SHARE = "const at = document.getElementById('bar').value; return at > 0 && at < 100"
"""Whether the bar is between its ends."""


def slowly(browser: Browser, bytes_a_second: int) -> None:
    """How fast this browser may send; -1 is as fast as it can."""
    browser.dev("Network.enable")
    browser.dev(
        "Network.emulateNetworkConditions",
        offline=False,
        latency=0,
        downloadThroughput=-1,
        uploadThroughput=bytes_a_second,
    )


async def test_a_bar_shows_how_much_has_arrived(environ: dict[str, str], browser: Browser, tmp_path: Path) -> None:
    """Our promise: a large file shows how far it is, in figures as well, to a screen reader too; then the bar is gone."""
    file = tmp_path / f"红 fox {'and her tail ' * 9}.txt"
    file.write_text("fox\n" * 250_000, encoding="utf-8")
    async with inviting(environ) as (app, _, link):

        def hand_in() -> None:
            browser.open(link)
            assert browser.run("return document.getElementById('on-its-way').hidden")
            slowly(browser, 50_000)
            try:
                choose(browser, file)
                browser.wait(f"(() => {{ {SHARE} }})()")
                assert "红 fox" in browser.text("#far")
                assert re.search(r"\b\d{1,2}%", browser.text("#far"))
                assert browser.run("return document.getElementById('far').offsetHeight") < 30, "in two lines"
                assert browser.run("return document.getElementById('file').disabled")
            finally:
                slowly(browser, -1)
            browser.wait("!document.getElementById('done').hidden")
            assert browser.run("return document.getElementById('on-its-way').hidden")

        await anyio.to_thread.run_sync(hand_in)
        assert [saved.size for saved in app.library.list()] == [1_000_000]


async def test_a_file_on_its_way_is_stopped_by_keyboard_and_can_be_sent_again(
    environ: dict[str, str], browser: Browser, tmp_path: Path
) -> None:
    """WCAG 2.2, 2.1.1: the focus is on what stops it, comes back to the choice, and the link is still good."""
    file = tmp_path / "long.txt"
    file.write_text("fox\n" * 250_000, encoding="utf-8")
    async with inviting(environ) as (app, _, link):
        ticket = app.uploads and app.uploads.find(link.rpartition("/")[2])
        assert ticket

        def hand_in() -> None:
            browser.open(link)
            slowly(browser, 50_000)
            try:
                choose(browser, file)
                browser.wait(f"(() => {{ {SHARE} }})()")
                assert browser.run("return document.activeElement.id") == "stop"
                browser.press("Enter")
                browser.wait("document.getElementById('notice').innerText.includes('Stopped')")
                ends = time.monotonic() + PATIENCE
                while ticket.state == "taking":  # until the server has heard of it
                    assert time.monotonic() < ends, "the server goes on to wait for a file that was stopped"
                assert browser.run("return document.activeElement.id") == "file"
                assert browser.run("return document.getElementById('on-its-way').hidden")
            finally:
                slowly(browser, -1)
            choose(browser, file)
            browser.wait("!document.getElementById('done').hidden")

        await anyio.to_thread.run_sync(hand_in)
        assert [saved.size for saved in app.library.list()] == [1_000_000]


async def test_the_keyboard_reaches_the_choice(environ: dict[str, str], browser: Browser) -> None:
    """WCAG 2.2, 2.1.1 and 2.4.7: everything by keyboard, and the focus is seen."""
    async with inviting(environ) as (_, _, link):

        def look() -> None:
            browser.open(link)
            browser.press("Tab")
            assert browser.run("return document.activeElement.id") == "file"
            outline = browser.run("return getComputedStyle(document.getElementById('drop')).outlineStyle")
            assert outline == "solid"

        await anyio.to_thread.run_sync(look)


async def test_the_page_speaks_chinese(environ: dict[str, str], chinese: Browser, tmp_path: Path) -> None:
    """Our promise: pages follow the browser's language."""
    file = tmp_path / "录音.txt"
    file.write_text("你好", encoding="utf-8")
    async with inviting(environ) as (_, _, link):

        def hand_in() -> None:
            chinese.open(link)
            assert "选择文件" in chinese.text()
            assert chinese.run("return document.documentElement.lang") == "zh-CN"
            assert "停止" in chinese.run("return document.getElementById('stop').textContent")
            choose(chinese, file)
            chinese.wait("!document.getElementById('done').hidden")
            assert "已收到 录音.txt" in chinese.text()

        await anyio.to_thread.run_sync(hand_in)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_light_and_dark_can_be_read(environ: dict[str, str], browser: Browser, scheme: str) -> None:
    """WCAG 2.2, 1.4.3: a contrast of 4.5 at least, in either scheme and on a narrow window without scrolling aside."""
    contrast = """
    const light = (rgb) => rgb.match(/[\\d.]+/g).slice(0, 3).map((one) => one / 255)
      .map((one) => one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
      .reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0);
    const style = (selector) => getComputedStyle(document.querySelector(selector));
    const back = light(style('#drop').backgroundColor);
    return ['#drop b', '#drop span'].map((one) => light(style(one).color)).map((one) => (Math.max(one, back) + 0.05) / (Math.min(one, back) + 0.05));
    """
    async with inviting(environ) as (_, _, link):

        def look() -> None:
            browser.prefer(scheme)
            browser.resize(320, 640)
            browser.open(link)
            assert min(browser.run(contrast)) >= 4.5
            assert browser.run("return document.documentElement.scrollWidth <= 320")
            browser.resize(900, 800)
            browser.prefer("")

        await anyio.to_thread.run_sync(look)
