"""From bytes on a pipe to messages, and what is answered to a line that is none.

The SDK drops such lines in silence. JSON-RPC wants them answered, and a host that sent a request with a slip in it
would otherwise wait for ever.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, cast

from mcp.types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    jsonrpc_message_adapter,
)

LONGEST_LINE: Final = 64 << 20
"""Bytes of one message; a longer one is skipped and answered with an error."""


class Splitter:
    """Cuts a stream of chunks into lines, holding no more than the line that is still coming in.

    Args:
        longest: Bytes after which a line is dropped as it passes.
    """

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self._longest = longest
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes | None]:
        """Return the lines that are now complete; None stands for one that was too long."""
        head, *others = chunk.split(b"\n")
        self._keep(head)
        lines: list[bytes | None] = []
        for part in others:
            lines.append(self._take())
            self._keep(part)
        return lines

    def rest(self) -> list[bytes | None]:
        """Return what came after the last newline, now that nothing more will come."""
        return [self._take()] if self._size else []

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._longest:
            self._parts.clear()
        elif part:
            self._parts.append(part)

    def _take(self) -> bytes | None:
        line = None if self._size > self._longest else b"".join(self._parts)
        self._parts, self._size = [], 0
        return line


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to a line that is no message."""

    answer: JSONRPCError

    @classmethod
    def of(cls, code: int, message: str, request_id: str | int | None = None) -> Refusal:
        """Return the error with this code and sentence."""
        return cls(JSONRPCError(jsonrpc="2.0", id=request_id, error=ErrorData(code=code, message=message)))


def read_line(line: bytes | None) -> JSONRPCMessage | Refusal | None:
    """Return the message of a line, or the error to answer it with; None for a line that asks for no answer.

    Args:
        line: Without its newline; None for one that was too long.
    """
    if line is None:
        return Refusal.of(INVALID_REQUEST, f"The message is longer than {LONGEST_LINE:,} bytes.")
    text = line.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").strip()
    if not text:
        return None
    try:
        message = jsonrpc_message_adapter.validate_json(text, by_name=False)
    except ValueError:
        return _refusal(text)
    if isinstance(message, JSONRPCNotification) and '"id"' in text and "id" in json.loads(text):
        return _refusal(text)  # a request whose id is null, true or 1.5: the SDK would take it for a notification
    return message


def _refusal(text: str) -> Refusal | None:
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return Refusal.of(PARSE_ERROR, "The line is not JSON. Messages are JSON-RPC 2.0, one a line, in UTF-8.")
    if isinstance(value, list):
        return Refusal.of(INVALID_REQUEST, "Batches are not supported: send one message a line.")
    if not isinstance(value, dict):
        return Refusal.of(INVALID_REQUEST, "The line is not a JSON-RPC 2.0 message.")
    message = cast("dict[str, Any]", value)
    if "method" not in message and ("result" in message or "error" in message):
        return None  # a broken answer: nobody waits for an answer to it
    given = message.get("id")
    readable = isinstance(given, (str, int)) and not isinstance(given, bool)
    return Refusal.of(INVALID_REQUEST, "This is not a JSON-RPC 2.0 request.", given if readable else None)
