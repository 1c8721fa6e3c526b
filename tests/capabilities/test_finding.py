"""`find_operation`: from a task in anybody's words, or a page of the documentation, to the operation's name."""

import json

import pytest
from mcp.types import ResourceTemplateReference

from capabilities.material import answered
from connections import MEMORY, Cell, connect, every_cell
from mtu_mcp.gateway import all_operations

ONE_GATEWAY = True

Environ = dict[str, str]


@pytest.fixture
def environ(environ: Environ) -> Environ:
    return {**environ, "MTU_TOOLSETS": "api"}


@every_cell
async def test_without_words_every_operation_is_named_by_group(cell: Cell, environ: Environ) -> None:
    """Our promise: one answer says all there is."""
    async with connect(cell, environ) as client:
        said = await answered(client, "find_operation")
    assert all(f" {name}" in said for name in all_operations())
    assert "- fine-tuning: create_fine_tuning_job" in said


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("list stored chat completions", "list_chat_completions"),
        ("delete a stored chat completion", "delete_chat_completion"),
        ("train my own model", "create_fine_tuning_job"),
        ("fine-tuning checkpoints", "list_fine_tuning_checkpoints"),
        ("cancel a run", "cancel_run"),
        ("submit tool outputs", "submit_tool_outputs"),
        ("remove a model", "delete_model"),
        ("embeddings", "create_embedding"),
        ("创建微调作业", "create_fine_tuning_job"),
        ("列出运行步骤", "list_run_steps"),
        ("检索文件内容", "get_file_content"),
        ("Delete a fine-tuned model", "delete_model"),
        ("Update chat completion metadata", "update_chat_completion"),
    ],
)
async def test_words_lead_to_the_operation(words: str, first: str, environ: Environ) -> None:
    """Our promise: found by what it does, and by the title of its page in the gateway's own language."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "find_operation", words=words)
    assert said.startswith(f"- {first} (")


async def test_an_exact_name_shows_the_arguments(environ: Environ) -> None:
    """Our promise: enough to call it; JSON Schema, closed."""
    async with connect(MEMORY, environ) as client:
        facts = json.loads(await answered(client, "find_operation", words="create_run"))
    assert facts["arguments"]["required"] == ["thread_id", "assistant_id"]
    assert facts["arguments"]["additionalProperties"] is False
    assert facts["state"] == "removed"
    assert facts["note"] == "removed by OpenAI on 2026-08-26, a gateway may still serve it"


async def test_words_that_fit_nothing_get_the_groups(environ: Environ) -> None:
    """Our promise: a dead end names the way on."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "find_operation", words="zzz qqq")
    assert said.startswith("Nothing fits. There are:\n- chat: create_chat_completion")
    assert "\n- batches: create_batch" in said


@every_cell
async def test_operations_are_resources_too(cell: Cell, environ: Environ) -> None:
    """MCP specification, resources: a list, and one by template."""
    async with connect(cell, environ) as client:
        listed = json.loads((await client.read_resource("mtu://operations")).contents[0].text)
        one = json.loads((await client.read_resource("mtu://operations/get_run_step")).contents[0].text)
    assert [each["name"] for each in listed] == list(all_operations())
    assert one["path"] == "threads/{thread_id}/runs/{run_id}/steps/{step_id}"
    assert "OpenAI 项目 / 运行(Runs) / 检索运行步骤" in one["pages"]


async def test_the_name_of_an_operation_completes(environ: Environ) -> None:
    """MCP specification, completion of a template's argument."""
    ref = ResourceTemplateReference(type="ref/resource", uri="mtu://operations/{name}")
    async with connect(MEMORY, environ) as client:
        found = await client.complete(ref, {"name": "name", "value": "run_step"})
    assert found.completion.values == ["list_run_steps", "get_run_step"]
