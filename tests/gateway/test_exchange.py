"""Each upstream call is settled exactly once, however it ends; what arrived is not lost."""

import asyncio
import json
from typing import Any

import anyio
import httpx
import pytest

from gateway.scripted import Scripted, events, json_body, open_gateway
from mtu_mcp.errors import BadAnswer, BadInput, MtuError, Rejected, Unreachable
from mtu_mcp.gateway import (
    ChatRequest,
    Exchange,
    Progress,
    ResponsesRequest,
    Scope,
    ToolCall,
    Usage,
    branch,
    current_scope,
    open_scope,
)

QUESTION = ChatRequest("m", [{"role": "user", "content": "hello"}])


def chunk(text: str, finish: str | None = None, **fields: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return f"data: {json.dumps({'model': 'served-m', 'choices': [choice], **fields})}\n\n".encode()


DONE = b"data: [DONE]\n\n"


async def test_a_call_that_went_well_is_done():
    """Our promise: the ledger is fed by the gateway, so a tool cannot forget to count."""
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n'
    script = events(chunk("hi", "stop"), usage, DONE)
    script.headers = {**script.headers, "x-request-id": "req-1"}
    ticks = iter([10.0, 12.5])
    gateway, _, _ = open_gateway(script, clock=lambda: next(ticks))
    with open_scope() as scope:
        await gateway.chat(QUESTION)
    (entry,) = scope.exchanges
    assert entry == Exchange(
        "chat/completions", "m", "served-m", "done", Usage(3, 2), "hi", "req-1", 2.5, entry.idempotency_key
    )
    assert entry.idempotency_key


async def test_a_call_that_was_refused_is_failed():
    """Our promise: one settled exchange for every call, also on failure."""
    gateway, _, _ = open_gateway(json_body('{"error":{"message":"no"},"request_id":"rid"}', 400))
    with open_scope() as scope, pytest.raises(Rejected):
        await gateway.chat(QUESTION)
    assert [(entry.state, entry.request_id) for entry in scope.exchanges] == [("failed", "rid")]


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (httpx.ReadError("reset"), "the connection to the gateway broke (reset)"),
        (httpx.ReadTimeout(""), "no bytes for 600 s"),
        (
            httpx.RemoteProtocolError("incomplete chunked read"),
            "the connection to the gateway broke (incomplete chunked read)",
        ),
        (httpx.DecodingError("gzip"), "the gateway's answer cannot be decompressed (gzip)"),
    ],
)
async def test_a_broken_stream_gives_what_arrived(error: Exception, why: str):
    """Our promise: an answer cut short is returned as such with what arrived."""
    gateway, transport, _ = open_gateway(events(chunk("half"), error))
    with open_scope() as scope:
        answer = await gateway.chat(QUESTION)
    assert (answer.text, answer.cut, answer.finish) == ("half", why, "")
    assert [(entry.state, entry.partial) for entry in scope.exchanges] == [("cut", "half")]
    assert transport.closed == 1


async def test_a_broken_responses_stream_gives_what_arrived():
    """Our promise: an answer cut short is returned as such with what arrived."""
    delta = b'data: {"type":"response.output_text.delta","output_index":0,"delta":"half"}\n\n'
    gateway, _, _ = open_gateway(events(delta, httpx.ReadError("")))
    answer = await gateway.respond(ResponsesRequest("m", "hello"))
    assert (answer.text, answer.cut) == ("half", "the connection to the gateway broke")


async def test_a_break_after_the_answer_does_not_matter():
    """Our promise: a finish reason is a finish, though the usage after it is lost."""
    gateway, _, _ = open_gateway(events(chunk("whole", "stop"), httpx.ReadError("reset")))
    answer = await gateway.chat(QUESTION)
    assert (answer.text, answer.cut) == ("whole", "")


