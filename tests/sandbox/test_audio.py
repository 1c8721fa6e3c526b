"""The audio routes over a real socket, with the public `openai` client and with plain requests."""

import io
import re
import wave
from collections.abc import Iterator

import httpx
import openai
import pytest

from mtu_mcp.sandbox import Sandbox, samples

pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # the client's own
KEY = {"Authorization": "Bearer sk-test"}
WORDS, WORDS_ZH = samples.RECORDING_WORDS, samples.RECORDING_ZH_WORDS
SPANS = ((0.0, 2.52), (2.86, 4.82), (5.2, 7.3))
"""Where the recording has sound; one sentence each."""


@pytest.fixture
def client(gateway: Sandbox) -> Iterator[openai.OpenAI]:
    """The public client, unmodified."""
    with openai.OpenAI(base_url=gateway.base_url, api_key="sk-test", max_retries=0) as made:
        yield made


def _silence(seconds: float, rate: int = 8000) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as made:
        made.setparams((1, 2, rate, 0, "NONE", ""))
        made.writeframes(bytes(int(seconds * rate) * 2))
    return out.getvalue()


def _post(gateway: Sandbox, data: dict, file: bytes | None = None, path: str = "transcriptions") -> httpx.Response:
    files = {"file": ("speech.wav", samples.RECORDING.read_bytes() if file is None else file)}
    return httpx.post(f"{gateway.base_url}/audio/{path}", data=data, files=files, headers=KEY, timeout=60)


def test_json_is_the_words_and_their_price(client):
    """OpenAI API reference: json is the default; whisper is billed by the second."""
    answer = client.audio.transcriptions.create(model="whisper-1", file=samples.RECORDING)
    assert answer.text == WORDS
    assert (answer.usage.type, answer.usage.seconds) == ("duration", 8)


