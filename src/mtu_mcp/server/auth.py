"""Who is calling: a token of the operator's list, or one that the operator's issuer signed.

Nothing but a verified token says who somebody is. Two kinds never name the same caller: a name from the list has no
colon, an unnamed token is told by a digest, and a subject stands behind its issuer's address, since subjects are
unique only there (OpenID Connect Core, section 8).

What a signed token must be is in RFC 8725 (best current practices) and RFC 9068: one of the algorithms below, whatever
its header or the key says; the issuer and the audience that were configured; not expired, not of the future. Keys come
from the issuer alone: `jku`, `x5u` and `jwk` in a header are the sender's own words and are not read.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any, Final, Protocol

from mcp.server.auth.provider import AccessToken

from mtu_mcp.errors import SettingsError
from mtu_mcp.settings import Settings, variable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import jwt

    from mtu_mcp.admission import ServerToken

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by a private key alone; with HS256 the public key would be the secret."""
LEEWAY: Final = 30.0
"""Seconds by which two clocks may differ."""
LATEST: Final = 1e11
"""Unix seconds; what expires later does not expire."""
LONGEST_TOKEN: Final = 16_384
LONGEST_SUBJECT: Final = 255
_TYPES: Final = ("", "jwt", "at+jwt", "application/at+jwt")
"""Other types, such as a log-out token, are signed by the same keys for other ends (RFC 8725, section 3.11)."""


class Keys(Protocol):
    """Where the issuer's public keys come from."""

    async def find(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        """The key a token names, if the issuer has it for that algorithm.

        Raises:
            Unreachable: The issuer cannot be asked, and nothing is known from before.
        """
        ...


class Verifier:
    """Tells callers by their tokens.

    Args:
        tokens: The operator's list.
        issuer: Whose signed tokens are taken; empty for nobody's.
        audience: Whom they have to be for.
        keys: The issuer's keys.
    """

    def __init__(
        self, tokens: Sequence[ServerToken], issuer: str = "", audience: str = "", keys: Keys | None = None
    ) -> None:
        self._listed = [(_digest(one.token.get_secret_value()), one.name) for one in tokens]
        self._issuer = issuer
        self._audience = audience
        self._keys = keys

    async def verify(self, token: str) -> AccessToken | None:
        """Who sends this token; None when it is no good.

        Raises:
            Unreachable: Its issuer's keys are not to be had now.
        """
        if len(token) > LONGEST_TOKEN:
            return None
        owner = self._listed_owner(token)
        if owner:
            return AccessToken(token="", client_id=owner, subject=owner, scopes=[])
        return await self._signed(token) if self._keys is not None else None

    def _listed_owner(self, token: str) -> str:
        """The owner a listed token stands for. Every entry is compared, each in the same time."""
        given, found = _digest(token), ""
        for digest, name in self._listed:
            if hmac.compare_digest(digest, given):
                found = name or f"token:{digest.hex()[:16]}"
        return found

    async def _signed(self, token: str) -> AccessToken | None:
        import jwt

        assert self._keys is not None
        try:
            header = jwt.get_unverified_header(token)
            algorithm, key_id = header.get("alg"), header.get("kid")
            if algorithm not in ALGORITHMS or str(header.get("typ") or "").lower() not in _TYPES or "crit" in header:
                return None
            key = await self._keys.find(key_id if isinstance(key_id, str) else None, algorithm)
            if key is None:
                return None
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            return None
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
            return None
        owner = f"{self._issuer} {subject}"
        ends = int(min(float(claims["exp"]), LATEST))
        # The token itself is kept nowhere, so that it cannot get out.
        return AccessToken(token="", client_id=owner, subject=owner, scopes=[], expires_at=ends)


def verifier_of(settings: Settings) -> Verifier | None:
    """The verifier that the settings describe; None when they ask for no token."""
    if settings.jwt_issuer:
        from mtu_mcp.server.issuer import IssuerKeys

        keys = IssuerKeys(settings.jwt_issuer, settings.jwt_jwks)
        return Verifier(settings.server_tokens, settings.jwt_issuer, settings.jwt_audience, keys)
    return Verifier(settings.server_tokens) if settings.server_tokens else None


def require_way_in(settings: Settings, host: str, loopback: Sequence[str]) -> None:
    """Refuse to listen where the wrong people could come in.

    Args:
        settings: Who may come in.
        host: The address to listen on.
        loopback: Addresses that only this machine reaches.

    Raises:
        SettingsError: What says who may come in is wrong, incomplete, or missing where others could reach the server.
    """
    fields = ("server_tokens", "jwt_issuer", "jwt_audience", "jwt_jwks", "allowed_hosts")
    wrong = [problem for problem in settings.problems if problem.startswith(tuple(variable(name) for name in fields))]
    if wrong:
        raise SettingsError(" ".join(wrong), advice="Nobody is let in before that is right.")
    if bool(settings.jwt_issuer) != bool(settings.jwt_audience) or (settings.jwt_jwks and not settings.jwt_issuer):
        raise SettingsError(
            f"{variable('jwt_issuer')} and {variable('jwt_audience')} go together: without an audience, a token that the "
            "issuer gave out for any other service would let its holder in.",
            advice="Set both, or neither.",
        )
    if host not in loopback and verifier_of(settings) is None:
        raise SettingsError(
            f"--host {host} would let anybody on the network spend with your key.",
            advice=f"Set {variable('server_tokens')}=NAME:TOKEN (16 random characters or more), or "
            f"{variable('jwt_issuer')} and {variable('jwt_audience')}, or use --host {loopback[0]}.",
        )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