async def test_a_stalled_stream_ends_at_the_timeout():
    """MTU_TIMEOUT: seconds without a byte."""
    gateway, transport, _ = open_gateway(events(chunk("half"), anyio.Event()), timeout=0.01)
    answer = await gateway.chat(QUESTION)
    assert (answer.text, answer.cut) == ("half", "no bytes for 0.01 s")
    assert transport.stalled.is_set()


async def test_a_stream_that_stalls_before_the_answer_is_unreachable():
    """MTU_TIMEOUT: seconds without a byte."""
    gateway, transport, _ = open_gateway(events(b": ping\n\n", anyio.Event()), timeout=0.01)
    with pytest.raises(Unreachable, match=r"No bytes for 0\.01 s\."):
        await gateway.chat(QUESTION)
    assert transport.closed == 1


async def test_a_gateway_that_does_not_hang_up_is_not_waited_for():
    """Our promise: [DONE] is the end."""
    gateway, transport, _ = open_gateway(events(chunk("hi", "stop") + DONE, anyio.Event()))
    assert (await gateway.chat(QUESTION)).text == "hi"
    assert transport.closed == 1


@pytest.mark.parametrize("native", [True, False])
async def test_cancelling_closes_the_connection_and_keeps_the_partial_text(native: bool):
    """MCP, cancellation: upstream work stops; our promise: the partial result is on record."""
    gateway, transport, _ = open_gateway(events(chunk("half an "), chunk("answer"), anyio.Event()))
    with open_scope() as scope:
        if native:
            task = asyncio.create_task(gateway.chat(QUESTION))
            await transport.stalled.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            async with anyio.create_task_group() as group:
                group.start_soon(gateway.chat, QUESTION)
                await transport.stalled.wait()
                group.cancel_scope.cancel()
    assert [(entry.state, entry.partial) for entry in scope.exchanges] == [("cancelled", "half an answer")]
    assert transport.closed == 1


async def test_cancelling_one_call_leaves_the_others():
    """MCP, cancellation names one request."""
    stall = anyio.Event()
    gateway, transport, _ = open_gateway(
        events(chunk("one"), anyio.Event()), events(chunk("two"), stall, chunk("!", "stop"))
    )
    first = asyncio.create_task(gateway.chat(QUESTION))
    await transport.stalled.wait()
    second = asyncio.create_task(gateway.chat(QUESTION))
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    stall.set()
    assert (await second).text == "two!"


async def test_progress_says_what_is_going_on():
    """MCP, progress: our promise is one report a packet at most, and only when there is news."""
    heard: list[str] = []

    async def report(progress: Progress) -> None:
        heard.append(progress.message)

    def delta(**fields: Any) -> bytes:
        return f"data: {json.dumps({'choices': [{'delta': fields}]})}\n\n".encode()

    steps = [
        delta(type="think", content="<think>hm"),
        delta(type="think", query="capital\nof X"),
        delta(type="think", url="https://a.example"),
        *[chunk("0123456789") * 30] * 2,
        b": ping\n\n",
        chunk("", "stop"),
    ]
    gateway, _, _ = open_gateway(events(*steps))
    with open_scope(report):
        await gateway.chat(QUESTION)
    assert heard == [
        "asking m",
        "thinking",
        "searching: capital of X",
        "reading https://a.example",
        "answering (300 characters)",
        "answering (600 characters)",
    ]


async def test_progress_that_cannot_be_delivered_does_not_cost_the_answer():
    """Our promise: an answer that is paid for is not lost to a broken progress bar."""
    calls: list[str] = []

    async def report(progress: Progress) -> None:
        calls.append(progress.message)
        raise RuntimeError("gone")

    gateway, _, _ = open_gateway(events(chunk("hi", "stop"), DONE))
    with open_scope(report):
        assert (await gateway.chat(QUESTION)).text == "hi"
    assert len(calls) == 1


def test_outside_of_a_call_there_is_a_throwaway_scope():
    """Our promise: the gateway can be used without a server."""
    assert isinstance(current_scope(), Scope)
    with open_scope() as scope:
        assert current_scope() is scope
    assert current_scope() is not scope


