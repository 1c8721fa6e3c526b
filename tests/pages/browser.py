"""A real browser, driven as the W3C WebDriver recommendation says, with nothing but the standard library.

Chromium and its driver come from the machine (`apt-get install chromium chromium-driver`, or CHROMIUM and CHROMEDRIVER
name them); without them the tests that need a browser are skipped.
"""

import base64
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = os.environ.get("CHROMEDRIVER") or shutil.which("chromedriver")
PATIENCE = 20.0
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The name under which WebDriver hands over elements."""
KEYS = {
    "Tab": "\ue004",
    "Enter": "\ue007",
    "Escape": "\ue00c",
    "Left": "\ue012",
    "Up": "\ue013",
    "Right": "\ue014",
    "Down": "\ue015",
}


class Browser:
    """One window."""

    def __init__(self, base: str, session: str) -> None:
        self._base = f"{base}/session/{session}"

    def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = json.dumps(body or {}).encode() if method == "POST" else None
        return _send(method, f"{self._base}/{path}".rstrip("/"), data)

    def open(self, url: str) -> None:
        self.send("POST", "url", {"url": url})

    def run(self, script: str, *values: Any) -> Any:
        """The value of a function's body, run in the frame that is chosen."""
        return self.send("POST", "execute/sync", {"script": script, "args": list(values)})

    def enter(self) -> None:
        """Choose the page inside the host."""
        self.leave()
        self.send("POST", "frame", {"id": 0})

    def leave(self) -> None:
        self.send("POST", "frame", {"id": None})

    def wait(self, script: str, *values: Any) -> Any:
        """Ask again and again until an expression is true; one about an element that is not there yet is not."""
        ends = time.monotonic() + PATIENCE
        asked = f"try {{ return ({script}) }} catch (error) {{ if (!(error instanceof TypeError)) throw error }}"
        while not (found := self.run(asked, *values)):
            assert time.monotonic() < ends, (
                f"never true: {script}; the page says: {self.run('return document.body.innerText')[:600]}"
            )
        return found

    def find(self, selector: str) -> str:
        return self.send("POST", "element", {"using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector: str) -> None:
        self.send("POST", f"element/{self.find(selector)}/click")

    def press(self, *names: str) -> None:
        """Press keys where the focus is."""
        keys = [KEYS.get(name, name) for name in names]
        acts = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.send("POST", "actions", {"actions": [{"type": "key", "id": "keys", "actions": acts}]})

    def text(self, selector: str = "body") -> str:
        return self.run("return document.querySelector(arguments[0]).innerText", selector)

    def resize(self, width: int, height: int) -> None:
        self.dev("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def prefer(self, scheme: str) -> None:
        """Light or dark, as a system prefers it."""
        self.dev("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def dev(self, name: str, **parameters: Any) -> Any:
        return self.send("POST", "goog/cdp/execute", {"cmd": name, "params": parameters})

    def picture(self) -> bytes:
        return base64.b64decode(self.send("GET", "screenshot"))

    def complaints(self) -> list[str]:
        """What the console holds, and forget it."""
        return [one["message"] for one in self.send("POST", "se/log", {"type": "browser"})]


def _send(method: str, url: str, data: bytes | None = None) -> Any:
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE * 3) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        with error:
            raise AssertionError(json.load(error)["value"]["message"].splitlines()[0]) from None


@contextmanager
def browsing(folder: Path, locale: str = "en-US") -> Iterator[Browser]:
    """Start a browser that keeps what it keeps in `folder`, and end it."""
    assert DRIVER and CHROMIUM
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    environ = {**os.environ, "LANGUAGE": locale.replace("-", "_"), "HOME": str(folder)}
    child = subprocess.Popen(
        [DRIVER, f"--port={port}"], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _await(base, child)
        made = _send("POST", f"{base}/session", json.dumps(_wishes(folder, locale)).encode())
        browser = Browser(base, made["sessionId"])
        yield browser
        browser.send("DELETE", "")
    finally:
        child.terminate()
        child.wait(PATIENCE)


def _await(base: str, child: "subprocess.Popen[bytes]") -> None:
    ends = time.monotonic() + PATIENCE
    while True:
        try:
            _send("GET", f"{base}/status")
            return
        except OSError:
            assert child.poll() is None, "the driver ended"
            assert time.monotonic() < ends, "the driver does not answer"


def _wishes(folder: Path, locale: str) -> dict[str, Any]:
    arguments = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--mute-audio",
    ]
    arguments += [
        f"--user-data-dir={folder / 'profile'}",
        f"--lang={locale}",
        "--autoplay-policy=no-user-gesture-required",
    ]
    options = {"binary": CHROMIUM, "args": arguments, "prefs": {"intl.accept_languages": locale}}
    wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}, "pageLoadStrategy": "normal"}
    return {"capabilities": {"alwaysMatch": wanted}}
