"""Something to send. It is not the bytes but where they are: a recording of 200 MB is sent from disk, never held."""

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from mtu_mcp.errors import BadInput, LimitExceeded
from mtu_mcp.media import names
from mtu_mcp.media.kinds import Kind
from mtu_mcp.media.opening import open_inside


@dataclass(slots=True)
class Media:
    """In a file, in memory, or at an address that the gateway fetches itself.

    Attributes:
        name: A file name fit to send, never a path.
        kind: What the bytes are; for an address what its name claims, often unknown.
        size: Bytes; None for an address.
        path: The real path of a file.
        url: The address, when nothing was downloaded.
        data: The bytes, when they are in memory.
        opener: Opens the file with the checks of its workspace.
    """

    name: str
    kind: Kind
    size: int | None = None
    path: Path | None = None
    url: str = ""
    data: bytes | None = field(default=None, repr=False)
    opener: Callable[[], BinaryIO] | None = field(default=None, repr=False, compare=False)

    def open(self) -> BinaryIO:
        """Open the bytes for reading; close it after use. Blocking.

        Raises:
            BadInput: There are no bytes here, only an address.
            PathNotAllowed: The file changed since it was checked.
            NotFound: The file is gone.
        """
        if self.data is not None:
            return io.BytesIO(self.data)
        if self.opener is not None:
            return self.opener()
        if self.path is None:
            raise BadInput(f"{names.quote(self.name)} is an address that was not downloaded.")
        return open_inside(str(self.path.parent), self.path.name)

    def read(self) -> bytes:
        """All bytes; a file that grew since it was checked is refused, not read on. Blocking.

        Raises:
            LimitExceeded: The file is larger than it was.
        """
        if self.data is not None:
            return self.data
        with self.open() as stream:
            if self.size is None:
                return stream.read()
            data = stream.read(self.size + 1)
        if len(data) > self.size:
            raise LimitExceeded(
                f"{names.quote(self.name)} grew beyond {self.size:,} bytes while it was read.", advice="Try it again."
            )
        return data

    def data_uri(self, *, mime: bool = True) -> str:
        """The bytes as a base64 data: URI, without its media type where the receiver wants none. Blocking."""
        from base64 import b64encode

        return f"data:{self.kind.mime if mime else ''};base64,{b64encode(self.read()).decode('ascii')}"
