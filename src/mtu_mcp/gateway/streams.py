"""Listening to an answer that arrives in pieces.

An Assembler knows one endpoint's pieces; `hear` knows how a stream can go wrong. The rule for both: what arrived is
worth something. An error before anything of the answer is here is raised; after that, the answer is given as
incomplete and says why.
"""

import math
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Any, ClassVar

import anyio.to_thread

from mtu_mcp.amounts import counted
from mtu_mcp.errors import BadAnswer, UpstreamError
from mtu_mcp.gateway import failures
from mtu_mcp.gateway.body import Body
from mtu_mcp.gateway.complaints import Complaint, read_complaint, reported
from mtu_mcp.gateway.events import Event, decode
from mtu_mcp.gateway.exchange import Exchange, current_scope, mark_heard
from mtu_mcp.gateway.shapes import loads, mapping
from mtu_mcp.gateway.usage import Usage

_BIG = 1024 * 1024
LONGEST_TEXT = 32 * 1024 * 1024
"""Characters heard of one answer; models write a hundredth of that at most, and a gateway that never ends is hung up on."""
_WINDOW = "Try again; if it stays so, send less: some servers end so when a text is longer than the model's window."


class Assembler:
    """Puts one answer together from pieces, or takes it whole.

    Attributes:
        expected: Keys of a real answer, by which it is told from an error without a wrapper.
        ended: The gateway said that nothing more comes (`[DONE]`), or sent one whole body.
        complaint: The error it sent inside the stream.
        cut: Why the answer is incomplete; empty when it is not.
        lost: Pieces that began as JSON and could not be read.
        usage: What it counted so far.
        model: The model the answer names.
        id: The answer's own name.
        request_id: The gateway's name for the request, from the body.
        strike: Takes the key out of a text.
    """

    expected: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self.ended = False
        self.complaint: Complaint | None = None
        self.cut = ""
        self.lost = 0
        self.usage: Usage | None = None
        self.model = ""
        self.id = ""
        self.request_id = ""
        self.strike: Callable[[str], str] = str

    @property
    def begun(self) -> bool:
        """Whether something of the answer itself is here."""
        raise NotImplementedError

    @property
    def complete(self) -> bool:
        """Whether the answer said that it is whole; many gateways say so without a `[DONE]`."""
        raise NotImplementedError

    @property
    def letters(self) -> int:
        """How many characters are kept by now, thoughts included."""
        return 0

    @property
    def activity(self) -> str:
        """What is going on, in a few words for the host."""
        raise NotImplementedError

    @property
    def partial(self) -> str:
        """The text so far."""
        raise NotImplementedError

    def take(self, raw: Mapping[str, Any], name: str) -> None:
        """Take one piece; `name` is the event's name, often empty."""
        raise NotImplementedError

    def take_whole(self, raw: Mapping[str, Any]) -> None:
        """Take an answer that came in one JSON body."""
        raise NotImplementedError

    def feed(self, event: Event) -> None:
        """Take one event of the stream; never raises, whatever it holds."""
        data = event.data.strip()
        if data.startswith("data:"):  # some relays write the prefix twice
            data = data[5:].strip()
        if data == "[DONE]":
            self.ended = True
            return
        try:
            raw = mapping(loads(data))
        except ValueError:
            if event.name == "error" and data:  # a bare sentence
                self.complaint = self.complaint or Complaint(message=data[:2000])
            else:
                self._unreadable(data, event.name)
            return
        if raw.get("error") or event.name == "error" or not any(key in raw for key in self.expected):
            self.complaint = self.complaint or reported(raw, self.expected)
            if event.name == "error":
                self.complaint = self.complaint or read_complaint(raw) or Complaint(message=data[:2000])
            if self.complaint:
                return
        self.take(raw, event.name)

    def count(self, raw: object) -> None:
        """Keep a usage object unless it counts less than the one before: some relays add a zeroed one."""
        found = Usage.read(raw)
        if found and (self.usage is None or found.total_tokens >= self.usage.total_tokens):
            self.usage = found

    def _unreadable(self, data: str, name: str) -> None:
        lines = data.splitlines()
        if len(lines) > 1 and all(line.startswith("{") for line in lines):
            for line in lines:
                self.feed(Event(line, name))
        elif data.startswith("{"):  # anything else is a keep-alive in disguise
            self.lost += 1


