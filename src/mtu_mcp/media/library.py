"""The output folder: what was made is here before anyone is shown it.

Names tell what is in them (time, then the title's own words), never collide and never escape. Each file has a JSON
sidecar beside it, NAME.json, that says how it came to be; both are on the disk before either has its name. The
folder itself is the index: what the user moves or deletes is simply gone, and nothing gets out of step.
"""

import json
import os
import re
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast
from urllib.parse import quote

from mtu_mcp.errors import BadInput, MtuError, NotFound
from mtu_mcp.media import kinds, names, writing
from mtu_mcp.media.kinds import Family, Kind
from mtu_mcp.media.opening import open_inside

if TYPE_CHECKING:
    from mtu_mcp.media.partials import Partial

LISTED: Final = 500
"""Files told by `Library.list`, the newest."""
COUNTED: Final = 10_000
"""Files looked at by `Library.shelf`, the newest; so many take about a second."""
CALLERS: Final = "callers"
"""The folder in the output folder with one folder for each caller of a shared server."""
_TRIES: Final = 10_000
_SIDECAR: Final = ".json"
_SIDECAR_BYTES: Final = 1 << 20
_HALF: Final = re.compile(r"\.[0-9a-f]{24}(\.json)?\.part")
_ABANDONED: Final = 3600.0
"""Seconds after its last byte when a half-written file is nobody's any more."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A file in the output folder.

    Attributes:
        name: The file's name; it has no folder in it.
        path: Where it is, absolute.
        uri: `mtu://media/` and the name, percent-encoded.
        kind: What its bytes are.
        size: Bytes.
        created: Seconds since 1970.
        about: What its sidecar says: `title`, `created` (ISO 8601, UTC) and what the caller gave; empty without one.
    """

    name: str
    path: Path
    uri: str
    kind: Kind
    size: int
    created: float
    about: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Shelf:
    """The files of some families, part by part.

    Attributes:
        files: Of this part, newest first.
        total: How many there are in all parts.
        beyond: Whether there may be older ones that were not looked at.
        older: What the next part is asked for by; empty after the last.
    """

    files: list[Saved]
    total: int
    beyond: bool
    older: str


def _unheard(owner: str, kind: str, name: str) -> None:
    """Nobody listens."""


