"""What Qwen-Omni accepts, by generation: the limits of Model Studio's Qwen-Omni pages, and the refusals they lead to."""

from dataclasses import dataclass
from typing import Any

from mtu_mcp.sandbox.chat_rules import parameter_error
from mtu_mcp.sandbox.roster import Model
from mtu_mcp.sandbox.tokens import FLASH, LATER, TURBO, Rates

Body = dict[str, Any]
_MB = 1_048_576


@dataclass(frozen=True, slots=True)
class Generation:
    """Limits of one generation: bytes, seconds, tokens. `mixes` lifts the rule of one modality a message."""

    rates: Rates
    image_bytes: int
    audio_bytes: int
    audio_seconds: float
    video_bytes: int
    video_seconds: float
    max_input: int
    voices: frozenset[str]
    speaks: str = "content"
    mixes: bool = False


_OLD_VOICES = frozenset({"Cherry", "Serena", "Ethan", "Chelsie"})
_NEW_VOICES = frozenset({"Nofish", "Jennifer", "Ryan", "Katerina", "Elias", "Jada", "Dylan", "Sunny", "Li", "Marcus"})
_MORE_VOICES = frozenset({"Roy", "Peter", "Rocky", "Kiki", "Eric"})
OLD = Generation(TURBO, 10 * _MB, 10 * _MB, 180, 150 * _MB, 40, 30_720, _OLD_VOICES, "transcript")
NEW = Generation(
    FLASH,
    10 * _MB,
    100 * _MB,
    1200,
    256 * _MB,
    150,
    49_152,
    _OLD_VOICES - {"Serena", "Chelsie"} | _NEW_VOICES | _MORE_VOICES,
)
NEWEST = Generation(
    LATER, 20 * _MB, 2048 * _MB, 10_800, 2048 * _MB, 3600, 229_376, _OLD_VOICES | _NEW_VOICES | {"Tina"}, mixes=True
)


def generation_of(model: Model) -> Generation:
    """The generation of a model."""
    if model.id.startswith(("qwen-omni", "qwen2.5-omni")):
        return OLD
    return NEW if model.id.startswith("qwen3-omni") else NEWEST


def check_omni(body: Body, generation: Generation, *, audio_output: bool) -> None:
    """Every rule about the request as a whole."""
    speaks = _check_modalities(body, generation, audio_output=audio_output)
    if body.get("enable_thinking") and speaks:
        raise parameter_error("'audio' output is not supported when enable_thinking is true.")
    if body.get("n", 1) != 1:
        raise parameter_error("Range of n should be [1, 1]")
    if body.get("tools") and generation is OLD:
        raise parameter_error("This model does not support tools.")
    if body.get("response_format", {}).get("type", "text") != "text":
        raise parameter_error("'response_format' is not supported by this model.")
    roles = {message["role"] for message in body["messages"]}
    if generation is OLD and speaks and roles & {"system", "developer"}:
        raise parameter_error("A system message is not supported with audio output.")
    for place, message in enumerate(body["messages"]):
        _check_parts(message, f"messages[{place}]", generation)


def _check_modalities(body: Body, generation: Generation, *, audio_output: bool) -> bool:
    wanted: list[str] = body.get("modalities", ["text"])
    if sorted(wanted) not in ([["text"], ["audio", "text"]] if audio_output else [["text"]]):
        allowed = '["text"] or ["text","audio"]' if audio_output else '["text"]'
        raise parameter_error(f"'modalities' should be {allowed}.", "modalities")
    if "audio" not in wanted:
        return False
    audio: Body | None = body.get("audio")
    if audio is None:
        raise parameter_error("'audio' is required when 'modalities' has 'audio'.", "audio")
    if audio.get("format") != "wav":
        raise parameter_error("'audio.format' should be 'wav'.", "audio.format")
    if audio.get("voice") not in generation.voices:
        names = ", ".join(sorted(generation.voices))
        raise parameter_error(f"Invalid voice at parameters.audio.voice: allowed values are {names}.", "audio.voice")
    return True


_KIND = {"image_url": "image", "input_audio": "audio", "video_url": "video", "video": "video"}


def _check_parts(message: Body, path: str, generation: Generation) -> None:
    parts: list[Body] = message["content"] if isinstance(message.get("content"), list) else []
    used = [part["type"] for part in parts if part["type"] in _KIND]
    if "file" in [part["type"] for part in parts]:
        raise parameter_error(f"Invalid content type 'file' at {path}.content.", f"{path}.content")
    if generation.mixes:
        return
    if len(set(used)) > 1:
        raise parameter_error(
            f"Only one non-text modality is allowed in {path}: found {', '.join(sorted(set(used)))}.", path
        )
    if len(used) > 1 and used[0] != "image_url":
        raise parameter_error(f"Only one {used[0]} is allowed in {path}.", path)


def check_bytes(data: bytes, most: int) -> None:
    """A file within the generation's bound."""
    if len(data) > most:
        raise parameter_error(f"Multimodal file size is too large: {len(data)} bytes, at most {most}")


def check_seconds(kind: str, seconds: float, most: float) -> None:
    """A sound or video within the generation's bound."""
    if seconds > most:
        raise parameter_error(f"The {kind} is too long: {seconds:.1f} s, at most {most:g} s")


def check_frames(count: int, rates: Rates) -> None:
    """A list of frames within the generation's bounds."""
    if not rates.frames_low <= count <= rates.frames_high:
        msg = f"The number of video frames should be in [{rates.frames_low}, {rates.frames_high}], but got {count}"
        raise parameter_error(msg, "video")
