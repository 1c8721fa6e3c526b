"""The words for what a model can do: those of the settings' `model_*` and of `models.json`."""

from typing import Final, Literal, get_args

Capability = Literal[
    "chat",
    "omni",
    "image",
    "transcribe",
    "search",
    "research",
    "qwen_search",
    "gemini_search",
    "vision",
    "image_edit",
    "image_vary",
    "timestamps",
    "diarize",
    "translate_audio",
    "speech",
    "translate",
    "embed",
    "moderate",
    "code",
    "fill_in",
    "math",
    "reasoning",
    "document",
    "audio_chat",
    "caption_audio",
    "complete",
    "rerank",
    "realtime",
]
CAPABILITIES: Final[tuple[str, ...]] = get_args(Capability)
ABILITIES: Final = ("vision", "code", "math", "reasoning")
"""Those that are aliases too; their lists are the preference lists."""
