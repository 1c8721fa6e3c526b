"""A stand-in for the Messages API that a host's model answers through: it makes the call it is told, then quotes it.

    python .ci/model.py

Listens on a free loopback port and prints its address. A host that is pointed at it (ANTHROPIC_BASE_URL) and asked to
`CALL mcp__server__tool {"argument": "value"}` really lists and calls its servers' tools, and what comes back of the call
is seen as a model sees it: in the request after it.
"""

import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def wanted(body: dict[str, Any]) -> tuple[str, str]:
    """The tool and the arguments that the person asked for."""
    for message in body["messages"]:
        content = message["content"]
        texts = [content] if isinstance(content, str) else [block.get("text", "") for block in content]
        for text in texts if message["role"] == "user" else []:
            found = re.search(r"CALL (\S+) (\{.*\})", text)
            if found:
                return found[1], found[2]
    return "", ""


def results(body: dict[str, Any]) -> list[str]:
    """What tools have answered so far, as the model was told."""
    blocks = [
        block for message in body["messages"] if isinstance(message["content"], list) for block in message["content"]
    ]
    return [json.dumps(block.get("content"), ensure_ascii=False) for block in blocks if block["type"] == "tool_result"]


def events(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The stream that answers one request."""
    told, (tool, arguments) = results(body), wanted(body)
    names = [tool["name"] for tool in body.get("tools", []) if "name" in tool]
    calling = not told and tool in names
    told = told or [f"not offered; offered: {', '.join(names)}"]
    start = (
        {"type": "tool_use", "id": "toolu_1", "name": tool, "input": {}} if calling else {"type": "text", "text": ""}
    )
    delta = (
        {"type": "input_json_delta", "partial_json": arguments}
        if calling
        else {"type": "text_delta", "text": f"The tool said: {told[-1]}"}
    )
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "content": []}
    yield {"type": "message_start", "message": {**message, "stop_reason": None, "stop_sequence": None, "usage": usage}}
    yield {"type": "content_block_start", "index": 0, "content_block": start}
    yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    reason = "tool_use" if calling else "end_turn"
    yield {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage}
    yield {"type": "message_stop"}


class Model(BaseHTTPRequestHandler):
    """Answers every question with the same call."""

    def do_POST(self) -> None:
        """Answer a message, streamed whether asked so or not."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.path.startswith("/v1/messages") or "count_tokens" in self.path:
            return self._send("application/json", b'{"input_tokens": 1}')
        stream = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events(body))
        return self._send("text/event-stream", stream.encode())

    def do_GET(self) -> None:
        """Answer anything else with nothing."""
        self._send("application/json", b"{}")

    def _send(self, kind: str, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name http.server gives it
        """Say nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
