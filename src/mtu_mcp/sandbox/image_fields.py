"""What each family of picture models may be asked, and the limits of what it is sent.

Three families: "gpt" (gpt-image-*), "dall-e-2" and "dall-e-3", "qwen" (qwen-image*). A field of one family is unknown to the others, as the
API answers `Unknown parameter: 'response_format'.` for gpt-image. Figures are those of the OpenAI API reference (sizes, 50 MB and
4 MB, 16 pictures) and, for qwen-image, of the Model Studio pages.
"""

import re
from collections.abc import Mapping
from typing import Any

from mtu_mcp.sandbox.bodies import Sent
from mtu_mcp.sandbox.fields import Rule, Table, anything, boolean, integer, listing, number, one_of, string
from mtu_mcp.sandbox.painting import PictureFacts, read_picture
from mtu_mcp.sandbox.refusals import Invalid
from mtu_mcp.sandbox.roster import Model

MEGABYTE = 1024 * 1024
MOST_PICTURES = 16
_SMALL_FILE, _LARGE_FILE = 4 * MEGABYTE, 50 * MEGABYTE
_LARGEST_FREE = (3840, 2160)
_D2_SIZES = ("256x256", "512x512", "1024x1024")
_SIZES: Mapping[str, tuple[str, ...]] = {
    "gpt": ("1024x1024", "1536x1024", "1024x1536", "auto"),
    "dall-e-2": _D2_SIZES,
    "dall-e-3": ("1024x1024", "1792x1024", "1024x1792"),
}
_QWEN_SIDES = (512, 2048)
_COMMON: Table = {"model": string(1), "user": string(), "n": integer(1, 10), "size": string(1)}
_DELIVERY = one_of("url", "b64_json")
_GPT: Table = {
    **_COMMON,
    "prompt": string(1, 32_000).required(),
    "quality": one_of("auto", "high", "medium", "low"),
    "background": one_of("transparent", "opaque", "auto"),
    "moderation": one_of("auto", "low"),
    "output_format": one_of("png", "jpeg", "webp"),
    "output_compression": integer(0, 100),
    "partial_images": integer(0, 3),
    "stream": boolean(),
    "safety_identifier": string(0, 64),
}
GENERATION: Mapping[str, Table] = {
    "gpt": _GPT,
    "dall-e-2": {
        **_COMMON,
        "prompt": string(1, 1_000).required(),
        "quality": one_of("standard", "auto"),
        "response_format": _DELIVERY,
    },
    "dall-e-3": {
        **_COMMON,
        "prompt": string(1, 4_000).required(),
        "n": integer(1, 1),
        "quality": one_of("standard", "hd", "auto"),
        "style": one_of("vivid", "natural"),
        "response_format": _DELIVERY,
    },
    "qwen": {
        **_COMMON,
        "prompt": string(1, 800).required(),
        "negative_prompt": string(0, 500),
        "prompt_extend": boolean(),
        "watermark": boolean(),
        "seed": integer(0, 2_147_483_647),
        "response_format": _DELIVERY,
    },
}
_PICTURES = listing(anything(), 1, MOST_PICTURES)
_ATTACHED: Table = {"image": _PICTURES.required(), "mask": anything()}
EDIT: Mapping[str, Table] = {
    "gpt": {
        **{name: rule for name, rule in _GPT.items() if name != "moderation"},
        **_ATTACHED,
        "input_fidelity": one_of("high", "low"),
    },
    "dall-e-2": {**GENERATION["dall-e-2"], **_ATTACHED},
    "qwen": {**GENERATION["qwen"], "image": listing(anything(), 1, 3).required()},
}
VARIATION: Table = {**_COMMON, "image": anything().required(), "response_format": _DELIVERY}


def _union(tables: Mapping[str, Table]) -> dict[str, Rule]:
    """Every field of any family, so that what no family knows can be told from what this family does not."""
    loose = {"boolean": boolean(), "integer": integer(), "decimal": number()}
    fields: dict[str, Rule] = {}
    for table in tables.values():
        for name, rule in table.items():
            fields[name] = rule if rule.item or rule.kind == "a value" else loose.get(rule.kind.split()[-1], string())
    return fields


GENERATION_UNION: Table = _union(GENERATION)
# `image[0]` and so on are what some clients write for a list; each is a field of its own to a form.
EDIT_UNION: Table = {**_union(EDIT), "image": _PICTURES, **{f"image[{at}]": anything() for at in range(MOST_PICTURES)}}


def family_of(model: Model) -> str:
    """The family whose tables a model's requests are checked against."""
    if model.id.startswith("dall-e-"):
        return model.id
    return "qwen" if model.id.startswith("qwen") else "gpt"


