"""Every awkward shape of a stream, from a file, whole and cut at every byte."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.scripted import Scripted, events, open_gateway
from mtu_mcp.errors import BadAnswer, Filtered, MtuError, Overloaded, Rejected, UpstreamFailure
from mtu_mcp.gateway import ChatAnswer, ChatRequest, Citation, Gateway, ResponsesAnswer, ResponsesRequest, ToolCall

FOLDER = Path(__file__).parent / "streams"
HELLO = bytes(range(18))


@dataclass
class Expected:
    """What a file must give: fields of the answer, or an error and words of it."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    error: type[MtuError] | None = None
    words: str = ""
    model: str = "m"


def answer(text: str, finish: str = "stop", model: str = "m", **fields: Any) -> Expected:
    return Expected({"text": text, "finish": finish, "cut": "", **fields}, model=model)


def cut(text: str, why: str, finish: str = "") -> Expected:
    return Expected({"text": text, "finish": finish, "cut": why})


ENDED = "the stream ended without a finish"
FRANCE = {
    "searches": ("capital of France",),
    "citations": (Citation("https://a.example", "A", start=0, end=5),),
    "model": "gpt-x",
    "id": "resp_1",
}
EXPECTED = {
    "openai-plain": answer("Héllo 世界 🎉", id="chatcmpl-1"),
    "openai-crlf-lines": answer("ab"),
    "openai-cr-lines": answer("ab"),
    "comment-pings": answer("one two"),
    "no-done": answer("complete"),
    "no-blank-lines": answer("one two"),
    "no-final-newline": answer("all of it"),
    "no-space-after-colon": answer("tight"),
    "data-over-several-lines": answer("joined"),
    "prefix-written-twice": answer("twice"),
    "done-without-finish": answer("whole", finish=""),
    "cut-after-text": cut("half an ans", ENDED),
    "cut-inside-a-chunk": cut("half", ENDED),
    "cut-before-text": Expected(error=BadAnswer, words="ended before it began"),
    "garbled-line": cut("one three", "1 unreadable piece of the stream had to be left out", "stop"),
    "keep-alive-as-data": answer("fine"),
    "error-before-text": Expected(error=Overloaded, words="The server is overloaded"),
    "error-after-text": cut("so far", "the gateway sent an error in the stream: upstream died"),
    "error-event": Expected(error=UpstreamFailure, words="out of memory"),
    "error-field-before-text": Expected(error=UpstreamFailure, words="context shift failed"),
    "error-field-after-text": cut("so far", "the gateway sent an error in the stream: context shift failed"),
    "error-field-in-words": cut("so far", "the gateway sent an error in the stream: out of memory"),
    "error-bare-line": cut("so far", "the gateway sent an error in the stream: bad upstream"),
    "error-native-dashscope": Expected(error=Filtered, words="inappropriate"),
    "content-filter-without-text": Expected(error=Filtered, words="nothing of the answer"),
    "length": cut("as long as", "stopped at the token limit", "length"),
    "nulls-everywhere": answer("x"),
    "qwen-omni-usage-chunk-with-empty-choices": answer("一只猫", model="qwen-omni-turbo"),
    "qwen-omni-audio": answer("你好", audio=HELLO),
    "audio-base64-cut-anywhere": answer("hi", audio=HELLO),
    "qwen-reasoning": answer("42", reasoning="let me see"),
    "think-tags": answer("42 < 43", reasoning="let me see"),
    "think-tags-torn": answer("yes <think> no", reasoning="a<b"),
    "qwen-mt-plus-cumulative": answer("I did not laugh", model="qwen-mt-plus"),
    "qwen-mt-plus-made-incremental": answer("Hello, world", model="qwen-mt-turbo"),
    "qwen-mt-flash-incremental": answer("hahahaha", model="qwen-mt-flash"),
    "qwen-mt-unknown-cumulative": answer("I did not", model="vendor/qwen-mt-next"),
    "qwen-mt-unknown-incremental": answer("IIt is", model="qwen-mt-next"),
    "jina-deepsearch": answer(
        "It is Y.[^1]",
        reasoning="I look it up",
        queries=("capital of X",),
        visited=("https://a.example/1", "https://b.example"),
        citations=(Citation("https://a.example/1", "A", "Y is", date="2025-01-01"),),
    ),
    "jina-error": Expected(error=UpstreamFailure, words="Budget is gone"),
    "tool-call-fragments": answer(
        "",
        "tool_calls",
        tool_calls=(ToolCall("call_1", "get_weather", '{"city":"北京"}'), ToolCall("call_2", "get_time", "{}")),
    ),
    "tool-calls-all-index-0": answer(
        "", "tool_calls", tool_calls=(ToolCall("a", "f", '{"x":1}'), ToolCall("b", "f", '{"x": 2}'))
    ),
    "tool-calls-without-index": answer(
        "", "tool_calls", tool_calls=(ToolCall("a", "f", "{}"), ToolCall("b", "g", "{}"))
    ),
    "refusal": answer("", refusal="I cannot do that."),
    "annotations": answer("See it.", citations=(Citation("https://a.example", "A", start=0, end=7),)),
    "two-choices": answer("left", alternatives=("right",)),
    "emoji-cut-in-two-escapes": answer("ok 😀!"),
    "byte-order-mark": answer("marked"),
    "content-in-parts": answer("in parts"),
    "thoughts-in-parts": answer("42", reasoning="let me see"),
    "responses-web-search": answer("Paris 是首都.", **FRANCE),
    "responses-empty-output-at-the-end": answer("Paris 是首都.", **FRANCE),
    "responses-cut": Expected({"text": "Paris 是首都.", "finish": "", "cut": ENDED, **FRANCE}),
    "responses-incomplete": cut("half", "stopped at the token limit", "length"),
    "responses-failed": Expected(error=Overloaded, words="Slow down"),
    "responses-failed-after-text": cut("half", "the gateway sent an error in the stream: It broke", "failed"),
    "responses-error-event": Expected(error=Rejected, words="No such tool"),
    "responses-function-call": answer(
        "", "tool_calls", reasoning="I need the time", tool_calls=(ToolCall("call_1", "now", "{}"),)
    ),
}


