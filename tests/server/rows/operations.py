"""What each operation answers, by the API reference: the object it documents, and what of it depends on the gateway."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from capabilities.operations_bench import RECIPES, Bench
from mtu_mcp.gateway import Operation, all_operations
from server.rows.host import Host

OBJECTS: Final[Mapping[str, str]] = {
    "chat": "chat.completion",
    "list": "list",
    "response": "response",
    "file": "file",
    "model": "model",
    "batch": "batch",
    "job": "fine_tuning.job",
    "assistant": "assistant",
    "assistant file": "assistant.file",
    "thread": "thread",
    "message": "thread.message",
    "message file": "thread.message.file",
    "run": "thread.run",
    "step": "thread.run.step",
    "tokens": "response.input_tokens",
    "completion": "text_completion",
}
"""The field `object` of what comes back, by what it is."""
FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "chat": frozenset(("id", "created", "model", "choices")),
    "list": frozenset(("data",)),
    "response": frozenset(("id", "created_at", "status", "model", "output")),
    "file": frozenset(("id", "bytes", "created_at", "filename", "purpose", "status")),
    "model": frozenset(("id", "created", "owned_by")),
    "batch": frozenset(("id", "endpoint", "input_file_id", "completion_window", "status", "request_counts")),
    "job": frozenset(
        ("id", "created_at", "model", "status", "training_file", "result_files", "fine_tuned_model", "hyperparameters")
    ),
    "assistant": frozenset(("id", "created_at", "name", "model", "instructions", "tools", "metadata")),
    "assistant file": frozenset(("id", "created_at", "assistant_id")),
    "thread": frozenset(("id", "created_at", "metadata")),
    "message": frozenset(("id", "created_at", "thread_id", "role", "content", "metadata")),
    "message file": frozenset(("id", "created_at", "message_id")),
    "run": frozenset(("id", "created_at", "thread_id", "assistant_id", "status", "model", "tools")),
    "step": frozenset(("id", "created_at", "run_id", "type", "status", "step_details")),
    "tokens": frozenset(("input_tokens",)),
    "completion": frozenset(("id", "created", "model", "choices")),
}
"""Fields that every such object has (OpenAI API reference)."""
GIVES: Final[Mapping[str, str]] = {
    "create_chat_completion": "chat",
    "list_chat_completions": "list",
    "get_chat_completion": "chat",
    "update_chat_completion": "chat",
    "delete_chat_completion": "deleted",
    "list_chat_messages": "list",
    "create_response": "response",
    "count_input_tokens": "tokens",
    "get_response": "response",
    "delete_response": "deleted",
    "cancel_response": "response",
    "list_input_items": "list",
    "create_completion": "completion",
    "create_embedding": "list",
    "create_moderation": "results",
    "upload_file": "file",
    "list_files": "list",
    "get_file": "file",
    "delete_file": "deleted",
    "get_file_content": "text",
    "list_models": "list",
    "get_model": "model",
    "delete_model": "deleted",
    "create_batch": "batch",
    "list_batches": "list",
    "get_batch": "batch",
    "cancel_batch": "batch",
    "create_fine_tuning_job": "job",
    "list_fine_tuning_jobs": "list",
    "get_fine_tuning_job": "job",
    "cancel_fine_tuning_job": "job",
    "pause_fine_tuning_job": "job",
    "resume_fine_tuning_job": "job",
    "list_fine_tuning_events": "list",
    "list_fine_tuning_checkpoints": "list",
    "create_speech": "saved",
    "create_transcription": "text",
    "create_translation": "text",
    "create_image": "pictures",
    "create_image_edit": "pictures",
    "create_image_variation": "pictures",
    "create_assistant": "assistant",
    "list_assistants": "list",
    "get_assistant": "assistant",
    "modify_assistant": "assistant",
    "delete_assistant": "deleted",
    "create_assistant_file": "assistant file",
    "list_assistant_files": "list",
    "get_assistant_file": "assistant file",
    "delete_assistant_file": "deleted",
    "create_thread": "thread",
    "get_thread": "thread",
    "modify_thread": "thread",
    "delete_thread": "deleted",
    "create_message": "message",
    "list_messages": "list",
    "get_message": "message",
    "modify_message": "message",
    "delete_message": "deleted",
    "list_message_files": "list",
    "get_message_file": "message file",
    "create_run": "run",
    "create_thread_and_run": "run",
    "list_runs": "list",
    "get_run": "run",
    "modify_run": "run",
    "submit_tool_outputs": "run",
    "cancel_run": "run",
    "list_run_steps": "list",
    "get_run_step": "step",
}
LISTS: Final[Mapping[str, tuple[str, str]]] = {
    "list_chat_messages": ("", "id role content"),
    "list_input_items": ("", "id type role content"),
    "create_embedding": ("embedding", "index embedding"),
    "list_models": ("model", "id created owned_by"),
    "list_fine_tuning_events": ("fine_tuning.job.event", "id created_at level message type"),
    "list_fine_tuning_checkpoints": (
        "fine_tuning.job.checkpoint",
        "id created_at fine_tuned_model_checkpoint fine_tuning_job_id metrics step_number",
    ),
    "list_messages": ("thread.message", "id created_at thread_id role content"),
    "list_message_files": ("thread.message.file", "id created_at message_id"),
    "list_run_steps": ("thread.run.step", "id created_at run_id type status step_details"),
}
"""What lists hold that are never empty here: the field `object` of each, and fields it has."""
AT_NEW_API: Final = frozenset(
    (
        *("create_chat_completion", "create_response", "create_completion", "create_embedding", "create_moderation"),
        *("create_speech", "create_transcription", "create_translation", "create_image", "create_image_edit"),
        *("list_models", "get_model"),
    )
)
"""What New API's routes have (its source, 2025-12)."""
ELSEWHERE: Final = frozenset(("get_file_content",))
"""What Model Studio refuses though it has the route: it gives back the results of batches alone."""


