"""Recordings of bursts and pauses whose times are known, so that what is cut out of them can be found again."""

import array
import io
import math
import wave

RATE = 8000


def bursts(plan, rate=RATE, channels=1, pitch=440.0, noise=0):
    """Sound and silence in turn, the seconds of each given: sound first. Samples of 16 bits."""
    samples = array.array("h")
    for index, seconds in enumerate(plan):
        count = round(seconds * rate)
        if index % 2:
            part = [noise * (-1) ** (at % 2) for at in range(count)]
        else:
            part = [int(12000 * math.sin(2 * math.pi * pitch * at / rate)) for at in range(count)]
        for value in part:
            samples.extend([value] * channels)
    return samples.tobytes()


def wav(frames, rate=RATE, channels=1, width=2):
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(frames)
    return out.getvalue()


def heard(data, quiet=2000):
    """Where there is sound in a WAV file of 16 bits, one channel: (start, end) in seconds, to a hundredth."""
    with wave.open(io.BytesIO(data), "rb") as file:
        samples = array.array("h", file.readframes(file.getnframes()))
        step = file.getframerate() // 100
    loud = [max(map(abs, samples[at : at + step])) > quiet for at in range(0, len(samples), step)]
    edges = [at for at in range(1, len(loud)) if loud[at] != loud[at - 1]]
    edges = ([0] if loud and loud[0] else []) + edges + ([len(loud)] if loud and loud[-1] else [])
    return [(start / 100, end / 100) for start, end in zip(edges[::2], edges[1::2], strict=True)]
