"""A transcript with times: sentences and words laid over the stretches of sound, and the formats they are written in.

Times are not guessed freely: words recognised by a program keep the times it heard them at; words read from a file's metadata are spread
over the spans where the file has sound, each by its length, so that no segment lies in a silence as a whole. SRT as players read it
(comma before milliseconds), WebVTT by W3C's recommendation (point, `WEBVTT` head).
"""

import re
import zlib
from dataclasses import dataclass
from typing import Any

from mtu_mcp.sandbox.listening import Sound

_SENTENCE = re.compile(r"[^.!?。！？\n]+(?:[.!?。！？]+[\"'”’)\]]*|$|\n)")
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]|[^\s\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]+")
_SPEAKER = re.compile(r"^\s*([A-Za-z][\w .'-]{0,30}|[\u4e00-\u9fff]{1,8})\s*[:：]\s*(.+)$", re.DOTALL)
_GAP = 0.3


@dataclass(frozen=True, slots=True)
class Word:
    """A word (one character in Chinese and Japanese) with its times in seconds."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A sentence with its times in seconds, its words, and who speaks if the transcript says ("" if not)."""

    text: str
    start: float
    end: float
    words: tuple[Word, ...] = ()
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What an audio endpoint answers, before it is put in a format. `duration` is in seconds."""

    text: str
    segments: tuple[Segment, ...]
    duration: float
    spoken: bool = True


def transcribe(sound: Sound) -> Transcript:
    """Lay what is known about a sound out in time; without words, describe the sound instead, marked as such."""
    if sound.words:
        return _from_words(sound)
    if sound.transcript:
        return _from_text(sound, sound.transcript)
    note = describe(sound)
    segments = tuple(
        Segment(f"[sound without words, {end - start:.2f} s; embedded gateway]", start, end)
        for start, end in sound.spans
    )
    return Transcript(note, segments or (Segment(note, 0.0, sound.seconds),), sound.seconds, spoken=False)


def describe(sound: Sound) -> str:
    """Say in one marked sentence what could be found out about a sound that has no words."""
    facts = [sound.kind, f"{sound.seconds:.2f} s" if sound.seconds else "unknown length"]
    if sound.rate:
        facts.append(f"{sound.rate} Hz, {sound.channels} channel{'s' if sound.channels != 1 else ''}")
    if not sound.decoded:
        where = "its samples were not decoded"
    elif not sound.spans:
        where = "silence throughout"
    else:
        shown = ", ".join(f"{start:.2f}-{end:.2f} s" for start, end in sound.spans[:8])
        more = f" and {len(sound.spans) - 8} more" if len(sound.spans) > 8 else ""
        where = f"loudness {sound.loudness_dbfs} dBFS, sound at {shown}{more}"
    return (
        f"[embedded gateway: the file carries no transcript and no words were recognised. {', '.join(facts)}; {where}.]"
    )


def _from_words(sound: Sound) -> Transcript:
    groups: list[list[Word]] = []
    for text, start, end in sound.words:
        word = Word(text, start, min(end, sound.seconds) if sound.seconds else end)
        if groups and start - groups[-1][-1].end < _GAP:
            groups[-1].append(word)
        else:
            groups.append([word])
    segments = tuple(
        Segment(" ".join(word.text for word in group), group[0].start, group[-1].end, tuple(group)) for group in groups
    )
    return Transcript(" ".join(segment.text for segment in segments), segments, sound.seconds)


def _from_text(sound: Sound, text: str) -> Transcript:
    found = [sentence.strip() for sentence in _SENTENCE.findall(text)]
    sentences = [sentence for sentence in found if sentence] or [text.strip()]
    spans = sound.spans or [(0.0, sound.seconds)]
    if len(sentences) == len(spans):
        placed = [_place(sentence, [span]) for sentence, span in zip(sentences, spans, strict=True)]
        return Transcript(text, tuple(placed), sound.seconds)
    whole, total = sum(map(len, sentences)), sum(end - start for start, end in spans)
    segments: list[Segment] = []
    done = 0
    for sentence in sentences:
        own = _cut(spans, total * done / whole, total * (done + len(sentence)) / whole)
        segments.append(_place(sentence, own))
        done += len(sentence)
    return Transcript(text, tuple(segments), sound.seconds)


def _cut(spans: list[tuple[float, float]], start: float, end: float) -> list[tuple[float, float]]:
    """Take from `start` to `end`, counted in sounding seconds, out of spans: the clock times of that stretch of sound."""
    cut: list[tuple[float, float]] = []
    passed = 0.0
    for left, right in spans:
        low, high = max(start, passed), min(end, passed + right - left)
        if high > low:
            cut.append((left + low - passed, left + high - passed))
        passed += right - left
    return cut or [(spans[-1][1], spans[-1][1])]


def _place(sentence: str, spans: list[tuple[float, float]]) -> Segment:
    """Give a sentence the spans that are its own, and each of its words a share by length."""
    said = _SPEAKER.match(sentence)
    speaker, spoken = (said[1].strip(), said[2].strip()) if said else ("", sentence)
    words = _WORD.findall(spoken)
    whole, total = sum(map(len, words)) or 1, sum(end - start for start, end in spans)
    placed: list[Word] = []
    done = 0
    for word in words:
        own = _cut(spans, total * done / whole, total * (done + len(word)) / whole)
        placed.append(Word(word, round(own[0][0], 2), round(own[-1][1], 2)))
        done += len(word)
    return Segment(sentence, round(spans[0][0], 2), round(spans[-1][1], 2), tuple(placed), speaker)


def write_srt(transcript: Transcript) -> str:
    """SubRip subtitles."""
    blocks = [
        f"{at}\n{_clock(each.start, ',')} --> {_clock(each.end, ',')}\n{each.text}\n"
        for at, each in enumerate(transcript.segments, 1)
    ]
    return "\n".join(blocks) + "\n"


def write_vtt(transcript: Transcript) -> str:
    """WebVTT subtitles."""
    blocks = [f"{_clock(each.start, '.')} --> {_clock(each.end, '.')}\n{each.text}\n" for each in transcript.segments]
    return "WEBVTT\n\n" + "\n".join(blocks) + "\n"


def _clock(seconds: float, point: str) -> str:
    whole = round(seconds * 1000)
    return f"{whole // 3_600_000:02}:{whole // 60_000 % 60:02}:{whole // 1000 % 60:02}{point}{whole % 1000:03}"


def verbose_segments(transcript: Transcript, temperature: float) -> list[dict[str, Any]]:
    """Segments as `verbose_json` has them. No model is behind them, so `tokens` are code points and `avg_logprob` is 0."""
    found: list[dict[str, Any]] = []
    for at, segment in enumerate(transcript.segments):
        raw = segment.text.encode()
        found.append(
            {
                "id": at,
                "seek": 0,
                "start": segment.start,
                "end": segment.end,
                "text": f" {segment.text}",
                "tokens": [ord(letter) for letter in segment.text],
                "temperature": temperature,
                "avg_logprob": 0.0,
                "compression_ratio": round(len(raw) / max(1, len(zlib.compress(raw))), 3),
                "no_speech_prob": 0.0 if transcript.spoken else 1.0,
            }
        )
    return found


def verbose_words(transcript: Transcript) -> list[dict[str, Any]]:
    """Words as `verbose_json` has them, without the punctuation around them."""
    found: list[dict[str, Any]] = []
    for segment in transcript.segments:
        for word in segment.words:
            bare = word.text.strip(".,;:!?\"'“”‘’()[]…，。；：！？、（）")
            if bare:
                found.append({"word": bare, "start": word.start, "end": word.end})
    return found


def diarized_segments(transcript: Transcript, names: list[str]) -> list[dict[str, Any]]:
    """Segments with speakers: the names the transcript itself gives, else known names or A, B, ... by turn of first voice.

    A transcript without names has one speaker: voices are not told apart here.
    """
    labels: dict[str, str] = {}
    found: list[dict[str, Any]] = []
    for at, segment in enumerate(transcript.segments):
        if segment.speaker not in labels:
            place = len(labels)
            usual = names[place] if place < len(names) else chr(ord("A") + place % 26)
            labels[segment.speaker] = segment.speaker or usual
        text = _SPEAKER.sub(r"\2", segment.text) if segment.speaker else segment.text
        found.append(
            {
                "type": "transcript.text.segment",
                "id": f"seg_{at:03}",
                "start": segment.start,
                "end": segment.end,
                "text": text,
                "speaker": labels[segment.speaker],
            }
        )
    return found
