"""Sound from base64 pieces: 16-bit little-endian PCM, 24 kHz, mono, without a header (Qwen-Omni, pcm16 of OpenAI)."""

import base64
import binascii
import io
import wave
from typing import Final

_TO_STANDARD: Final = str.maketrans("-_", "+/", " \t\r\n")
RATE: Final = 24000


def decoded(text: str) -> bytes:
    """Bytes from base64 that may lack its padding, hold white space or use the URL alphabet; b"" when it is not base64."""
    body = text.translate(_TO_STANDARD).rstrip("=")
    if len(body) % 4 == 1:
        body = body[:-1]
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def joined(pieces: list[str]) -> bytes:
    """The sound of all pieces.

    Each is decoded alone, as the model's documents allow. Only when they cannot have been encoded alone (one has a
    length no base64 text has) and fit when joined are they joined first: a relay has cut the text anywhere.
    """
    lengths = [len(piece.rstrip("=")) for piece in pieces]
    if any(length % 4 == 1 for length in lengths) and not any("=" in piece for piece in pieces[:-1]):
        return unwrapped(decoded("".join(pieces)))
    return unwrapped(b"".join(map(decoded, pieces)))


def unwrapped(data: bytes) -> bytes:
    """Headerless samples when the data is a WAV file of the usual rate; any other data as it is."""
    if not data.startswith(b"RIFF"):
        return data
    try:
        with wave.open(io.BytesIO(data)) as file:
            if (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE):
                return file.readframes(len(data) // 2)
    except (wave.Error, EOFError, ValueError, RuntimeError):
        pass  # not a whole file: what arrived is still what arrived
    return data
