"""Simple things to paint, each inside a square of side ``2 * r`` around ``(x, y)``.

Every figure is a function ``(draw, x, y, r, colour)``: flat shapes with one lighter and one darker tone. The table `FIGURES`
maps the names of `wording.THINGS` that stand in the foreground to their function and their usual colour.
"""

import math
from collections.abc import Callable, Mapping

from PIL import ImageDraw

from mtu_mcp.sandbox.wording import Colour, darker, lighter

Draw = ImageDraw.ImageDraw
Figure = Callable[[Draw, float, float, float, Colour], None]


def draw_circle(draw: Draw, x: float, y: float, r: float, colour: Colour) -> None:
    """A ball with a highlight."""
    draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)
    draw.ellipse((x - r * 0.6, y - r * 0.68, x - r * 0.05, y - r * 0.2), fill=lighter(colour, 0.35))


def draw_square(draw: Draw, x: float, y: float, r: float, colour: Colour) -> None:
    """A square tile."""
    s = r * 0.86
    draw.rounded_rectangle((x - s, y - s, x + s, y + s), radius=s * 0.06, fill=colour)
    draw.polygon(
        [(x - s * 0.94, y + s * 0.94), (x + s * 0.94, y + s * 0.94), (x + s * 0.94, y - s * 0.94)],
        fill=darker(colour, 0.12),
    )


def draw_rectangle(draw: Draw, x: float, y: float, r: float, colour: Colour) -> None:
    """A lying rectangle."""
    draw.rounded_rectangle((x - r, y - r * 0.58, x + r, y + r * 0.58), radius=r * 0.06, fill=colour)
    draw.rectangle((x - r * 0.96, y + r * 0.2, x + r * 0.96, y + r * 0.54), fill=darker(colour, 0.12))


def draw_triangle(draw: Draw, x: float, y: float, r: float, colour: Colour) -> None:
    """An upright triangle with a shaded side."""
    top, left, right = (x, y - r * 0.9), (x - r, y + r * 0.82), (x + r, y + r * 0.82)
    draw.polygon([top, left, right], fill=colour)
    draw.polygon([top, (x + r * 0.25, y + r * 0.82), right], fill=darker(colour, 0.18))


def draw_star(draw: Draw, x: float, y: float, r: float, colour: Colour) -> None:
    """A five-pointed star with folded points."""
    points = [_on_circle(x, y, r if at % 2 == 0 else r * 0.42, math.pi * at / 5 - math.pi / 2) for at in range(10)]
    draw.polygon(points, fill=colour)
    for at in range(0, 10, 2):
        draw.polygon([(x, y), points[at], points[(at + 1) % 10]], fill=darker(colour, 0.14))


def draw_heart(draw: Draw, x: float, y: float, r: float, colour: Colour) -> None:
    """A heart, from the usual parametric curve."""
    points: list[tuple[float, float]] = []
    for at in range(80):
        t = math.tau * at / 80
        across = 16 * math.sin(t) ** 3
        up = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
        points.append((x + across * r / 17, y - (up + 2.5) * r / 17))
    draw.polygon(points, fill=colour)
    draw.ellipse((x - r * 0.62, y - r * 0.58, x - r * 0.26, y - r * 0.26), fill=lighter(colour, 0.35))


def draw_tree(draw: Draw, x: float, y: float, r: float, colour: Colour) -> None:
    """A round tree."""
    draw.rectangle((x - r * 0.1, y + r * 0.1, x + r * 0.1, y + r), fill=(112, 78, 54))
    for across, down, size, tone in (
        (-0.38, 0.02, 0.46, 0.16),
        (0.38, 0.02, 0.46, 0.2),
        (0.0, -0.38, 0.56, 0.0),
        (-0.16, -0.44, 0.28, -0.2),
    ):
        fill = darker(colour, tone) if tone >= 0 else lighter(colour, -tone)
        draw.ellipse(
            (x + (across - size) * r, y + (down - size) * r, x + (across + size) * r, y + (down + size) * r), fill=fill
        )


def draw_flower(draw: Draw, x: float, y: float, r: float, colour: Colour) -> None:
    """A flower with six petals, a stem and a leaf."""
    stem = (74, 134, 82)
    draw.line((x, y, x, y + r), fill=stem, width=max(1, round(r * 0.08)))
    draw.chord((x, y + r * 0.35, x + r * 0.56, y + r * 0.8), 150, 350, fill=stem)
    top = y - r * 0.36
    for at in range(6):
        px, py = _on_circle(x, top, r * 0.36, math.tau * at / 6)
        draw.ellipse(
            (px - r * 0.26, py - r * 0.26, px + r * 0.26, py + r * 0.26),
            fill=colour if at % 2 else lighter(colour, 0.18),
        )
    draw.ellipse((x - r * 0.2, top - r * 0.2, x + r * 0.2, top + r * 0.2), fill=(244, 196, 66))


def draw_house(draw: Draw, x: float, y: float, r: float, colour: Colour) -> None:
    """A house with a roof, a door and two windows."""
    draw.rectangle((x + r * 0.36, y - r * 0.86, x + r * 0.56, y - r * 0.3), fill=darker(colour, 0.4))
    draw.rectangle((x - r * 0.76, y - r * 0.1, x + r * 0.76, y + r), fill=lighter(colour, 0.62))
    draw.polygon([(x - r, y - r * 0.06), (x, y - r * 0.92), (x + r, y - r * 0.06)], fill=colour)
    draw.rounded_rectangle(
        (x - r * 0.18, y + r * 0.36, x + r * 0.18, y + r), radius=r * 0.08, fill=darker(colour, 0.35)
    )
    for across in (-0.48, 0.48):
        draw.rectangle(
            (x + (across - 0.15) * r, y + r * 0.18, x + (across + 0.15) * r, y + r * 0.5), fill=(252, 226, 140)
        )
        draw.line(
            (x + across * r, y + r * 0.18, x + across * r, y + r * 0.5),
            fill=darker(colour, 0.35),
            width=max(1, round(r * 0.03)),
        )


def draw_boat(draw: Draw, x: float, y: float, r: float, colour: Colour) -> None:
    """A sailing boat."""
    draw.line((x, y - r * 0.95, x, y + r * 0.5), fill=(96, 68, 50), width=max(1, round(r * 0.06)))
    draw.polygon(
        [(x + r * 0.08, y - r * 0.9), (x + r * 0.08, y + r * 0.34), (x + r * 0.82, y + r * 0.34)], fill=(250, 248, 240)
    )
    draw.polygon(
        [(x - r * 0.08, y - r * 0.66), (x - r * 0.08, y + r * 0.34), (x - r * 0.6, y + r * 0.34)], fill=(232, 228, 214)
    )
    draw.polygon(
        [(x - r, y + r * 0.46), (x + r, y + r * 0.46), (x + r * 0.66, y + r * 0.94), (x - r * 0.66, y + r * 0.94)],
        fill=colour,
    )


