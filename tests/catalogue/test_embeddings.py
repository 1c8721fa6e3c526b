"""What is known of embedding and moderation models: limits that a call is split by, and who judges text alone."""

import pytest

from mtu_mcp.catalogue.facts import shipped
from mtu_mcp.settings import Settings


@pytest.mark.parametrize(
    ("model", "batch", "sizes", "largest"),
    [
        ("text-embedding-3-small", 2048, (), 1536),
        ("openai/text-embedding-3-large", 2048, (), 3072),
        ("text-embedding-ada-002", 2048, (1536,), None),
        ("text-embedding-v4", 10, (2048, 1536, 1024, 768, 512, 256, 128, 64), None),
        ("text-embedding-v3", 10, (1024, 768, 512, 256, 128, 64), None),
        ("text-embedding-v2", 25, (1536,), None),
    ],
)
def test_limits_are_those_their_makers_document(
    model: str, batch: int, sizes: tuple[int, ...], largest: int | None
) -> None:
    """OpenAI API reference, create embeddings; Model Studio, text embedding."""
    limits = shipped().entry(model).embeddings
    assert limits is not None
    assert (limits.batch, limits.sizes, limits.largest) == (batch, sizes, largest)


@pytest.mark.parametrize("model", ["qwen3-embedding-8b", "jina-embeddings-v3", "gemini-embedding-001", "bge-m3"])
def test_nothing_is_claimed_of_models_whose_limits_are_not_known(model: str) -> None:
    """Our promise: unknown is better than guessed."""
    entry = shipped().entry(model)
    assert entry.can("embed")
    assert entry.embeddings is None


def test_text_models_of_moderation_are_marked() -> None:
    """OpenAI API reference, create moderation: images are for the omni models."""
    assert "no_pictures" in shipped().entry("text-moderation-007").traits
    assert "no_pictures" not in shipped().entry("omni-moderation-2024-09-26").traits


def test_the_defaults_can_be_set() -> None:
    """Our promise: MTU_MODEL_EMBED and MTU_MODEL_MODERATE."""
    read = Settings.read({"MTU_MODEL_EMBED": "bge-m3", "MTU_MODEL_MODERATE": "house-guard"})
    assert (read.model_embed, read.model_moderate) == ("bge-m3", "house-guard")
