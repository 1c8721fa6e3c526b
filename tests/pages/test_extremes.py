"""Pages with nothing, one and very many things to show, long words, right-to-left words and markup, on a narrow screen."""

from collections.abc import Iterator
from typing import Any

import pytest

from pages import samples
from pages.browser import Browser
from pages.hosting import Show, complaints

ODD = (
    "A <script>alert(1)</script> cat </script> ]]> <!-- &amp; <b>bold</b>",
    "月光下的竹林，水墨画风格，留白。" * 40,
    "word " * 1500,
    "Averylongwordwithoutanybreaks" * 40,
    "line one\nline two\n\tline three",
    "\u202eturned round\u202c and back",
)
RIGHT_TO_LEFT = "منارة في عاصفة"
Result = dict[str, Any]


@pytest.fixture
def narrow(browser: Browser) -> Iterator[None]:
    """The narrowest screen that WCAG 2.2, 1.4.10, asks for."""
    browser.resize(320, 700)
    yield
    browser.resize(900, 800)


def drawn(prompt: str, count: int = 1) -> Result:
    """What a tool says that made pictures of a prompt."""
    files = [
        {"uri": f"mtu://media/{n}.png", "name": f"{n}.png", "mime": "image/png", "prompt": prompt, "cny": 0.1}
        for n in range(count)
    ]
    content = [block for n in range(count) for block in (_shown(n), samples.linked(f"{n}.png", "image/png"))]
    return {"content": content, "_meta": {samples.VIEW: {"files": files}}}


def _shown(number: int) -> Result:
    return {"type": "image", "data": samples.picture(number % 255, 8), "mimeType": "image/png"}


def many(count: int) -> Result:
    """A month with as many models and tools, and large sums."""
    result = samples.usage()
    data = result["structuredContent"]
    model = {**data["models"][0], "calls": 1, "cny": 1234.5, "input_tokens": 10**9}
    data["models"] = [{**model, "name": (*ODD, RIGHT_TO_LEFT)[n] if n < 7 else f"model-{n}"} for n in range(count)]
    data["tools"] = data["models"][:1]
    data["days"] = [{**model, "name": f"2026-10-{day:02}", "cny": 123_456.0 * day} for day in range(1, 32)]
    return result


@pytest.mark.parametrize("prompt", [*ODD, RIGHT_TO_LEFT])
@pytest.mark.parametrize("count", [1, 10])
def test_any_prompt_is_shown_as_it_is_in_a_narrow_frame(show: Show, narrow: None, prompt: str, count: int) -> None:
    """Our promise: nothing a person wrote becomes markup, breaks the page or makes it wider than its frame."""
    browser = show("gallery", input={"prompt": prompt}, result=drawn(prompt, count))
    browser.click("#grid button")
    browser.wait("document.getElementById('big').naturalWidth > 0")
    assert browser.run("return document.getElementById('prompt').textContent") == prompt
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    assert browser.run("const aside = document.querySelector('aside'); return aside.scrollWidth <= aside.clientWidth")
    assert complaints(browser) == []


def test_words_run_in_their_own_direction(show: Show) -> None:
    """Unicode, UAX 9, P2 and P3: a text's direction is that of its first strong letter, not that of the page."""
    browser = show("gallery", input={"prompt": RIGHT_TO_LEFT}, result=drawn(RIGHT_TO_LEFT))
    browser.click("#grid button")
    ends = """
    const prompt = document.getElementById('prompt'), range = document.createRange();
    range.setStart(prompt.firstChild, 0);
    range.setEnd(prompt.firstChild, 1);
    return prompt.getBoundingClientRect().right - range.getBoundingClientRect().right;
    """
    assert browser.run(ends) < 2, "the first letter is not at the right end"


def test_what_goes_wrong_with_another_one_is_in_sight(show: Show, narrow: None) -> None:
    """Our promise: the reason can be read where the button was pressed, and the way out stays in sight."""
    long = {"isError": True, "content": [{"type": "text", "text": "The gateway refused it. " * 6}]}
    browser = show("gallery", result=drawn(ODD[1]), calls={"generate_image": long})
    browser.click("#grid button")
    browser.click("#deeds .main")
    browser.wait("document.getElementById('said').innerText.includes('refused')")
    inside = """
    const aside = document.querySelector('aside').getBoundingClientRect();
    const one = document.getElementById(arguments[0]).getBoundingClientRect();
    return one.top >= aside.top - 1 && one.bottom <= aside.bottom + 1;
    """
    assert browser.run(inside, "said")
    assert browser.run(inside, "close")
    assert browser.run("return getComputedStyle(document.documentElement).overflowY") == "hidden", "two bars"


@pytest.mark.parametrize("count", [0, 1, 13, 500])
def test_a_report_of_any_length_can_be_read(show: Show, narrow: None, count: int) -> None:
    """Our promise: rows of figures stay rows, and what the plots leave out is said."""
    browser = show("usage", result=many(count))
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    assert ("488 more are in the table below." in browser.text("#models")) is (count == 500)
    assert browser.run("return document.querySelectorAll('#models .who').length") == (12 if count == 500 else count)
    browser.run("document.querySelector('details').open = true")
    tall = "[...document.querySelectorAll('tbody:first-of-type td:nth-child(2)')].map((one) => one.offsetHeight)"
    assert max(browser.run(f"return {tall}")) < 40
    assert complaints(browser) == []


def test_large_sums_stay_inside_the_plot(show: Show, narrow: None) -> None:
    """Our promise: the figures of an axis are whole; a single call is not called "calls"."""
    browser = show("usage", result=many(1))
    left = "[...document.querySelectorAll('#days text')].map((one) => one.getBoundingClientRect().left)"
    assert min(browser.run(f"return {left}")) >= 0
    assert "¥3.8M" in browser.text("#days")
    said = browser.run("return document.querySelector('#models svg').getAttribute('aria-label')")
    assert said.endswith(": ¥1,234.50, 1 call")
