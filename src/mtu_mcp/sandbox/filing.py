"""The files one account has at the sandbox: what was uploaded, and what batches wrote.

A file is an id, its bytes and a purpose. Documents uploaded to be read (`file-extract`) are parsed after a while, as at
Model Studio: after as many polls or seconds as the options say, so that a client has to wait as it would there.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

EXTRACT = "file-extract"
"""Model Studio's purpose of documents that qwen-long reads."""
_ID_PARTS = {EXTRACT: "fe-", "batch": "batch-", "batch_output": "batch_output-", "fine-tune": "ft-"}


@dataclass(slots=True)
class StoredFile:
    """One file. `wait` are the polls left, and `ready` the Unix second, until it is parsed; `error` is why it cannot be."""

    id: str
    data: bytes
    name: str
    purpose: str
    created: int
    expires: int | None = None
    wait: int = 0
    ready: float = 0.0
    error: str = ""

    def parsed(self, now: float) -> bool:
        """Whether it can be read by a model."""
        return self.wait <= 0 and now >= self.ready

    def as_json(self, now: float) -> dict[str, Any]:
        """The File object of the API."""
        status = "uploaded" if not self.parsed(now) else "error" if self.error else "processed"
        found: dict[str, Any] = {"id": self.id, "object": "file", "bytes": len(self.data), "created_at": self.created}
        found |= {"filename": self.name, "purpose": self.purpose, "status": status}
        found["status_details"] = self.error or None if status == "error" else None
        return found | ({"expires_at": self.expires} if self.expires is not None else {})


@dataclass(slots=True)
class Filing:
    """Every file, in the order of arrival.

    Args:
        new_id: Makes an id that begins with a prefix.
        clock: Unix seconds.
        dialect: "dashscope" puts the purpose into the id.
    """

    new_id: Callable[[str], str]
    clock: Callable[[], float]
    dialect: str = "openai"
    _files: dict[str, StoredFile] = field(default_factory=dict[str, StoredFile])

    def add(self, data: bytes, name: str, purpose: str, **more: Any) -> StoredFile:
        """Keep a file and name it."""
        part = _ID_PARTS.get(purpose, "") if self.dialect == "dashscope" or purpose == EXTRACT else ""
        stored = StoredFile(self.new_id(f"file-{part}"), data, name, purpose, int(self.clock()), **more)
        self._files[stored.id] = stored
        return stored

    def find(self, file_id: str) -> StoredFile | None:
        """The file of that id, unless it has expired."""
        stored = self._files.get(file_id)
        if stored is not None and stored.expires is not None and self.clock() >= stored.expires:
            del self._files[file_id]
            return None
        return stored

    def remove(self, file_id: str) -> None:
        """Forget a file."""
        self._files.pop(file_id, None)

    def all(self) -> list[StoredFile]:
        """Every file, oldest first."""
        return [stored for file_id in list(self._files) if (stored := self.find(file_id)) is not None]
