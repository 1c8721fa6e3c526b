"""What one running server holds, and how a handler reaches it.

Owns: the rooms of one server, wired together, and work that outlives a call. Asks for: settings, and optionally the way
to the gateway.
Knows nothing of: MCP. Because: tools, resources and completions all need the same things, and some of the SDK's
handlers are given no context; a ContextVar bound by the server's middleware serves every one of them, in both
protocol eras and in worker threads.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Iterable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

import anyio

from mtu_mcp.catalogue import Catalogue
from mtu_mcp.gateway import Gateway
from mtu_mcp.money.budget import Budget
from mtu_mcp.records import Records
from mtu_mcp.settings import Settings, variable

if TYPE_CHECKING:
    import httpx
    from anyio.abc import TaskGroup

    from mtu_mcp.catalogue import Facts
    from mtu_mcp.media import Fetched, Library, Workspace
    from mtu_mcp.media.spool import Spool
    from mtu_mcp.media.tickets import Tickets
    from mtu_mcp.records.database import Changed

T = TypeVar("T")

_APP: ContextVar[App] = ContextVar("mtu_mcp_app")
_OWNER: ContextVar[str] = ContextVar("mtu_mcp_owner", default="")

MOST_REMEMBERED: Final = 64
"""Answers a memo keeps, of each caller, for calls that were never resumed; the oldest go first."""
REMEMBERED_SECONDS: Final = 600.0
"""How long a host may take to answer the question of a round; the SDK's request state lasts as long."""


class Memo:
    """Work that several rounds of one call share, done once.

    On the 2026-07-28 protocol a call that asks the host a question is sent again with the answer, and everything
    before the question runs again. What was already paid for in the first round is kept here under the call's
    own key until the call's last round takes it out. A host that never comes back leaves it behind; it must not
    answer the same question hours later. Each caller's answers are the caller's own.

    Args:
        clock: Seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._done: dict[tuple[str, Hashable], tuple[float, Any]] = {}
        self._locks: dict[tuple[str, Hashable], anyio.Lock] = {}

    async def once(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """Return the remembered result for `key`, or make it; concurrent askers wait for the one that makes it."""
        for stale in [old for old, (made, _) in self._done.items() if self._clock() - made > REMEMBERED_SECONDS]:
            self._drop(stale)
        own = current_owner(), key
        lock = self._locks.setdefault(own, anyio.Lock())
        async with lock:
            if own in self._done:
                return self._done[own][1]
            try:
                result = await make()
            except BaseException:
                self._locks.pop(own, None)
                raise
            self._done[own] = self._clock(), result
            mine = [kept for kept in self._done if kept[0] == own[0]]
            for oldest in mine[:-MOST_REMEMBERED]:
                self._drop(oldest)
            return result

    def forget(self, key: Hashable) -> None:
        """Drop what is remembered under `key`."""
        self._drop((current_owner(), key))

    def _drop(self, own: tuple[str, Hashable]) -> None:
        self._done.pop(own, None)
        self._locks.pop(own, None)


@dataclass(slots=True)
class UnderWay:
    """Work of this process whose caller was answered with the id of a job.

    Attributes:
        ended: Set once what came of it is written down.
        cancel: Stops it.
        told: Says what it last said of its progress; empty when it said nothing yet.
    """

    ended: anyio.Event
    cancel: Callable[[], None]
    told: Callable[[], str]


@dataclass(slots=True)
class App:
    """One running server.

    Attributes:
        settings: Read once at start.
        gateway: Our side of the wire.
        catalogue: Which models there are and what they cost.
        whole_records: The database, with what the person at this machine keeps; `records` is the caller's part.
        whole_library: The output folder; `library` is the caller's part.
        budget: What calls may cost, and what they did.
        memo: Work shared by the rounds of one call.
        missing: Endpoints this gateway was found not to offer, and its own words.
        elsewhere: Models this gateway was found to serve through the Responses API alone.
        tasks: Where work runs that may outlive the call that began it; it is cancelled when the server ends.
        under_way: Such work, by the ids of its jobs.
        uploads: The links with which people hand files in, where there is a page for that.
        hearers: Who hears of what was written, in the event loop.
    """

    settings: Settings
    gateway: Gateway
    catalogue: Catalogue
    whole_records: Records
    whole_library: Library
    budget: Budget
    memo: Memo = field(default_factory=Memo)
    missing: dict[str, str] = field(default_factory=dict[str, str])
    elsewhere: set[str] = field(default_factory=set[str])
    tasks: TaskGroup | None = None
    under_way: dict[str, UnderWay] = field(default_factory=dict[str, UnderWay])
    uploads: Tickets | None = None
    hearers: list[Changed] = field(default_factory=list["Changed"])

    @property
    def records(self) -> Records:
        """The conversations and jobs of whoever makes this call."""
        return self.whole_records.for_owner(current_owner())

    @property
    def library(self) -> Library:
        """The files made for whoever makes this call."""
        return self.whole_library.for_owner(current_owner())

    def workspace(self, roots: Iterable[Path] = ()) -> Workspace:
        """Return the folders one call may read: the host's roots, the configured folders and the output folder.

        A caller with a token may sit at another machine: the folders such a host names are not this machine's to give,
        and of the output folder only the caller's own part is open, whatever folders are configured.
        """
        from mtu_mcp.media import Workspace

        library, keep = self.library.folder, self.settings.keep_metadata
        if not current_owner():
            return Workspace((*roots, *self.settings.allowed_dirs), library, keep_metadata=keep)
        path = self.settings.database_path
        closed = (self.settings.output_dir, *(path.with_name(path.name + end) for end in ("", "-wal", "-shm")))
        return Workspace(self.settings.allowed_dirs, library, closed=closed, keep_metadata=keep)

    async def download(self, url: str, max_bytes: int, *, spool: Callable[[], Spool] | None = None) -> Fetched:
        """Fetch a URL under the rules of `media.fetch`; with `spool` a large one goes to the disk.

        The gateway's own origin was configured by the operator, so a picture it hands out from there may come over
        plain http and from a private address; nothing else may.
        """
        ours = _origin(url) == _origin(self.settings.base_url)
        from mtu_mcp.media import fetch

        return await fetch(
            url,
            max_bytes=max_bytes,
            timeout=self.settings.timeout,
            allow_http=ours,
            allow_private=ours,
            spool=spool,
        )

    async def download_large(self, url: str, max_bytes: int) -> Fetched:
        """Fetch a recording, which may be larger than memory."""
        return await self.download(url, max_bytes, spool=self.spool)

    def spool(self) -> Spool:
        """A file of one call's own, for what is too large to be held; beside the output, where it may be kept. Blocking."""
        from mtu_mcp.media.spool import Spool

        return Spool(None if self.settings.read_only else self.library.folder)


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


