"""Changing one place of a JSON file that belongs to somebody else.

Reading and writing it anew would lose its comments, its layout and the order a person gave it. So the text is scanned
for where each value stands, and only our own member is written, taken out or exchanged. Comments and commas before a
closing bracket, which some hosts allow, are read if `lax`; without it they are the errors that the host would find.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_COMMENT: Final = re.compile(r"//[^\r\n]*|/\*.*?\*/", re.DOTALL)
_SCALAR: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"|-?\d[\d.eE+-]*|[a-zA-Z]+')
_WORDS: Final = re.compile(r'\[\n\s*("(?:[^"\\]|\\.)*"(?:,\n\s*"(?:[^"\\]|\\.)*")*)\n\s*\]')
_WIDEST: Final = 100
_DEEPEST: Final = 200
DEFAULT_INDENT: Final = "  "


class JsonTextError(ValueError):
    """The text is not JSON, or not in a shape that can be changed; says where."""


@dataclass(slots=True)
class Member:
    """One `"key": value` of an object; `comma` is where its comma stands, or -1."""

    key: str
    start: int
    value: Value
    comma: int = -1


@dataclass(slots=True)
class Value:
    """A value and where it stands: `text[start:end]`. Only objects have members."""

    start: int
    end: int
    data: Any
    members: list[Member] = field(default_factory=list["Member"])

    def get(self, key: str) -> Member | None:
        """Return the member of that name."""
        return next((one for one in self.members if one.key == key), None)


def read(text: str, *, lax: bool = False) -> Any:
    """Return the data of a text.

    Raises:
        JsonTextError: It is no JSON, or names a key twice in one object.
    """
    return _Scanner(text, lax).document().data


def written(data: Any, indent: str = DEFAULT_INDENT) -> str:
    """Return data as people write it: an object's members each on a line, a short list of words on one."""

    def joined(found: re.Match[str]) -> str:
        line = "[" + re.sub(r",\n\s*", ", ", found[1]) + "]"
        return line if len(line) <= _WIDEST else found[0]

    return _WORDS.sub(joined, json.dumps(data, ensure_ascii=False, indent=indent))


def put(text: str, path: Sequence[str], data: Any, *, lax: bool = False) -> str:
    """Return the text with `data` at `path`; objects on the way are made, everything else stays as it is.

    Raises:
        JsonTextError: The text is no JSON, or something on the way is no object.
    """
    target = _Scanner(text, lax).document()
    for depth, key in enumerate(path):
        if not isinstance(target.data, dict):
            where = ".".join(path[:depth]) or "the whole"
            raise JsonTextError(f"{where} is not an object")
        member = target.get(key)
        if member is None:
            for inner in reversed(path[depth + 1 :]):
                data = {inner: data}
            return _added(text, target, key, data, depth + 1)
        target = member.value
    if target.data == data:
        return text
    return text[: target.start] + _written(text, data, len(path)) + text[target.end :]


def without(text: str, path: Sequence[str], *, lax: bool = False) -> str:
    """Return the text without what stands at `path`; the same text if nothing does."""
    target = _Scanner(text, lax).document()
    for key in path[:-1]:
        member = target.get(key)
        if member is None:
            return text
        target = member.value
    member = target.get(path[-1])
    return text if member is None else _removed(text, target, member)


def _removed(text: str, parent: Value, member: Member) -> str:
    index = parent.members.index(member)
    end = member.comma + 1 if member.comma >= 0 else member.value.end
    start = len(text[: member.start].rstrip(" \t\r\n"))
    following = text[end:].lstrip(" \t")
    if not following.startswith(("\r", "\n", "//", "}")):
        start = member.start  # what follows stands on the same line, perhaps below a comment
    if len(parent.members) == 1 and not (text[parent.start + 1 : start] + text[end : parent.end - 1]).strip():
        return text[: parent.start] + "{}" + text[parent.end :]
    before = text[:start]
    if index == len(parent.members) - 1 and index > 0 and member.comma < 0:
        comma = parent.members[index - 1].comma
        before = text[:comma] + text[comma + 1 : start]
    needs_line = following.startswith("}") and "\n" in text[parent.start : start]
    return before + (_layout(text)[0] if needs_line else "") + text[end:]


