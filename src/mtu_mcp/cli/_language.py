"""In which language the commands speak, and our sentences in it.

The variables are gettext's, in gettext's order; where none is set, as in a terminal of Windows, it is the language that
the system shows its menus in. Sentences are loaded when the first one is shown, so a server never loads them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mtu_mcp.cli._sentences import Sentences
    from mtu_mcp.errors import MtuError

LOCALE: Final = ("LC_ALL", "LC_MESSAGES", "LANG")
CATALOGUES: Final[Mapping[str, str]] = {"zh": "zh_CN.po"}
"""Files of sentences by language; English needs none."""


def gettext(message: str) -> str:
    """Return a message of ours in the person's language, with its `{places}` still open."""
    known = _sentences()
    return known.of(message) if known else message


def told(said: str | MtuError) -> str:
    """Return finished sentences, or an error with its advice, in the person's language."""
    known = _sentences()
    if known is None:
        return str(said)
    if isinstance(said, str):
        return known.told(said)
    return joined(known.told(said.message), known.told(said.advice))


def joined(*sentences: str) -> str:
    """Put sentences in the person's language behind one another; those that are empty are left out."""
    return (" " if person() == "en" else "").join(filter(None, sentences))


def language(environ: Mapping[str, str], system: Callable[[], str] | None = None) -> str:
    """Return "zh" or "en".

    As the GNU gettext manual has it ("Locale Environment Variables", "Specifying a Priority List of Languages"): the
    first of LC_ALL, LC_MESSAGES and LANG that is set is the locale; LANGUAGE lists languages before it, unless it is
    the C locale.

    Args:
        environ: The variables to look at.
        system: Tells the language of the system's menus, such as "zh_CN"; asked only where no variable is set.
    """
    locale = next((value for name in LOCALE if (value := environ.get(name))), "")
    if locale.partition(".")[0] in ("C", "POSIX"):
        return "en"
    wanted = [one for one in (*environ.get("LANGUAGE", "").split(":"), locale) if one]
    if not wanted:
        wanted = [(system or system_language)()]
    spoken = (one[:2].lower() for one in wanted)
    return next((one for one in spoken if one in (*CATALOGUES, "en")), "en")


def system_language() -> str:
    """Return the language of the system's menus, such as "zh_CN"; empty where the system has none of its own."""
    if sys.platform == "win32":
        import ctypes
        import locale

        return locale.windows_locale.get(ctypes.windll.kernel32.GetUserDefaultUILanguage(), "")
    if sys.platform == "darwin":
        return first_of_list(_defaults())
    return ""


def _defaults() -> str:
    """What macOS says of its languages."""
    import subprocess

    try:
        return subprocess.run(
            ["/usr/bin/defaults", "read", "-g", "AppleLanguages"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=5.0,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def first_of_list(text: str) -> str:
    """Read the first entry of a property list as `defaults` writes it: one a line, quoted where it holds a hyphen."""
    lines = (line.strip().strip('(),"') for line in text.splitlines())
    return next((line for line in lines if line), "")


@cache
def person() -> str:
    """Return the language of the person at this terminal, "zh" or "en"."""
    return language(os.environ)


def _sentences() -> Sentences | None:
    return catalogue(person())


@cache
def catalogue(spoken: str) -> Sentences | None:
    """Return the sentences of a language; None for English."""
    if spoken not in CATALOGUES:
        return None
    from pkgutil import get_data

    from mtu_mcp.cli._sentences import Sentences, entries

    data = get_data(__name__, CATALOGUES[spoken])
    assert data is not None, f"{CATALOGUES[spoken]} is not in the package"
    return Sentences(dict(entries(data.decode("utf-8"))))
