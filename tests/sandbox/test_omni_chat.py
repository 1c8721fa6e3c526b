"""Qwen-Omni on chat completions; rules, limits and formulas are those of Model Studio's Qwen-Omni pages."""

import base64
import io
import struct
import wave

import pytest

from mtu_mcp.sandbox.tokens import FLASH, TURBO, count_frames, count_image, count_sound, frames_sampled, price
from sandbox.asking import Chat, data_uri, png


def tone(seconds: float, rate: int = 8000) -> bytes:
    """A WAV file: silence, then a square wave in its second half."""
    held = io.BytesIO()
    half = int(seconds * rate / 2)
    with wave.open(held, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        loud = b"".join(struct.pack("<h", 9000 if place // 20 % 2 else -9000) for place in range(half))
        out.writeframes(bytes(half * 2) + loud)
    return held.getvalue()


def box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + name + body


def film(seconds: float, width: int, height: int, *, sound: bool) -> bytes:
    """The headers of an MP4 file."""
    heading = box(b"mvhd", bytes(12) + struct.pack(">II", 1000, int(seconds * 1000)) + bytes(80))

    def track(kind: bytes, size: tuple[int, int]) -> bytes:
        shape = box(b"tkhd", bytes(76) + struct.pack(">II", size[0] << 16, size[1] << 16))
        sizes = box(b"stsz", bytes(8) + struct.pack(">I", int(seconds * 25)))
        media = box(b"hdlr", bytes(8) + kind + bytes(12)) + box(b"minf", box(b"stbl", sizes))
        return box(b"trak", shape + box(b"mdia", media))

    tracks = track(b"vide", (width, height)) + (track(b"soun", (0, 0)) if sound else b"")
    return box(b"ftyp", b"isom" + bytes(8)) + box(b"moov", heading + tracks)


def image(data: bytes) -> dict:
    return {"type": "image_url", "image_url": {"url": data_uri(data, "image/png")}}


def audio(data: bytes) -> dict:
    return {"type": "input_audio", "input_audio": {"data": data_uri(data), "format": "wav"}}


def video(data: bytes) -> dict:
    return {"type": "video_url", "video_url": {"url": data_uri(data)}}


def frames(*data: bytes) -> dict:
    return {"type": "video", "video": [data_uri(each, "image/jpeg") for each in data]}


class Omni:
    """A question about media: the text and usage of the stream, or the refusal."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat

    def __call__(self, *parts: dict, model: str = "qwen-omni-turbo", **fields) -> dict:
        messages = [{"role": "user", "content": [*parts, {"type": "text", "text": "What is it?"}]}]
        fields = {"model": model, "stream_options": {"include_usage": True}} | fields
        chunks = self.chat.chunks(messages, **fields)
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
        text = "".join(delta.get("content") or "" for delta in deltas)
        return {"text": text, "usage": chunks[-1]["usage"], "deltas": deltas}

    def refusal(self, *parts: dict, model: str = "qwen-omni-turbo", **fields) -> str:
        messages = [{"role": "user", "content": [*parts, {"type": "text", "text": "What is it?"}]}]
        return self.chat.error(messages, model=model, **({"stream": True} | fields))["message"]


@pytest.fixture
def omni(chat):
    return Omni(chat)


@pytest.mark.parametrize(
    ("height", "width", "turbo", "flash"),
    [(1024, 1024, 1227, 1026), (640, 480, 393, 302), (3000, 4000, 1232, 1232), (100, 200, 30, 20)],
)
def test_image_tokens_follow_the_published_formula(height, width, turbo, flash):
    """Nearest multiples of the patch, scaled into 4 to 1280 patches, and two marks."""
    assert (count_image(height, width, TURBO), count_image(height, width, FLASH)) == (turbo, flash)


def test_a_tiny_image_is_scaled_up_to_four_patches():
    assert count_image(28, 28, TURBO) == 6


def test_video_tokens_follow_the_published_formula():
    """30 s of 720p: 60 frames, 15,812 tokens with either patch."""
    assert frames_sampled(30, 900, TURBO) == 60
    assert count_frames(720, 1280, 60, TURBO) == 15_812
    assert count_frames(720, 1280, 60, FLASH) == 15_812


def test_sound_shorter_than_a_second_counts_as_one():
    assert (count_sound(0.2, 25), count_sound(10, 25), count_sound(10, 12.5)) == (25, 250, 125)


def test_the_worked_example_of_the_price_table_holds():
    """1000 text and 1000 image tokens in, 1000 out: 0.0064 CNY; text alone has the cheaper line."""
    assert price({"text": 1000, "image": 1000}, 1000) == (0.0064, "media")
    assert price({"text": 1000}, 1000) == (0.002, "text")


def test_only_streams_are_answered(chat):
    error = chat.error(model="qwen-omni-turbo")
    assert error["message"] == (
        "This model only support stream mode, please enable the stream parameter to access the model."
    )


def test_usage_is_told_only_when_asked_for(chat):
    assert all(chunk["usage"] is None for chunk in chat.chunks(model="qwen-omni-turbo"))


def test_a_picture_is_measured_and_counted(omni):
    answer = omni(image(png(480, 640, "blue")))
    assert "480x640" in answer["text"]
    assert "blue" in answer["text"]
    assert answer["usage"]["prompt_tokens_details"]["image_tokens"] == 393


def test_several_pictures_are_one_modality(omni):
    answer = omni(image(png(64, 64)), image(png(64, 64, "green")), model="qwen3-omni-flash")
    assert "red" in answer["text"]
    assert "green" in answer["text"]


def test_a_sound_is_measured_where_it_sounds(omni):
    answer = omni(audio(tone(4)))
    assert "4.00 seconds" in answer["text"]
    assert "sound at 2.0" in answer["text"] or "sound at 1.9" in answer["text"]
    assert answer["usage"]["prompt_tokens_details"]["audio_tokens"] == 100


def test_a_video_with_sound_counts_both(omni):
    answer = omni(video(film(30, 1280, 720, sound=True)))
    assert "1280x720" in answer["text"]
    assert "with sound" in answer["text"]
    assert answer["usage"]["prompt_tokens_details"]["video_tokens"] == 15_812
    assert answer["usage"]["prompt_tokens_details"]["audio_tokens"] == 750


def test_frames_are_counted_and_their_colours_told(omni):
    answer = omni(frames(*[png(64, 64, shade) for shade in ("red", "red", "blue", "green")]))
    assert "4 frames" in answer["text"]
    assert "red, then blue, then green" in answer["text"]


@pytest.mark.parametrize(
    ("parts", "fields", "message"),
    [
        ([image(png(64, 64)), audio(tone(1))], {}, "Only one non-text modality"),
        ([audio(tone(1)), audio(tone(1))], {}, "Only one input_audio"),
        ([audio(tone(182, 100))], {}, "at most 180 s"),
        ([video(film(41, 64, 64, sound=False))], {}, "at most 40 s"),
        ([frames(*[png(64, 64)] * 3)], {}, "[4, 80]"),
        ([frames(*[png(64, 64)])], {"model": "qwen3-omni-flash"}, "[2, 128]"),
        ([image(png(8, 8))], {}, "do not meet the model restrictions"),
        ([image(png(11, 2300))], {}, "ratio at most 200:1"),
        ([image(b"not a picture")], {}, "cannot be opened"),
        ([audio(b"")], {}, "The audio is empty"),
        (
            [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}],
            {},
            "does not appear to be valid",
        ),
        ([{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}], {}, "Failed to download"),
        ([{"type": "image_url", "image_url": {"url": "ftp://example.com/a.png"}}], {}, "does not appear to be valid"),
        ([image(bytes(8 * 1024 * 1024))], {}, "Exceeded limit on max bytes per data-uri item : 10485760"),
        ([], {"modalities": ["audio"]}, "modalities"),
        ([], {"modalities": ["text", "audio"]}, "'audio' is required"),
        ([], {"modalities": ["text", "audio"], "audio": {"voice": "Cherry", "format": "mp3"}}, "'wav'"),
        ([], {"modalities": ["text", "audio"], "audio": {"voice": "Nobody", "format": "wav"}}, "Cherry"),
        ([], {"max_tokens": 4096}, "[1, 2048]"),
        ([], {"enable_thinking": True}, "restricted to False"),
    ],
)
def test_what_omni_does_not_take_is_refused(omni, parts, fields, message):
    assert message in omni.refusal(*parts, **fields)


def test_spoken_text_of_turbo_comes_as_a_transcript(omni):
    """qwen-omni-turbo writes `delta.audio.transcript`; the sound is bare PCM, base64 in slices without inner padding."""
    speaks = {"modalities": ["text", "audio"], "audio": {"voice": "Cherry", "format": "wav"}}
    answer = omni(**speaks)
    heard = [delta["audio"] for delta in answer["deltas"] if "audio" in delta]
    assert "".join(part.get("transcript", "") for part in heard).endswith("[embedded gateway]")
    assert answer["text"] == ""
    slices = [part["data"] for part in heard if "data" in part]
    assert not any("=" in each for each in slices[:-1])
    assert len(base64.b64decode(slices[0])) % 2 == 1
    assert base64.b64decode("".join(slices)) == b"".join(base64.b64decode(each) for each in slices)
    assert answer["usage"]["completion_tokens_details"]["audio_tokens"] > 0


def test_spoken_text_of_flash_comes_as_content(omni):
    speaks = {"modalities": ["text", "audio"], "audio": {"voice": "Cherry", "format": "wav"}}
    assert omni(model="qwen3-omni-flash", **speaks)["text"]


def test_the_seed_contract_allows_text_alone(speaking):
    """The first published contract had `modalities: ["text"]` only; `omni_audio=False` holds to it."""
    refused = Omni(Chat(speaking(omni_audio=False))).refusal(modalities=["text", "audio"])
    assert '["text"]' in refused


def test_the_price_line_is_told_in_a_header_and_in_the_journal(sandbox, chat, red_square):
    parts = [{"type": "image_url", "image_url": {"url": red_square}}]
    answer = chat([{"role": "user", "content": parts}], model="qwen-omni-turbo", stream=True)
    assert answer.headers["x-mtu-sandbox-price"].endswith("output=media")
    assert sandbox.journal.find(model="qwen-omni-turbo")[-1].notes["price_line"] == "media"


def test_media_of_earlier_turns_are_billed_again(omni, chat, red_square):
    parts = [{"type": "image_url", "image_url": {"url": red_square}}, {"type": "text", "text": "Look."}]
    messages = [
        {"role": "user", "content": parts},
        {"role": "assistant", "content": "I see."},
        {"role": "user", "content": "My name is Ada."},
    ]
    chunks = chat.chunks(messages, model="qwen-omni-turbo", stream_options={"include_usage": True})
    assert chunks[-1]["usage"]["prompt_tokens_details"]["image_tokens"] > 0
