"""What one tool call spends and hears.

The server opens a Scope round each call; every upstream call made inside adds one Exchange to it, however it ends.
So the ledger is fed here and a new tool cannot forget to count. The scope travels in a ContextVar because passing it
through every signature would make each capability carry what only the edge reads.

Whoever keeps the books is told before a call is sent, and may refuse it, and once after it ended. The books belong to
the gateway object and not to a scope: what is spent outside any call of a tool, such as by work resumed at start, has
a scope that nobody opened, and must be entered all the same. The scope only says whose call it is.
"""

import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from math import inf
from typing import Any, Literal, Protocol
from uuid import uuid4

import anyio

from mtu_mcp.errors import BadAnswer, Unreachable, UpstreamError
from mtu_mcp.gateway.demands import Demand
from mtu_mcp.gateway.usage import Usage

_log = logging.getLogger(__name__)

State = Literal["running", "done", "failed", "cut", "cancelled"]


@dataclass(slots=True)
class Exchange:
    """One upstream call that may cost money.

    Attributes:
        endpoint: As in the API's paths: "chat/completions".
        model: The model asked for.
        served: The model the answer names.
        state: How it ended; "cut" means that what arrived was given on as incomplete.
        usage: What the gateway counted, None when it counted nothing.
        partial: The text that arrived, all or a part of it; thoughts and calls of functions are not in it.
        request_id: The gateway's name for the request.
        seconds: From the first byte sent to the end, retries included.
        idempotency_key: The same on every retry.
        alias: The word that was asked for when it was no model's name, such as "best".
        demand: What it may use at most.
        owed: Whether something may have to be paid: it was sent, and not refused.
        made: Pictures that came.
        entry: Its number in the books; 0 when it is in none.
        held: The most it may cost, by whoever keeps the books.
        cny: What it cost, by whoever keeps the books; None until it is settled, or when no price is known.
        basis: How that was reckoned: "list" prices, "assumed" ones, "unknown", or "none" when nothing was owed.
        goes_on: Whether the gateway works on after its answer, as on a batch; it is then not settled here.
        remote: The gateway's name for that work; empty while it is not known.
        job: The job that sees to its end. Until it is handed over nothing is owed: what is sent before costs nothing.
        most_out: The most tokens of answer the books have room for, and the field that says so; None is no bound.
        packets: Pieces of its answer that came.
        whole: Whether all of its answer is here; it may still have to be read, entered and written down.
    """

    endpoint: str
    model: str
    served: str = ""
    state: State = "running"
    usage: Usage | None = None
    partial: str = ""
    request_id: str = ""
    seconds: float = 0.0
    idempotency_key: str = ""
    alias: str = ""
    demand: Demand = field(default_factory=Demand, compare=False)
    owed: bool = field(default=False, compare=False)
    made: int = field(default=0, compare=False)
    entry: int = field(default=0, compare=False)
    held: float = field(default=0.0, compare=False)
    cny: float | None = field(default=None, compare=False)
    basis: str = field(default="", compare=False)
    goes_on: bool = field(default=False, compare=False)
    remote: str = field(default="", compare=False)
    job: str = field(default="", compare=False)
    most_out: "Bound | None" = field(default=None, compare=False)
    packets: int = field(default=0, compare=False)
    whole: bool = field(default=False, compare=False)

    def bounded(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """The fields of the request, with the bound that the books put on its answer, if they put one."""
        return {**asked, self.most_out.field: self.most_out.tokens} if self.most_out else asked

    def rebounded(self, asked: Mapping[str, Any], complaint: str) -> Mapping[str, Any] | None:
        """The same under the other name of the bound, after a refusal that names it; None when that is no way out.

        Models that think take `max_completion_tokens` alone, older gateways `max_tokens` alone.
        """
        if self.most_out is None or self.most_out.field not in complaint:
            return None
        others = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
        other = others.get(self.most_out.field)
        return {**asked, other: self.most_out.tokens} if other else None


@dataclass(frozen=True, slots=True)
class Bound:
    """The most tokens of answer there is room for, and the field of the request that says so."""

    field: str
    tokens: int


@dataclass(frozen=True, slots=True)
class News:
    """What the gateway said later of work that went on: how it ended, and what it counted."""

    remote: str
    state: State | Literal["lost"]
    usage: Usage | None = None
    served: str = ""


class Books(Protocol):
    """Whoever keeps account of what is spent."""

    async def before(self, exchange: Exchange, scope: "Scope") -> None:
        """Enter a call that is about to be sent; raising refuses it, and then nothing was entered."""
        ...

    async def after(self, exchange: Exchange, scope: "Scope") -> None:
        """Settle it, however it ended; called exactly once for each call that was entered, and never raises."""
        ...

    async def later(self, news: News) -> None:
        """Settle work that went on after its call was answered, if it is in the books and open; never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """A word on how far a call is; `done` of `total` when that can be said."""

    message: str
    done: float | None = None
    total: float | None = None


class Scope:
    """What one tool call spent, and where its progress goes.

    Args:
        report: Called with each progress; it should throttle, for there is one per packet of a stream.
        parent: The scope this one is a part of; what is spent here is spent there too.

    Attributes:
        exchanges: The upstream calls, in the order they began.
        aliases: For a model, the word it was asked for by.
        call: The name of this call, one for all its parts.
        tool: The tool that was called; empty outside of any.
        job: The job this work belongs to, if it is one's.
        owner: Whose call it is; empty while one person uses a server.
        asked: What makes two calls the same: the tool and its arguments.
        until: When the host wants an answer, on the event loop's clock.
        can_ask: Whether the host can put a question before its user.
        approved: Whether the user was asked about the cost and agreed.
        foreseen: CNY that all its upstream calls cost, or may cost while they run; kept by the books in the whole.
        notes: What the answer has to say about its account.
    """

    def __init__(
        self, report: Callable[[Progress], Awaitable[None]] | None = None, parent: "Scope | None" = None
    ) -> None:
        self.exchanges: list[Exchange] = []
        self.aliases: dict[str, str] = parent.aliases if parent else {}
        self.call: str = parent.call if parent else uuid4().hex
        self.tool: str = parent.tool if parent else ""
        self.job: str = parent.job if parent else ""
        self.owner: str = parent.owner if parent else ""
        self.asked: str = parent.asked if parent else ""
        self.until: float = parent.until if parent else inf
        self.can_ask: bool = parent.can_ask if parent else False
        self.approved: bool = parent.approved if parent else False
        self.foreseen = 0.0
        self.notes: list[str] = parent.notes if parent else []
        self._report = report
        self._parent = parent

    def add(self, entry: Exchange) -> None:
        """Enter an upstream call."""
        self.exchanges.append(entry)
        if self._parent is not None:
            self._parent.add(entry)

    @property
    def whole(self) -> "Scope":
        """The scope of the whole call, of which this one may be a part."""
        return self._parent.whole if self._parent is not None else self

    @property
    def listening(self) -> bool:
        """Whether anybody hears the progress; when not, wording it can be saved."""
        return self._report is not None

    def redirect(
        self, report: Callable[[Progress], Awaitable[None]] | None
    ) -> Callable[[Progress], Awaitable[None]] | None:
        """Send the progress elsewhere from now on; returns where it went before."""
        before, self._report = self._report, report
        return before

    async def report(self, message: str, done: float | None = None, total: float | None = None) -> None:
        """Tell the host how far it is; a report that cannot be delivered does not end a call that costs money."""
        if self._report is None:
            return
        try:
            await self._report(Progress(message, done, total))
        except Exception:  # noqa: BLE001 - whatever the host's side raises, the answer is paid for
            _log.exception("progress could not be reported; no more is tried for this call")
            self._report = None


_current: ContextVar[Scope | None] = ContextVar("mtu_mcp_scope", default=None)


def current_scope() -> Scope:
    """The scope of the running call; outside of any, one that nobody reads."""
    return _current.get() or Scope()


@contextmanager
def open_scope(report: Callable[[Progress], Awaitable[None]] | None = None) -> Generator[Scope]:
    """Make a scope current for the block and the tasks started in it."""
    scope = Scope(report)
    token = _current.set(scope)
    try:
        yield scope
    finally:
        _current.reset(token)


@contextmanager
def branch(name: str) -> Generator[Scope]:
    """Make a part of the current scope current: its calls count in both, and its progress carries a name.

    For calls that run side by side, so that each can be reckoned and followed by itself.
    """
    parent = current_scope()

    async def report(progress: Progress) -> None:
        await parent.report(f"{name}: {progress.message}")

    scope = Scope(report if parent.listening else None, parent)
    token = _current.set(scope)
    try:
        yield scope
    finally:
        _current.reset(token)


_entry: ContextVar[Exchange | None] = ContextVar("mtu_mcp_exchange", default=None)


def mark_owed(owed: bool) -> None:
    """Note of the running exchange, if there is one, whether something may have to be paid for it."""
    entry = _entry.get()
    if entry is not None:
        entry.owed = owed
        # A batch is handed in by two requests: the answer to the first is not that to the second.
        entry.whole = False


def mark_heard(*, whole: bool = False) -> None:
    """Note of the running exchange, if there is one, that a piece of its answer came, or that nothing more will."""
    entry = _entry.get()
    if entry is not None:
        entry.packets += not whole
        entry.whole = whole or entry.whole


@asynccontextmanager
async def exchange(
    endpoint: str,
    model: str,
    clock: Callable[[], float] = time.monotonic,
    *,
    demand: Demand | None = None,
    books: Books | None = None,
) -> AsyncGenerator[Exchange]:
    """Enter one upstream call in the current scope and settle it exactly once, however the block ends.

    A block that sets `state` itself (to "cut") keeps what it set.

    Raises:
        MtuError: The books refuse it; it is then not entered.
    """
    scope = current_scope()
    entry = Exchange(endpoint, model, idempotency_key=str(uuid4()), alias=scope.aliases.get(model, ""))
    entry.demand = demand or Demand()
    if books is not None:
        await _enter(books, entry, scope)
    scope.add(entry)
    token = _entry.set(entry)
    began = clock()
    try:
        yield entry
    except Exception as error:
        entry.state = "failed"
        if isinstance(error, UpstreamError):
            entry.request_id = error.request_id or entry.request_id
            # The gateway's own no costs nothing, unless it counts something beside it.
            entry.owed &= entry.usage is not None or isinstance(error, Unreachable | BadAnswer)
        raise
    except BaseException:  # cancelled, or the program is ending
        entry.state = "cancelled"
        raise
    else:
        if entry.state == "running" and not entry.goes_on:
            entry.state = "done"
    finally:
        _entry.reset(token)
        entry.seconds = max(0.0, clock() - began)
        if entry.job:
            entry.owed = entry.goes_on
        if books is not None:
            await _settle(books, entry, scope)


async def _enter(books: Books, entry: Exchange, scope: Scope) -> None:
    try:
        await books.before(entry, scope)
    except Exception:
        raise
    except BaseException:  # cancelled between being entered and being sent
        entry.state = "cancelled"
        await _settle(books, entry, scope)
        raise


async def _settle(books: Books, entry: Exchange, scope: Scope) -> None:
    # The books wait for a locked database for some seconds at most, so this ends although it is shielded.
    with anyio.CancelScope(shield=True):
        await books.after(entry, scope)
