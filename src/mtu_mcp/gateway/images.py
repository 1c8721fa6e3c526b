"""Pictures: what is asked and what is answered. How, is the matter of `pictures`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mtu_mcp.gateway.uploads import Upload
from mtu_mcp.gateway.usage import Usage


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """A picture to be made; `options` are further fields of the API's body (n, size, quality, ...)."""

    model: str
    prompt: str
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class ImageEdit:
    """A picture to be changed: the first of `images` is edited, where `mask` is transparent; more are references."""

    model: str
    prompt: str
    images: Sequence[Upload]
    mask: Upload | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class ImageVariation:
    """A picture to be varied."""

    model: str
    image: Upload
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class MadeImage:
    """One picture: its bytes or an address, or why there is none.

    Attributes:
        data: The file's bytes, None when only an address came.
        url: Where it can be fetched, for a while (an hour at OpenAI); empty when the bytes are here.
        revised_prompt: The prompt the model really used.
        error: Why this one was not made, when others were.
        size: As the gateway wrote it.
    """

    data: bytes | None = None
    url: str = ""
    revised_prompt: str = ""
    error: str = ""
    size: str = ""


@dataclass(frozen=True, slots=True)
class ImagesAnswer:
    """Pictures in the gateway's order; at least one of them is there. The last fields echo what was used."""

    images: tuple[MadeImage, ...]
    usage: Usage | None = None
    model: str = ""
    created: int | None = None
    size: str = ""
    quality: str = ""
    output_format: str = ""
    background: str = ""
    request_id: str = ""
