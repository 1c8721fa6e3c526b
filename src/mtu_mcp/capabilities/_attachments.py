"""Files that are only in the chat: `latest` in the place of a path, and a page where a person hands a file in.

A host gives a server nothing of what was dropped into the chat, so a model writes a path that exists in its own world
alone. `latest` is what it can write instead. Which file that is, is settled here once for all tools, before a body
runs: the word is replaced by the file's path, so that conversations, jobs and the joining of equal calls know the file
and not the word. The user, who cannot foresee what "latest" will be, is asked where the host can ask; the file they
agreed to is the one that is sent, and if it has changed meanwhile nothing is. Where the host cannot ask, only a file of
the last day is taken unasked. Either way the progress names the file before it leaves, and the answer before all else.

On the 2026-07-28 protocol all this runs again in every round of a call: the choice of the first round is remembered,
and the SDK takes an answer only for the very words that were asked, which name the file, its size and its time.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, cast
from urllib.parse import urlsplit

import anyio.to_thread
from mcp.server.elicitation import AcceptedElicitation, ElicitationResult
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import Elicit, ListRoots, Resolve
from mcp.types import CallToolResult, ListRootsResult, TextContent
from pydantic import BaseModel, Field

from mtu_mcp.app import App, current_app, current_owner
from mtu_mcp.capabilities._approval import fingerprint
from mtu_mcp.capabilities._asks import REMOTE, can_ask, folders
from mtu_mcp.errors import BadInput, MtuError, NotFound, PathNotAllowed, Refused
from mtu_mcp.gateway import current_scope

if TYPE_CHECKING:
    from mtu_mcp.capabilities._spec import ToolSpec
    from mtu_mcp.media import Family, Found, Wish

    Body = Callable[..., Awaitable[CallToolResult]]

UPLOAD: Final = "upload"
"""What a model writes in the place of a path when the user is to hand the file in."""
UNASKED_SECONDS: Final = 86_400.0
"""How old a file may be that is sent without asking: what a person just saved for this is not of last week."""
_IN_CHAT: Final = ("/mnt/user-data/", "/mnt/data/", "sandbox:", "attachment:", "attachments/", "blob:")
"""Where hosts say that files of the chat are; there are none of it on this machine."""


class Sending(BaseModel):
    """The user's word on a file; named like the word on a sum, so that whoever answers for a script answers both."""

    approve: bool = Field(description="Yes, send it.")


@dataclass(frozen=True, slots=True)
class Choice:
    """The files that `latest` stands for in one call.

    Attributes:
        key: What the rounds of the call remember it by.
        paths: For each text that asks for the latest, the files.
        growing: Names of files that were left out since they are still being written.
        chosen: When it was made, seconds since 1970.
    """

    key: tuple[str, str]
    paths: Mapping[str, tuple[Found, ...]]
    growing: tuple[str, ...]
    chosen: float

    @property
    def files(self) -> list[Found]:
        """Every file once."""
        return list(dict.fromkeys(one for found in self.paths.values() for one in found))

    def named(self) -> str:
        """What the answer says before all else."""
        told = [f"{kind_word(one)}: {_place(one)}, {_age(self.chosen - one.when)}" for one in self.files]
        left = [f"Left out, since it is still being written: {_quote(name)}." for name in self.growing[:3]]
        return "\n".join([*(f"Latest {line}." for line in told), *left])


async def _roots(ctx: Context) -> ListRoots | None:
    if not _wished(ctx):
        return None
    if ctx.request_state is None:  # the first round: what an abandoned call like this one chose is nothing to it
        current_app().memo.forget(_key(ctx))
    can = ctx.client_capabilities is not None and ctx.client_capabilities.roots is not None
    return ListRoots() if can else None


async def choose_latest(ctx: Context, roots: Annotated[ListRootsResult | None, Resolve(_roots)]) -> Choice | None:
    """Find what `latest` stands for, once for all rounds of a call.

    Raises:
        NotFound: There is no such file, or one that is too old to be taken unasked.
        BadInput: Two are equally new, or more than one was asked for where one is taken.
    """
    wished = _wished(ctx)
    if not wished:
        return None
    app, key = current_app(), _key(ctx)

    async def search() -> Choice:
        from mtu_mcp.media import newest
        from mtu_mcp.places import known_places

        places = await anyio.to_thread.run_sync(known_places)
        workspace, found, growing = app.workspace(folders(roots)), dict[str, "tuple[Found, ...]"](), list[str]()
        for text, (wish, families) in wished.items():
            one = await newest(wish, workspace=workspace, library=app.library, families=families, places=places)
            found[text] = one.found
            growing += one.growing
        return Choice(key, found, tuple(dict.fromkeys(growing)), time.time())

    try:
        choice = await app.memo.once(key, search)
    except NotFound as error:
        raise NotFound(error.message, advice=f"{error.advice} {way_in(app)}".strip()) from error
    if not can_ask(ctx):
        _require_recent(choice)
    return choice


