"""`latest`: the newest file of a kind in the folders the user allowed, for a file that is only in the chat.

Hosts show a server nothing of what a person drops into the chat. What the person can do is save it, or take a
screenshot, and say "the latest picture". So the newest file is looked for right in the allowed folders, and in those
places below them where systems put such files (Downloads, Screenshots, Desktop, Pictures); nowhere deeper. Files that
this server made are not meant by it; files that were handed to it are.

What it is decides, told by the bytes and not by the name. A file still being written is left out and named: taking
the one before it without a word would be a wrong answer. And which of two files of the very same moment was meant,
nobody here can know.
"""

import os
import re
import stat
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mtu_mcp.errors import BadInput, MtuError, NotFound
from mtu_mcp.media import kinds, names
from mtu_mcp.media.kinds import Family, Kind
from mtu_mcp.media.references import settled

if TYPE_CHECKING:
    from mtu_mcp.media.library import Library
    from mtu_mcp.media.workspace import Workspace

UPLOADED: Final = "uploaded"
"""What the sidecar of a file says that a person handed in."""
MOST_WISHED: Final = 16
MOST_ENTRIES: Final = 20_000
"""Entries looked at in one folder; listing so many takes a tenth of a second."""
MOST_OPENED: Final = 1_000
"""Files opened to see what they are, the newest first."""
QUIET_SECONDS: Final = 2.0
"""A file changed within these may still be written; it is looked at again after `PAUSE_SECONDS`."""
PAUSE_SECONDS: Final = 0.5
MOST_LOOKS: Final = 4

_WISH: Final = r"latest(?:[\s:]+(?P<count>\d{1,3}))?(?:[\s:]+(?P<word>[a-z]+?)s?)?"
_FAMILIES: Final[dict[str, Family]] = {
    **dict.fromkeys(("picture", "image", "photo", "screenshot"), "image"),
    **dict.fromkeys(("sound", "audio", "recording"), "audio"),
    **dict.fromkeys(("video", "film", "movie"), "video"),
    **dict.fromkeys(("document", "text"), "document"),
}
_ANY: Final = ("", "file")
# What browsers, mail programs and download managers call a file until it is whole.
_UNFINISHED: Final = (".crdownload", ".part", ".partial", ".tmp", ".temp", ".download", ".opdownload", ".aria2", ".!ut")
_HIDDEN_ON_WINDOWS: Final = 0x2 | 0x4  # FILE_ATTRIBUTE_HIDDEN, FILE_ATTRIBUTE_SYSTEM
_HIDDEN_ON_MAC: Final = 0x8000  # UF_HIDDEN


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for: how many of the newest files, and of which family; None for any that fits."""

    count: int = 1
    family: Family | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A file that was chosen.

    Attributes:
        path: Its real path.
        kind: What its bytes are.
        size: Bytes.
        when: When it came here, seconds since 1970.
        stamp: Changes when anything is done to it.
    """

    path: Path
    kind: Kind
    size: int
    when: float
    stamp: tuple[int, ...]

    def unchanged(self) -> bool:
        """Whether it is still the very file that was chosen. Blocking."""
        try:
            return _stamp(os.lstat(self.path)) == self.stamp
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class Newest:
    """What a search found: the newest first, and what it left out."""

    found: tuple[Found, ...]
    growing: tuple[str, ...] = ()


def wish_of(text: object) -> Wish | None:
    """What a text asks for: `latest`, `latest 3`, `latest video`, `latest 2 screenshots`; None when it is something else.

    Raises:
        BadInput: None, or more than `MOST_WISHED`, are asked for.
    """
    if not isinstance(text, str) or len(text) > 60:
        return None
    matched = re.fullmatch(_WISH, text.strip().lower())
    if matched is None:
        return None
    word = matched["word"] or ""
    if word not in _FAMILIES and word not in _ANY:
        return None
    count = int(matched["count"] or 1)
    if not 1 <= count <= MOST_WISHED:
        raise BadInput(f"{text.strip()!r} asks for {count} files; 1 to {MOST_WISHED} can be taken.")
    return Wish(count, _FAMILIES.get(word))


