"""Text on pictures, legible in English and Chinese on a clean machine.

Pillow's own font has no Chinese, and a clean machine need not have one either, so the package ships a subset of Noto Sans CJK SC
(SIL Open Font License, see ``fonts/OFL.txt``): GB2312, the common half of Big5, kana, Latin, Greek and Cyrillic. A character outside
it, such as an emoji, is drawn as a small box with its code point: honest, and never a failure.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

_FONT_FILE = Path(__file__).parent / "fonts" / "SandboxSansSC.otf"
_NOT_AT_START = set("，。、；：？！）》」』】”’…,.;:?!)]}%")
_NOT_AT_END = set("（《「『【“‘([{")
_LINE_HEIGHT = 1.42

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Setting:
    """A text broken into lines at a size in pixels; ``left_off`` counts characters that found no room."""

    lines: list[str]
    size: int
    left_off: int = 0

    @property
    def height(self) -> int:
        """Height of all lines in pixels."""
        return round(len(self.lines) * self.size * _LINE_HEIGHT)


@lru_cache(maxsize=64)
def font(size: int) -> ImageFont.FreeTypeFont:
    """The shipped font at a size in pixels."""
    # Without libraqm everywhere the same: there are no layout tables to shape with.
    return ImageFont.truetype(str(_FONT_FILE), max(4, size), layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=16384)
def known(letter: str) -> bool:
    """Whether the shipped font has this character: its picture differs from that of a code point nobody has."""
    if letter.isspace():
        return True
    return _drawn(letter) != _drawn("\U000e0f0f")


def width_of(text: str, size: int) -> float:
    """Width of a line in pixels, code point boxes included."""
    return sum(length for _, length in _pieces(text, size))


def fit(text: str, width: int, height: int, largest: int, smallest: int = 11) -> Setting:
    """Break a text into lines at the largest size that fits; at the smallest size the rest is left off, and counted."""
    cleaned = " ".join(text.split())
    size = largest
    while True:
        lines = wrap(cleaned, width, size)
        if round(len(lines) * size * _LINE_HEIGHT) <= height:
            return Setting(lines, size)
        if size <= smallest:
            break
        size = max(smallest, min(size - 1, int(size * 0.94)))
    room = max(1, int(height / (size * _LINE_HEIGHT)))
    kept = lines[:room]
    while len(kept[-1]) > 1 and width_of(kept[-1] + "…", size) > width:
        kept[-1] = kept[-1][:-1]
    kept[-1] = kept[-1].rstrip() + "…"
    return Setting(kept, size, left_off=max(0, len(cleaned) - sum(len(line) for line in kept)))


def wrap(text: str, width: int, size: int) -> list[str]:
    """Break at spaces and between Chinese characters, never before closing or after opening punctuation."""
    lines: list[str] = []
    line, length = "", 0.0
    for word in _words(text):
        own = _length(word, size)
        if line and length + _length(word.rstrip(), size) > width:
            lines.append(line.rstrip())
            line, length = "", 0.0
        line, length = line + word, length + own
    lines.append(line.rstrip())
    return [part for whole in lines for part in _cut(whole, width, size)] or [""]


def write(
    draw: ImageDraw.ImageDraw, x: float, y: float, text: str, size: int, fill: Colour | tuple[int, int, int, int]
) -> None:
    """Write one line with its top left at ``(x, y)``."""
    for piece, length in _pieces(text, size):
        if known(piece[0]):
            draw.text((x, y), piece, font=font(size), fill=fill)
        else:
            _write_code_point(draw, x, y, piece, size, fill)
        x += length


def write_lines(draw: ImageDraw.ImageDraw, x: float, y: float, setting: Setting, fill: Colour) -> None:
    """Write a setting with its top left at ``(x, y)``."""
    for at, line in enumerate(setting.lines):
        write(draw, x, y + at * setting.size * _LINE_HEIGHT, line, setting.size, fill)


def _drawn(letter: str) -> bytes:
    picture = Image.new("L", (32, 32))
    ImageDraw.Draw(picture).text((4, 2), letter, font=font(20), fill=255)
    return picture.tobytes()


def _pieces(text: str, size: int) -> list[tuple[str, float]]:
    """Split a line into runs the font knows and single characters it does not, each with its width."""
    pieces: list[tuple[str, float]] = []
    run = ""
    for letter in text:
        if known(letter):
            run += letter
            continue
        if run:
            pieces.append((run, font(size).getlength(run)))
            run = ""
        # Joiners and variation selectors are not seen in any font.
        if letter not in "\u200d\ufe0f\ufe0e":
            pieces.append((letter, size * 1.15))
    if run:
        pieces.append((run, font(size).getlength(run)))
    return pieces


def _write_code_point(
    draw: ImageDraw.ImageDraw, x: float, y: float, letter: str, size: int, fill: Colour | tuple[int, int, int, int]
) -> None:
    digits = f"{ord(letter):04X}"
    half = (len(digits) + 1) // 2
    top = y + size * 0.28
    draw.rounded_rectangle(
        (x + 1, top, x + size * 1.05, top + size * 0.92), radius=size * 0.12, outline=fill, width=max(1, size // 20)
    )
    small = max(5, int(size * 0.36))
    for at, part in enumerate((digits[:half], digits[half:])):
        left = x + size * 0.525 - font(small).getlength(part) / 2
        draw.text((left, top + size * (0.0 + 0.4 * at)), part, font=font(small), fill=fill)


def _words(text: str) -> list[str]:
    """Split into pieces between which a line may break; spaces stay at the end of their piece."""
    words: list[str] = []
    for letter in text:
        last = words[-1][-1] if words else ""
        glued = (
            not words
            or letter == " "
            or letter in _NOT_AT_START
            or last in _NOT_AT_END
            or (last != " " and not _wide(last) and not _wide(letter))
        )
        if glued and words:
            words[-1] += letter
        else:
            words.append(letter)
    return words


def _wide(letter: str) -> bool:
    return ord(letter) >= 0x2E80


def _cut(line: str, width: int, size: int) -> list[str]:
    """Cut a line that is one word too long for the width."""
    parts, part, length = list[str](), "", 0.0
    for letter in line:
        own = _advance(letter, size)
        if part and length + own > width:
            parts.append(part)
            part, length = "", 0.0
        part, length = part + letter, length + own
    return [*parts, part]


@lru_cache(maxsize=65536)
def _advance(letter: str, size: int) -> float:
    return sum(length for _, length in _pieces(letter, size))


def _length(text: str, size: int) -> float:
    """Width of a text as the sum of its letters: the shipped font has no kerning, and long prompts are measured often."""
    return sum(_advance(letter, size) for letter in text)
