"""POST /audio/transcriptions and /audio/translations: what the file itself says, in every format of the API.

Words come from the file's metadata or, with the optional extra, from a recogniser; never from nowhere (see `listening`). A translation of
something that is not English is not made up either: the words are returned as they are, marked. Rules by model are those of the
OpenAI API reference: whisper-1 has all formats but diarized_json and ignores `stream`; gpt-4o-transcribe has json (and text).
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mtu_mcp.sandbox import transcripts
from mtu_mcp.sandbox.bodies import Sent, read_form
from mtu_mcp.sandbox.desk import desk_of, entry_of
from mtu_mcp.sandbox.fields import Table, anything, boolean, integer, listing, number, one_of, string
from mtu_mcp.sandbox.languages import LANGUAGES
from mtu_mcp.sandbox.listening import describe_sound, language_of, sniff_sound
from mtu_mcp.sandbox.refusals import Invalid, Refusal
from mtu_mcp.sandbox.replies import event, json_reply, stream_reply
from mtu_mcp.sandbox.tokens import pieces
from mtu_mcp.sandbox.transcripts import Transcript

MAX_BYTES = 25 * 1024 * 1024
_SHORTEST = 0.1
_UNCHUNKED_SECONDS = 30
_AUDIO_TOKENS_A_SECOND = 10
_KINDS = frozenset({"wav", "mp3", "flac", "ogg", "mp4", "webm", "mpeg"})
_EXTENSIONS = "flac, m4a, mp3, mp4, mpeg, mpga, oga, ogg, wav, webm"
_FORMATS = ("json", "text", "srt", "verbose_json", "vtt", "diarized_json")
_COMMON: Table = {
    "file": anything().required(),
    "model": string(1).required(),
    "prompt": string(),
    "response_format": one_of(*_FORMATS),
    "temperature": number(0, 1),
}
TRANSLATION: Table = {**_COMMON, "response_format": one_of(*_FORMATS[:5])}
TRANSCRIPTION: Table = {
    **_COMMON,
    "language": string(2),
    "timestamp_granularities": listing(one_of("word", "segment")),
    "include": listing(one_of("logprobs")),
    "chunking_strategy": string(1),
    # A nested object in a form: the public client writes one field for each of its keys.
    "chunking_strategy[type]": one_of("server_vad"),
    "chunking_strategy[prefix_padding_ms]": integer(0),
    "chunking_strategy[silence_duration_ms]": integer(0),
    "chunking_strategy[threshold]": number(0, 1),
    "known_speaker_names": listing(string(1), 0, 4),
    "known_speaker_references": listing(string(1), 0, 4),
    "stream": boolean(),
}


async def transcribe(request: Request) -> Response:
    """Write down what a sound says."""
    body = await read_form(request, TRANSCRIPTION)
    model = desk_of(request).model(body["model"], "transcribe").id
    _check_options(body, model)
    transcript = await _hear(request, body["file"])
    if "diarize" in model and transcript.duration > _UNCHUNKED_SECONDS and not any("chunking" in name for name in body):
        msg = f"chunking_strategy is required for diarization models when the audio is longer than {_UNCHUNKED_SECONDS} seconds."
        raise Invalid(msg, param="chunking_strategy", code="missing_required_parameter")
    if body.get("stream") and model != "whisper-1":
        return stream_reply(request, _events(body, transcript))
    return _answer(body, transcript, "transcribe")


async def translate(request: Request) -> Response:
    """Write down in English what a sound says; without a translator, foreign words are returned marked."""
    body = await read_form(request, TRANSLATION)
    desk_of(request).model(body["model"], "translate")
    transcript = await _hear(request, body["file"])
    language = language_of(transcript.text)
    if transcript.spoken and language != "english":
        transcript = _untranslated(transcript, language)
    return _answer(body, transcript, "translate")


def _untranslated(transcript: Transcript, language: str) -> Transcript:
    mark = f"[embedded gateway: not translated, the original {language} follows]"
    segments = tuple(replace(each, text=f"[{language}] {each.text}") for each in transcript.segments)
    return replace(transcript, text=f"{mark} {transcript.text}", segments=segments)


def _check_options(body: Mapping[str, Any], model: str) -> None:
    """Refuse what this model cannot do, and options that only go with another."""
    form, diarizes = body.get("response_format", "json"), "diarize" in model
    if model == "whisper-1":
        accepted = _FORMATS[:5]
    else:
        accepted = ("json", "text", "diarized_json") if diarizes else ("json", "text")
    if form not in accepted:
        msg = f"response_format '{form}' is not compatible with model '{model}'. Use {' or '.join(map(repr, accepted))} instead."
        raise Invalid(msg, param="response_format", code="unsupported_value")
    if "timestamp_granularities" in body and form != "verbose_json":
        msg = "timestamp_granularities are only available with response_format 'verbose_json'."
        raise Invalid(msg, param="timestamp_granularities", code="invalid_value")
    if "include" in body and (form != "json" or model == "whisper-1" or diarizes):
        msg = "include 'logprobs' is only available with response_format 'json' and gpt-4o-transcribe or gpt-4o-mini-transcribe."
        raise Invalid(msg, param="include", code="unsupported_value")
    for name in ("known_speaker_names", "known_speaker_references"):
        if name in body and not diarizes:
            raise Invalid(f"{name} is not supported by model '{model}'.", param=name, code="unsupported_parameter")
    if len(body.get("known_speaker_names", [])) != len(body.get("known_speaker_references", [])):
        msg = "known_speaker_names and known_speaker_references must have the same length."
        raise Invalid(msg, param="known_speaker_references", code="invalid_value")
    if "prompt" in body and diarizes:
        raise Invalid(f"prompt is not supported by model '{model}'.", param="prompt", code="unsupported_parameter")
    if body.get("language", "en") not in LANGUAGES:
        msg = f"Invalid language '{body['language']}'. Language parameter must be specified in ISO-639-1 format."
        raise Invalid(msg, param="language", code="invalid_language_format")
    _check_chunking(body.get("chunking_strategy", "auto"))


def _check_chunking(strategy: str) -> None:
    if strategy == "auto":
        return
    try:
        kind = json.loads(strategy)["type"]
    except (ValueError, TypeError, KeyError):
        kind = ""
    if kind != "server_vad":
        msg = "Invalid value for 'chunking_strategy': expected 'auto' or an object with type 'server_vad'."
        raise Invalid(msg, param="chunking_strategy", code="invalid_value")


async def _hear(request: Request, sent: object) -> Transcript:
    """Check the file and find out what it says, in a worker thread."""
    if not isinstance(sent, Sent):
        raise Invalid("Invalid type for 'file': expected a file.", param="file", code="invalid_type")
    size = len(sent.data)
    if size > MAX_BYTES:
        raise Refusal(413, f"Maximum content size limit ({MAX_BYTES}) exceeded ({size} bytes read)", param="file")
    extension = sent.name.rpartition(".")[2].lower()
    if extension not in _EXTENSIONS.split(", "):  # before the bytes are looked at: Ogg named .opus is refused
        raise Invalid(f"Unsupported file format {extension}", param="file", code="unsupported_value")
    if sniff_sound(sent.data) not in _KINDS:
        raise Invalid(f"Invalid file format. Supported formats: {_EXTENSIONS}.", param="file", code="invalid_value")
    sound = await anyio.to_thread.run_sync(describe_sound, sent.data)
    if sound.decoded and sound.seconds < _SHORTEST:
        msg = f"Audio file is too short. Minimum audio length is {_SHORTEST} seconds; this has {sound.seconds} seconds."
        raise Invalid(msg, param="file", code="audio_too_short")
    entry_of(request).notes |= {"kind": sound.kind, "seconds": sound.seconds, "source": sound.source}
    return transcripts.transcribe(sound)


def _answer(body: Mapping[str, Any], transcript: Transcript, task: str) -> Response:
    form = body.get("response_format", "json")
    if form == "text":
        return PlainTextResponse(transcript.text + "\n")
    if form == "srt":
        return PlainTextResponse(transcripts.write_srt(transcript))
    if form == "vtt":
        return PlainTextResponse(transcripts.write_vtt(transcript))
    if form == "verbose_json":
        return json_reply(_verbose(body, transcript, task))
    answer: dict[str, Any] = {"text": transcript.text}
    if form == "diarized_json":
        answer = {
            "task": task,
            "duration": transcript.duration,
            "text": transcript.text,
            "segments": transcripts.diarized_segments(transcript, body.get("known_speaker_names", [])),
        }
    if "include" in body:
        answer["logprobs"] = _logprobs(transcript.text)
    if task == "translate":
        return json_reply(answer)
    return json_reply({**answer, "usage": _usage(body, transcript)})


def _verbose(body: Mapping[str, Any], transcript: Transcript, task: str) -> dict[str, Any]:
    wanted = body.get("timestamp_granularities") or ["segment"]
    language = LANGUAGES.get(body.get("language", "")) or language_of(transcript.text)
    answer: dict[str, Any] = {
        "task": task,
        "language": "english" if task == "translate" else language,
        "duration": transcript.duration,
        "text": transcript.text,
    }
    if "segment" in wanted:
        answer["segments"] = transcripts.verbose_segments(transcript, body.get("temperature", 0.0))
    if "word" in wanted:
        answer["words"] = transcripts.verbose_words(transcript)
    if task == "transcribe":
        answer["usage"] = _usage(body, transcript)
    return answer


def _events(body: Mapping[str, Any], transcript: Transcript) -> Iterator[str]:
    """The events of a streamed transcription: deltas (and segments when diarized), then the whole; no [DONE]."""
    if body.get("response_format") == "diarized_json":
        names: list[str] = body.get("known_speaker_names", [])
        for segment in transcripts.diarized_segments(transcript, names):
            yield event({"type": "transcript.text.delta", "delta": segment["text"], "segment_id": segment["id"]})
            yield event(segment)
    else:
        for piece in pieces(transcript.text):
            part: dict[str, Any] = {"type": "transcript.text.delta", "delta": piece}
            yield event(part | {"logprobs": _logprobs(piece)} if "include" in body else part)
    done: dict[str, Any] = {"type": "transcript.text.done", "text": transcript.text, "usage": _usage(body, transcript)}
    yield event(done | {"logprobs": _logprobs(transcript.text)} if "include" in body else done)


def _logprobs(text: str) -> list[dict[str, Any]]:
    """Log probabilities of what was read rather than predicted: all certain, hence 0."""
    return [{"token": piece, "logprob": 0.0, "bytes": list(piece.encode())} for piece in pieces(text)]


def _usage(body: Mapping[str, Any], transcript: Transcript) -> dict[str, Any]:
    """Whisper is billed by the second, the others by tokens; the detail object is spelled `input_token_details` here."""
    if body["model"] == "whisper-1":
        return {"type": "duration", "seconds": math.ceil(transcript.duration)}
    heard, told = math.ceil(transcript.duration * _AUDIO_TOKENS_A_SECOND), len(pieces(body.get("prompt", "")))
    written = len(pieces(transcript.text))
    return {
        "type": "tokens",
        "input_tokens": heard + told,
        "input_token_details": {"text_tokens": told, "audio_tokens": heard},
        "output_tokens": written,
        "total_tokens": heard + told + written,
    }


ROUTES = [
    Route("/v1/audio/transcriptions", transcribe, methods=["POST"]),
    Route("/v1/audio/translations", translate, methods=["POST"]),
]
