"""A file on its way out."""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

_NAME_LIMIT: Final = 120


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to send: from a path, read while it is sent, or from memory.

    Attributes:
        name: What the gateway is told; cleaned of paths, quotes and control characters. Its ending matters: some
            gateways go by it rather than by `mime`.
        mime: Media type, "application/octet-stream" when empty.
        path: The file; the caller has checked that it may be read.
        data: The bytes, when there is no path.
        opener: Opens the file with the caller's own checks, at every attempt; goes before `path`.
    """

    name: str
    mime: str
    path: Path | None = None
    data: bytes | None = None
    opener: Callable[[], BinaryIO] | None = None

    @property
    def on_disk(self) -> bool:
        """Whether the bytes are read while they are sent."""
        return self.opener is not None or self.path is not None

    def open(self) -> BinaryIO:
        """Open the file for reading. Blocking.

        Raises:
            OSError: It cannot be opened.
        """
        return self.opener() if self.opener is not None else (self.path or Path()).open("rb")

    @property
    def safe_name(self) -> str:
        """The name as it goes into the form."""
        last = unicodedata.normalize("NFC", self.name).replace("\\", "/").rpartition("/")[2]
        kept = "".join("_" if c in '"<>|:*?;%' or not c.isprintable() else c for c in last).strip(" .")
        stem, dot, ending = kept.rpartition(".")
        return (
            f"{stem[: _NAME_LIMIT - len(ending[:10]) - 1]}{dot}{ending[:10]}" if stem else kept[:_NAME_LIMIT] or "file"
        )
