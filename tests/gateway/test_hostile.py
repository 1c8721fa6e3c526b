"""Whatever a gateway sends, only errors of the tree come out, and long answers cost what they weigh."""

import gzip
import json
import random
import sys
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import SecretStr

from gateway.scripted import Scripted, events, json_body, open_gateway
from mtu_mcp.errors import BadAnswer, MtuError, Rejected, Unreachable, UpstreamError
from mtu_mcp.gateway import (
    BaiduSearch,
    ChatRequest,
    Gateway,
    ImageRequest,
    ResponsesRequest,
    TranscriptionRequest,
    Upload,
    open_scope,
)
from mtu_mcp.gateway.events import EventDecoder, decode

FOLDER = Path(__file__).parent / "streams"
STREAMS = sorted(FOLDER.glob("*.sse"))
ODD: list[Any] = [
    None, True, 0, -1, 10**400, 1.5, float("inf"), float("nan"), "", "x", "\ud800", "\x00", "0" * 5000, [], {}, [[]],
    [None], {"": ""}, {"url": 1}, {"error": 1}, {"message": {}}, "data:", "data:;base64,!", "https://", ["a", 1],
]  # fmt: skip


ENDPOINTS = 8
"""How many calls `everything` makes."""


async def everything(gateway: Gateway) -> None:
    """Ask each endpoint once; errors of the tree are fine, any other fails the test."""
    sound = Upload("a.wav", "audio/wav", data=b"")
    for ask in (
        lambda: gateway.chat(ChatRequest("m", [])),
        lambda: gateway.chat(ChatRequest("qwen-mt-x", [], stream=False)),
        lambda: gateway.respond(ResponsesRequest("m", "x")),
        lambda: gateway.generate_images(ImageRequest("m", "x")),
        lambda: gateway.transcribe(TranscriptionRequest("m", sound, "json")),
        lambda: gateway.transcribe(TranscriptionRequest("m", sound, "srt")),
        lambda: gateway.search_baidu(BaiduSearch("x")),
        lambda: gateway.list_models(),
    ):
        try:
            json.dumps(repr(await ask())).encode()
        except MtuError as error:
            str(error).encode()


def answers(body: bytes, status: int, label: str) -> list[Scripted]:
    return [Scripted(status, {"content-type": label}, (body,)) for _ in range(ENDPOINTS)]


@pytest.mark.parametrize("seed", range(60))
async def test_mutated_bytes_never_raise_outside_the_tree(seed: int):
    """Our promise: one tree of errors."""
    dice = random.Random(seed)
    body = bytearray(dice.choice(STREAMS).read_bytes() + dice.choice(STREAMS).read_bytes())
    for _ in range(dice.randrange(1, 12)):
        at = dice.randrange(len(body))
        match dice.randrange(4):
            case 0:
                body[at] = dice.randrange(256)
            case 1:
                del body[at : at + dice.randrange(40)]
            case 2:
                body[at:at] = dice.choice([b"\n\n", b"\r", b'"', b"{", b"}", b"data: ", b"\xff\xfe", b"null", b"\x00"])
            case _:
                body[at:at] = body[: dice.randrange(60)]
    label = dice.choice(["text/event-stream", "application/json", "text/plain"])
    gateway, _, _ = open_gateway(*answers(bytes(body), dice.choice([200, 200, 200, 400, 500]), label), max_retries=0)
    await everything(gateway)


def twisted(value: Any, dice: random.Random) -> Any:
    """The same JSON with a few values of any type in wrong places."""
    if dice.random() < 0.12:
        return dice.choice(ODD)
    if isinstance(value, dict):
        return {key: twisted(item, dice) for key, item in value.items() if dice.random() > 0.03}
    return [twisted(item, dice) for item in value] if isinstance(value, list) else value