@asynccontextmanager
async def open_app(settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None) -> AsyncGenerator[App]:
    """Wire the rooms together; nothing is connected, opened or created before it is first used.

    Args:
        settings: As read from the environment.
        transport: The way to the gateway, when it is not the network.
    """
    settings, facts = _with_own_facts(settings)

    async def listed() -> list[tuple[str, Mapping[str, Any]]]:
        return [(entry.id, entry.raw) for entry in await gateway.list_models()]

    from mtu_mcp.media import Library

    hearers: list[Changed] = []

    def told(owner: str, kind: str, name: str) -> None:
        for hear in hearers:
            hear(owner, kind, name)

    records = Records(settings.database_path, changed=told)
    catalogue = Catalogue(settings, listed, facts=facts)
    budget = Budget(settings, catalogue, records.ledger)
    gateway = Gateway(settings, transport=transport, books=budget)
    library = Library(settings.output_dir, changed=told)
    app = App(settings, gateway, catalogue, records, library, budget, hearers=hearers)
    failure: Exception | None = None
    try:
        async with anyio.create_task_group() as app.tasks:
            try:
                yield app
            except Exception as error:  # noqa: BLE001 - raised again below, out of the group that would wrap it
                failure = error
            app.tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(1.5):
            await records.aclose()
            await gateway.aclose()
    if failure is not None:
        raise failure


def _with_own_facts(settings: Settings) -> tuple[Settings, Facts | None]:
    """Read the operator's own model file, if there is one; a bad one is a problem of the settings, not a crash."""
    if settings.models_file is None:
        return settings, None
    from mtu_mcp.catalogue.facts import shipped
    from mtu_mcp.catalogue.overrides import read_file

    try:
        return settings, shipped().changed(read_file(settings.models_file))
    except ValueError as error:
        problem = f"{variable('models_file')} {settings.models_file} {error}."
        return settings.model_copy(update={"problems": (*settings.problems, problem)}), None


def bind_app(app: App) -> None:
    """Make `app` the one that `current_app` returns in this context and the tasks it starts."""
    _APP.set(app)


def current_app() -> App:
    """The running server this handler belongs to."""
    return _APP.get()


def bind_owner(owner: str) -> None:
    """Make `owner` the one whose things this context, and the tasks it starts, sees."""
    _OWNER.set(owner)


def current_owner() -> str:
    """Whose call this is, as its verified token says; empty on stdio and where no token is asked for."""
    return _OWNER.get()
