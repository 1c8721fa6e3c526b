"""What an operation answered, as blocks: JSON as it came, files saved, and no base64 in between.

An API puts pictures and sound into its JSON as base64. A model can do nothing with that but pay for it, so each such
string is saved as a file and its place taken by the file's address. So is what an address of a made picture leads to: it
is gone within the hour, and paid for.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

import anyio.lowlevel
import anyio.to_thread

from mtu_mcp.capabilities._answers import incomplete
from mtu_mcp.errors import MtuError

if TYPE_CHECKING:
    from mtu_mcp.app import App
    from mtu_mcp.capabilities._answers import Answer
    from mtu_mcp.gateway import Operation, Outcome
    from mtu_mcp.media.spool import Spool

SHORTEST_PAYLOAD: Final = 400
"""Characters of base64 from which on it is taken for a file; ids and signatures are shorter."""
MOST_PLAYED: Final = 600_000
"""Bytes shown in the answer itself where the disk fails; Claude Desktop takes 1 MB a result, base64 included."""
MOST_MADE_BYTES: Final = 64 * 1024 * 1024
MOST_TEXT: Final = 4 * 1024 * 1024
_AT_ONCE: Final = 500
_PAYLOADS: Final = frozenset({"b64_json", "data", "result", "audio", "file_data", "partial_image_b64"})
"""Where the API puts base64."""


def keeps_files(operation: Operation) -> bool:
    """Whether the answer is or holds files, so that calling it where nothing may be written would waste it."""
    return operation.answers == "media" or operation.group == "images"


async def present(
    app: App, answer: Answer, operation: Operation, arguments: Mapping[str, Any], outcome: Outcome
) -> dict[str, Any] | None:
    """Add the outcome to the answer; return it as structured content where the text is whole.

    Raises:
        StorageError: A file came back that cannot be saved.
    """
    answer.note(incomplete(outcome.cut))
    about = {"operation": operation.name, "path": operation.path, "model": arguments.get("model")}
    if outcome.data is not None or outcome.stored is not None:
        await _present_file(app, answer, operation, arguments, outcome, about)
        return None
    if outcome.text:
        form = str(arguments.get("response_format") or "txt")
        await answer.say_long(
            outcome.text, title=operation.name, about=about, extension="txt" if form == "text" else form
        )
        return None
    if outcome.result is None:
        answer.say("Done; the gateway answered nothing further.")
        return None
    result = await _lifted(app, answer, operation, outcome.result, about)
    text = await anyio.to_thread.run_sync(_written, result, answer.longest)
    await answer.say_long(text, title=operation.name, about=about, extension="json")
    return {"operation": operation.name, "result": result} if len(text) <= answer.longest else None


def _written(result: Any, longest: int) -> str:
    """JSON as a person reads it; on one line where it is long, for each indented piece takes a string of its own."""
    text = json.dumps(result, ensure_ascii=False)
    return json.dumps(result, ensure_ascii=False, indent=1) if len(text) <= longest else text


async def _present_file(
    app: App,
    answer: Answer,
    operation: Operation,
    arguments: Mapping[str, Any],
    outcome: Outcome,
    about: Mapping[str, Any],
) -> None:
    """Show a text; save anything else."""
    from mtu_mcp.media import kind_of

    spool, data = cast("Spool | None", outcome.stored), outcome.data or b""
    size = await anyio.to_thread.run_sync(spool.flush) if spool else len(data)
    kind = kind_of(await anyio.to_thread.run_sync(_head, spool) if spool else data)
    text = _as_text(data) if operation.answers == "bytes" and not spool else None
    title = f"{operation.name} {' '.join(str(arguments[name]) for name in operation.placeholders)}".strip()
    if text is not None:
        await answer.say_long(
            text or "(The file is empty.)", title=title, about=about, extension=kind.extension or "txt"
        )
        return
    if app.settings.read_only:
        answer.say(f"{kind.mime}, {size:,} bytes; it is not kept because MTU_READ_ONLY is set.")
        return
    extension = kind.extension if kind.family != "unknown" else _extension(arguments)
    try:
        keep = app.library.adopt(spool.path, title=title, extension=extension, about=about) if spool else None
        saved = await (keep or app.library.save(data, title=title, extension=extension, about=about))
    except MtuError as error:
        if operation.answers == "bytes" or size > MOST_PLAYED:
            raise
        answer.note(f"It could not be saved, so this is all there is of it: {error}")
        answer.play(data, outcome.media_type or kind.mime)
        return
    answer.say(f"Saved {saved.path} ({saved.kind.mime}, {saved.size:,} bytes)")
    answer.link(saved)


def _head(spool: Spool) -> bytes:
    from mtu_mcp.media.kinds import HEAD

    with spool.open() as file:
        return file.read(HEAD)


def _extension(arguments: Mapping[str, Any]) -> str:
    """Bytes without a mark of their kind, such as PCM, are what was asked for."""
    asked = arguments.get("response_format")
    return asked if isinstance(asked, str) and asked.isalnum() else "bin"


def _as_text(data: bytes) -> str | None:
    if len(data) > MOST_TEXT or b"\0" in data[:4096]:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


async def _lifted(app: App, answer: Answer, operation: Operation, value: Any, about: Mapping[str, Any]) -> Any:
    """The JSON with each payload replaced by the address of the file it was saved as."""
    if isinstance(value, list):
        items: list[Any] = []
        for number, item in enumerate(cast("list[Any]", value), 1):
            items.append(await _lifted(app, answer, operation, item, about) if isinstance(item, dict | list) else item)
            if number % _AT_ONCE == 0:  # or a stream of tens of thousands of events would hold up every other call
                await anyio.lowlevel.checkpoint()
        return items
    if not isinstance(value, dict):
        return value
    lifted: dict[str, Any] = {}
    for key, item in cast("dict[str, Any]", value).items():
        if key in _PAYLOADS and isinstance(item, str) and len(item) >= SHORTEST_PAYLOAD:
            lifted[key] = await _saved(app, answer, operation, item, about)
        elif key == "url" and operation.group == "images" and isinstance(item, str) and item:
            lifted[key] = await _fetched(app, answer, operation, item, about)
        else:
            lifted[key] = await _lifted(app, answer, operation, item, about)
    return lifted


async def _saved(app: App, answer: Answer, operation: Operation, payload: str, about: Mapping[str, Any]) -> str:
    """Save a payload and say where."""
    data = await anyio.to_thread.run_sync(_decoded, payload)
    return payload if data is None else await _kept(app, answer, operation, data, about)


async def _fetched(app: App, answer: Answer, operation: Operation, url: str, about: Mapping[str, Any]) -> str:
    """Save what an address of the gateway leads to; where it cannot be had the address stays, for it holds a while."""
    if not url.startswith("http"):
        return await _saved(app, answer, operation, url, about)
    try:
        data = (await app.download(url, MOST_MADE_BYTES)).data
    except MtuError as error:
        answer.note(f"The picture could not be fetched ({str(error).rstrip('.')}); its address holds for a while.")
        return url
    return await _kept(app, answer, operation, data, about)


async def _kept(app: App, answer: Answer, operation: Operation, data: bytes, about: Mapping[str, Any]) -> str:
    """Save a file; what cannot be saved is shown if it is a picture, for it is paid for."""
    from mtu_mcp.media import kind_of, preview

    kind = kind_of(data)
    small = await preview(data) if kind.family == "image" else None
    if small:
        answer.show(small)
    if app.settings.read_only:
        return f"({kind.mime}, {len(data):,} bytes; not kept because MTU_READ_ONLY is set)"
    extension = kind.extension if kind.family != "unknown" else "bin"
    try:
        saved = await app.library.save(data, title=operation.name, extension=extension, about=about)
    except MtuError as error:
        answer.note(str(error))
        return f"({kind.mime}, {len(data):,} bytes; it could not be saved)"
    answer.note(f"Saved {saved.path}")
    answer.link(saved)
    return saved.uri


def _decoded(payload: str) -> bytes | None:
    """The bytes of base64 or of a data URI; None when it is neither."""
    if payload[:5].lower() == "data:":
        payload = payload.partition(",")[2]
    plain = "".join(payload.split())
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
