"""Baidu search: pages for a query, no model in between.

The native form answers with `references`. Some gateways put the same behind a chat-shaped answer, where the content is
either JSON holding the references or words that name sources beside them. A failure may come with status 200.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mtu_mcp.gateway.citations import Citation, read_annotations, read_sources
from mtu_mcp.gateway.shapes import content, loads, mapping, sequence, text
from mtu_mcp.gateway.usage import Usage

if TYPE_CHECKING:
    from mtu_mcp.gateway.wire import Wire

ENDPOINT: Final = "ai_search/web_search"
MODEL: Final = "baidu_search_v2"
QUERY_UNITS: Final = 72
"""Qianfan AI search: a query is cut here; a Chinese character counts two."""
_EXPECTED: Final = ("references", "choices", "search_results", "results")
_MOST: Final = 200


@dataclass(frozen=True, slots=True)
class BaiduSearch:
    """A query; Baidu reads its first 72 units, a Chinese character counting two.

    Attributes:
        query: What to look for.
        options: Further fields of the API's body: resource_type_filter, search_filter, search_recency_filter, ...
    """

    query: str
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def read(self) -> str:
        """The part of the query that Baidu reads."""
        units = 0
        for place, letter in enumerate(self.query):
            units += 2 if ord(letter) > 0xFF else 1
            if units > QUERY_UNITS:
                return self.query[:place]
        return self.query


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One page that was found.

    Attributes:
        url: Its address.
        title: Its title.
        snippet: What of it fits the query.
        site: The name of the site.
        date: "YYYY-MM-DD HH:MM:SS" in Beijing time, or empty.
        kind: web, video, image or aladdin (a result Baidu makes itself).
    """

    url: str
    title: str = ""
    snippet: str = ""
    site: str = ""
    date: str = ""
    kind: str = "web"


@dataclass(frozen=True, slots=True)
class BaiduAnswer:
    """What was found, best first; `text` only from gateways that let a model write it."""

    hits: tuple[SearchHit, ...]
    text: str = ""
    request_id: str = ""
    usage: Usage | None = None
    model: str = ""


async def search(wire: "Wire", request: BaiduSearch) -> BaiduAnswer:
    """Search with Baidu; no hits is an answer, not an error."""
    from mtu_mcp.gateway.exchange import current_scope
    from mtu_mcp.gateway.wire import Call

    messages = [{"role": "user", "content": request.query}]
    payload = {"search_source": MODEL, **request.options, "messages": messages}
    async with wire.spend(ENDPOINT, MODEL, payload) as entry:
        await current_scope().report("searching with Baidu")
        call = Call(ENDPOINT, payload=payload, key=entry.idempotency_key, url=wire.baidu_url)
        async with wire.open(call) as body:
            raw = mapping(await body.json(_EXPECTED))
            answer = _read(raw, body.request_id)
            if not answer.hits and not answer.text and not any(key in raw for key in _EXPECTED):
                raise body.odd("an object without references")
            entry.request_id, entry.usage, entry.served = answer.request_id, answer.usage, answer.model
            return answer


def _read(raw: Mapping[str, Any], request_id: str) -> BaiduAnswer:
    message = mapping(mapping(next(iter(sequence(raw.get("choices"))), None)).get("message"))
    words = content(message.get("content")).strip()
    inside: object = None
    if words.startswith(("{", "[")):
        try:
            inside = loads(words)
        except ValueError:
            inside = None
    hits = _hits(raw) or _hits(message) or _hits(mapping(inside)) or _listed(inside)
    hits = hits or [_cited(source) for source in (*read_sources(raw), *read_annotations(message.get("annotations")))]
    return BaiduAnswer(
        hits=tuple(dict.fromkeys(hits)),
        text="" if inside is not None else words,
        request_id=text(raw.get("request_id")) or request_id,
        usage=Usage.read(raw.get("usage")),
        model=text(raw.get("model")),
    )


def _hits(body: Mapping[str, Any]) -> list[SearchHit]:
    return _listed(body.get("references")) or _listed(body.get("results"))


def _listed(raw: object) -> list[SearchHit]:
    return [hit for item in sequence(raw)[:_MOST] if (hit := _hit(mapping(item)))]


def _hit(item: Mapping[str, Any]) -> SearchHit | None:
    url = (text(item.get("url")) or text(item.get("link"))).strip()
    if not url:
        return None
    return SearchHit(
        url=url,
        title=text(item.get("title")).strip() or text(item.get("web_anchor")).strip(),
        snippet=(text(item.get("content")) or text(item.get("snippet"))).strip(),
        site=text(item.get("website")) or text(item.get("site_name")),
        date=text(item.get("date")),
        kind=text(item.get("type")) or "web",
    )


def _cited(source: Citation) -> SearchHit:
    return SearchHit(url=source.url, title=source.title, snippet=source.quote, date=source.date)
