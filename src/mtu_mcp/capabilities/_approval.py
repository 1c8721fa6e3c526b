"""Asking the user before a call that may cost more than they want to spend unasked (`MTU_CONFIRM_ABOVE`).

One pair of resolvers serves every tool that spends; the server puts it before the tool's own, so nothing a tool does
begins before the answer is here. What the call may cost is estimated from its arguments alone, which come out the same
in every round of a call; what cannot be told from them (how long a file is, how much a conversation holds) is taken at
the assumed amounts. Where that still falls short, the budget refuses at the moment of spending and remembers the sum,
and the same call made again is asked about.

A resolver that spends by itself depends on `approve`, or it would run beside the question.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

from mcp.server.elicitation import AcceptedElicitation, ElicitationResult
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import Elicit, Resolve
from pydantic import BaseModel, Field

from mtu_mcp.app import App, current_app
from mtu_mcp.capabilities._asks import can_ask
from mtu_mcp.errors import OverBudget
from mtu_mcp.gateway import current_scope

if TYPE_CHECKING:
    from mtu_mcp.catalogue import Capability
    from mtu_mcp.money import Charge

FREE: Final = frozenset({"list_models", "find_operation", "get_job", "manage_files", "usage_report"})
"""Tools that never spend; every other one is asked about, also one that is added tomorrow."""
_USES: Final[Mapping[str, Capability]] = {
    "understand": "omni",
    "generate_image": "image",
    "transcribe": "transcribe",
    "web_search": "search",
    "speak": "speech",
    "translate_text": "translate",
    "complete_code": "code",
    "ask_document": "document",
    "embed_text": "embed",
    "moderate_content": "moderate",
}
"""What a tool's model is for, where it is not chat."""
_ENDPOINTS: Final[Mapping[str, str]] = {
    "image": "images/generations",
    "transcribe": "audio/transcriptions",
    "speech": "audio/speech",
    "embed": "embeddings",
    "moderate": "moderations",
}
_SOUND: Final = (".mp3", ".wav", ".m4a", ".aac", ".amr", ".ogg", ".flac", ".3gp", ".opus", ".wma", ".mpga")
_VIDEO: Final = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".flv", ".wmv", ".mpeg")
_SORTS: Final = {"audio": "sounds", "video": "videos", "image": "pictures_in"}
_FILES: Final = ("images", "media", "file", "files", "mask", "image", "documents", "document")


class Approval(BaseModel):
    """The user's word on a sum."""

    approve: bool = Field(description="Yes, spend it.")


async def question(ctx: Context) -> Elicit[Approval] | None:
    """Ask whether the call may cost what it may cost, if that is more than the user allows unasked.

    Raises:
        OverBudget: It is more, and the host cannot ask.
    """
    app, scope = current_app(), current_scope()
    limit = app.budget.confirm_above
    params = ctx.request_context.params or {}
    name = str(params.get("name", ""))
    if limit is None or name in FREE:
        return None
    scope.can_ask = can_ask(ctx)
    given = params.get("arguments")
    model, charge = await estimate(app, name, cast("Mapping[str, Any]", given) if isinstance(given, Mapping) else {})
    cny = max(charge.cny or 0.0, app.budget.unforeseen(scope.asked))
    cap = app.budget.caps.call
    if cny <= limit or (cap is not None and cny > cap):  # what a cap refuses need not be asked about
        return None
    if not scope.can_ask:
        raise app.budget.unasked(model, cny, charge.basis)
    if cny == inf:
        asked = f"Nobody can tell before what {name} may cost. You want to be asked above CNY {limit:g}. Go on?"
        return Elicit(asked, Approval)
    assumed = ", at an assumed price" if charge.basis == "assumed" else ""
    return Elicit(
        f"{name} with {model} may cost up to about CNY {_rounded(cny)}{assumed}. You want to be asked above "
        f"CNY {limit:g}. Go on?",
        Approval,
    )


async def approve(outcome: Annotated[ElicitationResult[Approval], Resolve(question)]) -> bool:
    """Whether the user was asked and agreed; the whole call is then approved.

    Raises:
        OverBudget: They did not agree.
    """
    if not isinstance(outcome, AcceptedElicitation):
        raise OverBudget(f"The user did not approve the cost ({outcome.action}), so nothing was sent.")
    said = cast("Approval | None", outcome.data)
    if said is None:
        return False
    if not said.approve:
        raise OverBudget("The user did not approve the cost, so nothing was sent.")
    current_scope().approved = True
    return True


Spending = Annotated[bool, Resolve(approve)]
"""The parameter that makes a tool, or a resolver that spends, wait for the user's word."""