def documents() -> list[Any]:
    found: list[Any] = [
        {"data": [{"b64_json": "aGk=", "url": "", "revised_prompt": "x"}], "usage": {"input_tokens": 1}, "created": 1},
        {"text": "hi", "segments": [{"start": 0, "end": 1, "text": "hi"}], "usage": {"type": "duration", "seconds": 1}},
        {"references": [{"url": "https://a", "title": "t", "content": "c"}], "request_id": "r"},
        {"object": "list", "data": [{"id": "m", "created": 1, "owned_by": "x"}]},
        {"error": {"message": "m", "type": "t", "param": None, "code": "c"}, "request_id": "r"},
        {"detail": [{"loc": ["a", 1], "msg": "m"}]},
        {"id": "r", "status": "completed", "output": [{"type": "message", "content": [{"text": "x"}]}], "usage": {}},
        {"choices": [{"message": {"content": "x", "tool_calls": [{"function": {"name": "f"}}]}}], "usage": {}},
    ]
    for path in STREAMS:
        for event in decode(path.read_bytes()):
            try:
                found.append(json.loads(event.data))
            except ValueError:
                continue
    return found


@pytest.mark.parametrize("seed", range(60))
async def test_values_of_the_wrong_type_never_raise_outside_the_tree(seed: int):
    """Our promise: one tree of errors."""
    dice = random.Random(seed)
    limit = sys.get_int_max_str_digits()
    assert limit == 0 or limit > 400
    pieces = [json.dumps(twisted(dice.choice(documents()), dice)) for _ in range(12)]
    stream = "".join(f"data: {piece}\n\n" for piece in pieces).encode()
    status = dice.choice([200, 200, 400, 404, 500])
    gateway, _, _ = open_gateway(
        *answers(stream, status, "text/event-stream"),
        *answers(pieces[0].encode(), status, "application/json"),
        max_retries=0,
    )
    await everything(gateway)
    await everything(gateway)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b'{"error":' * 50_000 + b"1" + b"}" * 50_000,
        b"data: " + b"[" * 200_000 + b"\n\n",
        b'data: {"choices":[{"delta":{"content":' + b"[" * 900 + b"]" * 900 + b"}}]}\n\n",
        b'{"choices":[{"message":{"content":{"a":' + b"[" * 900 + b"]" * 900 + b'}},"finish_reason":"stop"}]}',
        b'{"usage":{"prompt_tokens":' + b"9" * 10_000 + b"}}",
        b"\xff" * 10_000,
        b"\x00" * 10_000,
        b"\r" * 100_000,
        b"<" * 100_000,
        b"<title" * 20_000,
        b"(request id: " * 20_000,
        b'{"error":{"message":"' + b"model " * 10_000 + b'"}}',
    ],
)
@pytest.mark.parametrize("status", [200, 400, 500])
async def test_bodies_made_to_hurt_do_not(body: bytes, status: int):
    """Our promise: one tree of errors."""
    gateway, _, _ = open_gateway(*answers(body, status, "application/json"), max_retries=0)
    await everything(gateway)


async def test_one_event_cannot_fill_the_memory():
    """Our promise: a piece of a stream is bounded at 32 MB."""
    gateway, transport, _ = open_gateway(events(b"data: ", *[b"x" * (8 << 20)] * 5))
    with pytest.raises(BadAnswer, match="33,554,432 bytes"):
        await gateway.chat(ChatRequest("m", []))
    assert transport.closed == 1


@pytest.mark.parametrize("field", ["content", "reasoning_content"])
async def test_a_text_that_never_ends_is_hung_up_on(field: str):
    """Our promise: what arrived is kept, within bounds; found with a gateway that never stopped sending."""
    piece = b'data: {"choices":[{"index":0,"delta":{"content":"a","' + field.encode() + b'":"' + b"z" * (4 << 20)
    gateway, transport, _ = open_gateway(events(*[piece + b'"}}]}\n\n'] * 12))
    answer = await gateway.chat(ChatRequest("m", []))
    assert answer.cut == "it is longer than 33,554,432 characters, the most that is heard"
    assert len(answer.text) + len(answer.reasoning) < 40 << 20
    assert transport.closed == 1


