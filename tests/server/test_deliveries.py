"""Whether an answer over HTTP left: seen by the events of one response, in the order in which they may come.

Lower than a client can see, because what is tried is who comes first, and no client can choose that.
"""

from typing import Any

import pytest

from mtu_mcp.delivery import KEY, Delivery
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
