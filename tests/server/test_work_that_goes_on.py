"""What call_operation begins and the gateway goes on with: held while it runs, settled by what is read of its end."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from books import rows
from capabilities.material import answered, call, refused
from capabilities.operations_bench import CHAT, Bench
from connections import MEMORY, connect, text_of
from mtu_mcp.sandbox import Options, Sandbox

Environ = dict[str, str]
MODEL = "gpt-4o"


@pytest.fixture
def gateway() -> Iterator[Sandbox]:
    """A gateway that still serves the Assistants API."""
    with Sandbox(Options(assistants=True, batch_polls=1)) as sandbox:
        yield sandbox


@pytest.fixture
def environ(environ: Environ, tmp_path: Path) -> Environ:
    """A server on which tokens of one model cost a fen each."""
    prices = {"input_text": 10, "output_text": 10}
    file = tmp_path / "models.json"
    file.write_text(json.dumps({"models": {MODEL: {"prices": prices}}}), encoding="utf-8")
    more = {"MTU_MODELS_FILE": str(file), "MTU_TOOLSETS": "core,api", "MTU_ALLOWED_DIRS": str(tmp_path)}
    return {**environ, **more}


async def operation(client: Client, name: str, **arguments: Any) -> tuple[str, Any]:
    """What an operation said, and its object."""
    result = await call(client, "call_operation", name=name, arguments=arguments, confirm=True)
    assert not result.is_error, text_of(result)
    told: dict[str, Any] = result.structured_content or {}
    return text_of(result), told.get("result")


async def test_a_background_response_is_held_until_its_end_is_read(environ: Environ, gateway: Sandbox) -> None:
    """OpenAI API reference, responses: background; usage comes with the end."""
    asked = {"model": MODEL, "input": "Say: hello", "background": True, "max_output_tokens": 50}
    async with connect(MEMORY, {**environ, "MTU_BUDGET_DAY": "1000"}) as client:
        said, made = await operation(client, "create_response", **asked)
        assert made["status"] in ("queued", "in_progress")
        [(state, held, cny, process, remote)] = rows(environ, "state", "reserved", "cny", "process", "remote")
        assert (state, cny, process, remote) == ("running", 0, "", made["id"])
        assert held > 0.5
        assert f"at most about CNY {held:.4f} is held for it until then, and get_response" in said
        while made["status"] in ("queued", "in_progress"):
            _, made = await operation(client, "get_response", response_id=made["id"])
        for _ in range(3):
            await operation(client, "get_response", response_id=made["id"])
    used = made["usage"]["total_tokens"] / 100
    assert rows(environ, "state", "reserved", "cny") == [("done", 0, pytest.approx(used))]


async def test_a_run_that_is_continued_counts_once(environ: Environ, gateway: Sandbox) -> None:
    """OpenAI API reference, runs: the usage of a run covers all of it, and comes when it has ended."""
    async with connect(MEMORY, environ) as client:
        _, assistant = await operation(client, "create_assistant", model=MODEL)
        _, thread = await operation(client, "create_thread", messages=CHAT)
        place = {"thread_id": thread["id"]}
        said, run = await operation(client, "create_run", **place, assistant_id=assistant["id"])
        assert "get_run after its end" in said
        for _ in range(6):
            _, run = await operation(client, "get_run", **place, run_id=run["id"])
    assert run["status"] == "completed"
    [(state, reserved, tokens)] = rows(environ, "state", "reserved", "input_tokens")
    assert (state, reserved, tokens) == ("done", 0, run["usage"]["prompt_tokens"])


async def test_under_a_cap_nothing_is_begun_whose_cost_nobody_can_tell(
    environ: Environ, gateway: Sandbox, tmp_path: Path
) -> None:
    """Our promise: no way past the caps; the sentence names the tool that can tell."""
    async with connect(MEMORY, environ) as client:
        bench = Bench(client, tmp_path)
        trained, batch = await bench.file("fine-tune"), await bench.file("batch")
    tuning = {"name": "create_fine_tuning_job", "arguments": {"model": "gpt-4o-mini", "training_file": trained}}
    asked = {"input_file_id": batch, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    batching = {"name": "create_batch", "arguments": asked}
    async with connect(MEMORY, {**environ, "MTU_BUDGET_MONTH": "1000000"}) as client:
        assert "MTU_BUDGET_MONTH out of" in await refused(client, "call_operation", **tuning)
        assert "run_batch, which counts its lines" in await refused(client, "call_operation", **batching)
    async with connect(MEMORY, {**environ, "MTU_CONFIRM_ABOVE": "1000000"}) as client:
        assert "nobody can tell before what it may cost" in await refused(client, "call_operation", **tuning)
    assert not [entry for entry in gateway.journal if entry.path.endswith(("/jobs", "/batches"))]
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "call_operation", **tuning)
        assert "What it will cost is not known here" in said
        assert "get_fine_tuning_job after its end" in said
        assert "get_batch after its end" in await answered(client, "call_operation", **batching)
    assert rows(environ, "endpoint", "state", "basis", "cny") == [
        ("fine_tuning/jobs", "running", "unknown", 0),
        ("batches", "running", "unknown", 0),
    ]


async def test_a_batch_by_its_operation_is_settled_when_it_is_read(
    environ: Environ, gateway: Sandbox, tmp_path: Path
) -> None:
    """Our promise: what is known is entered, and what is not is marked as unknown, not as free."""
    async with connect(MEMORY, environ) as client:
        file = await Bench(client, tmp_path).file("batch")
        asked = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
        _, batch = await operation(client, "create_batch", **asked)
        while batch["status"] != "completed":
            _, batch = await operation(client, "get_batch", batch_id=batch["id"])
    assert rows(environ, "state", "basis", "cny", "remote") == [("done", "unknown", 0, batch["id"])]


async def test_the_rows_of_a_call_that_was_handed_off_name_its_job(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: what a job cost can be looked up, also what was sent before it was one."""
    gateway.arm("stall:0", "/chat/completions")
    environ = {**environ, "MTU_HAND_OFF_AFTER": "0.2"}
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "chat", prompt="What is 6 * 7?", model=MODEL)
        job = re.findall(r"job-[0-9a-f]{12}", said)[0]
        gateway.release()
        assert "42" in await answered(client, "get_job", job=job, wait=20)
    assert rows(environ, "job", "state") == [(job, "done")]
