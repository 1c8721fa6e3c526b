"""Faults on request: the ways in which gateways misbehave, played at the edge so that every route has them.

A fault is asked for by the header `x-sandbox-fault`, by the query `?fault=`, or armed beforehand for the next calls of a
path (`POST /sandbox/faults`, or `sandbox.arm(...)` in process), since an MCP server's caller cannot set headers.
Its text is `name` or `name:number`; the number is what the table says: seconds, events sent before it strikes, a status.
"""

import threading
from dataclasses import dataclass
from typing import Any

from mtu_mcp.sandbox.refusals import Invalid

FAULTS: dict[str, tuple[str, float]] = {
    # Answered instead of the route.
    "rate-limit": ("429 with Retry-After of N seconds", 1),
    "500": ("HTTP 500 with the dialect's error object", 0),
    "503": ("HTTP 503 with Retry-After of N seconds", 1),
    "502-html": ("HTTP 502 with an HTML page", 0),
    "status": ("HTTP status N with an error object", 418),
    "not-offered": ("501 as gateways answer what they lack", 0),
    "filtered": ("400 from a content filter", 0),
    "redirect": ("307 to another host", 0),
    # The route's own answer, spoilt on its way out.
    "cut": ("broken off after N events, or half-way through a plain body", 3),
    "stall": ("silent but open after N events, or before a plain body, until released", 3),
    "error-in-stream": ('data:{"error":…} after N events, under HTTP 200', 3),
    "garbled": ("one unreadable event after N events", 2),
    "pings": ("comment lines before each event", 0),
    "split-utf8": ("bytes split inside characters", 0),
    "crlf": ("CRLF line ends", 0),
    "no-done": ("no [DONE] at the end", 0),
    "no-blank-end": ("no blank line after the last event", 0),
    "slow": ("N seconds (at most 1) before each event", 0.02),
    "lying-content-type": ("a wrong Content-Type", 0),
    "empty": ("HTTP 200 with no body", 0),
    "not-json": ("HTTP 200 with text that is not JSON", 0),
    "html": ("HTTP 200 with an HTML page", 0),
}
"""Name: what happens, and the number when none is given."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault to play: a name of `FAULTS` and its number."""

    name: str
    number: float

    @property
    def text(self) -> str:
        """As it is written in the journal."""
        return f"{self.name}:{self.number:g}"


@dataclass(slots=True)
class _Armed:
    path: str
    fault: Fault
    times: int


def parse_fault(text: str) -> Fault:
    """Read `name` or `name:number`; unknown names are refused with the list of known ones."""
    name, _, number = text.strip().partition(":")
    if name not in FAULTS:
        msg = f"Unknown fault: '{name}'. Known faults are: {', '.join(FAULTS)}."
        raise Invalid(msg, param="fault", code="invalid_value")
    try:
        value = float(number) if number else FAULTS[name][1]
    except ValueError:
        msg = f"Invalid number in fault '{text}'."
        raise Invalid(msg, param="fault", code="invalid_value") from None
    return Fault(name, value)


class Faults:
    """Faults armed for coming calls."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []
        self._lock = threading.Lock()

    def arm(self, fault: str, path: str = "*", times: int = 1) -> None:
        """Play `fault` (`name` or `name:number`) for the next `times` calls whose path ends in `path`."""
        armed = _Armed(path, parse_fault(fault), times)
        with self._lock:
            self._armed.append(armed)

    def clear(self) -> None:
        """Disarm everything."""
        with self._lock:
            self._armed.clear()

    def take(self, path: str) -> Fault | None:
        """The fault armed for this path, counted down."""
        with self._lock:
            for armed in self._armed:
                if armed.path == "*" or path.endswith(armed.path):
                    armed.times -= 1
                    if armed.times <= 0:
                        self._armed.remove(armed)
                    return armed.fault
        return None

    def as_json(self) -> list[dict[str, Any]]:
        """What is armed now."""
        with self._lock:
            return [{"path": item.path, "fault": item.fault.text, "times": item.times} for item in self._armed]
