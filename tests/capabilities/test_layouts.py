"""Structures taken apart and put together again: nothing but words may change.

Lower than a client can see, because the shapes are many and each is a few lines.
"""

import re

import pytest

from mtu_mcp.capabilities._layouts import (
    Unit,
    count_cues,
    join_lines,
    layout_of,
    make_unit,
    read_captions,
    read_markdown,
    spread,
)
from mtu_mcp.capabilities._series import split_text

SRT = """1
00:00:01,000 --> 00:00:02,500
<i>Hello</i> world,
my friend.

2
00:00:03,000 --> 00:00:04,000
- Yes?
- No!

3
00:00:05,000 --> 00:00:06,000
你好，欢迎来到
图书馆。
"""
VTT = "WEBVTT Kind: captions\n\nNOTE\nnot for you\n\nSTYLE\n::cue { color: red }\n\nintro\n" + SRT.replace(
    ",0", ".0"
).replace(",5", ".5").replace(".000 -->", ".000  -->")
PAGE = """---
title: A page
---
# Heading with `code` #

A **bold** [link](https://x.org/a_(b) "title"), ![picture](p.png) and <b>tag</b>.

Second
------

- item
- [ ] task
  1. nested

> quote

```python
def words(): "stay"
```

    indented code

| Name | Size |
|:-----|-----:|
| cat  | 3 \\| 4 |

[ref]: https://x.org "Title"
A note[^1], [text][ref], $x+y$ &amp; https://x.org/q?a=1.

[^1]: The note.
<div>
***
"""


def rebuilt(pieces: list[Unit | str]) -> str:
    return "".join(piece if isinstance(piece, str) else piece.raw for piece in pieces)


def words(pieces: list[Unit | str]) -> list[str]:
    return [piece.text for piece in pieces if isinstance(piece, Unit)]


@pytest.mark.parametrize("text", [SRT, SRT.rstrip(), VTT, "", "no cues at all\n", "1\n00:01 --> broken\nx\n"])
def test_captions_come_back_as_they_were(text: str) -> None:
    """W3C WebVTT, section 4, and SubRip: blocks parted by blank lines."""
    assert rebuilt(read_captions(text)) == text


def test_a_cue_is_one_unit_and_speakers_are_apart() -> None:
    """Our promise: a sentence over two lines is translated as one; a dialogue keeps its lines."""
    assert words(read_captions(SRT)) == [
        "⟦1⟧Hello⟦2⟧ world, my friend.",
        "Yes?",
        "No!",
        "你好，欢迎来到图书馆。",
    ]
    assert words(read_captions(VTT)) == words(read_captions(SRT))
    assert count_cues(VTT) == count_cues(SRT) == 3


def test_markdown_comes_back_as_it_was() -> None:
    """CommonMark 0.31 and GitHub's tables."""
    assert rebuilt(read_markdown(PAGE)) == PAGE


