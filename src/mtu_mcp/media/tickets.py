"""One-time links with which a person hands a file to a server that cannot see it.

A link is the right to put one file into the folder of the caller it was made for, and nothing else: it reads nothing,
it ends after ten minutes, and when a file has come it is spent. It holds 256 random bits; what is kept of them is a
digest, so that neither the log nor a dump of this process gives a link away.
"""

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal

SECONDS: Final = 600.0
"""How long a link may be used; long enough to find a file, short enough to be forgotten in a chat's history."""
MOST_OF_ONE: Final = 16
"""Links of one caller that may be open; with the next one the oldest is closed."""
MOST: Final = 1_000
PATH: Final = "/upload/"


@dataclass(slots=True)
class Ticket:
    """The right to hand in one file.

    Attributes:
        owner: Whose it becomes.
        until: When it ends, on the clock of `Tickets`.
        state: "taking" while a file is on its way; a file that does not arrive whole leaves it open.
        uri: The file that came.
    """

    owner: str
    until: float
    state: Literal["open", "taking", "used"] = "open"
    uri: str = ""


class Tickets:
    """The links of one server.

    Args:
        address: Where the server listens, such as `http://127.0.0.1:8000`; empty until that is known.
        clock: Seconds, monotonic.
    """

    def __init__(self, address: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self.address = address
        self._clock = clock
        self._tickets: dict[bytes, Ticket] = {}

    def issue(self, owner: str) -> str:
        """Make a link for a caller."""
        self._forget(owner)
        token = secrets.token_urlsafe(32)
        self._tickets[_digest(token)] = Ticket(owner, self._clock() + SECONDS)
        return f"{self.address}{PATH}{token}"

    def find(self, token: str) -> Ticket | None:
        """The ticket of a link; None when there is none, or no longer."""
        given = _digest(token)
        found = None
        for digest, ticket in self._tickets.items():
            if hmac.compare_digest(digest, given):
                found = ticket
        return found

    def ended(self, ticket: Ticket) -> bool:
        """Whether a ticket's time is over."""
        return self._clock() >= ticket.until

    def _forget(self, owner: str) -> None:
        """Make room for one more. Those that ended stay for as long again, so that who comes late is told why."""
        now = self._clock()
        self._tickets = {digest: one for digest, one in self._tickets.items() if one.until + SECONDS > now}
        own = [digest for digest, one in self._tickets.items() if one.owner == owner]
        for digest in [*own[: -(MOST_OF_ONE - 1)], *list(self._tickets)[: -(MOST - 1)]]:
            self._tickets.pop(digest, None)


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
