"""Batches: a file of requests that the gateway runs later, at a lower price.

Creating one is what costs, so that is an Exchange; asking after it, listing and stopping are not. A gateway that took
a batch and gave no id back has still taken it, hence an error of its own wording.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mtu_mcp.errors import BadAnswer, MtuError, Unreachable, UpstreamError, UpstreamFailure
from mtu_mcp.gateway.exchange import current_scope
from mtu_mcp.gateway.paging import page_call, path_of, read_one, read_page
from mtu_mcp.gateway.shapes import mapping, sequence, shortened, text, whole
from mtu_mcp.gateway.wire import Call

if TYPE_CHECKING:
    from mtu_mcp.gateway.demands import Demand
    from mtu_mcp.gateway.exchange import Exchange
    from mtu_mcp.gateway.wire import Wire

ENDPOINT: Final = "batches"
_EXPECTED: Final = ("id", "data", "status", "input_file_id")


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """A batch to be made.

    Attributes:
        input_file_id: The uploaded file.
        endpoint: Path of every line, such as "/v1/chat/completions".
        model: The model of its lines; not sent, for the ledger.
        window: Until when it must have ended, such as "24h".
        metadata: Names and values, at most 16.
    """

    input_file_id: str
    endpoint: str
    model: str
    window: str = "24h"
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch as the gateway tells of it.

    Attributes:
        id: Its name at the gateway.
        status: validating, in_progress, finalizing, completed, failed, expired, cancelling or cancelled.
        input_file_id: The file it runs.
        output_file_id: Where answers are; empty until there are some.
        error_file_id: Where refused lines are; empty when there are none.
        total: Lines, None when not said.
        completed: Lines answered.
        failed: Lines refused.
        errors: Sentences on why the file was not taken, with line numbers.
        raw: Everything the gateway says of it.
    """

    id: str
    status: str = ""
    input_file_id: str = ""
    output_file_id: str = ""
    error_file_id: str = ""
    total: int | None = None
    completed: int | None = None
    failed: int | None = None
    errors: tuple[str, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class BatchPage:
    """Some of the batches; `after` asks for the next page and is empty on the last one."""

    batches: tuple[Batch, ...]
    after: str = ""


@asynccontextmanager
async def handing_in(wire: "Wire", model: str, demand: "Demand") -> "AsyncGenerator[Exchange]":
    """Enter a batch in the books before any of it is sent; `create` in the block hands it over.

    Raises:
        Refused: A cap leaves no room for it.
    """
    async with wire.spend(ENDPOINT, model, demand=demand) as entry:
        yield entry


async def create(wire: "Wire", request: BatchRequest, entry: "Exchange | None" = None) -> Batch:
    """Make a batch; what it costs is known when it has ended, so its entry stays open.

    Args:
        wire: The way to the gateway.
        request: What to make.
        entry: Of `handing_in`; without one, it is entered here.

    Raises:
        BadAnswer: The gateway took it and gave no id.
    """
    async with nullcontext(entry) if entry else wire.spend(ENDPOINT, request.model) as spent:
        spent.goes_on = True  # a lost answer, or none, does not mean that it was not taken
        try:
            batch = await _created(wire, request, spent)
        except UpstreamError as error:
            spent.goes_on = isinstance(error, BadAnswer | Unreachable | UpstreamFailure)
            raise
        except MtuError:  # it could not even be written
            spent.goes_on = False
            raise
        spent.remote = batch.id
        return batch


async def _created(wire: "Wire", request: BatchRequest, entry: "Exchange") -> Batch:
    payload: dict[str, Any] = {
        "input_file_id": request.input_file_id,
        "endpoint": request.endpoint,
        "completion_window": request.window,
        "metadata": dict(request.metadata) or None,
    }
    await current_scope().report("handing in the batch")
    async with wire.open(Call(ENDPOINT, request.model, payload=payload, key=entry.idempotency_key)) as body:
        entry.request_id = body.request_id
        return await read_one(body, _EXPECTED, _batch)


async def retrieve(wire: "Wire", batch_id: str) -> Batch:
    """Ask after a batch."""
    async with wire.open(Call(ENDPOINT, path=path_of(ENDPOINT, batch_id))) as body:
        return await read_one(body, _EXPECTED, _batch)


async def list_page(wire: "Wire", *, after: str = "", limit: int = 0) -> BatchPage:
    """List batches, the latest first, a page at a time."""
    async with wire.open(page_call(ENDPOINT, after, limit=limit)) as body:
        return BatchPage(*await read_page(body, _EXPECTED, _batch))


async def cancel(wire: "Wire", batch_id: str) -> Batch:
    """Stop a batch; what it has done stays done, and is billed."""
    async with wire.open(Call(ENDPOINT, path=f"{path_of(ENDPOINT, batch_id)}/cancel", verb="POST")) as body:
        return await read_one(body, _EXPECTED, _batch)


def _batch(value: object) -> Batch | None:
    raw = mapping(value)
    name = text(raw.get("id")).strip()
    if not name:
        return None
    counts = mapping(raw.get("request_counts"))
    listed = sequence(mapping(raw.get("errors")).get("data")) or sequence(raw.get("errors"))
    return Batch(
        id=name,
        status=text(raw.get("status")).strip().lower(),
        input_file_id=text(raw.get("input_file_id")),
        output_file_id=text(raw.get("output_file_id")),
        error_file_id=text(raw.get("error_file_id")),
        total=whole(counts.get("total")),
        completed=whole(counts.get("completed")),
        failed=whole(counts.get("failed")),
        errors=tuple(sentence for item in listed[:20] if (sentence := _sentence(item))),
        raw=raw,
    )


def _sentence(value: object) -> str:
    raw = mapping(value)
    line = whole(raw.get("line"))
    said = shortened(text(raw.get("message")) or text(raw.get("code")), 200)
    return f"line {line}: {said}" if line is not None and said else said
