"""Media that came with a message: fetched without leaving the machine, and measured."""

import base64
import binascii
import io
import warnings
from collections import Counter
from dataclasses import dataclass

from PIL import Image

from mtu_mcp.sandbox.desk import Desk
from mtu_mcp.sandbox.refusals import Invalid, Refusal

MAX_DATA_URI = 10_485_760
"""Characters of one data URI (Model Studio: "Exceeded limit on max bytes per data-uri item")."""
_COLOURS = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "red": (220, 30, 30),
    "orange": (245, 140, 20),
    "yellow": (250, 225, 40),
    "green": (40, 160, 60),
    "cyan": (40, 200, 210),
    "blue": (40, 70, 210),
    "purple": (130, 40, 160),
    "pink": (250, 160, 190),
    "brown": (120, 75, 40),
}


@dataclass(frozen=True, slots=True)
class Picture:
    """What was measured of a picture. `colours` are names with their share of the area, `brightness` is 0 to 1."""

    width: int
    height: int
    kind: str
    colours: tuple[tuple[str, float], ...]
    brightness: float

    @property
    def words(self) -> str:
        """One sentence about it."""
        shades = " and ".join(f"{name} ({share:.0%})" for name, share in self.colours)
        light = "dark" if self.brightness < 0.35 else "bright" if self.brightness > 0.65 else "of middling brightness"
        return f"a {self.kind} picture of {self.width}x{self.height} pixels, mostly {shades}, {light} ({self.brightness:.0%})"


def open_url(desk: Desk, url: str, path: str) -> bytes:
    """The bytes behind a data URI or a URL of this very sandbox; every other URL is refused, nothing is fetched."""
    if url.startswith("data:"):
        return _decoded(url, path)
    if not url.startswith(("http://", "https://")):
        msg = "The provided URL does not appear to be valid. Ensure it is correctly formatted."
        raise Refusal(400, msg, param=path, code="invalid_parameter_error")
    found = desk.unshelve(url)
    if found is None:
        msg = "Failed to download multimodal content (the embedded gateway makes no outside requests)"
        raise Refusal(400, msg, param=path, code="invalid_parameter_error")
    return found[0]


def _decoded(url: str, path: str) -> bytes:
    if len(url) > MAX_DATA_URI:
        msg = f"Exceeded limit on max bytes per data-uri item : {MAX_DATA_URI}"
        raise Refusal(400, msg, param=path, code="invalid_parameter_error")
    head, comma, body = url.partition(",")
    if not comma or not head.endswith("base64"):
        msg = "The provided URL does not appear to be valid. Ensure it is correctly formatted."
        raise Refusal(400, msg, param=path, code="invalid_parameter_error")
    return unpack(body, path)


def unpack(text: str, path: str) -> bytes:
    """Strict base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        msg = f"Invalid '{path}': not valid base64."
        raise Invalid(msg, param=path, code="invalid_base64") from None


def measure_picture(data: bytes, path: str) -> Picture:
    """Size, colours and brightness of a picture; refused when it is none, or too small or too narrow."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP", "GIF", "BMP")) as image:
                kind, (width, height) = image.format or "?", image.size
                small = image.convert("RGB")
                small.thumbnail((32, 32), Image.Resampling.BOX)
    except (OSError, ValueError, SyntaxError, Warning, Image.DecompressionBombError):
        msg = "The image format is illegal and cannot be opened."
        raise Refusal(400, msg, param=path, code="invalid_parameter_error") from None
    if min(width, height) <= 10 or max(width, height) > 200 * min(width, height):
        msg = f"The image length and width do not meet the model restrictions: {width}x{height} (more than 10 px, ratio at most 200:1)."
        raise Refusal(400, msg, param=path, code="invalid_parameter_error")
    pixels = small.tobytes()
    triples = [(pixels[at], pixels[at + 1], pixels[at + 2]) for at in range(0, len(pixels), 3)]
    shades = Counter(_nearest(pixel) for pixel in triples)
    light = sum(0.299 * red + 0.587 * green + 0.114 * blue for red, green, blue in triples) / (255 * len(triples))
    ranked = tuple(
        (name, number / len(triples)) for name, number in shades.most_common(3) if number * 20 >= len(triples)
    )
    return Picture(width, height, kind, ranked, light)


def _nearest(pixel: tuple[int, int, int]) -> str:
    return min(_COLOURS, key=lambda name: sum((a - b) ** 2 for a, b in zip(pixel, _COLOURS[name], strict=True)))
