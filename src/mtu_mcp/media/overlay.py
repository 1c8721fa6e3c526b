"""A file seen with some stretches of it overwritten, none of which is written anywhere.

A film of 200 MB is sent from the disk as it is read; what must not leave is replaced on the way, in place, so that
no position in the file moves and nothing is copied first.
"""

import io
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO, cast


@dataclass(frozen=True, slots=True, order=True)
class Patch:
    """Bytes `start` to `end` of a file become `head`, then `fill` as often as it takes."""

    start: int
    end: int
    head: bytes = b""
    fill: int = 0

    def cut(self, start: int, end: int) -> bytes:
        """What stands at `start` to `end` of the file, both within the patch."""
        head = self.head[start - self.start : end - self.start]
        return head + bytes([self.fill]) * (end - start - len(head))


def overlaid(stream: BinaryIO, patches: Iterable[Patch]) -> BinaryIO:
    """The stream with the patches applied; closing it closes the stream.

    Args:
        stream: Seekable.
        patches: In any order; of two that overlap, the one that starts first counts, the other from its end on.
    """
    settled = _settled(patches)
    if not settled:
        return stream
    return cast("BinaryIO", io.BufferedReader(_Overlay(stream, settled), 1 << 16))


def _settled(patches: Iterable[Patch]) -> list[Patch]:
    found: list[Patch] = []
    at = 0
    for patch in sorted(patches):
        if patch.start < at:
            patch = Patch(at, patch.end, fill=patch.fill)
        if patch.start < patch.end:
            found.append(patch)
            at = patch.end
    return found


class _Overlay(io.RawIOBase):
    def __init__(self, stream: BinaryIO, patches: list[Patch]) -> None:
        self._stream = stream
        self._patches = patches
        self._starts = [patch.start for patch in patches]
        stream.seek(0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def readinto(self, buffer: "bytearray | memoryview", /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride] -- the stub's Buffer has no length
        at = self._stream.tell()
        data = bytearray(self._stream.read(len(buffer)))
        end = at + len(data)
        index = max(0, bisect_right(self._starts, at) - 1)
        while index < len(self._patches) and self._patches[index].start < end:
            patch = self._patches[index]
            first, last = max(at, patch.start), min(end, patch.end)
            if first < last:
                data[first - at : last - at] = patch.cut(first, last)
            index += 1
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()
