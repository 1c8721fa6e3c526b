"""Parameters that several tools share, worded once so that the list of tools stays small."""

from typing import Annotated, Any

from pydantic import Field

ModelName = Annotated[str | None, Field(description="Model; the default suits most. See list_models.")]
ConversationName = Annotated[
    str | None, Field(description="Name of a conversation to start or continue; kept across restarts.", max_length=100)
]
Options = Annotated[dict[str, Any] | None, Field(description="Further request fields, as the API names them.")]

RESERVED = frozenset({"model", "messages", "stream", "stream_options", "input", "prompt", "file", "image", "mask"})
"""Fields a tool sets itself; `options` may not replace them."""
