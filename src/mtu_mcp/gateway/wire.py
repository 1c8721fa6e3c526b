"""The way to the gateway: one httpx client, one way to send, one rule for trying again.

What may be tried again is what cannot have cost anything: a connection that was not made, 429, 503; for reads also
other 5xx and broken connections. Nothing is tried again once a byte of an answer's body is here. The client is built
in a worker thread at the first call, because importing httpx and loading the certificates takes longer than
everything else a server does before its first answer.
"""

import json
import logging
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

from mtu_mcp import __version__
from mtu_mcp.errors import BadInput, Overloaded, UpstreamError, UpstreamFailure
from mtu_mcp.gateway import failures
from mtu_mcp.gateway.body import ENCODINGS, SHORTEST_KEY, Body, swollen
from mtu_mcp.gateway.connections import LOOPBACK, Way, skew, unusable, way_to
from mtu_mcp.gateway.demands import Demand, measured
from mtu_mcp.gateway.exchange import Books, Exchange, News, current_scope, exchange, mark_owed
from mtu_mcp.gateway.failures import Asked
from mtu_mcp.gateway.forms import Form, size_of
from mtu_mcp.gateway.keys import secret_of
from mtu_mcp.settings import Settings

if TYPE_CHECKING:
    import httpx

    from mtu_mcp.gateway.uploads import Upload

_log = logging.getLogger(__name__)