async def hear(body: Body, assembler: Assembler, entry: Exchange) -> None:
    """Hear an answer to its end, whichever form it comes in, reporting progress once a packet.

    Afterwards the assembler holds the answer, `cut` set when it is incomplete. The exchange learns what was heard
    even when this is cancelled.

    Raises:
        UpstreamError: It went wrong before anything of the answer was here.
    """
    entry.request_id = body.request_id
    assembler.strike = body.struck
    try:
        if await body.form() == "events":
            await _hear_events(body, assembler)
        else:
            await _hear_whole(body, assembler)
        _judge(body, assembler)
        if assembler.cut:
            entry.state = "cut"
    finally:
        entry.partial = assembler.partial
        entry.served, entry.usage = assembler.model, assembler.usage
        entry.request_id = entry.request_id or assembler.request_id


async def _hear_events(body: Body, assembler: Assembler) -> None:
    scope = current_scope()
    last = ""
    try:
        async with aclosing(body.events()) as packets:
            async for events in packets:
                for event in events:
                    assembler.feed(event)
                if assembler.complaint or assembler.ended:
                    break
                if assembler.letters > LONGEST_TEXT:
                    assembler.cut = f"it is longer than {LONGEST_TEXT:,} characters, the most that is heard"
                    break
                if scope.listening and (activity := assembler.activity) != last:
                    last = activity
                    await scope.report(activity)
        if assembler.ended:
            mark_heard(whole=True)
            await body.drain()
    except UpstreamError as error:
        if assembler.complete:
            return  # what broke came after the answer
        if not assembler.begun:
            raise
        assembler.cut = error.message[:1].lower() + error.message[1:].rstrip(".")


async def _hear_whole(body: Body, assembler: Assembler) -> None:
    data = await body.read()
    try:
        parsed = await anyio.to_thread.run_sync(loads, data) if len(data) > _BIG else loads(data)
    except ValueError as error:
        if not data.strip():
            raise BadAnswer("The gateway's answer is empty.", advice=_WINDOW, request_id=body.request_id) from error
        events = decode(data) if data.lstrip().startswith(b"{") else []
        if len(events) < 2:  # else a stream of bare JSON lines
            raise body.unreadable(data) from error
        for event in events:
            assembler.feed(event)
        return
    if complaint := reported(parsed, assembler.expected):
        assembler.complaint = complaint
    elif mapping(parsed):
        assembler.take_whole(mapping(parsed))
        assembler.ended = assembler.begun
    else:
        raise body.unreadable(data)


def _judge(body: Body, assembler: Assembler) -> None:
    """Raise when nothing of the answer came; else say why it is incomplete, if it is."""
    if assembler.complaint:
        if not assembler.begun:
            raise failures.from_complaint(body.asked, assembler.complaint, body.request_id)
        quote = body.asked.struck(assembler.complaint.quote)
        assembler.cut = f"the gateway sent an error in the stream: {quote}"
    elif not (assembler.ended or assembler.complete or assembler.cut):
        if not assembler.begun:
            why = "held nothing that can be read" if assembler.lost else "ended before it began"
            raise BadAnswer(f"The gateway's answer {why}.", advice=_WINDOW, request_id=body.request_id)
        assembler.cut = "the stream ended without a finish"
    if assembler.lost and not assembler.cut:
        assembler.cut = f"{counted(assembler.lost, 'unreadable piece')} of the stream had to be left out"


def characters(count: int) -> str:
    """A count for progress, in steps so that a report is worth sending: every 20, later every hundredth part."""
    step = max(20, 10 ** max(0, int(math.log10(count or 1)) - 1))
    return counted(count - count % step if count >= step else count, "character")