def draw_cat(draw: Draw, x: float, y: float, r: float, colour: Colour) -> None:
    """A sitting cat, seen from the front."""
    draw.arc(
        (x + r * 0.1, y + r * 0.1, x + r * 0.98, y + r * 0.98), 270, 110, fill=colour, width=max(2, round(r * 0.14))
    )
    draw.ellipse((x - r * 0.56, y - r * 0.1, x + r * 0.56, y + r * 1.06), fill=colour)
    draw.ellipse((x - r * 0.28, y + r * 0.24, x + r * 0.28, y + r * 0.98), fill=lighter(colour, 0.4))
    for side in (-1, 1):
        draw.polygon(
            [
                (x + side * r * 0.5, y - r * 0.98),
                (x + side * r * 0.54, y - r * 0.36),
                (x + side * r * 0.08, y - r * 0.72),
            ],
            fill=colour,
        )
        draw.polygon(
            [
                (x + side * r * 0.43, y - r * 0.84),
                (x + side * r * 0.45, y - r * 0.52),
                (x + side * r * 0.2, y - r * 0.7),
            ],
            fill=(238, 160, 160),
        )
    draw.ellipse((x - r * 0.56, y - r * 0.84, x + r * 0.56, y + r * 0.08), fill=colour)
    dark = (30, 30, 36)
    for side in (-1, 1):
        eye = x + side * r * 0.24
        draw.ellipse((eye - r * 0.11, y - r * 0.52, eye + r * 0.11, y - r * 0.3), fill=(180, 205, 90))
        draw.ellipse((eye - r * 0.045, y - r * 0.52, eye + r * 0.045, y - r * 0.3), fill=dark)
        for lift in (-0.04, 0.05):
            line = (x + side * r * 0.16, y - r * 0.18, x + side * r * 0.72, y - r * (0.18 - lift * 2.2))
            draw.line(line, fill=lighter(dark, 0.5), width=max(1, round(r * 0.018)))
    draw.polygon([(x - r * 0.07, y - r * 0.24), (x + r * 0.07, y - r * 0.24), (x, y - r * 0.15)], fill=(236, 140, 150))


def draw_fish(draw: Draw, x: float, y: float, r: float, colour: Colour) -> None:
    """A fish swimming to the left."""
    draw.polygon(
        [(x + r * 0.45, y), (x + r, y - r * 0.46), (x + r * 0.86, y), (x + r, y + r * 0.46)], fill=darker(colour, 0.12)
    )
    draw.polygon(
        [(x - r * 0.3, y - r * 0.3), (x + r * 0.2, y - r * 0.66), (x + r * 0.3, y - r * 0.2)], fill=darker(colour, 0.12)
    )
    draw.ellipse((x - r, y - r * 0.46, x + r * 0.6, y + r * 0.46), fill=colour)
    draw.chord((x - r, y - r * 0.46, x + r * 0.6, y + r * 0.46), 20, 160, fill=lighter(colour, 0.4))
    draw.ellipse((x - r * 0.74, y - r * 0.2, x - r * 0.54, y), fill=(255, 255, 255))
    draw.ellipse((x - r * 0.7, y - r * 0.16, x - r * 0.58, y - r * 0.04), fill=(24, 24, 30))


def draw_bird(draw: Draw, x: float, y: float, r: float, colour: Colour) -> None:
    """A small bird in profile."""
    draw.polygon(
        [(x + r * 0.4, y + r * 0.1), (x + r, y - r * 0.2), (x + r * 0.94, y + r * 0.16)], fill=darker(colour, 0.25)
    )
    draw.ellipse((x - r * 0.62, y - r * 0.3, x + r * 0.62, y + r * 0.56), fill=colour)
    draw.ellipse((x - r * 0.82, y - r * 0.68, x - r * 0.1, y + r * 0.02), fill=colour)
    draw.polygon(
        [(x - r * 0.78, y - r * 0.42), (x - r * 1.06, y - r * 0.26), (x - r * 0.76, y - r * 0.2)], fill=(240, 165, 50)
    )
    draw.chord((x - r * 0.2, y - r * 0.2, x + r * 0.66, y + r * 0.42), 0, 180, fill=darker(colour, 0.22))
    draw.ellipse((x - r * 0.6, y - r * 0.46, x - r * 0.46, y - r * 0.32), fill=(24, 24, 30))
    for leg in (-0.12, 0.12):
        draw.line(
            (x + leg * r, y + r * 0.52, x + leg * r, y + r * 0.86), fill=(200, 130, 50), width=max(1, round(r * 0.05))
        )


