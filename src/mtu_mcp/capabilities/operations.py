"""Every other documented operation of the gateway, found by words and called by name.

Seventy tools of their own would cost every conversation their weight in tokens; as data they cost nothing until asked
for. What a tool does for its one endpoint happens here for all: arguments are checked before anything is sent, files
go through `media`, files that come back are saved, and what deletes is confirmed. A host that can ask its user is
asked, whatever the model says; where it cannot, the model has to say that the user agreed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

from mcp.server.elicitation import AcceptedElicitation, ElicitationResult
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import Elicit, ListRoots, Resolve
from mcp.types import CallToolResult, ListRootsResult
from pydantic import BaseModel, Field

from mtu_mcp.app import App, current_app
from mtu_mcp.capabilities._answers import Answer, told_sum
from mtu_mcp.capabilities._asks import ask_roots, can_ask, folders
from mtu_mcp.capabilities._finding import ranked
from mtu_mcp.capabilities._opening import open_here
from mtu_mcp.capabilities._outcomes import keeps_files, present
from mtu_mcp.capabilities._params import FileSlot
from mtu_mcp.capabilities._spec import Capability, Content, ResourceSpec, ToolSpec
from mtu_mcp.capabilities._upstream import asking, upload_of
from mtu_mcp.errors import BadInput, NotFound, NotOffered, Refused
from mtu_mcp.gateway import (
    Exchange,
    Invocation,
    Operation,
    Upload,
    all_operations,
    check_arguments,
    current_scope,
)

if TYPE_CHECKING:
    from mtu_mcp.catalogue import Capability as Ability
    from mtu_mcp.media import Family, Workspace

SHOWN: Final = 12
"""Operations of one answer to words; what fits worse than these was not meant."""

_ABILITIES: Final[Mapping[str, Ability]] = {"images": "image", "audio": "transcribe"}
"""What a model is for, by group, where it is not for chat: wrong names are answered with near ones."""


class Approval(BaseModel):
    """The user's word on deleting something."""

    approve: bool = Field(description="Yes, delete it.")


async def find_operation(
    words: Annotated[str | None, Field(description="A task, or an exact name.", max_length=300)] = None,
    *,
    app: Annotated[App, Resolve(current_app)],
) -> CallToolResult:
    """Find API operations that have no tool, such as fine-tuning. An exact name shows its arguments."""
    answer = Answer(app)
    known = all_operations()
    asked = (words or "").strip()
    if not asked:
        answer.say(_groups(known.values()))
    elif asked in known:
        answer.say(json.dumps(_facts(known[asked]), ensure_ascii=False, indent=1))
    else:
        found = ranked(asked, known.values())[:SHOWN]
        answer.say(
            "\n".join(f"- {operation.line}" for operation in found)
            or f"Nothing fits. There are:\n{_groups(known.values())}"
        )
        if found:
            answer.note(f"Arguments are shown for an exact name, such as {found[0].name}.")
    return answer.finish()


def _groups(operations: Any) -> str:
    listed = groupby(cast("list[Operation]", list(operations)), key=lambda operation: operation.group)
    return "\n".join(f"- {group}: {', '.join(operation.name for operation in members)}" for group, members in listed)


def _named(name: str) -> Operation:
    """The operation of that name.

    Raises:
        NotFound: There is none; the nearest are in the message.
    """
    found = all_operations().get(name.strip())
    if found is None:
        near = [operation.name for operation in ranked(name.replace("_", " "), all_operations().values())[:5]]
        advice = f"Nearest: {', '.join(near)}." if near else "find_operation lists them."
        raise NotFound(f"There is no operation {name[:80]!r}.", advice=advice)
    return found


