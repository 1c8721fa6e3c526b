"""`web_search` by age and by host, deep research with its pages, Gemini's grounding, and what an engine cannot do."""

from typing import Any

import pytest

from capabilities.material import answered, bodies, call, refused, spent
from connections import MEMORY, connect, text_of
from mtu_mcp.capabilities._filters import read_filters
from mtu_mcp.gateway import BaiduSearch
from mtu_mcp.sandbox import Options, Sandbox

ONE_GATEWAY = True
Environ = dict[str, str]
TEA = "How is green tea brewed?"
KITCHEN = "kitchen.example.com"
BAIDU = "/ai_search/web_search"


def structured(result: Any) -> dict[str, Any]:
    assert result.structured_content is not None
    return result.structured_content


async def asked(environ: Environ, gateway: Sandbox, path: str = "/chat/completions", **arguments: Any) -> Any:
    """The request an engine was asked with, and the answer's text."""
    async with connect(MEMORY, environ) as client:
        result = await call(client, "web_search", query=TEA, **arguments)
    assert not result.is_error, text_of(result)
    return bodies(gateway, path)[0], text_of(result)


@pytest.mark.parametrize(
    ("recency", "field", "value"),
    [
        ("day", "search_filter", {"range": {"page_time": {"gte": "now-1d/d"}}}),
        ("week", "search_recency_filter", "week"),
        ("month", "search_recency_filter", "month"),
        ("year", "search_recency_filter", "year"),
    ],
)
async def test_baidu_filters_by_age(environ: Environ, gateway: Sandbox, recency: str, field: str, value: Any) -> None:
    """Qianfan AI search: search_recency_filter from a week up, page_time for less."""
    body, said = await asked(environ, gateway, BAIDU, engine="baidu", recency=recency, results_only=True)
    assert body[field] == value
    assert "cannot filter" not in said


async def test_baidu_filters_by_host(environ: Environ, gateway: Sandbox) -> None:
    """Qianfan AI search: search_filter.match.site."""
    sites = [f"https://www.{KITCHEN}/green-tea", "EXAMPLE.org"]
    body, said = await asked(environ, gateway, BAIDU, engine="baidu", sites=sites, results_only=True)
    assert body["search_filter"] == {"match": {"site": [KITCHEN, "example.org"]}}
    assert f"https://{KITCHEN}/" in said


@pytest.mark.parametrize(("recency", "days"), [("day", 7), ("week", 7), ("month", 30), ("year", 365)])
async def test_qwen_filters_by_age_and_host(environ: Environ, gateway: Sandbox, recency: str, days: int) -> None:
    """Alibaba Cloud Model Studio: search_options.freshness and assigned_site_list."""
    body, said = await asked(environ, gateway, engine="qwen", recency=recency, sites=[KITCHEN])
    assert body["search_options"] == {"forced_search": True, "freshness": days, "assigned_site_list": [KITCHEN]}
    assert ("a week at least" in said) == (recency == "day")


async def test_qwens_other_strategies_are_asked_in_words(environ: Environ, gateway: Sandbox) -> None:
    """Alibaba Cloud Model Studio: freshness and assigned_site_list belong to the turbo strategy."""
    options = {"search_options": {"search_strategy": "max", "enable_search_extension": True}}
    body, said = await asked(environ, gateway, engine="qwen", recency="week", options=options)
    assert body["search_options"] == {"forced_search": True, **options["search_options"]}
    assert "Use only sources of the last week." in body["messages"][0]["content"]
    assert "Qwen's max search cannot filter by age" in said


async def test_openai_filters_by_host_and_is_asked_for_age_in_words(environ: Environ, gateway: Sandbox) -> None:
    """OpenAI API reference, the web_search tool: filters.allowed_domains; nothing for age."""
    own = {**environ, "MTU_MODEL_SEARCH": "gpt-4.1"}
    body, said = await asked(own, gateway, "/responses", engine="openai", recency="month", sites=[KITCHEN])
    assert body["tools"] == [{"type": "web_search", "filters": {"allowed_domains": [KITCHEN]}}]
    assert body["input"].endswith("(Use only sources of the last month.)")
    assert "OpenAI's search cannot filter by age; it was only asked to in words." in said


async def test_a_search_model_is_asked_for_both_in_words(environ: Environ, gateway: Sandbox) -> None:
    """OpenAI API reference: web_search_options has neither."""
    named = {"engine": "openai", "model": "gpt-5-search-api"}
    body, said = await asked(environ, gateway, recency="week", sites=["example.org"], **named)
    assert body["messages"][0]["content"].endswith("(Use only sources of the last week from example.org.)")
    assert "cannot filter by age or site" in said
    assert "lie outside the sites that were asked for." in said


@pytest.mark.parametrize("engine", ["auto", "openai"])
async def test_hosts_are_filtered_by_the_search_tool_where_no_model_was_named(
    environ: Environ, gateway: Sandbox, engine: str
) -> None:
    """OpenAI API reference: only the tool of the Responses API has filters.allowed_domains; the search models have not."""
    body, said = await asked(environ, gateway, "/responses", engine=engine, sites=[KITCHEN])
    assert body["tools"] == [{"type": "web_search", "filters": {"allowed_domains": [KITCHEN]}}]
    assert f"{body['model']} was used: its search filters by site, which gpt-5-search-api cannot." in said
    assert "outside the sites" not in said


