"""Whether an answer over HTTP left: seen by the events of one response, in the order in which they may come.

Lower than a client can see, because what is tried is who comes first, and no client can choose that.
"""

from typing import Any

import pytest

from mtu_mcp.delivery import KEY, POSTED, Delivery
from mtu_mcp.server.deliveries import Deliveries

ANSWER = b'event: message\r\ndata: {"jsonrpc":"2.0","id":1,"result":{"content":[]}}\r\n\r\n'
REFUSAL = b'id: 7\r\ndata: {"jsonrpc":"2.0","id":1,"error":{"code":-32602}}\r\n\r\n'
PROGRESS = b'event: message\r\ndata: {"method":"notifications/progress","params":{"message":"\\"result\\":"}}\r\n\r\n'
PING = b": ping\r\n\r\n"
GOES = b"the client goes"
LAST = b""


async def left(*chunks: bytes) -> list[str]:
    """What is heard of a response of these chunks, the client going where it says so."""
    heard: list[str] = []

    async def inside(scope: Any, receive: Any, send: Any) -> None:
        delivery: Delivery = scope[KEY]
        delivery.once_left(lambda: heard.append("left"))
        delivery.otherwise(lambda: heard.append("kept"))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for chunk in chunks:
            if chunk == GOES:
                await receive()
            else:
                await send({"type": "http.response.body", "body": chunk, "more_body": chunk != LAST})

    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        del message

    await Deliveries(inside)({"type": "http", "path": "/mcp"}, receive, send)
    return heard


@pytest.mark.parametrize("answer", [ANSWER, REFUSAL])
@pytest.mark.parametrize("after", [(LAST,), (GOES, LAST), (GOES,), (PING, GOES)])
async def test_an_event_that_was_sent_was_given_however_soon_the_client_goes(
    answer: bytes, after: tuple[bytes, ...]
) -> None:
    """MCP, Streamable HTTP: a client may end the stream once it has the response; SDKs do. Our promise: what was given is not called ungiven."""
    assert await left(PROGRESS, answer, *after) == ["left"]


@pytest.mark.parametrize(
    "before", [(GOES, ANSWER, LAST), (PROGRESS, GOES, ANSWER), (PROGRESS, PING, GOES, LAST), (PROGRESS,)]
)
async def test_a_client_that_went_before_was_given_nothing(before: tuple[bytes, ...]) -> None:
    """Our promise: an answer nobody was given is kept for whoever asks again; word of progress is no answer."""
    assert await left(*before) == ["kept"]


ENDPOINT = b"event: endpoint\r\ndata: /messages/?session_id=0123abc\r\n\r\n"


async def left_on_the_older_pair(*chunks: bytes, number: int | str = 1, session: bytes = b"0123abc") -> list[str]:
    """What is heard of a request of a session whose stream brings these events."""
    heard: list[str] = []

    async def inside(scope: Any, receive: Any, send: Any) -> None:
        if POSTED in scope:
            delivery: Delivery = scope[POSTED](number)
            delivery.once_left(lambda: heard.append("left"))
            delivery.otherwise(lambda: heard.append("kept"))
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": ENDPOINT, "more_body": True})
        await deliveries(
            {"type": "http", "path": "/messages/", "query_string": b"session_id=" + session}, receive, send
        )
        for chunk in chunks:
            if chunk == GOES:
                await receive()
            else:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        del message

    deliveries = Deliveries(inside)
    await deliveries({"type": "http", "path": "/sse", "query_string": b""}, receive, send)
    return heard


@pytest.mark.parametrize("answer", [ANSWER, REFUSAL])
async def test_on_the_older_pair_an_answer_is_an_event_of_the_sessions_stream(answer: bytes) -> None:
    """MCP 2024-11-05, HTTP with SSE: requests are posted, and answered on the stream. Our promise: given once it was sent."""
    assert await left_on_the_older_pair(PROGRESS, answer, GOES) == ["left"]
    assert await left_on_the_older_pair(PROGRESS, GOES, answer) == ["kept"]
    assert await left_on_the_older_pair(PROGRESS, PING) == ["kept"]


async def test_on_the_older_pair_only_the_answer_to_a_number_is_its_answer() -> None:
    """Our promise: another request's answer is not this one's, nor is one on a stream that is not the session's."""
    assert await left_on_the_older_pair(ANSWER, number=2) == ["kept"]
    assert await left_on_the_older_pair(ANSWER, number="1") == ["kept"]
    assert await left_on_the_older_pair(ANSWER, session=b"beef") == ["kept"]
    quoted = ANSWER.replace(b'"id":1', b'"id":"a \\" b"')
    assert await left_on_the_older_pair(quoted, number='a " b') == ["left"]
