"""The desk: the state of one running sandbox, shared by its routes.

Everything that differs from run to run comes in through `Options`: the dialect, the keys, the clock. Ids are counted,
not random, so that two runs of the same requests give the same answers.
"""

import hashlib
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from mtu_mcp.sandbox.faults import Faults
from mtu_mcp.sandbox.filing import Filing
from mtu_mcp.sandbox.journal import Entry, Journal
from mtu_mcp.sandbox.refusals import Dialect, Refusal, model_missing
from mtu_mcp.sandbox.roster import Model, Roster

if TYPE_CHECKING:
    from starlette.requests import Request

SIGNATURE = "[embedded gateway]"
"""Ends every text a person could take for a model's."""
FINGERPRINT = "fp_mtu_sandbox"
WRONG_KEY = "sk-wrong"
BROKE_KEY = "sk-broke"
_SHELF = 64
_REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class Options:
    """How one sandbox behaves.

    `keys` empty: any bearer token is accepted but `sk-wrong` (401) and `sk-broke` (no quota). `without`: endings of
    paths answered as such gateways answer what they lack. `models`: names offered; empty means all that are known.
    `omni_audio` False allows `modalities` `["text"]` only, as some gateways do. `pace`: seconds between chunks.
    `parse_polls`, `parse_seconds`: how long a document is parsed. `batch_polls`: polls in which a batch takes a step; 0
    leaves stepping to POST /sandbox/batches/step. `assistants`: serve the Assistants API, which OpenAI removed.
    `file_bytes`: a lower limit than the documented ones; 0 is none.
    """

    dialect: Dialect = "openai"
    keys: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    omni_audio: bool = True
    pace: float = 0.0
    parse_polls: int = 0
    parse_seconds: float = 0.0
    batch_polls: int = 1
    assistants: bool = False
    file_bytes: int = 0
    clock: Callable[[], float] = time.time


@dataclass(slots=True)
class Desk:
    """Journal, faults, models and ids of one sandbox."""

    options: Options = field(default_factory=Options)
    journal: Journal = field(default_factory=Journal)
    faults: Faults = field(default_factory=Faults)
    roster: Roster = field(init=False)
    files: Filing = field(init=False)
    base_url: str = ""
    memory: dict[str, list[dict[str, Any]]] = field(default_factory=dict[str, list[dict[str, Any]]])
    """Messages of stored responses, by id."""
    cached: dict[str, float] = field(default_factory=dict[str, float])
    """Prefixes in the explicit context cache, and when each is forgotten."""
    _count: int = 0
    _release: "anyio.Event | None" = None
    _shelf: dict[str, tuple[bytes, str]] = field(default_factory=dict[str, tuple[bytes, str]])
    _drawers: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    def __post_init__(self) -> None:
        self.roster = Roster(self.options.models)
        self.files = Filing(self.new_id, self.options.clock, self.options.dialect)

    @property
    def dialect(self) -> Dialect:
        """The dialect errors are worded in."""
        return self.options.dialect

    def now(self) -> int:
        """Unix seconds by the sandbox's clock."""
        return int(self.options.clock())

    def new_id(self, prefix: str) -> str:
        """An id nobody else has: the API's own prefix (`chatcmpl-`, `resp_`, `msg_`, `call_` ...), then "sandbox"."""
        self._count += 1
        return prefix + "sandbox" + hashlib.sha256(f"{prefix}{self._count}".encode()).hexdigest()[:17]

    def new_uuid(self) -> str:
        """A UUID, as DashScope names requests."""
        self._count += 1
        return str(uuid.uuid5(uuid.NAMESPACE_OID, str(self._count)))

    def shelve(self, data: bytes, mime: str, extension: str) -> str:
        """Keep a made file and return the URL it is served at (GET /sandbox/files/NAME); the oldest go first."""
        name = f"{self.new_id('made-')}.{extension.lstrip('.')}"
        self._shelf[name] = (data, mime)
        while len(self._shelf) > _SHELF:
            del self._shelf[next(iter(self._shelf))]
        return f"{self.base_url}/sandbox/files/{name}"

    def unshelve(self, url: str) -> tuple[bytes, str] | None:
        """The bytes and MIME type of a URL (or bare name) that points back here; None for any other."""
        head, _, name = url.rpartition("/")
        if head not in {"", f"{self.base_url}/sandbox/files"}:
            return None
        return self._shelf.get(name)

    def remember(self, response_id: str, messages: list[dict[str, Any]]) -> None:
        """Keep the talk of a stored response; the oldest are forgotten first."""
        self.memory[response_id] = messages
        while len(self.memory) > _REMEMBERED:
            del self.memory[next(iter(self.memory))]

    def drawer(self, kind: str) -> dict[str, Any]:
        """What a family of routes keeps under the name of its objects: by id, in order of arrival."""
        return self._drawers.setdefault(kind, {})

    def keep(self, kind: str, wanted: str, kept: Any) -> None:
        """Put something into a drawer; the oldest are forgotten first."""
        drawer = self.drawer(kind)
        drawer[wanted] = kept
        while len(drawer) > _REMEMBERED:
            del drawer[next(iter(drawer))]

    async def released(self) -> None:
        """Wait until somebody lets stalled calls go on."""
        if self._release is None:
            self._release = anyio.Event()
        await self._release.wait()

    def release(self) -> None:
        """Let stalled calls go on; to be called on the sandbox's own loop."""
        if self._release is not None:
            self._release.set()
            self._release = None

    def model(self, name: str, *kinds: str) -> Model:
        """The model of that name, if it is offered and of one of `kinds`; 404 otherwise."""
        model = self.roster.find(name)
        if model is None:
            raise model_missing(name)
        if kinds == ("chat",) and model.kinds == frozenset({"responses"}):
            msg = "This model is only supported in v1/responses and not in v1/chat/completions."
            raise Refusal(404, msg, param="model")
        if kinds and not model.kinds & set(kinds):
            msg = f"This is not {'an' if kinds[0][0] in 'aeio' else 'a'} {' or '.join(kinds)} model and thus not supported in this endpoint: `{name}`."
            raise Refusal(404, msg, param="model")
        return model

    def admit(self, authorization: str) -> None:
        """Check the key of a call: 401 without one or with a wrong one, no quota with `sk-broke`."""
        scheme, _, key = authorization.strip().partition(" ")
        if not key and self.dialect == "new-api":
            scheme, key = "Bearer", scheme  # such gateways take a bare key
        key = key.strip()
        if scheme.lower() != "bearer" or not key:
            msg = "You didn't provide an API key. Provide it in the header: Authorization: Bearer YOUR_KEY."
            raise Refusal(401, msg, code="invalid_api_key")
        if key == BROKE_KEY:
            msg = "You exceeded your current quota, please check your plan and billing details."
            raise Refusal(429, msg, type="insufficient_quota", code="insufficient_quota")
        if key == WRONG_KEY or (self.options.keys and key not in self.options.keys):
            raise Refusal(401, f"Incorrect API key provided: {_masked(key)}.", code="invalid_api_key")


def desk_of(request: "Request") -> Desk:
    """The desk of the app that serves this request."""
    return request.app.state.desk


def entry_of(request: "Request") -> Entry:
    """The journal entry of this request."""
    return request.scope["mtu.entry"]


def _masked(key: str) -> str:
    return f"{key[:3]}***{key[-2:]}" if len(key) > 8 else "***"