ERROR_LIMIT: Final = 64 * 1024
CONNECT_SECONDS: Final = 10.0
READ_SECONDS: Final = 60.0
LONGEST_WAIT: Final = 30.0
_CLOSE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    Attributes:
        endpoint: As in the API's paths; also the path below the base URL unless `url` is set.
        model: The model asked for, if any.
        payload: A JSON body; a call with neither body is a GET, which costs nothing, unless `verb` says otherwise.
        form: A multipart body.
        raw: A body as it is, said to be JSON.
        key: The Idempotency-Key.
        accept: The Accept header.
        url: The whole address, when it is not below the base URL.
        verb: The HTTP method, where the body does not tell it: DELETE, or a POST that has none.
        path: The path below the base URL with its query, where `endpoint` is only its name.
        headers: Further headers, such as OpenAI-Beta.
    """

    endpoint: str
    model: str = ""
    payload: Mapping[str, Any] | None = None
    form: Form | None = None
    raw: bytes | None = None
    key: str = ""
    accept: str = "application/json"
    url: str = ""
    verb: str = ""
    path: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def method(self) -> str:
        """What `verb` says; else GET without a body, POST with one."""
        if self.verb:
            return self.verb
        return "GET" if self.payload is None and self.form is None and self.raw is None else "POST"

    def keyed(self, key: str) -> "Call":
        """The same call under an Idempotency-Key."""
        return replace(self, key=key)


class Wire:
    """Sends calls and gives their bodies.

    Args:
        settings: Where to, with which key, how patiently.
        transport: Stands in for the network.
        wait: Sleeps for some seconds.
        clock: Seconds of a clock that only goes forward.
        now: Unix seconds, for a Retry-After that is a date.
        longest: Seconds that all of an answer may take, unless the timeout that was set is longer.
        books: Is told of every call that may cost money.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: "httpx.AsyncBaseTransport | None" = None,
        wait: Callable[[float], Awaitable[None]] = anyio.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        longest: float = inf,
        books: Books | None = None,
    ) -> None:
        self._books = books
        self._longest = max(longest, settings.timeout)
        self._settings = settings
        self._transport = transport
        self._wait = wait
        self._clock = clock
        self._now = now
        self._http: httpx.AsyncClient | None = None
        self._lock = anyio.Lock()
        self.skew: float | None = None
        """Seconds that this machine's clock is ahead of the gateway's, by the last answer; None before one."""

    async def aclose(self) -> None:
        """Close every connection."""
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()

    @property
    def baidu_url(self) -> str:
        """Where Baidu search is asked."""
        return self._settings.baidu_url

    @asynccontextmanager
    async def spend(
        self,
        endpoint: str,
        model: str,
        asked: Mapping[str, Any] | None = None,
        files: "Sequence[tuple[str, Upload]]" = (),
        *,
        seconds: float = 0.0,
        demand: Demand | None = None,
    ) -> AsyncGenerator[Exchange]:
        """Enter one upstream call that may cost money; it is settled when the block ends, however it ends.

        Args:
            endpoint: As in the API's paths.
            model: The model asked for.
            asked: The fields of the request, by which its cost is estimated.
            files: Its files, with their fields.
            seconds: Length of the sound among them, where it is known.
            demand: What it may use, where the request itself does not tell.

        Raises:
            SettingsError: A variable is wrong.
            NotAuthorized: There is no key to send.
            BadInput: A file cannot be read.
            Refused: A cap leaves no room for it.
        """
        self._key()
        if self._books and demand is None:
            weighed = [(name, upload, await size_of(upload)) for name, upload in files]
            demand = measured(asked or {}, weighed, seconds)
        async with exchange(endpoint, model, self._clock, demand=demand, books=self._books) as entry:
            yield entry

    async def heard(self, news: News) -> None:
        """Pass on what the gateway said of work that went on after its call was answered."""
        if self._books is not None:
            with anyio.CancelScope(shield=True):
                await self._books.later(news)

    @asynccontextmanager
    async def open(self, call: Call) -> AsyncGenerator[Body]:
        """Send a call and give the body of its answer; the connection is let go when the block ends.

        Raises:
            UpstreamError: The gateway refused, failed or could not be reached.
            BadInput: The request cannot be written, or a file cannot be read.
        """
        secret = self._key()
        until = anyio.current_time() + self._longest
        try:
            with anyio.fail_after(self._longest):
                response = await self._send(call, secret)
        except TimeoutError as error:
            raise failures.endless(self._longest) from error
        try:
            yield Body(
                response,
                Asked(call.endpoint, call.model, secret),
                self._patience(call),
                until=until,
                whole=self._longest,
            )
        finally:
            with anyio.move_on_after(_CLOSE_SECONDS, shield=True):
                await response.aclose()

    async def _send(self, call: Call, secret: str) -> "httpx.Response":
        http = await self._client()
        import httpx  # imported by now, in the worker thread

        for attempt in range(self._settings.max_retries + 1):
            try:
                request = await self._request(http, call, secret)
                mark_owed(True)
                response = await http.send(request, stream=True)
                self.skew = skew(response.headers, self._now)
                if response.is_success:
                    return response
                mark_owed(False)  # no gateway bills for what it refused
                failure = await self._failure(response, call, secret)
                pause = _pause(failure, call, attempt)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                failure = failures.from_transport(error, self._patience(call), self._way(call))
                mark_owed(_reached(error))
                pause = _backoff(attempt) if _unsent(error, call) else None
            if pause is None or attempt == self._settings.max_retries:
                raise failure
            _log.info("%s: %s Trying again in %.1f s.", call.endpoint, failure.message, pause)
            await current_scope().report(f"the gateway did not take it; trying again in {pause:.1f} s")
            await self._wait(pause)
        raise AssertionError("the loop above returns or raises")

    async def _request(self, http: "httpx.AsyncClient", call: Call, secret: str) -> "httpx.Request":
        headers = {"Authorization": f"Bearer {secret}", "Accept": call.accept, "User-Agent": f"mtu-mcp/{__version__}"}
        headers |= {"Accept-Encoding": ", ".join(ENCODINGS), **call.headers}
        if call.key:
            headers["Idempotency-Key"] = call.key
        content: bytes | AsyncIterator[bytes] | None = None
        if call.form is not None:
            measured = await call.form.measure()
            headers |= {"Content-Type": call.form.content_type, "Content-Length": str(measured.length)}
            content = measured.stream()
        elif call.payload is not None or call.raw is not None:
            headers["Content-Type"] = "application/json"
            content = _written(call.payload) if call.payload is not None else call.raw
        url = call.url or f"{self._settings.base_url}/{call.path or call.endpoint}"
        timeout = {"connect": CONNECT_SECONDS, "read": self._patience(call), "write": self._settings.timeout}
        return http.build_request(
            call.method, url, headers=headers, content=content, extensions={"timeout": timeout | {"pool": 60.0}}
        )

    async def _failure(self, response: "httpx.Response", call: Call, secret: str) -> UpstreamError:
        """Read at most ERROR_LIMIT bytes of a refusal and say what it means; a body that breaks off or drags on is enough."""
        import httpx

        parts: list[bytes] = []
        try:
            with anyio.move_on_after(self._patience(call)):
                async for packet in _legible(response):
                    parts.append(packet)
                    if sum(map(len, parts)) >= ERROR_LIMIT:
                        break
        except (httpx.HTTPError, httpx.StreamError) as error:
            _log.debug("the body of a refusal broke off: %s", error)
        finally:
            with anyio.move_on_after(_CLOSE_SECONDS, shield=True):
                await response.aclose()
        asked = Asked(call.endpoint, call.model, secret, call.method, call.path)
        # Before anything is shortened, or a part of the key would be left at the end of a quotation.
        body = b"".join(parts)
        if len(secret) >= SHORTEST_KEY:
            body = body.replace(secret.encode(), b"***")
        body = body[:ERROR_LIMIT]
        return failures.from_response(asked, response.status_code, response.headers, body, self._now)

    def _way(self, call: Call) -> Way:
        return way_to(call.url or self._settings.base_url, self._settings.proxy)

    def _patience(self, call: Call) -> float:
        """Seconds without a byte: a list of models that takes minutes is not coming."""
        return min(self._settings.timeout, READ_SECONDS) if call.method == "GET" else self._settings.timeout

    def _key(self) -> str:
        self._settings.require_sound()
        return secret_of(self._settings)

    async def _client(self) -> "httpx.AsyncClient":
        if self._http is None:
            async with self._lock:
                if self._http is None:
                    self._http = await anyio.to_thread.run_sync(self._build)
        return self._http

    def _build(self) -> "httpx.AsyncClient":
        import httpx

        # A proxy from the environment is meant for the world outside, not for a gateway on this machine. The rest of
        # the environment, such as SSL_CERT_FILE, is meant for both.
        host = urlsplit(self._settings.base_url).hostname
        direct = {f"all://[{host}]" if ":" in host else f"all://{host}": None} if host in LOOPBACK else None
        if way_to(self._settings.base_url, self._settings.proxy).proxy.startswith(":"):
            raise unusable(ValueError("httpx would go on with a port above 65535, and break"), self._settings.proxy)
        try:
            return httpx.AsyncClient(
                transport=self._transport,
                proxy=self._settings.proxy or None,
                mounts=None if self._settings.proxy else direct,
                follow_redirects=False,
            )
        except (ValueError, OSError, ImportError, httpx.InvalidURL) as error:
            raise unusable(error, self._settings.proxy) from error