async def try_operation(host: Host, name: str) -> None:
    """Call an operation with what its page describes, and hold the answer against what the page promises."""
    operation = all_operations()[name]
    if host.relay and name not in AT_NEW_API:
        await require_lacking(host, operation)
        return
    bench = Bench(host.client, host.folder, purpose=host.purpose)
    arguments = await RECIPES[name](bench)
    host.begin()
    result = await host.call("call_operation", name=name, arguments=arguments, confirm=True)
    said = "".join(block.text for block in result.content if block.type == "text")
    if host.dialect == "dashscope" and name in ELSEWHERE:
        assert result.is_error
        return
    assert not result.is_error, said
    [entry] = [one for one in host.gateway.journal if one.method == operation.method and _fits(operation, one.path)]
    body: dict[str, Any] = entry.asked or {}
    arrived = {one.partition("[")[0] for one in (*body, *dict(parse_qsl(entry.query)))}
    assert arrived == set(arguments) - set(operation.placeholders), "nothing is lost on the way and nothing added"
    told: dict[str, Any] = result.structured_content or {}
    _require_object(GIVES[name], told.get("result") or {}, said)
    if name in LISTS:
        _require_items(*LISTS[name], told["result"]["data"])


def _fits(operation: Operation, path: str) -> bool:
    return bool(re.fullmatch("/v1/" + re.sub(r"\{\w+\}", "[^?]+", operation.path), path))


def _require_object(kind: str, found: dict[str, Any], said: str) -> None:
    if kind == "text":
        assert said.strip()
        return
    if kind == "saved":
        assert said.startswith("Saved ")
        return
    assert found, said
    if kind == "deleted":
        assert found["deleted"] is True
        assert found["id"]
        assert found["object"]
    elif kind == "results":
        assert {"id", "model", "results"} <= set(found)
    elif kind == "pictures":
        places: list[str] = [one.get("b64_json") or one["url"] for one in found["data"]]
        assert all(place.startswith(("mtu://media/", "http")) for place in places)
    else:
        assert found["object"] == OBJECTS[kind]
        assert set(found) >= FIELDS[kind], FIELDS[kind] - set(found)


def _require_items(kind: str, fields: str, items: list[dict[str, Any]]) -> None:
    assert items
    for item in items:
        assert item.get("object", "") == kind
        assert set(fields.split()) <= set(item), set(fields.split()) - set(item)


async def require_lacking(host: Host, operation: Operation) -> None:
    """A gateway that only relays has no such route, and the answer is one sentence that names it."""
    arguments = await RECIPES[operation.name](Pretender(host))
    said = await host.lacking(operation.path, "call_operation", name=operation.name, arguments=arguments, confirm=True)
    assert ("removed by OpenAI on 20" in said) == (operation.state == "removed")


async def arguments_for(name: str, bench: Bench) -> dict[str, Any]:
    """Arguments that an operation takes."""
    return await RECIPES[name](bench)


class Pretender(Bench):
    """Makes arguments for a gateway that keeps nothing: every id is made up."""

    def __init__(self, host: Host) -> None:
        super().__init__(host.client, host.folder)

    async def __call__(self, name: str, /, **arguments: Any) -> Any:
        """An object with whatever field is looked for."""
        del arguments
        made: dict[str, Any] = {"id": "made-up", "fine_tuned_model": "ft:made-up"}
        function = {"id": "made-up", "function": {"name": "get_weather"}}
        return {
            **made,
            "data": [made],
            "required_action": {"submit_tool_outputs": {"tool_calls": [function]}},
            "name": name,
        }
