"""README.zh-CN.md says what README.md says: the same sections, commands, names, figures and links.

Its tables are made from those of README.md, which are made from the code, by the words in `chinese.json`:
`MTU_UPDATE=1 python -m pytest tests/house/test_readme_zh.py` writes them anew.
"""

import json
import os
import re
from itertools import zip_longest
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENGLISH, CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"
WORDS: dict[str, str] = json.loads(Path(__file__).with_name("chinese.json").read_text(encoding="utf-8"))
PAGES: list[dict[str, str]] = json.loads(Path(__file__).with_name("pages.json").read_text(encoding="utf-8"))
BLOCK = re.compile(r"<!-- (\w+):start -->\n(.*?)<!-- \1:end -->", re.DOTALL)
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
STATE = re.compile(r" \((removed|deprecated)\)")
LAGS = "README.zh-CN.md lags behind README.md"


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def headings(page: str) -> list[tuple[int, str]]:
    """Level and words of every heading; what stands in code is none."""
    return [(len(found[1]), found[2]) for found in re.finditer(r"^(#+) (.+)$", FENCE.sub("", page), re.MULTILINE)]


def anchor(heading: str) -> str:
    """Where GitHub puts a heading."""
    return "#" + re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def sections(page: str) -> list[tuple[str, str]]:
    """Every section's heading and text, without code and without generated tables."""
    plain = re.sub(r"<!--.*?-->\n", "", BLOCK.sub("", FENCE.sub("", page)))
    parts = re.split(r"^#+ (.+)$", plain, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def pairs() -> list[tuple[str, str, str]]:
    """The English heading of every section, with its text in English and in Chinese."""
    return [
        (heading, text, other)
        for (heading, text), (_, other) in zip(sections(read(ENGLISH)), sections(read(CHINESE)), strict=False)
    ]


def said(english: str) -> str:
    assert english in WORDS, f"tests/house/chinese.json has no Chinese for: {english}"
    return WORDS[english]


def chinese_cell(text: str) -> str:
    """A cell of a table; names in code are the same in every language."""
    if text not in WORDS and re.fullmatch(r"|[a-z]+|(\[?`[^`]*`\]?(, )?)+", text):
        return text
    return said(text)


def chinese_page(text: str) -> str:
    """What serves a page of the documentation: names, then a note in brackets, then a section of this page."""
    places = {
        anchor(one): other
        for (_, one), (_, other) in zip(headings(read(ENGLISH)), headings(read(CHINESE)), strict=True)
    }
    text = STATE.sub(lambda found: f"（{said(found[1])}）", text)
    notes = sorted({entry["note"] for entry in PAGES if entry.get("note")}, key=len, reverse=True)
    if note := next((one for one in notes if f"({one})" in text or f"({one}, [" in text or text.startswith(one)), ""):
        text = text.replace(note, other := chinese_cell(note), 1).replace(f"{other}, [", f"{other}，见[", 1)
    text = re.sub(r"\[[^\]]*\]\((#[^)]*)\)", lambda link: f"[{places[link[1]]}]({anchor(places[link[1]])})", text)
    return re.sub(r" \((?!#)((?:[^()]|\(#[^)]*\))*)\)$", r"（\1）", text)


def made(name: str, block: str) -> str:
    """A generated block of README.md in Chinese."""
    if name == "config":
        return block
    lines = block.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("| "):
            cells = line.strip("|").split(" | ")
            first, *others = [cell.strip() for cell in cells]
            if name == "pages" and first != "page":
                lines[number] = f"| {first} | {chinese_page(others[0])} |"
            else:
                lines[number] = f"| {' | '.join(map(chinese_cell, (first, *others)))} |"
    return "\n".join(lines) + "\n"


def test_the_sections_are_the_same_in_the_same_order() -> None:
    """Our promise: what there is to read in English is there in Chinese."""
    here, there = headings(read(ENGLISH)), headings(read(CHINESE))
    both = zip_longest(here, there, fillvalue=(0, "nothing"))
    lags = [f"{mine[1]!r} beside {other[1]!r}" for mine, other in both if mine[0] != other[0]]
    assert not lags, f"{LAGS}: headings differ from here on: {lags[0]}"


def test_commands_and_examples_are_the_same() -> None:
    """Our promise: what is copied from the one page works as from the other."""
    here, there = FENCE.findall(read(ENGLISH)), FENCE.findall(read(CHINESE))
    missing = [block for block in here if block not in there]
    beyond = [block for block in there if block not in here]
    assert not missing, f"{LAGS}: this block of code is not in it:\n{missing[0]}"
    assert not beyond, f"README.zh-CN.md has a block of code that README.md has not:\n{beyond[0]}"
    assert there == here, f"{LAGS}: blocks of code stand in another order"


@pytest.mark.parametrize("name", [found[1] for found in BLOCK.finditer(read(ENGLISH))])
def test_a_table_is_the_english_one_in_chinese(name: str) -> None:
    """Our promise: every setting, tool, prompt, resource and page is named in both."""
    block = next(found[2] for found in BLOCK.finditer(read(ENGLISH)) if found[1] == name)
    page = read(CHINESE)
    start, end = f"<!-- {name}:start -->\n", f"<!-- {name}:end -->"
    assert start in page, f"{LAGS}: it has no table {name}"
    before, _, rest = page.partition(start)
    stands, _, after = rest.partition(end)
    wanted = made(name, block)
    if os.environ.get("MTU_UPDATE"):
        CHINESE.write_text(before + start + wanted + end + after, encoding="utf-8")
        return
    assert stands == wanted, f"{LAGS}: its table {name} is another; MTU_UPDATE=1 writes it anew"


def test_no_words_are_left_over() -> None:
    """Words for what no table says any more mislead whoever mends it."""
    tables = "".join(found[2] for found in BLOCK.finditer(read(ENGLISH)))
    assert [english for english in WORDS if english not in tables] == []


@pytest.mark.parametrize(("heading", "english", "chinese"), pairs(), ids=[one[0] for one in pairs()])
def test_a_section_names_the_same_things(heading: str, english: str, chinese: str) -> None:
    """Our promise: no setting, option, file, figure or address is in one page only."""
    for kind, pattern in (
        ("names in code", r"`[^`]+`"),
        ("figures", r"(?<![\w.`#])\d[\d,.]*\d|(?<![\w.`#-])\d(?![\w.])"),
        ("addresses", r"\]\((?!README)([^#)]\S*)\)"),
    ):
        here, there = (set(re.findall(pattern, prose(text, kind))) for text in (english, chinese))
        assert there >= here, f"{LAGS} in the section {heading!r}: {kind} that are missing: {sorted(here - there)}"
        assert here >= there, f"{LAGS} in the section {heading!r}: {kind} README.md has not: {sorted(there - here)}"


def prose(text: str, kind: str) -> str:
    """A section's text; without its code and addresses, when figures are looked for."""
    joined = " ".join(text.split())
    return re.sub(r"`[^`]*`|\]\([^)]*\)", "", joined) if kind == "figures" else joined


def test_every_paragraph_has_its_own() -> None:
    """Our promise: no paragraph, point of a list or row of a table is left out."""
    counted = [
        (heading, *(len(re.split(r"\n\s*\n|\n(?=- |\| )", text.strip())) for text in (english, chinese)))
        for heading, english, chinese in pairs()
    ]
    lags = [f"{heading!r} has {there} for {here}" for heading, here, there in counted if here != there]
    assert not lags, f"{LAGS}: paragraphs, points of lists and rows are missing, or too many: {'; '.join(lags)}"


def test_every_link_leads_somewhere() -> None:
    """A link to a file or a heading that is not there sends a reader nowhere."""
    page = read(CHINESE)
    places = {anchor(words) for _, words in headings(page)}
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", page):
        assert target in places if target.startswith("#") else (ROOT / target).exists(), target


def test_each_page_leads_to_the_other() -> None:
    """Our promise: a reader who came to the wrong one finds the other at its top."""
    assert "[简体中文](README.zh-CN.md)" in read(ENGLISH)[:400]
    assert "[English](README.md)" in read(CHINESE)[:400]