def picture_size(family: str, model: str, size: str | None, prompt: str) -> tuple[int, int]:
    """The width and height a `size` asks for; "auto" (or none) goes by the words of the prompt for gpt-image."""
    if family == "gpt" and size in {None, "auto"}:
        if re.search(r"\b(portrait|vertical|tall)\b|竖|纵向", prompt, re.IGNORECASE):
            return 1024, 1536
        return (
            (1536, 1024) if re.search(r"\b(landscape|wide|panorama)\b|横|全景", prompt, re.IGNORECASE) else (1024, 1024)
        )
    asked = size or ("1328x1328" if family == "qwen" else "1024x1024")
    found = re.fullmatch(r"(\d{2,5})[x*](\d{2,5})" if family == "qwen" else r"(\d{2,5})x(\d{2,5})", asked)
    width, height = (int(found[1]), int(found[2])) if found else (0, 0)
    if family == "qwen":
        fits = all(_QWEN_SIDES[0] <= side <= _QWEN_SIDES[1] for side in (width, height))
        accepted = f"WxH with sides from {_QWEN_SIDES[0]} to {_QWEN_SIDES[1]}"
    elif model.startswith("gpt-image-2"):
        fits, accepted = (
            _free_size(width, height),
            "'auto', or WxH in multiples of 16, ratio 1:3 to 3:1, at most 3840x2160",
        )
    else:
        fits = asked in _SIZES[family]
        accepted = ", ".join(f"'{each}'" for each in _SIZES[family])
    if not fits:
        raise Invalid(
            f"Invalid value: '{asked}'. Supported values are: {accepted}.", param="size", code="invalid_value"
        )
    return width, height


def _free_size(width: int, height: int) -> bool:
    if not width or not height or width % 16 or height % 16:
        return False
    long, short = max(width, height), min(width, height)
    return long <= 3 * short and long <= _LARGEST_FREE[0] and short <= _LARGEST_FREE[1]


def check_finish(body: Mapping[str, Any]) -> None:
    """Refuse combinations of output fields that contradict each other (gpt-image)."""
    form = body.get("output_format", "png")
    if body.get("background") == "transparent" and form == "jpeg":
        msg = "Transparent background is not supported for the 'jpeg' output format. Use 'png' or 'webp'."
        raise Invalid(msg, param="background", code="invalid_value")
    if form == "png" and body.get("output_compression", 100) < 100:
        msg = "Compression less than 100 is not supported for the 'png' output format. Use 'jpeg' or 'webp'."
        raise Invalid(msg, param="output_compression", code="invalid_value")
    if body.get("partial_images") and not body.get("stream"):
        msg = "The 'partial_images' parameter needs 'stream' to be true."
        raise Invalid(msg, param="partial_images", code="invalid_value")


def check_picture(sent: object, field: str, family: str) -> tuple[bytes, PictureFacts]:
    """Check one uploaded picture against the limits of a family.

    gpt and qwen: PNG, JPEG or WebP below 50 MB (qwen: 10 MB). dall-e-2: a square PNG below 4 MB.
    """
    data = _file_of(sent, field)
    limit = _SMALL_FILE if family == "dall-e-2" else 10 * MEGABYTE if family == "qwen" else _LARGE_FILE
    _check_weight(data, limit, field)
    facts = read_picture(data)
    formats = ("PNG",) if family == "dall-e-2" else ("PNG", "JPEG", "WEBP")
    if facts is None or facts.format not in formats:
        got = "an unreadable file" if facts is None else facts.format
        msg = (
            f"Invalid file '{field}': unsupported image format. Supported formats are {', '.join(formats)}; got {got}."
        )
        raise Invalid(msg, param=field, code="invalid_image_file")
    if family == "dall-e-2" and facts.width != facts.height:
        msg = f"Invalid file '{field}': expected a square image, but got {facts.width}x{facts.height}."
        raise Invalid(msg, param=field, code="invalid_image_file")
    return data, facts


def check_mask(sent: object, first: PictureFacts) -> bytes:
    """Check a mask: a PNG below 4 MB with an alpha channel, of the first picture's size."""
    data = _file_of(sent, "mask")
    _check_weight(data, _SMALL_FILE, "mask")
    facts = read_picture(data)
    if facts is None or facts.format != "PNG":
        got = "an unreadable file" if facts is None else facts.format
        raise Invalid(
            f"Invalid file 'mask': expected a PNG image, but got {got}.", param="mask", code="invalid_image_file"
        )
    if (facts.width, facts.height) != (first.width, first.height):
        msg = f"Invalid mask image dimensions: the mask is {facts.width}x{facts.height}, the image {first.width}x{first.height}."
        raise Invalid(msg, param="mask", code="invalid_image_mask")
    if not facts.alpha:
        msg = "Invalid mask image format: the mask has no alpha channel, so no area of it is transparent."
        raise Invalid(msg, param="mask", code="invalid_image_mask")
    return data


def _file_of(sent: object, field: str) -> bytes:
    if not isinstance(sent, Sent):
        raise Invalid(f"Invalid type for '{field}': expected a file.", param=field, code="invalid_type")
    if not sent.data:
        raise Invalid(f"Invalid file '{field}': it is empty.", param=field, code="empty_file")
    return sent.data


def _check_weight(data: bytes, limit: int, field: str) -> None:
    if len(data) >= limit:
        msg = (
            f"Invalid file '{field}': {len(data):,} bytes is too large. "
            f"The file must be smaller than {limit // MEGABYTE} MB ({limit:,} bytes)."
        )
        raise Invalid(msg, param=field, code="image_too_large")