async def question(choice: Annotated[Choice | None, Resolve(choose_latest)], ctx: Context) -> Elicit[Sending] | None:
    """Ask the user whether the files may leave; every word of it comes out the same in each round."""
    if choice is None or not can_ask(ctx):
        return None
    where = urlsplit(current_app().settings.base_url).hostname or "the gateway"
    lines = [f"{_place(one)}, {_moment(one.when)}" for one in choice.files]
    tool = str((ctx.request_context.params or {}).get("name", ""))[:60]
    what = lines[0] if len(lines) == 1 else "\n" + "\n".join(f"- {line}" for line in lines) + "\n"
    return Elicit(f"{tool} would send the latest {kind_word(choice.files[0])} to {where}: {what}. Send it?", Sending)


async def agreed(
    choice: Annotated[Choice | None, Resolve(choose_latest)],
    outcome: Annotated[ElicitationResult[Sending], Resolve(question)],
) -> Choice | None:
    """The choice, once nothing stands against it.

    Raises:
        Refused: The user did not agree.
    """
    if choice is None:
        return None
    said = cast("Sending | None", outcome.data) if isinstance(outcome, AcceptedElicitation) else Sending(approve=False)
    if said is not None and not said.approve:
        current_app().memo.forget(choice.key)
        named = ", ".join(_quote(one.path.name) for one in choice.files)
        raise Refused(f"The user did not want {named} to be sent, so nothing was.", advice="Ask which file is meant.")
    return choice


Latest = Annotated[Choice | None, Resolve(agreed)]
"""The parameter that makes a tool wait for the files that `latest` stands for."""


def with_latest(fn: Body, spec: ToolSpec) -> Body:
    """Wrap a tool so that words for files become files before it runs, and its answer names them.

    Args:
        fn: The tool, guarded: it returns its errors.
        spec: What it is.
    """

    @functools.wraps(fn)
    async def opened(*args: Any, latest: Choice | None = None, **kwargs: Any) -> CallToolResult:
        if any(text.strip().lower() == UPLOAD for text in _texts(kwargs, spec)):
            return CallToolResult(content=[TextContent(type="text", text=_invitation(current_app()))])
        if latest is None:
            return await fn(*args, **kwargs)
        current_app().memo.forget(latest.key)
        for one in latest.files:
            if not await anyio.to_thread.run_sync(one.unchanged):
                raise Refused(
                    f"{_quote(one.path.name)} changed after it was chosen, so nothing was sent.",
                    advice="Make the call again.",
                )
        said = latest.named()
        await current_scope().report(f"sending {', '.join(_quote(one.path.name) for one in latest.files)}")
        return naming(await fn(*args, **_filled(kwargs, spec, latest)), said)

    return opened


def naming(result: CallToolResult, said: str) -> CallToolResult:
    """A copy of a result that begins with what is said, in both of its forms."""
    structured = result.structured_content
    if structured is not None:
        structured = {"latest": said, **structured}
    content = [TextContent(type="text", text=said), *result.content]
    return result.model_copy(update={"content": content, "structured_content": structured})


def helped(error: MtuError, arguments: Mapping[str, Any], spec: ToolSpec) -> MtuError:
    """The error of a file that this server cannot see, with what can be done about it."""
    if not isinstance(error, NotFound | PathNotAllowed):
        return error
    local = [text for text in _texts(arguments, spec) if not text.strip().lower().startswith(REMOTE)]
    app = current_app()
    in_chat = any(text.strip().lower().startswith(_IN_CHAT) for text in local)
    if not local or not (in_chat or can_hand_in(app)):
        return error
    reason = "A file that is only in the chat is not on this machine. " if in_chat else ""
    advice = f"{error.advice} {reason}{way_in(app) or _SAVE}"
    return type(error)(error.message, advice=advice.strip())


def can_hand_in(app: App) -> bool:
    """Whether there is a page to hand files in."""
    return app.uploads is not None and bool(app.uploads.address)


