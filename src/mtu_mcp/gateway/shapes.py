"""Reading values that may be anything.

A gateway's JSON is read field by field through these few functions, so that a null, a missing key, an empty
string or a value of the wrong type becomes "not there" instead of an exception. They never raise, except `loads`,
which raises ValueError alone: the standard parser also raises RecursionError on nesting deep enough to be hostile.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

QUOTE_LIMIT: Final = 300
HEAVIEST: Final = 256 * 1024 * 1024
"""Bytes that one JSON text may take when read; a list of three million numbers takes 170 MB."""
_LIGHT: Final = 1024 * 1024
_NOTHING: Final[Mapping[str, Any]] = {}


def loads(data: bytes | str) -> Any:
    """Parse JSON text.

    Raises:
        ValueError: It is not JSON, or it is nested too deeply or of too many pieces to be honest.
    """
    if len(data) > _LIGHT and weight(data) > HEAVIEST:
        raise ValueError("of too many pieces")
    try:
        return json.loads(data.decode("utf-8-sig", "replace") if isinstance(data, bytes) else data)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def weight(data: bytes | str) -> int:
    """About how many bytes JSON text takes in memory once it is read: an empty list of two letters takes 64.

    Lists are told well; small objects take twice as much.
    """
    if isinstance(data, bytes):
        return len(data) + 64 * (data.count(b"[") + data.count(b"{")) + 32 * data.count(b",")
    return len(data) + 64 * (data.count("[") + data.count("{")) + 32 * data.count(",")


def mapping(value: object) -> Mapping[str, Any]:
    """The value when it is a JSON object, else an empty one."""
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else _NOTHING


def sequence(value: object) -> Sequence[Any]:
    """The value when it is a JSON array, else an empty one."""
    return cast("Sequence[Any]", value) if isinstance(value, list) else ()


def text(value: object) -> str:
    """The value when it is a string, else an empty one."""
    return repaired(value) if isinstance(value, str) else ""


def word(value: object) -> str:
    """A code as text: some gateways send numbers where others send words."""
    if isinstance(value, str):
        return repaired(value).strip()
    # A length bound, because turning an integer of thousands of digits into text raises.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18 else ""


def whole(value: object) -> int | None:
    """A count, None when there is none; fractions are cut off."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, float) and math.isfinite(value) else None


def number(value: object) -> float | None:
    """A finite number, None when there is none; numbers written as text are read too."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        result = float(value[:40] if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None
    return result if math.isfinite(result) else None


def repaired(value: str) -> str:
    """The text without lone surrogates, which no file or socket would take.

    A gateway that cuts an emoji in two JSON escapes sends its halves in two pieces of a stream: joined first and
    repaired then, they become one character again.
    """
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return value


def content(value: object) -> str:
    """The text of a message's content: a string, a list of parts, or (some gateways) bare JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        parts = cast("list[object]", value)
        return "".join(part if isinstance(part, str) else _part_text(mapping(part)) for part in parts)
    return compact(cast("object", value)) if isinstance(value, dict) else ""


def _part_text(part: Mapping[str, Any]) -> str:
    raw = part.get("text")
    return raw if isinstance(raw, str) else text(mapping(raw).get("value"))


def compact(value: object) -> str:
    """The value as JSON text; a string stays as it is, null is empty."""
    if value is None or isinstance(value, str):
        return value or ""
    try:
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, TypeError, RecursionError):
        return ""


def shortened(value: str, limit: int = QUOTE_LIMIT) -> str:
    """One line of at most `limit` characters, control characters left out: fit to be quoted to a model."""
    # Cut first: the text may be megabytes long.
    line = " ".join("".join(c if c.isprintable() else " " for c in value[: limit * 4]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
