"""The sentences in our sources, found by walking the code: what a person may read, with `{}` in the places of values."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

SOURCES = Path(__file__).parents[1] / "src" / "mtu_mcp"
PLACE = re.compile(r"\{[^{}]*\}|%\(\w+\)[sr]|%[sr]")
WORDS = re.compile(r"[A-Za-z]{2,}[,:;.]? [a-z]{2,}|[A-Za-z}] (is|are|in|of|for)\b|^(is|are) ")
ASKING = {"_", "gettext", "say"}
"""Names of the function that looks a sentence up."""


def folded(text: str) -> str:
    """A sentence with nameless places, without the space that joins it to another."""
    return PLACE.sub("{}", text).strip(" ")


def strings(path: Path) -> Iterator[str]:
    """Every text of a file as it would be shown: f-strings with `{}` for their values, no docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(id(node.value))
        if isinstance(node, ast.keyword) and node.arg == "description" and path.name == "settings.py":
            skipped |= {id(part) for part in ast.walk(node.value)}
        if isinstance(node, ast.JoinedStr) and id(node) not in skipped:
            skipped |= {id(part) for part in node.values}
            yield "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
        if isinstance(node, ast.FormattedValue) and node.format_spec is not None:
            skipped |= {id(part) for part in ast.walk(node.format_spec)}
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.value


def asked(path: Path) -> Iterator[str]:
    """Every sentence that a file looks up, as it stands there."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ASKING and node.args:
            [first, *_] = node.args
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def sentences(path: Path) -> set[str]:
    """Every text of a file that reads like words to a person; regular expressions and SQL do not."""
    return {text for text in strings(path) if WORDS.search(text) and "|" not in text and not text.startswith("PRAGMA")}
