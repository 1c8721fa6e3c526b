"""What every capability does around a call to the gateway."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from mtu_mcp.capabilities._params import RESERVED
from mtu_mcp.errors import BadInput, MtuError, NotOffered, UnknownModel

if TYPE_CHECKING:
    from mtu_mcp.app import App
    from mtu_mcp.catalogue import Capability, Choice


@asynccontextmanager
async def asking(app: App, endpoint: str, model: str, capability: Capability) -> AsyncGenerator[None]:
    """Wrap a call: a wrong model name is answered with the nearest names, a missing endpoint is remembered.

    Raises:
        UnknownModel: With the nearest names this gateway has for the capability.
        NotOffered: As the gateway said it.
    """
    try:
        yield
    except UnknownModel as error:
        names = await _nearest(app, model, capability)
        advice = f"Nearest names: {', '.join(names)}." if names else "list_models shows what there is."
        raise UnknownModel(
            error.message, advice=advice, status=error.status, code=error.code, request_id=error.request_id
        ) from error
    except NotOffered as error:
        app.missing[endpoint] = error.message
        raise


async def _nearest(app: App, model: str, capability: Capability) -> tuple[str, ...]:
    try:
        return await app.catalogue.nearest(model, capability) or await app.catalogue.nearest(model)
    except MtuError:
        return ()


def remark(choice: Choice) -> str:
    """Say why a model was used, where that is not what anybody would expect; empty otherwise."""
    return "" if choice.expected else f"{choice.model} was used: {choice.why}."


def further_fields(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Check the `options` of a tool.

    Raises:
        BadInput: It names a field the tool itself sets.
    """
    taken = sorted(RESERVED & set(options or {}))
    if taken:
        raise BadInput(f"options may not set {', '.join(taken)}.", advice="Use the tool's own arguments for these.")
    return dict(options or {})