def test_only_the_words_of_markdown_are_sent() -> None:
    """Our promise: code, addresses, marks of lists and tables never reach the model."""
    sent = words(read_markdown(PAGE))
    assert sent[:4] == [
        "Heading with ⟦1⟧",
        "A **bold** ⟦1⟧link⟦2⟧, ⟦3⟧picture⟦4⟧ and ⟦5⟧tag⟦6⟧.",
        "Second",
        "item",
    ]
    assert sent[4:] == [
        "task",
        "nested",
        "quote",
        "Name",
        "Size",
        "cat",
        "A note⟦1⟧, [text⟦2⟧, ⟦3⟧ ⟦4⟧ ⟦5⟧.",
        "The note.",
    ]


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("one\ntwo\n", ["one two"]),
        ("你好，\n世界\n", ["你好，世界"]),
        ("hard  \nbreak\n", ["hard", "break"]),
        ("hard\\\nbreak\n", ["hard", "break"]),
        ("> a\n> b\nc\n", ["a b", "c"]),
        ("- a\n  b\n- c\n", ["a b", "c"]),
        ("1. a\n2) b\n", ["a", "b"]),
        ("~~~\nx\n```\ny\n~~~\nz\n", ["z"]),
        ("```\nnever closed\n", []),
        ("- a\n\n    still the item\n", ["a", "still the item"]),
        ("\tcode\n", []),
        ("**Note**: x_y_z\n", ["**Note**: x_y_z"]),
        ("| a | b |\n|---|---|\n| c |\nd\n", ["a", "b", "c", "d"]),
        ("a | b\nno table\n", ["a | b no table"]),
        ("![](x.png)\n", []),
        ("123 --- 456\n", []),
        ("\r", []),
        ("a\n$$\nx = y\n$$\nb\n", ["a", "b"]),
        ("\\[\nx\n\\]\n", []),
        ("$$\nno end\n", ["$$ no end"]),
        (":::note\na\nb\n:::\n", ["a b"]),
        ('!!! tip "T"\n    a\n', ["a"]),
        ("> [!NOTE]\n> a\n> b\n", ["a b"]),
        ("Term\n: its meaning\n", ["Term", "its meaning"]),
    ],
)
def test_blocks_are_told_apart(text: str, sent: list[str]) -> None:
    """CommonMark 0.31; GitHub's alerts; the boxes, formulas and definitions of Docusaurus, MkDocs and Pandoc."""
    pieces = read_markdown(text)
    assert words(pieces) == sent
    kept = "".join(each for each in pieces if isinstance(each, str))
    assert [line for line in text.split("\n") if line.startswith((":::", "!!!", "> [!", "$$", "\\["))] == [
        line for line in kept.split("\n") if line.startswith((":::", "!!!", "> [!", "$$", "\\["))
    ] or "no end" in text


