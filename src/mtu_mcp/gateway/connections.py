"""What stands between this machine and the gateway, and in which words it fails.

A connection that is not made has a handful of causes, each with one thing that mends it: a name nobody knows, a port
nobody listens on, a proxy, a certificate, a clock. httpx tells most of them in one sentence ("All connection attempts
failed"), so the exceptions behind it are looked at, and the proxy that was in force.
"""

import os
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final, cast
from urllib.parse import urlsplit

from mtu_mcp.errors import SettingsError, Unreachable
from mtu_mcp.settings import variable

LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
PROXY: Final = variable("proxy")
URL: Final = variable("base_url")
_PORTS: Final = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
_VARIABLES: Final = ("http_proxy", "https_proxy", "all_proxy")
_CLOCK: Final = ("has expired", "not yet valid")
_JARGON: Final = re.compile(r"^\[[^\]]*\] *|(?<=\() *\[[^\]]*\] *| *\(_ssl\.c:\d+\)")
"""What Python and OpenSSL put around their words: numbers of errors, names of libraries, lines of source."""


@dataclass(frozen=True, slots=True)
class Way:
    """The way to one address.

    Attributes:
        host: Name or number of the gateway.
        port: Its port.
        proxy: `host:port` of the proxy in force, without name and password; empty if there is none.
        variable: Which variable sets the proxy; empty when the system's settings do.
        plain: Whether the address begins with http://.
    """

    host: str = ""
    port: int = 0
    proxy: str = ""
    variable: str = ""
    plain: bool = False

    @property
    def place(self) -> str:
        """`host:port` for messages."""
        return f"{self.host}:{self.port}" if self.host else "its address"

    @property
    def setting(self) -> str:
        """Where the proxy is set, for messages."""
        return self.variable or "the system's proxy settings"


def way_to(url: str, proxy: str = "", environ: Mapping[str, str] | None = None) -> Way:
    """Return the way that a call to `url` takes.

    Args:
        url: The gateway's address.
        proxy: The proxy of our own settings.
        environ: The variables to look at; the default is this process's, and the system's own settings.
    """
    host, port = _place(url)
    plain = urlsplit(url).scheme == "http"
    if proxy:
        return Way(host, port, _shown(proxy), PROXY, plain)
    if host in LOOPBACK:  # meant for the world outside, not for a gateway on this machine
        return Way(host, port, plain=plain)
    name, found = _from_environment(urlsplit(url).scheme, os.environ if environ is None else environ)
    if not found and environ is None:
        from urllib.request import getproxies

        found = getproxies().get(urlsplit(url).scheme, "")
    if not found or _is_exempt(host, os.environ if environ is None else environ):
        return Way(host, port, plain=plain)
    return Way(host, port, _shown(found), name, plain)


def skew(headers: Mapping[str, str], now: Callable[[], float]) -> float | None:
    """Seconds that our clock is ahead of an answer's Date header (RFC 9110, 6.6.1); None when it has none."""
    try:
        return now() - parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError, OverflowError, OSError):
        return None


def no_connection(error: Exception, detail: str, way: Way) -> Unreachable:
    """The error that a connection which was not made means.

    Args:
        error: What httpx raised.
        detail: Its words, shortened.
        way: The way that was tried.
    """
    causes = tuple(_causes(error))
    raw, detail = detail, unadorned(detail)
    if "CERTIFICATE_VERIFY_FAILED" in raw or any(isinstance(one, ssl.SSLCertVerificationError) for one in causes):
        return _untrusted(detail)
    if "WRONG_VERSION_NUMBER" in raw or "record layer failure" in raw:
        return _said(
            f"{way.proxy or way.place} does not speak TLS ({detail})",
            f"Check the proxy in {way.setting}."
            if way.proxy
            else f"Write http:// in {URL} if it is a server of yours.",
        )
    if type(error).__name__ == "ProxyError" or (way.proxy and not isinstance(error, ssl.SSLError)):
        return _proxy(error, causes, detail, way)
    if any(type(one).__name__ == "gaierror" for one in causes):
        return _said(
            f"the name {way.host} cannot be found ({detail})", f"Check the network, and {URL} for a mistyped name."
        )
    if any(isinstance(one, ConnectionRefusedError) for one in causes):
        return _said(f"nothing listens at {way.place}", f"Check {URL}.")
    if "Timeout" in type(error).__name__:
        return _said(
            f"{way.place} does not answer",
            "Check the network, and whether it needs a proxy (HTTPS_PROXY or MTU_PROXY).",
        )
    # Hung up on while TLS was agreed: a wrong port, or a network that does not let it through.
    if not detail and way.host:
        return _said(
            f"{way.place} hung up", f"Check {URL}, and whether the network needs a proxy (HTTPS_PROXY or MTU_PROXY)."
        )
    reason = f"{type(error).__name__} ({detail})" if detail else type(error).__name__
    return _said(reason, f"Check the network, {URL} and the proxy settings.")