def _references(operation: Operation | None, arguments: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Each file named in the arguments, with the parameter that names it."""
    found: list[tuple[str, str]] = []
    for name in operation.files if operation else ():
        given: object = (arguments or {}).get(name)
        listed = cast("list[object]", given) if isinstance(given, list) else [given]
        found += [(name, text) for text in listed if isinstance(text, str)]
    return found


def _slots(given: Mapping[str, Any]) -> dict[str, FileSlot]:
    """What names files among an operation's arguments; none of a call that is refused."""
    operation, arguments = all_operations().get(str(given.get("name")).strip()), given["arguments"]
    if operation is None or not operation.files:
        return {}
    try:
        check_arguments(operation, arguments)
        _require_allowed(current_app(), operation)
    except (BadInput, Refused):
        return {}
    kinds = operation.schema["properties"]
    return {
        name: FileSlot(cast("tuple[Family, ...]", rule.families), "array" in kinds[name]["type"])
        for name, rule in operation.files.items()
    }


def _roots(ctx: Context, name: str, arguments: dict[str, Any] | None) -> ListRoots | None:
    return ask_roots(ctx, [text for _, text in _references(all_operations().get(name.strip()), arguments)])


def _approval(ctx: Context, name: str, arguments: dict[str, Any] | None) -> Elicit[Approval] | None:
    """Ask the user before something is deleted; not about a call that will be refused anyway."""
    operation = all_operations().get(name.strip())
    if operation is None or operation.effect != "destroy" or current_app().settings.read_only or not can_ask(ctx):
        return None
    try:
        check_arguments(operation, arguments or {})
    except BadInput:
        return None
    named = " of ".join(str(arguments[each]) for each in reversed(operation.placeholders)) if arguments else ""
    return Elicit(f"{operation.help} {operation.name}: {named[:400]}. This cannot be undone. Go on?", Approval)


async def call_operation(
    name: str,
    arguments: Annotated[dict[str, Any] | None, Field(description="As find_operation shows; files as paths.")] = None,
    confirm: Annotated[bool, Field(description="The user agreed to delete.")] = False,
    *,
    app: Annotated[App, Resolve(current_app)],
    roots: Annotated[ListRootsResult | None, Resolve(_roots)],
    approval: Annotated[ElicitationResult[Approval], Resolve(_approval)],
) -> CallToolResult:
    """Call an API operation by name. Arguments are checked first."""
    operation, given = _named(name), arguments or {}
    check_arguments(operation, given)
    _require_allowed(app, operation)
    _require_approval(operation, approval, confirm)
    files = await _open(app, app.workspace(folders(roots)), operation, given)
    model = str(given.get("model") or "")
    try:
        async with asking(app, _endpoint(operation), model, _ABILITIES.get(operation.group, "chat")):
            outcome = await app.gateway.invoke(Invocation(operation, given, files, app.spool))
    except NotOffered as error:
        was = f"It was {operation.note}. " if operation.state == "removed" else ""
        advice = f"{was}{operation.instead}".strip()
        raise NotOffered(error.message, advice=advice or error.advice) from error
    answer = Answer(app)
    answer.note(*(_still_to_pay(one) for one in current_scope().exchanges if one.goes_on))
    return answer.finish(await present(app, answer, operation, given, outcome))


def _still_to_pay(one: Exchange) -> str:
    """Say of work that goes on at the gateway what is known of its cost, and what is not."""
    reader = _READERS.get(one.endpoint, "get_run")
    after = f"{reader} after its end enters what the gateway counted."
    if one.held:
        return f"It goes on at the gateway: at most {told_sum(one.held)} is held for it until then, and {after}"
    return (
        f"It goes on at the gateway. What it will cost is not known here, and the ledger counts it as nothing; {after}"
    )


_READERS: Final = {
    "responses": "get_response",
    "batches": "get_batch",
    "fine_tuning/jobs": "get_fine_tuning_job",
}


def _endpoint(operation: Operation) -> str:
    """What is remembered as missing: a path alone names the call that makes something, as the other tools have it."""
    return operation.path if operation.effect == "answer" else f"{operation.method} {operation.path}"


def _require_allowed(app: App, operation: Operation) -> None:
    if not app.settings.read_only or (operation.effect == "read" and not keeps_files(operation)):
        return
    if operation.effect in ("write", "destroy"):
        raise Refused(
            f"MTU_READ_ONLY is set, and {operation.name} changes things at the gateway.",
            advice="Unset it in the host's configuration to allow this.",
        )
    if keeps_files(operation):
        raise Refused(f"MTU_READ_ONLY is set, and {operation.name} makes files.", advice="Unset it to allow this.")


def _require_approval(operation: Operation, approval: ElicitationResult[Approval], confirm: bool) -> None:
    if operation.effect != "destroy":
        return
    said = (
        cast("Approval | None", approval.data) if isinstance(approval, AcceptedElicitation) else Approval(approve=False)
    )
    if said is None and not confirm:
        raise Refused(
            f"{operation.name} deletes for good, and this host cannot ask its user.",
            advice="Ask the user; if they agree, call it again with confirm=true.",
        )
    if said is not None and not said.approve:
        raise Refused(f"The user did not approve {operation.name}, so nothing was deleted.")


async def _open(
    app: App, workspace: Workspace, operation: Operation, arguments: Mapping[str, Any]
) -> dict[str, list[Upload]]:
    opened: dict[str, list[Upload]] = {}
    for name, text in _references(operation, arguments):
        rule = operation.files[name]
        media = await open_here(app, workspace, text, rule.families, rule.max_bytes)
        opened.setdefault(name, []).append(upload_of(media))
    return opened


def _facts(operation: Operation) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "name": operation.name,
        "group": operation.group,
        "help": operation.help,
        "method": operation.method,
        "path": operation.path,
        "state": operation.state,
        "note": operation.note,
        "effect": operation.effect,
        "files": {
            name: f"{', '.join(rule.families)}; at most {rule.max_bytes:,} bytes"
            for name, rule in operation.files.items()
        },
        "arguments": operation.schema,
    }
    return {key: value for key, value in facts.items() if value or key == "arguments"}


async def operations() -> Content:
    """Every documented operation: name, group, method, path, state and one line of help."""
    names = ("name", "group", "method", "path", "state", "help")
    return Content.of([{name: getattr(operation, name) for name in names} for operation in all_operations().values()])


async def operation(name: str) -> Content:
    """One operation with the JSON Schema of its arguments."""
    found = _named(name)
    return Content.of({**_facts(found), "pages": found.titles})


async def _complete_operation(typed: str, given: Mapping[str, str]) -> list[str]:
    del given
    return [name for name in all_operations() if typed.casefold() in name]


CAPABILITY = Capability(
    tools=(
        ToolSpec(
            find_operation,
            title="Find an API operation",
            toolset="api",
            read_only=True,
            open_world=False,
            search_hint="api endpoints",
        ),
        ToolSpec(
            call_operation,
            title="Call an API operation",
            toolset="api",
            destructive=True,
            search_hint="raw request",
            inner_files=_slots,
        ),
    ),
    resources=(
        ResourceSpec("mtu://operations", operations, "Operations"),
        ResourceSpec("mtu://operations/{name}", operation, "One operation", complete={"name": _complete_operation}),
    ),
)