async def _legible(response: "httpx.Response") -> AsyncIterator[bytes]:
    """The body of a refusal; nothing of one that is compressed otherwise than was asked for."""
    if not swollen(response.headers):
        async for packet in response.aiter_bytes():
            yield packet


def _written(payload: Mapping[str, Any]) -> bytes:
    try:
        kept = {name: value for name, value in payload.items() if value is not None}
        return json.dumps(kept, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
    except (ValueError, TypeError, RecursionError) as error:
        raise BadInput(f"The request cannot be written as JSON ({error}).") from error


def _unsent(error: Exception, call: Call) -> bool:
    """Whether a broken connection may be tried again: nothing was sent, or it was only a question."""
    import httpx

    # Whom ten seconds did not reach, ten more do not: the system has knocked again and again by then.
    if isinstance(error, httpx.ConnectError | httpx.PoolTimeout):
        return "CERTIFICATE_VERIFY_FAILED" not in str(error)
    return call.method == "GET" and isinstance(error, httpx.ReadError | httpx.RemoteProtocolError)


def _reached(error: Exception) -> bool:
    """Whether the gateway may have got the request, and so may bill for it."""
    import httpx

    never = httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol
    return not isinstance(error, (*never, httpx.InvalidURL))


def _pause(failure: UpstreamError, call: Call, attempt: int) -> float | None:
    """Seconds to wait before the next try; None when there should be none."""
    busy = failure.status in (429, 503) and isinstance(failure, Overloaded | UpstreamFailure)
    if not busy and not (call.method == "GET" and isinstance(failure, UpstreamFailure)):
        return None
    pause = _backoff(attempt) if failure.retry_after is None else failure.retry_after
    return pause if pause <= LONGEST_WAIT else None


def _backoff(attempt: int) -> float:
    """Half a second, doubled each time up to eight, within a quarter at random so that callers spread out."""
    return min(8.0, 0.5 * 2**attempt) * random.uniform(0.75, 1.25)  # noqa: S311 - no secret depends on it
