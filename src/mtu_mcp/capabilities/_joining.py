"""Transcripts of the pieces of one recording, joined as if it had been heard in one go.

Times move by where a piece begins. Where two pieces overlap, both heard the same words, one of them with its last word
cut and the other with its first: the longest run of words that both have is where they are sewn together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final

from mtu_mcp.gateway import Segment, Transcript

if TYPE_CHECKING:
    from mtu_mcp.media.pieces import Piece

_WORD: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]|[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]+")
_WORDS_A_SECOND: Final = 6
"""More than anybody speaks; characters of Chinese count as words."""
_FEWEST: Final = 2
"""Words that have to agree; one alone may be an accident."""


@dataclass(slots=True)
class Part:
    """One piece and what was said in it.

    Attributes:
        piece: The piece.
        transcript: What was said, on the piece's own clock; None where it is missing.
    """

    piece: Piece
    transcript: Transcript | None = None


def join(parts: Sequence[Part], model: str) -> Transcript:
    """One transcript of all pieces, on the recording's clock; what is missing is marked where it would stand."""
    text, segments, words = "", list[Segment](), list[Segment]()
    before: Part | None = None
    timed = any(part.transcript and part.transcript.segments for part in parts)
    for part in parts:
        found = _moved(part) if part.transcript else _missing(part, timed)
        overlap = part.piece.overlap if before and before.transcript and part.transcript else 0.0
        if overlap:
            text = _sewn(text, found.text, overlap)
            _sew_segments(segments, list(found.segments), part.piece.start, overlap)
            middle = part.piece.start + overlap / 2
            words = [one for one in words if (one.start or 0) < middle]
            words += [one for one in found.words if (one.start or 0) >= middle]
        else:
            text = "\n".join(filter(None, (text, found.text)))
            segments += found.segments
            words += found.words
        before = part
    languages = [part.transcript.language for part in parts if part.transcript and part.transcript.language]
    return Transcript(
        text,
        language=languages[0] if languages else "",
        duration=parts[-1].piece.end if parts else None,
        segments=tuple(segments),
        words=tuple(words),
        model=model,
    )


def _moved(part: Part) -> Transcript:
    """The transcript on the recording's clock, its speakers told apart from those of other pieces."""
    assert part.transcript is not None
    start, number = part.piece.start, part.piece.number

    def moved(one: Segment) -> Segment:
        return Segment(
            None if one.start is None else round(one.start + start, 3),
            None if one.end is None else round(min(one.end + start, max(part.piece.end, start)), 3),
            one.text,
            f"{number}-{one.speaker}" if one.speaker else "",
        )

    return replace(
        part.transcript,
        text=part.transcript.text.strip(),
        segments=tuple(map(moved, part.transcript.segments)),
        words=tuple(map(moved, part.transcript.words)),
    )


def _missing(part: Part, timed: bool) -> Transcript:
    mark = f"[missing: {part.piece.start:.0f} s to {part.piece.end:.0f} s of the recording]"
    return Transcript(mark, segments=(Segment(part.piece.start, part.piece.end, mark),) if timed else ())


def _seam(before: str, after: str, seconds: float) -> tuple[int, int] | None:
    """Where to end one text and to begin the next so that what both have is there once; None where they have nothing."""
    most = max(8, round(seconds * _WORDS_A_SECOND))
    left, right = list(_WORD.finditer(before))[-most:], list(_WORD.finditer(after))[:most]
    match = SequenceMatcher(
        None, [one[0].casefold() for one in left], [one[0].casefold() for one in right], autojunk=False
    ).find_longest_match()
    if match.size < min(_FEWEST, len(left), len(right)) or not match.size:
        return None
    return left[match.a + match.size - 1].end(), right[match.b + match.size - 1].end()


def _sewn(before: str, after: str, seconds: float) -> str:
    seam = _seam(before, after, seconds)
    if seam is None:
        return " ".join(filter(None, (before, after)))
    return before[: seam[0]] + after[seam[1] :]


def _sew_segments(segments: list[Segment], following: list[Segment], start: float, overlap: float) -> None:
    """Add the segments of the next piece; what both pieces have in the overlap is kept once."""
    end = start + overlap
    tail = [one for one in segments if one.end is not None and one.end > start]
    head = [one for one in following if one.start is not None and one.start < end]
    if not tail or not head:
        segments += following
        return
    seam = _seam(_text(tail), _text(head), overlap)
    if seam is None:
        segments += [one for one in following if one.end is None or one.end > end]
        return
    del segments[len(segments) - len(tail) :]
    segments += _cut(tail, 0, seam[0])
    last = segments[-1].end if segments and segments[-1].end is not None else start
    for one in _cut(head, seam[1], None):
        segments.append(replace(one, start=max(one.start or 0.0, min(last, one.end or last))))
    segments += following[len(head) :]


def _text(segments: Sequence[Segment]) -> str:
    return " ".join(one.text.strip() for one in segments)


def _cut(segments: Sequence[Segment], low: int, high: int | None) -> list[Segment]:
    """The segments with the characters from `low` to `high` of their joined text; empty ones are left out."""
    found: list[Segment] = []
    at = 0
    for one in segments:
        text = one.text.strip()
        kept = text[max(0, low - at) : None if high is None else max(0, high - at)].strip()
        kept = kept.lstrip(" ,.;!?，。；！？") if low > at else kept
        if kept:
            found.append(replace(one, text=kept))
        at += len(text) + 1
    return found
