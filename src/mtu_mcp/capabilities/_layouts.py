"""Texts with a structure, taken apart into what is translated and what must stay.

A layout is a list of pieces: strings that stay as they are (list marks, code, cue times, blank lines) and units, each one line of
words. Inside a unit whatever is no word (addresses, code spans, tags) is swapped for a numbered mark such as ⟦1⟧ before it is sent
and put back afterwards; when the marks do not come back whole, the words between them are translated one by one instead. So the
structure cannot be lost, however a model treats it.

Markdown is read by its blocks (CommonMark 0.31 with the tables and alerts of GitHub, and what documentation is commonly written
in besides: formulas, lists of definitions, `:::` and `!!!` boxes), a paragraph's soft line breaks being one space; SRT and VTT
(W3C WebVTT, section 4) by their cues.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

# Every stretch is bounded: what comes from outside must not make matching slow.
_INLINE: Final = re.compile(
    r"(`{1,9})(?!`)[^`](?:.{0,2000}?[^`])?\1(?!`)"  # code span
    r"|!?\[(?=[^\]\n]{0,400}\]\()|\]\([^()\s]{0,2000}(?:\([^()]{0,200}\)[^()\s]{0,200})?(?:\s{1,9}\"[^\"]{0,400}\")?\)"  # link, picture
    r"|\]\[[^\]]{0,200}\]|\[\^[^\]]{1,100}\]|<[/!]?[A-Za-z][^<>\n]{0,2000}>|</?>"
    r"|https?://[^\s<>()\[\]\"'，。；、）》」]{0,2000}[^\s<>()\[\]\"'，。；、）》」.,;:!?*_]"
    r"|\$\$[^$]{1,1000}\$\$|\$(?=\S)[^$\n]{1,300}(?<=\S)\$|&[A-Za-z#][A-Za-z0-9]{1,10};|\{\\[^{}]{0,100}\}|\{[%{][^\n]{0,200}?[%}]\}"
)
_SHORTCUT: Final = re.compile(
    r"(`{1,9})(?!`)[^`](?:.{0,2000}?[^`])?\1(?!`)|(?<![\]\\])\[([^\[\]\n]{1,200})\](?:\[\])?(?![\[(:])"
)
_EMPHASIS: Final = re.compile(r"\*\*|__|~~")
_MARK: Final = re.compile(r"⟦\s{0,9}(\d{1,6})\s{0,9}⟧")
_INNER: Final = re.compile(f"({_MARK.pattern.replace('(', '(?:')}|{_EMPHASIS.pattern})")
LONGEST_LINE: Final = 20_000
"""Characters of a line up to which it is looked into; longer ones are data, or a text without any marks."""
_WORDY: Final = re.compile(r"[^\W\d_]")
_GAP: Final = 100
_PAUSE: Final = re.compile(r"[，。！？、；：…]+[”’」』）]*")
_WIDE: Final = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uac00-\ud7a3\uff00-\uffef]")

_FENCE: Final = re.compile(r"^\s*(?:>\s?)*(`{3,}|~{3,})")
_PREFIX: Final = re.compile(r"^(?:\s*(?:>|[-*+:](?=\s)|\d{1,9}[.)](?=\s)|\[\^[^\]]+\]:|\[[ xX]\](?=\s)))*\s*")
_ITEM: Final = re.compile(r"[-*+\]:]|\d[.)]")
_HEADING: Final = re.compile(r"^\s{0,3}(?:>\s?)*#{1,6}[ \t]+")
_RULE: Final = re.compile(r"^\s{0,3}(?:(?:[-*_][ \t]*){3,}|=+[ \t]*)$")
_DEFINITION: Final = re.compile(r"^\s{0,3}\[([^\]^][^\]]*)\]:\s")
_BOX: Final = re.compile(r"^\s*(?:>\s?)*(?::{3,}.*|(?:!!!|\?\?\?)\+?\s.*|\[![A-Za-z]+\][-+]?)\s*$")
"""Where a box begins or ends: `:::note`, `!!! note "Title"`, `> [!NOTE]`; its words are in the lines between."""
_FORMULA: Final = {"$$": "$$", "\\[": "\\]"}
"""Lines between which a formula stands."""
LONGEST_FORMULA: Final = 200
"""Lines looked ahead for its end."""
_DELIMITER: Final = re.compile(r"^\s*+\|?\s*+:?-++:?\s*+(?:\|\s*+:?-++:?\s*+)*+\|?\s*+$")
_TAG_LINE: Final = re.compile(r"^\s*<[/!]?[A-Za-z-][^<>]*>\s*$|^\s*<!--.*-->\s*$")
_CELL: Final = re.compile(r"(?<!\\)\|")
_TIMES: Final = re.compile(
    r"(?:\d{1,9}:)?\d{1,2}:\d{2}[.,]\d{1,3}\s{0,9}-->\s{0,9}(?:\d{1,9}:)?\d{1,2}:\d{2}[.,]\d{1,3}"
)


@dataclass(frozen=True, slots=True)
class Unit:
    """One line to translate.

    Attributes:
        text: As it is sent: marks stand for what must not change.
        kept: What the marks stand for, from ⟦1⟧ on.
        raw: The line, or lines, as they were.
        lines: Over how many lines the translation is spread again.
    """

    text: str
    kept: tuple[str, ...] = ()
    raw: str = ""
    lines: int = 1

    def restored(self, said: str) -> str | None:
        """The translation with everything back in its place; None when a mark is missing, doubled or out of turn."""
        said = " ".join(said.split("\n")).strip()
        found = [int(number) for number in _MARK.findall(said)]
        # Where nothing was swapped, marks that are there are the text's own.
        marks = range(1, len(self.kept) + 1) if self.kept else map(int, sorted(_MARK.findall(self.text), key=int))
        if sorted(found) != list(marks) or _marks(said) != _marks(self.text):
            return None
        if self.kept:
            if any(
                self.kept[at - 1].startswith("](") and _opens(self, at) not in found[: found.index(at)] for at in found
            ):
                return None
            said = _MARK.sub(lambda mark: self.kept[int(mark[1]) - 1], said)
        return "\n".join(spread(said, self.lines)) if self.lines > 1 else said

    def split(self) -> list[Unit | str]:
        """The words between the marks, each for itself."""
        pieces: list[Unit | str] = []
        for part in _INNER.split(self.text):
            if (mark := _MARK.fullmatch(part)) and self.kept:
                pieces.append(self.kept[int(mark[1]) - 1])
            elif _WORDY.search(part):
                bare = part.strip()
                start = part.index(bare)
                pieces += [part[:start], Unit(bare, raw=bare), part[start + len(bare) :]]
            else:
                pieces.append(part)
        return [piece for piece in pieces if piece]


def _marks(text: str) -> list[int]:
    return [text.count(mark) for mark in ("**", "__", "~~")]


def _opens(unit: Unit, close: int) -> int:
    """The mark of the bracket that a link's end belongs to."""
    return max((at for at in range(1, close) if unit.kept[at - 1] in ("[", "![")), default=0)


