"""Search by Responses, by Baidu's route and by Jina's stream."""

import pytest

from mtu_mcp.sandbox.baidu import cut_query
from mtu_mcp.sandbox.corpus import pages, search
from sandbox.asking import read_events

QUESTION = "How high is the Eiffel Tower?"


def respond(raw, **fields):
    return raw.post("/v1/responses", json={"model": "gpt-4o", "input": QUESTION} | fields)


def baidu(raw, *texts, **fields):
    turns = [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(texts)]
    return raw.post("/v2/ai_search/web_search", json={"messages": turns} | fields)


def jina(raw, question=QUESTION, **fields):
    body = {"model": "jina-deepsearch-v1", "messages": [{"role": "user", "content": question}]} | fields
    return raw.post("/v1/chat/completions", json=body)


def test_every_source_is_under_a_reserved_domain():
    """RFC 2606: example domains belong to nobody."""
    assert len(pages()) >= 60
    assert all(page.host.endswith((".example.com", ".example.org", ".example.net")) for page in pages())


def test_search_ranks_the_fitting_page_first():
    assert search("electric car batteries", 5)[0].page.title == "Electric car batteries"
    assert search("大熊猫吃什么", 5)[0].page.title == "大熊猫"
    assert search("zyzzyva", 5) == []


def test_a_response_searches_and_cites_flat(raw):
    """API reference of Responses: annotations are flat, sources only when included."""
    include = ["web_search_call.action.sources"]
    answer = respond(raw, tools=[{"type": "web_search"}], include=include).json()
    call, message = answer["output"]
    part = message["content"][0]
    cited = part["annotations"][0]
    assert call["action"]["sources"][0] == {"type": "url", "url": cited["url"]}
    assert cited["url"] in part["text"][cited["start_index"] : cited["end_index"]]
    assert (answer["store"], answer["status"]) == (True, "completed")
    assert "output_text" not in answer


def test_a_response_streams_its_events_in_order(raw):
    """Each event has its `event:` line and a sequence number rising from 0; there is no [DONE]."""
    answer = respond(raw, tools=[{"type": "web_search"}], stream=True)
    events = read_events(answer.text)
    kinds = list(dict.fromkeys(event["type"] for event in events))
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.web_search_call.in_progress",
        "response.web_search_call.searching",
        "response.web_search_call.completed",
        "response.output_item.done",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.annotation.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.completed",
    ]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert "event: response.completed\n" in answer.text
    assert "[DONE]" not in answer.text


def test_search_keeps_to_allowed_domains(raw):
    tool = {"type": "web_search", "filters": {"allowed_domains": ["kitchen.example.com"]}}
    answer = respond(raw, input="green tea", tools=[tool], include=["web_search_call.action.sources"]).json()
    assert {source["url"].split("/")[2] for source in answer["output"][0]["action"]["sources"]} == {
        "kitchen.example.com"
    }


def test_a_response_can_be_continued_and_cut(raw):
    first = respond(raw, input="My name is Ada.").json()
    again = respond(raw, input="What is my name?", previous_response_id=first["id"]).json()
    assert "Ada" in again["output"][0]["content"][0]["text"]
    short = respond(raw, input="Count to 90", max_output_tokens=16).json()
    assert (short["status"], short["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})


def test_function_tools_are_flat_in_responses(raw):
    tool = {"type": "function", "name": "get_weather", "parameters": {"type": "object", "properties": {}}}
    output = respond(raw, input="weather?", tools=[tool]).json()["output"][0]
    assert (output["type"], output["name"]) == ("function_call", "get_weather")
    nested = {"type": "function", "function": {"name": "get_weather"}}
    assert respond(raw, tools=[nested]).json()["error"]["param"] == "tools[0].function"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"background": True, "store": False}, "background"),
        ({"messages": []}, "messages"),
        ({"max_output_tokens": 3}, "max_output_tokens"),
        ({"include": ["everything"]}, "include[0]"),
        ({"previous_response_id": "resp_none"}, "previous_response_id"),
        ({"tools": [{"type": "web_search_preview", "filters": {}}]}, "tools[0].filters"),
    ],
)
def test_what_responses_do_not_take_is_refused(raw, fields, param):
    answer = respond(raw, **fields)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_baidu_answers_references_for_the_last_message(raw, version):
    """Qianfan's document of ai_search/web_search."""
    turns = [{"role": "user", "content": "新能源汽车电池"}]
    answer = raw.post(f"/{version}/ai_search/web_search", json={"messages": turns}).json()
    first = answer["references"][0]
    assert (first["id"], first["title"], first["type"]) == (1, "新能源汽车的电池", "web")
    assert answer["request_id"]


