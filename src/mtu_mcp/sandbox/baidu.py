"""Baidu's pure search (Qianfan AI search): POST ai_search/web_search, under /v2 as Baidu has it and under /v1.

After Qianfan's document of the route: the last message is the query, cut at 72 units (a Chinese character is two);
answers are `references`, refusals are `code` and `message` at the top level.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mtu_mcp.sandbox.bodies import read_checked
from mtu_mcp.sandbox.corpus import Hit, search
from mtu_mcp.sandbox.desk import Desk, desk_of, entry_of
from mtu_mcp.sandbox.fields import Rule, Table, boolean, integer, listing, one_of, record, string
from mtu_mcp.sandbox.refusals import BareRefusal, Invalid
from mtu_mcp.sandbox.replies import json_reply

Body = dict[str, Any]
QUERY_UNITS = 72
_MOST = {"web": 50, "video": 10, "image": 30, "aladdin": 5}
_DAYS = {"week": 7, "month": 30, "semiyear": 182, "year": 365}
_BOUNDS: Table = {name: string(1) for name in ("gte", "gt", "lte", "lt")}
_FILTER: Rule = record(
    {
        "match": record({"site": listing(string(1), 1, 20)}),
        "range": record({"page_time": record(_BOUNDS)}),
    }
)
_TABLE: Table = {
    "messages": listing(
        record({"role": one_of("user", "assistant").required(), "content": string(1).required()}), 1
    ).required(),
    "edition": one_of("standard", "lite"),
    "search_source": one_of("baidu_search_v2", "baidu_search_v1"),
    "resource_type_filter": listing(
        record({"type": one_of(*_MOST).required(), "top_k": integer(0).required()}), 0, len(_MOST)
    ),
    "search_filter": _FILTER,
    "block_websites": listing(string(1), 0, 20),
    "search_recency_filter": one_of(*_DAYS),
    "safe_search": boolean(),
    "config_id": string(),
}


async def search_web(request: Request) -> Response:
    """References for the last message."""
    desk, request_id = desk_of(request), entry_of(request).request_id
    try:
        body = await read_checked(request, _TABLE)
        _check_turns(body["messages"])
        since, until = _times(desk, body)
        wanted = _wanted(body)
    except Invalid as refusal:
        said = {"request_id": request_id, "code": "invalid_argument", "message": refusal.message}
        raise BareRefusal(400, said) from refusal
    query = cut_query(body["messages"][-1]["content"])
    sites: list[str] = body.get("search_filter", {}).get("match", {}).get("site", [])
    hits = search(query, wanted, only=sites, without=body.get("block_websites", []), since=since, until=until)
    entry_of(request).notes["query"] = query
    best = hits[0].score if hits else 1.0
    references = [_reference(place, hit, hit.score / best) for place, hit in enumerate(hits, 1)]
    return json_reply({"request_id": request_id, "references": references})


def cut_query(text: str) -> str:
    """The first 72 units of a query; a character outside Latin-1 counts two."""
    units = 0
    for place, letter in enumerate(text):
        units += 2 if ord(letter) > 0xFF else 1
        if units > QUERY_UNITS:
            return text[:place]
    return text


def _check_turns(messages: list[Body]) -> None:
    if len(messages) % 2 == 0:
        msg = "messages length must be odd"
        raise Invalid(msg, param="messages")
    for place, message in enumerate(messages):
        if message["role"] != ("user", "assistant")[place % 2]:
            msg = f"messages[{place}].role is invalid: user and assistant must take turns, the first and last are user"
            raise Invalid(msg, param=f"messages[{place}].role")


def _wanted(body: Body) -> int:
    """How many web pages; other kinds of result are not in the library."""
    asked: dict[str, int] = {}
    for each in body.get("resource_type_filter", []):
        if each["top_k"] > _MOST[each["type"]]:
            msg = f"resource_type_filter: top_k of {each['type']} must be at most {_MOST[each['type']]}"
            raise Invalid(msg, param="resource_type_filter")
        asked[each["type"]] = each["top_k"]
    return asked.get("web", 0 if asked else 20)


def _times(desk: Desk, body: Body) -> tuple[str, str]:
    today = datetime.fromtimestamp(desk.now(), UTC)
    since, until = "", "9"
    if days := _DAYS.get(body.get("search_recency_filter", "")):
        since = (today - timedelta(days=days)).date().isoformat()
    bounds: dict[str, str] = body.get("search_filter", {}).get("range", {}).get("page_time", {})
    for name, text in bounds.items():
        day = _day(text, today) + timedelta(days={"gt": 1, "lt": -1}.get(name, 0))
        if name in {"gte", "gt"}:
            since = max(since, day.isoformat())
        else:
            until = day.isoformat()
    return since, until


def _day(text: str, today: datetime) -> date:
    """`YYYY-MM-DD`, or `now-1w/d` (w, d, M, y)."""
    if text.startswith("now"):
        back = text.removeprefix("now").removesuffix("/d")
        size = {"d": 1, "w": 7, "M": 30, "y": 365}.get(back[-1:], 0)
        if not back:
            return today.date()
        if size and back[0] == "-" and back[1:-1].isdigit():
            return (today - timedelta(days=size * int(back[1:-1]))).date()
    else:
        try:
            return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
        except ValueError:
            pass
    msg = f"search_filter.range.page_time: '{text}' is neither YYYY-MM-DD nor now-1w/d"
    raise Invalid(msg, param="search_filter")


def _reference(place: int, hit: Hit, share: float) -> Body:
    return {
        "id": place,
        "title": hit.page.title,
        "url": hit.page.url,
        "web_anchor": hit.page.title,
        "website": hit.page.site,
        "icon": "",
        "content": f"{hit.page.text} [embedded gateway]",
        "date": f"{hit.page.date} 00:00:00",
        "type": "web",
        "image": None,
        "video": None,
        "is_aladdin": False,
        "aladdin": None,
        "rerank_score": round(share, 4),
        "authority_score": 0.5,
    }


ROUTES = [Route(f"/{version}/ai_search/web_search", search_web, methods=["POST"]) for version in ("v2", "v1")]
