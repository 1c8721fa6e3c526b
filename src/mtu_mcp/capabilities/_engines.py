"""The search engines behind the gateway, each brought to one shape: an answer, if it writes one, and its sources.

Which engines a gateway has is not documented reliably, so `auto` goes by the models it lists and by what it said
when asked before. Going on to the next engine is safe only after an answer that cost nothing: no such endpoint, or
no such model.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from mtu_mcp.amounts import counted
from mtu_mcp.app import App
from mtu_mcp.capabilities._answers import incomplete
from mtu_mcp.capabilities._effects import unheeded, unsearched
from mtu_mcp.capabilities._filters import (
    Applied,
    Filters,
    for_baidu,
    for_jina,
    for_openai,
    for_openai_chat,
    for_qwen,
    in_words,
)
from mtu_mcp.capabilities._upstream import asking, choose, remark
from mtu_mcp.errors import (
    BadAnswer,
    Filtered,
    NotOffered,
    Overloaded,
    Rejected,
    UnknownModel,
    UpstreamError,
    UpstreamFailure,
)
from mtu_mcp.gateway import BaiduSearch, ChatRequest, Citation, Exchange, ResponsesRequest, current_scope

if TYPE_CHECKING:
    from mtu_mcp.catalogue import Choice

Engine = Literal["auto", "openai", "baidu", "jina", "qwen", "gemini"]

ANSWER_ORDER: Final = ("openai", "qwen", "gemini", "jina", "baidu")
"""`auto` for an answer; Jina takes minutes, and Baidu gives results only, so it needs a second call."""
RESULTS_ORDER: Final = ("baidu", "openai", "jina")
"""`auto` for results; Qwen gives no sources through this protocol, and gateways rarely pass on Gemini's."""
MOST_TITLE: Final = 500
MOST_ADDRESS: Final = 8_000
MOST_QUOTE: Final = 8_000
"""Characters of a source's parts; a gateway may write a whole page, or anything, where its title belongs."""


@dataclass(frozen=True, slots=True)
class Query:
    """What one search asks; equal queries are the same search."""

    text: str
    engine: Engine
    raw: bool
    model: str
    filters: Filters
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
            "title": self.title[:MOST_TITLE],
            "url": self.url[:MOST_ADDRESS],
            "quote": self.quote[:MOST_QUOTE],
            "site": self.site[:MOST_TITLE],
            "date": self.date[:MOST_TITLE],
        }
        return {name: value for name, value in pairs.items() if value}


@dataclass(slots=True)
class Found:
    """What a search gave."""

    engine: str
    model: str = ""
    text: str = ""
    sources: list[Source] = field(default_factory=list[Source])
    visited: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list[str])
    exchanges: list[Exchange] = field(default_factory=list[Exchange])
    cut: bool = False

    def miss(self, field: str) -> None:
        """Note that nothing shows a search, unless something does or the end, where it would stand, is missing."""
        shown = bool(self.sources or self.visited or self.queries or self.cut)
        self.notes += filter(None, [unsearched(shown, field)])

    def listed(self, quotes: int = 300) -> list[str]:
        """The sources as numbered Markdown, with up to `quotes` characters of each."""
        lines: list[str] = []
        for number, source in enumerate(self.sources, 1):
            told = source.as_dict(number)
            facts = ", ".join(filter(None, (told.get("site"), told.get("date", "").removesuffix(" 00:00:00"))))
            address = told.get("url", "")
            line = f"{number}. [{told.get('title') or address}]({address})" + (f" ({facts})" if facts else "")
            if quote := told.get("quote"):
                line += f"\n   {' '.join(quote.split())[:quotes]}"
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
    if strays := query.filters.strays(source.url for source in found.sources):
        found.notes.append(
            f"{strays} of {counted(len(found.sources), 'source')} lie outside the sites that were asked for."
        )
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
        except (UpstreamFailure, Overloaded, BadAnswer, Rejected, Filtered) as error:
            raise await _named(app, query, engine, error) from error
        if failures:
            notes.append(f"Searched with {engine}; not offered here: {_list(failures)}")
        return found
    raise NotOffered("This gateway offers none of the search engines.", advice=_list(failures) or "Ask its operator.")


async def _named(app: App, query: Query, engine: str, error: UpstreamError) -> UpstreamError:
    """The same failure with the engine's name, and how to ask another: `auto` does not go on where this may have cost."""
    order = RESULTS_ORDER if query.raw else ANSWER_ORDER
    others = [other for other in order if other != engine and not await _why_not(app, other)]
    way = f"engine={' or engine='.join(others)} asks another." if others else "No other engine is offered here."
    message = f"Searching with {engine} failed. {error.message}"
    return type(error)(
        message,
        advice=f"{error.advice} {way}".strip(),
        status=error.status,
        code=error.code,
        request_id=error.request_id,
        retry_after=error.retry_after,
    )


def _list(failures: list[str]) -> str:
    return "; ".join(failure.rstrip(".") for failure in failures)[:600] + "." if failures else ""


