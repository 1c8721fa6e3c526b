"""How characters leave for the terminal, and come in from it: UTF-8, whatever the system would take by itself.

Python writes to a pipe in the locale's encoding: ASCII in a bare container, a code page on Windows. A path or an answer
with Chinese in it would end the program there, or arrive as question marks. Only a terminal that says it speaks another
encoding of Chinese is taken at its word, because it could not show UTF-8.
"""

from __future__ import annotations

import codecs
import io
from typing import Final, TextIO

CHINESE: Final = frozenset(("gbk", "gb18030", "gb2312", "big5", "big5hkscs", "cp950", "hz"))
"""Python's names of encodings that terminals set up for Chinese speak, besides UTF-8."""


def encoding_for(current: str, *, terminal: bool) -> str:
    """Return the encoding to write in.

    Args:
        current: The encoding that Python chose.
        terminal: Whether a terminal is at the other end.
    """
    try:
        known = codecs.lookup(current).name
    except LookupError:
        return "utf-8"
    return known if terminal and known in CHINESE else "utf-8"


def set_up(*streams: TextIO | None) -> None:
    """Let streams write any character; one that a terminal's encoding lacks becomes a question mark."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding=encoding_for(stream.encoding, terminal=stream.isatty()), errors="replace")


def decoded(data: bytes, system: str | None = None) -> str:
    """Read text from a file or a pipe: UTF-8 or UTF-16 by its mark, else UTF-8, else what the system writes.

    Args:
        data: The bytes.
        system: The system's encoding; the default is this one's.

    Raises:
        UnicodeDecodeError: It is text in none of them.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        import locale

        own = codecs.lookup(system or locale.getencoding()).name
        if own in CHINESE:
            return data.decode(own)
        raise
