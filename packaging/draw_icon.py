"""Draw the icon: two arches, which are a gateway and an m, and a light behind them.

    python packaging/draw_icon.py

Writes the plugin's and the bundle's PNG, and prints the small pictures that stand in `src/mtu_mcp/server/icon.py`. All
come from the same numbers, in the units of a 96 by 96 field; a test draws them again and compares.
"""

import base64
import io
from pathlib import Path
from textwrap import wrap

from PIL import Image, ImageDraw

FIELD = 96
CORNER, STROKE, RADIUS = 22, 11, 15
LEFT, MIDDLE, RIGHT = 18, 48, 78
SPRING, FOOT = 41, 72
LIGHT, LIGHT_RADIUS = (63, 46), 7
BLUE, WHITE, AMBER = "#1e3a8a", "#ffffff", "#fbbf24"
SMOOTH = 8
SMALL = 48
LARGE = Path(__file__).parent / "claude-code" / ".claude-plugin" / "icon.png"


def svg() -> str:
    """The icon as SVG."""
    arches = "".join(
        f"M{start} {FOOT}V{SPRING}a{RADIUS} {RADIUS} 0 0 1 {2 * RADIUS} 0V{FOOT}" for start in (LEFT, MIDDLE)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {FIELD} {FIELD}">'
        f'<rect width="{FIELD}" height="{FIELD}" rx="{CORNER}" fill="{BLUE}"/>'
        f'<circle cx="{LIGHT[0]}" cy="{LIGHT[1]}" r="{LIGHT_RADIUS}" fill="{AMBER}"/>'
        f'<path d="{arches}" fill="none" stroke="{WHITE}" stroke-width="{STROKE}" stroke-linecap="round"/></svg>'
    )


def png(size: int, colours: int = 32) -> bytes:
    """The icon as a PNG, `size` pixels wide and high."""
    unit = size * SMOOTH / FIELD
    picture = Image.new("RGBA", (size * SMOOTH, size * SMOOTH))
    draw = ImageDraw.Draw(picture)

    def box(x: float, y: float, r: float) -> tuple[float, float, float, float]:
        return ((x - r) * unit, (y - r) * unit, (x + r) * unit, (y + r) * unit)

    draw.rounded_rectangle((0, 0, size * SMOOTH - 1, size * SMOOTH - 1), CORNER * unit, fill=BLUE)
    draw.ellipse(box(*LIGHT, LIGHT_RADIUS), fill=AMBER)
    half = STROKE / 2
    for centre in (LEFT + RADIUS, MIDDLE + RADIUS):
        draw.arc(box(centre, SPRING, RADIUS + half), 180, 360, fill=WHITE, width=round(STROKE * unit))
    for x in (LEFT, MIDDLE, RIGHT):
        draw.rectangle(((x - half) * unit, SPRING * unit, (x + half) * unit, FOOT * unit), fill=WHITE)
        draw.ellipse(box(x, FOOT, half), fill=WHITE)
    picture.thumbnail((size, size), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.quantize(colours, Image.Quantize.FASTOCTREE).save(out, "PNG", optimize=True)
    return out.getvalue()


def main() -> None:
    """Write the large picture and print the small ones."""
    LARGE.parent.mkdir(parents=True, exist_ok=True)
    LARGE.write_bytes(png(512))
    print(svg())
    print("\n".join(wrap(base64.b64encode(png(SMALL)).decode(), 108)))


if __name__ == "__main__":
    main()
