"""How a batch runs: its lines are checked, sent one by one through the sandbox's own routes, and written up.

A line never passes the edge (the batch was admitted there), so it is neither journalled nor spoilt by faults. What a
line's route refuses goes into the error file with its status, as the API reference has it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
from starlette.types import ASGIApp, Message

from mtu_mcp.sandbox.journal import Entry
from mtu_mcp.sandbox.refusals import Refusal, render

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from mtu_mcp.sandbox.desk import Desk

MOST_LINES = 50_000
MOST_LINE_BYTES = 6 * 1024 * 1024
"""Model Studio takes lines of at most 6 MB."""
MOST_ERRORS = 20
ENDED = frozenset({"failed", "completed", "expired", "cancelled"})
TEST_URL = "/v1/chat/ds-test"


@dataclass(slots=True)
class Batch:
    """One batch. `polls` of 0 moves it by steps alone; `moments` are the times at which it entered a state."""

    id: str
    input_file_id: str
    endpoint: str
    window: str
    created: int
    expires: int
    metadata: dict[str, str] | None
    keeps: int | None
    polls: int
    status: str = "validating"
    waited: int = 0
    moments: dict[str, int] = field(default_factory=dict[str, int])
    lines: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    good: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    bad: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    errors: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    output_file_id: str | None = None
    error_file_id: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The Batch object of the API."""
        states = ("in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")
        counts = {"total": len(self.lines), "completed": len(self.good), "failed": len(self.bad)}
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": self.endpoint,
            "errors": {"object": "list", "data": self.errors} if self.errors else None,
            "input_file_id": self.input_file_id,
            "completion_window": self.window,
            "status": self.status,
            "output_file_id": self.output_file_id,
            "error_file_id": self.error_file_id,
            "created_at": self.created,
            "expires_at": self.expires,
            **{f"{state}_at": self.moments.get(state) for state in states},
            "request_counts": counts,
            "metadata": self.metadata,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """Where lines are sent: the routes behind the edge."""

    desk: "Desk"
    routes: ASGIApp
    app: "Starlette"


async def advance(plan: Plan, batch: Batch) -> None:
    """Take one step."""
    if batch.status in ENDED:
        return
    if batch.status == "cancelling":
        _end(plan, batch, "cancelled")
    elif plan.desk.now() >= batch.expires:
        late = {"code": "batch_expired", "message": "This request could not be executed before the window expired."}
        left = batch.lines[len(batch.good) + len(batch.bad) :]
        batch.bad += [_written(plan.desk, line, None, late) for line in left]
        _end(plan, batch, "expired")
    elif batch.status == "validating":
        batch.lines, batch.errors = _checked(plan.desk, batch)
        _enter(plan, batch, "failed" if batch.errors else "in_progress")
    elif batch.status == "in_progress":
        for line in batch.lines:
            await _run(plan, batch, line)
        _enter(plan, batch, "finalizing")
    else:
        _end(plan, batch, "completed")


def stop(plan: Plan, batch: Batch) -> bool:
    """Begin to cancel; False when it has ended already."""
    if batch.status in ENDED:
        return False
    if batch.status != "cancelling":
        _enter(plan, batch, "cancelling")
    return True


def _enter(plan: Plan, batch: Batch, status: str) -> None:
    batch.status = status
    batch.moments[status] = plan.desk.now()


def _end(plan: Plan, batch: Batch, status: str) -> None:
    expires = None if batch.keeps is None else plan.desk.now() + batch.keeps
    for rows, name in ((batch.good, "output"), (batch.bad, "error")):
        if rows:
            data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
            stored = plan.desk.files.add(data, f"{batch.id}_{name}.jsonl", "batch_output", expires=expires)
            setattr(batch, f"{name}_file_id", stored.id)
    _enter(plan, batch, status)


