"""The search engines behind the gateway, each brought to one shape: an answer, if it writes one, and its sources.

Which engines a gateway has is not documented reliably, so `auto` goes by the models it lists and by what it said
when asked before. Going on to the next engine is safe only after an answer that cost nothing: no such endpoint, or
no such model.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from mtu_mcp.app import App
from mtu_mcp.capabilities._answers import incomplete
from mtu_mcp.capabilities._upstream import asking, choose
from mtu_mcp.errors import NotOffered, UnknownModel
from mtu_mcp.gateway import BaiduSearch, ChatAnswer, ChatRequest, Citation, Exchange, ResponsesRequest, current_scope

Engine = Literal["auto", "openai", "baidu", "jina", "qwen"]

ANSWER_ORDER: Final = ("openai", "qwen", "jina", "baidu")
"""`auto` for an answer; Baidu gives results only, so it needs a second call."""
RESULTS_ORDER: Final = ("baidu", "openai", "jina")
"""`auto` for results; Qwen gives no sources through this protocol."""


@dataclass(frozen=True, slots=True)
class Query:
    """What one search asks; equal queries are the same search."""

    text: str
    engine: Engine
    raw: bool
    model: str
    key: tuple[tuple[str, str], ...]
    options: Mapping[str, Any] = field(compare=False)


@dataclass(frozen=True, slots=True)
class Source:
    """One page."""

    title: str
    url: str
    quote: str = ""
    site: str = ""
    date: str = ""

    def as_dict(self, number: int) -> dict[str, Any]:
        """The source as structured content."""
        pairs = {
            "n": number,
            "title": self.title,
            "url": self.url,
            "quote": self.quote,
            "site": self.site,
            "date": self.date,
        }
        return {name: value for name, value in pairs.items() if value}


@dataclass(slots=True)
class Found:
    """What a search gave."""

    engine: str
    model: str = ""
    text: str = ""
    sources: list[Source] = field(default_factory=list[Source])
    notes: list[str] = field(default_factory=list[str])
    exchanges: list[Exchange] = field(default_factory=list[Exchange])

    def listed(self, quotes: int = 300) -> list[str]:
        """The sources as numbered Markdown, with up to `quotes` characters of each."""
        lines: list[str] = []
        for number, source in enumerate(self.sources, 1):
            facts = ", ".join(filter(None, (source.site, source.date)))
            line = f"{number}. [{source.title or source.url}]({source.url})" + (f" ({facts})" if facts else "")
            if source.quote:
                line += f"\n   {' '.join(source.quote.split())[:quotes]}"
            lines.append(line)
        return lines


async def search(app: App, query: Query) -> Found:
    """Ask the engine, or with `auto` the first one that this gateway offers.

    Raises:
        NotOffered: No engine is offered, or not the one asked for.
        UpstreamError: The engine failed in another way.
    """
    before = len(current_scope().exchanges)
    notes: list[str] = []
    engine = _engine_of(app, query)
    if engine != "auto":
        found = await _ENGINES[engine](app, query)
    else:
        found = await _first_offered(app, query, notes)
    found.notes[:0] = notes
    found.exchanges = list(current_scope().exchanges[before:])
    return found


def _engine_of(app: App, query: Query) -> str:
    """The engine to ask: with `auto`, a model that was asked for decides, and is not given up for another engine."""
    if query.engine != "auto" or not query.model.strip():
        return query.engine
    entry = app.catalogue.entry(query.model)
    return next((engine for engine, capability in _CAPABILITIES.items() if entry.can(capability)), "openai")


async def _first_offered(app: App, query: Query, notes: list[str]) -> Found:
    failures: list[str] = []
    for engine in RESULTS_ORDER if query.raw else ANSWER_ORDER:
        why_not = await _why_not(app, engine)
        if why_not:
            failures.append(f"{engine}: {why_not}")
            continue
        try:
            found = await _ENGINES[engine](app, query)
        except (NotOffered, UnknownModel) as error:
            failures.append(f"{engine}: {error.message}")
            continue
        if failures:
            notes.append(f"Searched with {engine}; not offered here: {'; '.join(failures)}"[:600])
        return found
    raise NotOffered(
        "This gateway offers none of the search engines.", advice=" ".join(failures)[:600] or "Ask its operator."
    )


async def _why_not(app: App, engine: str) -> str:
    """Say why an engine cannot work here, as far as that is known without asking it; empty when it may."""
    if engine == "baidu":
        return app.missing.get("baidu", "")
    capability = _CAPABILITIES[engine]
    if engine == "openai" and "responses" in app.missing:
        return app.missing["responses"]
    offer = await app.catalogue.offered()
    model = (await choose(app, capability, "")).model
    return "" if not offer.live or model in offer.names else f"the gateway lists no model for it ({model} is missing)"


async def _openai(app: App, query: Query) -> Found:
    model = (await choose(app, "search", query.model)).model
    # The search models live on the chat endpoint and always search.
    if "search" in model or "chat_search" in app.catalogue.entry(model).traits:
        request = ChatRequest(
            model,
            [{"role": "user", "content": query.text}],
            options={"web_search_options": {}, **query.options},
        )
        async with asking(app, "chat/completions", model, "search"):
            return _from_chat("openai", await app.gateway.chat(request))
    options = {"tools": [{"type": "web_search"}], "include": ["web_search_call.action.sources"], **query.options}
    async with asking(app, "responses", model, "search"):
        reply = await app.gateway.respond(ResponsesRequest(model, query.text, options=options))
    notes = [incomplete(reply.cut)] if reply.cut else []
    return Found("openai", reply.model or model, reply.text, _sources(reply.citations), notes)


async def _baidu(app: App, query: Query) -> Found:
    async with asking(app, "baidu", query.model, "search"):
        reply = await app.gateway.search_baidu(BaiduSearch(query.text, options=query.options))
    sources = [Source(hit.title, hit.url, hit.snippet, hit.site, hit.date) for hit in reply.hits]
    notes = [f"Baidu's search takes no model, so {query.model} was not used."] if query.model else []
    return Found("baidu", "", reply.text, sources, notes)


async def _jina(app: App, query: Query) -> Found:
    model = (await choose(app, "research", query.model)).model
    request = ChatRequest(model, [{"role": "user", "content": query.text}], options=dict(query.options))
    async with asking(app, "chat/completions", model, "research"):
        reply = await app.gateway.chat(request)
    found = _from_chat("jina", reply)
    if not found.sources:
        found.sources = [Source("", url) for url in reply.visited]
    return found


async def _qwen(app: App, query: Query) -> Found:
    model = (await choose(app, "qwen_search", query.model)).model
    options = {"enable_search": True, "search_options": {"forced_search": True}, **query.options}
    async with asking(app, "chat/completions", model, "qwen_search"):
        reply = await app.gateway.chat(ChatRequest(model, [{"role": "user", "content": query.text}], options=options))
    found = _from_chat("qwen", reply)
    if not found.sources:
        found.notes.append("Qwen's search gives no list of sources through this protocol.")
    return found


def _from_chat(engine: str, reply: ChatAnswer) -> Found:
    notes = [incomplete(reply.cut)] if reply.cut else []
    return Found(engine, reply.model, reply.text, _sources(reply.citations), notes)


def _sources(citations: tuple[Citation, ...]) -> list[Source]:
    """One source a page, in the order of first mention."""
    pages: dict[str, Source] = {}
    for cited in citations:
        pages.setdefault(cited.url, Source(cited.title, cited.url, cited.quote, "", cited.date))
    return list(pages.values())


_ENGINES: Final[Mapping[str, Callable[[App, Query], Awaitable[Found]]]] = {
    "openai": _openai,
    "baidu": _baidu,
    "jina": _jina,
    "qwen": _qwen,
}
_CAPABILITIES: Final[Mapping[str, Any]] = {"openai": "search", "jina": "research", "qwen": "qwen_search"}
