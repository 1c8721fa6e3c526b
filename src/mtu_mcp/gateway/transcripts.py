"""Speech to text: what is asked and what is answered. How, is the matter of `transcription`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mtu_mcp.gateway.uploads import Upload
from mtu_mcp.gateway.usage import Usage


@dataclass(frozen=True, slots=True)
class TranscriptionRequest:
    """Sound to be written down.

    Attributes:
        model: The model's name.
        file: The sound, or a video with sound.
        response_format: json, text, srt, vtt, verbose_json or diarized_json; which of them, depends on the model.
        options: Further fields of the API's form; a list becomes `name[]`, as in `timestamp_granularities`.
        seconds: Length of the sound where it is known, for an estimate of its cost.
    """

    model: str
    file: Upload
    response_format: str = "json"
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Segment:
    """Words and when they are said, in seconds; `speaker` when the model tells speakers apart."""

    start: float | None
    end: float | None
    text: str
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said.

    Attributes:
        text: The words, without times.
        language: As the model wrote it: "english" or "en".
        duration: Seconds of sound.
        segments: Sentences or speakers' turns with their times, when they came.
        words: Single words with their times, when they were asked for.
        body: Captions as they came, when they did; else empty.
        usage: What the gateway counted.
        model: The model asked for: this endpoint's answers do not name theirs.
        request_id: The gateway's name for the request.
    """

    text: str
    language: str = ""
    duration: float | None = None
    segments: tuple[Segment, ...] = ()
    words: tuple[Segment, ...] = ()
    body: str = ""
    usage: Usage | None = None
    model: str = ""
    request_id: str = ""