def test_baidu_cuts_the_query_at_72_units():
    """A Chinese character is two units."""
    assert cut_query("字" * 50) == "字" * 36
    assert cut_query("a" * 100) == "a" * 72
    assert cut_query("a" + "字" * 50) == "a" + "字" * 35


def test_baidu_filters_by_count_site_and_time(raw):
    few = [{"type": "web", "top_k": 1}]
    assert len(baidu(raw, "绿茶", resource_type_filter=few).json()["references"]) == 1
    site = {"match": {"site": ["kitchen.example.com"]}}
    assert {each["website"] for each in baidu(raw, "tea", search_filter=site).json()["references"]} == {
        "Example Kitchen"
    }
    assert baidu(raw, "tides", search_recency_filter="week").json()["references"] == []
    since = {"range": {"page_time": {"gte": "2026-09-14", "lt": "2026-09-15"}}}
    assert len(baidu(raw, "tides", search_filter=since).json()["references"]) == 1
    before = {"range": {"page_time": {"lt": "2026-09-14"}}}
    assert all(each["date"] < "2026-09-14" for each in baidu(raw, "tides", search_filter=before).json()["references"])
    assert baidu(raw, "tides", block_websites=["science.example.org"]).json()["references"] == []


@pytest.mark.parametrize(
    ("texts", "fields", "message"),
    [
        (("a", "b"), {}, "odd"),
        (("a",), {"resource_type_filter": [{"type": "web", "top_k": 51}]}, "at most 50"),
        (("a",), {"model": "ernie"}, "Unknown parameter: 'model'"),
        (("a",), {"search_filter": {"range": {"page_time": {"gte": "yesterday"}}}}, "YYYY-MM-DD"),
        (("a",), {"block_websites": ["x.example"] * 21}, "maximum length 20"),
    ],
)
def test_baidu_refuses_at_the_top_level(raw, texts, fields, message):
    """Failures are `code` and `message` without an `error` object."""
    answer = baidu(raw, *texts, **fields).json()
    assert "error" not in answer
    assert answer["code"]
    assert message in answer["message"]


def test_jina_thinks_visits_and_answers_whole_in_the_last_chunk(raw):
    """Jina DeepSearch's stream: `thinking_end` is not the end, url and query deltas have no content, no [DONE]."""
    answer = jina(raw, stream=True)
    chunks = read_events(answer.text)
    choices = [chunk["choices"][0] for chunk in chunks]
    assert choices[0]["delta"] == {"role": "assistant", "content": "<think>", "type": "think"}
    assert [choice["finish_reason"] for choice in choices if choice["finish_reason"]] == ["thinking_end", "stop"]
    assert all("content" not in choice["delta"] for choice in choices if choice["delta"].keys() & {"url", "query"})
    assert [choice for choice in choices if "query" in choice["delta"]]
    last = chunks[-1]
    assert "330 metres" in choices[-1]["delta"]["content"]
    assert set(choices[-1]["delta"]["annotations"][0]["url_citation"]) == {"title", "exactQuote", "url", "dateTime"}
    assert last["readURLs"][0] in last["visitedURLs"]
    assert last["usage"]["total_tokens"] > 0
    assert "[DONE]" not in answer.text


def test_jina_answers_without_a_stream_and_as_json(raw):
    message = jina(raw).json()["choices"][0]["message"]
    assert message["type"] == "text"
    assert "<think>" not in message["content"]
    schema = {"type": "object", "properties": {"metres": {"type": "integer"}}, "required": ["metres"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert jina(raw, response_format=wanted).json()["choices"][0]["message"]["type"] == "json"


def test_jina_refuses_with_a_plain_string(raw):
    body = {"model": "jina-deepsearch-v1", "messages": []}
    answer = raw.post("/v1/chat/completions", json=body)
    assert (answer.status_code, answer.json()) == (400, {"error": "Messages array is required and must not be empty"})
