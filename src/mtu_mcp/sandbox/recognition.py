"""Speech to words by pocketsphinx, where the optional extra ``local`` is installed.

The package ships its own US English model, so nothing is downloaded. Its answers are rough (it is a model of the 2000s) and English
only; the embedded gateway says so wherever it uses them. Without the package every call answers an empty list.
"""

from importlib import import_module
from typing import Any

SPEECH_RATE = 16_000
_LONGEST_SECONDS = 300
_FRAMES_A_SECOND = 100


def recognise(samples: bytes) -> list[tuple[str, float, float]]:
    """Recognise English words in 16 kHz mono s16le samples.

    Returns:
        ``(word, start, end)`` with times in seconds; empty when the package is absent, nothing was heard, or the sound is
        longer than five minutes (recognition takes a good part of real time).
    """
    if not samples or len(samples) > _LONGEST_SECONDS * SPEECH_RATE * 2:
        return []
    try:
        pocketsphinx: Any = import_module("pocketsphinx")
    except ImportError:
        return []
    decoder = pocketsphinx.Decoder(samprate=SPEECH_RATE, loglevel="FATAL")
    decoder.start_utt()
    decoder.process_raw(samples, no_search=False, full_utt=True)
    decoder.end_utt()
    if decoder.hyp() is None:
        return []
    heard: list[tuple[str, float, float]] = []
    for part in decoder.seg():
        word = str(part.word).partition("(")[0]
        if word and word[0] not in "<[+":
            heard.append((word, part.start_frame / _FRAMES_A_SECOND, (part.end_frame + 1) / _FRAMES_A_SECOND))
    return heard
