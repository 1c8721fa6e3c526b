"""The public keys of the issuer whose tokens are taken, fetched when they are needed and kept.

Whoever sends a token chooses what key it names, so a name that is not known must not make this server ask the issuer
again and again: it asks at most once in `FLOOR` seconds. Everything about an answer is bounded: bytes, time, number of
keys. An answer that is no good, or none, leaves the keys that are known in force, up to a day.

Where the keys are is asked as OpenID Connect Discovery and RFC 8414 have it; the metadata must name the very issuer
that was configured (RFC 8414, section 3.3), and may send us to https addresses alone.
"""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

import anyio

from mtu_mcp.admission import https
from mtu_mcp.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx
    import jwt

_log = logging.getLogger(__name__)

FLOOR: Final = 30.0
"""Seconds between two requests for keys, whatever callers send."""
KEPT: Final = 3600.0
"""Seconds after which keys are fetched anew although the one asked for is known: it may have been withdrawn."""
STALE: Final = 86_400.0
"""Seconds after which keys that could not be fetched anew no longer count."""
SECONDS: Final = 5.0
"""For all requests of one refresh together."""
MOST_BYTES: Final = 262_144
MOST_KEYS: Final = 100
_LONGEST_NAME: Final = 200
_FAMILIES: Final = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
_CURVES: Final = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519"}
_RSA_BITS: Final = 2048
"""RFC 7518, sections 3.3 and 3.5."""

Key = dict[str, Any]


class IssuerKeys:
    """The keys of one issuer.

    Args:
        issuer: Its address, as its tokens have it.
        address: Where its keys are; empty to ask its metadata.
        clock: Seconds, monotonic.
        seconds: For all requests of one refresh together.
    """

    def __init__(
        self,
        issuer: str,
        address: str = "",
        *,
        clock: Callable[[], float] = time.monotonic,
        seconds: float = SECONDS,
    ) -> None:
        self._issuer = issuer
        self._address = address
        self._clock = clock
        self._seconds = seconds
        self._keys: list[Key] = []
        self._fetched: float | None = None
        self._tried: float | None = None
        self._lock = anyio.Lock()

    async def find(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        """The key of that name for that algorithm; without a name, the only one for the algorithm.

        Raises:
            Unreachable: The issuer cannot be asked, and nothing is known from before.
        """
        if key_id is not None and len(key_id) > _LONGEST_NAME:
            return None
        found = self._known(key_id, algorithm)
        old = self._fetched is None or self._clock() - self._fetched > KEPT
        if found is None or (old and not self._lock.locked()):
            await self._refresh()
            found = self._known(key_id, algorithm)
        if self._fetched is None or self._clock() - self._fetched > STALE:
            raise Unreachable("The keys of the issuer of tokens are not to be had now.", advice="Try again later.")
        return found

    def _known(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        fitting = [key for key in self._keys if _fits(key, algorithm) and key_id in (None, key.get("kid"))]
        return _usable(fitting[0], algorithm) if len(fitting) == 1 else None

    async def _refresh(self) -> None:
        """Fetch the keys unless that was tried a moment ago; those who come meanwhile wait for the one who fetches."""
        async with self._lock:
            if self._tried is not None and self._clock() - self._tried < FLOOR:
                return
            self._tried = self._clock()
            try:
                with anyio.fail_after(self._seconds):
                    self._keys = await self._fetch()
                self._fetched = self._clock()
            except Exception as error:  # noqa: BLE001 - whatever a strange server does, those known are let in
                reason = str(error) or type(error).__name__
                _log.warning("the keys of %s could not be fetched: %.300s", self._issuer, reason)

    async def _fetch(self) -> list[Key]:
        import httpx

        limits = httpx.Timeout(self._seconds)
        async with httpx.AsyncClient(follow_redirects=False, timeout=limits) as client:
            answer = await _read(client, self._address or await self._asked(client))
        listed: object = answer.get("keys") if answer is not None else None
        if not isinstance(listed, list):
            raise ValueError("there is no list of keys")  # noqa: TRY004 - a fault of what came, not of a type here
        keys = [cast("Key", key) for key in cast("list[object]", listed) if isinstance(key, dict)]
        if len(keys) > MOST_KEYS:
            raise ValueError(f"there are {len(keys):,} keys, more than {MOST_KEYS}")
        return keys

    async def _asked(self, client: httpx.AsyncClient) -> str:
        """Where the issuer's metadata says its keys are; the usual place when it has none."""
        parts = urlsplit(self._issuer.rstrip("/"))
        origin = f"{parts.scheme}://{parts.netloc}"
        for address in (
            f"{origin}{parts.path}/.well-known/openid-configuration",
            f"{origin}/.well-known/oauth-authorization-server{parts.path}",
        ):
            told = await _read(client, address)
            if told is None:
                continue
            if told.get("issuer") != self._issuer:
                raise ValueError(f"{address} is the metadata of another issuer")
            return https(str(told.get("jwks_uri", "")))
        return f"{origin}{parts.path}/.well-known/jwks.json"


async def _read(client: httpx.AsyncClient, address: str) -> Mapping[str, Any] | None:
    """A JSON object; None when there is none at that address.

    Raises:
        ValueError: Something else, or too much, is there.
    """
    headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "mtu-mcp"}
    async with client.stream("GET", address, headers=headers) as answer:
        if answer.status_code == 404:
            return None
        if answer.status_code != 200 or answer.headers.get("content-encoding", "identity") != "identity":
            raise ValueError(f"{address} answered with status {answer.status_code}, or compressed")
        data = bytearray()
        async for piece in answer.aiter_raw():
            data += piece
            if len(data) > MOST_BYTES:
                raise ValueError(f"{address} answered more than {MOST_BYTES:,} bytes")
    found: object = json.loads(data)
    if not isinstance(found, dict):
        raise ValueError(f"{address} answered no JSON object")  # noqa: TRY004 - a fault of what came, not of a type here
    return cast("dict[str, Any]", found)


def _fits(key: Key, algorithm: str) -> bool:
    """Whether a key is meant for checking that kind of signature (RFC 7517, section 4)."""
    operations = key.get("key_ops")
    return (
        key.get("kty") == _FAMILIES.get(algorithm[:2])
        and key.get("crv") == _CURVES.get(algorithm)
        and key.get("use") in (None, "sig")
        and key.get("alg") in (None, algorithm)
        and (operations is None or (isinstance(operations, list) and "verify" in operations))
    )


def _usable(key: Key, algorithm: str) -> jwt.PyJWK | None:
    import jwt

    public = {name: value for name, value in key.items() if name not in ("d", "p", "q", "dp", "dq", "qi", "oth")}
    try:
        found = jwt.PyJWK(public, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, KeyError):
        return None
    return found if getattr(found.key, "key_size", _RSA_BITS) >= _RSA_BITS or key.get("kty") != "RSA" else None
