"""Pictures a person can open: the prompt, written legibly on a scene made from it, and signed.

These are not a model's pictures and do not pretend to be: each carries "embedded gateway" in its corner and in its metadata. All
functions are pure: the same arguments give the same bytes.
"""

# Pillow hints at NumPy arrays, which are unknown types where NumPy is not installed.
# pyright: reportUnknownMemberType=false

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps, PngImagePlugin

from mtu_mcp.sandbox import lettering
from mtu_mcp.sandbox.scenery import paint_scene

Format = Literal["png", "jpeg", "webp"]
SIGNED = "embedded gateway"
_NOTE = "Painted by the embedded gateway of mtu-mcp; no model was asked."
_INK, _PAPER = (34, 34, 42), (252, 251, 247)
_SMALLEST_CARD = 120


@dataclass(frozen=True, slots=True)
class Finish:
    """How a picture is written: its format, the quality of JPEG and WebP (0 to 100), and what its corner says after the signature."""

    format: Format = "png"
    compression: int = 100
    note: str = ""


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What a picture says of itself: size in pixels, Pillow's name of its format ("PNG"), whether it has transparency."""

    width: int
    height: int
    format: str
    alpha: bool


def read_picture(data: bytes) -> PictureFacts | None:
    """Read a picture; None if it is none that Pillow knows, or it is damaged."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            picture.load()
            alpha = "A" in picture.getbands() or "transparency" in picture.info
            return PictureFacts(picture.width, picture.height, picture.format or "", alpha)
    except (OSError, ValueError, Image.DecompressionBombError, SyntaxError):
        return None


def paint(
    prompt: str, width: int, height: int, *, number: int = 0, transparent: bool = False, finish: Finish | None = None
) -> bytes:
    """Paint a prompt at exactly ``width`` by ``height``; ``number`` tells the pictures of one call apart."""
    salt = str(number) if number else ""
    stage = 0.68 if _has_card(width, height) else 1.0
    canvas = paint_scene(prompt, width, height, salt=salt, stage=stage, transparent=transparent)
    _add_card(canvas, prompt)
    return _finished(canvas, finish or Finish(), prompt)


def edit(
    prompt: str,
    pictures: Sequence[bytes],
    width: int,
    height: int,
    *,
    mask: bytes | None = None,
    number: int = 0,
    finish: Finish | None = None,
) -> bytes:
    """Show a prompt on given pictures: side by side if several, in the mask's transparent area only if there is one.

    Without a mask the things the prompt names are painted over the picture and the prompt is written on a card below. With one, every
    pixel outside its transparent area stays as it was (scaled to the asked size), but for the signature.
    """
    several = len(pictures) > 1 and mask is None
    ground = _composed(pictures, width, height, shelf=0.68 if several and _has_card(width, height) else 1.0)
    salt = str(number) if number else ""
    if mask is None:
        over = paint_scene(prompt, width, height, salt=salt, stage=0.68, transparent=True)
        canvas = Image.alpha_composite(ground, over)
        _add_card(canvas, prompt)
    else:
        canvas = _edit_in_mask(ground, prompt, mask, salt)
    return _finished(canvas, finish or Finish(), prompt)


def vary(picture: bytes, width: int, height: int, *, number: int = 0, finish: Finish | None = None) -> bytes:
    """Make the ``number``-th variation: mirrored or turned, its colours shifted, each its own way."""
    canvas = _opened(picture).resize((width, height), Image.Resampling.LANCZOS)
    alpha = canvas.getchannel("A")
    turn = (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180, Image.Transpose.FLIP_TOP_BOTTOM, None)[
        number % 4
    ]
    hue, saturation, value = canvas.convert("RGB").convert("HSV").split()
    shift = 18 + 37 * number
    hue = hue.point([(level + shift) % 256 for level in range(256)])
    canvas = Image.merge("HSV", (hue, saturation, value)).convert("RGB")
    canvas = ImageEnhance.Contrast(canvas).enhance(1.0 + 0.04 * (number % 5)).convert("RGBA")
    canvas.putalpha(alpha)
    if turn is not None:
        canvas = canvas.transpose(turn)
    return _finished(canvas, finish or Finish(), f"variation {number + 1}")


def unfinished(picture: bytes, step: int, steps: int) -> bytes:
    """Make the blurred picture that a stream shows before the whole one: ``step`` counts from 0 to ``steps - 1``."""
    with Image.open(io.BytesIO(picture)) as opened:
        form: Format = {"PNG": "png", "JPEG": "jpeg", "WEBP": "webp"}.get(opened.format or "", "png")  # pyright: ignore[reportAssignmentType]
        canvas = opened.convert("RGBA")
    radius = max(canvas.size) / 24 * (steps - step) / steps
    return _encoded(
        canvas.filter(ImageFilter.GaussianBlur(radius)), Finish(form), f"partial picture {step + 1} of {steps}"
    )


def _has_card(width: int, height: int) -> bool:
    return min(width, height) >= _SMALLEST_CARD


def _add_card(canvas: Image.Image, prompt: str, inset: float = 0.0) -> None:
    """Write the prompt on a paper card in the lower third, as large as it fits; ``inset`` keeps it that share away from the edges."""
    wide, high = canvas.size
    if not _has_card(wide, high):
        return
    edge = round(min(wide, high) * 0.045)
    left, right, bottom = (
        edge + round(wide * inset),
        wide - edge - round(wide * inset),
        high - round(edge * 1.5 + high * inset),
    )
    pad = round(edge * 0.75)
    room = round(high * 0.31) - 2 * pad
    foot = max(9, round(min(wide, high) * 0.02))
    largest = round(min(wide, high) * 0.062)
    setting = lettering.fit(
        prompt or "(empty prompt)",
        right - left - 2 * pad,
        room,
        largest,
        smallest=max(9, round(min(wide, high) * 0.016)),
    )
    top = bottom - setting.height - 2 * pad
    _add_paper(canvas, (left, top, right, bottom), round(edge * 0.5))
    draw = ImageDraw.Draw(canvas)
    lettering.write_lines(draw, left + pad, top + pad - setting.size * 0.06, setting, _INK)
    if setting.left_off:
        note = f"+{setting.left_off:,} characters"
        lettering.write(
            draw, right - pad - lettering.width_of(note, foot), bottom - foot * 1.5, note, foot, (128, 124, 120)
        )


def _add_paper(canvas: Image.Image, box: tuple[int, int, int, int], radius: int) -> None:
    layer = Image.new("RGBA", canvas.size, (0, 0, 0, 0))
    shadow = Image.new("RGBA", canvas.size, (0, 0, 0, 0))
    drop = max(1, radius // 4)
    ImageDraw.Draw(shadow).rounded_rectangle(
        (box[0], box[1] + drop, box[2], box[3] + drop), radius=radius, fill=(10, 12, 24, 90)
    )
    ImageDraw.Draw(layer).rounded_rectangle(box, radius=radius, fill=(*_PAPER, 244))
    canvas.alpha_composite(shadow.filter(ImageFilter.GaussianBlur(max(1, radius // 2))))
    canvas.alpha_composite(layer)


def _add_signature(canvas: Image.Image, note: str) -> None:
    """Sign the lower right corner in a small dark label, readable on any ground."""
    wide, high = canvas.size
    size = max(8, round(min(wide, high) * 0.021))
    text = f"{SIGNED} · {note}" if note else SIGNED
    if lettering.width_of(text, size) > wide - size:
        text = SIGNED
    length = lettering.width_of(text, size)
    right, bottom = wide - round(size * 0.5), high - round(size * 0.35)
    label = Image.new("RGBA", canvas.size, (0, 0, 0, 0))
    box = (right - length - size, bottom - size * 1.6, right, bottom)
    ImageDraw.Draw(label).rounded_rectangle(box, radius=size * 0.5, fill=(24, 24, 34, 190))
    canvas.alpha_composite(label)
    lettering.write(ImageDraw.Draw(canvas), box[0] + size * 0.5, box[1] + size * 0.08, text, size, (255, 255, 255))


def _composed(pictures: Sequence[bytes], width: int, height: int, shelf: float) -> Image.Image:
    """Put pictures side by side (or in rows in a tall frame) on a blurred ground, in the upper ``shelf`` of the height."""
    opened = [_opened(data) for data in pictures]
    if len(opened) == 1 and abs(opened[0].width / opened[0].height - width / height) < 0.01:
        return opened[0].resize((width, height), Image.Resampling.LANCZOS)
    ground = ImageOps.fit(opened[0], (width, height)).filter(ImageFilter.GaussianBlur(max(width, height) / 40))
    height = round(height * shelf)
    across = min(len(opened), max(1, round((len(opened) * width / height) ** 0.5)))
    if len(opened) <= 3 and width >= height:
        across = len(opened)
    down = -(-len(opened) // across)
    gap = max(2, min(width, height) // 60) if len(opened) > 1 else 0
    cell_w, cell_h = (width - gap * (across + 1)) // across, (height - gap * (down + 1)) // down
    for at, picture in enumerate(opened):
        fitted = ImageOps.contain(picture, (max(1, cell_w), max(1, cell_h)), Image.Resampling.LANCZOS)
        x = gap + at % across * (cell_w + gap) + (cell_w - fitted.width) // 2
        y = gap + at // across * (cell_h + gap) + (cell_h - fitted.height) // 2
        ground.alpha_composite(fitted, (x, y))
    return ground


def _edit_in_mask(ground: Image.Image, prompt: str, mask: bytes, salt: str) -> Image.Image:
    """Paint the prompt's scene, with its words, into the transparent area of a mask."""
    hole = (
        _opened(mask)
        .getchannel("A")
        .resize(ground.size, Image.Resampling.LANCZOS)
        .point([255 - level for level in range(256)])
    )
    box = hole.point([255 if level > 127 else 0 for level in range(256)]).getbbox()
    if box is None:
        return ground
    wide, high = box[2] - box[0], box[3] - box[1]
    # A round hole would cut the corners of the card, so there it moves inwards.
    inset = 0.0 if sum(hole.crop(box).histogram()[128:]) / (wide * high) > 0.97 else 0.13
    patch = paint_scene(prompt, wide, high, salt=salt, stage=0.66 - 1.3 * inset if _has_card(wide, high) else 1.0)
    _add_card(patch, prompt, inset)
    canvas = ground.copy()
    canvas.paste(patch, box[:2], hole.crop(box))
    return canvas


def _opened(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as picture:
        return ImageOps.exif_transpose(picture).convert("RGBA")


def _finished(canvas: Image.Image, finish: Finish, title: str) -> bytes:
    _add_signature(canvas, finish.note)
    return _encoded(canvas, finish, title)


def _encoded(canvas: Image.Image, finish: Finish, title: str) -> bytes:
    """Write the picture; PNG carries the prompt and the note as text, JPEG the note as a comment."""
    out = io.BytesIO()
    options: dict[str, Any] = {"quality": max(1, finish.compression)}
    if finish.format == "png":
        words = PngImagePlugin.PngInfo()
        words.add_itxt("Description", title[:2000])
        words.add_text("Software", _NOTE)
        options = {"pnginfo": words, "compress_level": 6}
    elif finish.format == "jpeg":
        paper = Image.new("RGB", canvas.size, (255, 255, 255))
        paper.paste(canvas, mask=canvas.getchannel("A"))
        canvas = paper
        options["comment"] = _NOTE
    if finish.format != "jpeg" and canvas.getchannel("A").getextrema() == (255, 255):
        canvas = canvas.convert("RGB")
    canvas.save(out, finish.format, **options)
    return out.getvalue()
