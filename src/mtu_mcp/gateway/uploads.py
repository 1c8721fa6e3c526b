"""A file on its way out."""

import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Final

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
    """

    name: str
    mime: str
    path: Path | None = None
    data: bytes | None = None

    @property
    def safe_name(self) -> str:
        """The name as it goes into the form."""
        last = unicodedata.normalize("NFC", self.name).replace("\\", "/").rpartition("/")[2]
        kept = "".join("_" if c in '"<>|:*?;%' or not c.isprintable() else c for c in last).strip(" .")
        stem, dot, ending = kept.rpartition(".")
        return (
            f"{stem[: _NAME_LIMIT - len(ending[:10]) - 1]}{dot}{ending[:10]}" if stem else kept[:_NAME_LIMIT] or "file"
        )
