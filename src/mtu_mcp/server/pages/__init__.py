"""The pages a person looks at: pictures, sound, comparisons, searches, usage; one HTML document each, whole in itself.

Owns: the documents, and what they share, put into each at load. Asks for: a page's name, or what it is to show.
Knows nothing of: where it is shown; a page finds that out itself (MCP Apps, our own HTTP server, a file).
Because: hosts show such a document in a frame that may load nothing from anywhere, so it has to hold all it needs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pkgutil import get_data
from typing import Any, Final

PAGES: Final[Mapping[str, str]] = {
    "gallery": "Pictures made",
    "player": "Sound and video with transcript",
    "comparison": "Models side by side",
    "search": "Search results with sources",
    "usage": "Usage and cost",
}
"""The pages and their titles."""
POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src 'self' data:; "
    "media-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'"
)
"""What a page may load: itself, and files of the server it came from."""


@cache
def page(name: str) -> str:
    """Return a page, whole; `name` is one of `PAGES`."""
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    text = _asset(f"{name}.html").replace("<!-- policy -->", policy)
    for tag, shared in (("style", "shared.css"), ("script", "shared.js")):
        text = text.replace(f"<{tag}>\n/* shared */", f"<{tag}>\n{_asset(shared)}")
    for part in re.findall(r"^/\* (\w+) \*/$", text, re.MULTILINE):
        text = text.replace(f"/* {part} */", _asset(f"{part}.js"))
    return _tight(text)


def filled(name: str, result: Mapping[str, Any]) -> str:
    """Return a page that shows a tool's result by itself, as a file does.

    Args:
        name: One of `PAGES`.
        result: As MCP writes one: `content`, `structuredContent`, `_meta`.
    """
    given = json.dumps(result, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    holder = f'<script type="application/json" id="given">{given}</script>\n'
    before, mark, after = page(name).partition("<script>")
    return f"{before}{holder}{mark}{after}"


def _asset(name: str) -> str:
    data = get_data(__name__, name)
    assert data is not None, f"{name} is not in the package"
    return data.decode("utf-8")


def _tight(text: str) -> str:
    """The text without indentation and without lines that are only a comment; a host holds it in memory per answer."""
    spare = re.compile(r"/\*.*?\*/|\s*(?=[{};,])|(?<=[{};,:])\s+|;(?=\s*})")
    text = re.sub(r"<style>.*?</style>", lambda found: spare.sub("", found[0]), text, flags=re.DOTALL)
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not re.match(r"//", line)) + "\n"
