"""Documents on their way to a model: opened, uploaded and waited for, or read here and sent as text.

A document is remembered with the turn it came with, by its id at the gateway and the hash of its bytes, so that the same
unchanged file is not uploaded twice in a conversation. Where the gateway keeps no files its text is taken out here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import anyio
import anyio.to_thread

from mtu_mcp.capabilities._opening import open_here
from mtu_mcp.capabilities._upstream import offered, upload_of
from mtu_mcp.errors import BadInput, LimitExceeded, NotOffered, Overloaded, Rejected
from mtu_mcp.gateway import FileEntry, current_scope

if TYPE_CHECKING:
    from mtu_mcp.app import App
    from mtu_mcp.media import Media, Workspace
    from mtu_mcp.records import Turn

PURPOSE: Final = "file-extract"
"""Model Studio's purpose of documents to be read."""
MARK: Final = "fileid://"
MOST_BYTES: Final = 150 * 1024 * 1024
MOST_PICTURE_BYTES: Final = 20 * 1024 * 1024
"""Model Studio takes documents of at most 150 MB and pictures of at most 20 MB."""
PARSE_SECONDS: Final = 300.0
LONGEST_PAUSE: Final = 5.0
_ID: Final = re.compile(r"(?:fileid://)?(file-[A-Za-z0-9_-]{3,200})")
_NO_PURPOSE: Final = re.compile(r"purpose|file-extract", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Paper:
    """One document: at the gateway by `id`, or as `text`.

    Attributes:
        name: Its file name or title.
        id: At the gateway.
        hash: SHA-256 of the bytes that were uploaded.
        gateway: Whose id it is.
        text: What is sent when there is no id.
    """

    name: str
    id: str = ""
    hash: str = ""
    gateway: str = ""
    text: str = ""


class Desk:
    """Prepares the documents of one call.

    Args:
        app: The running server.
        workspace: The folders the call may read.
        known: Documents of the conversation's earlier turns.
        uploads: Whether the model reads files by id.
    """

    def __init__(self, app: App, workspace: Workspace, known: Sequence[Paper], *, uploads: bool) -> None:
        self._app = app
        self._workspace = workspace
        self._known = {paper.hash: paper for paper in known if paper.hash and paper.gateway == app.settings.base_url}
        self._uploads = uploads
        self.notes: list[str] = []

    async def prepare(self, reference: str) -> Paper:
        """Make a document ready: an id, a path, a URL or a mtu://media/ link.

        Raises:
            BadInput: It cannot be opened or read, or is an id and the model reads no files.
            Overloaded: The gateway is still parsing it after minutes; its id is in the message.
        """
        if found := _ID.fullmatch(reference.strip()):
            if not self._uploads:
                raise BadInput(
                    f"{found[1]} can only be read by a model for documents, such as qwen-long.",
                    advice="Name one as model if the gateway has one, or give the file's path.",
                )
            return Paper(found[1], id=found[1], gateway=self._app.settings.base_url)
        media = await self._open(reference)
        if self._uploads and (paper := await self._deposit(media)):
            return paper
        return await self._read(media)

    async def _open(self, reference: str) -> Media:
        media = await open_here(self._app, self._workspace, reference, ("document", "image"), MOST_BYTES)
        if media.kind.family == "image" and (media.size or 0) > MOST_PICTURE_BYTES:
            raise LimitExceeded(f"{media.name} has {media.size:,} bytes; a picture may have {MOST_PICTURE_BYTES:,}.")
        return media

    async def _deposit(self, media: Media) -> Paper | None:
        """Upload a document unless the conversation has it; None where the gateway takes no documents."""
        digest = await anyio.to_thread.run_sync(_digest, media)
        try:
            async with offered(self._app, "files"):
                known = self._known.get(digest)
                if known is not None and await self._still_there(known):
                    return known
                sent = await self._app.gateway.upload_file(upload_of(media), PURPOSE)
                entry = await settled(self._app, sent, media.name)
        except NotOffered as error:
            self._sends_text(error.message)
            return None
        except Rejected as error:
            if not _NO_PURPOSE.search(error.message):
                raise
            self._sends_text(error.message)
            return None
        paper = Paper(media.name, id=entry.id, hash=digest, gateway=self._app.settings.base_url)
        self._known[digest] = paper
        return paper

    def _sends_text(self, reason: str) -> None:
        """From here on documents are sent as text."""
        self._uploads = False
        self.notes.append(f"{reason} So the text of the documents was taken out here and sent instead.")

    async def _still_there(self, paper: Paper) -> bool:
        try:
            await self._app.gateway.retrieve_file(paper.id)
        except Rejected:
            return False
        return True

    async def _read(self, media: Media) -> Paper:
        from mtu_mcp.media import extract_text

        await current_scope().report(f"reading {media.name}")
        text = await anyio.to_thread.run_sync(extract_text, media)
        return Paper(media.name, text=text)


async def settled(app: App, entry: FileEntry, name: str) -> FileEntry:
    """Wait until the gateway has parsed a file.

    Raises:
        Rejected: It could not be parsed.
        Overloaded: It takes longer than `PARSE_SECONDS`.
    """
    pause, waited = 0.05, 0.0
    while entry.status == "uploaded":
        if waited >= PARSE_SECONDS:
            raise still_parsing(name, entry.id)
        await current_scope().report(f"the gateway is parsing {name} ({waited:.0f} s)")
        await anyio.sleep(pause)
        waited, pause = waited + pause, min(pause * 2, LONGEST_PAUSE)
        entry = await app.gateway.retrieve_file(entry.id)
    if entry.status == "error":
        raise Rejected(
            f"The gateway could not read {name}{f': {entry.detail}' if entry.detail else ''}.",
            advice="Save it anew, or give its text.",
        )
    return entry


def still_parsing(name: str, file_id: str) -> Overloaded:
    """The error for a file that is not parsed in time."""
    return Overloaded(
        f"The gateway is still parsing {name} after {PARSE_SECONDS:.0f} s.",
        advice=f"Ask again later with documents=[{file_id!r}]; it need not be uploaded again.",
    )


def _digest(media: Media) -> str:
    digest = hashlib.sha256()
    with media.open() as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def remembered(turn: Turn) -> list[Paper]:
    """The documents that came with a turn."""
    rows = cast("list[Mapping[str, Any]]", turn.extra.get("documents") or [])
    return [Paper(**{key: str(row.get(key, "")) for key in Paper.__slots__}) for row in rows]


def stored(papers: Sequence[Paper]) -> dict[str, Any]:
    """What a turn keeps of its documents."""
    rows = [{key: value for key, value in asdict(paper).items() if value} for paper in papers]
    return {"documents": rows} if rows else {}


def as_systems(papers: Sequence[Paper], newest: Mapping[str, str], seen: set[str]) -> list[dict[str, Any]]:
    """The documents as system messages: first those by id, then those sent as text.

    Args:
        papers: Documents that belong together.
        newest: For the hash of a file its latest id, since it may have had to be uploaded again.
        seen: Ids that were sent before these; those of `papers` are added.
    """
    ids = [newest.get(paper.hash, paper.id) for paper in papers if paper.id]
    ids = [each for each in dict.fromkeys(ids) if each not in seen]
    seen.update(ids)
    texts = [paper for paper in papers if paper.text and not paper.id]
    contents = [",".join(MARK + each for each in ids)] if ids else []
    if len(texts) == 1 and not texts[0].name:
        contents.append(texts[0].text)
    elif texts:
        contents.append(json.dumps([_as_document(paper) for paper in texts], ensure_ascii=False))
    return [{"role": "system", "content": content} for content in contents]


def _as_document(paper: Paper) -> dict[str, str]:
    """One document of a JSON list, with the fields Model Studio shows."""
    stem, dot, extension = paper.name.rpartition(".")
    kind = extension if dot and len(extension) <= 5 else "txt"
    return {
        "file_name": paper.name,
        "file_type": kind,
        "title": stem or paper.name or "document",
        "content": paper.text,
    }
