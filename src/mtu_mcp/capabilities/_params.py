"""Parameters that several tools share, worded once so that the list of tools stays small."""

from typing import Annotated, Any

from pydantic import Field

ModelName = Annotated[str | None, Field(description="See list_models.")]
ConversationName = Annotated[
    str | None, Field(description="Name of one to start or continue; kept on disk.", max_length=100)
]
Options = Annotated[dict[str, Any] | None, Field(description="Further API fields.")]

RESERVED = frozenset({"model", "messages", "stream", "stream_options", "input", "prompt", "file", "image", "mask"})
"""Fields a tool sets itself; `options` may not replace them."""
