"""Measuring files: how large, how long, as their own headers say.

Limits are checked with these figures before money is spent, so they are exact or absent: a field nobody knows is
None, never an estimate, and a broken or lying file yields None, never an exception. Own parsers, because
the libraries for sound estimate lengths from a few frames, know neither AMR nor bare AAC nor video, and scan hostile
files without bound.
"""

import os
import struct
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, BinaryIO

from mtu_mcp.media.measurement import NOTHING, Measurement

if TYPE_CHECKING:
    from mtu_mcp.media.media import Media
    from mtu_mcp.media.window import Window


async def measure(media: "Media") -> Measurement:
    """Measure a file or bytes in memory, in a thread of its own.

    Returns:
        All None for an address that was not downloaded.

    Raises:
        MtuError: The file cannot be opened any more; never for what is in it.
    """
    import anyio.to_thread

    return await anyio.to_thread.run_sync(measure_blocking, media)


def measure_blocking(media: "Media") -> Measurement:
    """`measure` for callers that have a thread already."""
    if media.data is None and media.path is None:
        return NOTHING
    with media.open() as stream:
        return measure_stream(stream, media.kind.mime)


def measure_stream(stream: BinaryIO, mime: str) -> Measurement:
    """Measure a seekable stream whose media type is known from its bytes; never raises for its content."""
    from mtu_mcp.media.window import Window

    if mime.startswith("image/"):
        from mtu_mcp.media.pictures import picture_size as reader
    else:
        reader = _readers().get(mime)
    if reader is None:
        return NOTHING
    try:
        return reader(Window(stream))
    except (ValueError, OverflowError, ZeroDivisionError, IndexError, struct.error, OSError, RecursionError):
        return NOTHING
    finally:
        stream.seek(0, os.SEEK_SET)


def _readers() -> "Mapping[str, Callable[[Window], Measurement]]":
    from mtu_mcp.media import boxes, containers, sounds

    return {
        "audio/mpeg": sounds.read_mpeg,
        "audio/aac": sounds.read_adts,
        "audio/amr": sounds.read_amr,
        "audio/wav": sounds.read_wav,
        "audio/aiff": sounds.read_aiff,
        "audio/flac": sounds.read_flac,
        "audio/ogg": sounds.read_ogg,
        "audio/mp4": boxes.read_iso,
        "audio/3gpp": boxes.read_iso,
        "video/mp4": boxes.read_iso,
        "video/quicktime": boxes.read_iso,
        "video/3gpp": boxes.read_iso,
        "video/x-msvideo": containers.read_avi,
        "video/x-matroska": containers.read_matroska,
        "audio/x-matroska": containers.read_matroska,
        "video/webm": containers.read_matroska,
        "audio/webm": containers.read_matroska,
    }
