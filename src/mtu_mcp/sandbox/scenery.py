"""The picture behind the words: a sky, a land and figures where the prompt names them, else a pattern from its hash.

The scene is drawn on a canvas of about twice the asked size (bounded) and scaled down, which smooths every edge. The same prompt and
salt always give the same scene.
"""

# Pillow hints at NumPy arrays, which are unknown types where NumPy is not installed.
# pyright: reportUnknownMemberType=false

import math
from collections.abc import Callable, Mapping

from PIL import Image, ImageDraw, ImageFilter

from mtu_mcp.sandbox.figures import FIGURES, Draw
from mtu_mcp.sandbox.wording import Colour, Reading, Thing, blend, colours_of, darker, digest, lighter, read_prompt

_LARGEST_SIDE = 2048
_MOST_FIGURES = 6
_LANDS = ("mountain", "sea", "field", "city")
_SKIES = ("sun", "moon", "stars", "cloud", "rain", "snow", "rainbow")
_GROUNDED = frozenset({"tree", "house", "flower", "cat", "cup", "apple"})


def paint_scene(
    prompt: str, width: int, height: int, *, salt: str = "", stage: float = 1.0, transparent: bool = False
) -> Image.Image:
    """Paint the scene of a prompt as RGBA of exactly ``width`` by ``height``.

    Args:
        prompt: Any text.
        width: Pixels.
        height: Pixels.
        salt: Another salt gives another picture of the same prompt.
        stage: The share of the height, from the top, that nothing will cover later; figures keep to it.
        transparent: Leave out the backdrop.
    """
    scale = min(2.0, _LARGEST_SIDE / max(width, height))
    wide, high = max(16, round(width * scale)), max(16, round(height * scale))
    reading, seed = read_prompt(prompt), digest(prompt, salt)
    names = {thing.name for thing in reading.things}
    outdoors = bool(names & {*_LANDS, *_SKIES})
    if transparent:
        canvas = Image.new("RGBA", (wide, high), (0, 0, 0, 0))
    elif outdoors:
        canvas = _gradient(wide, high, *_sky_colours(reading, seed))
    else:
        colours = [*reading.colours] or colours_of(seed, 2)
        canvas = _gradient(
            wide, high, lighter(colours[0], 0.25), colours[1] if len(colours) > 1 else darker(colours[0], 0.22)
        )
        canvas = _pattern(canvas, seed, reading, faint=bool(names))
    if not transparent:
        # Pillow blends translucent colours into an RGB picture, but replaces pixels of an RGBA one.
        canvas = canvas.convert("RGB")
    _add_landscape(canvas, reading, seed, stage)
    _add_figures(canvas, reading, seed, stage, outdoors=outdoors)
    return canvas.convert("RGBA").resize((width, height), Image.Resampling.LANCZOS)


def _sky_colours(reading: Reading, seed: bytes) -> tuple[Colour, Colour]:
    if reading.night:
        return (16, 22, 56), (70, 84, 140)
    if reading.colours:
        first = reading.colours[0]
        return first, reading.colours[1] if len(reading.colours) > 1 else lighter(first, 0.6)
    if reading.dusk:
        return (92, 84, 150), (252, 176, 116)
    return blend((108, 172, 232), (130, 190, 214), seed[3] / 255), (232, 242, 248)


def _gradient(width: int, height: int, top: Colour, bottom: Colour) -> Image.Image:
    """Run one colour into another downwards."""
    strip = Image.new("RGBA", (1, 256))
    for at in range(256):
        strip.putpixel((0, at), (*blend(top, bottom, at / 255), 255))
    return strip.resize((width, height), Image.Resampling.BILINEAR)