def way_in(app: App) -> str:
    """A new link with which the user can hand a file in; empty where there is no page for that."""
    if app.uploads is None or not can_hand_in(app):
        return ""
    link = app.uploads.issue(current_owner())
    return (
        f"Or let the user open {link} (for one file, within 10 minutes) and make the call again with the "
        'mtu://media/ link shown there, or with "latest".'
    )


_SAVE: Final = 'Ask the user to save it in an allowed folder, and give "latest" instead of the path.'


def _invitation(app: App) -> str:
    if app.uploads is None or not can_hand_in(app):
        raise BadInput(
            "There is no page to hand a file in: there is one over HTTP on this machine alone "
            "(mtu-mcp serve --transport http).",
            advice=_SAVE,
        )
    return (
        f"Nothing was sent yet. Let the user open {app.uploads.issue(current_owner())} in the browser of this machine and "
        'choose the file: one, within 10 minutes. Then make the call again with the mtu://media/ link shown there, or "latest".'
    )


def _wished(ctx: Context) -> dict[str, tuple[Wish, Sequence[Family]]]:
    """The texts of a call that ask for the latest, and what each asks for."""
    params = ctx.request_context.params or {}
    given = params.get("arguments")
    spec = _called(str(params.get("name", "")))
    if spec is None or not isinstance(given, Mapping):
        return {}
    from mtu_mcp.media import wish_of

    found: dict[str, tuple[Wish, Sequence[Family]]] = {}
    held, slots = spec.slots(cast("Mapping[str, Any]", given))
    for name, slot in slots.items():
        for text in _as_texts(held.get(name)):
            wish = wish_of(text)
            if wish is not None and wish.count > 1 and not slot.several:
                raise BadInput(f"{name} takes one file; {text.strip()!r} asks for {wish.count}.")
            if wish is not None:
                found[text] = wish, slot.families
    return found


def _called(tool: str) -> ToolSpec | None:
    from mtu_mcp.capabilities import capabilities

    specs = (one for capability in capabilities() for one in capability.tools)
    return next((one for one in specs if one.name == tool), None)


def _key(ctx: Context) -> tuple[str, str]:
    return "latest", fingerprint(ctx.request_context.params or {})


def _texts(arguments: Mapping[str, Any], spec: ToolSpec) -> Iterator[str]:
    held, slots = spec.slots(arguments)
    for name in slots:
        yield from _as_texts(held.get(name))


def _as_texts(value: object) -> list[str]:
    if isinstance(value, str) and value.lstrip().startswith("["):  # a list written as JSON, as the SDK reads it
        with suppress(ValueError, RecursionError):
            value = json.loads(value)
    items = cast("list[object]", value) if isinstance(value, list) else [value]
    return [one for one in items if isinstance(one, str)]


def _filled(arguments: dict[str, Any], spec: ToolSpec, choice: Choice) -> dict[str, Any]:
    """The arguments with the paths in the place of the words."""
    held, slots = spec.slots(arguments)
    paths = {name: _paths(held[name], choice) for name in slots if held.get(name)}
    return {**arguments, **paths} if held is arguments else {**arguments, "arguments": {**held, **paths}}


def _paths(value: str | list[str], choice: Choice) -> str | list[str]:
    found = [
        path
        for text in _as_texts(value)
        for path in ([str(one.path) for one in choice.paths[text]] if text in choice.paths else [text])
    ]
    if isinstance(value, list) or len(found) > 1:
        return found
    return found[0] if found else value


def _require_recent(choice: Choice) -> None:
    for one in choice.files:
        if choice.chosen - one.when > UNASKED_SECONDS:
            raise NotFound(
                f"The latest {kind_word(one)} is {_place(one)}, {_age(choice.chosen - one.when)}: too old to be sent "
                "unasked.",
                advice=f"Ask the user whether it is meant; if so, give its path: {one.path}",
            )


def kind_word(one: Found) -> str:
    """What a file is called."""
    from mtu_mcp.media.latest import noun

    return noun([one.kind.family])


def _place(one: Found) -> str:
    return f"{_quote(one.path.name)} in {_quote(str(one.path.parent))} ({_size(one.size)})"


def _quote(text: str) -> str:
    from mtu_mcp.media.names import quote

    return quote(text)


def _size(size: int) -> str:
    return f"{size:,} bytes" if size < 100_000 else f"{size / 1e6:.1f} MB, {size:,} bytes"


def _moment(when: float) -> str:
    """The time on this machine's clock; unlike an age it reads the same in every round."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(when))


def _age(seconds: float) -> str:
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"saved {count} {unit}{'s' if count > 1 else ''} ago"
    return "saved just now"