async def replay(name: str, *packets: bytes) -> ChatAnswer | ResponsesAnswer | MtuError:
    return await play(name, events(*packets))


async def play(name: str, script: Scripted) -> ChatAnswer | ResponsesAnswer | MtuError:
    return await ask(open_gateway(script)[0], name)


async def ask(gateway: Gateway, name: str) -> ChatAnswer | ResponsesAnswer | MtuError:
    model = EXPECTED[name].model
    try:
        if name.startswith("responses"):
            return await gateway.respond(ResponsesRequest(model, "hello"))
        return await gateway.chat(ChatRequest(model, [{"role": "user", "content": "hello"}]))
    except MtuError as error:
        return error


def content_of(name: str) -> bytes:
    return (FOLDER / f"{name}.sse").read_bytes()


def comparable(result: ChatAnswer | ResponsesAnswer | MtuError) -> object:
    return (type(result), str(result)) if isinstance(result, MtuError) else result


def test_every_file_is_expected_and_says_where_it_comes_from():
    """Our promise: a shape somebody met is a file, with a line on its origin."""
    files = {path.stem: path.read_bytes() for path in FOLDER.glob("*.sse")}
    assert set(files) == set(EXPECTED)
    assert all(body.removeprefix(b"\xef\xbb\xbf").startswith(b": ") for body in files.values())


@pytest.mark.parametrize("name", EXPECTED)
async def test_a_stream_gives_what_it_holds(name: str):
    """Each file names its origin in its first line."""
    expected = EXPECTED[name]
    result = await replay(name, content_of(name))
    if expected.error:
        assert type(result) is expected.error
        assert expected.words in str(result)
    else:
        assert not isinstance(result, MtuError), result
        assert {key: getattr(result, key) for key in expected.fields} == expected.fields


@pytest.mark.parametrize("name", EXPECTED)
async def test_a_stream_cut_into_single_bytes_gives_the_same(name: str):
    """RFC 9112: packets have nothing to do with messages; UTF-8 is cut inside its characters here."""
    body = content_of(name)
    whole = await replay(name, body)
    assert comparable(await replay(name, *(body[i : i + 1] for i in range(len(body))))) == comparable(whole)


@pytest.mark.parametrize("name", EXPECTED)
async def test_a_stream_cut_in_two_at_any_byte_gives_the_same(name: str):
    """RFC 9112: packets have nothing to do with messages."""
    body = content_of(name)
    whole = comparable(await replay(name, body))
    places = range(1, len(body))
    gateway, _, _ = open_gateway(*(events(body[:at], body[at:]) for at in places))
    for at in places:
        assert comparable(await ask(gateway, name)) == whole, at


@pytest.mark.parametrize("name", ["openai-plain", "responses-web-search", "error-after-text", "jina-error"])
async def test_a_stream_is_known_without_its_content_type(name: str):
    """Our promise: relays mislabel, the first bytes decide."""
    body = content_of(name)
    whole = comparable(await replay(name, body))
    for label in ({"content-type": "application/json"}, {"content-type": "text/plain"}, {}):
        assert comparable(await play(name, Scripted(200, label, (body,)))) == whole
