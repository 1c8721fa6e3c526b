"""Parameters that several tools share, worded once so that the list of tools stays small."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

from pydantic import Field

if TYPE_CHECKING:
    from mtu_mcp.media import Family


class File:
    """Beside a parameter's type: its text names a file, and of which families.

    The text is a path, URL, data URI, mtu://media/ link or `latest`: whoever takes one opens it with
    `media.open_reference`. Tests find these parameters by it and try every one.
    """

    def __init__(self, *families: Family) -> None:
        self.families = families


class FileSlot(NamedTuple):
    """What a parameter for files takes: families of `media.kinds`, and whether it is a list."""

    families: tuple[Family, ...]
    several: bool


PictureName = Annotated[str, File("image")]
DocumentName = Annotated[str, File("document")]

ModelName = Annotated[str | None, Field(description="See list_models.")]
ConversationName = Annotated[
    str | None, Field(description="Name of one to start or continue; kept on disk.", max_length=100)
]
Options = Annotated[dict[str, Any] | None, Field(description="Further API fields.")]

RESERVED = frozenset({"model", "messages", "stream", "stream_options", "input", "prompt", "file", "image", "mask"})
"""Fields a tool sets itself; `options` may not replace them."""


@cache
def files_of(tool: Callable[..., Any]) -> Mapping[str, FileSlot]:
    """The parameters of a tool that name files, and what each takes."""
    found = {name: next(_slots(hint), None) for name, hint in get_type_hints(tool, include_extras=True).items()}
    return {name: slot for name, slot in found.items() if slot}


def _slots(hint: Any, several: bool = False) -> Iterator[FileSlot]:
    several = several or get_origin(hint) is list
    for inner in get_args(hint):
        if isinstance(inner, File):
            yield FileSlot(inner.families, several)
        else:
            yield from _slots(inner, several)
