"""Speech that came with a chat model's words: kept as a file before it is shown, for it is paid for.

Audio models answer aloud when `modalities` asks for it. What comes is samples without a header (16 bits, little-endian,
24 kHz, mono), whatever format was named; a header makes a WAV file of them. A gateway's own file of another kind is kept
as it is.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread

from mtu_mcp.errors import MtuError

if TYPE_CHECKING:
    from mtu_mcp.app import App
    from mtu_mcp.capabilities._answers import Answer

RATE: Final = 24_000
"""Samples a second (Model Studio, Qwen-Omni; OpenAI, pcm16)."""
MOST_INLINE: Final = 150_000
"""Bytes of sound put into the answer itself, besides the link; some hosts end a connection at 1 MB."""
MOST_LEFT: Final = 600_000
"""Bytes of it where the answer is all that is left; Claude Desktop takes 1 MB a result, base64 included."""


async def keep_speech(app: App, answer: Answer, sound: bytes, title: str, about: Mapping[str, Any]) -> None:
    """Save what was said aloud, link it and play it if it is short."""
    from mtu_mcp.media import Media, kind_of, measure

    if kind_of(sound).family != "audio":
        sound = await anyio.to_thread.run_sync(_headed, sound)
    kind = kind_of(sound)
    seconds = (await measure(Media(title, kind, len(sound), data=sound))).seconds
    length = f"{seconds:.1f} s of speech" if seconds else "speech"
    if app.settings.read_only:
        answer.note(f"The {length} is not kept because MTU_READ_ONLY is set.")
        _play(answer, sound, kind.mime, MOST_LEFT)
        return
    try:
        saved = await app.library.save(
            sound, title=title, extension=kind.extension, about={**about, "seconds": seconds}
        )
    except MtuError as error:
        answer.note(f"The {length} could not be saved: {error}")
        _play(answer, sound, kind.mime, MOST_LEFT)
        return
    answer.say(f"Saved {saved.path} ({length})")
    _play(answer, sound, kind.mime, MOST_INLINE)
    answer.link(saved)


def _play(answer: Answer, sound: bytes, mime: str, most: int) -> None:
    if len(sound) <= most:
        answer.play(sound, mime)


def _headed(samples: bytes) -> bytes:
    """The samples as a WAV file; half a sample at the end of a broken stream is left out."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples[: len(samples) // 2 * 2])
    return out.getvalue()
