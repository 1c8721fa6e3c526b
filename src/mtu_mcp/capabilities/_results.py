"""What a batch brought back: its files in the output folder, and a short table of them.

Results are read line by line from the disk, since a batch of 50,000 lines fits into no answer; the first rows are
shown, all of them are counted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from mtu_mcp.amounts import counted
from mtu_mcp.capabilities._answers import told_sum
from mtu_mcp.gateway import Usage

if TYPE_CHECKING:
    from mtu_mcp.money import Charge

ROWS: Final = 50
"""Rows kept with the job and shown."""
LONGEST_CELL: Final = 300
LONGEST_LINE: Final = 64 * 1024 * 1024


@dataclass(slots=True)
class Summary:
    """What the lines of a results file add up to.

    Attributes:
        rows: Of the first lines, `custom_id` and what was said.
        count: All lines.
        unreadable: Lines that are no JSON objects.
        usage: Tokens of all lines.
        model: The model the answers name.
        uncounted: Lines with an answer, of which the gateway did not count the tokens.
        cny: What the counted lines cost; None when no price is known.
        basis: How that was reckoned, as in the ledger.
    """

    rows: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    count: int = 0
    unreadable: int = 0
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    uncounted: int = 0
    cny: float | None = 0.0
    basis: str = "none"

    def charge(self, one: Charge) -> None:
        """Add what a line cost."""
        self.cny = None if self.cny is None or one.cny is None else self.cny + one.cny
        self.basis = "unknown" if self.cny is None else one.basis if self.basis == "none" else self.basis


def summed_up(stream: BinaryIO, price: Callable[[Usage, str], Charge]) -> Summary:
    """Read a results or errors file. Blocking.

    Args:
        stream: The file.
        price: What a line cost, by what was counted and the model that answered.
    """
    found = Summary()
    while raw := stream.readline(LONGEST_LINE):
        if not raw.strip():
            continue
        found.count += 1
        line = _parsed(raw)
        if not line:
            found.unreadable += 1
            continue
        body = _mapping(_mapping(line.get("response")).get("body"))
        found.model = found.model or str(body.get("model") or "")[:200]
        usage = Usage.read(body.get("usage"))
        if usage is not None and usage.total_tokens:
            found.usage = found.usage + usage
            found.charge(price(usage, found.model))
        elif not (line.get("error") or body.get("error")):
            found.uncounted += 1
        if len(found.rows) < ROWS:
            found.rows.append((str(line.get("custom_id") or "?")[:64], _shortened(_said(line, body))))
    return found


def _parsed(raw: bytes) -> Mapping[str, Any]:
    try:
        return _mapping(json.loads(raw))
    except (ValueError, RecursionError):
        return {}


def _said(line: Mapping[str, Any], body: Mapping[str, Any]) -> str:
    """The answer of one line, whichever endpoint gave it; the reason where there is none."""
    for holder in (line, body):
        error = holder.get("error")
        if error:
            return str(_mapping(error).get("message") or error)
    for choice in _list(body.get("choices"))[:1]:
        said = _mapping(choice).get("text") or _mapping(_mapping(choice).get("message")).get("content")
        return said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
    for item in _list(body.get("output")):
        for part in _list(_mapping(item).get("content")):
            if isinstance(text := _mapping(part).get("text"), str):
                return text
    for item in _list(body.get("data"))[:1]:
        vector = _list(_mapping(item).get("embedding"))
        return f"{len(vector)} numbers" if vector else json.dumps(item, ensure_ascii=False)
    for item in _list(body.get("results"))[:1]:
        return "flagged" if _mapping(item).get("flagged") else "not flagged"
    return json.dumps(body, ensure_ascii=False)


def table(rows: Sequence[Sequence[str]], prompts: Mapping[str, str]) -> str:
    """Rows as a Markdown table, with the prompts where they are known."""
    if not rows:
        return ""
    known = any(row[0] in prompts for row in rows)
    head = "| id | prompt | answer |\n|---|---|---|" if known else "| id | answer |\n|---|---|"
    lines = [head]
    for name, said in rows:
        cells = [name, prompts.get(name, ""), said] if known else [name, said]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def receipt(model: str, found: Summary) -> str:
    """The line on what a batch used and costs at the batch price, if a price is known."""
    usage = found.usage
    parts = [model, f"{counted(usage.input_tokens, 'token')} in, {usage.output_tokens:,} out"]
    if found.cny is not None and found.basis != "none":
        price = "half an assumed price" if found.basis == "assumed" else "half the list price"
        parts.append(f"{told_sum(found.cny)} (batch, {price})")
    return "[" + " · ".join(parts) + "]"


def _shortened(text: str) -> str:
    line = " ".join(text[: LONGEST_CELL * 4].split())
    return line if len(line) <= LONGEST_CELL else line[: LONGEST_CELL - 1] + "…"


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []
