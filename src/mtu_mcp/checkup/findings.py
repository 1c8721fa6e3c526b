"""One line of a diagnosis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mtu_mcp.errors import MtuError

Verdict = Literal["ok", "warn", "bad", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        name: What was looked at, a word or two.
        verdict: "bad" keeps something from working, "warn" may; "skipped" was not looked at.
        said: What was found, one sentence.
        mend: The one command or setting that mends it; empty where nothing needs to be.
    """

    name: str
    verdict: Verdict
    said: str
    mend: str = ""

    def data(self) -> dict[str, str]:
        """Return it as JSON's kind of object, without an empty `mend`."""
        mend = {"mend": self.mend} if self.mend else {}
        return {"name": self.name, "verdict": self.verdict, "said": self.said, **mend}


def failed(name: str, error: MtuError) -> Finding:
    """Return the finding that an error is, in the error's own words: a call that meets it says the same."""
    return Finding(name, "bad", error.message, error.advice)
