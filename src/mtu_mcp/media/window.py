"""A bounded look into a file at any place.

Parsers of media files jump about and trust lengths found in the file. Here no look is larger than asked for, none
passes the end, and looks near each other cost one read; how many there may be is each parser's own limit.
"""

import os
from typing import BinaryIO, Final

_BLOCK: Final = 1 << 16


class Window:
    """Random access to a seekable stream.

    Attributes:
        size: Bytes in the stream.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.size = stream.seek(0, os.SEEK_END)
        self._start = 0
        self._block = b""

    def at(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset`; fewer at the end, none outside."""
        if offset < 0 or offset >= self.size or count <= 0:
            return b""
        count = min(count, self.size - offset)
        inner = offset - self._start
        if inner < 0 or inner + count > len(self._block):
            self._stream.seek(offset)
            self._start, self._block, inner = offset, self._stream.read(max(count, _BLOCK)), 0
        return self._block[inner : inner + count]

    def number(self, offset: int, count: int, *, little: bool = False) -> int:
        """An unsigned number of `count` bytes; 0 where the file ends too early."""
        raw = self.at(offset, count)
        return int.from_bytes(raw, "little" if little else "big") if len(raw) == count else 0