def draw_cup(draw: Draw, x: float, y: float, r: float, colour: Colour) -> None:
    """A cup with steam, on a saucer."""
    draw.arc(
        (x + r * 0.3, y - r * 0.12, x + r * 0.92, y + r * 0.5), 250, 120, fill=colour, width=max(2, round(r * 0.12))
    )
    draw.ellipse((x - r * 0.9, y + r * 0.62, x + r * 0.9, y + r * 0.92), fill=darker(colour, 0.18))
    draw.rounded_rectangle((x - r * 0.6, y - r * 0.3, x + r * 0.6, y + r * 0.78), radius=r * 0.26, fill=colour)
    draw.ellipse((x - r * 0.6, y - r * 0.42, x + r * 0.6, y - r * 0.16), fill=lighter(colour, 0.35))
    draw.ellipse((x - r * 0.5, y - r * 0.38, x + r * 0.5, y - r * 0.19), fill=(110, 70, 44))
    for across in (-0.24, 0.04, 0.32):
        points = [(x + across * r + math.sin(at / 2.2) * r * 0.07, y - r * 0.5 - at * r * 0.05) for at in range(10)]
        draw.line(points, fill=(246, 246, 246), width=max(1, round(r * 0.05)), joint="curve")


def draw_book(draw: Draw, x: float, y: float, r: float, colour: Colour) -> None:
    """An open book."""
    for side in (-1, 1):
        cover = [(x, y - r * 0.4), (x + side * r, y - r * 0.56), (x + side * r, y + r * 0.5), (x, y + r * 0.68)]
        page = [
            (x, y - r * 0.46),
            (x + side * r * 0.9, y - r * 0.64),
            (x + side * r * 0.9, y + r * 0.38),
            (x, y + r * 0.56),
        ]
        draw.polygon(cover, fill=colour)
        draw.polygon(page, fill=(250, 246, 232) if side < 0 else (238, 232, 214))
        for at in range(5):
            down = y - r * 0.3 + at * r * 0.16
            draw.line(
                (x + side * r * 0.12, down, x + side * r * 0.76, down - r * 0.13),
                fill=(170, 162, 148),
                width=max(1, round(r * 0.03)),
            )


def draw_apple(draw: Draw, x: float, y: float, r: float, colour: Colour) -> None:
    """An apple with a leaf."""
    draw.line((x, y - r * 0.4, x + r * 0.1, y - r * 0.9), fill=(104, 72, 48), width=max(2, round(r * 0.08)))
    draw.chord((x + r * 0.06, y - r * 0.98, x + r * 0.66, y - r * 0.5), 160, 380, fill=(96, 160, 84))
    draw.ellipse((x - r * 0.84, y - r * 0.56, x + r * 0.16, y + r * 0.86), fill=colour)
    draw.ellipse((x - r * 0.16, y - r * 0.56, x + r * 0.84, y + r * 0.86), fill=colour)
    draw.ellipse((x - r * 0.56, y + r * 0.1, x + r * 0.56, y + r * 0.92), fill=colour)
    draw.ellipse((x - r * 0.58, y - r * 0.3, x - r * 0.26, y + r * 0.14), fill=lighter(colour, 0.4))


def _on_circle(x: float, y: float, r: float, angle: float) -> tuple[float, float]:
    return x + r * math.cos(angle), y + r * math.sin(angle)


FIGURES: Mapping[str, tuple[Figure, Colour]] = {
    "circle": (draw_circle, (214, 84, 72)),
    "square": (draw_square, (74, 120, 190)),
    "rectangle": (draw_rectangle, (84, 150, 130)),
    "triangle": (draw_triangle, (236, 170, 70)),
    "star": (draw_star, (246, 200, 72)),
    "heart": (draw_heart, (218, 70, 92)),
    "tree": (draw_tree, (88, 152, 92)),
    "flower": (draw_flower, (226, 110, 150)),
    "house": (draw_house, (186, 84, 66)),
    "boat": (draw_boat, (172, 74, 62)),
    "cat": (draw_cat, (128, 120, 118)),
    "fish": (draw_fish, (240, 138, 62)),
    "bird": (draw_bird, (92, 142, 204)),
    "cup": (draw_cup, (84, 140, 160)),
    "book": (draw_book, (140, 66, 60)),
    "apple": (draw_apple, (206, 62, 58)),
}
