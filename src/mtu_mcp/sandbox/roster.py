"""The models this sandbox pretends to offer: names, owners, what each may be asked, and its sizes.

Names and sizes are those of the published documents of their makers; nothing behind them is a model.
`later` marks names the makers have retired since: they stay because resellers still list them.
"""

from dataclasses import dataclass
from typing import Any

_CREATED = 1_754_438_400
"""2025-08-06, one date for all: the true ones are not published for every name."""


@dataclass(frozen=True, slots=True)
class Model:
    """One name on the list. `family` decides which further fields its requests may carry; `traits` are its own rules.

    Sizes are in tokens. Traits: "thinks" (may be asked to), "always-thinks", "stream-only", "searches" (chat with
    web_search_options), "no-temperature" (reasoning models of OpenAI), "open" (open weights), "paints" (a picture in
    the text), "documents" (reads files and long texts), "hears" (sound in a chat).
    """

    id: str
    owner: str
    family: str
    kinds: frozenset[str]
    context: int = 128_000
    output: int = 16_384
    traits: frozenset[str] = frozenset()

    def as_json(self) -> dict[str, Any]:
        """The object of GET /models."""
        return {"id": self.id, "object": "model", "created": _CREATED, "owned_by": self.owner}


def _models(names: str, owner: str, family: str, kinds: str, sizes: tuple[int, int], traits: str = "") -> list[Model]:
    return [
        Model(name, owner, family, frozenset(kinds.split()), *sizes, frozenset(traits.split()))
        for name in names.split()
    ]


