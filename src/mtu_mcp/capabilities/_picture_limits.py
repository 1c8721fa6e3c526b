"""What a model that makes pictures is known to take, held against a request before anything is uploaded or paid for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from mtu_mcp.amounts import counted
from mtu_mcp.errors import LimitExceeded

if TYPE_CHECKING:
    from mtu_mcp.catalogue import Entry, ImageLimits
    from mtu_mcp.media import Media

MEGABYTE: Final = 1024 * 1024


async def require_takes(
    entry: Entry, parameters: Mapping[str, Any], pictures: Sequence[Media], masks: Sequence[Media]
) -> None:
    """Compare all but the prompt with what is known of the model.

    Args:
        entry: What is known of it.
        parameters: What is asked for besides a prompt and pictures, as on the wire.
        pictures: To edit, combine or vary.
        masks: One or none.

    Raises:
        LimitExceeded: It takes no such thing; with its limit and the figure that passed it.
    """
    limits = entry.images
    if limits is None:
        return
    _require_listed(entry.name, limits, parameters)
    asked = parameters.get("n")
    if limits.count is not None and isinstance(asked, int) and asked > limits.count:
        made = counted(limits.count, "picture")
        raise LimitExceeded(f"{entry.name} makes {made} a call, not {asked}.", advice="Call it several times.")
    if limits.references is not None and len(pictures) > limits.references:
        taken = counted(limits.references, "picture")
        raise LimitExceeded(f"{entry.name} takes {taken} to edit; there are {len(pictures)}.")
    for media in pictures:
        _require_size(entry.name, media, limits.reference_bytes)
        if limits.square:
            await _require_square(entry.name, media)
    for media in masks:
        _require_size(entry.name, media, limits.mask_bytes)


def require_prompt(entry: Entry, prompt: str | None) -> None:
    """Compare the prompt, as it is to be sent, with what is known of the model.

    Raises:
        LimitExceeded: It is too long.
    """
    most = entry.images.prompt_chars if entry.images else None
    if prompt and most is not None and len(prompt) > most:
        raise LimitExceeded(f"The prompt has {len(prompt):,} characters; {entry.name} takes {most:,}.")


def _require_listed(model: str, limits: ImageLimits, parameters: Mapping[str, Any]) -> None:
    for name, listed in (("size", limits.sizes), ("quality", limits.qualities)):
        asked = parameters.get(name)
        if asked is not None and listed and asked not in listed:
            raise LimitExceeded(
                f"{model} makes no pictures of {name} {str(asked)[:60]!r}; it knows {', '.join(listed)}.",
                advice=f"Leave {name} out, or name another model.",
            )


def _require_size(model: str, media: Media, most: int | None) -> None:
    size = media.size or 0
    if most is not None and size > most:
        raise LimitExceeded(
            f"{media.name} has {size / MEGABYTE:.1f} MB; {model} takes {most / MEGABYTE:.0f} MB.",
            advice="Make it smaller, or name another model.",
        )


async def _require_square(model: str, media: Media) -> None:
    from mtu_mcp.media import measure

    measured = await measure(media)
    if measured.dimensions and measured.width != measured.height:
        raise LimitExceeded(
            f"{media.name} is {measured.width}x{measured.height}; {model} takes square pictures.",
            advice="Make it square, or name another model.",
        )
