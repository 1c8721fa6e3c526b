"""The key as it is sent, or why there is none that could be."""

import re
from typing import TYPE_CHECKING, Final

from mtu_mcp.errors import NotAuthorized

if TYPE_CHECKING:
    from mtu_mcp.settings import Settings

EXAMPLE: Final = "sk-your-key"
"""What the README writes where a key belongs."""
_EXAMPLES: Final = (EXAMPLE, "sk-...")
_AROUND: Final = re.compile(
    r"""["'`<“‘].*|.*["'`>”’,;]|\$\w+|%\w+%|[A-Z_]*KEY\s*[=:].*|bearer\b.*|authorization\b.*""",
    re.IGNORECASE | re.DOTALL,
)
"""A key with what stood around it where it was copied from, or the name of a variable in its place."""


def secret_of(settings: "Settings") -> str:
    """Return the key to send.

    Raises:
        NotAuthorized: There is none, or it is nothing that a header can hold.
    """
    secret = settings.api_key.get_secret_value().strip() if settings.api_key else ""
    if not secret:
        raise NotAuthorized(
            "There is no key for the gateway.",
            advice="Set MTU_API_KEY in the host's configuration and restart the host (mtu-mcp install HOST --key sk-... "
            "writes it); in a shell, export it.",
        )
    if trouble := flaw(secret):
        raise NotAuthorized(f"MTU_API_KEY {trouble}.", advice="Put your own key there, and nothing else.")
    return secret


def flaw(secret: str) -> str:
    """Say what keeps a text from being a key, after the words for where it stands; empty for what may be one."""
    if secret in _EXAMPLES:
        return "is still the example of the README"
    if _AROUND.fullmatch(secret):
        return "holds more than a key: quotes, a comma, the word Bearer or the name of a variable"
    if not (secret.isascii() and secret.isprintable()) or " " in secret:
        return "holds characters that no key has"
    return ""