def _pattern(canvas: Image.Image, seed: bytes, reading: Reading, *, faint: bool) -> Image.Image:
    """Lay translucent shapes chosen by the hash over a plain ground."""
    layer = Image.new("RGBA", canvas.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    tones = colours_of(seed, 5)
    if reading.colours:
        tones = [blend(tone, reading.colours[at % len(reading.colours)], 0.75) for at, tone in enumerate(tones)]
    alpha = 34 if faint else 92
    (_draw_bubbles, _draw_waves, _draw_facets)[seed[4] % 3](draw, canvas.size, seed, [(*tone, alpha) for tone in tones])
    return Image.alpha_composite(canvas, layer.filter(ImageFilter.GaussianBlur(1)))


Tone = tuple[int, int, int, int]


def _draw_bubbles(draw: Draw, size: tuple[int, int], seed: bytes, tones: list[Tone]) -> None:
    wide, high = size
    for at in range(14):
        x, y = seed[at] / 255 * wide, seed[at + 14] / 255 * high
        r = (0.06 + seed[(at * 5) % 32] / 255 * 0.2) * min(size)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=tones[at % len(tones)])
        draw.ellipse(
            (x - r * 0.7, y - r * 0.7, x + r * 0.7, y + r * 0.7),
            outline=(255, 255, 255, 40),
            width=max(1, round(r * 0.03)),
        )


