"""Models, Baidu search and usage: lists and counts in several shapes."""

import json
from typing import Any

import pytest

from gateway.scripted import json_body, open_gateway
from mtu_mcp.errors import BadAnswer, QuotaExhausted, UpstreamFailure
from mtu_mcp.gateway import BaiduAnswer, BaiduSearch, SearchHit, Usage, open_scope


@pytest.mark.parametrize(
    "body",
    [
        {"object": "list", "data": [{"id": "a", "created": 1, "owned_by": "x"}, {"id": "b"}, {"id": "a"}]},
        {"success": True, "data": [{"id": "a"}, {"id": "b"}]},
        {"data": [{"type": "model", "id": "a", "created_at": "2025-01-01T00:00:00Z"}, {"id": "b"}], "has_more": False},
        {"models": [{"name": "models/a"}, {"name": "b"}]},
        [{"id": "a"}, "b", None, {"id": 3}],
        {"data": ["a", "b"]},
    ],
)
async def test_models_are_read_from_any_list(body: Any):
    """OpenAI, New API, Anthropic, Gemini and bare lists."""
    gateway, transport, _ = open_gateway(json_body(json.dumps(body)))
    with open_scope() as scope:
        assert [model.id for model in await gateway.list_models()] == ["a", "b"]
    assert (transport.sent[0].method, transport.sent[0].url) == ("GET", "https://gateway.test/v1/models")
    assert not scope.exchanges


async def test_an_empty_list_is_a_list():
    """New API answers so to a key without models."""
    gateway, _, _ = open_gateway(json_body('{"object":"list","data":[]}'), json_body('{"data":null}'), json_body("[]"))
    assert [await gateway.list_models() for _ in range(3)] == [(), (), ()]


async def test_no_list_is_a_bad_answer():
    """Our promise: an empty list is only given when the gateway gave one."""
    gateway, _, _ = open_gateway(json_body('{"hello":1}'))
    with pytest.raises(BadAnswer):
        await gateway.list_models()


REFERENCE = {
    "id": 1,
    "title": "标题",
    "url": "https://a.example",
    "web_anchor": "anchor",
    "website": "站点",
    "content": "摘要",
    "date": "2025-12-06 10:00:00",
    "type": "web",
    "image": None,
}
HIT = SearchHit("https://a.example", "标题", "摘要", "站点", "2025-12-06 10:00:00", "web")


async def searched(body: Any) -> BaiduAnswer:
    gateway, transport, _ = open_gateway(json_body(json.dumps(body)))
    answer = await gateway.search_baidu(BaiduSearch("天气", {"search_recency_filter": "week"}))
    sent = json.loads(transport.sent[0].body)
    assert sent["messages"] == [{"role": "user", "content": "天气"}]
    assert sent["search_recency_filter"] == "week"
    assert transport.sent[0].url == "https://gateway.test/v2/ai_search/web_search"
    return answer


@pytest.mark.parametrize(
    "body",
    [
        {"request_id": "r", "references": [REFERENCE, {"title": "no address"}]},
        {"request_id": "r", "code": 0, "message": "ok", "references": [REFERENCE]},
        {"request_id": "r", "choices": [{"message": {"content": json.dumps({"references": [REFERENCE]})}}]},
        {"request_id": "r", "choices": [{"message": {"content": json.dumps([REFERENCE])}}]},
    ],
)
async def test_pages_are_found_wherever_they_stand(body: Any):
    """Baidu Qianfan documents; the last two as gateways with a chat-shaped search answer."""
    assert await searched(body) == BaiduAnswer((HIT,), request_id="r")


async def test_a_written_answer_is_kept_with_its_sources():
    """Baidu Qianfan documents: with a model, choices stand beside the references."""
    answer = await searched({"choices": [{"message": {"content": "晴天[1]"}}], "references": [REFERENCE]})
    assert (answer.text, answer.hits) == ("晴天[1]", (HIT,))


async def test_nothing_found_is_an_answer():
    """Our promise: no hits is not an error."""
    assert await searched({"request_id": "r", "references": []}) == BaiduAnswer((), request_id="r")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"request_id": "r", "code": "216003", "message": "Authentication error"}, UpstreamFailure),
        ({"request_id": "r", "code": 336501, "message": "quota", "type": "quota_exceeded"}, QuotaExhausted),
        ({"hello": 1}, BadAnswer),
    ],
)
async def test_a_failure_under_200_is_a_failure(body: Any, kind: type[Exception]):
    """Baidu Qianfan documents: code and message on top, with or without a status."""
    gateway, _, _ = open_gateway(json_body(json.dumps(body)))
    with pytest.raises(kind):
        await gateway.search_baidu(BaiduSearch("天气"))


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (None, None),
        ({}, None),
        ([], None),
        ({"prompt_tokens": None}, None),
        ({"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}, Usage(5, 7)),
        ({"input_tokens": 5, "output_tokens": 7}, Usage(5, 7)),
        ({"prompt_tokens": 0, "completion_tokens": 0, "input_tokens": 5, "output_tokens": 7}, Usage(5, 7)),
        ({"prompt_tokens": 5, "completion_tokens": 7, "prompt_tokens_details": None}, Usage(5, 7)),
        (
            {"input_tokens": 5, "input_token_details": {"audio_tokens": 3, "text_tokens": 2}},
            Usage(5, input_text=2, input_audio=3),
        ),
        ({"input_tokens": 5, "input_tokens_details": {"cached_tokens": 4}}, Usage(5, cached_tokens=4)),
        ({"prompt_tokens": 5, "prompt_cache_hit_tokens": 4}, Usage(5, cached_tokens=4)),
        ({"prompt_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 2}}, Usage(5, reasoning_tokens=2)),
        ({"prompt_tokens": 5.0, "completion_tokens": "7", "x": []}, Usage(5, 7)),
        ({"prompt_tokens": "many", "completion_tokens": "7"}, Usage(0, 7)),
        ({"prompt_tokens": 5, "completion_tokens": 1e30}, Usage(5)),
        ({"prompt_tokens": 10**400, "completion_tokens": 10**13}, None),
        ({"prompt_tokens": -5, "completion_tokens": float("inf")}, Usage(0)),
        ({"prompt_tokens": True}, None),
        ({"type": "duration", "seconds": 2.5}, Usage(seconds=2.5)),
        ({"prompt_tokens": 1, "plugins": {"search": {"count": 2}}}, Usage(1, searches=2)),
    ],
)
def test_usage_is_read_from_any_family(raw: Any, expected: Usage | None):
    """OpenAI API reference, Model Studio and New API."""
    assert Usage.read(raw) == expected
