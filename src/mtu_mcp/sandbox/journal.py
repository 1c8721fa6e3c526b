"""The journal: what was asked of the sandbox and how each call ended.

Tests prove a cancellation by it, so it must know that the *client* closed a connection. It is written by the loop of
the server and read by any thread: a condition guards it, and waiting is for events, never for time.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import anyio.to_thread

Ending = Literal["", "answered", "cut", "client closed"]
KEPT = 1000
"""Entries kept; the oldest are forgotten first."""


@dataclass(slots=True)
class Entry:
    """One call. `ended` is empty while it runs; a refusal is an answer, with its status.

    `asked` is the JSON body (or form) with long strings shortened; `notes` are what a route wants tests to see.
    """

    number: int
    request_id: str
    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    started: float = 0.0
    model: str = ""
    stream: bool = False
    fault: str = ""
    status: int = 0
    received: int = 0
    sent: int = 0
    ended: Ending = ""
    asked: Any = None
    notes: dict[str, Any] = field(default_factory=dict[str, Any])

    def as_json(self) -> dict[str, Any]:
        """The entry as GET /sandbox/journal gives it."""
        return asdict(self)


class Journal:
    """A bounded list of entries that can be awaited."""

    def __init__(self, kept: int = KEPT) -> None:
        self._entries: deque[Entry] = deque(maxlen=kept)
        self._changed = threading.Condition()
        self._count = 0

    def __iter__(self) -> Iterator[Entry]:
        with self._changed:
            return iter(list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def open(self, request_id: str, method: str, path: str, **known: Any) -> Entry:
        """Start an entry."""
        with self._changed:
            self._count += 1
            entry = Entry(self._count, request_id, method, path, **known)
            self._entries.append(entry)
            self._changed.notify_all()
        return entry

    def close(self, entry: Entry, ended: Ending) -> None:
        """Settle an entry; the first ending stands."""
        with self._changed:
            entry.ended = entry.ended or ended
            self._changed.notify_all()

    def touch(self) -> None:
        """Wake those who wait: an entry was altered."""
        with self._changed:
            self._changed.notify_all()

    def clear(self) -> None:
        """Forget everything."""
        with self._changed:
            self._entries.clear()

    def find(self, path: str = "", ended: str = "", model: str = "") -> list[Entry]:
        """Entries in order, by end of path, ending and model; an empty condition matches all."""
        return [
            entry
            for entry in self
            if entry.path.endswith(path) and ended in {"", entry.ended} and model in {"", entry.model}
        ]

    def wait(self, wanted: Callable[[Entry], bool], timeout: float = 10.0) -> Entry:
        """Block until an entry satisfies `wanted` and return it; TimeoutError after `timeout` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: any(wanted(entry) for entry in self._entries), timeout):
                msg = f"no such entry within {timeout} s; there are {[entry.as_json() for entry in self._entries]}"
                raise TimeoutError(msg)
            return next(entry for entry in self._entries if wanted(entry))

    async def awaited(self, wanted: Callable[[Entry], bool], timeout: float = 10.0) -> Entry:
        """`wait`, for callers on an event loop (also the sandbox's own)."""
        return await anyio.to_thread.run_sync(lambda: self.wait(wanted, timeout), abandon_on_cancel=True)
