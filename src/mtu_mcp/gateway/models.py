"""The models a gateway lists.

The list is `data` at OpenAI, New API and Anthropic (whose entries have `created_at` as a date), `models` elsewhere, or
bare; an entry may be just a name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mtu_mcp.gateway.shapes import mapping, sequence, text, whole

if TYPE_CHECKING:
    from mtu_mcp.gateway.wire import Wire

ENDPOINT: Final = "models"
_EXPECTED: Final = ("data", "models")
_MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model as the gateway lists it.

    Attributes:
        id: The name to ask for.
        created: Unix seconds, None when not said.
        owned_by: Who runs it.
        raw: Everything the gateway says of it.
    """

    id: str
    created: int | None = None
    owned_by: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict[str, Any])


async def list_all(wire: "Wire") -> tuple[ModelEntry, ...]:
    """List the models, each once, in the gateway's order. Costs nothing."""
    from mtu_mcp.gateway.wire import Call

    async with wire.open(Call(ENDPOINT)) as body:
        raw = await body.json(_EXPECTED)
        listed = sequence(raw) or sequence(mapping(raw).get("data")) or sequence(mapping(raw).get("models"))
        if not listed and not isinstance(raw, list) and not any(key in mapping(raw) for key in _EXPECTED):
            raise body.odd("an object without a list of models")
        entries = (entry for item in listed[:_MOST] if (entry := _entry(item)))
        return tuple({entry.id: entry for entry in entries}.values())


def _entry(raw: object) -> ModelEntry | None:
    if isinstance(raw, str):
        return ModelEntry(text(raw)) if raw.strip() else None
    item = mapping(raw)
    name = text(item.get("id")) or text(item.get("name")).removeprefix("models/") or text(item.get("model"))
    return ModelEntry(name, whole(item.get("created")), text(item.get("owned_by")), item) if name.strip() else None
