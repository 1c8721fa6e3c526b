"""What every capability does around a call to the gateway."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from mtu_mcp.amounts import counted
from mtu_mcp.capabilities._params import RESERVED
from mtu_mcp.errors import BadInput, MtuError, NotOffered, UnknownModel
from mtu_mcp.gateway import Upload, current_scope

if TYPE_CHECKING:
    from mtu_mcp.app import App
    from mtu_mcp.catalogue import Capability, Choice
    from mtu_mcp.media import Media

LONGEST_NAME: Final = 200
"""Characters of a model's name; the longest known, with vendor and snapshot, stays under 100."""


async def choose(app: App, capability: Capability, asked: str | None) -> Choice:
    """Return the model for a thing: the one asked for, else the catalogue's choice.

    Raises:
        BadInput: What was asked for cannot be a model's name.
    """
    name = (asked or "").strip()
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise BadInput(
            f"model is no model's name: it has {len(name):,} characters, or some that no name has.",
            advice="list_models gives the names.",
        )
    choice = await app.catalogue.choose(capability, name)
    if choice.asked:
        current_scope().aliases[choice.model] = choice.asked  # the receipt tells both
    return choice


def require_words(name: str, text: str) -> None:
    """Refuse an argument of white space alone: asking it would cost and say nothing.

    Raises:
        BadInput: Naming the argument.
    """
    if not text.strip():
        raise BadInput(f"{name} is empty.", advice="Say what you want to know.")


def upload_of(media: Media) -> Upload:
    """Return a file as the gateway sends it: through the opener, which checks the way to it again and takes metadata out."""
    return Upload(media.name, media.kind.mime, path=media.path, data=media.data, opener=media.opener)


def limited_to(app: App, model: str, tokens: int) -> dict[str, int]:
    """Return the field that bounds a short answer.

    Models that count their thoughts into the bound get none: they could spend all of it before the first word.
    """
    return {} if "max_completion_tokens" in app.catalogue.entry(model).traits else {"max_tokens": tokens}


@asynccontextmanager
async def offered(app: App, endpoint: str) -> AsyncGenerator[None]:
    """Wrap calls of an endpoint: one the gateway lacks is remembered until it answers after all.

    Raises:
        NotOffered: As the gateway said it.
    """
    try:
        yield
        app.missing.pop(endpoint, None)
    except NotOffered as error:
        app.missing[endpoint] = error.message
        raise


@asynccontextmanager
async def asking(app: App, endpoint: str, model: str, capability: Capability) -> AsyncGenerator[None]:
    """Wrap a call of a model, as `offered` does, and answer a wrong model's name with the nearest.

    Raises:
        UnknownModel: With the nearest names this gateway has for the capability.
        NotOffered: As the gateway said it.
    """
    try:
        async with offered(app, endpoint):
            yield
    except UnknownModel as error:
        names = await _nearest(app, model, capability)
        others = [name for name in names if name != model]
        advice = (
            f"Nearest names: {', '.join(others)}."
            if others
            else "list_models shows what there is; name one as `model`."
        )
        if model in names:
            advice = f"It is in the gateway's list all the same: try later, or another model. {advice}"
        raise UnknownModel(
            error.message, advice=advice, status=error.status, code=error.code, request_id=error.request_id
        ) from error


async def _nearest(app: App, model: str, capability: Capability) -> tuple[str, ...]:
    try:
        return await app.catalogue.nearest(model, capability) or await app.catalogue.nearest(model)
    except MtuError:
        return ()


def remark(choice: Choice) -> str:
    """Say why a model was used, where that is not what anybody would expect; empty otherwise."""
    if choice.asked:
        return f"{choice.asked} was asked for; {choice.model} was used: {choice.why}."
    return "" if choice.expected else f"{choice.model} was used: {choice.why}."


def further_fields(options: Mapping[str, Any] | None, *own: str) -> dict[str, Any]:
    """Check the `options` of a tool.

    Args:
        options: What the model wants to add to the request.
        own: Fields the tool sets itself, besides those every tool does.

    Raises:
        BadInput: It names a field the tool itself sets, or something that cannot be a field.
    """
    if odd := [name for name in options or () if not (name.isascii() and name.isprintable() and 0 < len(name) <= 100)]:
        raise BadInput(
            f"options holds {counted(len(odd), 'name')} that no field has.", advice="Name fields as the API does."
        )
    taken = sorted({*RESERVED, *own} & set(options or {}))
    if taken:
        raise BadInput(f"options may not set {', '.join(taken)}.", advice="Use the tool's own arguments for these.")
    return dict(options or {})
