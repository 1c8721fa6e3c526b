"""The pages inside a host that is not ours: `python .ci/apps.py ADDRESS`, where the Inspector's web page is at ADDRESS.

A real browser connects the one server the Inspector was started with, looks whether every tool's icon is drawn, calls
the tools that have pages (MCP Apps) and looks at what is drawn in the Inspector's own frames and under its own policy.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from pages.browser import Browser, browsing

TEXT = "Good morning. This is the player, and it follows every word."
CALLS = (
    ("Make or edit pictures", {"prompt": "a lighthouse, 灯塔"}, "picture()"),
    ("Speak text", {"text": TEXT}, "document.querySelector('audio').readyState > 0"),
    (
        "Search the web",
        {"query": "When was the lighthouse built?"},
        "document.querySelectorAll('a[href^=http]').length",
    ),
    ("Compare models", {"prompt": "What is 6 times 7?"}, "document.querySelectorAll('article').length > 1"),
    ("Usage and cost", {}, "document.querySelector('svg rect, svg path')"),
)
"""Title of a tool, what is typed into its form, and what is true of its page when it is drawn."""
PICTURE = (
    "const picture = () => [...document.images].some((one) => one.src.startsWith('data:') && one.naturalWidth > 0);"
)
FIND = """
const [selector, text] = arguments;
const found = [...document.querySelectorAll(selector)].find(
    (one) => one.textContent.replace("*", "").trim() === text || one.getAttribute("aria-label") === text
);
"""


def click(browser: Browser, selector: str, text: str, until: str = "true") -> None:
    """Click the element of this text or label, once it is there, until an expression is true: clicks on what is just
    leaving the page go nowhere.
    """
    browser.wait(f"(() => {{ {FIND} if (found) found.click(); return found && ({until}); }})()", selector, text)


def fill(browser: Browser, label: str, text: str) -> None:
    """Type into the field with this label."""
    field = "document.getElementById(found.htmlFor) || found.parentElement.querySelector('input, textarea')"
    field = f"(() => {{ {FIND} const field = found && ({field}); if (field) field.focus(); return !!field; }})()"
    browser.wait(field, "label", label)
    browser.press(*text)


def main(address: str) -> None:
    """Raise unless everything is drawn."""
    with tempfile.TemporaryDirectory() as folder, browsing(Path(folder)) as browser:
        browser.resize(1400, 1000)
        browser.open(address)
        browser.wait("document.querySelector('[role=switch]')")
        browser.run("document.querySelector('[role=switch]').click()")
        click(browser, "label", "Tools")
        browser.wait("document.body.innerText.includes('call_operation')")
        icons = "[...document.images].filter((one) => one.src.startsWith('data:image/png'))"
        browser.wait(f"{icons}.length === 19 && {icons}.every((one) => one.naturalWidth === 48)")
        for title, values, drawn in CALLS:
            browser.leave()
            click(browser, "label", "Apps")
            browser.wait("document.body.innerText.includes('MCP Apps (')")
            click(browser, "p", title, until="document.body.innerText.includes('Open App')")
            for label, text in values.items():
                fill(browser, label, text)
            click(browser, "button", "Open App")
            browser.wait("document.querySelector('iframe')")
            for _ in ("the Inspector's frame", "the page in it"):
                browser.send("POST", "frame", {"id": 0})
                browser.wait("document.readyState === 'complete'")
            browser.wait(f"(() => {{ {PICTURE} return {drawn}; }})()")
            print(f"{title}: drawn")


if __name__ == "__main__":
    main(sys.argv[1])
