"""THE one function that downloads: pictures given by address, media passed by address.

The address may come from a model that read it on a web page, so it is treated as an attack on the user's network:
https, a name that resolves to public addresses only, a connection to exactly the address that was judged (a
second look-up could answer differently), every redirect judged again, limits on bytes and time, and no decompression.
Proxies of the environment are not used: a proxy resolves the name itself, and the check would mean nothing.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from mtu_mcp.errors import BadInput, LimitExceeded, NotFound, Unreachable, UrlNotAllowed
from mtu_mcp.media import kinds, names
from mtu_mcp.media.addresses import is_disguised_number, is_public

if TYPE_CHECKING:
    import httpx

    from mtu_mcp.media.spool import Spool

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Turns a host name and a port into addresses, as text."""

MAX_REDIRECTS: Final = 5
MAX_URL: Final = 8192
_TRIED: Final = 3
"""Addresses of one name tried before giving up."""
_CONNECT_SECONDS: Final = 10.0
_OPEN_URLS: Final = "Download it yourself and give its path."


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was downloaded: the bytes, their media type as told by the bytes, a file name; `spool` holds what `data` does not."""

    data: bytes
    mime: str
    name: str
    spool: "Spool | None" = None


@dataclass(frozen=True, slots=True)
class _Rules:
    max_bytes: int
    allow_http: bool
    allow_private: bool
    resolver: Resolver
    spool: "Callable[[], Spool] | None" = None


async def resolve(host: str, port: int) -> Sequence[str]:
    """The system's resolver."""
    import socket

    import anyio

    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


async def fetch(
    url: str,
    *,
    max_bytes: int,
    timeout: float,
    allow_http: bool = False,
    allow_private: bool = False,
    resolver: Resolver = resolve,
    transport: "httpx.AsyncBaseTransport | None" = None,
    spool: "Callable[[], Spool] | None" = None,
) -> Fetched:
    """Download an address within bounds.

    Args:
        url: The address.
        max_bytes: The most bytes accepted; more stops the download.
        timeout: Seconds for everything, redirects included.
        allow_http: Whether this address may be unencrypted.
        allow_private: Whether this address may lie on the own machine or network. Both hold for its own origin
            alone: a redirect elsewhere must be https and public.
        resolver: Turns names into addresses.
        transport: Carries the requests.
        spool: Makes the file for what is too large to be held; without it everything is held.

    Raises:
        BadInput: No address, or the server refuses it.
        UrlNotAllowed: An address this server will not ask, or a redirect to one.
        LimitExceeded: More than `max_bytes`.
        NotFound: The server does not have it.
        Unreachable: No connection, no answer in time, or a broken one.
        StorageError: No room for a large one.
    """
    import anyio
    import httpx

    rules = _Rules(max_bytes, allow_http, allow_private, resolver, spool)
    carrier = transport or httpx.AsyncHTTPTransport(verify=httpx.create_ssl_context(), trust_env=False, retries=0)
    # One client a download: nothing is shared with the gateway's, so no key or cookie can travel along.
    limits = httpx.Timeout(timeout, connect=min(timeout, _CONNECT_SECONDS))
    client = httpx.AsyncClient(transport=carrier, follow_redirects=False, trust_env=False, timeout=limits)
    try:
        with anyio.fail_after(timeout):
            async with client:
                return await _follow(client, url, rules)
    except TimeoutError as error:
        raise Unreachable(
            f"{names.quote(url)} gave no whole answer within {timeout:g} s.", advice=_OPEN_URLS
        ) from error
    except httpx.HTTPError as error:
        reason = names.quote(str(error) or type(error).__name__, 200)
        raise Unreachable(f"{names.quote(url)} could not be downloaded: {reason}.", advice=_OPEN_URLS) from error


def check_form(url: str, *, allow_http: bool) -> "httpx.URL":
    """Judge an address by its text alone, before any name is looked up.

    Raises:
        BadInput: It is no address.
        UrlNotAllowed: Not https, a user name in it, or a host in disguise.
    """
    import httpx

    if len(url) > MAX_URL or re.search(r"[\x00-\x20\x7f\\]", url):
        raise BadInput(f"{names.quote(url)} is not a valid address.", advice="Percent-encode spaces and the like.")
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError, UnicodeError) as error:
        raise BadInput(f"{names.quote(url)} is not a valid address.") from error
    if parsed.scheme != "https" and not (parsed.scheme == "http" and allow_http):
        raise UrlNotAllowed(f"{names.quote(url)} is not an https address.", advice="Give the https address.")
    if parsed.userinfo or "@" in parsed.netloc.decode("ascii", "replace"):
        raise UrlNotAllowed("The address holds a user name or password.", advice="Give it without them.")
    host = parsed.raw_host.decode("ascii", "replace")
    if not host or "%" in host or is_disguised_number(host):
        raise UrlNotAllowed(f"{names.quote(url)} has no plain host name.", advice="Give the host by its name.")
    return parsed