class Library:
    """The output folder; it is made when the first file is saved.

    Args:
        folder: Where files go.
        clock: Seconds since 1970.
        create: Opens a new file for writing; the seam for trying disk faults.
        changed: Hears of every new file: whose it is, "media", its name.
    """

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], float] = time.time,
        *,
        create: writing.Create = writing.create,
        changed: Callable[[str, str, str], None] = _unheard,
    ) -> None:
        self.folder = folder
        self._clock = clock
        self._create = create
        self._changed = changed
        self._owner = ""
        self._swept = set[Path]()

    def for_owner(self, owner: str) -> "Library":
        """The part of the output folder that is one caller's; all of it when `owner` is empty.

        The folder's name tells the caller as far as a file name can, and is never another caller's: a hash makes sure.
        """
        if not owner:
            return self
        from hashlib import sha256

        mark = sha256(owner.encode("utf-8", "surrogatepass")).hexdigest()[:24]
        words = re.sub(r"[^a-z0-9]+", "-", owner.lower())[:24].strip("-")
        part = copy(self)
        part.folder = self.folder / CALLERS / (f"{words}-{mark}" if words else mark)
        part._owner = owner
        return part

    async def save(self, data: bytes, *, title: str, extension: str, about: Mapping[str, Any]) -> Saved:
        """Save bytes and their sidecar; both are on the disk when this returns, or neither is.

        Args:
            data: The bytes.
            title: What it shows or says; words of it become the name.
            extension: With or without its dot.
            about: JSON values for the sidecar, such as prompt, model and parameters.

        Raises:
            StorageError: The disk is full, read-only or gone; nothing half-written is left.
        """
        import anyio.to_thread

        return self._told(await anyio.to_thread.run_sync(self._save, data, title, extension, about))

    async def save_text(self, text: str, *, title: str, extension: str, about: Mapping[str, Any]) -> Saved:
        """Save text as UTF-8; everything else as `save`."""
        return await self.save(text.encode("utf-8", "replace"), title=title, extension=extension, about=about)

    def hidden(self) -> Path:
        """A name in the folder, not taken, for a file that is written piece by piece; `adopt` gives it its own. Blocking.

        Raises:
            StorageError: The folder cannot be made.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise writing.storage_error(self.folder, error) from error
        return self.folder / f".{os.urandom(12).hex()}.part"

    async def adopt(self, hidden: Path, *, title: str, extension: str, about: Mapping[str, Any]) -> Saved:
        """Give a finished file of `hidden` its name and sidecar; everything else as `save`."""
        import anyio.to_thread

        return self._told(await anyio.to_thread.run_sync(self._save, hidden, title, extension, about))

    def partial(self, key: str) -> "Partial":
        """The finished parts of work that is done piece by piece; they are not listed."""
        from mtu_mcp.media.partials import Partial

        return Partial(self.folder, key, self._create)

    def list(self) -> list[Saved]:
        """The newest `LISTED` files, newest first; sidecars and hidden files are not told. Blocking."""
        found = self._entries()
        return [self._describe(name, found[name]) for name in _newest(found)[:LISTED]]

    def shelf(self, families: Sequence[Family], most: int, before: str = "") -> Shelf:
        """At most `most` files of these families, the newest or those `before` an earlier part's end. Blocking.

        A part begins where the last one ended, whatever came or went meanwhile.

        Raises:
            BadInput: No part ends with `before`.
        """
        found, start = self._entries(), _mark(before)
        newest = _newest(found)
        among = [name for name in newest[:COUNTED] if self._kind(name).family in families]
        left = [name for name in among if start is None or (found[name].st_mtime_ns, name) < start]
        part = left[:most]
        older = f"{found[part[-1]].st_mtime_ns} {part[-1]}" if len(left) > most else ""
        files = [self._describe(name, found[name]) for name in part]
        return Shelf(files, len(among), len(newest) > COUNTED, older)

    def find(self, name: str) -> Saved:
        """The file of that very name. Blocking.

        Raises:
            NotFound: There is none; near names are in the message.
            BadInput: It is no file name.
        """
        names.check_text(name)
        if "/" in name or "\\" in name or name.startswith(".") or ":" in name:
            raise BadInput(f"{names.quote(name)} is no file name.", advice="Name a saved file without its folder.")
        try:
            status = os.lstat(self.folder / name)
        except OSError as error:
            raise self._missing(name) from error
        if not stat.S_ISREG(status.st_mode):
            raise self._missing(name)
        return self._describe(name, status)

    def open(self, name: str) -> BinaryIO:
        """Open a saved file for reading, following no link. Blocking.

        Raises:
            NotFound: There is no such file.
            PathNotAllowed: It is no regular file.
        """
        return open_inside(os.path.realpath(self.folder), name)

    def _told(self, saved: Saved) -> Saved:
        self._changed(self._owner, "media", saved.name)
        return saved

    def _save(self, data: bytes | Path, title: str, extension: str, about: Mapping[str, Any]) -> Saved:
        created = float(int(self._clock()))
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(created))
        content = {"title": title, "created": moment, **about}
        stem = self._stem(title, created)
        extension = re.sub(r"[^a-z0-9]", "", extension.lower())[:10] or "bin"
        hidden = data if isinstance(data, Path) else self.folder / f".{os.urandom(12).hex()}.part"
        beside = hidden.with_suffix(".json.part")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._sweep()
            if isinstance(data, bytes):
                writing.write_whole(hidden, data, self._create)
            writing.write_whole(beside, _sidecar_text(content), self._create)
            name = self._publish(hidden, beside, stem, extension)
        except OSError as error:
            raise writing.storage_error(self.folder, error) from error
        finally:
            _discard(hidden)
            _discard(beside)
        writing.flush_folder(self.folder)
        path = self.folder / name
        size = len(data) if isinstance(data, bytes) else path.stat().st_size
        return Saved(name, path, _uri(name), self._kind(name), size, created, content)

    def _sweep(self) -> None:
        """Remove what processes that were killed left half-written, once; another process's own is younger."""
        if self.folder in self._swept:
            return
        self._swept.add(self.folder)
        with suppress(OSError), os.scandir(self.folder) as listing:
            for entry in listing:
                if _HALF.fullmatch(entry.name) and entry.stat().st_mtime < self._clock() - _ABANDONED:
                    _discard(Path(entry.path))

    def _publish(self, hidden: Path, beside: Path, stem: str, extension: str) -> str:
        for attempt in range(1, _TRIES):
            name = f"{stem}{f'-{attempt}' if attempt > 1 else ''}.{extension}"
            try:
                writing.publish(hidden, self.folder / name)
            except FileExistsError:
                continue
            try:
                writing.publish(beside, self.folder / (name + _SIDECAR))
            except FileExistsError:
                # Somebody else's file sits where the sidecar belongs: take the name back and try the next.
                (self.folder / name).replace(hidden)
                continue
            except OSError:
                (self.folder / name).unlink(missing_ok=True)
                raise
            return name
        raise OSError(f"{_TRIES:,} files of this name exist")

    def _stem(self, title: str, created: float) -> str:
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(created))
        # Room for a number behind the stem, so that the whole stays within the limit.
        words = names.safe_stem(title, names.MAX_STEM - len(stamp) - 6)
        return f"{stamp}-{words}" if words else stamp

    def _entries(self) -> dict[str, os.stat_result]:
        found: dict[str, os.stat_result] = {}
        try:
            with os.scandir(self.folder) as listing:
                for entry in listing:
                    if not entry.name.startswith(".") and entry.is_file(follow_symlinks=False):
                        found[entry.name] = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return found
        except OSError as error:
            raise writing.storage_error(self.folder, error) from error
        return found

    def _describe(self, name: str, status: os.stat_result) -> Saved:
        about = self._about(name)
        created = _moment(about.get("created"), status.st_mtime)
        return Saved(name, self.folder / name, _uri(name), self._kind(name), status.st_size, created, about)

    def _kind(self, name: str) -> Kind:
        try:
            with self.open(name) as stream:
                return kinds.kind_of(stream.read(kinds.HEAD), name)
        except MtuError:
            return kinds.UNKNOWN

    def _about(self, name: str) -> dict[str, Any]:
        try:
            with self.open(name + _SIDECAR) as stream:
                about: object = json.loads(stream.read(_SIDECAR_BYTES))
        except (MtuError, OSError, ValueError, RecursionError):
            return {}
        return cast("dict[str, Any]", about) if isinstance(about, dict) else {}

    def _missing(self, name: str) -> NotFound:
        import difflib

        known = [other for other in self._entries() if not other.endswith(_SIDECAR)]
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        shown = f"Near names: {', '.join(near)}." if near else "mtu://media lists the saved files."
        return NotFound(f"There is no saved file {names.quote(name)}.", advice=shown)


