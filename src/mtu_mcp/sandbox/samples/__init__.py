"""Small real files for the demo and the tests.

Owns: one picture, one sound, recordings of speech, one video, and their paths. Asks for: nothing. Knows nothing of: anything else.
Because: a demo on real input needs real input on a machine that has none.

How each was made, all by free programs:

- `PICTURE`: painted by `scenery.paint_scene` (a red boat on a blue lake before mountains, sun and clouds), 96 colours, 800x600.
- `SOUND`: two tones, 440 and 660 Hz, 0.7 s each, with a pause of 0.6 s between them; 8 kHz, 8 bits, mono; no words.
- `RECORDING`: espeak-ng, voice en-us, three sentences, 16 kHz mono; the words are in the LIST/INFO comment (ffmpeg's `comment`).
- `RECORDING_MP3`: the same at 24 kbit/s by LAME; the words are in the ID3v2 comment.
- `RECORDING_ZH`: espeak-ng, voice cmn, one sentence, 8 kHz mono, its words in the comment.
- `VIDEO`: 45 painted frames (the boat crosses the sea in 3 s), 320x240, H.264 baseline, with a wavering tone in AAC, by ffmpeg.
- `SYLLABLES`: the tones of `phonation`, 13 voices by 3 vowels, 85 ms each at 24 kHz, as frames of MP3 (LAME, 24 kbit/s, no bit
  reservoir), AAC (ffmpeg) and Opus (libopus, low delay): for each format the number of entries, then the frames of each with their
  lengths, the first entry being one silent frame. `recordings` puts speech together from them.
"""

from pathlib import Path

_HERE = Path(__file__).parent

PICTURE = _HERE / "picture.png"
SOUND = _HERE / "sound.wav"
RECORDING = _HERE / "recording.wav"
RECORDING_MP3 = _HERE / "recording.mp3"
RECORDING_ZH = _HERE / "recording-zh.wav"
VIDEO = _HERE / "video.mp4"
SYLLABLES = _HERE / "syllables.bin"

RECORDING_WORDS = (
    "Good morning, and welcome to the library. The reading room opens at nine. Please return every book by Friday."
)
RECORDING_ZH_WORDS = "你好，欢迎来到图书馆。"
"""What is said in the recordings, to compare answers with."""
