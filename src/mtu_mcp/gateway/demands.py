"""What a request asks for, counted before it is sent.

What a call will cost depends on how much goes in and how much may come out. Both are counted here from the request
itself, in the same way for every endpoint, and deliberately on the high side: a cap that is checked against these
figures must not be passed by the bill. What the figures mean in money is not the gateway room's business.

Text: two ASCII letters, or half of any other character, are a token. No tokenizer of the models behind the API is
known to need more for prose, code or JSON; English takes about four letters, Chinese about one character a token.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from mtu_mcp.gateway.shapes import number, text

if TYPE_CHECKING:
    from mtu_mcp.gateway.uploads import Upload

OVERHEAD: Final = 200
"""Tokens for what a gateway puts round a request: roles, the forms of tools, its own instructions."""
_BOUNDS: Final = ("max_tokens", "max_completion_tokens", "max_output_tokens", "max_completion_length")
_PLAIN_BYTES: Final = 16_000
_PACKED_BYTES: Final = 2_000
"""Bytes a second of the thinnest sound: uncompressed speech at 8 kHz, packed speech at 16 kbit/s."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What one request may use at most, as far as the request tells.

    Attributes:
        text_in: Tokens of text.
        max_out: Tokens of one answer, where the request bounds them.
        answers: How many answers or pictures are asked for (`n`).
        pictures_in: Pictures to look at.
        videos: Videos to watch.
        frames: Pictures of videos sent as such.
        sounds: Sounds to listen to, by address or inline.
        seconds: Length of the sounds, as far as their size tells; 0 for those sent by address.
        characters: Letters to be spoken.
        speaks: Whether sound is asked for beside text.
        searches: Whether the model may search the web.
        stored: Things that count as input and are not in the request: files by their id, an earlier response.
        caches: Whether the request marks text to be kept in a cache (`cache_control`).
        size: Of the pictures asked for, as in the request.
        quality: The same.
        lines: The requests of a batch, each by itself; the other figures then count nothing.
        line_endpoint: Where they are sent to, as in the API's paths.
    """

    text_in: int = 0
    max_out: int | None = None
    answers: int = 1
    pictures_in: int = 0
    videos: int = 0
    frames: int = 0
    sounds: int = 0
    seconds: float = 0.0
    characters: int = 0
    speaks: bool = False
    searches: bool = False
    stored: int = 0
    caches: bool = False
    size: str = ""
    quality: str = ""
    lines: "tuple[Demand, ...]" = ()
    line_endpoint: str = ""

    @property
    def has_media(self) -> bool:
        """Whether pictures, sound or video go in."""
        return bool(self.pictures_in or self.videos or self.frames or self.sounds)


def tokens(text: str) -> int:
    """Tokens of a text, on the high side."""
    plain = len(text) if text.isascii() else len(text.encode("ascii", "ignore"))
    return math.ceil(plain / 2) + 2 * (len(text) - plain)


def measured(asked: Mapping[str, Any], files: "Sequence[tuple[str, Upload, int]]" = (), seconds: float = 0.0) -> Demand:
    """Count what a request asks for.

    Args:
        asked: Its fields, as on the wire.
        files: Its files: the field, the file, its bytes.
        seconds: Length of the sound among them, where somebody measured it.
    """
    counter = _Counter()
    counter.walk({name: value for name, value in asked.items() if name not in ("model", "stream", "stream_options")})
    for _, upload, size in files:
        counter.file(upload.mime, size)
    bounds = [int(count) for name in _BOUNDS if (count := number(asked.get(name))) is not None and count >= 0]
    return Demand(
        text_in=counter.text + OVERHEAD,
        max_out=min(bounds, default=None),
        answers=max(1, int(number(asked.get("n")) or 1)),
        pictures_in=counter.pictures,
        videos=counter.videos,
        frames=counter.frames,
        sounds=counter.sounds,
        seconds=seconds or counter.seconds,
        characters=len(asked["input"]) if isinstance(asked.get("input"), str) and "voice" in asked else 0,
        speaks="audio" in _listed(asked.get("modalities")),
        searches=_searches(asked),
        stored=counter.stored + (1 if asked.get("previous_response_id") or asked.get("conversation") else 0),
        caches=counter.caches,
        size=text(asked.get("size")),
        quality=text(asked.get("quality")),
    )


def _listed(value: object) -> Sequence[object]:
    return cast("list[object]", value) if isinstance(value, list) else ()


def _searches(asked: Mapping[str, Any]) -> bool:
    if asked.get("enable_search") or "web_search_options" in asked:
        return True
    kinds = (
        cast("dict[str, object]", tool).get("type") for tool in _listed(asked.get("tools")) if isinstance(tool, dict)
    )
    return any(isinstance(kind, str) and "search" in kind for kind in kinds)


class _Counter:
    """Adds up what a request holds, wherever in it: parts of messages look alike in every endpoint."""

    def __init__(self) -> None:
        self.text = self.pictures = self.videos = self.frames = self.sounds = self.stored = 0
        self.seconds = 0.0
        self.caches = False

    def walk(self, whole_request: object) -> None:
        """Count everything in a JSON value; a stack instead of recursion, for it may be nested without end."""
        waiting: list[object] = [whole_request]
        while waiting:
            value = waiting.pop()
            if isinstance(value, str):
                self._string(value)
            elif isinstance(value, list | tuple):
                waiting += cast("Sequence[object]", value)
            elif isinstance(value, Mapping):
                waiting += self._object(cast("Mapping[object, object]", value))
            else:
                self.text += 3

    def file(self, mime: str, size: int) -> None:
        """Count a file that is sent as bytes."""
        family = mime.partition("/")[0]
        if family == "image":
            self.pictures += 1
        elif family == "audio":
            self._sound(size, packed="wav" not in mime)
        elif family == "video":
            self.videos += 1
            self._sound(size, packed=True)
        else:
            self.text += math.ceil(size / 2)

    def _object(self, value: Mapping[object, object]) -> list[object]:
        """Count a part of a message, or give what an object holds."""
        kind = value.get("type")
        self.caches = self.caches or "cache_control" in value
        if kind in ("image_url", "input_image", "image"):
            self.pictures += 1
            return []
        if kind == "input_audio":
            inner = value.get("input_audio")
            sound = cast("Mapping[str, object]", inner).get("data") if isinstance(inner, Mapping) else None
            self._sound(_inline(sound), packed=True)
            return []
        if kind == "video_url":
            self.videos += 1
            return []
        if kind == "video":
            self.frames += len(_listed(value.get("video"))) or 1
            return []
        if kind in ("file", "input_file"):
            self.stored += 1
        self.text += sum(2 + len(name) // 2 for name in value if isinstance(name, str))
        return list(value.values())

    def _string(self, value: str) -> None:
        if value.startswith("data:"):
            self.file(value[5:60].partition(";")[0].partition(",")[0], _inline(value))
        else:
            self.stored += value.count("fileid://")
            self.text += tokens(value) + 3

    def _sound(self, size: int, *, packed: bool) -> None:
        self.sounds += 1
        self.seconds += size / (_PACKED_BYTES if packed else _PLAIN_BYTES)


def _inline(value: object) -> int:
    """Bytes of base64; 0 for an address, whose sound nobody has weighed."""
    return len(value) * 3 // 4 if isinstance(value, str) and not value.startswith(("http://", "https://")) else 0
