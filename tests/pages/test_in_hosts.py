"""Each page in a real browser, in the frame of a host that plays its part of MCP Apps (2026-01-26)."""

import pytest

from mtu_mcp.server.pages import PAGES
from pages import samples
from pages.hosting import Show, await_heard, complaints, heard


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("theme", "locale", "width"), [("light", "en-US", 900), ("dark", "zh-CN", 360)])
def test_a_page_is_drawn_without_complaint(show: Show, name: str, theme: str, locale: str, width: int) -> None:
    """Our promise: light and dark, English and Chinese, wide and narrow; nothing refused by the frame's policy."""
    show(name).resize(width, 800)
    browser = show(name, context={"theme": theme, "locale": locale})
    browser.wait("document.getElementById('notice').hidden")
    assert complaints(browser) == []
    assert browser.run("return document.documentElement.lang") == ("zh-CN" if locale == "zh-CN" else "en")
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth"), "wider than its frame"
    red, *_ = browser.run("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (red < 60) is (theme == "dark")
    browser.resize(900, 800)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shakes_hands_and_tells_its_size(show: Show, name: str) -> None:
    """MCP Apps, Lifecycle: ui/initialize, initialized, then size changes."""
    browser = show(name)
    [hello] = heard(browser, "ui/initialize")
    assert hello["protocolVersion"] == "2026-01-26"
    assert hello["appInfo"]["name"] == "mtu-mcp"
    assert len(heard(browser, "ui/notifications/initialized")) == 1
    browser.leave()
    browser.wait("frame.offsetHeight > 130")
    browser.enter()
    browser.wait("document.documentElement.scrollHeight <= innerHeight + 1")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_what_went_wrong_and_what_it_cannot_read(show: Show, name: str) -> None:
    """Our promise: a failed, stopped or handed-off call is text, and the text is shown."""
    failed = {"isError": True, "content": [{"type": "text", "text": "The key is wrong. Set MTU_API_KEY."}]}
    browser = show(name, result=failed, input={})
    assert browser.run("return document.getElementById('notice').getAttribute('role')") == "alert"
    assert "MTU_API_KEY" in browser.text()
    running = {"content": [{"type": "text", "text": "It goes on as job-1."}]}
    assert "job-1" in show(name, result=running, input={}).text()
    stopped = show(name, result=None, cancelled=True)
    stopped.wait("document.getElementById('notice').innerText.includes('stopped')")


def test_a_picture_opens_and_keys_lead_through_them(show: Show) -> None:
    """WCAG 2.2, 2.1.1 and 2.4.3: everything by keyboard, and the focus comes back to where it was."""
    browser = show("gallery")
    browser.run("document.querySelector('#grid button').focus()")
    browser.press("Right")
    assert browser.run("return document.activeElement.innerText").startswith("月光下的竹林")
    browser.press("Enter")
    browser.wait("document.getElementById('box').open")
    assert browser.text("#prompt").startswith("月光下的竹林")
    assert "gpt-image-1" in browser.text("#facts")
    assert "¥0.29" in browser.text("#facts")
    browser.press("Right")
    browser.wait("document.getElementById('prompt').innerText.includes('<b>with</b>')")
    browser.press("Right")
    browser.wait("document.getElementById('prompt').innerText.includes('lighthouse')")
    browser.press("Escape")
    browser.wait("!document.getElementById('box').open")
    assert browser.run("return document.activeElement.closest('#grid') !== null")


def test_the_whole_picture_is_read_through_the_host(show: Show) -> None:
    """MCP Apps, Standard MCP Messages: resources/read of mtu://media/...; the preview stands in before and without it."""
    uri = samples.gallery()["_meta"][samples.VIEW]["files"][0]["uri"]
    big = {"uri": uri, "mimeType": "image/png", "blob": samples.picture(20, 640)}
    browser = show("gallery", reads={uri: big})
    browser.click("#grid button")
    browser.wait("document.getElementById('big').naturalWidth === 640")
    browser = show("gallery", fails=["resources/read"])
    browser.click("#grid button")
    browser.wait("document.getElementById('big').naturalWidth === 320")
    assert "preview only" in browser.wait(
        "document.getElementById('facts').innerText.includes('preview') && document.getElementById('facts').innerText"
    )
    assert complaints(browser) == []


def test_another_like_this_is_made_and_shown(show: Show) -> None:
    """Our promise: the page calls generate_image through the host, and tells the model what was made."""
    made = samples.gallery(1)
    browser = show("gallery", calls={"generate_image": made})
    browser.click("#grid button")
    browser.click("#deeds .main")
    browser.wait("document.querySelectorAll('#grid li').length === 4")
    [call] = heard(browser, "tools/call")
    assert call["name"] == "generate_image"
    assert call["arguments"] == {"prompt": samples.PROMPTS[0], "model": "gpt-image-1", "n": 1}
    assert await_heard(browser, "ui/update-model-context")


def test_a_host_that_lets_no_page_call_tools_is_sent_a_message(show: Show) -> None:
    """MCP Apps, ui/message: the wish goes into the conversation."""
    browser = show("gallery", can={})
    browser.click("#grid button")
    browser.click("#deeds .main")
    [message] = await_heard(browser, "ui/message")
    assert message["role"] == "user"
    assert samples.PROMPTS[0] in message["content"][0]["text"]
    browser.wait("document.getElementById('said').innerText.includes('asked')")


def test_the_transcript_follows_and_a_click_seeks(show: Show) -> None:
    """Our promise: what is heard is marked, and a line leads to its moment."""
    browser = show("player")
    browser.wait("document.querySelector('audio')?.readyState > 0")
    browser.run("document.querySelector('audio').currentTime = 2")
    browser.wait("document.querySelector('#lines [aria-current]')?.innerText.includes('早上好')")
    browser.click("#lines li:nth-child(3) button")
    browser.wait("document.querySelector('audio').currentTime >= 3")
    browser.wait("document.querySelector('#lines [aria-current]')?.innerText.includes('budget')")
    browser.press("Down")
    assert "lunch" in browser.run("return document.activeElement.innerText")
    browser.press("Enter")
    browser.wait("document.querySelector('audio').currentTime >= 4.5")
    assert complaints(browser) == []


def test_what_was_spoken_is_played_and_followed_too(show: Show) -> None:
    """Our promise: sentences get a share of the whole by their length, and the page says that this is a guess."""
    browser = show("player", input={"text": samples.TEXT}, result=samples.speech())
    browser.wait("document.querySelectorAll('#lines li').length === 4")
    assert "estimated" in browser.text("#hint")
    browser.click("#lines li:nth-child(3) button")
    browser.wait("document.querySelector('#lines [aria-current]')?.innerText.includes('下一班船')")


def test_subtitles_alone_can_be_followed(show: Show) -> None:
    """Our promise: without further facts the page reads the times in SRT, VTT and lines with times."""
    srt = "1\n00:00:00,000 --> 00:00:02,000\nFirst\n\n2\n00:01:02,500 --> 00:01:04,000\nSecond\n"
    lines = "[00:00:00.000 - 00:00:02.000] A: First\n[00:01:02.500 - 00:01:04.000] B: Second"
    for text in (srt, f"WEBVTT\n\n{srt.replace(',', '.')}", lines):
        browser = show(
            "player", input={"file": "/home/me/talk.mp3"}, result={"content": [{"type": "text", "text": text}]}
        )
        browser.wait("document.querySelectorAll('#lines li').length === 2")
        assert "1:02" in browser.text("#lines")
        assert "Open the recording" in browser.text("#bar")


def test_answers_stand_side_by_side_with_what_they_took(show: Show) -> None:
    """Our promise: time, tokens, cost, the judge's choice, and the reason where there is no answer."""
    browser = show("comparison")
    tops = browser.run("return [...document.querySelectorAll('article')].map((one) => one.getBoundingClientRect().top)")
    assert len(set(tops)) == 1
    assert "★ Best" in browser.text("article.best")
    assert "¥0.0121" in browser.text("article.best")
    assert "overloaded" in browser.text("#seats")
    assert "onerror=alert(1)" in browser.text("#seats")
    browser.run("document.querySelector('article .answer').focus()")
    browser.press("Right")
    assert "遍历各行" in browser.run("return document.activeElement.innerText")
    browser.click("article:nth-child(2) .main")
    [message] = await_heard(browser, "ui/message")
    assert "qwen3-max" in message["content"][0]["text"]


def test_a_citation_leads_to_its_source_and_a_source_to_the_web(show: Show) -> None:
    """MCP Apps, ui/open-link: the host opens addresses, and only those of the web are links."""
    browser = show("search")
    browser.click("button.cite")
    assert browser.run("return document.activeElement.closest('li').id") == "source1"
    browser.press("Enter")
    assert await_heard(browser, "ui/open-link") == [{"url": "https://tides.example/2026"}]
    assert browser.run("return document.querySelectorAll('#sources a').length") == 2
    assert "[7]" in browser.text("#answer")


def test_usage_is_drawn_against_the_caps_and_turns_to_other_months(show: Show) -> None:
    """Our promise: by day, model and tool; every bar says its figures, and a table holds all of them."""
    browser = show("usage", calls={"usage_report": samples.usage("2026-09", capped=False)})
    assert browser.run("return document.querySelectorAll('#days g').length") == 11
    assert browser.run("return document.querySelectorAll('#days .over').length") == 1
    assert "cap ¥5.00" in browser.run("return document.querySelector('#days .said').textContent")
    assert browser.run("return document.querySelector('[role=meter]').getAttribute('aria-valuenow')") == "3.1"
    assert browser.run("return document.querySelectorAll('#table tbody tr').length") == 19
    browser.click("#earlier")
    browser.wait("document.getElementById('month').innerText === '2026-09'")
    assert heard(browser, "tools/call") == [{"name": "usage_report", "arguments": {"month": "2026-09"}}]
    assert "No caps are set." in browser.text("#top")


def test_the_theme_and_the_language_may_change_while_it_is_shown(show: Show) -> None:
    """MCP Apps, host-context-changed: partial updates are merged."""
    browser = show("usage")
    browser.leave()
    browser.run("tell({ method: 'ui/notifications/host-context-changed', params: { theme: 'dark', locale: 'zh-CN' } })")
    browser.enter()
    browser.wait("document.getElementById('title').innerText === '用量'")
    assert browser.run("return getComputedStyle(document.documentElement).colorScheme") == "dark"
    assert "按模型" in browser.text()


def test_messages_of_others_than_the_host_are_not_heard(show: Show) -> None:
    """HTML, web messaging: whoever holds a window may post to it; the sender is checked."""
    browser = show("search")
    forged = "window.postMessage({ jsonrpc: '2.0', method: 'ui/notifications/tool-cancelled', params: {} }, '*')"
    browser.run(forged)
    browser.run("return new Promise((resolve) => setTimeout(resolve, 50))")
    assert browser.run("return document.getElementById('notice').hidden")