def unadorned(words: str) -> str:
    """The words of Python or OpenSSL without numbers of errors and lines of source."""
    return _JARGON.sub("", words)


def unusable(error: Exception, proxy: str = "", environ: Mapping[str, str] | None = None) -> SettingsError:
    """The error of certificates or a proxy that cannot even be tried, with the one variable to correct.

    Args:
        error: What httpx raised when it was to use them.
        proxy: The proxy of our own settings.
        environ: The variables to look at; the default is this process's.
    """
    environ = os.environ if environ is None else environ
    if isinstance(error, OSError):
        name = next((one for one in ("SSL_CERT_FILE", "SSL_CERT_DIR") if environ.get(one)), "SSL_CERT_FILE")
        reason = unadorned(error.strerror or str(error)) or type(error).__name__
        return SettingsError(
            f"The certificates that {name} names cannot be read ({reason}).", advice=f"Correct or unset {name}."
        )
    named = [name for name in environ if name.lower() in _VARIABLES and not _is_proxy(environ[name])]
    name = PROXY if proxy else next(iter(named), "the system's proxy settings")
    return SettingsError(
        f"What {name} names cannot be used as a proxy.",
        advice=f"Write it as http://host:port into {name}, or unset it.",
    )


def broken(detail: str, way: Way) -> Unreachable:
    """The error of a connection that broke before an answer began, as one without TLS does where TLS is spoken.

    Args:
        detail: What httpx said, shortened.
        way: The way that was tried.
    """
    detail = unadorned(detail)
    what = f"The connection to the gateway broke ({detail})." if detail else "The connection to the gateway broke."
    if way.plain:
        return Unreachable(what, advice=f"Try again; if it breaks every time, write https:// in {URL}.")
    return Unreachable(what, advice="Try again.")


def _proxy(error: Exception, causes: tuple[BaseException, ...], detail: str, way: Way) -> Unreachable:
    mend = f"Correct or unset {way.setting}."
    proxy = f"the proxy {way.proxy}" if way.proxy else "the proxy"
    if any(type(one).__name__ == "gaierror" for one in causes):
        return _said(f"{proxy} cannot be found", mend)
    if any(isinstance(one, ConnectionRefusedError) for one in causes):
        return _said(f"nothing listens at {proxy}", mend)
    if detail.startswith("407"):
        return _said(
            f"{proxy} wants a name and a password, or another",
            f"Write them into {way.setting}: http://name:password@host:port.",
        )
    if type(error).__name__ == "ProxyError":
        advice = f"Ask whoever runs it to let {way.host or 'the gateway'} through, or put that name into NO_PROXY."
        return _said(f"{proxy} refused ({detail})", advice)
    return _said(f"{proxy} does not answer ({detail or type(error).__name__})", mend)


def _untrusted(detail: str) -> Unreachable:
    if any(words in detail for words in _CLOCK):
        advice = "Check this computer's date and time; if they are right, the gateway's certificate has to be renewed."
    elif "ostname mismatch" in detail or "IP address mismatch" in detail:
        advice = f"Check {URL}: the certificate belongs to another name."
    else:
        advice = (
            "If your network inspects TLS, or the gateway has an authority of its own, set SSL_CERT_FILE to the file of "
            "that authority's certificate."
        )
    reason = f" ({detail})" if detail else ""
    return Unreachable(f"The gateway's certificate is not trusted{reason}.", advice=advice)


def _said(what: str, advice: str) -> Unreachable:
    return Unreachable(f"No connection to the gateway: {what}.", advice=advice)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            waiting += cast("tuple[BaseException, ...]", one.exceptions)  # pyright: ignore[reportUnknownMemberType]


def _from_environment(scheme: str, environ: Mapping[str, str]) -> tuple[str, str]:
    for lower in (f"{scheme}_proxy", "all_proxy"):
        name = lower if lower in environ else lower.upper()  # as urllib does: an empty lower-case one hides the other
        if environ.get(name):
            return name, environ[name]
    return "", ""


def _is_exempt(host: str, environ: Mapping[str, str]) -> bool:
    """Whether NO_PROXY names the host, or a domain that it is in."""
    raw = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    names = [name.strip().lstrip("*").lstrip(".").lower() for name in raw.split(",") if name.strip()]
    return raw.strip() == "*" or any(name and (host == name or host.endswith(f".{name}")) for name in names)


def _place(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        return parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return "", 0


def _is_proxy(text: str) -> bool:
    """Whether httpx takes a variable's text for a proxy, or for none."""
    whole = text if "://" in text else f"http://{text}"
    return not text or (urlsplit(whole).scheme in _PORTS and bool(_place(whole)[0]))


def _shown(proxy: str) -> str:
    host, port = _place(proxy if "://" in proxy else f"http://{proxy}")
    return f"{host}:{port}"
