"""Which pages a search may use: how new, and from which hosts; in the words of each engine.

Engines filter by different things. What one cannot do is asked of it in words, which a model may heed and a filter
would have enforced; so it is said, and the sources that came are held against the hosts that were asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast
from urllib.parse import urlsplit

from mtu_mcp.errors import BadInput

Recency = Literal["day", "week", "month", "year"]

MOST_SITES: Final = 20
"""Qianfan AI search takes 20 hosts, Model Studio 25, OpenAI 100."""
_FRESHNESS: Final = {"day": 7, "week": 7, "month": 30, "year": 365}
"""Model Studio, search_options.freshness: 7, 30, 180 or 365 days."""
_OF_THE_SEARCH: Final = ("search_context_size", "user_location", "external_web_access")
"""What OpenAI's search itself is told, as the web search guide has it."""
_HOST: Final = re.compile(r"(?=.{1,253}$)[\w-]{1,63}(\.[\w-]{1,63})+")


@dataclass(frozen=True, slots=True)
class Filters:
    """What was asked for; equal filters are the same search."""

    recency: Recency | None = None
    sites: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.recency is not None or bool(self.sites)

    def words(self, *, recency: bool = True, sites: bool = True) -> str:
        """The same as a sentence to put after a question; empty where nothing was asked for."""
        asked: list[str] = []
        if recency and self.recency:
            asked.append(f"of the last {self.recency}")
        if sites and self.sites:
            asked.append(f"from {' or '.join(self.sites)}")
        return f"\n\n(Use only sources {' '.join(asked)}.)" if asked else ""

    def strays(self, urls: Iterable[str]) -> int:
        """How many addresses lie outside the hosts asked for."""
        return sum(not self._covers(url) for url in urls) if self.sites else 0

    def _covers(self, url: str) -> bool:
        host = (urlsplit(url).hostname or "").casefold()
        return any(host == site or host.endswith(f".{site}") for site in self.sites)


@dataclass(slots=True)
class Applied:
    """How an engine is asked: fields of the request, words after the question, and what the reader should know."""

    fields: dict[str, Any] = field(default_factory=dict[str, Any])
    words: str = ""
    notes: list[str] = field(default_factory=list[str])


def read_filters(recency: Recency | None, sites: Sequence[str] | None) -> Filters:
    """Read what was asked for; addresses are taken for their hosts.

    Raises:
        BadInput: One of the sites is no host.
    """
    hosts = [_host(site) for site in sites or ()]
    return Filters(recency, tuple(dict.fromkeys(hosts)))


def _host(site: str) -> str:
    text = site.strip().casefold()
    try:
        host = urlsplit(text if "//" in text else f"//{text}").hostname or ""
    except ValueError:
        host = ""
    if not _HOST.fullmatch(host):
        raise BadInput(f"sites holds {site[:80]!r}, which is no host.", advice="Give hosts such as example.com.")
    return host.removeprefix("www.")


def in_words(filters: Filters, engine: str, *, recency: bool = True, sites: bool = True) -> Applied:
    """Ask in words for what an engine has no filter for.

    Args:
        filters: What was asked for.
        engine: Its name, for the reader.
        recency: Whether it cannot filter by age.
        sites: Whether it cannot filter by host.
    """
    lacks = [
        name
        for name, lacking, asked in (("age", recency, filters.recency), ("site", sites, filters.sites))
        if lacking and asked
    ]
    if not lacks:
        return Applied()
    note = f"{engine} cannot filter by {' or '.join(lacks)}; it was only asked to in words."
    return Applied(words=filters.words(recency=recency, sites=sites), notes=[note])


def for_openai(filters: Filters, options: Mapping[str, Any]) -> Applied:
    """The web_search tool of the Responses API: filters.allowed_domains, and what `options` holds for the tool.

    How much is read and from where is asked for (`search_context_size`, `user_location`) belongs to the tool here, and to
    `web_search_options` in chat; both forms are taken, by these names or within a web_search tool among `tools`.
    """
    applied = in_words(filters, "OpenAI's search", sites=False)
    own = _settings(options)
    if place := own.get("user_location"):
        own["user_location"] = {"type": "approximate", **{key: place[key] for key in place if key != "type"}}
    found, others = _tools(options)
    tool: dict[str, Any] = {"type": "web_search", **found, **own}
    if filters.sites:
        tool["filters"] = {"allowed_domains": list(filters.sites)}
    applied.fields = {**_others(options), "tools": [tool, *others]}
    return applied