async def _follow(client: "httpx.AsyncClient", url: str, rules: _Rules) -> Fetched:
    origin: tuple[str, str] | None = None
    for _ in range(MAX_REDIRECTS + 1):
        parsed = check_form(url, allow_http=rules.allow_http)
        here = parsed.scheme, parsed.netloc.decode("ascii")
        origin = origin or here
        if here != origin:
            rules = replace(rules, allow_http=False, allow_private=False)
            parsed = check_form(url, allow_http=False)
        response = await _ask(client, parsed, await _judged(parsed, rules))
        try:
            if not response.is_redirect:
                return await _receive(response, parsed, rules)
            url = str(parsed.join(response.headers["location"]))
        finally:
            await response.aclose()
    raise UrlNotAllowed(f"More than {MAX_REDIRECTS} redirects, the last to {names.quote(url)}.", advice=_OPEN_URLS)


async def _judged(url: "httpx.URL", rules: _Rules) -> Sequence[str]:
    """Every address of the host, each of them allowed."""
    host = url.raw_host.decode("ascii")
    try:
        found = tuple(await rules.resolver(host, url.port or (443 if url.scheme == "https" else 80)))
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"The host {names.quote(host)} is not known.", advice="Check the address.") from error
    if not found:
        raise Unreachable(f"The host {names.quote(host)} has no address.", advice="Check the address.")
    closed = [address for address in found if not rules.allow_private and not is_public(address)]
    if closed:
        raise UrlNotAllowed(
            f"{names.quote(host)} leads to {names.quote(closed[0], 60)}, which is not on the public internet.",
            advice=_OPEN_URLS,
        )
    return found[:_TRIED]


async def _ask(client: "httpx.AsyncClient", url: "httpx.URL", found: Sequence[str]) -> "httpx.Response":
    """Send the request to one of the judged addresses; name and certificate stay the host's."""
    import httpx

    host = url.raw_host.decode("ascii")
    headers = {
        "Host": url.netloc.decode("ascii"),
        "Accept-Encoding": "identity",
        "Accept": "*/*",
        "User-Agent": "mtu-mcp",
    }
    for index, address in enumerate(found):
        pinned = url.copy_with(host=address)
        request = client.build_request("GET", pinned, headers=headers, extensions={"sni_hostname": host})
        request.extensions["timeout"] = client.timeout.as_dict()
        try:
            return await client.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            if index == len(found) - 1:
                raise
    raise Unreachable(f"{names.quote(host)} has no address.")


async def _receive(response: "httpx.Response", url: "httpx.URL", rules: _Rules) -> Fetched:
    _require_success(response, url)
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        # Not unpacked: a few kilobytes of gzip can hold gigabytes.
        raise Unreachable(
            f"{names.quote(str(url))} answers compressed ({names.quote(encoding, 40)}).", advice=_OPEN_URLS
        )
    announced = response.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > rules.max_bytes:
        raise _too_large(url, rules, f"{int(announced):,}")
    head, data, spool = await _body(response, url, rules)
    told = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    last = unquote(url.path).rpartition("/")[2]
    kind = kinds.kind_of(head, last)
    mime = kind.mime if kind.family != "unknown" else told or kind.mime
    return Fetched(data, mime, names.safe_name(last), spool)


async def _body(response: "httpx.Response", url: "httpx.URL", rules: _Rules) -> "tuple[bytes, bytes, Spool | None]":
    """The first bytes, and all of them: held, or in a file."""
    import anyio.to_thread

    from mtu_mcp.media.spool import HELD

    head, data, size = b"", bytearray(), 0
    spool: Spool | None = None
    try:
        async for piece in response.aiter_bytes():
            data += piece
            size += len(piece)
            if size > rules.max_bytes:
                raise _too_large(url, rules, f"more than {rules.max_bytes:,}")
            head = head or bytes(data[: kinds.HEAD]) if size >= kinds.HEAD else b""
            if rules.spool is not None and len(data) > HELD:
                spool = spool or await anyio.to_thread.run_sync(rules.spool)
                await anyio.to_thread.run_sync(spool.write, bytes(data))
                data.clear()
        if spool is None:
            return bytes(data[: kinds.HEAD]), bytes(data), None
        await anyio.to_thread.run_sync(spool.write, bytes(data))
    except BaseException:
        if spool is not None:
            spool.remove()
        raise
    return head, b"", spool


def _require_success(response: "httpx.Response", url: "httpx.URL") -> None:
    status = response.status_code
    if status == 200:
        return
    shown = names.quote(str(url))
    if status in (404, 410):
        raise NotFound(f"There is nothing at {shown} (status {status}).", advice="Check the address.")
    if 400 <= status < 500 and status not in (408, 429):
        raise BadInput(f"{shown} was refused (status {status}).", advice=_OPEN_URLS)
    raise Unreachable(f"{shown} was not delivered (status {status}).", advice=_OPEN_URLS)


def _too_large(url: "httpx.URL", rules: _Rules, figure: str) -> LimitExceeded:
    return LimitExceeded(
        f"{names.quote(str(url))} has {figure} bytes; at most {rules.max_bytes:,} are accepted here.",
        advice="Use a smaller file.",
    )