async def test_a_gateway_without_the_responses_api_is_asked_for_hosts_in_words(environ: Environ) -> None:
    """Our promise: a missing endpoint costs nothing, so the search model is asked, also by `auto` and the next time."""
    with Sandbox(Options(without=("/responses",))) as lacking:
        async with connect(MEMORY, {**environ, "MTU_BASE_URL": lacking.base_url}) as client:
            for engine in ("openai", "auto", "auto"):
                said = await answered(client, "web_search", query=TEA, engine=engine, sites=[KITCHEN])
                assert "gpt-5-search-api cannot filter by site; it was only asked to in words." in said


async def test_jina_researches_and_lists_what_it_visited(environ: Environ, gateway: Sandbox) -> None:
    """Jina DeepSearch: only_hostnames; url and query deltas on the way; visitedURLs at the end."""
    heard: list[str] = []

    async def hear(done: float, total: float | None, message: str | None) -> None:
        heard.append(message or "")

    async with connect(MEMORY, environ) as client:
        result = await client.call_tool(
            "web_search", {"query": TEA, "engine": "jina", "sites": ["example.com"]}, progress_callback=hear
        )
        data, said = structured(result), text_of(result)
    [body] = bodies(gateway)
    assert body["only_hostnames"] == ["example.com"]
    assert data["visited"]
    assert data["queries"][0] == TEA
    assert f"Searched for: {TEA}" in said
    assert all(url in said for url in data["visited"])
    assert heard


async def test_pages_of_deep_research_that_are_no_sources_are_listed_too(environ: Environ) -> None:
    """Our promise: it tells what it looked at."""
    async with connect(MEMORY, environ) as client:
        result = await call(
            client, "web_search", query="tea water mountains", engine="jina", options={"max_annotations": 1}
        )
    data, said = structured(result), text_of(result)
    assert len(data["visited"]) > len(data["sources"]) == 1
    assert f"Pages visited ({len(data['visited'])}):" in said
    assert all(f"- {url}" in said for url in data["visited"])


async def test_gemini_searches_with_google_and_names_its_sources(environ: Environ, gateway: Sandbox) -> None:
    """New API turns a function named googleSearch into Gemini's tool; LiteLLM passes the grounding on."""
    async with connect(MEMORY, environ) as client:
        result = await call(client, "web_search", query=TEA, engine="gemini", recency="week")
    data = structured(result)
    assert data["model"] == "gemini-2.5-flash"
    assert data["sources"][0]["url"] == f"https://{KITCHEN}/green-tea"
    assert data["queries"][0].startswith(TEA)
    assert bodies(gateway)[0]["tools"] == [{"type": "function", "function": {"name": "googleSearch"}}]
    assert "Gemini cannot filter by age" in text_of(result)


async def test_a_gateway_that_drops_geminis_sources_is_told(environ: Environ) -> None:
    """New API's source, 2025-12: grounding metadata is discarded."""
    with Sandbox(Options(dialect="new-api")) as relay:
        async with connect(MEMORY, {**environ, "MTU_BASE_URL": relay.base_url}) as client:
            said = await answered(client, "web_search", query=TEA, engine="gemini")
    assert "The gateway passed on none of the sources" in said


@pytest.mark.parametrize(
    ("query", "read"),
    [("a" * 72, ""), ("a" * 73, "a" * 72), ("茶" * 37, "茶" * 36), ("a" + "茶" * 40, "a" + "茶" * 35)],
)
async def test_a_query_baidu_cuts_is_said_to_be_cut(environ: Environ, query: str, read: str) -> None:
    """Qianfan AI search: 72 units, a Chinese character being two."""
    assert BaiduSearch(query).read == (read or query)
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "web_search", query=query, engine="baidu", results_only=True)
    assert ("Baidu reads 72 units" in said) == bool(read)
    if read:
        assert f"so it searched for: {read}\n" in said + "\n"


@pytest.mark.parametrize(
    "site", ["", "no host", "http://", "localhost", "a..b", "ex ample.com", "https://[::1", "x" * 300 + ".com"]
)
async def test_a_site_that_is_no_host_is_refused_before_it_costs(environ: Environ, gateway: Sandbox, site: str) -> None:
    """Our promise: hostile arguments get a clear answer and cost nothing."""
    async with connect(MEMORY, environ) as client:
        assert "is no host" in await refused(client, "web_search", query=TEA, sites=[site])
        assert "at most 20" in await refused(client, "web_search", query=TEA, sites=["example.com"] * 21)
    assert not spent(gateway)


def test_a_host_covers_its_subdomains_and_no_other() -> None:
    """Our promise: sources are held against the hosts that were asked for."""
    filters = read_filters(None, ["https://Example.com/path", "例子.测试"])
    assert filters.sites == ("example.com", "例子.测试")
    urls = ["https://example.com/", "https://a.example.com:8443/x", "https://badexample.com", "https://例子.测试/", "x"]
    assert filters.strays(urls) == 2
