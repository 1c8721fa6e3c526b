"""Judging texts and pictures by the categories of harm of the Moderations API, one verdict for each.

Texts go together in one call, which answers for each of them; a picture needs a call of its own. A picture that cannot
be judged does not take the other verdicts with it: its row says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import ListRoots, Resolve
from mcp.types import CallToolResult, ListRootsResult
from pydantic import Field

from mtu_mcp.app import App, current_app
from mtu_mcp.capabilities._answers import Answer
from mtu_mcp.capabilities._asks import ask_roots, folders
from mtu_mcp.capabilities._params import PictureName
from mtu_mcp.capabilities._parts import image_part
from mtu_mcp.capabilities._spec import Capability, ToolSpec
from mtu_mcp.capabilities._upstream import asking, choose, remark
from mtu_mcp.errors import BadInput, LimitExceeded, MtuError
from mtu_mcp.gateway import ModerationRequest, Verdict, current_scope

if TYPE_CHECKING:
    from mtu_mcp.media import Media, Workspace

MOST_IMAGE_BYTES: Final = 20 * 1024 * 1024
"""The largest picture the OpenAI models document for one request part."""
MOST_TEXTS: Final = 100
MOST_IMAGES: Final = 20
EXCERPT: Final = 60
"""Characters shown of a text."""
HINTED: Final = 0.1
"""The score from which a category that does not apply is worth naming."""


def _roots(ctx: Context, images: list[str] | None) -> ListRoots | None:
    return ask_roots(ctx, images or ())


async def moderate_content(
    texts: Annotated[list[str] | None, Field(description="To judge.")] = None,
    images: Annotated[list[PictureName] | None, Field(description="Paths or URLs.")] = None,
    model: Annotated[str | None, Field(description="See list_models.")] = None,
    *,
    app: Annotated[App, Resolve(current_app)],
    roots: Annotated[ListRootsResult | None, Resolve(_roots)],
) -> CallToolResult:
    """Check texts and images for harmful or NSFW content."""
    _require(texts or [], images or [])
    chosen = await choose(app, "moderate", model)
    if images and "no_pictures" in app.catalogue.entry(chosen.model).traits:
        raise BadInput(f"{chosen.model} judges text alone.", advice="Use omni-moderation-latest for images.")
    pictures = await _open_all(app, app.workspace(folders(roots)), images or [])
    async with asking(app, "moderations", chosen.model, "moderate"):
        rows = await _judge(app, chosen.model, texts or [], pictures)
    answer = Answer(app)
    answer.note(remark(chosen))
    flagged = sum(row.verdict is not None and row.verdict.flagged for row in rows)
    answer.say(f"{flagged} of {len(rows)} flagged by {chosen.model}.")
    answer.say("\n".join(["| input | flagged | categories |", "|---|---|---|", *(row.line() for row in rows)]))
    return answer.finish({"model": chosen.model, "flagged": flagged, "results": [row.facts() for row in rows]})


def _require(texts: Sequence[str], images: Sequence[str]) -> None:
    if not texts and not images:
        raise BadInput("There is nothing to judge.", advice="Give texts, images or both.")
    if blank := [place for place, text in enumerate(texts, 1) if not text.strip()]:
        raise BadInput(f"Text {blank[0]} is empty.", advice="Leave empty texts out.")
    for given, most, what in ((texts, MOST_TEXTS, "texts"), (images, MOST_IMAGES, "images")):
        if len(given) > most:
            raise LimitExceeded(f"There are {len(given)} {what}; one call takes {most}.", advice="Split them.")


async def _open_all(app: App, workspace: Workspace, images: Sequence[str]) -> list[Media]:
    from mtu_mcp.media import open_reference

    return [
        await open_reference(
            image, workspace=workspace, library=app.library, families=("image",), max_bytes=MOST_IMAGE_BYTES
        )
        for image in images
    ]


@dataclass(frozen=True, slots=True)
class _Row:
    """One input and what was said of it; without a verdict, why there is none."""

    what: str
    verdict: Verdict | None
    trouble: str = ""

    def line(self) -> str:
        """The row of the table."""
        if self.verdict is None:
            return f"| {_cell(self.what)} | not judged | {_cell(self.trouble)} |"
        scored = ", ".join(_scored(name, score) for name, score in self._categories().items())
        if not self.verdict.flagged:
            scored = f"none; highest: {scored}" if scored else "none"
        return f"| {_cell(self.what)} | {'yes' if self.verdict.flagged else 'no'} | {scored or 'not said'} |"

    def facts(self) -> dict[str, Any]:
        """The row as data."""
        if self.verdict is None:
            return {"input": self.what, "flagged": None, "error": self.trouble}
        key = "categories" if self.verdict.flagged else "highest"
        return {"input": self.what, "flagged": self.verdict.flagged, key: self._categories()}

    def _categories(self) -> dict[str, float | None]:
        """What applies with its scores, highest first; where nothing does, what came near."""
        verdict = self.verdict or Verdict(False)
        names = verdict.categories or [name for name, score in verdict.scores.items() if score >= HINTED]
        ranked = sorted(names, key=lambda name: -verdict.scores.get(name, 0.0))
        return {name: round(verdict.scores[name], 3) if name in verdict.scores else None for name in ranked}


async def _judge(app: App, model: str, texts: Sequence[str], pictures: Sequence[Media]) -> list[_Row]:
    rows: list[_Row] = []
    failure: MtuError | None = None
    if texts:
        names = [f"text {place}: {_excerpt(text)}" for place, text in enumerate(texts, 1)]
        try:
            verdicts = (await app.gateway.moderate(ModerationRequest(model, texts))).verdicts
            rows += [_Row(name, verdict) for name, verdict in zip(names, verdicts, strict=True)]
        except MtuError as error:
            failure = error
            rows += [_Row(name, None, str(error)) for name in names]
    for place, picture in enumerate(pictures, 1):
        await current_scope().report(f"judging image {place} of {len(pictures)}", place, len(pictures))
        name = f"image {place}: {_excerpt(picture.url or picture.name)}"
        try:
            answer = await app.gateway.moderate(ModerationRequest(model, [await image_part(picture)]))
            rows.append(_Row(name, answer.verdicts[0]))
        except MtuError as error:
            failure = error
            rows.append(_Row(name, None, str(error)))
    if failure and all(row.verdict is None for row in rows):
        raise failure
    return rows


def _scored(name: str, score: float | None) -> str:
    return name if score is None else f"{name} {score:.2f}"


def _excerpt(text: str) -> str:
    line = " ".join(text[: EXCERPT * 4].split())
    return line if len(line) <= EXCERPT else line[: EXCERPT - 1] + "…"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


CAPABILITY = Capability(
    tools=(
        ToolSpec(
            moderate_content,
            title="Moderate content",
            toolset="safety",
            read_only=True,
            idempotent=True,
        ),
    )
)