def make_unit(text: str, *, raw: str = "", lines: int = 1) -> Unit | str:
    """A unit of a line's words, or the line itself where it holds none."""
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(found[0])
        return f"⟦{len(kept)}⟧"

    # Marks of ours that were there before could not be told from ours.
    marked = text if _MARK.search(text) or len(text) > LONGEST_LINE else _INLINE.sub(keep, text)
    return Unit(marked, tuple(kept), raw or text, lines) if _WORDY.search(_MARK.sub("", marked)) else raw or text


def spread(text: str, lines: int) -> list[str]:
    """A text over so many lines, each about as long as the others: broken between words, or behind a mark of Chinese."""
    breaks = _breaks(text) if lines > 1 else []
    parts: list[str] = []
    start = 0
    for left in range(lines, 1, -1):
        goal = start + (len(text) - start) // left
        first = bisect_right(breaks, start)
        near = bisect_right(breaks, goal, first)
        if not (ends := breaks[max(first, near - 1) : near + 1]):
            break
        at = min(ends, key=lambda place: abs(place - goal))
        parts.append(text[start:at].rstrip())
        start = at + len(text[at : at + _GAP]) - len(text[at : at + _GAP].lstrip())
    return [*parts, text[start:].lstrip()]


def _breaks(text: str) -> list[int]:
    """Where a text can be broken."""
    breaks = [at.start() for at in re.finditer(r"\s+(?=\S)", text) if at.start()]
    if not breaks or _WIDE.search(text):
        breaks += [at.end() for at in _PAUSE.finditer(text) if at.end() < len(text)]
    if not breaks and _WIDE.search(text):
        return list(range(1, len(text)))
    return sorted(breaks)


def read_captions(text: str) -> list[Unit | str]:
    """SRT or VTT: the words of each cue are a unit; numbers, times, settings, notes and styles stay."""
    pieces: list[Unit | str] = []
    words: list[str] = []
    inside = False
    for line in _lines(text):
        bare = line.rstrip("\n")
        if _TIMES.search(bare):
            pieces += [*_cue(words), line]
            words, inside = [], True
        elif inside and bare.strip():
            words.append(bare)
        else:
            pieces += [*_cue(words), line]
            words, inside = [], False
    pieces += _cue(words, last=not text.endswith("\n"))
    return pieces


