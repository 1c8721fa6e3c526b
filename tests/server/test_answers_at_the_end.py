"""Answers that are leaving over HTTP when the server is told to stop."""

from typing import Any

import anyio

from mtu_mcp.server.answers import Answers
from mtu_mcp.server.deliveries import Deliveries


async def test_an_answer_whose_head_has_left_leaves_whole() -> None:
    """RFC 9112, 6.3: fewer bytes than Content-Length says are an incomplete message; uvicorn breaks over it."""
    sent: list[Any] = []
    body = {"type": "http.response.body", "body": b"{}", "more_body": False}

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        answers.stop()
        await send(body)

    async def receive() -> Any:
        await anyio.sleep_forever()

    async def send(message: Any) -> None:
        sent.append(message)

    answers = Answers(Deliveries(app))
    await answers({"type": "http", "path": "/mcp"}, receive, send)
    assert sent[1:] == [body]