def _newest(found: Mapping[str, os.stat_result]) -> list[str]:
    """The names, newest first, without those of sidecars."""
    ordered = sorted(found, key=lambda name: (found[name].st_mtime_ns, name), reverse=True)
    return [name for name in ordered if not _is_sidecar(name, found)]


def _mark(before: str) -> tuple[int, str] | None:
    """Where a part of a shelf begins."""
    moment, _, name = before.partition(" ")
    if before and not (re.fullmatch(r"-?\d{1,20}", moment, re.ASCII) and name):
        raise BadInput(f"{names.quote(before)} is not where a part of the list ended.")
    return (int(moment), name) if before else None


def _is_sidecar(name: str, found: Mapping[str, object]) -> bool:
    return name.endswith(_SIDECAR) and name.removesuffix(_SIDECAR) in found


def _discard(hidden: Path) -> None:
    try:
        hidden.unlink(missing_ok=True)
    except OSError:
        return  # a folder that vanished or became read-only took it along; the error that matters is on its way


def _sidecar_text(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, ensure_ascii=False, indent=2, default=str) + "\n").encode("utf-8", "replace")


def _moment(text: object, otherwise: float) -> float:
    from datetime import datetime

    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except (ValueError, OverflowError, OSError):
        return otherwise


def _uri(name: str) -> str:
    return "mtu://media/" + quote(name, safe="")