async def test_a_request_carries_what_was_asked_and_nothing_empty():
    """OpenAI API reference; our promise: usage is always asked for with a stream."""
    gateway, transport, _ = open_gateway(events(chunk("hi", "stop")))
    options = {"temperature": 0.5, "max_tokens": None, "stream_options": {"x": 1}, "model": "other"}
    await gateway.chat(ChatRequest("m", [{"role": "user", "content": "é\ud800"}], options=options))
    sent = transport.sent[0]
    assert sent.url == "https://gateway.test/v1/chat/completions"
    assert sent.headers["authorization"] == "Bearer sk-secret-key"
    assert sent.headers["user-agent"].startswith("mtu-mcp/")
    assert json.loads(sent.body) == {
        "model": "m",
        "messages": [{"role": "user", "content": "é?"}],
        "stream": True,
        "stream_options": {"x": 1, "include_usage": True},
        "temperature": 0.5,
    }


@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}])
async def test_a_request_that_is_no_json_is_the_callers_matter(value: object):
    """RFC 8259 knows neither NaN nor sets."""
    gateway, transport, _ = open_gateway()
    with pytest.raises(BadInput):
        await gateway.chat(ChatRequest("m", [], options={"x": value}))
    assert not transport.sent


WHOLE = {
    "id": "chatcmpl-1",
    "model": "served-m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {
                "role": "assistant",
                "content": "<think>hm</think>\n\nhello",
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
                "function_call": None,
            },
        },
        {"index": 1, "finish_reason": "length", "message": {"content": "other"}},
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2},
}


@pytest.mark.parametrize("stream", [True, False])
async def test_a_whole_answer_is_taken_where_a_stream_was_asked(stream: bool):
    """Some gateways put the stream together themselves."""
    gateway, transport, _ = open_gateway(json_body(json.dumps(WHOLE)))
    answer = await gateway.chat(ChatRequest("m", [], stream=stream))
    assert json.loads(transport.sent[0].body)["stream"] is stream
    assert (answer.text, answer.reasoning, answer.alternatives) == ("hello", "hm", ("other",))
    assert (answer.model, answer.id, answer.usage, answer.finish) == ("served-m", "chatcmpl-1", Usage(1, 2), "stop")
    assert answer.tool_calls == (ToolCall("c", "f", "{}"),)


async def test_a_stream_is_taken_where_a_whole_answer_was_asked():
    """Some gateways stream whatever is asked."""
    gateway, _, _ = open_gateway(events(chunk("hel"), chunk("lo", "stop"), DONE))
    assert (await gateway.chat(ChatRequest("m", [], stream=False))).text == "hello"


async def test_a_whole_response_is_taken_where_a_stream_was_asked():
    """OpenAI API reference, the response object."""
    body = {
        "id": "resp_1",
        "status": "completed",
        "error": None,
        "output": [
            {"type": "message", "content": [{"type": "output_text", "text": "one", "annotations": []}]},
            {
                "type": "message",
                "content": [
                    {
                        "type": "output_text",
                        "text": "two",
                        "annotations": [
                            {"type": "url_citation", "start_index": 0, "end_index": 3, "url": "https://a.example"}
                        ],
                    }
                ],
            },
        ],
    }
    gateway, _, _ = open_gateway(json_body(json.dumps(body)))
    answer = await gateway.respond(ResponsesRequest("m", "hello"))
    assert answer.text == "one\n\ntwo"
    (citation,) = answer.citations
    assert answer.text[citation.start : citation.end] == "two"


async def test_a_background_answer_that_is_not_ready_is_cut():
    """OpenAI API reference, status queued; most gateways cannot be asked later."""
    gateway, _, _ = open_gateway(json_body('{"id":"resp_1","status":"queued","output":[]}'))
    answer = await gateway.respond(ResponsesRequest("m", "hello", {"background": True}))
    assert (answer.finish, answer.cut) == ("queued", "the gateway left it queued")