async def _why_not(app: App, engine: str) -> str:
    """Say why an engine cannot work here, as far as that is known without asking it; empty when it may."""
    if engine == "baidu":
        return app.missing.get("baidu", "")
    capability = _CAPABILITIES[engine]
    offer = await app.catalogue.offered()
    model = (await choose(app, capability, "")).model
    if engine == "openai" and "responses" in app.missing and not _in_chat(app, model):
        return app.missing["responses"]
    return "" if not offer.live or model in offer.names else f"the gateway lists no model for it ({model} is missing)"


async def _openai(app: App, query: Query) -> Found:
    chosen = await choose(app, "search", query.model)
    if not _in_chat(app, chosen.model):
        return await _by_responses(app, query, chosen)
    if other := await _filtering(app, query, chosen.model):
        try:
            return await _by_responses(app, query, other)
        except (NotOffered, UnknownModel):
            pass  # that cost nothing; the search model is asked in words
    applied = for_openai_chat(query.filters, chosen.model, query.options)
    found = await _by_chat(app, replace(query, options={}), "openai", chosen, applied)
    found.miss("web_search_options")
    return found


def _in_chat(app: App, model: str) -> bool:
    """Whether it is one of the search models, which live on the chat endpoint and always search."""
    return "search" in model or "chat_search" in app.catalogue.entry(model).traits


async def _filtering(app: App, query: Query, model: str) -> Choice | None:
    """The model to ask instead of a search model where hosts were named and no model: the search tool filters by them."""
    if not query.filters.sites or query.model.strip() or app.settings.model_search or "responses" in app.missing:
        return None
    other = await app.catalogue.first_with("search", "responses_search")
    why = f"its search filters by site, which {model} cannot"
    return replace(other, why=why, expected=False) if other else None


async def _by_responses(app: App, query: Query, chosen: Choice) -> Found:
    model = chosen.model
    applied = for_openai(query.filters, query.options)
    options = {"include": ["web_search_call.action.sources"], **applied.fields}
    async with asking(app, "responses", model, "search"):
        reply = await app.gateway.respond(ResponsesRequest(model, query.text + applied.words, options=options))
    found = Found("openai", reply.model or model, reply.text, _sources(reply.citations), reply.visited, reply.searches)
    found.cut = bool(reply.cut)
    found.notes += filter(None, [remark(chosen), *applied.notes, incomplete(reply.cut)])
    found.miss("the search tool")
    return found


async def _baidu(app: App, query: Query) -> Found:
    async with asking(app, "baidu", query.model, "search"):
        search = BaiduSearch(query.text, options={**for_baidu(query.filters).fields, **query.options})
        reply = await app.gateway.search_baidu(search)
    sources = [Source(hit.title, hit.url, hit.snippet, hit.site, hit.date) for hit in reply.hits]
    notes = [f"Baidu's search takes no model, so {query.model} was not used."] if query.model else []
    if len(search.read) < len(query.text):
        notes.append(f"Baidu reads 72 units of a query (a Chinese character is two), so it searched for: {search.read}")
    return Found("baidu", "", reply.text, sources, notes=notes)


async def _jina(app: App, query: Query) -> Found:
    chosen = await choose(app, "research", query.model)
    found = await _by_chat(app, query, "jina", chosen, for_jina(query.filters))
    if not found.sources:
        found.sources = [Source("", url) for url in found.visited]
    found.miss("what asks for it")
    return found


async def _qwen(app: App, query: Query) -> Found:
    chosen = await choose(app, "qwen_search", query.model)
    relay = await app.catalogue.is_relay()
    found = await _by_chat(app, query, "qwen", chosen, for_qwen(query.filters, query.options, relay=relay))
    if not found.sources:
        note = "Qwen's search gives no list of sources through this protocol, so nothing shows whether it searched."
        found.notes.append(note)
    return found


async def _gemini(app: App, query: Query) -> Found:
    """Google's search as gateways offer it: a function of that name, which they turn into Gemini's own tool."""
    chosen = await choose(app, "gemini_search", query.model)
    tools = [{"type": "function", "function": {"name": "googleSearch"}}]
    found = await _by_chat(app, query, "gemini", chosen, in_words(query.filters, "Gemini"), {"tools": tools})
    if not found.sources:
        found.notes.append("The gateway passed on none of the sources Gemini used, if it searched at all.")
    return found


async def _by_chat(
    app: App, query: Query, engine: str, chosen: Choice, applied: Applied, own: Mapping[str, Any] | None = None
) -> Found:
    """Ask a model that searches by itself."""
    options = {**(own or {}), **query.options, **applied.fields}
    messages = [{"role": "user", "content": query.text + applied.words}]
    async with asking(app, "chat/completions", chosen.model, _CAPABILITIES[engine]):
        reply = await app.gateway.chat(ChatRequest(chosen.model, messages, options=options))
    remarks = (remark(chosen), *applied.notes, incomplete(reply.cut), *unheeded(options, reply))
    notes = [note for note in remarks if note]
    text = reply.text or reply.refusal
    found = Found(engine, reply.model, text, _sources(reply.citations), reply.visited, reply.queries, notes)
    found.cut = bool(reply.cut)
    return found


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
    "gemini": _gemini,
}
_CAPABILITIES: Final[Mapping[str, Any]] = {
    "openai": "search",
    "jina": "research",
    "qwen": "qwen_search",
    "gemini": "gemini_search",
}