def _cue(words: list[str], *, last: bool = False) -> Iterator[Unit | str]:
    """The lines of one cue: one sentence over several lines, or each speaker's own line."""
    if not words:
        return
    end = "" if last else "\n"
    if len(words) > 1 and not any(line.lstrip().startswith(("-", "–", "—", "<v")) for line in words):
        yield from (make_unit(join_lines(words), raw="\n".join(words), lines=len(words)), end)
        return
    for at, line in enumerate(words):
        dash = re.match(r"\s*(?:[-–—]\s*)?", line)
        start = dash[0] if dash else ""
        yield from (start, make_unit(line[len(start) :]), "\n" if at < len(words) - 1 else end)


def count_cues(text: str) -> int:
    """Cues of an SRT or VTT file."""
    return len(_TIMES.findall(text))


def join_lines(lines: list[str]) -> str:
    """Lines as one; no blank between two characters of Chinese or Japanese."""
    whole = lines[0].strip()
    for line in lines[1:]:
        bare = line.strip()
        wide = bool(whole and bare and _WIDE.match(whole[-1]) and _WIDE.match(bare[0]))
        whole += bare if wide else " " + bare
    return whole


def _lines(text: str) -> list[str]:
    *lines, last = text.split("\n")
    return [*(line + "\n" for line in lines), *filter(None, (last,))]


def read_markdown(text: str) -> list[Unit | str]:
    """Markdown: headings, paragraphs, list items and cells are units; everything else stays."""
    return _Reader(_lines(text)).read()


