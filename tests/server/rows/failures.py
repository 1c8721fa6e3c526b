"""Calls that a gateway refuses: one of each tool and of each of its ways, and what there is to say."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from capabilities.material import picture, sound
from mtu_mcp.gateway import Operation, all_operations
from mtu_mcp.sandbox.samples import RECORDING_WORDS
from server.rows.host import Host

NOBODY: Final = "no-such-model-9"
ADVICE: Final[Mapping[str, str]] = {
    "key": "MTU_API_KEY",
    "quota": "Top up the account behind MTU_API_KEY",
    "model": NOBODY,
    "filtered": "in other words",
}
"""What the answer has to hold, by what went wrong."""


@dataclass(frozen=True)
class Way:
    """One way to use a tool.

    Attributes:
        tool: Its name.
        arguments: Arguments that work; `{picture}`, `{voice}` and `{text}` stand for files.
        path: The endpoint that is asked.
        model: The argument that names a model; empty where none does.
        kept: Whether only a gateway that keeps things has it.
    """

    tool: str
    arguments: Mapping[str, Any]
    path: str
    model: str = "model"
    kept: bool = False

    def filled(self, host: Host) -> dict[str, Any]:
        """The arguments with the files in place."""
        files = {
            "{picture}": host.put("picture.png", picture(256, 256)),
            "{voice}": host.put("voice.wav", sound(2.0, RECORDING_WORDS)),
            "{text}": host.put("text.txt", "It is 330 metres high."),
        }
        return {name: _filled(value, files) for name, value in self.arguments.items()}


def _filled(value: Any, files: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_filled(item, files) for item in cast("list[Any]", value)]
    return files.get(value, value) if isinstance(value, str) else value


CHAT: Final = "/chat/completions"
WAYS: Final[Mapping[str, Way]] = {
    "chat": Way("chat", {"prompt": "Hi", "model": "gpt-4o"}, CHAT),
    "chat by Responses": Way("chat", {"prompt": "Hi", "model": "gpt-5-codex"}, "/responses", ""),
    "understand": Way("understand", {"question": "What?", "media": ["{picture}"]}, CHAT),
    "make a picture": Way("generate_image", {"prompt": "a fox"}, "/images/generations"),
    "edit a picture": Way("generate_image", {"prompt": "snow", "images": ["{picture}"]}, "/images/edits"),
    "vary a picture": Way("generate_image", {"images": ["{picture}"]}, "/images/variations", kept=True),
    "transcribe": Way("transcribe", {"file": "{voice}"}, "/audio/transcriptions"),
    "translate speech": Way("transcribe", {"file": "{voice}", "to_english": True}, "/audio/translations"),
    "search by openai": Way("web_search", {"query": "tower", "engine": "openai", "model": "gpt-4.1"}, "/responses"),
    "search by baidu": Way("web_search", {"query": "tower", "engine": "baidu"}, "/web_search", ""),
    "search by jina": Way("web_search", {"query": "tower", "engine": "jina"}, CHAT),
    "search by qwen": Way("web_search", {"query": "tower", "engine": "qwen"}, CHAT),
    "search by gemini": Way("web_search", {"query": "tower", "engine": "gemini"}, CHAT),
    "speak": Way("speak", {"text": "Hello"}, "/audio/speech"),
    "translate": Way("translate_text", {"text": "hello", "target": "fr"}, CHAT),
    "complete code": Way("complete_code", {"prefix": "def f("}, "/v1/completions"),
    "ask a document": Way("ask_document", {"question": "How high?", "text": "It is 330 metres high."}, CHAT),
    "batch": Way("run_batch", {"prompts": ["Hi"]}, "/batches", "", kept=True),
    "upload": Way("manage_files", {"action": "upload", "file": "{text}"}, "/files", "", kept=True),
    "files": Way("manage_files", {"action": "list"}, "/files", "", kept=True),
    "embed": Way("embed_text", {"texts": ["one", "two"]}, "/embeddings"),
    "moderate": Way("moderate_content", {"texts": ["one"]}, "/moderations"),
}
"""Every way of every tool that asks the gateway; `compare_models` answers with a table instead, which has its own test."""


async def try_key(host: Host, way: Way, wrong: str) -> None:
    """A key that is refused, or whose account is empty: the one thing to fix, whatever the dialect."""
    said = await host.refused(way.tool, **way.filled(host))
    assert ADVICE[wrong] in said, said


async def try_model(host: Host, way: Way) -> None:
    """A model nobody has: its name, and names that there are."""
    if way.kept and host.relay:
        return
    said = await host.refused(way.tool, **{**way.filled(host), way.model: NOBODY})
    assert NOBODY in said, said
    assert "Nearest names: " in said or "list_models" in said, said


async def try_filtered(host: Host, way: Way) -> None:
    """What content rules stop: that they did, and what may help."""
    if way.kept and host.relay:
        return
    host.gateway.arm("filtered", way.path)
    said = await host.refused(way.tool, **way.filled(host))
    assert said.startswith("Content rules stopped it"), said
    assert ADVICE["filtered"] in said, said


def spending() -> list[Operation]:
    """Operations that make something, which are what content rules can stop."""
    return [operation for operation in all_operations().values() if operation.effect == "answer"]


def of_a_model() -> list[Operation]:
    """Operations that ask a model by name."""
    return [operation for operation in spending() if "model" in operation.body]