def _checked(desk: "Desk", batch: Batch) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The lines of the input file, and what is wrong with them."""
    stored = desk.files.find(batch.input_file_id)
    if stored is None:
        return [], [_error("invalid_input_file", "The input file is gone.", None, None)]
    texts = [text for text in stored.data.split(b"\n") if text.strip()]
    if not texts:
        return [], [_error("empty_file", "The file is empty.", None, None)]
    if len(texts) > MOST_LINES:
        return [], [_error("too_many_tasks", f"The file has more than {MOST_LINES} lines.", None, None)]
    lines: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    seen: set[Any] = set()
    for number, text in enumerate(texts, 1):
        found = list(_flaws(desk, batch, text, lines[:1], seen, number))
        errors += found
        if not found:
            lines.append(json.loads(text))
    return ([], errors[:MOST_ERRORS]) if errors else (lines, [])


def _flaws(
    desk: "Desk", batch: Batch, text: bytes, first: list[dict[str, Any]], seen: set[Any], number: int
) -> Iterator[dict[str, Any]]:
    if desk.dialect == "dashscope" and len(text) > MOST_LINE_BYTES:
        yield _error("line_too_large", f"The line has more than {MOST_LINE_BYTES} bytes.", None, number)
        return
    try:
        line: Any = json.loads(text)
    except ValueError:
        line = None
    if not isinstance(line, dict):
        yield _error("invalid_json_line", "This line is not parseable as valid JSON.", None, number)
        return
    found: dict[str, Any] = line  # pyright: ignore[reportUnknownVariableType]
    for name in ("custom_id", "method", "url", "body"):
        if not found.get(name):
            yield _error("missing_required_parameter", f"Missing required parameter: '{name}'.", name, number)
    if found.get("method", "POST") != "POST":
        yield _error("invalid_method", "Invalid method: only 'POST' is supported.", "method", number)
    if found.get("url", batch.endpoint) != batch.endpoint:
        msg = "The URL provided for this request does not match the batch endpoint."
        yield _error("mismatched_url", msg, "url", number)
    if str(found.get("custom_id")) in seen:
        msg = "The custom_id for this request is a duplicate of another request."
        yield _error("duplicate_custom_id", msg, "custom_id", number)
    seen.add(str(found.get("custom_id")))
    body: dict[str, Any] = found["body"] if isinstance(found.get("body"), dict) else {}
    if found.get("body") and not body:
        yield _error("invalid_type", "Invalid type for 'body': expected an object.", "body", number)
    if first and body.get("model") != first[0]["body"].get("model"):
        msg = "All requests of a batch must name the same model."
        yield _error("mismatched_model", msg, "body.model", number)


def _error(code: str, message: str, param: str | None, line: int | None) -> dict[str, Any]:
    return {"code": code, "message": message, "param": param, "line": line}


async def _run(plan: Plan, batch: Batch, line: dict[str, Any]) -> None:
    if line["url"] == TEST_URL:
        status, body = 200, {"content": "This is a test result."}
    elif line["body"].get("stream"):
        refused = Refusal(400, "Streaming is not supported in a batch.", param="stream")
        status, body = render(refused, plan.desk.dialect, plan.desk.new_uuid())
    else:
        status, body = await _ask(plan, line)
    response = {"status_code": status, "request_id": plan.desk.new_uuid(), "body": body}
    row = _written(plan.desk, line, response, None)
    (batch.good if status < 400 else batch.bad).append(row)


def _written(
    desk: "Desk", line: dict[str, Any], response: dict[str, Any] | None, error: dict[str, Any] | None
) -> dict[str, Any]:
    named = {"id": desk.new_id("batch_req_"), "custom_id": line["custom_id"]}
    return {**named, "response": response, "error": error}


async def _ask(plan: Plan, line: dict[str, Any]) -> tuple[int, Any]:
    """Send one line's body to its route, and give status and answer."""
    asked = json.dumps(line["body"]).encode()
    entry = Entry(0, plan.desk.new_id("req_"), "POST", line["url"])
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": line["url"],
        "raw_path": line["url"].encode(),
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
        "app": plan.app,
        "mtu.entry": entry,
    }
    parts: list[bytes] = []
    status = 500

    waiting: list[Message] = [{"type": "http.request", "body": asked, "more_body": False}]

    async def receive() -> Message:
        if not waiting:
            await anyio.sleep_forever()
        return waiting.pop()

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            parts.append(message.get("body", b""))

    try:
        await plan.routes(scope, receive, send)
        return status, json.loads(b"".join(parts))
    except Refusal as refusal:
        return render(refusal, plan.desk.dialect, entry.request_id)
