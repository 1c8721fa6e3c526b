"""Who is told when something this server keeps has changed.

Hosts of the 2026-07-28 protocol hold a `subscriptions/listen` stream, older ones send `resources/subscribe` for each
address; both hear the same. What was written is known where it is written, so nothing that changes a conversation, a
job, a file or the account can forget to say so. News is a level, not a queue ("read it again"): it is gathered for a
moment, an address is told once, and whoever does not read delays nobody else.

A caller hears of the caller's own things only. Two spellings of an address (percent-encoded or not) are one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote

import anyio
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ResourceUpdated
from mcp.types import INVALID_PARAMS, EmptyResult, SubscribeRequestParams, UnsubscribeRequestParams

from mtu_mcp.app import App, current_owner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcp.server.connection import Connection
    from mcp.server.context import ServerRequestContext
    from mcp.shared.subscriptions import ServerEvent

    Listener = Callable[[ServerEvent], None]

MOST: Final = 1000
"""Addresses one connection may follow."""
_GATHERED: Final = 0.02
"""Seconds in which news is gathered: a call writes several things at once."""


@dataclass(eq=False, slots=True)
class _Follower:
    """One connection of the handshake era: what it follows, as it wrote it, and what it has not been told yet."""

    owner: str
    uris: dict[str, str] = field(default_factory=dict[str, str])
    untold: dict[str, None] = field(default_factory=dict[str, None])
    telling: bool = False


class Subscriptions:
    """Everybody who listens to one server; it is the SDK's bus for listeners of the 2026-07-28 protocol.

    Args:
        app: The running server.
        known: Raises `ResourceNotFoundError` for an address that no resource has.
    """

    def __init__(self, app: App, known: Callable[[str], Any]) -> None:
        self._app = app
        self._known = known
        self._listeners: dict[object, tuple[str, Listener]] = {}
        self._followers: dict[Connection, _Follower] = {}
        self._news: dict[tuple[str, str], None] = {}
        self._standing = self._stands()
        app.hearers.append(self._hear)

    async def publish(self, event: ServerEvent) -> None:
        """Deliver an event to the listeners of whoever's call this is."""
        for owner, listener in list(self._listeners.values()):
            if owner == current_owner():
                listener(event)
        await anyio.lowlevel.checkpoint()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Register a listener of whoever's call this is; what is returned ends it."""
        token = object()
        self._listeners[token] = current_owner(), listener
        return lambda: self._listeners.pop(token, None) and None

    async def follow(self, ctx: ServerRequestContext[Any, Any], params: SubscribeRequestParams) -> EmptyResult:
        """Answer `resources/subscribe`.

        Raises:
            MCPError: No resource has that address, or the connection follows too many.
        """
        uri = str(params.uri)
        try:
            self._known(uri)
        except ResourceNotFoundError as error:
            raise MCPError(INVALID_PARAMS, str(error), {"uri": uri}) from error
        connection = ctx.session._connection  # pyright: ignore[reportPrivateUsage] - the SDK gives handlers no other way to it
        follower = self._followers.get(connection)
        if follower is None:
            follower = self._followers[connection] = _Follower(current_owner())
            connection.exit_stack.callback(self._followers.pop, connection, None)
        if len(follower.uris) >= MOST and unquote(uri) not in follower.uris:
            raise MCPError(INVALID_PARAMS, f"At most {MOST:,} resources can be followed.", {"uri": uri})
        follower.uris[unquote(uri)] = uri
        return EmptyResult()

    async def unfollow(self, ctx: ServerRequestContext[Any, Any], params: UnsubscribeRequestParams) -> EmptyResult:
        """Answer `resources/unsubscribe`; for what is not followed, too."""
        connection = ctx.session._connection  # pyright: ignore[reportPrivateUsage] - see `follow`
        follower = self._followers.get(connection)
        if follower is not None:
            follower.uris.pop(unquote(str(params.uri)), None)
        return EmptyResult()

    def look(self) -> None:
        """See whether the server itself stands otherwise than before, and say so."""
        if (standing := self._stands()) != self._standing:
            models = standing[0] != self._standing[0]
            self._standing = standing
            owners = {follower.owner for follower in self._followers.values()}
            for owner in owners | {owner for owner, _ in self._listeners.values()}:
                self._hear(owner, "status", "")
                if models:
                    self._hear(owner, "models", "")

    def _stands(self) -> tuple[Any, ...]:
        return self._app.catalogue.last, frozenset(self._app.missing), self._app.whole_records.database.trouble

    def _hear(self, owner: str, kind: str, name: str) -> None:
        if not (self._listeners or self._followers) or self._app.tasks is None:
            return
        idle = not self._news
        # A caller's spending is in everybody's sum, too, which is the report of the person at this machine.
        for whose in {owner, current_owner(), ""} if kind == "usage" else {owner}:
            self._news |= {(whose, uri): None for uri in _addresses(kind, name)}
        if idle:
            self._app.tasks.start_soon(self._tell)

    async def _tell(self) -> None:
        await anyio.sleep(_GATHERED)
        news, self._news = self._news, {}
        for whose, uri in news:
            spellings = dict.fromkeys((uri, unquote(uri)))
            for owner, listener in list(self._listeners.values()):
                if owner == whose:
                    for spelling in spellings:
                        listener(ResourceUpdated(spelling))
            for connection, follower in self._followers.items():
                if follower.owner == whose and unquote(uri) in follower.uris:
                    follower.untold[unquote(uri)] = None
                    self._begin(connection, follower)

    def _begin(self, connection: Connection, follower: _Follower) -> None:
        if not follower.telling and self._app.tasks is not None:
            follower.telling = True
            self._app.tasks.start_soon(self._pass_on, connection, follower)

    async def _pass_on(self, connection: Connection, follower: _Follower) -> None:
        """Tell one connection, for as long as there is something; one that does not read waits here, by itself."""
        while follower.untold:
            uri = next(iter(follower.untold))
            del follower.untold[uri]
            if uri in follower.uris:
                await connection.send_resource_updated(follower.uris[uri])
        follower.telling = False


def _addresses(kind: str, name: str) -> Iterator[str]:
    """The resources that show a thing."""
    yield f"mtu://{kind}"
    if kind == "models":
        yield "mtu://prices"
    elif kind == "usage":
        yield f"mtu://usage/{time.strftime('%Y-%m')}"
    elif name:
        yield f"mtu://{kind}/{quote(name, safe='')}"
