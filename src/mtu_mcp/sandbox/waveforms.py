"""WAV files and their samples, in plain Python.

Python 3.13 dropped ``audioop``, and ``wave`` refuses float and extensible files, so chunks are walked and samples are turned into 16-bit
or float arrays here. Loudness is the root mean square against full scale (AES17 without its sine correction); a window of 20 ms counts
as sound when it is within 35 dB of the loudest window and above -60 dBFS.
"""

import math
import struct
import sys
from array import array
from dataclasses import dataclass
from operator import mul

from mtu_mcp.sandbox.frames import Facts, id3_tags

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_WINDOW_SECONDS = 0.02
_SILENCE_DBFS = -60.0
_RANGE_DB = 35.0
_GAP_SECONDS = 0.3
_SHORTEST_SECONDS = 0.06
_INFO_NAMES = {
    b"ICMT": "comment",
    b"ILYC": "lyrics",
    b"ILYR": "lyrics",
    b"INAM": "title",
    b"ISBJ": "description",
    b"ITRS": "transcript",
}


@dataclass(frozen=True, slots=True)
class Wave:
    """Interleaved samples of a WAV file: full scale is ``scale``."""

    samples: "array[int] | array[float]"
    scale: float
    rate: int
    channels: int


def wave_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Split a RIFF/WAVE file into ``(name, body)``; a chunk cut short, or of unknown length (streams write 0xFFFFFFFF), runs to the end."""
    found: list[tuple[bytes, bytes]] = []
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        found.append((name, data[at + 8 : at + 8 + size]))
        at += 8 + size + (size & 1)
    return found


def wave_facts(data: bytes) -> Facts:
    """Read length, rate, channels and tags (LIST/INFO, an ID3 chunk) of a WAV file."""
    rate = channels = block = size = 0
    tags: dict[str, str] = {}
    for name, body in wave_chunks(data):
        if name == b"fmt " and len(body) >= 16:
            _, channels, rate, _, block, _ = struct.unpack_from("<HHIIHH", body)
        elif name == b"data":
            size = len(body)
        elif name == b"LIST" and body[:4] == b"INFO":
            tags.update(_info_tags(body[4:]))
        elif name.lower() == b"id3 ":
            tags.update(id3_tags(body))
    seconds = size / block / rate if block and rate else 0.0
    return Facts(seconds=seconds, rate=rate, channels=channels, tags=tags)


def read_wave(data: bytes) -> Wave | None:
    """Decode PCM of 8, 16, 24 or 32 bits, or float of 32 or 64; None for a compressed or damaged WAV."""
    shape, body = b"", b""
    for name, content in wave_chunks(data):
        if name == b"fmt " and not shape:
            shape = content
        elif name == b"data" and not body:
            body = content
    if len(shape) < 16:
        return None
    form, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", shape)
    if form == _EXTENSIBLE and len(shape) >= 26:
        form = int.from_bytes(shape[24:26], "little")
    if not channels or not rate:
        return None
    decoded = _decode(form, bits, body)
    return Wave(decoded[0], decoded[1], rate, channels) if decoded else None


def measure(wave: Wave) -> tuple[float | None, list[tuple[float, float]]]:
    """Measure loudness in dBFS (None for digital silence) and the spans of sound in seconds."""
    powers = _powers(wave)
    if not any(powers):
        return None, []
    # The last window may be shorter; a hundredth of a second does not move the mean.
    loudness = 10 * math.log10(sum(powers) / len(powers))
    seconds = len(wave.samples) / wave.channels / wave.rate
    return round(loudness, 1), _spans([power >= _floor(powers) for power in powers], _window(wave) / wave.rate, seconds)


def swing(wave: Wave) -> float:
    """Tell how much the loudness of the sounding windows varies: their standard deviation in dB.

    Speech goes up and down with its syllables (5 dB and more); a tone, a hum or a hiss hardly moves (below 3 dB).
    """
    powers = _powers(wave)
    loud = [10 * math.log10(power) for power in powers if power > 0 and power >= _floor(powers)]
    mean = sum(loud) / len(loud) if loud else 0.0
    return math.sqrt(sum((level - mean) ** 2 for level in loud) / len(loud)) if loud else 0.0


def _window(wave: Wave) -> int:
    return max(1, round(wave.rate * _WINDOW_SECONDS))


def _powers(wave: Wave) -> list[float]:
    """The mean square of each window of 20 ms, full scale being 1; a window with a NaN counts as silent."""
    step = _window(wave) * wave.channels
    powers: list[float] = []
    for at in range(0, len(wave.samples), step):
        window = wave.samples[at : at + step]
        power = float(sum(map(mul, window, window))) / len(window) / wave.scale**2
        powers.append(power if math.isfinite(power) else 0.0)
    return powers


def _floor(powers: list[float]) -> float:
    return max(10 ** (_SILENCE_DBFS / 10), max(powers) * 10 ** (-_RANGE_DB / 10))


def speech_samples(wave: Wave, rate: int = 16_000) -> bytes:
    """Mix down to mono and resample linearly to ``rate``: s16le bytes for a recogniser."""
    width, scale = wave.channels, 32767 / wave.scale
    mono = [sum(wave.samples[at : at + width]) * scale / width for at in range(0, len(wave.samples) - width + 1, width)]
    if wave.rate != rate and mono:
        ratio, last = wave.rate / rate, len(mono) - 1
        mono = [_between(mono, at * ratio, last) for at in range(int(len(mono) / ratio))]
    out = array("h", (int(max(-32768.0, min(32767.0, value))) for value in mono))
    if sys.byteorder == "big":
        out.byteswap()
    return out.tobytes()


def _between(values: list[float], place: float, last: int) -> float:
    left = min(int(place), last)
    right = min(left + 1, last)
    return values[left] + (values[right] - values[left]) * (place - left)


def _decode(form: int, bits: int, body: bytes) -> "tuple[array[int] | array[float], float] | None":
    if form == _PCM and bits == 8:
        return array("h", (value - 128 for value in body)), 128.0
    if form == _PCM and bits == 24:
        # The two upper bytes of each sample keep 96 dB, which is more than loudness needs, and make a plain 16-bit array.
        count = len(body) // 3
        upper = bytearray(count * 2)
        upper[0::2], upper[1::2] = body[1 : count * 3 : 3], body[2 : count * 3 : 3]
        return _array("h", bytes(upper)), 32768.0
    if form == _PCM and bits in {16, 32}:
        return (_array("h", body), 32768.0) if bits == 16 else (_array("i", body), 2147483648.0)
    if form == _FLOAT and bits in {32, 64}:
        return _array("f" if bits == 32 else "d", body), 1.0
    return None


def _array(code: str, body: bytes) -> "array[int] | array[float]":
    values: array[int] | array[float] = array(code)
    values.frombytes(body[: len(body) // values.itemsize * values.itemsize])
    if sys.byteorder == "big":
        values.byteswap()
    return values


def _spans(loud: list[bool], window: float, seconds: float) -> list[tuple[float, float]]:
    """Join loud windows into spans: a gap shorter than 0.3 s does not end one, a click shorter than 0.06 s does not make one."""
    joined: list[list[float]] = []
    for at, is_loud in enumerate(loud):
        if not is_loud:
            continue
        start, end = at * window, min((at + 1) * window, seconds)
        if joined and start - joined[-1][1] < _GAP_SECONDS:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    return [(round(start, 3), round(end, 3)) for start, end in joined if end - start >= min(_SHORTEST_SECONDS, seconds)]


def _info_tags(body: bytes) -> dict[str, str]:
    tags: dict[str, str] = {}
    at = 0
    while at + 8 <= len(body):
        name, size = body[at : at + 4], int.from_bytes(body[at + 4 : at + 8], "little")
        raw = body[at + 8 : at + 8 + size].rstrip(b"\0")
        if name in _INFO_NAMES:
            tags[_INFO_NAMES[name]] = _text(raw)
        at += 8 + size + (size & 1)
    return tags


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("gb18030", errors="replace")
