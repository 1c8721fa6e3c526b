"""What can honestly be said about a sound file without a speech model.

The embedded gateway never invents words. It reads a transcript that the file itself carries (a WAV ``LIST/INFO`` comment,
an ID3 lyric, a Vorbis comment, an MP4 ``ilst`` entry, a Matroska tag), it measures what the samples say (length, loudness, where
there is sound), and for a compressed file it reads the headers and says that the samples were not decoded. With the optional
extra ``local`` installed, speech in a WAV file is really recognised. Where the words came from is part of the answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from mtu_mcp.sandbox import boxes, frames, recognition, waveforms

_SPEECH_SWING_DB = 3.5
_TRANSCRIPT_TAGS = ("transcript", "transcription", "lyrics", "unsyncedlyrics", "comment", "description")

_STOPWORDS: Mapping[str, frozenset[str]] = {
    "english": frozenset({"the", "and", "is", "of", "to", "a", "in", "it", "this", "that", "you", "for", "with"}),
    "french": frozenset({"le", "la", "les", "et", "est", "des", "une", "un", "dans", "vous", "bonjour", "que", "pour"}),
    "german": frozenset({"der", "die", "das", "und", "ist", "ein", "eine", "nicht", "mit", "ich", "guten", "zu"}),
    "spanish": frozenset({"el", "los", "las", "y", "es", "una", "un", "en", "que", "hola", "para", "con", "buenos"}),
}

_SCRIPTS: tuple[tuple[str, tuple[tuple[int, int], ...]], ...] = (
    ("japanese", ((0x3040, 0x30FF),)),
    ("korean", ((0xAC00, 0xD7A3), (0x1100, 0x11FF))),
    ("chinese", ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2FA1F))),
    ("russian", ((0x0400, 0x04FF),)),
    ("arabic", ((0x0600, 0x06FF),)),
)


@dataclass(frozen=True, slots=True)
class Sound:
    """What is known about one sound file.

    Attributes:
        seconds: Length; 0.0 when the headers do not tell.
        rate: Samples a second; 0 when unknown.
        channels: 0 when unknown.
        loudness_dbfs: RMS of the whole file against full scale; None when the samples were not decoded or are silent.
        spans: ``(start, end)`` in seconds of each stretch of sound; empty for silence or undecoded samples.
        transcript: The words, or None.
        kind: "wav", "mp3", "flac", "ogg", "mp4", "webm", "mpeg", "aac", "amr" or "unknown".
        decoded: Whether loudness and spans come from the samples.
        source: Where the transcript comes from: "", "the file's <tag> tag" or "pocketsphinx".
        words: ``(word, start, end)`` as recognised; empty unless the source is pocketsphinx.
    """

    seconds: float
    rate: int
    channels: int
    loudness_dbfs: float | None
    spans: list[tuple[float, float]]
    transcript: str | None
    kind: str
    decoded: bool = False
    source: str = ""
    words: list[tuple[str, float, float]] = field(default_factory=list[tuple[str, float, float]])


def describe_sound(data: bytes, *, recognise: bool = True) -> Sound:
    """Describe a sound file from its own bytes, never failing on a damaged one.

    Args:
        data: The whole file.
        recognise: Whether to try pocketsphinx (when installed) if the file carries no transcript. This takes about as long as
            a tenth to a half of the sound, so call it from a worker thread.
    """
    kind = sniff_sound(data)
    try:
        facts = _READERS[kind](data) if kind in _READERS else frames.Facts()
    except (ValueError, IndexError, ArithmeticError):
        facts = frames.Facts()
    words, tag = _carried_transcript(facts.tags)
    sound = Sound(
        seconds=round(facts.seconds, 3),
        rate=facts.rate,
        channels=facts.channels,
        loudness_dbfs=None,
        spans=[],
        transcript=words,
        kind=kind,
        source=f"the file's {tag} tag" if tag else "",
    )
    return _listen(data, sound, recognise) if kind == "wav" else sound


def sniff_sound(data: bytes) -> str:
    """Tell the container of a sound (or video with sound) from its first bytes; "unknown" when none fits."""
    head = data[:16]
    if head[:4] in {b"RIFF", b"RF64"} and head[8:12] == b"WAVE":
        return "wav"
    for magic, kind in (
        (b"fLaC", "flac"),
        (b"OggS", "ogg"),
        (b"\x1aE\xdf\xa3", "webm"),
        (b"#!AMR", "amr"),
        (b"ID3", "mp3"),
    ):
        if head.startswith(magic):
            return kind
    if head[:4] in {b"\0\0\x01\xba", b"\0\0\x01\xb3"}:
        return "mpeg"
    if head[4:8] == b"ftyp":
        return "mp4"
    if len(head) > 1 and head[0] == 0xFF:
        if head[1] & 0xF6 == 0xF0:
            return "aac"
        if head[1] & 0xE0 == 0xE0 and head[1] & 0x06:
            return "mp3"
    return "unknown"


def language_of(text: str) -> str:
    """Guess the language of a text from its script, or from small words for Latin script; English when nothing tells."""
    for name, ranges in _SCRIPTS:
        if any(low <= ord(letter) <= high for letter in text for low, high in ranges):
            return name
    words = [word.strip(".,!?;:\"'«»¿¡()") for word in text.lower().split()]
    scores = {name: sum(word in small for word in words) for name, small in _STOPWORDS.items()}
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] > scores["english"] else "english"


def _listen(data: bytes, sound: Sound, recognise: bool) -> Sound:
    wave = waveforms.read_wave(data)
    if wave is None:
        return sound
    loudness, spans = waveforms.measure(wave)
    sound = replace(sound, loudness_dbfs=loudness, spans=spans, decoded=True)
    # A recogniser hears words in a tone, too, so what does not sound like speech is not shown to it.
    if sound.transcript or not spans or not recognise or waveforms.swing(wave) < _SPEECH_SWING_DB:
        return sound
    heard = recognition.recognise(waveforms.speech_samples(wave))
    if not heard:
        return sound
    return replace(sound, transcript=" ".join(word for word, _, _ in heard), source="pocketsphinx", words=heard)


def _carried_transcript(tags: Mapping[str, str]) -> tuple[str | None, str]:
    """Pick the transcript out of a file's tags: one that begins "transcript:", then a tag of that name, lyrics, a comment."""
    named = [(name, tags[name].strip()) for name in _TRANSCRIPT_TAGS if tags.get(name, "").strip()]
    for name, text in named:
        head, colon, rest = text.partition(":")
        if colon and head.strip().lower() in {"transcript", "transcription"} and rest.strip():
            return rest.strip(), name
    for name, text in named:
        # A description tells what is heard, not what is said.
        if name != "description":
            return text, name
    return None, ""


_READERS: Mapping[str, Callable[[bytes], frames.Facts]] = {
    "wav": waveforms.wave_facts,
    "mp3": frames.mp3_facts,
    "flac": frames.flac_facts,
    "ogg": frames.ogg_facts,
    "aac": frames.adts_facts,
    "amr": frames.amr_facts,
    "mp4": boxes.mp4_facts,
    "webm": boxes.webm_facts,
}
