"""Parameters that several tools share, worded once so that the list of tools stays small."""

from typing import Annotated, Any

from pydantic import Field


class Names:
    """What a parameter names, beside its type; told apart by the tests that try every parameter of a kind."""

    def __init__(self, what: str) -> None:
        self.what = what


FileName = Annotated[str, Names("file")]
"""A path, URL, data URI, mtu://media/ link or `latest`: whoever takes one opens it with `media.open_reference`."""

ModelName = Annotated[str | None, Field(description="See list_models.")]
ConversationName = Annotated[
    str | None, Field(description="Name of one to start or continue; kept on disk.", max_length=100)
]
Options = Annotated[dict[str, Any] | None, Field(description="Further API fields.")]

RESERVED = frozenset({"model", "messages", "stream", "stream_options", "input", "prompt", "file", "image", "mask"})
"""Fields a tool sets itself; `options` may not replace them."""
