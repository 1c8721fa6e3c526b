"""Draw the tools' icons: white signs on the blue field of the server's own icon, each with one part in its amber.

    python packaging/draw_tool_icons.py

Writes `src/mtu_mcp/server/tool_icons/TOOL.png`, 48 by 48 pixels; a test draws them again and compares. Signs are given
in the units of a 24 by 24 field.
"""

import io
from collections.abc import Callable
from math import cos, pi, sin
from pathlib import Path

from PIL import Image, ImageDraw

FOLDER = Path(__file__).parents[1] / "src" / "mtu_mcp" / "server" / "tool_icons"
FIELD, SIZE, SMOOTH, COLOURS = 24, 48, 8, 24
BLUE, WHITE, AMBER = "#1e3a8a", "#ffffff", "#fbbf24"
STROKE = 1.8
Point = tuple[float, float]


class Sheet:
    """One icon in the making; every measure is in units of the field."""

    def __init__(self) -> None:
        self._unit = SIZE * SMOOTH / FIELD
        side = SIZE * SMOOTH
        self._picture = Image.new("RGBA", (side, side))
        self._draw = ImageDraw.Draw(self._picture)
        self._draw.rounded_rectangle((0, 0, side - 1, side - 1), 5 * self._unit, fill=BLUE)

    def line(self, *points: Point, width: float = STROKE, colour: str = WHITE) -> None:
        """A stroke through points, round at ends and corners."""
        self._draw.line(self._scaled(points), fill=colour, width=round(width * self._unit))
        for x, y in points:
            self.dot(x, y, width / 2, colour)

    def area(self, *points: Point, colour: str = WHITE) -> None:
        """A filled outline."""
        self._draw.polygon(self._scaled(points), fill=colour)

    def box(self, left: float, top: float, right: float, bottom: float, colour: str = WHITE) -> None:
        """A filled rectangle with slightly rounded corners."""
        self._draw.rounded_rectangle(self._scaled([(left, top), (right, bottom)]), self._unit, fill=colour)

    def dot(self, x: float, y: float, radius: float, colour: str = WHITE) -> None:
        """A filled circle."""
        self._draw.ellipse(self._scaled([(x - radius, y - radius), (x + radius, y + radius)]), fill=colour)

    def arc(self, x: float, y: float, radius: float, start: float = 0, end: float = 360, colour: str = WHITE) -> None:
        """A stroke along a circle, in degrees clockwise from three o'clock."""
        r = radius + STROKE / 2
        box = self._scaled([(x - r, y - r), (x + r, y + r)])
        self._draw.arc(box, start, end, fill=colour, width=round(STROKE * self._unit))

    def png(self) -> bytes:
        """The icon as a PNG."""
        self._picture.thumbnail((SIZE, SIZE), Image.Resampling.LANCZOS)
        out = io.BytesIO()
        self._picture.quantize(COLOURS, Image.Quantize.FASTOCTREE).save(out, "PNG", optimize=True)
        return out.getvalue()

    def _scaled(self, points: "tuple[Point, ...] | list[Point]") -> list[Point]:
        return [(x * self._unit, y * self._unit) for x, y in points]


def chat(on: Sheet) -> None:
    """A speech bubble with words coming."""
    on.box(4, 5, 20, 16)
    on.area((7, 15.5), (7, 20), (12, 15.5))
    for x in (8, 12, 16):
        on.dot(x, 10.5, 1.3, AMBER if x == 16 else BLUE)


def understand(on: Sheet) -> None:
    """An eye."""
    upper = [(12 + 9 * cos(pi * k / 24), 12 - 6 * sin(pi * k / 24)) for k in range(25)]
    on.area(*upper, *[(x, 24 - y) for x, y in reversed(upper)])
    on.dot(12, 12, 4, BLUE)
    on.dot(12, 12, 2, AMBER)


def generate_image(on: Sheet) -> None:
    """A picture of hills and a sun."""
    on.box(3.5, 5, 20.5, 19)
    on.box(5.2, 6.7, 18.8, 17.3, BLUE)
    on.area((5.2, 17.3), (10, 10.5), (13, 14.5), (15, 12.5), (18.8, 17.3))
    on.dot(15.8, 9.6, 1.5, AMBER)


def transcribe(on: Sheet) -> None:
    """A microphone, and the line it becomes."""
    on.box(9.3, 3.5, 14.7, 12)
    on.dot(12, 5.2, 2.7)
    on.dot(12, 10.8, 2.7)
    on.arc(12, 10.5, 5, 0, 180)
    on.line((12, 15.5), (12, 18))
    on.line((6, 20), (18, 20), colour=AMBER)


def speak(on: Sheet) -> None:
    """A loudspeaker."""
    on.area((4, 9.5), (8, 9.5), (12.5, 5.5), (12.5, 18.5), (8, 14.5), (4, 14.5))
    on.arc(12.5, 12, 3.5, -55, 55)
    on.arc(12.5, 12, 7, -55, 55, AMBER)


def translate_text(on: Sheet) -> None:
    """Two sheets, one in front of the other, and the way between them."""
    on.box(4, 4, 13, 15)
    on.line((6.2, 7.5), (10.8, 7.5), width=1.4, colour=BLUE)
    on.line((6.2, 10.5), (9, 10.5), width=1.4, colour=BLUE)
    on.box(10.3, 8.3, 20.7, 20.7, BLUE)
    on.box(11, 9, 20, 20, AMBER)
    on.line((13.2, 12.5), (17.8, 12.5), width=1.4, colour=BLUE)
    on.line((13.2, 15.5), (16.5, 15.5), width=1.4, colour=BLUE)


