"""From what a capability found to what a host shows.

Text comes first, since some hosts show nothing else; a picture is a small inline preview with a link to the whole;
long text is cut where hosts stop reading, with the whole saved and linked. The last line is a receipt: which model
answered, what it used, what that costs. Nothing here puts base64 into structured content.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any, Final

from mcp.types import AudioContent, CallToolResult, ImageContent, ResourceLink, TextContent

from mtu_mcp.amounts import counted
from mtu_mcp.capabilities._views import file_facts, meta_of
from mtu_mcp.errors import MtuError
from mtu_mcp.gateway import Exchange, Usage, current_scope

if TYPE_CHECKING:
    from mcp.types import ContentBlock

    from mtu_mcp.app import App
    from mtu_mcp.media import Preview, Saved

LONGEST_TEXT: Final = 40_000
"""Characters of one answer; Claude Code moves results of about 50,000 into a file the model has to open."""

MOST_ALIKE: Final = 3
"""Receipts of one kind that are listed one by one."""


class Answer:
    """One tool's answer, built up block by block.

    Args:
        app: The running server.
        earlier: Upstream calls made for this answer in an earlier round of the same call.
    """

    longest = LONGEST_TEXT

    def __init__(self, app: App, earlier: Sequence[Exchange] = ()) -> None:
        self._app = app
        self._earlier = earlier
        self._texts: list[str] = []
        self._notes: list[str] = []
        self._blocks: list[ContentBlock] = []
        self._told: dict[str, Any] = {"files": []}

    def say(self, text: str) -> None:
        """Add a paragraph."""
        if text.strip():
            self._texts.append(text.strip("\n"))

    def note(self, *remarks: str) -> None:
        """Add remarks about the answer, such as what was cut or why another model was used; empty ones are left out."""
        self._notes += dict.fromkeys(remark for remark in remarks if remark and remark not in self._notes)

    async def say_long(self, text: str, *, title: str, about: Mapping[str, Any], extension: str = "md") -> None:
        """Add a paragraph that may be too long for a host; the whole is then saved and linked."""
        if len(text) <= LONGEST_TEXT:
            self.say(text)
            return
        self.say(text[:LONGEST_TEXT])
        self.note(f"Shown: the first {LONGEST_TEXT:,} of {len(text):,} characters.")
        await self.keep_text(text, title=title, about=about, extension=extension)

    async def keep_text(self, text: str, *, title: str, about: Mapping[str, Any], extension: str) -> None:
        """Save a text and link it; where that fails the answer says so and goes on, since it is already paid for."""
        if self._app.settings.read_only:
            self.note("The rest is not kept because MTU_READ_ONLY is set.")
            return
        try:
            saved = await self._app.library.save_text(text, title=title, extension=extension, about=about)
        except MtuError as error:
            self.note(f"The whole could not be saved: {error}")
            return
        self.note(f"The whole is at {saved.path}")
        self.link(saved)

    def show(self, preview: Preview) -> None:
        """Add a small picture."""
        data = base64.b64encode(preview.data).decode("ascii")
        self._blocks.append(ImageContent(type="image", data=data, mime_type=preview.mime))

    def play(self, data: bytes, mime: str) -> None:
        """Add a short sound."""
        self._blocks.append(AudioContent(type="audio", data=base64.b64encode(data).decode("ascii"), mime_type=mime))

    def link(self, saved: Saved) -> None:
        """Add a link to a file in the output folder."""
        self._told["files"].append(file_facts(saved))
        self._blocks.append(
            ResourceLink(
                type="resource_link", name=saved.name, uri=saved.uri, mime_type=saved.kind.mime, size=saved.size
            )
        )

    def tell_page(self, **facts: Any) -> None:
        """Add facts for the page that shows this answer to people; a model never reads them."""
        self._told |= facts

    def finish(self, structured: dict[str, Any] | None = None) -> CallToolResult:
        """Return the result with its notes and receipt.

        Args:
            structured: The whole answer as data. Some hosts show the model only this and some only the text, so it
                must say everything the text says.
        """
        exchanges = {id(exchange): exchange for exchange in (*self._earlier, *current_scope().exchanges)}
        receipts = receipts_of(self._app, list(exchanges.values()))
        self.note(*current_scope().notes)
        tail = "\n".join([*(f"Note: {note}" for note in self._notes), *filter(None, receipts)])
        text = "\n\n".join([*self._texts, tail] if tail else self._texts)
        if structured is not None:
            structured = {**structured, "notes": list(self._notes), "receipts": [line for line in receipts if line]}
        return CallToolResult(
            content=[TextContent(type="text", text=text), *self._blocks],
            structured_content=structured,
            _meta=meta_of(self._told),
        )


def incomplete(cut: str) -> str:
    """Say why an answer is incomplete; empty when it is complete."""
    return f"The answer is incomplete: {cut.rstrip('.')}." if cut else ""


def receipts_of(app: App, exchanges: Sequence[Exchange]) -> list[str]:
    """A line for each upstream call; many that are alike, as for the pieces of a long text, share one."""
    alike: dict[tuple[str, ...], list[Exchange]] = {}
    for one in exchanges:
        alike.setdefault((one.endpoint, one.model, one.served, one.state, one.alias), []).append(one)
    lines: list[str] = []
    for group in alike.values():
        if len(group) <= MOST_ALIKE:
            lines += [receipt(app, one) for one in group]
            continue
        used = [one.usage for one in group if one.usage is not None]
        paid = [one.cny for one in group if one.cny is not None]
        together = replace(
            group[0],
            usage=reduce(add, used) if used else None,
            cny=sum(paid) if paid else None,
            made=sum(one.made for one in group),
            demand=replace(group[0].demand, characters=sum(one.demand.characters for one in group)),
        )
        lines.append(receipt(app, together, calls=len(group)))
    return lines


def receipt(app: App, exchange: Exchange, calls: int = 1) -> str:
    """One line on one upstream call: the model that answered, what it used and what that costs."""
    if exchange.state == "running" or not exchange.model:
        return ""
    if exchange.state == "failed" and exchange.usage is None and not exchange.cny:  # refused; something else answered
        return ""
    parts = [exchange.served or exchange.model]
    asked = exchange.alias or exchange.model
    if asked != parts[0]:
        parts[0] += f" (asked for {asked})"
    if calls > 1:
        parts.append(f"{calls:,} calls")
    parts += _amounts(exchange)
    if cost := price_of(app, exchange):
        parts.append(cost)
    if exchange.state != "done":
        parts.append(exchange.state)
    return "[" + " · ".join(parts) + "]"


def price_of(app: App, exchange: Exchange) -> str:
    """What one upstream call cost, as the ledger has it, marked as the estimate it is; empty where nothing is owed."""
    paid = cost_of(app, exchange)
    if paid is not None:
        return f"{told_sum(paid)} ({'assumed' if exchange.basis == 'assumed' else 'list'} price)"
    return "price not known" if exchange.basis == "unknown" and exchange.owed else ""


def cost_of(app: App, exchange: Exchange) -> float | None:
    """The sum in the ledger, or an estimate where there is none; None where no price is known or nothing is owed."""
    if exchange.basis:
        return exchange.cny if exchange.basis in ("list", "assumed") else None
    cost = app.catalogue.estimate(exchange.model, exchange.usage) if exchange.usage else None
    return cost.cny if cost is not None else None


def told_sum(cny: float) -> str:
    """A sum that was estimated; four digits, but never nothing where something is owed, and nothing about nothing."""
    if not cny:
        return "CNY 0"
    return "under CNY 0.0001" if 0 < cny < 0.00005 else f"about CNY {cny:.4f}"


def _amounts(exchange: Exchange) -> list[str]:
    """What one upstream call used: what the gateway counted, and what is paid for by the piece."""
    amounts: list[str] = []
    usage = exchange.usage or Usage()
    if usage.input_tokens or usage.output_tokens:
        kept = [
            f"{count:,} {what}"
            for count, what in ((usage.cached_tokens, "cached"), (usage.cache_written, "kept in the cache"))
            if count
        ]
        from_cache = f" ({', '.join(kept)})" if kept else ""
        thought = f" ({usage.reasoning_tokens:,} reasoning)" if usage.reasoning_tokens else ""
        amounts.append(f"{counted(usage.input_tokens, 'token')} in{from_cache}, {usage.output_tokens:,} out{thought}")
    if usage.seconds:
        amounts.append(f"{usage.seconds:.1f} s of sound")
    if exchange.made:
        amounts.append(counted(exchange.made, "picture"))
    if exchange.demand.characters:
        amounts.append(counted(exchange.demand.characters, "character"))
    if searches := usage.searches or exchange.endpoint.startswith("ai_search/"):
        amounts.append(counted(int(searches), "search", "searches"))
    uncounted = exchange.owed and exchange.state == "done" and not (exchange.basis == "list" and not exchange.cny)
    return amounts or (["tokens not counted"] if uncounted else [])