def test_the_gpt_models_are_billed_by_tokens_under_their_own_spelling(gateway):
    """OpenAI API reference: input_token_details, singular, in audio."""
    usage = _post(gateway, {"model": "gpt-4o-transcribe", "prompt": "library words"}).json()["usage"]
    assert usage["type"] == "tokens"
    assert usage["input_token_details"]["audio_tokens"] == 75
    assert usage["input_tokens"] == 75 + usage["input_token_details"]["text_tokens"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_verbose_json_lays_each_sentence_over_its_own_sound(client):
    """OpenAI API reference: verbose_json; our promise: times agree with where the file has sound."""
    answer = client.audio.transcriptions.create(
        model="whisper-1",
        file=samples.RECORDING,
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    assert (answer.language, answer.text) == ("english", WORDS)
    assert answer.duration == pytest.approx(7.49, abs=0.01)
    assert [(each.start, each.end) for each in answer.segments] == [pytest.approx(span, abs=0.05) for span in SPANS]
    assert [word.word for word in answer.words[:3]] == ["Good", "morning", "and"]
    assert all(any(a - 0.05 <= word.start <= word.end <= b + 0.05 for a, b in SPANS) for word in answer.words)
    assert "".join(each.text for each in answer.segments).strip() == WORDS


def test_word_times_alone_leave_the_segments_out(gateway):
    """OpenAI API reference: timestamp_granularities says which are wanted."""
    body = {"model": "whisper-1", "response_format": "verbose_json", "timestamp_granularities[]": "word"}
    answer = _post(gateway, body).json()
    assert "words" in answer
    assert "segments" not in answer


def test_subtitles_are_well_formed(client):
    """SubRip uses a comma before the milliseconds, WebVTT (W3C) a point and a head line."""
    srt = client.audio.transcriptions.create(model="whisper-1", file=samples.RECORDING, response_format="srt")
    blocks = srt.strip().split("\n\n")
    assert blocks[0].splitlines() == ["1", "00:00:00,000 --> 00:00:02,520", "Good morning, and welcome to the library."]
    assert len(blocks) == 3
    vtt = client.audio.transcriptions.create(model="whisper-1", file=samples.RECORDING, response_format="vtt")
    assert vtt.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:02.520\nGood morning")
    text = client.audio.transcriptions.create(model="whisper-1", file=samples.RECORDING, response_format="text")
    assert text.strip() == WORDS


def test_text_formats_are_plain_text(gateway):
    """OpenAI API reference: text, srt and vtt are not JSON."""
    for form in ("text", "srt", "vtt"):
        answer = _post(gateway, {"model": "whisper-1", "response_format": form})
        assert answer.headers["content-type"].startswith("text/plain")


def test_a_compressed_file_is_spread_over_its_whole_length(client):
    """Our promise: without decoded samples the times still lie within the file."""
    answer = client.audio.transcriptions.create(
        model="whisper-1", file=samples.RECORDING_MP3, response_format="verbose_json"
    )
    assert answer.text == WORDS
    times = [time for each in answer.segments for time in (each.start, each.end)]
    assert times == sorted(times)
    assert (times[0], times[-1]) == (0.0, pytest.approx(7.6, abs=0.01))


def test_chinese_is_transcribed_as_chinese(client):
    """OpenAI API reference: `language` in the answer is a name."""
    answer = client.audio.transcriptions.create(
        model="whisper-1", file=samples.RECORDING_ZH, response_format="verbose_json", timestamp_granularities=["word"]
    )
    assert (answer.text, answer.language) == (WORDS_ZH, "chinese")
    assert [word.word for word in answer.words][:3] == ["你", "好", "欢"]


def test_a_sound_without_words_is_described_and_marked(client):
    """Our promise: no invented transcript; length, loudness and spans instead."""
    answer = client.audio.transcriptions.create(model="whisper-1", file=samples.SOUND, response_format="verbose_json")
    assert answer.text.startswith("[embedded gateway: the file carries no transcript")
    assert "2.00 s" in answer.text
    assert "0.00-0.70 s, 1.30-2.00 s" in answer.text
    assert [(each.start, each.end) for each in answer.segments] == [(0.0, 0.7), (1.3, 2.0)]
    assert {each.no_speech_prob for each in answer.segments} == {1.0}


def test_silence_is_called_silence(gateway):
    """Our promise: silence is not made to speak."""
    assert "silence throughout" in _post(gateway, {"model": "whisper-1"}, _silence(1.0)).json()["text"]


def test_a_stream_sends_the_words_piece_by_piece_and_then_whole(client):
    """OpenAI API reference: transcript.text.delta events, then transcript.text.done with usage."""
    with client.audio.transcriptions.create(
        model="gpt-4o-mini-transcribe", file=samples.RECORDING, stream=True, include=["logprobs"]
    ) as stream:
        events = list(stream)
    assert "".join(event.delta for event in events[:-1]) == WORDS == events[-1].text
    assert events[-1].type == "transcript.text.done"
    assert events[-1].usage.input_token_details.audio_tokens == 75
    assert events[0].logprobs[0].logprob == 0.0


def test_whisper_ignores_stream(gateway):
    """OpenAI API reference: streaming is not supported for whisper-1 and will be ignored."""
    assert _post(gateway, {"model": "whisper-1", "stream": "true"}).json()["text"] == WORDS


def test_a_diarized_answer_names_its_speakers(client):
    """OpenAI API reference: diarized_json; without names in the transcript the voices are not told apart."""
    answer = client.audio.transcriptions.create(
        model="gpt-4o-transcribe-diarize",
        file=samples.RECORDING,
        response_format="diarized_json",
        chunking_strategy={"type": "server_vad"},
    )
    assert {segment.speaker for segment in answer.segments} == {"A"}
    assert [segment.id for segment in answer.segments] == ["seg_000", "seg_001", "seg_002"]
    with client.audio.transcriptions.create(
        model="gpt-4o-transcribe-diarize",
        file=samples.RECORDING,
        response_format="diarized_json",
        chunking_strategy="auto",
        stream=True,
    ) as stream:
        kinds = [event.type for event in stream]
    assert kinds.count("transcript.text.segment") == 3
    assert kinds[-1] == "transcript.text.done"


def test_a_long_diarization_needs_a_chunking_strategy(gateway):
    """OpenAI API reference: required for diarization of more than 30 seconds."""
    answer = _post(gateway, {"model": "gpt-4o-transcribe-diarize"}, _silence(31.0))
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "chunking_strategy")


def test_a_translation_of_english_is_the_english(client):
    """OpenAI API reference: translations into English, whisper-1 only."""
    answer = client.audio.translations.create(model="whisper-1", file=samples.RECORDING, response_format="verbose_json")
    assert (answer.text, answer.language) == (WORDS, "english")


def test_a_translation_of_chinese_is_not_made_up(client):
    """Our promise: there is no translator behind this, so the words are returned marked."""
    answer = client.audio.translations.create(model="whisper-1", file=samples.RECORDING_ZH)
    assert answer.text == f"[embedded gateway: not translated, the original chinese follows] {WORDS_ZH}"


@pytest.mark.parametrize(
    ("data", "param", "said"),
    [
        ({"model": "gpt-4o-transcribe", "response_format": "srt"}, "response_format", "'json' or 'text'"),
        ({"model": "whisper-1", "response_format": "diarized_json"}, "response_format", "not compatible"),
        ({"model": "gpt-4o-transcribe-diarize", "response_format": "vtt"}, "response_format", "'diarized_json'"),
        ({"model": "whisper-1", "timestamp_granularities[]": "word"}, "timestamp_granularities", "verbose_json"),
        ({"model": "whisper-1", "include[]": "logprobs"}, "include", "gpt-4o-transcribe"),
        ({"model": "gpt-4o-transcribe-diarize", "prompt": "x"}, "prompt", "not supported"),
        ({"model": "whisper-1", "known_speaker_names[]": "Ann"}, "known_speaker_names", "not supported"),
        ({"model": "whisper-1", "language": "english"}, "language", "ISO-639-1"),
        ({"model": "whisper-1", "temperature": "1.5"}, "temperature", "<= 1"),
        ({"model": "whisper-1", "temperature": "warm"}, "temperature", "expected a decimal"),
        ({"model": "whisper-1", "colour": "red"}, "colour", "Unknown parameter"),
        ({"model": "whisper-1", "chunking_strategy": "{}"}, "chunking_strategy", "server_vad"),
        ({"response_format": "json"}, "model", "Missing required parameter: 'model'."),
    ],
)
def test_a_wrong_request_is_refused_by_the_name_of_its_field(gateway, data, param, said):
    """OpenAI API reference: which model has which formats and options."""
    answer = _post(gateway, data)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param
    assert said in answer.json()["error"]["message"]


def test_a_file_that_is_no_sound_is_refused_whatever_its_name(gateway):
    """OpenAI API reference: flac, mp3, mp4, mpeg, mpga, m4a, ogg, wav or webm."""
    answer = _post(gateway, {"model": "whisper-1"}, samples.PICTURE.read_bytes())
    assert answer.status_code == 400
    assert "Supported formats: flac, m4a" in answer.json()["error"]["message"]


def test_a_file_above_25_mb_is_refused_with_both_figures(gateway):
    """OpenAI API reference: uploads are limited to 25 MB."""
    answer = _post(gateway, {"model": "whisper-1"}, b"RIFF" + bytes(25 * 1024 * 1024))
    assert answer.status_code == 413
    assert re.search(r"\(26214400\) exceeded \(26214404 bytes read\)", answer.json()["error"]["message"])


def test_a_blink_of_sound_is_too_short(gateway):
    """OpenAI API: the shortest sound is 0.1 seconds."""
    assert "0.1 seconds" in _post(gateway, {"model": "whisper-1"}, _silence(0.05)).json()["error"]["message"]


def test_a_video_with_sound_is_heard(gateway):
    """OpenAI API reference: mp4 and webm are accepted."""
    answer = _post(gateway, {"model": "whisper-1"}, samples.VIDEO.read_bytes())
    assert "its samples were not decoded" in answer.json()["text"]
    assert gateway.journal.find("/audio/transcriptions")[-1].notes == {"kind": "mp4", "seconds": 3.0, "source": ""}


def test_only_whisper_translates(gateway):
    """OpenAI API reference: whisper-1 is the only translation model."""
    assert _post(gateway, {"model": "gpt-4o-transcribe"}, path="translations").status_code == 404


def test_a_transcript_with_names_has_speakers(gateway):
    """Our promise: speakers come from the transcript itself."""
    words = b"Transcript: Ann: Good morning. Ben: Hello Ann."
    info = b"INFOICMT" + len(words).to_bytes(4, "little") + words
    data = _silence(2.0) + b"LIST" + len(info).to_bytes(4, "little") + info
    body = {"model": "gpt-4o-transcribe-diarize", "response_format": "diarized_json"}
    segments = _post(gateway, body, data).json()["segments"]
    assert [(each["speaker"], each["text"]) for each in segments] == [("Ann", "Good morning."), ("Ben", "Hello Ann.")]
