"""What a person sees of the demo: its steps, how far the one at work is, and the pictures it made.

Below what has been printed stands one line that moves: how many steps of how many are done, the seconds, and what the
call at work says of itself. A bar is drawn only where the whole is known, because one that goes to and fro says nothing.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.color import Color
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed
from rich.style import Style
from rich.text import Text

from mtu_mcp.cli._language import gettext as _
from mtu_mcp.cli._language import told
from mtu_mcp.columns import cut

if TYPE_CHECKING:
    from mcp.shared.dispatcher import ProgressFnT

WORDS_SHOWN: Final = 600
LONGEST: Final = 60
"""Columns for what a call says of itself."""
PIXELS: Final = (44, 44)
"""Width and height of a picture on the screen; two pixels stand in one character."""


class Patient(Console):
    """A console whose reader may leave early, as `head` does: what follows is made all the same, and said to nobody."""

    def on_broken_pipe(self) -> None:
        """Write to nowhere from here on; the usual console ends the process, in the midst of its calls."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class KnownBar(ProgressColumn):
    """A bar for what has a known end, and nothing for what has none."""

    def __init__(self) -> None:
        super().__init__()
        self._bar = BarColumn(bar_width=24)

    def render(self, task: Task) -> Any:
        """Draw the bar of one task."""
        return self._bar.render(task) if task.total else Text("")


class Screen:
    """A console with a line at its foot that says how far things are.

    Args:
        console: Where everything goes.
        moving: Whether it may move; where there is no terminal it never does.
    """

    def __init__(self, console: Console, *, moving: bool = True) -> None:
        self._console = console
        self._steps = Progress(
            KnownBar(),
            MofNCompleteColumn(),
            TextColumn("{task.description}", markup=False),
            Elapsed(),
            SpinnerColumn(),
            TextColumn("{task.fields[call]}", markup=False),
            console=console,
            transient=True,
            disable=not (moving and console.is_terminal and not console.is_dumb_terminal),
            redirect_stdout=False,
        )
        self._whole = self._steps.add_task("", total=None, call="")

    @contextmanager
    def lit(self, steps: int) -> Generator[None]:
        """Show the line at the foot while so many steps are taken."""
        self._steps.update(self._whole, total=steps)
        with self._steps:
            yield

    def waits_for(self, what: str) -> None:
        """Say what is under way when no call is."""
        self._steps.update(self._whole, description=what, call="")

    def opens(self, title: str, tool: str, arguments: Mapping[str, Any]) -> ProgressFnT:
        """Show a step and the call it makes; return what takes the call's progress."""
        shown = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        self._console.rule(Text(title, style="bold"), align="left")
        self._console.print(f"{tool}({shown})", style="dim", markup=False, highlight=False, soft_wrap=True)
        self._steps.update(self._whole, description=title, call="")

        async def report(progress: float, total: float | None, message: str | None) -> None:
            part = ""
            if total and not re.search(r"\d of \d", message or ""):
                part = " " + _("({done} of {total})").format(done=f"{progress:g}", total=f"{total:g}")
            self._steps.update(self._whole, call=cut(told(message or ""), LONGEST) + part)

        return report

    def closes(self, text: str, missing: str, seconds: float) -> None:
        """Show the answer of a step, and whether it was what it should be."""
        self.says(text[:WORDS_SHOWN] + ("…" if len(text) > WORDS_SHOWN else ""))
        verdict = f"✗ {missing}" if missing else "✓"
        self._console.print(
            _("{verdict} {seconds} s").format(verdict=verdict, seconds=f"{seconds:.1f}"),
            style="red" if missing else "green",
            markup=False,
        )
        self._steps.advance(self._whole)

    def says(self, text: str, style: str = "") -> None:
        """Print a paragraph as it is."""
        self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    def draws(self, file: Path) -> None:
        """Draw a picture with characters, where there are colours and a character that is half a block."""
        if self._console.color_system in {"truecolor", "256"} and can_show("▀"):
            self._console.print(drawn(file))


def drawn(file: Path) -> Text:
    """Return a picture as lines of half blocks: the upper pixel is the character's colour, the lower its ground."""
    from PIL import Image

    with Image.open(file) as whole:
        small = whole.convert("RGB").resize(PIXELS, Image.Resampling.BOX)  # pyright: ignore[reportUnknownMemberType] - Pillow's own hint names numpy
    width, height = PIXELS
    colours = [Color.from_rgb(*pixel) for pixel in zip(*[iter(small.tobytes())] * 3, strict=True)]
    text = Text(no_wrap=True)
    for row in range(0, height, 2):
        for column in range(width):
            upper, lower = colours[row * width + column], colours[(row + 1) * width + column]
            text.append("▀", Style(color=upper, bgcolor=lower))
        text.append("\n" if row < height - 2 else "")
    return text


def can_show(mark: str) -> bool:
    """Whether the terminal's encoding has a character."""
    try:
        mark.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