async def newest(
    wish: Wish,
    *,
    workspace: "Workspace",
    library: "Library",
    families: Sequence[Family],
    places: Iterable[Path] = (),
    clock: Callable[[], float] = time.time,
    wait: Callable[[float], Awaitable[None]] | None = None,
) -> Newest:
    """Find the newest files in the folders that a call may read.

    Args:
        wish: How many, and of which family.
        workspace: The folders.
        library: The output folder, of which only what was handed in counts.
        families: The families that fit.
        places: Folders looked into as well where they lie in an allowed one.
        clock: Seconds since 1970.
        wait: Waits some seconds.

    Raises:
        BadInput: The family does not fit here, or two files are equally new.
        NotFound: There is none; the message names the folders.
    """
    import anyio
    import anyio.to_thread

    if wish.family is not None and wish.family not in families:
        raise BadInput(
            f"The latest {_NOUNS[wish.family]} does not fit here.", advice=f"Give one: {' or '.join(families)}."
        )
    wanted = (wish.family,) if wish.family else tuple(families)
    search = _Search(workspace, library, _folders(workspace, places), clock)
    seen: dict[Path, tuple[int, ...]] = {}
    result = await anyio.to_thread.run_sync(search.run, wish.count, wanted, seen)
    for _ in range(MOST_LOOKS):
        if not result.fresh:
            break
        seen |= result.fresh
        await (wait or anyio.sleep)(PAUSE_SECONDS)
        result = await anyio.to_thread.run_sync(search.run, wish.count, wanted, seen)
    if not result.found:
        raise search.none(wanted, result.growing)
    return Newest(tuple(result.found), tuple(result.growing))


_NOUNS: Final[dict[Family, str]] = {
    "image": "picture",
    "audio": "sound",
    "video": "video",
    "document": "document",
    "unknown": "file",
}


def noun(families: Sequence[Family]) -> str:
    """What files of these families are called: "picture", "sound or video"."""
    return " or ".join(_NOUNS[one] for one in families)


@dataclass(slots=True)
class _Entry:
    """A file as its folder lists it."""

    path: Path
    status: os.stat_result
    when: float


@dataclass(slots=True)
class _Result:
    found: list[Found]
    growing: list[str]
    fresh: dict[Path, tuple[int, ...]]


