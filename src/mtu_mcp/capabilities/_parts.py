"""Media as the parts of a chat message, in the shapes Qwen-Omni and the OpenAI models both read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import anyio.to_thread

if TYPE_CHECKING:
    from mtu_mcp.media import Media

Part = dict[str, Any]


def text_part(text: str) -> Part:
    """A piece of text."""
    return {"type": "text", "text": text}


async def image_part(media: Media) -> Part:
    """A picture, by URL or as a data URI."""
    return {"type": "image_url", "image_url": {"url": await _address(media)}}


async def audio_part(media: Media) -> Part:
    """A sound as Model Studio reads it: a URL or a data URI without a media type, and the format beside it."""
    data = await _address(media, mime=False)
    return {"type": "input_audio", "input_audio": {"data": data, "format": media.kind.extension or "mp3"}}


async def bare_audio_part(media: Media) -> Part:
    """A sound as OpenAI reads it: base64 alone, neither a URL nor a data URI."""
    encoded = await anyio.to_thread.run_sync(lambda: media.data_uri(mime=False))
    data = encoded.partition(",")[2]
    return {"type": "input_audio", "input_audio": {"data": data, "format": media.kind.extension or "mp3"}}


async def video_part(media: Media) -> Part:
    """A video file; pictures and sound track are both understood."""
    return {"type": "video_url", "video_url": {"url": await _address(media, mime=False)}}


async def frames_part(frames: Sequence[Media]) -> Part:
    """A video as its frames in order; it has no sound."""
    return {"type": "video", "video": [await _address(frame) for frame in frames]}


async def _address(media: Media, *, mime: bool = True) -> str:
    """The media's URL, or its bytes as a data URI, read and encoded in a thread."""
    return media.url or await anyio.to_thread.run_sync(lambda: media.data_uri(mime=mime))
