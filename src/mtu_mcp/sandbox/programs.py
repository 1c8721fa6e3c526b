"""Code that goes on where a prefix stops, by fixed rules.

No model is behind it. What the prefix begins is closed: an open `def` gets a body, an open list its members, an open bracket its
partner; what stands behind (the suffix) is not repeated. The rules are few and always give the same answer, so that what a client
does with a completion can be tested.
"""

import re

_PAIRS = {"(": ")", "[": "]", "{": "}"}
_QUOTED = re.compile(r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'")
_DEF = re.compile(r"(?:^|\n)([ \t]*)(?:async )?def (\w+)\(([^()]*)\)[^\n:]*:[ \t]*\n?[ \t]*$")
_RETURN = re.compile(r"(?:^|\n)[ \t]*return[ \t]*$")
_OPERATION = {
    "add": "+",
    "sum": "+",
    "plus": "+",
    "subtract": "-",
    "minus": "-",
    "multiply": "*",
    "times": "*",
    "divide": "/",
}


def continue_code(prefix: str, suffix: str = "") -> str:
    """What comes after `prefix` and before `suffix`."""
    said = _body(prefix) or _value(prefix) or _closing(prefix, suffix) or _comment(prefix)
    # A model that fills a gap does not say again what follows it.
    first = suffix.strip().splitlines()[0].strip() if suffix.strip() else ""
    return said.replace(first, "").rstrip("\n") + "\n" if first and first in said else said


def _body(prefix: str) -> str | None:
    """The body of a function whose head was written last."""
    found = _DEF.search(prefix)
    if found is None:
        return None
    names = [part.partition(":")[0].partition("=")[0].strip(" *") for part in found[3].split(",")]
    names = [name for name in names if name and name not in {"self", "cls", "/"}]
    # Blanks that already stand on the line are the indentation.
    indent = found[1] + "    " if prefix.endswith(("\n", ":")) else ""
    start = "\n" if prefix.endswith(":") else ""
    return f"{start}{indent}return {_expression(found[2], names)}\n"


def _value(prefix: str) -> str | None:
    """What an open `return` gives back."""
    if not _RETURN.search(prefix):
        return None
    heads = re.findall(r"def (\w+)\(([^()]*)\)", prefix)
    name, inside = heads[-1] if heads else ("", "")
    names = [part.partition(":")[0].partition("=")[0].strip(" *") for part in inside.split(",")]
    blank = "" if prefix.endswith(" ") else " "
    return f"{blank}{_expression(name, [each for each in names if each and each not in {'self', 'cls'}])}\n"


def _expression(name: str, names: list[str]) -> str:
    sign = next((sign for word, sign in _OPERATION.items() if word in name.lower()), "+")
    return f" {sign} ".join(names) if names else "None"


def _closing(prefix: str, suffix: str) -> str | None:
    """The brackets still open in the prefix that the suffix does not close."""
    waiting: list[str] = []
    for letter in _QUOTED.sub("", prefix):
        if letter in _PAIRS:
            waiting.append(_PAIRS[letter])
        elif waiting and letter == waiting[-1]:
            waiting.pop()
    for letter in suffix:
        if waiting and letter == waiting[0]:
            waiting.pop(0)
    return "".join(reversed(waiting)) + "\n" if waiting else None


def _comment(prefix: str) -> str:
    last = prefix.rstrip().rpartition("\n")[2].strip()
    start = "" if prefix.endswith("\n") or not prefix else "\n"
    return f"{start}# continues after: {last[:60]}\n" if last else "# nothing came before this\n"