class _Search:
    """One search; blocking.

    Args:
        workspace: The folders a call may read.
        library: The output folder.
        folders: The folders to look into.
        clock: Seconds since 1970.
    """

    def __init__(
        self, workspace: "Workspace", library: "Library", folders: tuple[Path, ...], clock: Callable[[], float]
    ) -> None:
        self._workspace = workspace
        self._library = library
        self._folders = folders
        self._clock = clock
        self._closed: list[Path] = []
        self._crowded: list[Path] = []
        self._unopened = False

    def run(self, count: int, families: Sequence[Family], seen: dict[Path, tuple[int, ...]]) -> _Result:
        """Find the newest. Those that changed since they were `seen` are being written; those just changed and not yet
        seen are told as fresh.

        Raises:
            BadInput: Two files are equally new.
        """
        entries = sorted(self._entries(), key=lambda entry: (-entry.when, str(entry.path)))
        self._unopened = len(entries) > MOST_OPENED
        result = _Result([], [], {})
        for entry in entries[:MOST_OPENED]:
            last = result.found[-1] if len(result.found) == count else None
            if last is not None and entry.when < last.when:
                break
            found = self._look(entry, families)
            if found is None:
                continue
            if seen.get(found.path, found.stamp) != found.stamp:
                result.growing.append(found.path.name)
                continue
            if last is not None:
                raise _equal(last, found)
            if found.path not in seen and self._clock() - entry.status.st_mtime < QUIET_SECONDS:
                result.fresh[found.path] = found.stamp
            result.found.append(found)
            families = (found.kind.family,) if count > 1 else families  # several are of one family, the newest's
        return result

    def none(self, families: Sequence[Family], growing: Sequence[str]) -> NotFound:
        """Say that there is none, where it was looked for, and how to allow more."""
        what = noun(families)
        if growing:
            return NotFound(
                f"The latest {what}, {names.quote(growing[0])}, is still being written.",
                advice="Try it when it is whole.",
            )
        looked = [folder for folder in self._folders if folder not in self._closed]
        shown = ", ".join(names.quote(str(folder)) for folder in looked[:5])
        shown += f" and {len(looked) - 5} more" if len(looked) > 5 else ""
        closed = ", ".join(names.quote(str(folder)) for folder in self._closed[:5])
        crowded = ", ".join(names.quote(str(folder)) for folder in self._crowded[:5])
        said = [f"There is no {what} in {shown}." if shown else f"There is no folder to look for the latest {what} in."]
        said += [f"These could not be listed: {closed}."] if closed else []
        said += [f"Of these only {MOST_ENTRIES:,} entries were looked at: {crowded}."] if crowded else []
        said += [f"Of all files only the newest {MOST_OPENED:,} were opened."] if self._unopened else []
        return NotFound(
            " ".join(said),
            advice="Ask the user to save the file there, or to allow a folder as a root of the host or in "
            "MTU_ALLOWED_DIRS, where `downloads` and `screenshots` stand for theirs.",
        )

    def _entries(self) -> Iterator[_Entry]:
        seen: set[tuple[int, int]] = set()
        for path in (*self._listed(), *self._handed_in()):
            try:
                status = path.stat()
            except (OSError, ValueError):
                continue
            # Where a system gives no inode, each path is a file of its own.
            identity = (status.st_dev, status.st_ino) if status.st_ino else (-1, hash(path))
            if not stat.S_ISREG(status.st_mode) or not status.st_size or _hidden(status) or identity in seen:
                continue
            seen.add(identity)
            yield _Entry(path, status, _arrival(status, self._clock()))

    def _listed(self) -> Iterator[Path]:
        for folder in self._folders:
            try:
                with os.scandir(folder) as listing:
                    found = [entry.name for _, entry in zip(range(MOST_ENTRIES + 1), listing, strict=False)]
            except FileNotFoundError:
                continue
            except OSError:
                self._closed += [folder] if folder not in self._closed else []
                continue
            if len(found) > MOST_ENTRIES and folder not in self._crowded:
                self._crowded.append(folder)
            there = {name.lower() for name in found}
            plain = [name for name in found[:MOST_ENTRIES] if _whole(name, there)]
            if str(folder) == os.path.realpath(self._library.folder):  # what has a sidecar was made here
                plain = [name for name in plain if f"{name.lower()}.json" not in there]
            yield from (folder / name for name in plain)

    def _handed_in(self) -> Iterator[Path]:
        try:
            listed = self._library.list()
        except MtuError:
            return
        yield from (saved.path for saved in listed if saved.about.get(UPLOADED) is True)

    def _look(self, entry: _Entry, families: Sequence[Family]) -> Found | None:
        """The file, if it may be read and is of a family that fits."""
        try:
            real = self._workspace.locate(str(entry.path))
            with self._workspace.open(real) as stream:
                status = os.fstat(stream.fileno())
                kind = settled(kinds.kind_of(stream.read(kinds.HEAD), real.name), stream)
        except (MtuError, OSError):
            return None
        if kind.family not in families:
            return None
        return Found(real, kind, status.st_size, entry.when, _stamp(status))


def _folders(workspace: "Workspace", places: Iterable[Path]) -> tuple[Path, ...]:
    """The allowed folders, and those places that lie within one."""
    granted = dict.fromkeys(workspace.granted)
    for place in places:
        real = Path(os.path.realpath(place))
        if any(folder in real.parents for folder in workspace.granted):
            granted[real] = None
    return tuple(granted)


def _whole(name: str, there: set[str]) -> bool:
    """Whether a name is that of a file in plain sight which nobody is still downloading."""
    low = name.lower()
    if name.startswith((".", "~$")) or low.endswith(_UNFINISHED):
        return False
    return not any(low + ending in there for ending in (".part", ".aria2", ".crdownload"))


def _hidden(status: os.stat_result) -> bool:
    on_windows = getattr(status, "st_file_attributes", 0) & _HIDDEN_ON_WINDOWS
    return bool(on_windows or getattr(status, "st_flags", 0) & _HIDDEN_ON_MAC)


def _arrival(status: os.stat_result, now: float) -> float:
    """When a file came to where it is: made here or last changed, for a copy keeps the date of what it is a copy of.

    A date in the future says nothing; then it is when its entry was changed.
    """
    born = getattr(status, "st_birthtime", status.st_ctime if os.name == "nt" else 0.0)
    when = max(status.st_mtime, born)
    return when if when <= now + 60 else min(status.st_ctime, now)


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _equal(one: Found, other: Found) -> BadInput:
    return BadInput(
        f"Two files came at the same moment: {names.quote(str(one.path))} and {names.quote(str(other.path))}.",
        advice="Ask the user which is meant, and give its path.",
    )
