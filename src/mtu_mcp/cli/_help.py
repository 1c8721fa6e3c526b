"""What argparse says, in the person's language: usage, help, and what is wrong with a command line.

The parser is written in English; a sentence is looked up when it is shown, so that a command which shows none, above
all `serve`, loads none. argparse breaks lines by counting characters; Chinese needs columns.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable
from typing import Any, NoReturn

from mtu_mcp.cli._language import gettext, told


class Formatter(argparse.HelpFormatter):
    """Help whose words are looked up, and whose lines are as wide as they look."""

    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[Any],
        prefix: str | None = None,
    ) -> None:
        """Add the usage line."""
        super().add_usage(usage, actions, groups, gettext("usage: ") if prefix is None else prefix)

    def start_section(self, heading: str | None) -> None:
        """Begin a group of arguments."""
        super().start_section(heading and gettext(heading))

    def add_text(self, text: str | None) -> None:
        """Add a paragraph."""
        super().add_text(text and gettext(text))

    def _format_usage(
        self, usage: str | None, actions: Iterable[Any], groups: Iterable[Any], prefix: str | None
    ) -> str:
        from mtu_mcp.columns import width

        first, *others = super()._format_usage(usage, actions, groups, prefix).splitlines(keepends=True)
        further = " " * (width(prefix or "") - len(prefix or ""))  # argparse indents by characters
        return first + "".join(further + line if line.strip() else line for line in others)

    def format_help(self) -> str:
        """Put it together; argparse ends a heading with a colon of its own, which is too narrow after Chinese."""
        return re.sub(r"(?<=[^\x00-\x7f]):$", "：", super().format_help(), flags=re.MULTILINE)

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help and gettext(action.help)

    def _split_lines(self, text: str, width: int) -> list[str]:
        from mtu_mcp.columns import wrapped

        return wrapped(text, width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        from mtu_mcp.columns import wrapped

        if "\n" in text:  # laid out by hand
            return "".join(indent + line for line in text.splitlines(keepends=True))
        return "\n".join(indent + line for line in wrapped(text, width))


class Parser(argparse.ArgumentParser):
    """A parser that speaks the person's language; its subcommands' parsers are of this class too."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("formatter_class", Formatter)
        super().__init__(**options)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command line, and exit with 2."""
        self.print_usage(sys.stderr)
        self.exit(2, gettext("{prog}: error: {message}\n").format(prog=self.prog, message=told(message)))
