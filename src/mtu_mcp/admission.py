"""Who may come in over HTTP, as an operator writes it: tokens, issuer, names, limits.

Tokens are secrets, so no complaint about one quotes any part of it; it is told by its place in the list.
"""

import re
from typing import Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr

SHORTEST_TOKEN: Final = 16
_DIFFERENT: Final = 6
_CALLER: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
# RFC 6750, section 2.1, without the comma; some clients send more than the grammar allows, so all that is visible counts.
_BEARER: Final = re.compile(r"[!-+\--~]+")
_HOST: Final = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?|\[[0-9a-f:.]+\])(?::\d{1,5})?")


class ServerToken(BaseModel):
    """A caller's token; `name` is empty where none was given."""

    model_config = ConfigDict(frozen=True)

    name: str
    token: SecretStr


def tokens(raw: str) -> tuple[ServerToken, ...]:
    """Read `NAME:TOKEN` or `TOKEN`, separated by commas.

    Raises:
        ValueError: An entry is no such thing, or its token could be guessed.
    """
    found = [_token(number, part.strip()) for number, part in enumerate(raw.split(","), 1) if part.strip()]
    if len({one.token.get_secret_value() for one in found}) < len(found):
        raise ValueError("gives the same token twice")
    return tuple(found)


def _token(number: int, entry: str) -> ServerToken:
    name, colon, token = entry.partition(":")
    if not colon:
        name, token = "", entry
    elif not _CALLER.fullmatch(name):
        raise ValueError(f"has no NAME before the colon of entry {number}: use up to 64 letters, digits, . _ -")
    if len(token) < SHORTEST_TOKEN or len(set(token)) < _DIFFERENT or not _BEARER.fullmatch(token):
        raise ValueError(
            f"has a token in entry {number} that can be guessed or not be sent: use {SHORTEST_TOKEN} random characters or "
            'more, such as python -c "import secrets; print(secrets.token_urlsafe(32))" makes'
        )
    return ServerToken(name=name, token=SecretStr(token))


def issuer(raw: str) -> str:
    """Read an issuer; it is compared letter by letter, so nothing of it is changed.

    Raises:
        ValueError: No https address, or one with a query.
    """
    https(raw)
    if "?" in raw or "#" in raw:
        raise ValueError("must be an address without ? or #")
    return raw


def https(raw: str) -> str:
    """Read an address that nobody on the way can read or answer for: https, or this machine.

    Raises:
        ValueError: It is neither.
    """
    parts = urlsplit(raw)
    near = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
    if not (parts.scheme == "https" or near) or not parts.hostname or "@" in parts.netloc:
        raise ValueError("must be an https:// address")
    return raw


def hosts(raw: str) -> tuple[str, ...]:
    """Read names of this server, each with or without a port.

    Raises:
        ValueError: One is no name.
    """
    names = [part.strip().lower() for part in raw.split(",") if part.strip()]
    for name in names:
        if not _HOST.fullmatch(name):
            raise ValueError(f"must be names such as mcp.example.com or mcp.example.com:8443, not {name[:80]!r}")
    return tuple(dict.fromkeys(names))


def most(raw: str) -> int:
    """Read a limit.

    Raises:
        ValueError: It is no whole number of at least 1.
    """
    if not raw.isdecimal() or len(raw) > 9 or int(raw) < 1:
        raise ValueError(f"must be a whole number of at least 1, not {raw[:40]!r}")
    return int(raw)
