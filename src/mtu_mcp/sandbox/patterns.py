r"""A string that fits a regular expression of the plain kind schemas hold: `^[A-Z]{3}-\d{4}$`, `(red|green)+`.

Literals, classes, groups, alternatives (the first is taken), and repetitions (the fewest) are known; what else there is
makes a string that does not fit, which the caller finds out by trying it.
"""

import re

_CLASSES = {"d": "0", "w": "a", "s": " ", "D": "a", "W": "-", "S": "a", "t": "\t", "n": "\n"}
_SAMPLES = "aA0-_ .bB1é中"


def example_of(pattern: str) -> str | None:
    """A string `pattern` matches, or None when none was found. Raises re.error for what is no pattern."""
    wanted = re.compile(pattern)
    try:
        made = _Reader(pattern).alternatives()
    except (IndexError, ValueError):
        return None
    return made if wanted.search(made) else None


class _Reader:
    """Reads a pattern from left to right and writes as it goes."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0

    def peek(self) -> str:
        """The next character, or nothing."""
        return self.pattern[self.at : self.at + 1]

    def take(self) -> str:
        """The next character, passed over."""
        self.at += 1
        return self.pattern[self.at - 1]

    def alternatives(self) -> str:
        """The first of the alternatives up to a closing bracket or the end."""
        made = [self.sequence()]
        while self.peek() == "|":
            self.take()
            made.append(self.sequence())
        return made[0]

    def sequence(self) -> str:
        """Atoms with their repetitions."""
        made = ""
        while self.peek() and self.peek() not in "|)":
            atom = self.atom()
            made += atom * self.times()
        return made

    def atom(self) -> str:
        """One literal, class or group."""
        sign = self.take()
        if sign == "(":
            if self.pattern.startswith("?:", self.at):
                self.at += 2
            elif self.pattern.startswith("?P<", self.at):
                self.at = self.pattern.index(">", self.at) + 1
            inner = self.alternatives()
            self.take()
            return inner
        if sign == "[":
            return self.set()
        if sign == "\\":
            escaped = self.take()
            return "" if escaped in "bBAZ" else _CLASSES.get(escaped, escaped)
        return {"^": "", "$": "", ".": "a"}.get(sign, sign)

    def set(self) -> str:
        """A character the set has: found by trying, for sets may be negated and hold classes."""
        start = self.at - 1
        if self.peek() == "^":
            self.take()
        if self.peek() == "]":
            self.take()
        first = self.peek()
        while (sign := self.take()) != "]":
            if sign == "\\":
                self.take()
        fits = re.compile(self.pattern[start : self.at])
        return next((each for each in (first, *_SAMPLES) if fits.match(each)), "")

    def times(self) -> int:
        """The fewest repetitions allowed (once where none are needed), passed over."""
        sign = self.peek()
        least = 1
        if sign and sign in "*+?":
            self.take()
        elif found := re.compile(r"\{(\d+)(?:,\d*)?\}").match(self.pattern, self.at):
            self.at = found.end()
            least = min(int(found[1]), 1000)
        if self.peek() == "?":
            self.take()
        return least
