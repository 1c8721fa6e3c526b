"""Sound in a chat, as the audio models of OpenAI take it: base64 alone, WAV or MP3 (API reference, input_audio)."""

import base64
import binascii
from typing import Any

from mtu_mcp.sandbox.listening import describe_sound
from mtu_mcp.sandbox.omni import sound_words
from mtu_mcp.sandbox.refusals import Invalid

FORMATS = ("wav", "mp3")
PER_SECOND = 10
"""Tokens of a second: one for each 100 ms of what a user says (OpenAI, managing costs of the Realtime API)."""


def hear(given: dict[str, Any], path: str) -> tuple[str, int]:
    """A sentence on one sound, and its tokens."""
    where = f"{path}.input_audio"
    if given["format"] not in FORMATS:
        msg = f"Invalid value: '{given['format']}'. Supported values are: 'wav' and 'mp3'."
        raise Invalid(msg, param=f"{where}.format", code="invalid_value")
    try:
        sound = describe_sound(base64.b64decode(given["data"], validate=True))
    except (binascii.Error, ValueError):
        msg = "Invalid base64: the sound must be base64 alone, without a URL or a data: prefix."
        raise Invalid(msg, param=f"{where}.data", code="invalid_base64") from None
    if sound.kind == "unknown":
        msg = "The audio data you provided does not represent a valid sound."
        raise Invalid(msg, param=f"{where}.data", code="invalid_value")
    return sound_words(sound), max(1, round(sound.seconds * PER_SECOND))
