"""The gateway as a class: one method per endpoint, each of them a function in the endpoint's own module.

The modules are imported when an endpoint is first used, so that a server which holds a Gateway starts as fast as one
which holds none.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import anyio

from mtu_mcp.settings import Settings

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    import httpx

    from mtu_mcp.gateway.batches import Batch, BatchPage, BatchRequest
    from mtu_mcp.gateway.chat import ChatAnswer, ChatRequest
    from mtu_mcp.gateway.completions import Completion, CompletionRequest
    from mtu_mcp.gateway.demands import Demand
    from mtu_mcp.gateway.embeddings import EmbeddingRequest, Embeddings
    from mtu_mcp.gateway.exchange import Books, Exchange
    from mtu_mcp.gateway.files import FileEntry, FilePage
    from mtu_mcp.gateway.images import ImageEdit, ImageRequest, ImagesAnswer, ImageVariation
    from mtu_mcp.gateway.models import ModelEntry
    from mtu_mcp.gateway.moderations import Moderation, ModerationRequest
    from mtu_mcp.gateway.operations import Invocation, Outcome
    from mtu_mcp.gateway.responses import ResponsesAnswer, ResponsesRequest
    from mtu_mcp.gateway.search import BaiduAnswer, BaiduSearch
    from mtu_mcp.gateway.speech import SpeechRequest, SpokenAnswer
    from mtu_mcp.gateway.transcripts import Transcript, TranscriptionRequest
    from mtu_mcp.gateway.uploads import Upload
    from mtu_mcp.gateway.wire import Wire

LONGEST_SECONDS: Final = 7200.0
"""All of one answer may take; deep research, which takes longest, takes up to an hour. The timeout bounds silence alone,
so a gateway that says a word now and then, or only that it is alive, would be listened to for ever."""


class Gateway:
    """One account at one gateway. Safe to use from many tasks of one event loop; building it costs nothing.

    Every method raises from the tree in `mtu_mcp.errors` and nothing else: UpstreamError and below for the gateway,
    SettingsError for a wrong variable, BadInput for a request that cannot be written or a file that cannot be read.
    Each that spends adds one Exchange to the current scope.

    Args:
        settings: Address, key, patience.
        transport: Stands in for the network; the default is the network.
        wait: Sleeps for some seconds, between tries.
        clock: Seconds of a clock that only goes forward, for durations.
        now: Unix seconds, for a Retry-After that is a date.
        longest: Seconds that all of one answer may take, unless the timeout that was set is longer.
        books: Is told of every call that may cost money, and may refuse it.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: "httpx.AsyncBaseTransport | None" = None,
        wait: Callable[[float], Awaitable[None]] = anyio.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        longest: float = LONGEST_SECONDS,
        books: "Books | None" = None,
    ) -> None:
        self._books = books
        self._longest = longest
        self._settings = settings
        self._transport = transport
        self._wait = wait
        self._clock = clock
        self._now = now
        self._opened: Wire | None = None

    async def aclose(self) -> None:
        """Close every connection."""
        if self._opened is not None:
            await self._opened.aclose()

    @property
    def _wire(self) -> "Wire":
        from mtu_mcp.gateway.wire import Wire

        if self._opened is None:
            self._opened = Wire(
                self._settings,
                transport=self._transport,
                wait=self._wait,
                clock=self._clock,
                now=self._now,
                longest=self._longest,
                books=self._books,
            )
        return self._opened

    @property
    def skew(self) -> float | None:
        """Seconds that this machine's clock is ahead of the gateway's, by its last answer; None before one."""
        return self._opened.skew if self._opened else None

    async def probe(self, endpoint: str) -> None:
        """Find out, at no cost, whether there is anybody at an endpoint; raises NotOffered if not."""
        from mtu_mcp.gateway import probes

        await probes.probe(self._wire, endpoint)

    async def chat(self, request: "ChatRequest") -> "ChatAnswer":
        """Ask a chat model; an answer that broke off is returned with `cut` set."""
        from mtu_mcp.gateway import chat

        return await chat.ask(self._wire, request)

    async def complete(self, request: "CompletionRequest") -> "Completion":
        """Continue a text; what broke off is returned with `cut` set."""
        from mtu_mcp.gateway import completions

        return await completions.complete(self._wire, request)

    async def respond(self, request: "ResponsesRequest") -> "ResponsesAnswer":
        """Make a request of the Responses API; an answer that broke off is returned with `cut` set."""
        from mtu_mcp.gateway import responses

        return await responses.respond(self._wire, request)

    async def generate_images(self, request: "ImageRequest") -> "ImagesAnswer":
        """Make pictures from words."""
        from mtu_mcp.gateway import pictures

        return await pictures.generate(self._wire, request)

    async def edit_images(self, request: "ImageEdit") -> "ImagesAnswer":
        """Change a picture."""
        from mtu_mcp.gateway import pictures

        return await pictures.edit(self._wire, request)

    async def vary_image(self, request: "ImageVariation") -> "ImagesAnswer":
        """Make variations of a picture; many gateways answer NotOffered."""
        from mtu_mcp.gateway import pictures

        return await pictures.vary(self._wire, request)

    async def transcribe(self, request: "TranscriptionRequest") -> "Transcript":
        """Write speech down in its own language."""
        from mtu_mcp.gateway import transcription

        return await transcription.transcribe(self._wire, request)

    async def translate_audio(self, request: "TranscriptionRequest") -> "Transcript":
        """Write speech down in English."""
        from mtu_mcp.gateway import transcription

        return await transcription.translate(self._wire, request)

    async def speak(self, request: "SpeechRequest") -> "SpokenAnswer":
        """Have a text spoken; sound that broke off is returned with `cut` set."""
        from mtu_mcp.gateway import speech

        return await speech.speak(self._wire, request)

    async def list_models(self) -> "tuple[ModelEntry, ...]":
        """List the models; costs nothing."""
        from mtu_mcp.gateway import models

        return await models.list_all(self._wire)

    async def embed(self, request: "EmbeddingRequest") -> "Embeddings":
        """Turn texts into vectors."""
        from mtu_mcp.gateway import embeddings

        return await embeddings.embed(self._wire, request)

    async def moderate(self, request: "ModerationRequest") -> "Moderation":
        """Judge texts or a picture by categories of harm."""
        from mtu_mcp.gateway import moderations

        return await moderations.moderate(self._wire, request)

    async def invoke(self, invocation: "Invocation") -> "Outcome":
        """Call any documented operation by its description in operations.json."""
        from mtu_mcp.gateway.invocation import invoke

        return await invoke(self._wire, invocation)

    async def search_baidu(self, request: "BaiduSearch") -> "BaiduAnswer":
        """Search with Baidu; NotOffered where the gateway has no such path."""
        from mtu_mcp.gateway import search

        return await search.search(self._wire, request)

    async def upload_file(
        self, file: "Upload", purpose: str, options: "Mapping[str, Any] | None" = None, key: str = ""
    ) -> "FileEntry":
        """Keep a file at the gateway; costs nothing."""
        from mtu_mcp.gateway import files

        return await files.upload(self._wire, file, purpose, options, key)

    async def list_files(self, *, after: str = "", limit: int = 0, order: str = "", purpose: str = "") -> "FilePage":
        """List the files kept at the gateway, a page at a time; costs nothing."""
        from mtu_mcp.gateway import files

        return await files.list_page(self._wire, after=after, limit=limit, order=order, purpose=purpose)

    async def retrieve_file(self, file_id: str) -> "FileEntry":
        """Ask after one file; costs nothing."""
        from mtu_mcp.gateway import files

        return await files.retrieve(self._wire, file_id)

    async def delete_file(self, file_id: str) -> None:
        """Delete one file at the gateway."""
        from mtu_mcp.gateway import files

        await files.delete(self._wire, file_id)

    async def file_content(self, file_id: str, path: "Path", max_bytes: int) -> int:
        """Write a file's content to a new file on the disk; return its bytes."""
        from mtu_mcp.gateway import files

        return await files.content(self._wire, file_id, path, max_bytes)

    def hand_in(self, model: str, demand: "Demand") -> "AbstractAsyncContextManager[Exchange]":
        """Enter a batch before any of it is sent, for a block that uploads its file and creates it."""
        from mtu_mcp.gateway import batches

        return batches.handing_in(self._wire, model, demand)

    async def create_batch(self, request: "BatchRequest", entry: "Exchange | None" = None) -> "Batch":
        """Have the gateway run a file of requests later."""
        from mtu_mcp.gateway import batches

        return await batches.create(self._wire, request, entry)

    async def retrieve_batch(self, batch_id: str) -> "Batch":
        """Ask after one batch; costs nothing."""
        from mtu_mcp.gateway import batches

        return await batches.retrieve(self._wire, batch_id)

    async def list_batches(self, *, after: str = "", limit: int = 0) -> "BatchPage":
        """List batches, the latest first, a page at a time; costs nothing."""
        from mtu_mcp.gateway import batches

        return await batches.list_page(self._wire, after=after, limit=limit)

    async def cancel_batch(self, batch_id: str) -> "Batch":
        """Stop one batch."""
        from mtu_mcp.gateway import batches

        return await batches.cancel(self._wire, batch_id)
