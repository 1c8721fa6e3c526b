"""Qwen-Omni on chat/completions: pictures, a sound, a video or frames, described by what was measured of them.

Nothing is seen or heard. The answer tells size, colours, length, loudness, where there is sound, and a transcript if the
file itself carries one. Tokens follow the published formulas; the cost in CNY stands in the header
`x-mtu-sandbox-price` with the price line that applied, and in the journal's notes.
"""

import math
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from mtu_mcp.sandbox.attachments import Picture, measure_picture, open_url
from mtu_mcp.sandbox.chat_rules import check_window, parameter_error, prompt_texts, thinks
from mtu_mcp.sandbox.chat_wire import Envelope
from mtu_mcp.sandbox.conversation import Talk, answer, read_talk
from mtu_mcp.sandbox.corpus import search, write_up
from mtu_mcp.sandbox.desk import SIGNATURE, Desk, desk_of, entry_of
from mtu_mcp.sandbox.drafts import Draft, Usage
from mtu_mcp.sandbox.footage import describe_footage
from mtu_mcp.sandbox.listening import Sound, describe_sound
from mtu_mcp.sandbox.omni_rules import Generation, check_bytes, check_frames, check_omni, check_seconds, generation_of
from mtu_mcp.sandbox.replies import stream_reply
from mtu_mcp.sandbox.roster import Model
from mtu_mcp.sandbox.tokens import count_frames, count_image, count_sound, count_text, frames_sampled, pieces, price
from mtu_mcp.sandbox.tool_choice import pick_calls

Body = dict[str, Any]
_RATE = 24_000
_SYLLABLE = 0.08
"""Seconds of sound for each token spoken."""
_SOUND_MAX = 600


@dataclass(slots=True)
class Seen:
    """What was measured of all media: sentences of each message (by place) and tokens by kind."""

    words: dict[int, list[str]] = field(default_factory=dict[int, list[str]])
    tokens: Counter[str] = field(default_factory=Counter[str])


async def create_answer(request: Request, body: Body, model: Model) -> Response:
    """Answer a stream; the body has passed the chat rules."""
    desk, generation = desk_of(request), generation_of(model)
    check_omni(body, generation, audio_output=desk.options.omni_audio)
    seen = await anyio.to_thread.run_sync(look, desk, body["messages"], generation)
    seen.tokens["text"] = count_text(prompt_texts(body))
    given = sum(seen.tokens.values())
    check_window(given, model)
    if given > generation.max_input:
        raise parameter_error(f"Range of input length should be [1, {generation.max_input}]")
    draft = _shorten(body, _draft(desk, body, model, seen))
    spoken = count_sound(len(draft.sound) / 2 / _RATE, generation.rates.audio_out) if draft.sound else 0
    written = draft.tokens - draft.reasoning_tokens
    usage = Usage(
        given, draft.tokens + spoken, draft.reasoning_tokens, dict(seen.tokens), {"text": written, "audio": spoken}
    )
    cost, line = price(dict(seen.tokens), draft.tokens)
    entry_of(request).notes |= {"cost_cny": cost, "price_line": line, "tokens": dict(seen.tokens)}
    envelope = Envelope(f"chatcmpl-{desk.new_uuid()}", desk.now(), body["model"], "omni", speaks=generation.speaks)
    counted = body.get("stream_options", {}).get("include_usage", False)
    head = {"x-mtu-sandbox-price": f"{cost:.8g} CNY; output={line}"}
    return stream_reply(request, envelope.chunks([draft], usage, counted=counted), head)


def _shorten(body: Body, draft: Draft) -> Draft:
    stop: str | list[str] = body.get("stop", [])
    return draft.shortened([stop] if isinstance(stop, str) else stop, body.get("max_tokens"))


def look(desk: Desk, messages: list[Body], generation: Generation) -> Seen:
    """Measure every medium of a conversation: those of earlier turns are sent, and billed, again."""
    seen = Seen()
    for place, message in enumerate(messages):
        parts: list[Body] = message["content"] if isinstance(message.get("content"), list) else []
        for index, part in enumerate(parts):
            measure = _MEASURES.get(part["type"])
            if measure is not None:
                words = measure(desk, part, f"messages[{place}].content[{index}]", generation, seen.tokens)
                seen.words.setdefault(place, []).append(words)
    return seen


def _measure_image(desk: Desk, part: Body, path: str, generation: Generation, tokens: Counter[str]) -> str:
    data = open_url(desk, part["image_url"]["url"], path)
    check_bytes(data, generation.image_bytes)
    picture = measure_picture(data, path)
    tokens["image"] += count_image(picture.height, picture.width, generation.rates)
    return picture.words


def _measure_audio(desk: Desk, part: Body, path: str, generation: Generation, tokens: Counter[str]) -> str:
    data = open_url(desk, part["input_audio"]["data"], path)
    if not data:
        raise parameter_error("The audio is empty", path)
    check_bytes(data, generation.audio_bytes)
    sound = describe_sound(data)
    if sound.kind == "unknown":
        raise parameter_error("The audio format is illegal and cannot be opened.", path)
    check_seconds("audio", sound.seconds, generation.audio_seconds)
    tokens["audio"] += count_sound(sound.seconds, generation.rates.audio_in)
    return sound_words(sound)


