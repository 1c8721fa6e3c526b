"""Asking a sandbox over a real socket: the few shapes the tests of this room share."""

import base64
import io
import json
from typing import Any

import httpx
from PIL import Image

from mtu_mcp.sandbox import Sandbox


def client_of(sandbox: Sandbox) -> httpx.Client:
    return httpx.Client(base_url=sandbox.root, headers={"authorization": "Bearer sk-test"}, trust_env=False, timeout=20)


class Chat:
    """POST /v1/chat/completions in one call."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def __call__(self, question: Any = "Hello", *, fault: str = "", **fields: Any) -> httpx.Response:
        messages = question if isinstance(question, list) else [{"role": "user", "content": question}]
        body = {"model": "gpt-4o", "messages": messages} | fields
        headers = {"x-sandbox-fault": fault} if fault else {}
        return self.client.post("/v1/chat/completions", json=body, headers=headers)

    def text(self, question: Any = "Hello", **fields: Any) -> str:
        answer = self(question, **fields)
        assert answer.status_code == 200, answer.text
        return answer.json()["choices"][0]["message"]["content"]

    def error(self, question: Any = "Hello", **fields: Any) -> dict[str, Any]:
        answer = self(question, **fields)
        assert answer.status_code >= 400, answer.text
        return answer.json()["error"] | {"status": answer.status_code}

    def chunks(self, question: Any = "Hello", **fields: Any) -> list[dict[str, Any]]:
        answer = self(question, stream=True, **fields)
        assert answer.status_code == 200, answer.text
        return read_events(answer.text)


def read_events(text: str) -> list[dict[str, Any]]:
    """The JSON of every data line but [DONE]."""
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def png(width: int, height: int, colour: str = "red") -> bytes:
    """A picture of one colour."""
    held = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(held, "PNG")
    return held.getvalue()


def data_uri(data: bytes, mime: str = "") -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"
