"""Runs and their steps, of the Assistants API; served behind the same switch.

A run goes one stage further at each look: queued, in_progress, then requires_action if a function has to be called, else
completed with the assistant's message. A stream takes the same stages at once and tells each.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mtu_mcp.sandbox import threads
from mtu_mcp.sandbox.assistants import find_assistant
from mtu_mcp.sandbox.assistants_fields import LABELS, OUTPUTS, RUN, THREAD_RUN, require_version
from mtu_mcp.sandbox.bodies import read_checked
from mtu_mcp.sandbox.conversation import answer, read_talk
from mtu_mcp.sandbox.desk import SIGNATURE, Desk, desk_of
from mtu_mcp.sandbox.fields import Table, listing, one_of
from mtu_mcp.sandbox.paging import PAGES, find, missing, page, read_nothing, read_query
from mtu_mcp.sandbox.refusals import Invalid, Refusal
from mtu_mcp.sandbox.replies import json_reply, stream_reply
from mtu_mcp.sandbox.run_events import tell_run
from mtu_mcp.sandbox.threads import Thread, add_message, find_thread
from mtu_mcp.sandbox.tokens import count_text, pieces
from mtu_mcp.sandbox.tool_choice import pick_calls

Body = dict[str, Any]
_INCLUDE: Table = {"include": listing(one_of("step_details.tool_calls[*].file_search.results[*].content"))}
_LASTS = 600
"""Seconds after which the API lets a run expire."""


async def create_run(request: Request) -> Response:
    """Let an assistant answer a thread."""
    thread = find_thread(request)
    read_query(request, _INCLUDE)
    body = await read_checked(request, RUN)
    run = _begin(desk_of(request), thread, body)
    return _reply(request, thread, run, body, [("thread.run.created", run)])


async def create_thread_and_run(request: Request) -> Response:
    """Begin a thread and let an assistant answer it."""
    require_version(request)
    desk = desk_of(request)
    body = await read_checked(request, THREAD_RUN)
    find_assistant(desk, body["assistant_id"])
    thread = threads.begin(desk, body.pop("thread", {}))
    run = _begin(desk, thread, body)
    return _reply(request, thread, run, body, [("thread.created", thread.object), ("thread.run.created", run)])


def _reply(request: Request, thread: Thread, run: Body, body: Body, first: list[tuple[str, Body]]) -> Response:
    """The run as it stands, or as a stream of what becomes of it."""
    if not body.get("stream"):
        return json_reply(run)
    desk = desk_of(request)
    return stream_reply(request, tell_run(thread, run, lambda: _advance(desk, thread, run), first))


def _begin(desk: Desk, thread: Thread, body: Body) -> Body:
    assistant = find_assistant(desk, body["assistant_id"])
    if active := thread.active:
        msg = f"Thread {thread.object['id']} already has an active run {active['id']}."
        raise Refusal(400, msg)
    desk.model(body.get("model", assistant["model"]), "chat")
    for place, message in enumerate(body.get("additional_messages", [])):
        add_message(desk, thread, message, f"additional_messages[{place}]")
    said = [body.get("instructions", assistant["instructions"] or ""), body.get("additional_instructions", "")]
    now = desk.now()
    run: Body = {
        "id": desk.new_id("run_"),
        "object": "thread.run",
        "created_at": now,
        "assistant_id": assistant["id"],
        "thread_id": thread.object["id"],
        "status": "queued",
        "required_action": None,
        "last_error": None,
        "expires_at": now + _LASTS,
        **dict.fromkeys(("started_at", "cancelled_at", "failed_at", "completed_at", "incomplete_details", "usage")),
        "model": body.get("model", assistant["model"]),
        "instructions": "\n".join(filter(None, said)),
        "tools": body.get("tools", assistant["tools"]),
        "metadata": body.get("metadata", {}),
        "temperature": body.get("temperature", assistant["temperature"]),
        "top_p": body.get("top_p", assistant["top_p"]),
        "max_prompt_tokens": body.get("max_prompt_tokens"),
        "max_completion_tokens": body.get("max_completion_tokens"),
        "truncation_strategy": body.get("truncation_strategy", {"type": "auto", "last_messages": None}),
        "response_format": body.get("response_format", assistant["response_format"]),
        "tool_choice": body.get("tool_choice", "auto"),
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
    }
    thread.runs[run["id"]] = run
    return run


def _advance(desk: Desk, thread: Thread, run: Body) -> None:
    """Take one stage."""
    if run["status"] == "queued":
        run |= {"status": "in_progress", "started_at": run["started_at"] or desk.now()}
    elif run["status"] == "cancelling":
        run |= {"status": "cancelled", "cancelled_at": desk.now(), "required_action": None, "expires_at": None}
    elif run["status"] == "in_progress":
        outputs = thread.outputs.get(run["id"], [])
        talk = read_talk([{"role": "system", "content": run["instructions"]}, *_messages(thread), *_results(outputs)])
        functions = [tool for tool in run["tools"] if tool["type"] == "function"]
        choice = "auto" if outputs else _choice(run)
        calls = pick_calls(desk, functions, choice, talk, parallel=run["parallel_tool_calls"])
        if calls:
            _ask(desk, thread, run, [call.as_json() for call in calls])
        else:
            _complete(desk, thread, run, f"{answer(talk)} {SIGNATURE}")


def _choice(run: Body) -> Any:
    """The choice of a tool that is no function leaves the functions alone."""
    choice: Any = run["tool_choice"]
    return choice if isinstance(choice, str) or choice["type"] == "function" else "none"


def _messages(thread: Thread) -> list[Body]:
    return [{"role": each["role"], "content": _words(each["content"])} for each in thread.messages.values()]


def _words(content: list[Body]) -> str:
    return "\n".join(part["text"]["value"] for part in content if part["type"] == "text")


def _results(outputs: list[str]) -> list[Body]:
    return [{"role": "tool", "content": output} for output in outputs]


def _step(desk: Desk, thread: Thread, run: Body, kind: str, details: Any) -> Body:
    step: Body = {"id": desk.new_id("step_"), "object": "thread.run.step", "created_at": desk.now()}
    step |= {name: run[name] for name in ("assistant_id", "thread_id")} | {"run_id": run["id"], "type": kind}
    step |= {"status": "in_progress", "step_details": {"type": kind, kind: details}, "metadata": {}}
    step |= dict.fromkeys(("cancelled_at", "completed_at", "expired_at", "failed_at", "last_error", "usage"))
    thread.steps.setdefault(run["id"], []).append(step)
    return step


def _ask(desk: Desk, thread: Thread, run: Body, calls: list[Body]) -> None:
    details = [call | {"function": call["function"] | {"output": None}} for call in calls]
    _step(desk, thread, run, "tool_calls", details)
    action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": calls}}
    run |= {"status": "requires_action", "required_action": action}


def _complete(desk: Desk, thread: Thread, run: Body, text: str) -> None:
    prompt = count_text([run["instructions"], *(each["content"] for each in _messages(thread))])
    known = {"role": "assistant", "content": text, "assistant_id": run["assistant_id"], "run_id": run["id"]}
    message = add_message(desk, thread, known)
    usage = {"prompt_tokens": prompt, "completion_tokens": len(pieces(text))}
    usage["total_tokens"] = sum(usage.values())
    step = _step(desk, thread, run, "message_creation", {"message_id": message["id"]})
    step |= {"status": "completed", "completed_at": desk.now(), "usage": usage}
    run |= {"status": "completed", "completed_at": desk.now(), "expires_at": None, "usage": usage}


async def list_runs(request: Request) -> Response:
    """The runs of a thread, the newest first."""
    thread = find_thread(request)
    return json_reply(page(list(thread.runs.values()), read_query(request, PAGES), kind="run"))


async def get_run(request: Request) -> Response:
    """One run; looking is what moves it on."""
    thread, run = _found(request)
    _advance(desk_of(request), thread, run)
    return json_reply(run)


async def modify_run(request: Request) -> Response:
    """Change its metadata."""
    _, run = _found(request)
    run |= await read_checked(request, LABELS)
    return json_reply(run)


async def cancel_run(request: Request) -> Response:
    """Stop a run that is at work; the next look finds it cancelled."""
    await read_nothing(request)
    _, run = _found(request)
    if run["status"] not in threads.ACTIVE:
        raise Refusal(400, f"Cannot cancel run with status '{run['status']}'.")
    run["status"] = "cancelling"
    return json_reply(run)


async def submit_outputs(request: Request) -> Response:
    """Take the answers of all functions the run waits for; it goes on from there."""
    thread, run = _found(request)
    body = await read_checked(request, OUTPUTS)
    if run["status"] != "requires_action":
        raise Refusal(400, f'Runs in status "{run["status"]}" do not accept tool outputs.')
    given = {each["tool_call_id"]: each["output"] for each in body["tool_outputs"]}
    calls: list[Body] = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    wanted = [call["id"] for call in calls]
    if set(given) != set(wanted):
        msg = f"Expected tool outputs for call_ids {wanted}, got {sorted(given)}"
        raise Invalid(msg, param="tool_outputs", code="invalid_value")
    thread.outputs.setdefault(run["id"], []).extend(given[call] for call in wanted)
    step = thread.steps[run["id"]][-1]
    step |= {"status": "completed", "completed_at": desk_of(request).now()}
    for call in step["step_details"]["tool_calls"]:
        call["function"]["output"] = given[call["id"]]
    run |= {"status": "queued", "required_action": None}
    return _reply(request, thread, run, body, [("thread.run.step.completed", step)])


async def list_steps(request: Request) -> Response:
    """What a run did, the latest first."""
    thread, run = _found(request)
    asked = read_query(request, {**PAGES, **_INCLUDE})
    return json_reply(page(thread.steps.get(run["id"], []), asked, kind="run step"))


async def get_step(request: Request) -> Response:
    """One step."""
    thread, run = _found(request)
    read_query(request, _INCLUDE)
    wanted = request.path_params["step"]
    step = next((each for each in thread.steps.get(run["id"], []) if each["id"] == wanted), None)
    if step is None:
        raise missing("run step", wanted)
    return json_reply(step)


def _found(request: Request) -> tuple[Thread, Body]:
    thread = find_thread(request)
    return thread, find(thread.runs, request.path_params["run"], "run")


_RUNS = "/v1/threads/{thread}/runs"
ROUTES = [
    Route("/v1/threads/runs", create_thread_and_run, methods=["POST"]),
    threads.MODIFY,
    Route(_RUNS, create_run, methods=["POST"]),
    Route(_RUNS, list_runs, methods=["GET"]),
    Route(_RUNS + "/{run}", get_run, methods=["GET"]),
    Route(_RUNS + "/{run}", modify_run, methods=["POST"]),
    Route(_RUNS + "/{run}/cancel", cancel_run, methods=["POST"]),
    Route(_RUNS + "/{run}/submit_tool_outputs", submit_outputs, methods=["POST"]),
    Route(_RUNS + "/{run}/steps", list_steps, methods=["GET"]),
    Route(_RUNS + "/{run}/steps/{step}", get_step, methods=["GET"]),
]
