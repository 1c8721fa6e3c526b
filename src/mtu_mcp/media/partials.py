"""Work that is done in parts: what is finished stays on the disk until the whole is, so that nothing is done twice.

Each part is a small JSON file in a hidden folder of the output folder, written before the next one is asked for; a
killed process leaves them as they are. The folder's name says what the work is made of, so the same work finds it.
"""

import json
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from mtu_mcp.media import writing

_PREFIX: Final = ".parts-"
_SCRATCH: Final = ".scratch-"
_KEPT_SECONDS: Final = 30 * 86_400.0
_SCRATCH_SECONDS: Final = 86_400.0
_MOST_BYTES: Final = 16 << 20


class Partial:
    """The finished parts of one piece of work. Every method is blocking.

    Args:
        folder: The output folder.
        key: What the work is made of, as letters and digits; same for the same work.
        create: Opens a new file for writing.
    """

    def __init__(self, folder: Path, key: str, create: writing.Create = writing.create) -> None:
        self._folder = folder / (_PREFIX + key)
        self._create = create

    def load(self) -> dict[str, dict[str, Any]]:
        """The parts there are, by name; what cannot be read is not there."""
        found: dict[str, dict[str, Any]] = {}
        try:
            files = sorted(self._folder.glob("*.json"))
        except OSError:
            return found
        for file in files:
            try:
                value: object = json.loads(file.read_bytes()[:_MOST_BYTES])
            except (OSError, ValueError, RecursionError):
                continue
            if isinstance(value, dict):
                found[file.stem] = cast("dict[str, Any]", value)
        return found

    def keep(self, name: str, value: Mapping[str, Any]) -> None:
        """Write one part; it is on the disk on return.

        Raises:
            StorageError: The disk is full, read-only or gone.
        """
        hidden = self._folder / f".{os.urandom(8).hex()}.part"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            writing.write_whole(hidden, json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"), self._create)
            hidden.replace(self._folder / f"{name}.json")
        except OSError as error:
            raise writing.storage_error(self._folder.parent, error) from error

    def clear(self) -> None:
        """Forget the work: it is whole."""
        shutil.rmtree(self._folder, ignore_errors=True)


def scratch(folder: Path) -> Path:
    """Make a hidden folder for files of this call alone, and remove what earlier processes left behind. Blocking.

    Raises:
        StorageError: It cannot be made.
    """
    now = time.time()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(".*"):
            age = {_PREFIX: _KEPT_SECONDS, _SCRATCH: _SCRATCH_SECONDS}.get(left.name.partition("-")[0] + "-")
            if age is not None and now - left.lstat().st_mtime > age:
                shutil.rmtree(left, ignore_errors=True)
        made = folder / (_SCRATCH + os.urandom(8).hex())
        made.mkdir()
    except OSError as error:
        raise writing.storage_error(folder, error) from error
    return made
