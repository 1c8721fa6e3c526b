"""Texts as vectors: kept in a file, and what can be said of them at once: which are alike, which answer a query.

A vector is of no use to a language model, so none is shown: the file is for programs, the nearest texts for the model.
The same file given again is searched without paying for its texts a second time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Final

import anyio
import anyio.to_thread
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import ListRoots, Resolve
from mcp.types import CallToolResult, ListRootsResult
from pydantic import Field

from mtu_mcp.amounts import counted
from mtu_mcp.app import App, current_app
from mtu_mcp.capabilities._answers import Answer
from mtu_mcp.capabilities._asks import ask_roots, folders
from mtu_mcp.capabilities._nearness import MOST_PAIRED, Near, nearest_pairs, nearest_to
from mtu_mcp.capabilities._opening import open_here
from mtu_mcp.capabilities._params import DocumentName
from mtu_mcp.capabilities._passages import Passages, read_passages, written
from mtu_mcp.capabilities._spec import Capability, ToolSpec
from mtu_mcp.capabilities._upstream import asking, choose, remark, require_words
from mtu_mcp.capabilities._vectors import Batches, tokens_about
from mtu_mcp.errors import BadInput, LimitExceeded, MtuError

if TYPE_CHECKING:
    from mtu_mcp.catalogue import Choice, Entry
    from mtu_mcp.gateway.embeddings import Vector
    from mtu_mcp.media import Saved, Workspace

MOST_BYTES: Final = 64 * 1024 * 1024
MOST_TEXTS: Final = 5_000
EXCERPT: Final = 100
"""Characters shown of a text."""
KEEPING_SECONDS: Final = 2.0
"""How long a cancelled call may take to save what it paid for."""


def _roots(ctx: Context, file: str | None) -> ListRoots | None:
    return ask_roots(ctx, [file])


async def embed_text(
    texts: Annotated[list[str] | None, Field(description="To embed.")] = None,
    file: Annotated[
        DocumentName | None, Field(description="Text, CSV or JSONL; one saved here is not embedded again.")
    ] = None,
    query: Annotated[str | None, Field(description="To search for.")] = None,
    top: Annotated[int, Field(ge=0, le=100)] = 5,
    model: Annotated[str | None, Field(description="See list_models.")] = None,
    dimensions: Annotated[int | None, Field(ge=1)] = None,
    *,
    app: Annotated[App, Resolve(current_app)],
    roots: Annotated[ListRootsResult | None, Resolve(_roots)],
) -> CallToolResult:
    """Embed texts for semantic search: vectors saved as JSONL, top pairs alike, top texts nearest to a query."""
    if query is not None:
        require_words("query", query)
    passages, name = await _gather(app, app.workspace(folders(roots)), texts, file)
    known = _usable(passages, query, model, dimensions)
    chosen = await choose(app, "embed", model or (passages.model if known else ""))
    if not known:
        passages = replace(passages, vectors=[], model=chosen.model, dimensions=dimensions)
    work = _Work(app, chosen, passages, query, name)
    await work.spend()
    saved = None if known else await work.keep()
    answer = Answer(app)
    answer.note(remark(chosen), *work.notes)
    if saved:
        answer.link(saved)
    return answer.finish(await _describe(work, answer, saved, top))


def _usable(passages: Passages, query: str | None, model: str | None, dimensions: int | None) -> bool:
    """Whether the vectors that came with the texts are those that are wanted."""
    fitting = not model or passages.model in ("", model)
    comparable = bool(model or passages.model) or not query
    return bool(passages.vectors) and fitting and comparable and dimensions in (None, passages.dimensions)


async def _gather(app: App, workspace: Workspace, texts: list[str] | None, file: str | None) -> tuple[Passages, str]:
    """The texts, and a name for them."""
    if bool(texts) == bool(file):
        raise BadInput("Give texts or a file, one of the two.")
    if file:
        media = await open_here(app, workspace, file, ("document",), MOST_BYTES)
        data = await anyio.to_thread.run_sync(media.read)
        found = await anyio.to_thread.run_sync(read_passages, data, media.kind.extension, media.name)
        name = media.name
    else:
        found, name = Passages(list(texts or ())), (texts or [""])[0][:40]
    if blank := [place for place, text in enumerate(found.texts, 1) if not text.strip()]:
        raise BadInput(f"Text {blank[0]} is empty.", advice="Leave empty texts out.")
    if len(found.texts) > MOST_TEXTS:
        raise LimitExceeded(
            f"{name} holds {len(found.texts):,} texts; one call takes {MOST_TEXTS:,}.", advice="Split them."
        )
    return found, name


def _check(entry: Entry, texts: list[str], dimensions: int | None) -> None:
    """Compare texts and dimensions with what the model is known to take."""
    limits = entry.embeddings
    if limits and dimensions and limits.sizes and dimensions not in limits.sizes:
        listed = ", ".join(map(str, limits.sizes))
        raise LimitExceeded(f"{entry.name} makes vectors of {listed} numbers, not of {dimensions}.")
    if limits and dimensions and limits.largest and dimensions > limits.largest:
        raise LimitExceeded(f"{entry.name} makes vectors of at most {limits.largest:,} numbers, not of {dimensions:,}.")
    for place, text in enumerate(texts, 1):
        # The guess is from above; only what is far over it for certain is refused here, the rest by the gateway.
        if entry.context and tokens_about(text) > 3 * entry.context:
            raise LimitExceeded(
                f"Text {place} has {len(text):,} characters; {entry.name} takes {entry.context:,} tokens a text.",
                advice="Split it into paragraphs.",
            )


@dataclass(slots=True)
class _Work:
    """One call's texts and what comes of them."""

    app: App
    chosen: Choice
    passages: Passages
    query: str | None
    name: str
    asked: Vector | None = None
    notes: tuple[str, ...] = ()

    async def spend(self) -> None:
        """Embed what has no vector yet; the query goes along with the texts."""
        query = [self.query] if self.query else []
        texts = [*query, *([] if self.passages.vectors else self.passages.texts)]
        if not texts:
            return
        entry = self.app.catalogue.entry(self.chosen.model)
        _check(entry, texts, self.passages.dimensions)
        extra: dict[str, Any] = {"dimensions": self.passages.dimensions} if self.passages.dimensions else {}
        batches = Batches(self.app, self.chosen.model, texts, extra, entry.embeddings)
        try:
            async with asking(self.app, "embeddings", self.chosen.model, "embed"):
                await batches.run()
                if batches.failure and not any(batches.vectors[len(query) :]):
                    raise batches.failure
        except anyio.get_cancelled_exc_class():
            if not self.passages.vectors:
                self._take(batches, len(query))
                with anyio.move_on_after(KEEPING_SECONDS, shield=True):
                    await self.keep()
            raise
        self._take(batches, len(query))

    def _take(self, batches: Batches, ahead: int) -> None:
        self.asked = batches.vectors[0] if ahead else None
        if ahead and self.asked is None:
            self.notes += ("The query could not be embedded.",)
        if self.passages.vectors:
            if self.asked and len(self.asked) != len(self.passages.vectors[0]):
                raise BadInput(
                    f"{self.chosen.model} makes vectors of {len(self.asked):,} numbers; those of {self.name} have "
                    f"{len(self.passages.vectors[0]):,}.",
                    advice="Name the model that made them, and its dimensions.",
                )
            return
        pairs = zip(self.passages.texts, batches.vectors[ahead:], strict=True)
        came = [(text, vector) for text, vector in pairs if vector is not None]
        if batches.failure:
            total = len(self.passages.texts)
            self.notes += (f"Only {len(came):,} of {total:,} texts were embedded: {batches.failure}",)
        vectors = [vector for _, vector in came]
        wanted, made = self.passages.dimensions, len(vectors[0]) if vectors else 0
        if wanted and made and made != wanted:
            self.notes += (f"{wanted:,} numbers a vector were asked for and {made:,} came; dimensions had no effect.",)
        self.passages = replace(self.passages, texts=[text for text, _ in came], vectors=vectors)

    async def keep(self) -> Saved | None:
        """Save the vectors; where that fails the answer says so and goes on, since they are paid for."""
        if self.app.settings.read_only:
            self.notes += ("The vectors are not kept because MTU_READ_ONLY is set.",)
            return None
        if not self.passages.vectors:
            return None
        data = await anyio.to_thread.run_sync(written, self.passages)
        about = {"model": self.passages.model, "texts": len(self.passages.texts)}
        try:
            return await self.app.library.save(data, title=f"{self.name} vectors", extension="jsonl", about=about)
        except MtuError as error:
            self.notes += (f"The vectors could not be saved: {error}",)
            return None


