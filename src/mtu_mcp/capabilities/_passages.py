"""Texts out of a file: lines or paragraphs, rows of a CSV file, records of a JSON or JSONL file.

What `embed_text` saved is read back with its vectors, so that a second question about the same texts costs one short
call and not all of them again.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from mtu_mcp.errors import BadInput

if TYPE_CHECKING:
    from mtu_mcp.gateway.embeddings import Vector

KEYS: Final = ("text", "content", "input", "prompt", "question", "body", "文本", "内容")
"""What the column or field with the texts may be called, first come first taken."""


@dataclass(slots=True)
class Passages:
    """Texts, none of them blank.

    Attributes:
        texts: In the order of the file.
        unit: What they were there: lines, paragraphs, rows, records.
        vectors: A vector for each text, or none at all.
        model: The model that made the vectors; empty when not known.
        dimensions: The length that was asked for; None for the model's own.
    """

    texts: list[str]
    unit: str = "texts"
    vectors: list[Vector] = field(default_factory=list["Vector"])
    model: str = ""
    dimensions: int | None = None


def read_passages(data: bytes, extension: str, name: str) -> Passages:
    """Read the texts of a file.

    Args:
        data: The whole file, in UTF-8.
        extension: What it is: txt, md, csv, json or jsonl.
        name: What to call it in errors.

    Raises:
        BadInput: It is none of these, is broken, or does not say where its texts are.
    """
    text = data.decode("utf-8-sig", "replace")
    if extension in ("txt", "md"):
        found = _prose(text)
    elif extension == "csv":
        found = Passages(_rows(text, name), "rows")
    elif extension in ("json", "jsonl"):
        found = _records(_parsed(text, extension, name), name)
    else:
        raise BadInput(
            f"{name} is no text file: it is {extension}.", advice="Give a text, Markdown, CSV, JSON or JSONL file."
        )
    if not found.texts:
        raise BadInput(f"{name} holds no texts.")
    return found


def _prose(text: str) -> Passages:
    paragraphs = re.split(r"\n[ \t]*(?:\r?\n[ \t]*)+", text.strip())
    pieces, unit = (paragraphs, "paragraphs") if len(paragraphs) > 1 else (text.splitlines(), "lines")
    return Passages([piece.strip() for piece in pieces if piece.strip()], unit)


def _rows(text: str, name: str) -> list[str]:
    first = text.partition("\n")[0]
    delimiter = max((",", ";", "\t"), key=first.count)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(row)]
    except csv.Error as error:
        raise BadInput(f"{name} cannot be read as CSV ({error}).") from error
    titles = [cell.strip().casefold() for cell in rows[0]] if rows else []
    column = next((titles.index(key) for key in KEYS if key in titles), None)
    if column is None and len(titles) > 1:
        listed = ", ".join(title[:40] for title in titles[:8])
        raise BadInput(f"{name} has the columns {listed}; none is called text.", advice="Call the one to embed `text`.")
    cells = [row[0] for row in rows] if column is None else [row[column] for row in rows[1:] if len(row) > column]
    return [cell.strip() for cell in cells if cell.strip()]


def _parsed(text: str, extension: str, name: str) -> list[Any]:
    if extension == "json":
        found = _loaded(text, name)
        if not isinstance(found, list):
            raise BadInput(f"{name} is no list of texts.", advice="Give a JSON array of strings or of objects.")
        return cast("list[Any]", found)
    return [_loaded(line, f"Line {place} of {name}") for place, line in enumerate(text.splitlines(), 1) if line.strip()]


def _loaded(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{what} is not JSON.", advice="Correct it, or give a text file with a text a line.") from error


def _records(items: Iterable[Any], name: str) -> Passages:
    found = Passages([], "records")
    for place, item in enumerate(items, 1):
        record = cast("Mapping[str, Any]", item if isinstance(item, dict) else {"text": item})
        key = next((key for key in KEYS if isinstance(record.get(key), str)), None)
        if key is None:
            raise BadInput(f"Record {place} of {name} has no text.", advice="Put it into a field called `text`.")
        if record[key].strip():
            found.texts.append(record[key])
            _take_vector(found, record)
    if len(found.vectors) != len(found.texts) or len({len(vector) for vector in found.vectors}) != 1:
        found.vectors = []
    return found


def _take_vector(found: Passages, record: Mapping[str, Any]) -> None:
    numbers = record.get("embedding")
    if not isinstance(numbers, list) or not numbers:
        return
    try:
        vector = array("f", cast("list[float]", numbers))
    except (TypeError, OverflowError):
        return
    if not math.isfinite(sum(vector)):
        return
    found.vectors.append(vector)
    model, dimensions = record.get("model"), record.get("dimensions")
    found.model = model if isinstance(model, str) else ""
    found.dimensions = dimensions if isinstance(dimensions, int) else None


def written(passages: Passages) -> bytes:
    """Return texts and vectors as JSON Lines, numbers to seven digits: all that a 32-bit float has."""
    about = {"model": passages.model, **({"dimensions": passages.dimensions} if passages.dimensions else {})}
    head = json.dumps(about, ensure_ascii=False)[:-1]
    row = ",".join(["%.7g"] * len(passages.vectors[0])) if passages.vectors else ""
    lines: list[str] = []
    for index, (text, vector) in enumerate(zip(passages.texts, passages.vectors, strict=True)):
        numbers = row % tuple(vector)
        lines.append(
            f'{head}, "index": {index}, "text": {json.dumps(text, ensure_ascii=False)}, "embedding": [{numbers}]}}\n'
        )
    return "".join(lines).encode("utf-8", "replace")
