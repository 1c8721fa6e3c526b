"""Calls that outlive their host's patience: the page asks after the job until it ends, and shows what came of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from capabilities.material import sound
from connections import MEMORY, connect, roots, text_of
from mtu_mcp.sandbox import Sandbox
from pages import samples
from pages.hosting import Show, await_heard, complaints, heard
from pages.test_negotiation import SHOWING

JOB = "call-0123456789"
VIEW = samples.VIEW
Result = dict[str, Any]


def running(heard: str = "") -> Result:
    """What a host is given when a call is handed off, and by get_job while it goes on."""
    link = {"type": "resource_link", "name": JOB, "uri": f"mtu://jobs/{JOB}", "mimeType": "application/json"}
    text = {"type": "text", "text": f"{JOB} is running: a picture\n\nNote: It goes on; ask again with wait."}
    job = {"id": JOB, "tool": "generate_image", "state": "running", "created": 1795341600.0, "heard": heard}
    return {"content": [text, link], "_meta": {VIEW: {"job": job}}}


def ended(result: Result, state: str = "done") -> Result:
    """What get_job gives at the end of it."""
    first, *rest = result["content"]
    told = {**result.get("_meta", {}).get(VIEW, {}), "job": {"id": JOB, "tool": "", "state": state}}
    text = {"type": "text", "text": f"{JOB} is {state}: a picture\n\n{first['text']}"}
    return {"content": [text, *rest], "_meta": {VIEW: {**told, "data": result.get("structuredContent")}}}


SHOWN = {
    "gallery": "document.querySelectorAll('#grid li').length === 3",
    "player": "document.querySelectorAll('#lines li').length === 4",
    "comparison": "document.querySelectorAll('article').length === 3",
    "search": "document.querySelectorAll('#sources li').length === 3",
}
"""What is true of a page once its sample is shown."""


@pytest.mark.parametrize("name", SHOWN)
def test_a_job_is_followed_to_its_end_and_shown(show: Show, name: str) -> None:
    """Our promise: progress while it goes on, then what the call itself would have shown, and word to the model."""
    news = [running("a first sketch is here"), ended(samples.SAMPLES[name][1])]
    browser = show(name, result=running(), calls={"get_job": news})
    browser.wait(SHOWN[name])
    assert browser.run("return document.getElementById('work')") is None
    assert browser.run("return document.getElementById('notice').hidden")
    asked = [one["arguments"]["job"] for one in heard(browser, "tools/call")]
    assert asked == [JOB, JOB]
    [told] = await_heard(browser, "ui/update-model-context")
    assert f"{JOB} is" not in told["content"][0]["text"]
    assert complaints(browser) == []


def test_what_the_job_says_is_shown_and_it_can_be_stopped(show: Show) -> None:
    """Our promise: how far it is, how long it takes, and a button that stops it; what had arrived is told."""
    browser = show("gallery", result=running(), calls={"get_job": [running("painting"), running("painting")]})
    browser.wait("document.getElementById('notice').innerText.includes('painting')")
    assert browser.text("#work small").count(":") >= 1
    browser.run("document.querySelector('#work button').focus()")
    browser.press("Enter")
    browser.leave()
    browser.wait("heard.some((one) => one.params?.arguments?.cancel)")
    kept = {"content": [{"type": "text", "text": "What had arrived when it was stopped: a sky."}]}
    browser.run("given.calls.get_job = arguments[0]", ended(kept, "cancelled"))
    browser.enter()
    browser.wait("document.getElementById('notice').innerText.includes('a sky')")
    assert browser.run("return document.getElementById('work')") is None


def test_a_job_that_cannot_be_asked_after_can_be_asked_after_again(show: Show) -> None:
    """Our promise: no dead end; a host may refuse a call, or lose its server for a while."""
    browser = show("player", result=running(), calls={})
    browser.wait("document.getElementById('notice').innerText.includes('does not')")
    browser.leave()
    browser.run("given.calls = { get_job: arguments[0] }", ended(samples.transcription()))
    browser.enter()
    browser.click("#notice button")
    browser.wait(SHOWN["player"])


def test_a_host_whose_pages_may_not_call_tools_shows_the_words(show: Show) -> None:
    """Our promise: where nothing can be asked, the text that tells the model what to do is told to the person too."""
    assert JOB in show("gallery", result=running(), can={}).text("#notice")


def test_another_like_this_may_take_long_too(show: Show) -> None:
    """Our promise: a picture made from the page is waited for as well."""
    calls = {"generate_image": running(), "get_job": [running("painting"), ended(samples.gallery(1))]}
    browser = show("gallery", calls=calls)
    browser.click("#grid button")
    browser.click("#deeds .main")
    browser.wait("document.getElementById('said').innerText.includes('painting')")
    browser.wait("document.querySelectorAll('#grid li').length === 4")


CALLS: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "gallery": (
        "generate_image",
        {"prompt": "a lighthouse"},
        "images/generations",
        "document.querySelector('#grid b')?.innerText === 'a lighthouse'",
    ),
    "player": (
        "transcribe",
        {"file": "talk.wav", "output": "segments"},
        "audio/transcriptions",
        "document.getElementById('lines').innerText.includes('Good morning')",
    ),
    "comparison": (
        "compare_models",
        {"prompt": "Repeat: moon", "models": ["gpt-5.1", "qwen-plus"]},
        "chat/completions",
        "document.querySelectorAll('.answer').length === 2",
    ),
    "search": (
        "web_search",
        {"query": "How do tides work?", "engine": "openai"},
        "chat/completions",
        "document.querySelectorAll('#sources li').length > 0",
    ),
}
"""A call for each page, the gateway's route that keeps it waiting, and what is true once its answer is shown."""


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Path]:
    """A folder that the server may read, with a recording."""
    folder = tmp_path / "talks"
    folder.mkdir()
    (folder / "talk.wav").write_bytes(sound(2.0, says="Good morning, everybody."))
    yield folder


@pytest.mark.parametrize("name", CALLS)
async def test_what_the_server_says_of_a_job_is_what_the_page_reads(
    environ: dict[str, str], gateway: Sandbox, talk: Path, show: Show, name: str
) -> None:
    """Our promise: the real server's answers, from the hand-off to the end, drive the page; a reader misses nothing."""
    tool, given, route, shown = CALLS[name]
    own = {**environ, "MTU_TOOLSETS": "all", "MTU_HAND_OFF_AFTER": "0.05"}
    async with connect(MEMORY, own, list_roots_callback=roots(talk), **SHOWING) as client:
        gateway.arm("stall:0", route, times=4)
        first = await client.call_tool(tool, given)
        assert "still running" in text_of(first)
        job = next(block.name for block in first.content if block.type == "resource_link")
        news = [await client.call_tool("get_job", {"job": job})]
        gateway.desk.faults.clear()
        with anyio.fail_after(30):
            while "is done" not in text_of(news[-1]):
                gateway.release()
                news.append(await client.call_tool("get_job", {"job": job, "wait": 1}))

    def look() -> None:
        answers = [one.model_dump(mode="json", by_alias=True, exclude_none=True) for one in (first, news[0], news[-1])]
        browser = show(name, input=given, result=answers[0], calls={"get_job": answers[1:]})
        browser.wait(shown)
        assert complaints(browser) == []

    await anyio.to_thread.run_sync(look)
