"""Reading SRT and WebVTT, enough to give a transcript's words and times."""

import re
from typing import Final, NamedTuple

_TIMES: Final = re.compile(r"((?:\d{1,3}:)?\d{1,2}:\d{2}[.,]\d{1,3})\s*-->\s*((?:\d{1,3}:)?\d{1,2}:\d{2}[.,]\d{1,3})")
_TAG: Final = re.compile(r"<[^<>\n]{1,80}>")


class Cue(NamedTuple):
    """One caption; times in seconds."""

    start: float
    end: float
    text: str


def read_cues(body: str) -> list[Cue]:
    """The captions of an SRT or WebVTT text, in order; none when it is neither."""
    cues: list[Cue] = []
    times: tuple[float, float] | None = None
    words: list[str] = []
    for line in [*body.splitlines(), ""]:
        found = _TIMES.match(line.strip()) if "-->" in line else None
        if found:
            times, words = (_seconds(found[1]), _seconds(found[2])), []
        elif times and line.strip():
            words.append(_TAG.sub("", line.strip()))
        elif times:
            cues.append(Cue(*times, " ".join(words)))
            times = None
    return cues


def _seconds(stamp: str) -> float:
    seconds = 0.0
    for part in stamp.replace(",", ".").split(":"):
        seconds = seconds * 60 + float(part)
    return round(seconds, 3)
