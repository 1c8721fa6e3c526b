"""One browser for all tests of a locale: starting one takes a second."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pages.browser import CHROMIUM, DRIVER, Browser, browsing
from pages.hosting import Show, showing


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium that prefers English."""
    if not (CHROMIUM and DRIVER):
        pytest.skip("there is no Chromium with its driver on this machine")
    with browsing(tmp_path_factory.mktemp("browser")) as started:
        started.resize(900, 800)
        yield started


@pytest.fixture(scope="session")
def chinese(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One that prefers Chinese."""
    if not (CHROMIUM and DRIVER):
        pytest.skip("there is no Chromium with its driver on this machine")
    with browsing(tmp_path_factory.mktemp("chinese"), "zh-CN") as started:
        yield started


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Show:
    """Shows a page with its sample, and chooses its frame."""
    return showing(browser, tmp_path)
