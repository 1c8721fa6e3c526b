"""The one object the rest of the program holds: a database and the tables' own classes over it.

What comes to be kept later is one more attribute here and one more migration; all of it shares the connection, so it
can share a transaction.
"""

import time
from collections.abc import Callable
from copy import copy
from pathlib import Path
from weakref import WeakValueDictionary

from mtu_mcp.records.conversations import Conversations
from mtu_mcp.records.database import Changed, Database, unheard
from mtu_mcp.records.jobs import Jobs
from mtu_mcp.records.ledger import Ledger


class Records:
    """Everything kept between calls.

    Building it touches no disk and never fails: the server must start, and serve, with a database that cannot be
    opened. Each operation opens it if need be and raises `RecordsError` if it cannot, saying what to do; the next
    operation tries again, so a lock that goes away or a folder that comes back needs no restart.

    Args:
        path: The SQLite file, or `":memory:"` to keep nothing after the process.
        clock: Seconds since the epoch, for what is written.
        busy_seconds: How long an operation waits for another process that is writing.
        changed: Hears of every change.

    Attributes:
        owner: Whose conversations and jobs these are; the ledger is everybody's, for the money is one person's.
    """

    def __init__(
        self,
        path: Path | str,
        clock: Callable[[], float] = time.time,
        *,
        busy_seconds: float = 5.0,
        changed: Changed = unheard,
    ) -> None:
        self.database = Database(path, busy_seconds=busy_seconds)
        self.conversations = Conversations(self.database, clock, changed=changed)
        self.ledger = Ledger(self.database, clock, changed=changed)
        self.jobs = Jobs(self.database, clock, presence=self.ledger.presence, changed=changed)
        self.owner = ""
        self._clock = clock
        self._changed = changed
        # Weak, for callers come and go; yet two calls side by side must meet in one queue of a conversation.
        self._talks = WeakValueDictionary({"": self.conversations})

    def for_owner(self, owner: str) -> "Records":
        """The same database as another caller sees it."""
        if owner == self.owner:
            return self
        view = copy(self)
        view.owner = owner
        talks = Conversations(self.database, self._clock, owner=owner, changed=self._changed)
        view.conversations = self._talks.setdefault(owner, talks)
        view.jobs = Jobs(self.database, self._clock, owner=owner, presence=self.ledger.presence, changed=self._changed)
        return view

    @property
    def path(self) -> Path | None:
        """The file, or None when records live in memory."""
        return self.database.path

    async def check(self) -> None:
        """Open the database if it is not open yet.

        Raises:
            RecordsError: It cannot be opened; the message says what to do.
        """
        await self.database.read(lambda _: None)

    async def aclose(self) -> None:
        """Finish what is being written, fold the journal into the file and close; may be called twice."""
        await self.ledger.aclose()
        await self.database.aclose()
