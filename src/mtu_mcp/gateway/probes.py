"""Finding out what a gateway offers without paying for anything.

Reading a list is free at every gateway. An endpoint that makes something is asked with a body that ends after its
first character: whoever answers must fail to read it before a model, and with it a price or a channel, is known, so
there is nothing that could be billed. What is learnt is whether there is somebody: 404, 405 and 501 say no, every
refusal of the body says yes.

What was considered and left: a well-formed body without a model (New API fills in `tts-1`, `whisper-1` or `dall-e`
and goes on), one token of chat (billed), OPTIONS (answered 204 for every path by whoever adds CORS headers), HEAD or GET
where POST belongs (404 whether or not the POST is there).
"""

from typing import TYPE_CHECKING, Final

from mtu_mcp.errors import (
    BadAnswer,
    Filtered,
    NotOffered,
    Rejected,
    UnknownModel,
    UpstreamError,
    UpstreamFailure,
)
from mtu_mcp.gateway.wire import Call

if TYPE_CHECKING:
    from mtu_mcp.gateway.wire import Wire

UNREADABLE: Final = b"{"
_PAGE: Final = 1 << 20
LISTS: Final = frozenset({"models", "files", "batches"})
"""Endpoints that are read instead."""
BAIDU: Final = "baidu"
"""Stands for Baidu search, which has an address of its own."""


async def probe(wire: "Wire", endpoint: str) -> None:
    """Ask whether there is anybody at an endpoint. Costs nothing.

    Args:
        wire: The way to the gateway.
        endpoint: As in the API's paths, such as `chat/completions`.

    Raises:
        NotOffered: There is nobody.
        UpstreamError: The gateway could not be asked, or refuses the key.
    """
    url = wire.baidu_url if endpoint == BAIDU else ""
    call = Call(endpoint) if endpoint in LISTS else Call(endpoint, raw=UNREADABLE, url=url)
    try:
        async with wire.open(call) as body:
            if await body.form() == "page":
                raise body.unreadable(await body.read(_PAGE))
    except NotOffered:
        raise
    except (Rejected, UnknownModel, Filtered, BadAnswer) as error:
        if 300 <= (error.status or 0) < 400:  # sent elsewhere, as by the sign-in page of a network
            raise
    except UpstreamFailure as error:
        if not _is_about_the_body(error):
            raise


def _is_about_the_body(error: UpstreamError) -> bool:
    """New API answers 500 to much that is the caller's fault."""
    words = error.message.lower()
    return error.status == 500 and any(word in words for word in ("json", "unexpected end", "eof", "invalid", "parse"))