@pytest.mark.parametrize("label", ["text/event-stream", "application/json", "audio/mpeg", ""])
async def test_blanks_without_end_do_not_fill_the_memory(label: str):
    """Our promise: what comes before the first word is held to be looked at, so it is bounded too."""
    blanks = [repeat(b"\n" * 65_536, 1_100) for _ in range(ENDPOINTS)]
    gateway, transport, _ = open_gateway(*(Scripted(200, {"content-type": label}, pieces) for pieces in blanks))
    await everything(gateway)
    assert transport.closed == ENDPOINTS
    assert all(next(pieces, None) for pieces in blanks)


def packed(times: int) -> bytes:
    data = json.dumps({"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}], "pad": " " * 9_000_000})
    body = data.encode()
    for _ in range(times):
        body = gzip.compress(body, 1)
    return body


@pytest.mark.parametrize(
    "label", ["gzip, gzip", "GZIP,gzip", "gzip, gzip, gzip", "deflate, gzip", "br", "zstd, identity"]
)
@pytest.mark.parametrize("status", [200, 400, 503])
async def test_an_answer_that_would_swell_without_measure_is_not_unpacked(label: str, status: int):
    """RFC 9110, section 8.4: an encoding that was not asked for. Twice packed, 300 bytes fill the memory in one packet."""
    headers = {"content-type": "application/json", "content-encoding": label}
    gateway, transport, _ = open_gateway(Scripted(status, headers, (packed(2),)), max_retries=0)
    with pytest.raises(UpstreamError) as caught:
        await gateway.chat(ChatRequest("m", [], stream=False))
    assert (caught.value.status == status) or "compressed" in str(caught.value)
    assert transport.closed == 1
    assert transport.sent[0].headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize(("label", "times"), [("gzip", 1), ("x-unknown", 0), ("UTF-8", 0), ("identity, gzip", 1)])
async def test_other_answers_are_unpacked(label: str, times: int):
    """RFC 9110, section 8.4.1.3; and some gateways put words there that are no encoding at all."""
    headers = {"content-type": "application/json", "content-encoding": label}
    gateway, _, _ = open_gateway(Scripted(200, headers, (packed(times),)))
    assert (await gateway.chat(ChatRequest("m", [], stream=False))).text == "hi"


@pytest.mark.parametrize("cut", [False, True])
async def test_an_answer_that_begins_with_blanks_is_not_taken_for_none(cut: bool):
    """DeepSeek API, keep-alive: empty lines until the answer is there, which may come in one packet with the last ones."""
    body = b"\n" * 900, b'{"id":"file-1","object":"file","deleted":false}'
    pieces = body if cut else (b"".join(body),)
    gateway, _, _ = open_gateway(Scripted(200, {"content-type": "application/json"}, pieces))
    with pytest.raises(Rejected, match="was not deleted"):
        await gateway.delete_file("file-1")


CHATTER = {
    "comments": b": alive\n\n",
    "empty deltas": b'data: {"choices":[{"delta":{}}]}\n\n',
    "usage": b'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n',
    "the beginning of JSON": b"                ",
}


@pytest.mark.parametrize("piece", CHATTER.values(), ids=CHATTER)
async def test_a_gateway_that_talks_for_ever_is_not_listened_to_for_ever(piece: bytes):
    """Our promise: the timeout bounds silence, so a bound of its own ends what is never silent, on every endpoint."""
    for label in ("text/event-stream", "application/json"):
        script = [Scripted(200, {"content-type": label}, repeat(piece)) for _ in range(ENDPOINTS)]
        gateway, transport, _ = open_gateway(*script, timeout=0.05, longest=0.05)
        await everything(gateway)
        assert transport.closed == len(transport.sent) == ENDPOINTS


async def test_what_came_before_the_end_of_patience_is_kept():
    """Our promise: what arrived is paid for, so it is given, and said to be a part."""
    begun = b'data: {"choices":[{"delta":{"content":"Once upon"}}]}\n\n'
    gateway, _, _ = open_gateway(
        Scripted(200, {"content-type": "text/event-stream"}, chain([begun], repeat(CHATTER["comments"]))),
        timeout=0.05,
        longest=1.0,
    )
    with open_scope() as scope:
        answer = await gateway.chat(ChatRequest("m", []))
    assert answer.text == "Once upon"
    assert "had not ended after 1 s" in answer.cut
    assert [(entry.state, entry.owed) for entry in scope.exchanges] == [("cut", True)]


async def test_a_head_that_never_ends_is_not_waited_for_for_ever():
    """The same before the first byte of the answer: it may have been paid for."""
    gateway, transport, _ = open_gateway(anyio.Event(), timeout=0.05, longest=0.05)
    with open_scope() as scope, pytest.raises(Unreachable, match="had not ended"):
        await gateway.chat(ChatRequest("m", []))
    assert [(entry.state, entry.owed) for entry in scope.exchanges] == [("failed", True)]
    assert len(transport.sent) == 1


async def test_a_refusal_that_drags_on_is_read_as_far_as_it_came():
    """Our promise: a refusal is told when the timeout is over, whatever still drips in."""
    said = b'{"error":{"message":"No such field: x"}}'
    script = Scripted(400, {"content-type": "application/json"}, chain([said], repeat(b" ")))
    gateway, _, _ = open_gateway(script, timeout=0.05)
    with pytest.raises(Rejected, match="No such field"):
        await gateway.chat(ChatRequest("m", []))


@pytest.mark.parametrize("key", ["sk-secret-key", "null"])
async def test_a_key_the_gateway_says_back_gets_into_nothing_that_is_kept(key: str):
    """Our promise: the key is in no answer, sidecar or record; found with a gateway that repeats its requests' headers."""
    chunk = {"id": key, "model": key, "choices": [{"index": 0, "delta": {"content": key}, "finish_reason": "stop"}]}
    picture = {"created": 1, "data": [{"b64_json": "iVBORw0KGgo=", "revised_prompt": key, "url": None}]}
    said = b"data: " + json.dumps(chunk).encode() + b"\n\ndata: [DONE]\n\n"
    gateway, _, _ = open_gateway(events(said[:70], said[70:]), json_body(json.dumps(picture)), api_key=SecretStr(key))
    answer = await gateway.chat(ChatRequest("m", []))
    made = await gateway.generate_images(ImageRequest("m", "fox"))
    shown = key if key == "null" else "***"  # a short key is a word like any other
    assert (answer.text, answer.model, made.images[0].revised_prompt) == (shown, shown, shown)


async def test_no_part_of_a_key_is_left_where_a_refusal_is_shortened():
    """Our promise: the key is in no error; found where the end of the quotation fell inside it."""
    for padding in range(180, 320):
        body = json.dumps({"error": {"message": "C" * padding + "sk-secret-key"}}).encode()
        refusal = Scripted(400, {"content-type": "application/json", "x-request-id": "sk-secret-key"}, (body,))
        gateway, _, _ = open_gateway(refusal, max_retries=0)
        with pytest.raises(MtuError) as caught:
            await gateway.chat(ChatRequest("m", []))
        assert "sk-" not in str(caught.value)
        assert "sk-" not in getattr(caught.value, "request_id", "")


def test_a_large_event_in_small_packets_is_joined_once():
    """Our promise: no cost that grows with the square of the length."""
    decoder = EventDecoder()
    packets = [b"x" * 64] * 100_000
    assert not any(decoder.feed(packet) for packet in (b"data: ", *packets))
    assert [len(event.data) for event in decoder.feed(b"\n\n")] == [6_400_000]


async def test_a_long_answer_is_put_together_whole():
    """Our promise: no cost that grows with the square of the length."""
    piece = b'data: {"choices":[{"index":0,"delta":{"content":"0123456789"}}]}\n\n'
    gateway, _, _ = open_gateway(events(*[piece] * 50_000, b"data: [DONE]\n\n"))
    assert len((await gateway.chat(ChatRequest("m", []))).text) == 500_000


async def test_an_unfinished_thought_is_a_thought():
    """Our promise: nothing that arrived is lost, and thoughts are not given as the answer."""
    gateway, _, _ = open_gateway(
        json_body('{"choices":[{"message":{"content":"<think>hm</th"},"finish_reason":"length"}]}')
    )
    answer = await gateway.chat(ChatRequest("m", []))
    assert (answer.text, answer.reasoning, answer.cut) == ("", "hm</th", "stopped at the token limit")


async def test_a_key_said_back_letter_by_letter_is_struck_too():
    """Our promise: the key is in nothing that is kept; found with a gateway that sent it in pieces of three letters."""
    key = "sk-secret-key"
    pieces = [key[at : at + 3] for at in range(0, len(key), 3)]
    said = b"".join(
        f"data: {json.dumps({'choices': [{'index': 0, 'delta': delta}]})}\n\n".encode()
        for piece in pieces
        for delta in ({"content": piece}, {"reasoning_content": piece})
    )
    spoken = b"".join(
        f"event: response.output_text.delta\ndata: {json.dumps({'type': 'response.output_text.delta', 'delta': one})}\n\n".encode()
        for one in pieces
    )
    gateway, _, _ = open_gateway(events(said, b"data: [DONE]\n\n"), events(spoken), api_key=SecretStr(key))
    with open_scope() as scope:
        answer = await gateway.chat(ChatRequest("m", []))
        response = await gateway.respond(ResponsesRequest("m", "x"))
    assert (answer.text, answer.reasoning, response.text) == ("***", "***", "***")
    assert [one.partial for one in scope.exchanges] == ["***", "***"]


def streamed(*pieces: dict[str, object]) -> bytes:
    return b"".join(b"data: " + json.dumps(piece).encode() + b"\n\n" for piece in pieces)


async def test_a_key_said_back_letter_by_letter_is_struck_wherever_letters_are_put_together():
    """Our promise: the key is in nothing that is kept: calls of tools, parts of a message, transcripts."""
    key = "sk-secret-key"
    call = [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}}]
    calls = [call, *([{"index": 0, "function": {"arguments": letter}}] for letter in key)]
    chat = streamed(*({"choices": [{"index": 0, "delta": {"tool_calls": one}}]} for one in calls))
    parts = [{"type": "output_text", "text": letter} for letter in key]
    message = {"id": "r", "status": "completed", "output": [{"type": "message", "content": parts}]}
    words = streamed(*({"type": "transcript.text.delta", "delta": letter} for letter in key))
    gateway, _, _ = open_gateway(
        events(chat, b"data: [DONE]\n\n"), json_body(json.dumps(message)), events(words), api_key=SecretStr(key)
    )
    answer = await gateway.chat(ChatRequest("m", []))
    response = await gateway.respond(ResponsesRequest("m", "x"))
    said = await gateway.transcribe(TranscriptionRequest("m", Upload("a.wav", "audio/wav", data=b"RIFF")))
    assert [one.arguments for one in answer.tool_calls] == ["{***"]
    assert (response.text, said.text) == ("***", "***")


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("sk-secret-key", "".join(f"\\u00{ord(letter):02x}" for letter in "sk-secret-key")),
        ("sk-secret/key", "sk-secret\\/key"),  # as PHP writes a slash
    ],
)
async def test_a_key_said_back_in_escapes_is_struck_too(key, written):
    """RFC 8259, section 7: any letter may be written by its number, a slash behind a backslash, and is read the same."""
    body = f'{{"created": 1, "data": [{{"b64_json": "iVBORw0KGgo=", "revised_prompt": "\\u0022{written}\\u005c"}}]}}'
    chunk = f'data: {{"id": "x", "model": "{written}", "choices": [{{"index": 0, "delta": {{"content": "a"}}}}]}}\n\n'
    gateway, _, _ = open_gateway(json_body(body), events(chunk.encode(), b"data: [DONE]\n\n"), api_key=SecretStr(key))
    made = await gateway.generate_images(ImageRequest("m", "fox"))
    answer = await gateway.chat(ChatRequest("m", []))
    assert (made.images[0].revised_prompt, answer.model) == ('"***\\', "***")
