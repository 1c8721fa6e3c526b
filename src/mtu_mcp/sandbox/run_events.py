"""A run told as server-sent events: the same stages a poll goes through, each with its object as it then is.

The order is the Assistants API's: the run, its step, the message growing word by word, and `done` at the end. A run
that needs a function ends its stream at `requires_action`; giving the outputs with `stream` goes on from there.
"""

from collections.abc import Callable, Iterator
from typing import Any

from mtu_mcp.sandbox.replies import DONE, event
from mtu_mcp.sandbox.threads import Thread
from mtu_mcp.sandbox.tokens import pieces

Body = dict[str, Any]


def tell_run(thread: Thread, run: Body, advance: Callable[[], None], first: list[tuple[str, Body]]) -> Iterator[str]:
    """Take a queued run to its end, or to where a function has to be called, telling each stage.

    Args:
        thread: Where the run's steps and messages go.
        run: The run, just queued.
        advance: Takes the run one stage further.
        first: Events that come before, such as the thread's own.
    """
    for name, body in first:
        yield event(body, name)
    yield event(run, "thread.run.queued")
    advance()
    yield event(run, "thread.run.in_progress")
    advance()
    step = thread.steps[run["id"]][-1]
    begun: Body = step | {"status": "in_progress", "completed_at": None, "usage": None}
    for stage in ("created", "in_progress"):
        yield event(begun, f"thread.run.step.{stage}")
    if run["status"] == "requires_action":
        yield event(_delta(step, {"step_details": _numbered(step["step_details"])}), "thread.run.step.delta")
        yield event(run, "thread.run.requires_action")
    else:
        yield from _tell_message(list(thread.messages.values())[-1])
        yield event(step, "thread.run.step.completed")
        yield event(run, "thread.run.completed")
    yield f"event: done\n{DONE}"


def _tell_message(message: Body) -> Iterator[str]:
    begun: Body = message | {"content": [], "status": "in_progress", "completed_at": None}
    for stage in ("created", "in_progress"):
        yield event(begun, f"thread.message.{stage}")
    for piece in pieces(message["content"][0]["text"]["value"]):
        part: Body = {"index": 0, "type": "text", "text": {"value": piece, "annotations": []}}
        yield event(_delta(message, {"content": [part]}), "thread.message.delta")
    yield event(message, "thread.message.completed")


def _delta(whole: Body, delta: Body) -> Body:
    return {"id": whole["id"], "object": f"{whole['object']}.delta", "delta": delta}


def _numbered(details: Body) -> Body:
    calls = [{"index": place, **call} for place, call in enumerate(details["tool_calls"])]
    return {"type": "tool_calls", "tool_calls": calls}
