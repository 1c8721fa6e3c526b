"""Where logs go: stderr, one line a record, never with the key.

The SDK configures logging whenever a server is built, and does it with `rich` where that is installed. Loading rich
would cost every start some 20 ms, to draw columns and colours into what is a host's log file.
"""

import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pydantic import SecretStr

HIDDEN: Final = "[key hidden]"
SHORTEST_KEY: Final = 8
"""Shorter "keys" are test values; replacing them would tear words apart."""


class Lines(logging.Formatter):
    """Plain lines, with the key and other secrets taken out, tracebacks included."""

    def __init__(self, *secrets: "SecretStr | None") -> None:
        super().__init__("mtu-mcp: %(levelname)s %(name)s: %(message)s")
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text without the key."""
        return hide(super().format(record), *self._secrets)


def hide(text: str, *secrets: "SecretStr | None") -> str:
    """Take the key and other secrets out of a text."""
    for one in secrets:
        secret = one.get_secret_value() if one else ""
        if len(secret) >= SHORTEST_KEY:
            text = text.replace(secret, HIDDEN)
    return text


def configure(level: str, *secrets: "SecretStr | None") -> None:
    """Send this process's logs to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines(*secrets))
    logging.basicConfig(level=level, handlers=[handler], force=True)


@contextmanager
def without_rich() -> Generator[None]:
    """Keep the SDK from loading rich for its logs; it then takes the standard library's handler.

    None in `sys.modules` is the import system's own way of saying that a module is not to be had.
    """
    name = "rich.console"
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # pyright: ignore[reportArgumentType] - see above
    try:
        yield
    finally:
        del sys.modules[name]