KNOWN: tuple[Model, ...] = (
    *_models("gpt-4o gpt-4o-mini", "openai", "openai", "chat responses", (128_000, 16_384)),
    *_models("gpt-4.1 gpt-4.1-mini", "openai", "openai", "chat responses", (1_047_576, 32_768)),
    *_models("gpt-5 gpt-5-mini gpt-5.1", "openai", "openai", "chat responses", (400_000, 128_000), "no-temperature"),
    *_models(
        "gpt-5-codex gpt-5-pro gpt-5.1-codex", "openai", "openai", "responses", (400_000, 128_000), "no-temperature"
    ),
    *_models("o3", "openai", "openai", "chat responses", (200_000, 100_000), "no-temperature"),
    *_models(
        "gpt-4o-search-preview gpt-4o-mini-search-preview gpt-5-search-api",
        "openai",
        "openai",
        "chat",
        (128_000, 16_384),
        "searches",
    ),
    *_models("gpt-image-1 gpt-image-1-mini gpt-image-1.5", "openai", "openai", "image edit", (0, 0)),
    *_models("dall-e-2", "openai", "openai", "image edit variation", (0, 0)),
    *_models("dall-e-3", "openai", "openai", "image", (0, 0)),
    *_models("qwen-image qwen-image-plus", "alibaba", "qwen", "image", (0, 0)),
    *_models("qwen-image-edit", "alibaba", "qwen", "edit", (0, 0)),
    *_models("whisper-1", "openai", "openai", "transcribe translate", (0, 0)),
    *_models("gpt-4o-transcribe gpt-4o-mini-transcribe", "openai", "openai", "transcribe", (16_000, 2_000)),
    *_models("gpt-4o-transcribe-diarize", "openai", "openai", "transcribe", (16_000, 2_000)),
    *_models("gpt-4o-mini-tts tts-1 tts-1-hd", "openai", "openai", "speech", (0, 0)),
    *_models("qwen-plus qwen-turbo qwen-flash", "alibaba", "qwen", "chat", (131_072, 16_384), "thinks json-schema"),
    *_models("qwen-max", "alibaba", "qwen", "chat", (32_768, 8_192)),
    *_models("qwen3-max", "alibaba", "qwen", "chat", (262_144, 65_536)),
    *_models("qwen-math-plus qwen-math-turbo", "alibaba", "qwen", "chat", (3_072, 3_072)),
    *_models("qwen3-32b qwen3-235b-a22b", "alibaba", "qwen", "chat", (131_072, 16_384), "thinks thinks-unasked open"),
    *_models("qwq-plus qwq-32b", "alibaba", "qwen", "chat", (131_072, 8_192), "always-thinks stream-only open"),
    *_models("qwen-long qwen-long-latest", "alibaba", "qwen", "chat", (10_000_000, 8_192), "documents"),
    *_models("deepseek-chat", "deepseek", "deepseek", "chat", (131_072, 8_192)),
    *_models("deepseek-reasoner", "deepseek", "deepseek", "chat", (131_072, 65_536), "always-thinks"),
    *_models("gemini-2.5-flash gemini-3-pro-preview", "google", "openai", "chat", (1_048_576, 65_536)),
    *_models("gemini-2.5-flash-image", "google", "openai", "chat", (32_768, 32_768), "paints"),
    *_models(
        "qwen-omni-turbo qwen-omni-turbo-latest qwen-omni-turbo-2025-03-26 qwen-omni-turbo-2025-01-19 qwen2.5-omni-7b",
        "alibaba",
        "omni",
        "chat omni",
        (32_768, 2_048),
        "stream-only",
    ),
    *_models(
        "qwen3-omni-flash qwen3-omni-flash-2025-09-15 qwen3-omni-flash-2025-12-01",
        "alibaba",
        "omni",
        "chat omni",
        (65_536, 16_384),
        "stream-only thinks",
    ),
    *_models("qwen3.5-omni-plus qwen3.5-omni-flash", "alibaba", "omni", "chat omni", (262_144, 65_536), "stream-only"),
    *_models("qwen-mt-plus qwen-mt-flash qwen-mt-lite qwen-mt-turbo", "alibaba", "mt", "chat", (16_384, 8_192)),
    *_models("qwen-coder-turbo qwen2.5-coder-32b-instruct", "alibaba", "qwen", "chat fill", (131_072, 8_192)),
    *_models("qwen3-coder-plus qwen3-coder-flash", "alibaba", "qwen", "chat", (1_000_000, 65_536)),
    *_models("gpt-3.5-turbo-instruct davinci-002 babbage-002", "openai", "openai", "complete", (4_096, 4_096)),
    *_models("jina-deepsearch-v1", "jina", "jina", "chat deepsearch", (1_000_000, 16_384)),
    *_models(
        "text-embedding-3-small text-embedding-3-large text-embedding-ada-002", "openai", "openai", "embed", (8_192, 0)
    ),
    *_models("text-embedding-v1 text-embedding-v2", "alibaba", "qwen", "embed", (2_048, 0)),
    *_models("text-embedding-v3 text-embedding-v4", "alibaba", "qwen", "embed", (8_192, 0)),
    *_models("acme/embed", "acme", "openai", "embed", (2_048, 0)),
    *_models("omni-moderation-latest omni-moderation-2024-09-26", "openai", "openai", "moderate", (0, 0)),
    *_models("text-moderation-latest text-moderation-stable", "openai", "openai", "moderate", (0, 0)),
    *_models("gpt-audio", "openai", "openai", "chat", (128_000, 16_384), "hears"),
    *_models("mistral-large-3", "mistralai", "openai", "chat", (262_144, 16_384)),
    *_models("acme/tiny:free", "acme", "openai", "chat", (8_192, 2_048)),
)
ALIASES = {
    "qwen-omni-turbo-0326": "qwen-omni-turbo-2025-03-26",
    "qwen-omni-turbo-0119": "qwen-omni-turbo-2025-01-19",
    "qwen-plus-latest": "qwen-plus",
    "gpt-4o-2024-08-06": "gpt-4o",
    "gpt-4o-mini-2024-07-18": "gpt-4o-mini",
    "gpt-4.1-2025-04-14": "gpt-4.1",
    "gpt-4.1-mini-2025-04-14": "gpt-4.1-mini",
}
"""Names that are accepted but not listed."""


class Roster:
    """The models offered by one sandbox; `names` empty means all."""

    def __init__(self, names: tuple[str, ...] = ()) -> None:
        wanted = set(names)
        offered = {model.id: model for model in KNOWN if not wanted or model.id in wanted}
        for name in names:  # a name nobody knows is a plain chat model, so that tests can invent lists
            offered.setdefault(name, Model(name, "custom", "openai", frozenset({"chat", "responses"})))
        self._offered = offered

    def find(self, name: str) -> Model | None:
        """The model of that name or alias."""
        return self._offered.get(ALIASES.get(name, name))

    def all(self) -> list[Model]:
        """Every model listed, in order."""
        return list(self._offered.values())

    def add(self, model: Model) -> None:
        """Offer one more: a model somebody tuned."""
        self._offered[model.id] = model

    def remove(self, name: str) -> None:
        """Offer it no longer."""
        self._offered.pop(name, None)
