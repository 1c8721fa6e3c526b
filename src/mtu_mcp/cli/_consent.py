"""Questions that a tool puts before its user, such as what a call may cost, answered from a shell.

A person at a terminal is asked there. Where standard input is no terminal nobody can be asked, and a script that must
not stop says so beforehand with `--yes`; without it, the answer is no, and the reason says what would have been a yes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self, TextIO

from mtu_mcp.cli._language import gettext as _
from mtu_mcp.cli._language import told

if TYPE_CHECKING:
    from mcp.client import ClientRequestContext
    from mcp.types import ElicitRequestParams, ElicitResult, ErrorData

_YES = ("y", "yes", "j", "ja", "是", "好", "同意")


@dataclass(slots=True)
class Consent:
    """Somebody who answers yes or no.

    Attributes:
        read: Reads a line; None where nobody can be asked.
        write: Says something beside the answer of the call.
        always: Whether it is yes without being asked.
        unasked: Questions that were answered with no because nobody could be asked.
    """

    read: Callable[[], str] | None
    write: Callable[[str], object]
    always: bool = False
    unasked: list[str] = field(default_factory=list[str])

    @classmethod
    def of_shell(cls, *, always: bool) -> Self:
        """Whoever sits before this process."""
        import sys

        source: TextIO | None = sys.stdin  # None where a program was started without any
        asked = source is not None and source.isatty() and sys.stderr.isatty()

        def write(text: str) -> None:
            print(text, end="", file=sys.stderr, flush=True)

        return cls(source.readline if source and asked else None, write, always)

    async def answer(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult | ErrorData:
        """Answer a question of a tool; anything but a clear yes is a no, and so is the end of the input."""
        import anyio.to_thread
        from mcp.types import ElicitResult

        del context
        agreed = self.always
        if not agreed and self.read is None:
            self.unasked.append(params.message)
        elif not agreed and self.read is not None:
            self.write(f"\r\033[K{told(params.message)} {_('[y/N]')} ")
            said = await anyio.to_thread.run_sync(self.read, abandon_on_cancel=True)
            agreed = said.strip().casefold() in _YES
            if not said.endswith("\n"):
                self.write("\n")
        return ElicitResult(action="accept", content={"approve": True}) if agreed else ElicitResult(action="decline")
