"""What a call used, read from any of the families of names.

Chat completions count `prompt_tokens` and `completion_tokens`, images and Responses `input_tokens` and
`output_tokens`; gateways send both at once, with zeroes in the one they did not fill. Details stand in
`prompt_tokens_details`, `input_tokens_details` or (transcription) `input_token_details`, and may be null.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Self

from mtu_mcp.gateway.shapes import mapping, number, text, whole

_MOST: Final = 10**8
"""No call uses as many tokens; a larger number is no count, and would not fit where sums are kept."""


_LONGEST: Final = 10**7
"""Seconds; a hundred days of sound in one call is no length."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens by direction and kind; a kind the gateway did not mention is None.

    Attributes:
        input_tokens: All tokens sent, cached ones included.
        output_tokens: All tokens received, reasoning included.
        cached_tokens: Of those sent, found in a cache.
        cache_written: Of those sent, kept in a cache.
        cache_marked: Whether the cache was one that the request marked, as Alibaba's and Anthropic's are.
        seconds: Length of the sound, when it is billed by time.
        images: Pictures counted by the gateway.
        searches: Searches counted by the gateway.
        estimated: True when nobody counted and this is our guess; never set by `read`.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cache_written: int = 0
    cache_marked: bool = False
    input_text: int | None = None
    input_image: int | None = None
    input_audio: int | None = None
    input_video: int | None = None
    output_text: int | None = None
    output_audio: int | None = None
    seconds: float | None = None
    images: int = 0
    searches: int = 0
    estimated: bool = False

    @property
    def total_tokens(self) -> int:
        """Tokens in both directions."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Self) -> Self:
        """What two calls used together; a kind counted in neither stays unknown."""
        return type(self)(**{each.name: _sum(each.name, self, other) for each in fields(self)})

    @classmethod
    def read(cls, raw: object) -> Self | None:
        """Read a `usage` object; None when there is none or it counts nothing we know."""
        body = mapping(raw)
        sent, received = (
            _count(body, "prompt_tokens", "input_tokens"),
            _count(body, "completion_tokens", "output_tokens"),
        )
        seconds = number(body.get("seconds")) if text(body.get("type")) in ("", "duration") else None
        if seconds is not None and not 0 <= seconds <= _LONGEST:
            seconds = None
        images = _count(body, "image_count", "generated_images")
        if sent is received is seconds is images is None:
            return None
        into = _details(body, "prompt_tokens_details", "input_tokens_details", "input_token_details")
        out = _details(body, "completion_tokens_details", "output_tokens_details", "output_token_details")
        return cls(
            input_tokens=sent or 0,
            output_tokens=received or 0,
            cached_tokens=_count(into, "cached_tokens")
            or _count(body, "prompt_cache_hit_tokens", "cached_tokens")
            or 0,
            reasoning_tokens=_count(out, "reasoning_tokens") or 0,
            cache_written=_count(into, "cache_creation_input_tokens", "cache_write_tokens")
            or _count(body, "cache_creation_input_tokens")
            or 0,
            cache_marked=_is_marked(into, body),
            input_text=_count(into, "text_tokens"),
            input_image=_count(into, "image_tokens"),
            input_audio=_count(into, "audio_tokens"),
            input_video=_count(into, "video_tokens"),
            output_text=_count(out, "text_tokens"),
            output_audio=_count(out, "audio_tokens"),
            seconds=seconds,
            images=images or 0,
            searches=_searches(body),
        )


def _sum(name: str, *usages: Usage) -> Any:
    counted = [value for usage in usages if (value := getattr(usage, name)) is not None]
    return any(counted) if name in ("estimated", "cache_marked") else sum(counted) if counted else None


def _is_marked(into: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    """Whether caches were asked for: only then is it told how much went into one, even if that is nothing."""
    told = "cache_creation_input_tokens"
    return text(into.get("cache_type")) != "implicit" and (into.get(told) is not None or body.get(told) is not None)


def _count(body: Mapping[str, Any], *names: str) -> int | None:
    """The first of the names that counts something; zero when one says zero; None when all are silent."""
    read = (whole(number(value) if isinstance(value := body.get(name), str) else value) for name in names)
    found = [max(0, count) for count in read if count is not None and count <= _MOST]
    return next((count for count in found if count), 0) if found else None


def _details(body: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    return next((details for name in names if (details := mapping(body.get(name)))), mapping(None))


def _searches(body: Mapping[str, Any]) -> int:
    plugin = mapping(mapping(body.get("plugins")).get("search"))
    server = mapping(body.get("server_tool_use"))
    return _count(plugin, "count") or _count(server, "web_search_requests") or _count(body, "num_search_queries") or 0
