"""Lists that come a page at a time, and single objects: what files and batches have in common on the wire."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol, TypeVar
from urllib.parse import quote, urlencode

from mtu_mcp.errors import BadInput
from mtu_mcp.gateway.shapes import mapping, sequence, shortened, text
from mtu_mcp.gateway.wire import Call

if TYPE_CHECKING:
    from mtu_mcp.gateway.body import Body

_ID: Final = re.compile(r"[\w:-][\w.:-]{0,199}", re.ASCII)


class Named(Protocol):
    """An object of a list."""

    @property
    def id(self) -> str:
        """Its name at the gateway."""
        ...


Item = TypeVar("Item", bound=Named)


def checked(given: str) -> str:
    """The id, fit for a path.

    Raises:
        BadInput: It cannot be an id.
    """
    if not _ID.fullmatch(given):
        raise BadInput(f"{shortened(given, 80)!r} is no id.", advice="Ids look like file-abc123.")
    return given


def path_of(endpoint: str, given: str) -> str:
    """The path of one object."""
    return f"{endpoint}/{quote(checked(given), safe='')}"


def page_call(endpoint: str, after: str, **asked: object) -> Call:
    """The call for a page of a list; what is empty or 0 is left to the gateway."""
    query = urlencode({name: value for name, value in {"after": after and checked(after), **asked}.items() if value})
    return Call(endpoint, path=f"{endpoint}?{query}" if query else "")


async def read_page(
    body: "Body", expected: tuple[str, ...], read: Callable[[object], Item | None]
) -> tuple[tuple[Item, ...], str]:
    """Read a page; return its objects, and what asks for the next one: empty on the last.

    Args:
        body: The answer.
        expected: Keys of a real answer; see `complaints.reported`.
        read: Reads one object; None for what is none.

    Raises:
        BadAnswer: It is no list.
    """
    raw = mapping(await body.json(expected))
    if "data" not in raw:
        raise body.odd(f"an object without a list of {body.asked.endpoint}")
    found = tuple(one for item in sequence(raw["data"]) if (one := read(item)))
    more = raw.get("has_more") is True and found
    return found, (text(raw.get("last_id")) or found[-1].id) if more else ""


async def read_one(body: "Body", expected: tuple[str, ...], read: Callable[[object], Item | None]) -> Item:
    """Read one object, which some gateways put into `data`.

    Raises:
        BadAnswer: It has no id.
    """
    raw = mapping(await body.json(expected))
    found = read(raw) or read(raw.get("data"))
    if found is None:
        raise body.odd("an object without an id")
    return found