def sound_words(sound: Sound) -> str:
    """Say what a sound is, and its words where they are known."""
    words = f"a {sound.kind} sound of {sound.seconds:.2f} seconds"
    if sound.rate:
        words += f", {sound.rate} Hz, {sound.channels} channel{'s' if sound.channels != 1 else ''}"
    if sound.loudness_dbfs is not None:
        words += f", loudness {sound.loudness_dbfs:.1f} dBFS"
    if sound.spans:
        words += ", sound at " + ", ".join(f"{start:.2f}-{end:.2f} s" for start, end in sound.spans[:8])
    elif sound.decoded:
        words += ", silent"
    if sound.transcript:
        return f'{words}; its words ({sound.source}): "{sound.transcript}"'
    return f"{words}; its words are not known, for there is no transcript in the file"


def _measure_video(desk: Desk, part: Body, path: str, generation: Generation, tokens: Counter[str]) -> str:
    data = open_url(desk, part["video_url"]["url"], path)
    check_bytes(data, generation.video_bytes)
    footage = describe_footage(data)
    if footage is None:
        raise parameter_error("The video format is illegal and cannot be opened.", path)
    check_seconds("video", footage.seconds, generation.video_seconds)
    rates = generation.rates
    sampled = frames_sampled(footage.seconds, footage.pictures or 10**6, rates)
    tokens["video"] += count_frames(footage.height or 720, footage.width or 1280, max(sampled, 1), rates)
    words = f"a {footage.kind} video of {footage.seconds:.2f} seconds, {footage.width}x{footage.height} pixels"
    if not footage.sound:
        return f"{words}, without sound"
    tokens["audio"] += count_sound(footage.seconds, rates.audio_in)
    transcript = describe_sound(data, recognise=False).transcript
    return f"{words}, with sound" + (f'; its words (carried in the file): "{transcript}"' if transcript else "")


def _measure_frames(desk: Desk, part: Body, path: str, generation: Generation, tokens: Counter[str]) -> str:
    urls: list[str] = part["video"]
    check_frames(len(urls), generation.rates)
    frames: list[Picture] = []
    for place, url in enumerate(urls):
        data = open_url(desk, url, f"{path}.video[{place}]")
        check_bytes(data, generation.image_bytes)
        frames.append(measure_picture(data, f"{path}.video[{place}]"))
    first = frames[0]
    tokens["video"] += count_frames(first.height, first.width, len(frames), generation.rates)
    main = [frame.colours[0][0] if frame.colours else "mixed" for frame in frames]
    run = [shade for place, shade in enumerate(main) if not place or main[place - 1] != shade]
    return (
        f"{len(frames)} frames of {first.width}x{first.height} pixels without sound, mainly {', then '.join(run[:12])}"
    )


_MEASURES: dict[str, Callable[[Desk, Body, str, Generation, Counter[str]], str]] = {
    "image_url": _measure_image,
    "input_audio": _measure_audio,
    "video_url": _measure_video,
    "video": _measure_frames,
}


def _draft(desk: Desk, body: Body, model: Model, seen: Seen) -> Draft:
    talk = read_talk(body["messages"])
    reasoning = "I measure what was sent, for I cannot see or hear. " if thinks(body, model) else ""
    calls = pick_calls(desk, body.get("tools", []), body.get("tool_choice"), talk, parallel=False)
    if calls:
        return Draft(reasoning=reasoning, tool_calls=calls, finish="tool_calls")
    text = f"{_words(body, talk, seen)} {SIGNATURE}"
    speaks = "audio" in body.get("modalities", [])
    return Draft(text, reasoning, sound=_hum(len(pieces(text))) if speaks else b"")


def _words(body: Body, talk: Talk, seen: Seen) -> str:
    last = max((place for place, message in enumerate(body["messages"]) if message["role"] == "user"), default=0)
    now = seen.words.get(last, [])
    if now:
        asked = f' You asked: "{talk.question}".' if talk.question else ""
        return f"I was sent {'; and '.join(now)}.{asked} I measure media, I do not understand them."
    if body.get("enable_search"):
        return write_up(search(talk.question, 5), talk.question)[0]
    earlier = [words for place in sorted(seen.words) for words in seen.words[place]]
    return answer(talk) + (f" Earlier I was sent {'; and '.join(earlier)}." if earlier else "")


def _hum(tokens: int) -> bytes:
    """A soft tone of two pitches, a syllable for each token: PCM s16le mono 24 kHz."""
    syllable = [
        tuple(
            int(3000 * math.sin(math.pi * place / (_RATE * _SYLLABLE)) * math.sin(2 * math.pi * pitch * place / _RATE))
            for place in range(int(_RATE * _SYLLABLE))
        )
        for pitch in (180, 220)
    ]
    packed = [struct.pack(f"<{len(each)}h", *each) for each in syllable]
    return b"".join(packed[place % 2] for place in range(min(tokens, _SOUND_MAX)))
