"""Every documented operation of the gateway as data, read from operations.json.

The file is the wire's own matter (methods, paths, fields, versions), so it lives beside the code that speaks it and
not in the catalogue, which knows models and money. One operation is a few lines: what is missing has its usual value
(a GET reads, a DELETE destroys, an answer is JSON). `titles` are the pages of the gateway's documentation that it
serves, in their own language: people search by them, and the README's table of all pages is made from them.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, cast

if TYPE_CHECKING:
    from mtu_mcp.gateway.uploads import Upload

State = Literal["live", "deprecated", "removed"]
Effect = Literal["read", "answer", "write", "destroy"]
Answers = Literal["json", "text", "media", "bytes"]

_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class FileRule:
    """What a file parameter takes: families of `media.kinds`, and bytes."""

    families: tuple[str, ...]
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Attributes:
        name: A verb and a noun, such as `list_files`.
        group: What it belongs to, such as `files`.
        method: The HTTP method.
        path: Below the base URL, with `{placeholders}`.
        help: One line.
        effect: "read" changes nothing; "answer" makes something and keeps nothing at the gateway; "write" makes or
            changes something there; "destroy" deletes it.
        spends: Whether it costs money.
        answers: What comes back: "text" may also be JSON, "media" may not, "bytes" is a file of any kind.
        state: Whether OpenAI still has it.
        note: A word on the state; empty for live ones.
        instead: What to use where a gateway does not serve it; what only keeps or reads has it by its group.
        headers: Sent with it.
        query: The parameters that go into the query; placeholders go into the path, all others into the body.
        body: The parameters that go into the body.
        files: Rules of the parameters that name files; with any, the body is a form.
        titles: Pages of the gateway's documentation, as `section / page`.
        schema: JSON Schema of the arguments, self-contained.
    """

    name: str
    group: str
    method: str
    path: str
    help: str
    effect: Effect
    spends: bool
    answers: Answers
    state: State
    note: str
    instead: str
    headers: Mapping[str, str]
    query: tuple[str, ...]
    body: tuple[str, ...]
    files: Mapping[str, FileRule]
    titles: tuple[str, ...]
    schema: Mapping[str, Any] = field(repr=False)

    @property
    def placeholders(self) -> tuple[str, ...]:
        """The parameters that go into the path."""
        return tuple(_PLACEHOLDER.findall(self.path))

    @property
    def line(self) -> str:
        """The operation in one line."""
        state = f" [{self.note}]" if self.note else ""
        return f"{self.name} ({self.method} {self.path}): {self.help}{state}"

    @property
    def takes(self) -> str:
        """The names of its parameters, a star at those it cannot do without."""
        needed: list[str] = self.schema.get("required", [])
        return ", ".join(f"{name}*" if name in needed else name for name in self.schema["properties"]) or "nothing"


class Store(Protocol):
    """Takes bytes that are too many to be held. Blocking."""

    def write(self, data: bytes) -> None:
        """Add bytes at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Invocation:
    """One operation with its arguments.

    Attributes:
        operation: What to do.
        arguments: As its schema has them; checked again before anything is sent.
        files: For each parameter that names files, what to send.
        store: Makes the place for a file that comes back and is large; without one all of it is held.
    """

    operation: Operation
    arguments: Mapping[str, Any]
    files: "Mapping[str, Sequence[Upload]]" = field(default_factory=dict[str, Any])
    store: Callable[[], Store] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an operation answered; one of the first four is filled, or none when the answer was empty.

    Attributes:
        result: The JSON value; for a stream the list of its events.
        text: Text that is not JSON, such as captions.
        data: The bytes of a file; when they came as events, `result` holds the last of these.
        stored: Where the bytes of a large file went, in `data`'s place.
        media_type: What the gateway says they are.
        cut: Why it ended before its end; empty when it did not.
        request_id: The gateway's name for the request.
    """

    result: Any = None
    text: str = ""
    data: bytes | None = None
    stored: Store | None = None
    media_type: str = ""
    cut: str = ""
    request_id: str = ""


@cache
def all_operations() -> Mapping[str, Operation]:
    """Every operation by its name, in the order of the documentation."""
    text = resources.files("mtu_mcp.gateway").joinpath("operations.json").read_text(encoding="utf-8")
    raw = json.loads(text)
    made = [_operation(entry, raw["definitions"], raw["instead"]) for entry in raw["operations"]]
    return {operation.name: operation for operation in made}


def _operation(entry: Mapping[str, Any], definitions: Mapping[str, Any], instead: Mapping[str, str]) -> Operation:
    path = str(entry["path"])
    placed = {name: _id(name, definitions) for name in _PLACEHOLDER.findall(path)}
    query, body = entry.get("query", {}), entry.get("body", {})
    properties = _expanded({**placed, **query, **body}, definitions)
    usual: Mapping[str, Effect] = {"GET": "read", "DELETE": "destroy"}
    effect: Effect = entry.get("effect") or usual[entry["method"]]
    files = {
        name: FileRule(tuple(rule["families"]), rule["megabytes"] * 1024 * 1024)
        for name, rule in entry.get("files", {}).items()
    }
    return Operation(
        name=entry["name"],
        group=entry["group"],
        method=entry["method"],
        path=path,
        help=entry["help"],
        effect=effect,
        spends=entry.get("spends", effect == "answer"),
        answers=entry.get("answers", "json"),
        state=entry.get("state", "live"),
        note=_note(entry),
        instead=entry.get("instead") or ("" if effect == "answer" else instead.get(entry["group"], "")),
        headers=entry.get("headers", {}),
        query=tuple(query),
        body=tuple(body),
        files=files,
        titles=tuple(entry.get("titles", ())),
        schema={
            "type": "object",
            "properties": properties,
            "required": [*placed, *entry.get("required", [])],
            "additionalProperties": False,
        },
    )


def _note(entry: Mapping[str, Any]) -> str:
    if entry.get("state") == "removed":
        return f"removed by OpenAI on {entry['since']}, a gateway may still serve it"
    return entry.get("note", "")


def _id(name: str, definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    return definitions["model_in_path" if name == "model" else "id"]


def _expanded(value: Any, definitions: Mapping[str, Any]) -> Any:
    """The schema with each `$ref` replaced by what it names and overlaid with what stands beside it."""
    if isinstance(value, list):
        return [_expanded(item, definitions) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    schema = cast("dict[str, Any]", value)
    if "$ref" in schema:
        beside = {key: item for key, item in schema.items() if key != "$ref"}
        return _expanded({**definitions[schema["$ref"]], **beside}, definitions)
    return {key: _expanded(item, definitions) for key, item in schema.items()}