@pytest.mark.parametrize("body", ["{}", json.dumps(WHOLE), "[]", "1", '{"output":null}'])
async def test_what_is_no_response_is_a_bad_answer(body: str):
    """Our promise: an empty answer is only given when the gateway gave one."""
    gateway, _, _ = open_gateway(json_body(body))
    with pytest.raises(BadAnswer):
        await gateway.respond(ResponsesRequest("m", "hello"))


async def test_bare_lines_of_json_are_a_stream():
    """Local servers that stream lines of JSON without the data: prefix."""
    body = b"".join(piece.removeprefix(b"data: ") for piece in (chunk("hel"), chunk("lo", "stop")))
    gateway, _, _ = open_gateway(Scripted(200, {}, (body,)))
    assert (await gateway.chat(QUESTION)).text == "hello"


async def test_an_answer_is_told_from_an_error_whatever_else_it_says():
    """Gateways that add a message or an empty error to every answer."""
    body = {**WHOLE, "message": "success", "code": "weird", "error": {"message": "", "type": "", "code": None}}
    gateway, _, _ = open_gateway(json_body(json.dumps(body)))
    try:
        assert (await gateway.chat(QUESTION)).text == "hello"
    except MtuError as error:
        pytest.fail(str(error))


async def test_a_closed_gateway_lets_go_of_its_connections():
    """Our promise: nothing stays open."""
    gateway, transport, _ = open_gateway(json_body('{"data":[]}'))
    await gateway.aclose()
    await gateway.list_models()
    assert not transport.left
    await gateway.aclose()
    await gateway.aclose()
    assert transport.left == 1


async def test_a_branch_counts_in_both_scopes_and_names_its_progress() -> None:
    """Our promise: calls side by side are told apart, and none is lost for the receipt."""
    heard: list[str] = []

    async def report(progress: Progress) -> None:
        heard.append(progress.message)

    gateway, _, _ = open_gateway(events(chunk("one", "stop"), DONE), events(chunk("two", "stop"), DONE))
    with open_scope(report) as whole:
        whole.aliases["m"] = "best"
        with branch("left") as left:
            await gateway.chat(QUESTION)
        with branch("right") as right:
            await gateway.chat(ChatRequest("other", QUESTION.messages))
    assert [entry.model for entry in whole.exchanges] == ["m", "other"]
    assert [entry.alias for entry in left.exchanges] == ["best"]
    assert [entry.alias for entry in right.exchanges] == [""]
    assert heard[0] == "left: asking m"
    assert "right: asking other" in heard


@pytest.mark.parametrize(
    "where",
    [
        '{"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}],"vertex_ai_grounding_metadata":[%s]}',
        '{"choices":[{"delta":{"content":"x"},"finish_reason":"stop","grounding_metadata":%s}]}',
        '{"choices":[{"delta":{"content":"x","groundingMetadata":%s},"finish_reason":"stop"}]}',
        '{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}],"groundingMetadata":%s}',
    ],
)
async def test_geminis_sources_are_read_wherever_a_gateway_puts_them(where: str) -> None:
    """Gemini API, groundingMetadata; LiteLLM names it vertex_ai_grounding_metadata and makes a list of it."""
    metadata = (
        '{"webSearchQueries":["tea"],"groundingChunks":[{"web":{"uri":"https://a.test/","title":"A"}},'
        '{"web":{"uri":""}},{},null],"groundingSupports":null}'
    )
    body = where % metadata
    stream = "delta" in body
    script = events(f"data: {body}\n\n".encode()) if stream else json_body(body)
    gateway, _, _ = open_gateway(script)
    answer = await gateway.chat(ChatRequest("gemini-2.5-flash", [{"role": "user", "content": "x"}], stream=stream))
    assert [(source.url, source.title) for source in answer.citations] == [("https://a.test/", "A")]
    assert answer.queries == ("tea",)
