"""The key as it is sent, or why there is none that could be."""

from typing import TYPE_CHECKING, Final

from mtu_mcp.errors import NotAuthorized

if TYPE_CHECKING:
    from mtu_mcp.settings import Settings

EXAMPLE: Final = "sk-your-key"
"""What the README writes where a key belongs."""


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
    if secret == EXAMPLE:
        raise NotAuthorized("MTU_API_KEY is still the example of the README.", advice="Put your own key in its place.")
    if not (secret.isascii() and secret.isprintable()) or " " in secret:
        raise NotAuthorized(
            "MTU_API_KEY holds characters that no key has.", advice="Paste the key again, and nothing else."
        )
    return secret
