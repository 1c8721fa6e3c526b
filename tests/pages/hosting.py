"""A page in the frame of a host that plays its part of MCP Apps: what it is shown, and what it says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mtu_mcp.server.pages import page
from pages import samples
from pages.browser import Browser

TALK = {"uri": "mtu://media/talk.wav", "mimeType": "audio/wav", "blob": samples.sound()}
READY = "typeof state !== 'undefined' && (state.result || document.getElementById('notice').innerText)"
Show = Callable[..., Browser]


def showing(browser: Browser, folder: Path) -> Show:
    """How a page is shown with its sample and its frame chosen; what the host knows can be changed by name."""

    def shown(name: str, **changed: Any) -> Browser:
        given, result = samples.SAMPLES[name]
        can = {"serverResources": {}, "serverTools": {}, "openLinks": {}}
        host = {"context": {"theme": "light", "locale": "en-US"}, "can": can, "input": given, "result": result}
        reads = {TALK["uri"]: TALK}
        browser.open(samples.host_page(folder, page(name), {**host, "reads": reads, **changed}))
        browser.enter()
        browser.wait(READY)
        return browser

    return shown


def heard(browser: Browser, method: str) -> list[dict[str, Any]]:
    """What the page has said to its host by one method; the frame is left and entered again."""
    browser.leave()
    found = browser.run("return heard.filter((one) => one.method === arguments[0]).map((one) => one.params)", method)
    browser.enter()
    return found


def await_heard(browser: Browser, method: str) -> list[dict[str, Any]]:
    browser.leave()
    browser.wait("heard.some((one) => one.method === arguments[0])", method)
    return heard(browser, method)


def complaints(browser: Browser) -> list[str]:
    browser.leave()
    found = browser.run("return complaints")
    browser.enter()
    return found