def for_openai_chat(filters: Filters, model: str, options: Mapping[str, Any]) -> Applied:
    """The search models of chat completions: `web_search_options`, where the place is nested under `approximate`."""
    applied = in_words(filters, model)
    own = _settings(options)
    if place := own.get("user_location"):
        own["user_location"] = {
            "type": "approximate",
            "approximate": {key: place[key] for key in place if key != "type"},
        }
    _, others = _tools(options)
    applied.fields = {**_others(options), "web_search_options": own, **({"tools": others} if others else {})}
    return applied


def _settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """What `options` say of the search itself, the place without its nesting."""
    given: Any = options.get("web_search_options")
    own: dict[str, Any] = {**cast("dict[str, Any]", given)} if isinstance(given, dict) else {}
    own |= {name: options[name] for name in _OF_THE_SEARCH if name in options}
    place: Any = own.get("user_location")
    if isinstance(place, dict):
        inner: Any = cast("dict[str, Any]", place).get("approximate")
        own["user_location"] = dict(cast("dict[str, Any]", inner if isinstance(inner, dict) else place))
    else:
        own.pop("user_location", None)
    return own


def _others(options: Mapping[str, Any]) -> dict[str, Any]:
    taken = {*_OF_THE_SEARCH, "web_search_options", "tools"}
    return {name: value for name, value in options.items() if name not in taken}


def _tools(options: Mapping[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    """The web_search tool among the `tools` of the options, and the others."""
    given: Any = options.get("tools")
    listed = cast("list[Any]", given) if isinstance(given, list) else []
    searching = [cast("dict[str, Any]", tool) for tool in listed if _searches(tool)]
    return (searching[0] if searching else {}), [tool for tool in listed if not _searches(tool)]


def _searches(tool: Any) -> bool:
    return isinstance(tool, dict) and str(cast("dict[str, Any]", tool).get("type", "")).startswith("web_search")


def for_baidu(filters: Filters) -> Applied:
    """Qianfan AI search: search_recency_filter from a week up, a range of page_time for a day, match.site."""
    found: dict[str, Any] = {}
    if filters.sites:
        found["match"] = {"site": list(filters.sites)}
    if filters.recency == "day":
        found["range"] = {"page_time": {"gte": "now-1d/d"}}
    fields: dict[str, Any] = {"search_filter": found} if found else {}
    if filters.recency not in (None, "day"):
        fields["search_recency_filter"] = filters.recency
    return Applied(fields)


def for_jina(filters: Filters) -> Applied:
    """Jina DeepSearch: only_hostnames."""
    applied = in_words(filters, "Jina", sites=False)
    applied.fields = {"only_hostnames": list(filters.sites)} if filters.sites else {}
    return applied


def for_qwen(filters: Filters, options: Mapping[str, Any], *, relay: bool = False) -> Applied:
    """Model Studio: freshness and assigned_site_list, which belong to the turbo strategy (the default).

    Args:
        filters: What was asked for.
        options: Further fields of the call.
        relay: Whether the gateway is of the kind that drops search_options; the filters then stand in words, too.
    """
    given: Any = options.get("search_options")
    asked: dict[str, Any] = {"forced_search": True, **(given if isinstance(given, dict) else {})}
    applied = Applied()
    if asked.get("search_strategy", "turbo") != "turbo":
        applied = in_words(filters, f"Qwen's {asked['search_strategy']} search")
    else:
        if filters.recency:
            asked.setdefault("freshness", _FRESHNESS[filters.recency])
        if filters.sites:
            asked.setdefault("assigned_site_list", list(filters.sites))
        if filters.recency == "day":
            applied.notes.append("Qwen's search goes back a week at least, so day means seven days.")
    applied.fields = {"enable_search": True, "search_options": asked}
    if relay and filters:
        applied.words = filters.words()
        applied.notes.append("Gateways of this kind drop search_options, so the filters were also asked for in words.")
    return applied