def fingerprint(params: Mapping[str, Any]) -> str:
    """What makes two calls the same: the tool and its arguments."""
    from hashlib import sha256

    told = json.dumps([params.get("name"), params.get("arguments") or {}], sort_keys=True, default=repr)
    return sha256(told.encode("utf-8", "replace")).hexdigest()


async def estimate(app: App, tool: str, arguments: Mapping[str, Any]) -> tuple[str, Charge]:
    """The model a call will use, and the most it may cost as far as its arguments tell."""
    from dataclasses import replace

    from mtu_mcp.gateway.demands import Demand, measured
    from mtu_mcp.money import Charge

    capability: Capability = _USES.get(tool, "chat")
    options: Any = arguments.get("options")
    words = {name: value for name, value in arguments.items() if name not in _FILES}
    demand: Demand = measured({**(options if isinstance(options, dict) else {}), **words})
    if tool == "run_batch":
        return await _batch(app, arguments)
    if tool == "call_operation":
        return _operation(app, arguments)
    demand = _with_files(demand, arguments, "sounds" if capability == "transcribe" else "pictures_in")
    demand = replace(
        demand,
        stored=demand.stored + (1 if arguments.get("conversation") else 0),
        characters=demand.text_in * 2 if capability == "speech" else 0,
        searches=demand.searches or tool == "web_search",
    )
    asked: Any = arguments.get("models") if isinstance(arguments.get("models"), list) else [arguments.get("model")]
    charges: list[Charge] = []
    names: list[str] = []
    for one in asked or [None]:
        name = one.strip() if isinstance(one, str) else ""
        names.append((await app.catalogue.choose(capability, name[:200])).model)
        charges.append(app.budget.foresee(_ENDPOINTS.get(capability, "chat/completions"), names[-1], demand))
    basis = next(
        (found for found in ("assumed", "unknown") if any(charge.basis == found for charge in charges)), "list"
    )
    return ", ".join(names), Charge(sum(charge.cny or 0.0 for charge in charges), basis)


async def _batch(app: App, arguments: Mapping[str, Any]) -> tuple[str, Charge]:
    """Of a batch each prompt is a request; how many a file holds is found out when it is read."""
    from mtu_mcp.gateway.demands import Demand, measured

    capability: Capability = _LINES.get(str(arguments.get("endpoint")), "chat")
    shared = {**_object(arguments.get("options")), "system": arguments.get("system")}
    prompts = arguments.get("prompts")
    asked = cast("list[object]", prompts) if isinstance(prompts, list) else []
    lines = tuple(measured({**shared, "input": prompt}) for prompt in asked[:_MOST_LINES])
    name: Any = arguments.get("model")
    model = (await app.catalogue.choose(capability, name.strip()[:200] if isinstance(name, str) else "")).model
    endpoint = str(arguments.get("endpoint") or "chat/completions")
    return model, app.budget.foresee("batches", model, Demand(lines=lines or (Demand(),), line_endpoint=endpoint))


def _operation(app: App, arguments: Mapping[str, Any]) -> tuple[str, Charge]:
    """An operation's own arguments are the request."""
    from mtu_mcp.gateway import all_operations
    from mtu_mcp.gateway.demands import measured
    from mtu_mcp.money import Charge

    operation = all_operations().get(str(arguments.get("name")).strip())
    if operation is None or not operation.spends:
        return "", Charge(0.0, "none")
    asked = _object(arguments.get("arguments"))
    model = str(asked.get("model") or "")[:200]
    return model or operation.name, app.budget.foresee(operation.path, model, measured(asked))


def _object(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


_LINES: Final[Mapping[str, Capability]] = {"embeddings": "embed", "moderations": "moderate", "completions": "complete"}
_MOST_LINES: Final = 50_000


def _with_files(demand: Any, arguments: Mapping[str, Any], usual: str) -> Any:
    """The demand with the files that the arguments name, told apart by their endings or by what `latest` asks for."""
    from dataclasses import replace

    from mtu_mcp.media import wish_of

    found = [arguments[name] for name in _FILES if name in arguments]
    named = [text for value in found for text in (cast("list[object]", value) if isinstance(value, list) else [value])]
    counts = {"pictures_in": 0, "sounds": 0, "videos": 0}
    for text in named:
        ending = text.lower()[-8:] if isinstance(text, str) else ""
        wish = wish_of(text)
        if wish is not None:
            counts[_SORTS.get(wish.family or "", usual)] += wish.count
            continue
        sort = "sounds" if ending.endswith(_SOUND) else "videos" if ending.endswith(_VIDEO) else usual
        counts[sort] += 1
    documents = len(named) if "documents" in arguments or "document" in arguments else 0
    return replace(demand, stored=demand.stored + documents, **counts)


def _rounded(cny: float) -> str:
    return f"{cny:.2f}" if cny >= 1 else f"{cny:.2g}"