class _Reader:
    """One pass over the lines of a Markdown file."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._at = 0
        self._pieces: list[Unit | str] = []
        self._blank_before = True
        self._in_list = False
        defined = filter(None, map(_DEFINITION.match, lines))
        self._labels = {_label(found[1]) for found in defined}

    def read(self) -> list[Unit | str]:
        self._front_matter()
        steps: tuple[Callable[[str], bool], ...] = (self._code, self._table, self._still, self._heading)
        while self._at < len(self._lines):
            line = self._lines[self._at].rstrip("\n")
            if len(line) > LONGEST_LINE:
                self._pieces += [make_unit(line), self._lines[self._at][len(line) :]]
                self._at += 1
            elif not any(step(line) for step in steps):
                self._paragraph()
            self._blank_before = not self._lines[self._at - 1].strip()
        return self._pieces

    def _keep(self, count: int = 1) -> bool:
        self._pieces += self._lines[self._at : self._at + count]
        self._at += count
        return True

    def _front_matter(self) -> None:
        """YAML between two lines of `---` at the very top."""
        if self._lines[:1] and self._lines[0].strip() == "---":
            end = next((at for at, line in enumerate(self._lines[1:], 1) if line.strip() in ("---", "...")), 0)
            if end:
                self._keep(end + 1)

    def _code(self, line: str) -> bool:
        """A fenced block or a formula to its end, or a line of an indented block."""
        if fence := _FENCE.match(line):
            closing = re.compile(rf"^\s*(?:>\s?)*{re.escape(fence[1][0])}{{{len(fence[1])},}}\s*$")
            end = self._at + 1
            while end < len(self._lines) and not closing.match(self._lines[end]):
                end += 1
            return self._keep(min(end + 1, len(self._lines)) - self._at)
        if closer := _FORMULA.get(line.strip()):
            rest = enumerate(self._lines[self._at + 1 : self._at + LONGEST_FORMULA], 2)
            if end := next((at for at, each in rest if each.strip() == closer), 0):
                return self._keep(end)
        indented = line.startswith(("    ", "\t")) and line.strip()
        return bool(indented and self._blank_before and not self._in_list) and self._indented()

    def _indented(self) -> bool:
        end = self._at
        while end < len(self._lines) and (self._lines[end].startswith(("    ", "\t")) or not self._lines[end].strip()):
            end += 1
        return self._keep(end - self._at)

    def _table(self, line: str) -> bool:
        """A head, its row of dashes, and the rows below."""
        below = self._lines[self._at + 1].rstrip("\n") if self._at + 1 < len(self._lines) else ""
        if "|" not in line or not _DELIMITER.match(below):
            return False
        self._row(line)
        self._keep()
        while self._at < len(self._lines) and "|" in self._lines[self._at]:
            self._row(self._lines[self._at].rstrip("\n"))
        return True

    def _row(self, line: str) -> None:
        at = 0
        ends = [*(found.start() for found in _CELL.finditer(line)), len(line)]
        for end in ends:
            cell = line[at:end]
            bare = cell.strip()
            start = cell.index(bare) if bare else len(cell)
            self._pieces += [cell[:start], self._unit(bare), cell[start + len(bare) :], line[end : end + 1]]
            at = end + 1
        self._pieces.append(self._lines[self._at][len(line) :])
        self._at += 1

    def _still(self, line: str) -> bool:
        """Lines without words of their own: blank ones, rules, definitions of links, tags, the ends of boxes."""
        if not line.strip():
            return self._keep()
        # A line that is indented below an item still belongs to it.
        self._in_list = bool(_item(line)) or (self._in_list and line.startswith((" ", "\t")))
        return _stands(line) and self._keep()

    def _heading(self, line: str) -> bool:
        found = _HEADING.match(line)
        if found is None:
            return False
        bare = line[len(found[0]) :].rstrip(" \t")
        stem = bare.rstrip("#")  # a heading may be closed by hashes behind a space
        words = stem.rstrip(" \t") if stem.endswith((" ", "\t")) else bare
        rest = self._lines[self._at][len(found[0]) + len(words) :]
        self._pieces += [found[0], self._unit(words), rest]
        self._at += 1
        return True

    def _paragraph(self) -> None:
        """A paragraph or an item, its soft line breaks joined; a hard break ends the unit."""
        line = self._lines[self._at].rstrip("\n")
        start = _prefix(line)
        words, end = [line[len(start) :]], self._lines[self._at][len(line) :]
        self._at += 1
        while not _hard(words[-1]) and self._at < len(self._lines) and self._goes_on(start, self._lines[self._at]):
            line = self._lines[self._at].rstrip("\n")
            words.append(line[len(_prefix(line)) :])
            end = self._lines[self._at][len(line) :]
            self._at += 1
        last = words[-1]
        tail = last[len(last.rstrip()) :] if _hard(last) and not last.endswith("\\") else "\\" * last.endswith("\\")
        words[-1] = last.rstrip().removesuffix("\\")
        self._pieces += [start, self._unit(join_lines(words)), tail, end]

    def _unit(self, text: str) -> Unit | str:
        """A unit whose links by a bare label, `[guide]`, name it apart, so that the words of the link can change."""

        def named(found: re.Match[str]) -> str:
            label = found[2]
            return f"[{label}][{label}]" if label and _label(label) in self._labels else found[0]

        return make_unit(_SHORTCUT.sub(named, text) if self._labels else text, raw=text)

    def _goes_on(self, start: str, line: str) -> bool:
        """Whether a line belongs to the paragraph before it: the same quote, and nothing that begins a block."""
        bare = line.rstrip("\n")
        if not bare.strip() or _item(bare) or _FENCE.match(bare) or _HEADING.match(bare):
            return False
        if _stands(bare) or bare.strip() in _FORMULA:
            return False
        return _prefix(bare).count(">") == start.count(">")


def _label(text: str) -> str:
    """A label as links are matched to their definitions (CommonMark, link reference definitions)."""
    return " ".join(text.split()).casefold()


def _stands(line: str) -> bool:
    return any(rule.match(line) for rule in (_RULE, _DEFINITION, _TAG_LINE, _BOX))


def _prefix(line: str) -> str:
    found = _PREFIX.match(line)
    return found[0] if found else ""


def _item(line: str) -> bool:
    return _ITEM.search(_prefix(line)) is not None


def _hard(line: str) -> bool:
    return line.endswith(("  ", "\\"))


READERS: Final = {"md": read_markdown, "srt": read_captions, "vtt": read_captions}
"""By extension; other texts have no structure besides their paragraphs."""


def layout_of(text: str) -> str:
    """The extension a text without a name should have: captions and clear Markdown show themselves."""
    if _TIMES.search(text):
        return "vtt" if text.lstrip("\ufeff").startswith("WEBVTT") else "srt"
    return "md" if re.search(r"^\s{0,3}(?:```|~~~|#{1,6} |\|.*\|)|\]\(\S", text, re.MULTILINE) else "txt"


def stays(pieces: list[Unit | str]) -> list[str]:
    """What has to be found again in the translation, in order."""
    kept = [piece.kept if isinstance(piece, Unit) else (piece,) for piece in pieces]
    return sorted("".join(part.split()) for parts in kept for part in parts if part.strip())