def _added(text: str, parent: Value, key: str, data: Any, depth: int) -> str:
    newline, unit = _layout(text)
    line = newline + unit * depth
    new = f"{json.dumps(key, ensure_ascii=False)}: {_written(text, data, depth)}"
    close = parent.end - 1
    inside = len(text[:close].rstrip(" \t\r\n"))  # after the last value, comma or comment
    if not parent.members:
        return text[:inside] + line + new + newline + unit * (depth - 1) + text[close:]
    last = parent.members[-1]
    rest = text[inside:close] or newline + unit * (depth - 1)
    if last.comma >= 0:
        return text[:inside] + line + new + rest + text[close:]
    return text[: last.value.end] + "," + text[last.value.end : inside] + line + new + rest + text[close:]


def _written(text: str, data: Any, depth: int) -> str:
    newline, unit = _layout(text)
    return (newline + unit * depth).join(written(data, unit).split("\n"))


def _layout(text: str) -> tuple[str, str]:
    """The file's own line ending and indentation."""
    found = re.search(r"[{,]\s*?\n([ \t]+)[\"/]", text)
    return "\r\n" if "\r\n" in text else "\n", found[1] if found else DEFAULT_INDENT


class _Scanner:
    def __init__(self, text: str, lax: bool) -> None:
        self._text = text
        self._lax = lax
        self._at = 0
        self._depth = 0

    def document(self) -> Value:
        self._skip()
        if self._at == len(self._text):
            raise JsonTextError("it is empty")
        value = self._value()
        self._skip()
        if self._at < len(self._text):
            raise self._error("there is something after the end")
        return value

    def _error(self, what: str) -> JsonTextError:
        before = self._text[: self._at]
        line, column = before.count("\n") + 1, self._at - (before.rfind("\n") + 1) + 1
        return JsonTextError(f"line {line}, column {column}: {what}")

    def _skip(self) -> None:
        while True:
            self._at = self._match(_SPACE).end()
            if not self._text.startswith(("//", "/*"), self._at):
                return
            if not self._lax:
                raise self._error("comments are not allowed here")
            comment = _COMMENT.match(self._text, self._at)
            if comment is None:
                raise self._error("a comment has no end")
            self._at = comment.end()

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise self._error("a value is missing")
        return found

    def _value(self) -> Value:
        start = self._at
        mark = self._text[start : start + 1]
        if mark not in ("{", "["):
            return self._scalar()
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._error("it is nested too deep")
        self._at += 1
        value = self._object(start) if mark == "{" else self._array(start)
        self._depth -= 1
        return value

    def _scalar(self) -> Value:
        found = self._match(_SCALAR)
        try:
            data = json.loads(found[0])
        except ValueError:
            raise self._error(f"{found[0][:40]} is no value") from None
        self._at = found.end()
        return Value(found.start(), found.end(), data)

    def _object(self, start: int) -> Value:
        members: list[Member] = []
        while self._more("}", bool(members) and members[-1].comma < 0, bool(members)):
            key = self._scalar()
            if not isinstance(key.data, str):
                raise self._error("a key must be a text in double quotes")
            if any(one.key == key.data for one in members):
                raise self._error(f"{key.data!r} stands there twice")
            self._skip()
            if not self._text.startswith(":", self._at):
                raise self._error("a colon is missing")
            self._at += 1
            self._skip()
            members.append(Member(key.data, key.start, self._value()))
            members[-1].comma = self._comma()
        data = {one.key: one.value.data for one in members}
        return Value(start, self._at, data, members)

    def _array(self, start: int) -> Value:
        items: list[Any] = []
        comma = -1
        while self._more("]", bool(items) and comma < 0, bool(items)):
            items.append(self._value().data)
            comma = self._comma()
        return Value(start, self._at, items)

    def _more(self, close: str, closed: bool, begun: bool) -> bool:
        """Whether another item follows; if not, the closing bracket is passed."""
        self._skip()
        if self._text.startswith(close, self._at):
            if begun and not closed and not self._lax:
                raise self._error("a comma before the end is not allowed here")
            self._at += 1
            return False
        if closed or self._at == len(self._text):
            raise self._error(f"a comma or {close} is missing")
        return True

    def _comma(self) -> int:
        self._skip()
        if not self._text.startswith(",", self._at):
            return -1
        self._at += 1
        return self._at - 1
