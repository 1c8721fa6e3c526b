"""How a capability describes itself, as data; the server registers what it finds here.

Keeping registration out of the capability files means a tool is a plain function that can be read, tested and
listed without a server, and the edge (errors, redaction, toolsets) is applied to all of them in one place.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, cast

from mtu_mcp.capabilities._params import files_of

if TYPE_CHECKING:
    from mtu_mcp.capabilities._params import FileSlot

Completer = Callable[[str, Mapping[str, str]], Awaitable[list[str]]]
"""Suggests values for an argument: (what was typed so far, the arguments already given) -> values."""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """One tool.

    Attributes:
        fn: Module-level async function; its docstring is the description the model reads.
        title: What a person sees.
        toolset: Which group lists it (`MTU_TOOLSETS`).
        read_only: Changes nothing anywhere: no file, no conversation.
        writes: Makes or changes files, or things on the gateway; `MTU_READ_ONLY` hides it.
        destructive: May delete or overwrite.
        idempotent: Calling twice is the same as calling once.
        open_world: Reaches the gateway or the web.
        search_hint: Words that a host's tool search should find it by.
        inner_files: Of a tool whose `arguments` are those of something else: which of them name files, by the call's own.
    """

    fn: Callable[..., Any]
    title: str
    toolset: str = "core"
    read_only: bool = False
    writes: bool = False
    destructive: bool = False
    idempotent: bool = False
    open_world: bool = True
    search_hint: str = ""
    inner_files: Callable[[Mapping[str, Any]], Mapping[str, FileSlot]] | None = None

    @property
    def name(self) -> str:
        """The function's name is the tool's name."""
        return self.fn.__name__

    @property
    def files(self) -> Mapping[str, FileSlot]:
        """The parameters that name files, as their types say, and what each takes."""
        return files_of(self.fn)

    @property
    def takes_files(self) -> bool:
        """Whether a call may name files."""
        return bool(self.files) or self.inner_files is not None

    def slots(self, given: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, FileSlot]]:
        """The arguments of a call among which files are named, and what each of these takes."""
        if self.inner_files is None:
            return given, self.files
        inner: object = given.get("arguments")
        if isinstance(inner, str):  # written as JSON, which the SDK reads
            with suppress(ValueError, RecursionError):
                inner = json.loads(inner)
        if not isinstance(inner, Mapping):
            return {}, {}
        return cast("Mapping[str, Any]", inner), self.inner_files({**given, "arguments": inner})


@dataclass(frozen=True, slots=True)
class Content:
    """What reading a resource gives: text or bytes, and what they are."""

    data: str | bytes
    mime: str = "text/plain"

    @classmethod
    def of(cls, value: object) -> Self:
        """Data as JSON."""
        return cls(json.dumps(value, ensure_ascii=False, indent=1, default=str), "application/json")


@dataclass(frozen=True, slots=True)
class ResourceSpec:
    """One resource, or a family of them when `uri` holds `{placeholders}`.

    Attributes:
        uri: Address or RFC 6570 template.
        fn: Async function of the placeholders that returns `Content`; its docstring is the description.
        title: What a person sees.
        mime: What a reader should expect; a template's reads may say more exactly.
        complete: A completer per placeholder.
    """

    uri: str
    fn: Callable[..., Awaitable[Content]]
    title: str
    mime: str = "application/json"
    complete: Mapping[str, Completer] | None = None


@dataclass(frozen=True, slots=True)
class PromptSpec:
    """One prompt: a recipe a person starts by name, for the host's model to follow.

    Attributes:
        fn: Function of texts that returns the message; an argument without a default is required, its description is
            the annotation's, and the docstring is the prompt's.
        title: What a person sees.
        tools: The tools it tells to call; it is listed when all of them are.
        complete: A completer per argument.
        stands_in_for: The prompt whose name it takes where that one's tools are not listed; it goes before it.
    """

    fn: Callable[..., str]
    title: str
    tools: tuple[str, ...]
    complete: Mapping[str, Completer]
    stands_in_for: str = ""

    @property
    def name(self) -> str:
        """The function's name is the prompt's name."""
        return self.stands_in_for or self.fn.__name__


@dataclass(frozen=True, slots=True)
class Capability:
    """What one capability file contributes."""

    tools: tuple[ToolSpec, ...] = ()
    resources: tuple[ResourceSpec, ...] = ()
    prompts: tuple[PromptSpec, ...] = ()
