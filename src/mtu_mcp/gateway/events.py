"""Server-sent events from bytes that may be cut anywhere.

Follows the event stream format of the HTML standard (CR, LF and CRLF; comments; a byte order mark at the start) and
forgives what gateways do to it: no blank line at the end, none between events, and errors written as a bare line of
JSON or, by older llama.cpp, behind a field `error` that the standard does not have. Bytes are only joined when a line ends, so a large event in small packets costs no more than its size.
"""

from typing import Final, NamedTuple

from mtu_mcp.errors import BadAnswer

EVENT_LIMIT: Final = 32 * 1024 * 1024
_BOM: Final = b"\xef\xbb\xbf"
_END: Final = b"[DONE]"


class Event(NamedTuple):
    """One event: its data, and its name when it has one."""

    data: str
    name: str = ""


class EventDecoder:
    """Turns packets into events.

    Args:
        limit: Bytes one event may have, so that a stream without line ends cannot fill the memory.
    """

    def __init__(self, limit: int = EVENT_LIMIT) -> None:
        self._limit = limit
        self._tail: list[bytes] = []
        self._data: list[bytes] = []
        self._size = 0  # bytes held in the tail
        self._data_size = 0
        self._name = b""
        self._began = False
        self._after_cr = False

    def feed(self, packet: bytes) -> list[Event]:
        """Take a packet and give the events it completes.

        Raises:
            BadAnswer: One event is larger than `limit`.
        """
        if self._after_cr and packet:
            self._after_cr = False
            packet = packet.removeprefix(b"\n")
        self._size += len(packet)
        if self._size + self._data_size > self._limit:
            raise BadAnswer(f"The gateway sent one piece of a stream larger than {self._limit:,} bytes.")
        if b"\n" not in packet and b"\r" not in packet:
            if packet:
                self._tail.append(packet)
            return []
        block = b"".join((*self._tail, packet)) if self._tail else packet
        self._after_cr = block.endswith(b"\r")
        lines = block.splitlines()
        self._tail = [] if block.endswith((b"\r", b"\n")) else [lines.pop()]
        events: list[Event] = []
        for line in lines:
            self._line(line, events)
        self._size = sum(map(len, self._tail))
        return events

    def close(self) -> list[Event]:
        """Give what is left when the stream ends without a blank line."""
        events: list[Event] = []
        if self._tail:
            self._line(b"".join(self._tail), events)
            self._tail = []
        self._dispatch(events)
        return events

    def _line(self, line: bytes, events: list[Event]) -> None:
        if not self._began:
            self._began = True
            line = line.removeprefix(_BOM)
        if not line:
            self._dispatch(events)
        elif line.startswith(b"data:"):
            self._add(line[5:].removeprefix(b" "), events)
        elif line.startswith(b"{"):  # no field of the standard begins so: an error object somebody wrote bare
            self._dispatch(events)
            self._add(line, events)
        elif line.startswith(b"error:"):
            self._dispatch(events)
            self._name = b"error"
            self._add(line[6:].strip(), events)
            self._dispatch(events)
        elif line.startswith(b"event:"):
            if self._data:  # the blank line before it is missing
                self._dispatch(events)
            self._name = line[6:].strip()

    def _add(self, value: bytes, events: list[Event]) -> None:
        """Add a data line, ending the event before it when that is already a whole one."""
        if self._data and (value.startswith(b"{") or value == _END) and _whole(self._data):
            self._dispatch(events)
        self._data.append(value)
        self._data_size += len(value)

    def _dispatch(self, events: list[Event]) -> None:
        if self._data:
            joined = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
            events.append(Event(joined.decode("utf-8", "replace"), self._name.decode("utf-8", "replace")))
            self._data = []
            self._data_size = 0
        self._name = b""


def decode(data: bytes) -> list[Event]:
    """All events of a body that is already here."""
    decoder = EventDecoder(limit=max(EVENT_LIMIT, len(data)))
    return decoder.feed(data) + decoder.close()


def _whole(lines: list[bytes]) -> bool:
    return len(lines) == 1 and lines[0].startswith(b"{") and lines[0].rstrip().endswith(b"}")
