"""Which tools this gateway can serve: a model listed for it, and somebody at the endpoint.

Costs nothing; `gateway.probes` says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import anyio

from mtu_mcp.checkup.findings import Finding
from mtu_mcp.errors import MtuError, NotOffered
from mtu_mcp.gateway.probes import BAIDU
from mtu_mcp.settings import variable

if TYPE_CHECKING:
    from mtu_mcp.app import App
    from mtu_mcp.catalogue import Capability

AT_ONCE: Final = 3
"""Requests at the same time; more could meet a limit of the gateway's."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a tool needs of the gateway.

    Attributes:
        tool: The tool, and what of it if not all.
        endpoint: As in the API's paths.
        capability: What a model must be able to do; empty when no model is needed.
        setting: The field of the settings that names a model.
    """

    tool: str
    endpoint: str
    capability: Capability | None = None
    setting: str = ""


NEEDS: Final = (
    Need("chat", "chat/completions", "chat", "model_chat"),
    Need("understand", "chat/completions", "omni", "model_omni"),
    Need("generate_image", "images/generations", "image", "model_image"),
    Need("generate_image, editing", "images/edits", "image_edit", "model_image"),
    Need("transcribe", "audio/transcriptions", "transcribe", "model_transcribe"),
    Need("speak", "audio/speech", "speech", "model_speech"),
    Need("translate_text", "chat/completions", "translate", "model_translate"),
    Need("complete_code", "completions", "fill_in", "model_code"),
    Need("web_search, OpenAI", "responses", "search", "model_search"),
    Need("web_search, Jina", "chat/completions", "research", "model_research"),
    Need("web_search, Qwen", "chat/completions", "qwen_search", "model_qwen_search"),
    Need("web_search, Baidu", BAIDU),
    Need("embed_text", "embeddings", "embed", "model_embed"),
    Need("moderate_content", "moderations", "moderate", "model_moderate"),
    Need("ask_document, manage_files", "files"),
    Need("run_batch", "batches"),
)


async def offers(app: App) -> list[Finding]:
    """Check every tool's needs."""
    missing: dict[str, MtuError | None] = {}
    limit = anyio.Semaphore(AT_ONCE)

    async def ask(endpoint: str) -> None:
        async with limit:
            try:
                await app.gateway.probe(endpoint)
                missing[endpoint] = None
            except MtuError as error:
                missing[endpoint] = error

    async with anyio.create_task_group() as group:
        for endpoint in dict.fromkeys(need.endpoint for need in NEEDS):
            group.start_soon(ask, endpoint)
    return [await _found(app, need, missing[need.endpoint]) for need in NEEDS]


async def _found(app: App, need: Need, error: MtuError | None) -> Finding:
    if isinstance(error, NotOffered):
        return Finding(need.tool, "warn", f"Not offered: {error.message}")
    if error is not None:
        return Finding(need.tool, "warn", f"Not known: {error.message}", error.advice)
    if need.capability is None:
        return Finding(need.tool, "ok", f"{_shown(app, need)} answers.")
    offer = await app.catalogue.offered()
    choice = await app.catalogue.choose(need.capability)
    if offer.live and choice.model not in offer.names and getattr(app.settings, need.setting, ""):
        named = variable(need.setting)
        said = f"{named} names {choice.model}, which the gateway does not list."
        return Finding(need.tool, "warn", said, f"Correct or unset {named}.")
    if offer.live and choice.model not in offer.names:
        said = f"{_shown(app, need)} answers, but the gateway lists no model known for this."
        return Finding(need.tool, "warn", said, f"If it has one, name it in {variable(need.setting)}.")
    return Finding(need.tool, "ok", f"{choice.model}; {_shown(app, need)} answers.")


def _shown(app: App, need: Need) -> str:
    return urlsplit(app.settings.baidu_url).path if need.endpoint == BAIDU else f"/{need.endpoint}"
