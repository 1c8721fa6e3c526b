"""The folders one call may touch, and THE one function that turns text into a path.

Every file a model names goes through `Workspace.locate`. What decides is the real path: links and `..` are
resolved first, then it must lie in an allowed folder, then it must be a regular file. Whether something exists
outside is never told: outside and absent look alike there.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from mtu_mcp.errors import BadInput, MtuError, NotFound, PathNotAllowed
from mtu_mcp.media import names
from mtu_mcp.media.opening import open_inside

# These hold no documents but the process itself (/proc/self/environ), devices and switches, whatever is allowed.
_SYSTEM: Final = ("/proc", "/sys", "/dev")
_MORE: Final = "Files may be read under the host's roots and the folders in MTU_ALLOWED_DIRS."


def folders_from_roots(uris: Iterable[str], *, windows: bool = os.name == "nt") -> tuple[Path, ...]:
    """The folders behind a host's roots; roots that are no local folder are left out.

    Args:
        uris: As the host sent them, such as `file:///c%3A/Users/me/my%20project`.
        windows: Read them as Windows does.
    """
    found: list[str] = []
    for uri in uris:
        if not uri.lower().startswith("file:"):
            continue
        try:
            path = names.path_from_uri(uri, windows=windows)
        except MtuError:
            continue
        if not (windows and names.windows_flaw(path)):
            found.append(path)
    return tuple(Path(path) for path in dict.fromkeys(found))


class Workspace:
    """The folders one call may touch.

    Args:
        folders: The host's roots and the configured folders.
        library: The output folder; it may always be read.
        closed: Files and folders that stay closed although an allowed folder holds them; `library` may lie in one.
        home: What `~` stands for; the user's own folder when None.
        windows: Read text as Windows does.
        keep_metadata: Whether pictures, sound and video are sent with what devices wrote into them.

    Attributes:
        folders: The allowed folders, resolved, without doubles, the output folder last.
        granted: Those of them that somebody allowed, resolved: without the output folder, unless it was named as well.
    """

    def __init__(
        self,
        folders: Iterable[Path],
        library: Path,
        *,
        closed: Iterable[Path] = (),
        home: Path | None = None,
        windows: bool = os.name == "nt",
        keep_metadata: bool = False,
    ) -> None:
        self._home = home
        self.keep_metadata = keep_metadata
        self._windows = windows
        given = [str(folder) for folder in (*folders, library)]
        real = [os.path.realpath(folder) for folder in given]
        self._closed = tuple(os.path.realpath(path) for path in closed)
        self._own = os.path.realpath(library)
        self._given = tuple(dict.fromkeys(given + real))
        self.folders = tuple(Path(folder) for folder in dict.fromkeys(real))
        self.granted = tuple(Path(folder) for folder in dict.fromkeys(real[:-1]))

    def locate(self, text: str) -> Path:
        """Turn what a model wrote into the real path of a regular file in an allowed folder.

        Args:
            text: An absolute path, `~/...`, a `file:` URI, or a path relative to an allowed folder.

        Returns:
            The real path: absolute, links resolved. Open it with `open`, which checks again.

        Raises:
            BadInput: The text is no path, names a folder, or fits files in several allowed folders.
            NotFound: No such file in the allowed folders; near names are in the message.
            PathNotAllowed: Outside the allowed folders, or no regular file.
        """
        names.check_text(text)
        path = self._system_path(text)
        if os.path.isabs(path):  # noqa: PTH117  the string is judged before it becomes a path
            return self._admit(path, text)
        return self._admit_relative(path, text)

    def open(self, path: Path) -> BinaryIO:
        """Open a located file for reading; the way to it is checked again, following no link.

        Raises:
            PathNotAllowed: Outside the allowed folders, no regular file, or changed since it was located.
            NotFound: It is gone.
            StorageError: The disk cannot read it.
        """
        place = self._place(str(path))
        if place is None:
            raise self._outside(str(path))
        return open_inside(*place)

    def _system_path(self, text: str) -> str:
        if text.lower().startswith("file:"):
            text = names.path_from_uri(text, windows=self._windows)
        elif "://" in text[:20]:
            raise BadInput(f"{names.quote(text)} is not a path.", advice="Name a file by its path or a file: URI.")
        if text == "~" or text.startswith(("~/", "~\\")):
            text = str(self._home or _home(text)) + text[1:]
        if not self._windows:
            if names.looks_windows(text):
                raise BadInput(f"{names.quote(text)} is a Windows path; this server runs elsewhere.")
            return text
        absolute = names.looks_windows(text) or text[:1] in "\\/" or text[1:2] == ":"
        flaw = names.windows_flaw(text if absolute else "C:\\" + text)
        if flaw:
            raise PathNotAllowed(f"{names.quote(text)} is not allowed: {flaw}.", advice="Name a plain file.")
        return text

    def _admit(self, path: str, text: str) -> Path:
        # Looking at a share sends the user's credentials there, so its text must already fit.
        share = self._windows and names.is_windows_share(path)
        if share and not any(names.inside_windows(path, folder) for folder in self._given):
            raise self._outside(text)
        try:
            real = os.path.realpath(path)
            place = self._place(real)
            if place is None or _is_system(real):
                raise self._outside(text)
            status = os.lstat(real)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise self._missing(text, [Path(path).parent]) from error
        except PermissionError as error:
            raise PathNotAllowed(
                f"{names.quote(text)} may not be read by this user.", advice="Change its permissions."
            ) from error
        except (OSError, ValueError) as error:
            raise BadInput(f"{names.quote(text)} is not a usable path.", advice="Name a file that exists.") from error
        _require_regular(status, text)
        return Path(real)

    def _admit_relative(self, path: str, text: str) -> Path:
        found: dict[str, Path] = {}
        refusals: list[MtuError] = []
        for folder in self.folders:
            try:
                located = self._admit(str(folder / path), text)
            except MtuError as error:
                refusals.append(error)
            else:
                found[str(located)] = located
        if len(found) > 1:
            shown = ", ".join(names.quote(name) for name in found)
            raise BadInput(f"{names.quote(text)} fits several files: {shown}.", advice="Name one by its whole path.")
        if found:
            return next(iter(found.values()))
        # What is there but no plain file tells most, then that nothing is there, then that all of it is outside.
        telling = [error for error in refusals if not isinstance(error, NotFound | _Outside)]
        if telling:
            raise telling[0]
        if any(isinstance(error, NotFound) for error in refusals):
            raise self._missing(text, [(folder / path).parent for folder in self.folders])
        raise self._outside(text)

    def _place(self, real: str) -> tuple[str, str] | None:
        """The allowed folder a real path lies in, and the rest of the path; None when outside."""
        if self._closed and not self._within(real, self._own) and any(self._within(real, it) for it in self._closed):
            return None
        for folder in map(str, self.folders):
            if self._windows and names.inside_windows(real, folder):
                return folder, os.path.relpath(real, folder)
            if real == folder:
                return folder, ""
            prefix = folder.rstrip(os.sep) + os.sep
            if real.startswith(prefix) and ".." not in Path(real).parts:
                return folder, real[len(prefix) :]
        return self._place_by_identity(real)

    def _within(self, real: str, top: str) -> bool:
        """Whether a real path is `top` or lies in it, by its text or by what it is: macOS takes names in any case."""
        if self._windows and names.inside_windows(real, top):
            return True
        if real == top or real.startswith(top.rstrip(os.sep) + os.sep):
            return True
        known = _status(top)
        found = (_status(str(path)) for path in (Path(real), *Path(real).parents))
        return known is not None and any(status is not None and os.path.samestat(status, known) for status in found)

    def _place_by_identity(self, real: str) -> tuple[str, str] | None:
        """The same, where the text differs but the folder is the same one: macOS takes names in any case."""
        if os.sep == "\\" or ".." in Path(real).parts:
            return None
        allowed = [(str(folder), status) for folder in self.folders if (status := _status(str(folder)))]
        path = Path(real)
        for parent in path.parents:
            status = _status(str(parent))
            for folder, known in allowed:
                if status is not None and os.path.samestat(status, known):
                    return folder, str(path.relative_to(parent))
        return None

    def _holds(self, folder: Path) -> bool:
        try:
            return self._place(os.path.realpath(folder)) is not None
        except (OSError, ValueError):
            return False  # swapped while it was resolved

    def _outside(self, text: str) -> "_Outside":
        shown = ", ".join(names.quote(str(folder)) for folder in self.folders[:5])
        shown += f" and {len(self.folders) - 5} more" if len(self.folders) > 5 else ""
        return _Outside(
            f"{names.quote(text)} is outside the folders this call may read: {shown}.",
            advice=f"{_MORE} Ask the user to add a folder there, or to copy the file.",
        )

    def _missing(self, text: str, parents: Iterable[Path]) -> NotFound:
        import difflib

        wanted = text.replace("\\", "/").rstrip("/").rpartition("/")[2]
        inside = [parent for parent in parents if self._holds(parent)]
        entries = [name for parent in inside for name in _entries(parent)]
        lower = {name.lower(): name for name in entries}
        near = [lower[name] for name in difflib.get_close_matches(wanted.lower(), lower, n=3, cutoff=0.6)]
        if near:
            advice = f"Near names there: {', '.join(names.quote(name, 80) for name in near)}."
        else:
            advice = "Check the path; " + _MORE[0].lower() + _MORE[1:]
        return NotFound(f"There is no file {names.quote(text)}.", advice=advice)


class _Outside(PathNotAllowed):
    """Not in any allowed folder, as opposed to there but no regular file."""


def _home(text: str) -> Path:
    try:
        return Path.home()
    except RuntimeError as error:
        raise BadInput(f"{names.quote(text)}: there is no home folder here.", advice="Write the whole path.") from error


def _require_regular(status: os.stat_result, text: str) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise BadInput(f"{names.quote(text)} is a folder.", advice="Name a file in it.")
    if not stat.S_ISREG(status.st_mode):
        raise PathNotAllowed(
            f"{names.quote(text)} is not a regular file.", advice="Name a file, not a device, a pipe or a socket."
        )


def _is_system(real: str) -> bool:
    return os.name != "nt" and any(real == folder or real.startswith(folder + "/") for folder in _SYSTEM)


def _status(path: str) -> os.stat_result | None:
    try:
        return Path(path).stat()
    except (OSError, ValueError):
        return None


def _entries(folder: Path) -> Iterator[str]:
    """Up to 1,000 names in a folder; none when it cannot be listed."""
    try:
        with os.scandir(folder) as listing:
            for _, entry in zip(range(1000), listing, strict=False):
                yield entry.name
    except OSError:
        return