def _draw_waves(draw: Draw, size: tuple[int, int], seed: bytes, tones: list[Tone]) -> None:
    wide, high = size
    for at in range(9):
        base, lift = high * (0.04 + at / 9), high * (0.02 + seed[at] / 255 * 0.05)
        turn, length = seed[at + 9] / 40, wide * (0.35 + seed[at + 18] / 500)
        crest = [(x, base + math.sin(x / length * math.tau + turn) * lift) for x in range(0, wide + 16, 16)]
        draw.polygon([*crest, (wide + 16, high), (0, high)], fill=(*tones[at % len(tones)][:3], tones[0][3] // 2))


def _draw_facets(draw: Draw, size: tuple[int, int], seed: bytes, tones: list[Tone]) -> None:
    wide, high = size
    across = 6
    down = max(2, round(across * high / wide))
    step_x, step_y = wide / across, high / down

    def corner(column: int, row: int) -> tuple[float, float]:
        inner = 0 < column < across and 0 < row < down
        wobble = seed[(column * 7 + row * 13) % 32] / 255 - 0.5 if inner else 0.0
        drift = seed[(column * 11 + row * 5) % 32] / 255 - 0.5 if inner else 0.0
        return (column + wobble * 0.7) * step_x, (row + drift * 0.7) * step_y

    for column in range(across):
        for row in range(down):
            a, b = corner(column, row), corner(column + 1, row)
            c, d = corner(column, row + 1), corner(column + 1, row + 1)
            tint = tones[seed[(column * 3 + row * 17) % 32] % len(tones)]
            draw.polygon([a, b, c], fill=tint)
            draw.polygon([b, d, c], fill=(*tint[:3], tint[3] // 2))


def _add_landscape(canvas: Image.Image, reading: Reading, seed: bytes, stage: float) -> None:
    """Sky things first, then lands from far to near; each with its own colour or its usual one."""
    order = (*_SKIES[:3], "rainbow", "cloud", "mountain", "city", "sea", "field", "rain", "snow")
    draw = ImageDraw.Draw(canvas, "RGBA")
    wide, high = canvas.size
    things = {thing.name: thing for thing in reading.things}
    for name in order:
        if name in things:
            _LAND_PAINTERS[name](draw, wide, high * stage, high, things[name], seed)


def _paint_sun(draw: Draw, wide: float, stage: float, _high: float, thing: Thing, seed: bytes) -> None:
    r, x, y = min(wide, stage) * 0.13, wide * (0.62 + seed[5] / 1400), stage * 0.32
    colour = thing.colour or (252, 206, 84)
    for grow, alpha in ((2.1, 26), (1.6, 44), (1.28, 70)):
        draw.ellipse((x - r * grow, y - r * grow, x + r * grow, y + r * grow), fill=(*lighter(colour, 0.35), alpha))
    draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)


def _paint_moon(draw: Draw, wide: float, stage: float, _high: float, thing: Thing, seed: bytes) -> None:
    r, x, y = min(wide, stage) * 0.12, wide * (0.7 - seed[5] / 1200), stage * 0.26
    colour = thing.colour or (246, 238, 206)
    draw.ellipse((x - r * 1.5, y - r * 1.5, x + r * 1.5, y + r * 1.5), fill=(*colour, 30))
    draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)
    for across, down, size in ((-0.3, -0.2, 0.2), (0.25, 0.3, 0.26), (0.3, -0.4, 0.12), (-0.35, 0.42, 0.14)):
        box = (x + (across - size) * r, y + (down - size) * r, x + (across + size) * r, y + (down + size) * r)
        draw.ellipse(box, fill=darker(colour, 0.1))


def _paint_stars(draw: Draw, wide: float, stage: float, _high: float, thing: Thing, seed: bytes) -> None:
    for at in range(60):
        spot = digest(str(at), seed.hex())
        x, y, r = spot[0] / 255 * wide, spot[1] / 255 * stage * 0.8, wide * (0.0012 + spot[2] / 255 * 0.0028)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=(*(thing.colour or (255, 250, 224)), 140 + spot[3] // 3))


def _paint_cloud(draw: Draw, wide: float, stage: float, _high: float, thing: Thing, seed: bytes) -> None:
    colour = thing.colour or (255, 255, 255)
    for at, (x, y, r) in enumerate(((0.22, 0.2, 0.055), (0.52, 0.11, 0.04), (0.84, 0.24, 0.05))):
        left, top, size = wide * (x + seed[at + 6] / 4000), stage * y, min(wide, stage) * r * 1.6
        for across, down, grow in (
            (-1.1, 0.2, 0.7),
            (0.0, -0.15, 1.0),
            (1.1, 0.15, 0.75),
            (0.5, 0.3, 0.7),
            (-0.5, 0.3, 0.7),
        ):
            cx, cy, s = left + across * size, top + down * size, size * grow
            draw.ellipse((cx - s, cy - s, cx + s, cy + s), fill=colour)


def _paint_rainbow(draw: Draw, wide: float, stage: float, _high: float, _thing: Thing, _seed: bytes) -> None:
    bands = ((222, 70, 66), (240, 150, 60), (246, 214, 80), (96, 170, 100), (72, 132, 210), (130, 90, 190))
    r, x, y = wide * 0.46, wide * 0.5, stage * 0.98
    for at, band in enumerate(bands):
        inner = r - at * r * 0.05
        draw.arc(
            (x - inner, y - inner, x + inner, y + inner), 180, 360, fill=(*band, 190), width=max(1, round(r * 0.052))
        )


def _paint_mountain(draw: Draw, wide: float, stage: float, high: float, thing: Thing, seed: bytes) -> None:
    colour = thing.colour or (96, 112, 140)
    for layer, (base, tall) in enumerate(((0.86, 0.5), (0.95, 0.4), (1.06, 0.3))):
        tone = lighter(colour, 0.42 - 0.2 * layer)
        for at in range(3 + layer):
            x = wide * ((at + 0.5) / (3 + layer) + (seed[layer * 5 + at] / 255 - 0.5) * 0.2)
            half, top = wide * (0.3 - 0.03 * layer), stage * (base - tall * (0.75 + seed[at + layer] / 900))
            foot = stage * base
            draw.polygon([(x, top), (x - half, foot), (x + half, foot)], fill=tone)
            draw.polygon([(x, top), (x + half * 0.18, foot), (x + half, foot)], fill=darker(tone, 0.1))
            if layer < 2:
                s = 0.24
                cap = [
                    (x, top),
                    (x - half * s, top + (foot - top) * s),
                    (x - half * 0.08, top + (foot - top) * s * 0.8),
                ]
                cap += [(x + half * 0.06, top + (foot - top) * s * 1.15), (x + half * s, top + (foot - top) * s)]
                draw.polygon(cap, fill=(250, 251, 253))
        if stage * base < high:
            draw.rectangle((0, stage * base - 1, wide, high), fill=darker(tone, 0.04))


def _paint_sea(draw: Draw, wide: float, stage: float, high: float, thing: Thing, seed: bytes) -> None:
    colour = thing.colour or (54, 122, 176)
    for at in range(7):
        base, lift = stage * (0.66 + at * 0.06), stage * 0.008 * (1 + at * 0.4)
        turn = seed[at + 8] / 30
        crest = [(x, base + math.sin(x / wide * (26 - at * 2.6) + turn) * lift) for x in range(0, int(wide) + 12, 12)]
        draw.polygon(
            [*crest, (wide + 12, high), (0, high)], fill=blend(lighter(colour, 0.28), darker(colour, 0.2), at / 6)
        )


def _paint_field(draw: Draw, wide: float, stage: float, high: float, thing: Thing, seed: bytes) -> None:
    colour = thing.colour or (112, 170, 92)
    for at, base in enumerate((0.72, 0.8, 0.9)):
        turn, tone = seed[at + 11] / 40, blend(lighter(colour, 0.3), darker(colour, 0.08), at / 2)
        hill = [(x, stage * (base + 0.035 * math.sin(x / wide * 4.2 + turn))) for x in range(0, int(wide) + 16, 16)]
        draw.polygon([*hill, (wide + 16, high), (0, high)], fill=tone)


def _paint_city(draw: Draw, wide: float, stage: float, high: float, thing: Thing, seed: bytes) -> None:
    colour, lit = thing.colour or (78, 88, 120), (252, 224, 140)
    for layer, count in enumerate((11, 8)):
        tone, x = lighter(colour, 0.3 - 0.3 * layer), -wide * 0.02
        for at in range(count + 2):
            spot = seed[(at * 3 + layer * 7) % 32]
            broad, tall = wide / count * (0.8 + spot / 640), stage * (0.24 + spot / 255 * 0.32 - layer * 0.08)
            top = stage * 0.96 - tall
            draw.rectangle((x, top, x + broad, high), fill=tone)
            step = wide * 0.022
            for column in range(1, int(broad / step)):
                for row in range(1, int(tall / step / 1.3)):
                    if seed[(column * 5 + row * 3 + at) % 32] % 3 == 0:
                        left, down = x + column * step - step * 0.25, top + row * step * 1.3
                        draw.rectangle((left, down, left + step * 0.5, down + step * 0.6), fill=(*lit, 210))
            x += broad * 1.04


def _paint_rain(draw: Draw, wide: float, stage: float, high: float, thing: Thing, seed: bytes) -> None:
    for at in range(110):
        spot = digest(str(at), seed.hex())
        x, y, long = spot[0] / 240 * wide, (spot[1] + spot[4] / 255) / 255 * high, stage * (0.03 + spot[2] / 5000)
        fill = (*(thing.colour or (220, 234, 250)), 150)
        draw.line((x, y, x - long * 0.25, y + long), fill=fill, width=max(1, round(wide * 0.0022)))


def _paint_snow(draw: Draw, wide: float, _stage: float, high: float, thing: Thing, seed: bytes) -> None:
    for at in range(130):
        spot = digest(str(at), seed.hex())
        x, y = (spot[0] + spot[3] / 255) / 255 * wide, (spot[1] + spot[4] / 255) / 255 * high
        r = wide * (0.002 + spot[2] / 255 * 0.005)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=(*(thing.colour or (255, 255, 255)), 220))


_LAND_PAINTERS: Mapping[str, Callable[[Draw, float, float, float, Thing, bytes], None]] = {
    "sun": _paint_sun,
    "moon": _paint_moon,
    "stars": _paint_stars,
    "cloud": _paint_cloud,
    "rainbow": _paint_rainbow,
    "mountain": _paint_mountain,
    "sea": _paint_sea,
    "field": _paint_field,
    "city": _paint_city,
    "rain": _paint_rain,
    "snow": _paint_snow,
}


def _add_figures(canvas: Image.Image, reading: Reading, seed: bytes, stage: float, *, outdoors: bool) -> None:
    """Stand the named figures side by side, on the ground outdoors and in the middle of the stage otherwise."""
    shown = [thing for thing in reading.things if thing.name in FIGURES][:_MOST_FIGURES]
    if not shown:
        return
    wide, high = canvas.size
    tall = high * stage
    largest = 0.22 if outdoors else 0.34
    r = min(tall * largest, wide * 0.86 / (2.3 * len(shown)))
    pitch = min(wide * 0.9 / len(shown), r * 3.2)
    shift = (seed[9] / 255 - 0.5) * wide * 0.3 if outdoors and len(shown) == 1 else 0.0
    draw = ImageDraw.Draw(canvas, "RGBA")
    for at, thing in enumerate(shown):
        paint, usual = FIGURES[thing.name]
        x = wide / 2 + (at - (len(shown) - 1) / 2) * pitch + shift
        y = tall * 0.94 - r if outdoors else tall * 0.53
        if outdoors and thing.name == "bird":
            paint(draw, x, tall * 0.36, r * 0.5, thing.colour or usual)
            continue
        if thing.name in _GROUNDED:
            draw.ellipse((x - r * 0.9, y + r * 0.9, x + r * 0.9, y + r * 1.1), fill=(20, 20, 30, 46))
        paint(draw, x, y, r, thing.colour or usual)
