"""What holds for each page whatever shows it, read from its text."""

import json
import re
from html.parser import HTMLParser

import pytest

from mtu_mcp.server.pages import PAGES, POLICY, filled, page
from mtu_mcp.server.views import SHOWN_BY
from pages import samples

MOST_BYTES = 26 * 1024
every_page = pytest.mark.parametrize("name", [*PAGES, "index", "upload"])


class Reader(HTMLParser):
    """Every element with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


@every_page
def test_a_page_is_small_and_whole(name: str) -> None:
    """Our promise: below 26 KB, with nothing left to be put in."""
    text = page(name)
    assert len(text.encode()) < MOST_BYTES
    assert text.startswith("<!doctype html>")
    assert "/* shared */" not in text
    assert "<!-- policy -->" not in text


@every_page
def test_a_page_loads_nothing(name: str) -> None:
    """MCP Apps, Content Requirements: without declared domains a host lets nothing in from outside."""
    text = page(name)
    addresses = set(re.findall(r"https?://[\w.]+", text)) - {"http://www.w3.org"}  # the name of SVG, not an address
    assert addresses == set()
    others = text.replace("/url\\(/", "")
    if name == "upload":  # hands a file to the address it came from; only this tells how much has left
        assert others.count("XMLHttpRequest()") == others.count('.open("PUT", location.href)') == 1
        others = others.replace("XMLHttpRequest", "")
    assert not re.search(
        r"@import|url\(|import\s*\(|\bimport\s|XMLHttpRequest|WebSocket|EventSource|sendBeacon", others
    )
    for tag, attributes in Reader(text).elements:
        assert tag not in {"link", "iframe", "object", "embed", "base", "form"}
        assert not {"src", "srcset", "action", "background", "data"} & set(attributes), tag


@every_page
def test_a_page_runs_nothing_but_its_own_script(name: str) -> None:
    """Content Security Policy, level 3: no eval, no handlers in attributes, no HTML made of what others wrote."""
    text = page(name)
    assert POLICY in text
    assert "'unsafe-eval'" not in text
    assert not re.search(r"\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML|document\.write", text)
    assert all(not key.startswith("on") for _, attributes in Reader(text).elements for key in attributes)
    assert text.count("<script>") == text.count("</script>") == 1


@every_page
def test_a_page_has_both_themes_and_a_narrow_layout(name: str) -> None:
    """CSS Color Adjustment: `color-scheme: light dark` with `light-dark()` follows what the system or the host prefers."""
    text = page(name)
    assert "color-scheme:light dark" in text
    assert "light-dark(" in text
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in Reader(text).elements
    assert "prefers-reduced-motion" in text
    assert ":focus-visible" in text


@every_page
def test_what_can_be_used_has_a_name(name: str) -> None:
    """WCAG 2.2, 4.1.2: buttons, fields and landmarks without text of their own are labelled, in every language."""
    for tag, attributes in Reader(page(name)).elements:
        if tag in {"input", "select", "dialog", "ul", "ol"} and attributes.get("type") != "file" and "id" in attributes:
            assert "aria-label" in attributes or attributes["id"] == "sources", attributes
        if "data-label" in attributes:
            assert attributes.get("aria-label")
    assert any(tag == "main" for tag, _ in Reader(page(name)).elements)
    assert ("html", {"lang": "en"}) in Reader(page(name)).elements


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_everything_in_chinese_too(name: str) -> None:
    """Our promise: the pages speak Chinese where the host or the browser does."""
    text = page(name)
    spoken = re.search(r"const own = \{\nen: \{(.*?)\},\nzh: \{(.*?)\},\n\};", text, re.DOTALL)
    assert spoken
    english, chinese = (set(re.findall(r"(?:^|[\s{,])(\w+): \"", part)) for part in spoken.groups())
    assert english == chinese
    assert len(english) > 4
    used = set(re.findall(r"data-(?:t|label)=\"(\w+)\"", text))
    assert used <= english


def test_what_a_page_is_given_cannot_end_its_script() -> None:
    """HTML, 4.12.1.3: a script's text ends at `</script`, wherever it stands; prompts are strangers' words."""
    hostile = "</script><script>alert(1)</script><!--"
    text = filled("gallery", {"content": [{"type": "text", "text": hostile}]})
    assert hostile not in text
    given = re.search(r'id="given">(.*?)</script>', text, re.DOTALL)
    assert given
    assert json.loads(given[1])["content"][0]["text"] == hostile


def test_every_sample_and_every_tool_has_its_page() -> None:
    """This folder's own completeness."""
    assert set(samples.SAMPLES) == set(PAGES)
    assert set(SHOWN_BY.values()) == set(PAGES)
