"""The lines of a batch: written from prompts, or checked in a file somebody brought.

A batch of thousands of lines that fails at the gateway fails hours later, so every line is checked here first, with its
number; a wrong file costs nothing and is refused in a second.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from mtu_mcp.errors import BadInput, LimitExceeded

if TYPE_CHECKING:
    from mtu_mcp.gateway.demands import Demand

MOST_LINES: Final = 50_000
"""Batch API of OpenAI and of Model Studio: at most 50,000 requests a file."""
MOST_BYTES: Final = {"": 200 * 1024 * 1024, "alibaba": 500 * 1024 * 1024}
"""OpenAI takes 200 MB, Model Studio 500 MB."""
MOST_LINE: Final = {"": 64 * 1024 * 1024, "alibaba": 6 * 1024 * 1024}
"""Model Studio takes 6 MB a line."""
MOST_PROBLEMS: Final = 5
_INPUT: Final = {"completions": "prompt"}


@dataclass(slots=True)
class Lines:
    """What a file of requests holds.

    Attributes:
        endpoint: Path of every line, such as "/v1/chat/completions".
        model: The one model of all lines.
        count: How many lines there are.
        size: Bytes.
        longest: Bytes of the longest line.
        problems: What is wrong, each with its line number.
        demands: What each line may use.
    """

    endpoint: str = ""
    model: str = ""
    count: int = 0
    size: int = 0
    longest: int = 0
    problems: list[str] = field(default_factory=list[str])
    demands: list[Demand] = field(default_factory=list["Demand"])

    @property
    def demand(self) -> Demand:
        """What all of them may use."""
        from mtu_mcp.gateway.demands import Demand

        return Demand(lines=tuple(self.demands), line_endpoint=self.endpoint.removeprefix("/v1/"))


def written(
    prompts: Sequence[str], endpoint: str, model: str, system: str, extra: Mapping[str, object]
) -> tuple[bytes, Lines]:
    """Write prompts as the file a batch wants; their ids are "1", "2", and so on. Blocking."""
    from mtu_mcp.gateway.demands import measured

    rows: list[str] = []
    found = Lines(f"/v1/{endpoint}", model, len(prompts))
    for number, prompt in enumerate(prompts, 1):
        body: dict[str, object] = {**extra, "model": model}
        if endpoint == "chat/completions":
            role = [{"role": "system", "content": system}] if system else []
            body["messages"] = [*role, {"role": "user", "content": prompt}]
        else:
            body[_INPUT.get(endpoint, "input")] = prompt
            if system:
                body["instructions"] = system
        line = {"custom_id": str(number), "method": "POST", "url": f"/v1/{endpoint}", "body": body}
        rows.append(json.dumps(line, ensure_ascii=False) + "\n")
        found.demands.append(measured(body))
    data = "".join(rows).encode("utf-8", "replace")
    found.size, found.longest = len(data), max(map(len, data.splitlines()))
    return data, found


def checked(stream: BinaryIO) -> Lines:
    """Check every line of a file. Blocking.

    Raises:
        BadInput: Naming the first lines that are wrong, and why.
        LimitExceeded: There are too many lines.
    """
    found, seen = Lines(), set[str]()
    for number, raw in enumerate(_read(stream), 1):
        found.size += len(raw)
        found.longest = max(found.longest, len(raw))
        if not raw.strip():
            continue
        found.count += 1
        if found.count > MOST_LINES:
            raise LimitExceeded(
                f"The file has more than {MOST_LINES:,} lines.", advice="Split it into several batches."
            )
        found.problems += [f"line {number}: {flaw}" for flaw in _flaws(raw, found, seen)]
        if len(found.problems) >= MOST_PROBLEMS:
            break
    if found.problems:
        shown = "; ".join(found.problems[:MOST_PROBLEMS])
        raise BadInput(f"The file cannot be a batch. {shown}.", advice="Correct these lines; nothing was sent.")
    if not found.count:
        raise BadInput("The file holds no requests.")
    return found


def require_limits(lines: Lines, vendor: str) -> None:
    """Check sizes against what the model's maker takes.

    Raises:
        LimitExceeded: With the limit and the figure.
    """
    vendor = vendor.casefold()
    most, longest = MOST_BYTES.get(vendor, MOST_BYTES[""]), MOST_LINE.get(vendor, MOST_LINE[""])
    if lines.size > most:
        raise LimitExceeded(f"The batch has {lines.size:,} bytes; {lines.model} takes {most:,}.", advice="Split it.")
    if lines.longest > longest:
        raise LimitExceeded(
            f"A line has {lines.longest:,} bytes; {lines.model} takes {longest:,}.", advice="Shorten it."
        )


def _read(stream: BinaryIO) -> Iterator[bytes]:
    while raw := stream.readline(MOST_LINE[""] + 1):
        yield raw


def _flaws(raw: bytes, found: Lines, seen: set[str]) -> Iterator[str]:
    try:
        parsed: object = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        yield "it is not a JSON object"
        return
    line = cast("dict[str, object]", parsed)
    name = line.get("custom_id")
    if not isinstance(name, str) or not name:
        yield "it has no custom_id"
    elif name in seen:
        yield f"its custom_id {name[:40]!r} stands on an earlier line"
    else:
        seen.add(name)
    if line.get("method") != "POST":
        yield 'its method is not "POST"'
    url = line.get("url")
    if not isinstance(url, str) or not url.startswith("/v1/"):
        yield "its url is no path such as /v1/chat/completions"
    elif url != (found.endpoint or url):
        yield f"its url is {url[:60]}, that of the lines before is {found.endpoint}"
    else:
        found.endpoint = url
    yield from _body_flaws(line.get("body"), found)


def _body_flaws(given: object, found: Lines) -> Iterator[str]:
    from mtu_mcp.gateway.demands import measured

    if not isinstance(given, dict):
        yield "it has no body"
        return
    body = cast("dict[str, object]", given)
    model = body.get("model")
    if not isinstance(model, str) or not model:
        yield "its body names no model"
    elif model != (found.model or model):
        yield f"its model is {model[:60]}, that of the lines before is {found.model}; a batch has one"
    else:
        found.model = model
        found.demands.append(measured(body))
    if body.get("stream"):
        yield "it asks for a stream, which a batch has not"