def complete_code(on: Sheet) -> None:
    """Two angle brackets, and the cursor between them."""
    on.line((8, 7), (3.8, 12), (8, 17))
    on.line((16, 7), (20.2, 12), (16, 17))
    on.line((12, 7), (12, 17), colour=AMBER)


def web_search(on: Sheet) -> None:
    """A magnifying glass."""
    on.arc(10.5, 10.5, 5.5)
    on.line((15, 15), (19.5, 19.5), width=2.6)
    on.dot(10.5, 10.5, 1.8, AMBER)


def compare_models(on: Sheet) -> None:
    """Two columns of an answer side by side."""
    for left, colour in ((4, WHITE), (13, AMBER)):
        on.box(left, 4.5, left + 7, 19.5, colour)
        for y in (8, 11, 14):
            on.line((left + 1.9, y), (left + (5.1 if y < 14 else 3.6), y), width=1.2, colour=BLUE)


def list_models(on: Sheet) -> None:
    """A list, one of which is chosen."""
    for y in (7, 12, 17):
        on.dot(5.7, y, 1.6, AMBER if y == 12 else WHITE)
        on.line((10, y), (19.3, y), colour=AMBER if y == 12 else WHITE)


def get_job(on: Sheet) -> None:
    """A clock."""
    on.arc(12, 12, 7.5)
    on.line((12, 7.5), (12, 12), (15, 14), colour=AMBER)


def ask_document(on: Sheet) -> None:
    """A page with a folded corner, one line of which is marked."""
    on.area((6, 3.5), (14, 3.5), (18, 7.5), (18, 20.5), (6, 20.5))
    on.area((14, 3.5), (14, 7.5), (18, 7.5), colour=BLUE)
    on.area((14.9, 5.3), (14.9, 6.6), (16.2, 6.6))
    on.line((8.5, 11), (15.5, 11), width=1.4, colour=BLUE)
    on.line((8.5, 14), (15.5, 14), width=1.8, colour=AMBER)
    on.line((8.5, 17), (12.5, 17), width=1.4, colour=BLUE)


def run_batch(on: Sheet) -> None:
    """A stack of sheets."""
    for y, colour in ((16, WHITE), (12.3, WHITE), (8.6, AMBER)):
        on.area((12, y - 5.2), (21, y - 0.6), (12, y + 4), (3, y - 0.6), colour=BLUE)
        on.area((12, y - 4), (19, y - 0.6), (12, y + 2.8), (5, y - 0.6), colour=colour)


def manage_files(on: Sheet) -> None:
    """A folder."""
    on.box(3.5, 5.5, 11, 11)
    on.box(3.5, 7.5, 20.5, 18.5)
    on.line((6.5, 15.5), (12, 15.5), colour=AMBER)


def find_operation(on: Sheet) -> None:
    """A field of operations, one of which is found."""
    for x in (6.5, 12, 17.5):
        for y in (6.5, 12, 17.5):
            on.box(x - 1.9, y - 1.9, x + 1.9, y + 1.9, AMBER if (x, y) == (12, 12) else WHITE)


def call_operation(on: Sheet) -> None:
    """A bolt of lightning."""
    on.area((13.5, 3.5), (5.5, 13.5), (11, 13.5), (9.5, 20.5), (18.5, 10), (12.7, 10))
    on.dot(18, 18, 1.6, AMBER)


def embed_text(on: Sheet) -> None:
    """Points in a space, three of them near each other."""
    on.line((6, 17), (10, 8), (18, 6), width=1.2)
    on.line((6, 17), (17, 16), width=1.2)
    for x, y, colour in ((6, 17, WHITE), (10, 8, WHITE), (18, 6, WHITE), (17, 16, AMBER)):
        on.dot(x, y, 2.3, colour)


def moderate_content(on: Sheet) -> None:
    """A shield with a tick."""
    on.area((12, 3), (19.5, 6), (18.8, 13.5), (16, 17.8), (12, 21), (8, 17.8), (5.2, 13.5), (4.5, 6))
    on.line((8.5, 11.8), (11.2, 14.5), (15.8, 9), width=2, colour=BLUE)


def usage_report(on: Sheet) -> None:
    """Bars."""
    for x, top, colour in ((4.5, 13, WHITE), (10, 9, WHITE), (15.5, 5, AMBER)):
        on.box(x, top, x + 4, 19.5, colour)


SIGNS: tuple[Callable[[Sheet], None], ...] = (
    chat,
    understand,
    generate_image,
    transcribe,
    speak,
    translate_text,
    complete_code,
    web_search,
    compare_models,
    list_models,
    get_job,
    ask_document,
    run_batch,
    manage_files,
    find_operation,
    call_operation,
    embed_text,
    moderate_content,
    usage_report,
)
"""One for each tool, under the tool's name."""


def drawn() -> dict[str, bytes]:
    """Every icon as a PNG, by its tool."""
    made: dict[str, bytes] = {}
    for sign in SIGNS:
        sign(sheet := Sheet())
        made[sign.__name__] = sheet.png()
    return made


def main() -> None:
    """Write the pictures."""
    for name, png in drawn().items():
        (FOLDER / f"{name}.png").write_bytes(png)


if __name__ == "__main__":
    main()
