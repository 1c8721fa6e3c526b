"""The body of one call at work: in a task of its own, heard by everybody who waits for it.

The task inherits the context of the call that began it, so the App, the owner and the scope that counts what is spent
hold in it, also when that call is long over.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any

import anyio
from mcp.types import CallToolResult, TextContent

from mtu_mcp.capabilities._handed import slim

if TYPE_CHECKING:
    from mtu_mcp.gateway import Progress, Scope
    from mtu_mcp.records import Job

    Listener = Callable[[Progress], Awaitable[None]]


@dataclass(eq=False, slots=True)
class Work:
    """One call's work.

    Attributes:
        key: Same for calls that ask the same.
        title: What it is, for a person.
        request: What was asked, for the job.
        scope: What it spends.
        waiting: How many wait for it here.
        owed: How many were told to come back for the answer.
        held: How many keep it where equal calls find it: the work itself, those who wait, answers on their way.
        given: How many were given the answer.
        left: When it first left, in monotonic seconds.
        reusable: Whether the answer may be given to somebody who asks the same later.
        told: What it last said of its progress.
        why: Why it was stopped.
        dying: Whether it was stopped and may still be found with its answer.
        over: Set once it is at an end, before that is written down.
        job: Its job, once it has one.
        earlier: The job whose kept answer this is, when it is one's.
        result: The answer.
        failure: What it raised instead.
    """

    key: str
    title: str
    request: dict[str, Any]
    scope: Scope
    began: float = field(default_factory=time.time)
    stop: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    ended: anyio.Event = field(default_factory=anyio.Event)
    lock: anyio.Lock = field(default_factory=anyio.Lock)
    listeners: dict[int, Listener] = field(default_factory=dict[int, "Listener"])
    waiting: int = 0
    owed: int = 0
    held: int = 1
    given: int = 0
    left: float = inf
    reusable: bool = True
    told: str = ""
    why: str = "The server ended while it ran."
    dying: bool = False
    over: anyio.Event = field(default_factory=anyio.Event)
    job: Job | None = None
    earlier: Job | None = None
    result: CallToolResult | None = None
    failure: Exception | None = None

    @property
    def stopped(self) -> bool:
        """Whether it ended without an answer and without a failure."""
        return self.result is None and self.failure is None

    @property
    def delivered(self) -> bool:
        """Whether everybody was given the answer who has to be."""
        return self.given >= max(self.owed, 1)

    @property
    def spending(self) -> bool:
        """Whether the gateway is at something for it now; an answer that is all here is none."""
        return any(one.state == "running" and not one.whole for one in self.scope.exchanges)

    @property
    def packets(self) -> int:
        """How many pieces of answers came."""
        return sum(one.packets for one in self.scope.exchanges)

    def hear(self, scope: Scope) -> None:
        """Let a caller hear the progress from now on."""
        before = scope.redirect(self.report if scope is self.scope else None)
        if before is not None:
            self.listeners[id(scope)] = before

    def leave(self, scope: Scope) -> None:
        """Say nothing more to a caller, whose request is over."""
        self.listeners.pop(id(scope), None)

    async def report(self, progress: Progress) -> None:
        """Pass progress on to whoever waits."""
        self.told = progress.message
        for number, listener in list(self.listeners.items()):
            try:
                await listener(progress)
            except Exception:  # noqa: BLE001 - one caller's broken connection is not the others'
                self.listeners.pop(number, None)

    def cancel(self, why: str) -> None:
        """Stop it."""
        self.why, self.dying = why, True
        self.stop.cancel()

    def size(self) -> int:
        """About how many bytes holding on to its answer takes, once it is slim."""
        kept = 0 if self.result is None else len(repr(slim(self.result)))  # JSON might refuse what a gateway said
        return kept + sum(len(one.partial) for one in self.scope.exchanges)

    def slim(self) -> None:
        """Let go of what is in files anyway: nobody waits for the answer any more."""
        if self.result is not None:
            self.result = slim(self.result)

    async def came(self) -> bool:
        """Wait for its end; whether there is an answer."""
        await self.over.wait()
        return self.result is not None

    def parts(self) -> str:
        """The text that had arrived when it was stopped."""
        found = [(one.served or one.model, one.partial.strip()) for one in self.scope.exchanges if one.partial.strip()]
        return found[0][1] if len(found) == 1 else "\n\n".join(f"{model}:\n{text}" for model, text in found)

    def cost(self) -> float | None:
        """CNY, as far as it is known."""
        known = [one.cny for one in self.scope.exchanges if one.cny is not None]
        return sum(known) if known else None


def noted(result: CallToolResult, note: str) -> CallToolResult:
    """A copy of a result with one more note, in both of its forms."""
    structured = result.structured_content
    if structured is not None:
        notes: list[Any] = structured.get("notes") or []
        structured = {**structured, "notes": [*notes, note]}
    content = [*result.content, TextContent(type="text", text=f"Note: {note}")]
    return result.model_copy(update={"content": content, "structured_content": structured})