async def _describe(work: _Work, answer: Answer, saved: Saved | None, top: int) -> dict[str, Any]:
    """Say what there is and what is near; return the same as data."""
    passages = work.passages
    size = len(passages.vectors[0])
    made = f" by {passages.model}" if passages.model else ""
    answer.say(f"{counted(len(passages.texts), passages.unit.removesuffix('s'))}, vectors of {size:,} numbers{made}.")
    facts: dict[str, Any] = {"model": passages.model, "count": len(passages.texts), "dimensions": size}
    if saved:
        answer.say(f"Saved {saved.path}")
        facts |= {"path": str(saved.path), "uri": saved.uri}
    if work.query and work.asked is not None:
        near = await anyio.to_thread.run_sync(nearest_to, work.asked, passages.vectors, top)
        answer.say("\n".join([f"Nearest to “{_excerpt(work.query)}”:", *(_match(one, passages) for one in near)]))
        facts |= {"query": work.query, "nearest": [_end(passages, one.other, one.cosine) for one in near]}
    if top and 1 < len(passages.texts) <= MOST_PAIRED:
        pairs, complete = await anyio.to_thread.run_sync(nearest_pairs, passages.vectors, top)
        answer.say("\n".join(["Most alike:", *(_pair(one, passages) for one in pairs)]))
        facts["pairs"] = [
            {"cosine": round(one.cosine, 4), "one": _end(passages, one.one), "other": _end(passages, one.other)}
            for one in pairs
        ]
        answer.note("" if complete else "With this many texts the pairs were searched by a shortcut that may miss one.")
    elif len(passages.texts) > MOST_PAIRED:
        answer.note(f"Pairs are looked for among at most {MOST_PAIRED:,} texts.")
    return facts


def _match(near: Near, passages: Passages) -> str:
    return f"- {near.cosine:.3f} · {near.other + 1}: {_excerpt(passages.texts[near.other])}"


def _pair(near: Near, passages: Passages) -> str:
    ends = " | ".join(f"{place + 1}: {_excerpt(passages.texts[place])}" for place in (near.one, near.other))
    return f"- {near.cosine:.3f} · {ends}"


def _end(passages: Passages, place: int, cosine: float | None = None) -> dict[str, Any]:
    scored = {} if cosine is None else {"cosine": round(cosine, 4)}
    return {**scored, "number": place + 1, "text": _excerpt(passages.texts[place])}


def _excerpt(text: str) -> str:
    line = " ".join(text[: EXCERPT * 4].split())
    return line if len(line) <= EXCERPT else line[: EXCERPT - 1] + "…"


CAPABILITY = Capability(
    tools=(
        ToolSpec(
            embed_text,
            title="Embed texts",
            toolset="vectors",
        ),
    )
)