def test_a_link_by_its_words_alone_still_leads_there_when_the_words_change() -> None:
    """CommonMark, reference links: `[guide]` and `[guide][]` go by their words, `[Anleitung][guide]` does not."""
    text = "See [the Guide], [the guide][] or [it][the guide], `[the guide]`, [ ] and [another].\n\n[the guide]: /g\n"
    pieces = read_markdown(text)
    [unit] = [piece for piece in pieces if isinstance(piece, Unit)]
    said = unit.restored(unit.text.replace("the Guide", "die Anleitung").replace("the guide", "Anleitung"))
    assert said == (
        "See [die Anleitung][the Guide], [Anleitung][the guide] or [it][the guide], `[the guide]`, [ ] and [another]."
    )
    assert pieces[-1] == "[the guide]: /g\n"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "# x",
            "`",
            "`` ` ",
            "[",
            "[a] ",
            "](",
            "![a](b",
            "> ",
            "<a ",
            "$ x",
            "$x ",
            "- ",
            "1. ",
            "#  ",
            "a  ",
            "{{ ",
            "&amp",
            "\t",
        ),
        *(
            "|a|\n|-|\n",
            "\n\n",
            "---\n",
            "a\\\n",
            "[a]: ",
            "https://",
            "**",
            "⟦1⟧",
            "~~~\n",
            "\\[\n",
            "$$\n",
            ":::\n",
            ": ",
        ),
    ],
)
def test_hostile_markdown_is_read_in_no_time_and_kept(text: str) -> None:
    """Our promise: no file can hang the server."""
    text = text * (15_000 // len(text)) + "x"
    assert re.sub(r"\s", "", rebuilt(read_markdown(text))) == re.sub(r"\s", "", text)


def test_marks_come_back_in_their_places_or_not_at_all() -> None:
    """Our promise: a translation that lost, doubled or swapped a mark is never used."""
    unit = make_unit("See [the page](u) and `x` **now**")
    assert isinstance(unit, Unit)
    assert unit.restored("**Jetzt** ⟦3⟧ und ⟦ 1 ⟧die Seite⟦2⟧ sehen") == "**Jetzt** `x` und [die Seite](u) sehen"
    for said in (
        "⟦1⟧ ⟦2⟧ **x**",
        "⟦1⟧ ⟦2⟧ ⟦3⟧ ⟦3⟧ **x**",
        "⟦2⟧die Seite⟦1⟧ ⟦3⟧ **x**",
        "⟦1⟧ ⟦2⟧ ⟦3⟧ ⟦4⟧ **x**",
        "⟦1⟧ ⟦2⟧ ⟦3⟧ x",
        "",
    ):
        assert unit.restored(said) is None


def test_the_words_between_marks_can_be_had_alone() -> None:
    """Our promise: where marks get lost, each stretch of words is translated by itself."""
    unit = make_unit("See [the page](u) **now**")
    assert isinstance(unit, Unit)
    parts = unit.split()
    assert rebuilt(parts) == "See [the page](u) **now**"
    assert words(parts) == ["See", "the page", "now"]


def test_lines_are_spread_again_without_cutting_words() -> None:
    """Our promise: a cue of two lines stays one of two lines, where its words allow."""
    assert spread("bonjour le monde mon ami", 2) == ["bonjour le", "monde mon ami"]
    assert spread("你好，欢迎来到图书馆。", 2) == ["你好，", "欢迎来到图书馆。"]
    assert spread("图书馆欢迎你们", 2) == ["图书馆", "欢迎你们"]
    assert spread("one", 3) == ["one"]
    assert join_lines(["一 ", " 二", "three"]) == "一二 three"


def test_a_text_without_a_name_shows_what_it_is() -> None:
    """Our promise: captions and clear Markdown given as text keep their structure, too."""
    assert [layout_of(text) for text in (SRT, VTT, PAGE, "Just words.", "a * b")] == ["srt", "vtt", "md", "txt", "txt"]


SLOW = {
    "headings with blanks inside": ("# a" + " " * 19_000 + "b\n") * 60,
    "lines of digits": ("a " + "1" * 19_000 + "\n") * 60,
    "fences that alternate": "```\n~~~~\n" * 60_000,
    "almost rows of dashes": ("|a|\n-" + " " * 19_000 + "x\n") * 60,
    "only line ends": "a" + "\n" * 300_000,
}


@pytest.mark.parametrize("text", SLOW.values(), ids=list(SLOW))
def test_the_cost_of_reading_grows_with_the_length_alone(text: str) -> None:
    """Our promise: no text holds up other calls. Sixty such headings, or 1.2 MB of such fences, had taken minutes."""
    assert rebuilt(read_markdown(text)).split() == text.split()
    assert count_cues(text) == 0
    assert rebuilt(read_captions(text)) == text


def test_a_long_cue_is_spread_over_its_lines() -> None:
    """Our promise: the same; a cue of 20,000 lines had been searched through once a line."""
    text = " ".join(["word"] * 40_000)
    assert {len(line.split()) for line in spread(text, 20_000)} <= {1, 2, 3}


def test_a_sentence_is_looked_for_once() -> None:
    """Our promise: the same; from each dot of a line of dots the rest had been looked through."""
    for letters in (".", ",", "。", '."', " ", "a"):
        text = "a" + letters * 300_000
        parts = split_text(text, 5_000)
        assert "".join(parts) == text
        assert max(map(len, parts)) <= 5_000


def test_marks_like_ours_in_a_text_are_words_of_it() -> None:
    """Our promise: what a text holds is not lost; it had been taken for a mark of ours that names nothing."""
    unit = make_unit("See ⟦1⟧ and `code`")
    assert isinstance(unit, Unit)
    assert unit.restored("Voir ⟦1⟧ et `code`") == "Voir ⟦1⟧ et `code`"
    assert unit.restored("Voir ⟦2⟧") is None
    assert rebuilt(unit.split()) == unit.raw
    assert unit.restored("⟦" + "1" * 5_000 + "⟧") is None


@pytest.mark.parametrize(
    ("line", "words"),
    [("# a", "a"), ("## a ##", "a"), ("# a#", "a#"), ("# a # b #  ", "a # b"), ("# C# ##\n", "C#"), ("> # a #", "a")],
)
def test_a_heading_may_be_closed(line: str, words: str) -> None:
    """CommonMark 0.31, 4.2: the closing hashes stand behind a space."""
    pieces = read_markdown(line)
    assert [piece.raw for piece in pieces if isinstance(piece, Unit)] == [words]
    assert rebuilt(pieces) == line
