"""What a batch costs: held before it is uploaded, settled once whoever hears of its end, the same in every report."""

import json
import re
import signal
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client
from mcp.types import ElicitResult, TextResourceContents

from books import rows
from capabilities.material import answered, refused
from connections import HANDSHAKE, MEMORY, Cell, connect, text_of
from mtu_mcp.sandbox import Options, Sandbox
from processes import run, running

Environ = dict[str, str]
MODEL = "gpt-4o-mini"
PROMPTS = ["What is 1+1?", "What is 2+2?", "What is 3+3?"]


@pytest.fixture
def gateway() -> Iterator[Sandbox]:
    """A gateway whose batches move when they are told to."""
    with Sandbox(Options(batch_polls=0)) as sandbox:
        yield sandbox


@pytest.fixture
def priced(environ: Environ, tmp_path: Path) -> Environ:
    """Each token out costs a yuan, so each line holds `max_tokens` yuan, halved for a batch."""
    prices = {"input_text": 0, "output_text": 1000, "batch_share": 0.5}
    file = tmp_path / "models.json"
    file.write_text(json.dumps({"models": {MODEL: {"prices": prices}}}), encoding="utf-8")
    more = {"MTU_MODELS_FILE": str(file), "MTU_TOOLSETS": "core,batches,usage,api", "MTU_MAX_RETRIES": "0"}
    return {**environ, **more, "MTU_ALLOWED_DIRS": str(tmp_path)}


def cost_of_job(environ: Environ) -> float | None:
    connection = sqlite3.connect(environ["MTU_DATABASE_URL"])
    try:
        return connection.execute("SELECT cost FROM jobs").fetchone()[0]
    finally:
        connection.close()


def step(sandbox: Sandbox, times: int) -> None:
    for _ in range(times):
        httpx.post(f"{sandbox.root}/sandbox/batches/step", trust_env=False)


def sent(sandbox: Sandbox) -> list[str]:
    return [entry.path for entry in sandbox.journal if entry.method == "POST" and not entry.path.startswith("/sandbox")]


def counted(sandbox: Sandbox) -> int:
    """Tokens out of every answer of the only batch, as the gateway has them."""
    [batch] = sandbox.desk.drawer("batches").values()
    return sum(row["response"]["body"]["usage"]["completion_tokens"] for row in batch.good)


async def usage(client: Client, uri: str) -> dict[str, Any]:
    [content] = (await client.read_resource(uri)).contents
    assert isinstance(content, TextResourceContents)
    return json.loads(content.text)


async def handed_in(client: Client, **arguments: Any) -> str:
    asked = {"prompts": PROMPTS, "model": MODEL, "options": {"max_tokens": 20}, **arguments}
    found = re.search(r"job-[0-9a-f]{12}", await answered(client, "run_batch", **asked))
    assert found
    return found[0]


@pytest.mark.parametrize("cap", ["CALL", "DAY", "MONTH"])
async def test_a_cap_refuses_a_batch_before_anything_of_it_is_sent(priced: Environ, gateway: Sandbox, cap: str) -> None:
    """Our promise: caps refuse before spending, with the remaining sum; each line counts, at half the price."""
    async with connect(MEMORY, {**priced, f"MTU_BUDGET_{cap}": "29.5"}) as client:
        asked = {"prompts": PROMPTS, "model": MODEL, "options": {"max_tokens": 20}}
        said = await refused(client, "run_batch", **asked)
        assert "it may cost up to CNY 30.0000" in said
        assert f"MTU_BUDGET_{cap}" in said
        assert "There are no jobs." in await answered(client, "get_job")
    assert sent(gateway) == []
    assert rows(priced, "count(*)") == [(0,)]


async def test_a_batch_holds_its_most_and_is_settled_at_what_its_lines_used(priced: Environ, gateway: Sandbox) -> None:
    """Our promise: one row; ledger, job, receipt, tool, resource and command name the same sum."""
    environ = {**priced, "MTU_BUDGET_DAY": "100"}
    async with connect(MEMORY, environ) as client:
        job = await handed_in(client)
        assert rows(environ, "state", "reserved", "cny", "job", "process") == [("running", 30, 0, job, "")]
        assert "hold CNY 30.0000 more" in await answered(client, "usage_report")
        step(gateway, 4)
        said = await answered(client, "get_job", job=job)
        told: dict[str, Any] = (await client.call_tool("usage_report", {})).structured_content or {}
        read = await usage(client, "mtu://usage")
        assert read == await usage(client, f"mtu://usage/{datetime.now():%Y-%m}")
    cost = counted(gateway) / 2
    assert 0 < cost < 30
    assert f"about CNY {cost:.4f} (batch, half the list price)" in said
    [(state, basis, cny, reserved, tokens)] = rows(environ, "state", "basis", "cny", "reserved", "output_tokens")
    assert (state, basis, cny, reserved, tokens) == ("done", "list", cost, 0, counted(gateway))
    assert cost_of_job(environ) == cost
    for one in (told, read, json.loads(run(environ, "usage", "--json").stdout)):
        assert (one["total"]["cny"], one["total"]["held"], one["total"]["calls"]) == (cost, 0, 1)


async def test_a_batch_outlives_its_server_and_is_settled_by_the_next(priced: Environ, gateway: Sandbox) -> None:
    """Our promise: it runs upstream, so it is neither lost with its process nor paid twice."""
    async with connect(MEMORY, priced) as client:
        job = await handed_in(client)
    assert run(priced, "usage").returncode == 0
    assert rows(priced, "state") == [("running",)]
    step(gateway, 4)
    async with connect(MEMORY, priced) as client:
        await answered(client, "get_job", job=job)
        await answered(client, "get_job", job=job)
    assert rows(priced, "state", "cny") == [("done", counted(gateway) / 2)]


async def test_two_readers_at_once_settle_once(priced: Environ, gateway: Sandbox) -> None:
    """Our promise: exactly once, also from several servers on one database, and through several questions at once."""
    async with connect(MEMORY, priced) as one, connect(Cell("memory", HANDSHAKE), priced) as two:
        job = await handed_in(one)
        step(gateway, 4)
        async with anyio.create_task_group() as tasks:
            for client in (one, two) * 4:
                tasks.start_soon(answered, client, "get_job")
                tasks.start_soon(client.read_resource, f"mtu://jobs/{job}")
                tasks.start_soon(client.call_tool, "get_job", {"job": job, "wait": 20})
    assert rows(priced, "state", "cny", "reserved") == [("done", counted(gateway) / 2, 0)]
    assert cost_of_job(priced) == counted(gateway) / 2


def test_a_killed_server_loses_no_batch(priced: Environ, gateway: Sandbox) -> None:
    """Our promise: kill -9 after it was handed in; the row goes on holding what it holds, and is settled later."""
    with running(priced, "serve") as child:
        child.shake_hands()
        arguments = {"prompts": PROMPTS, "model": MODEL, "options": {"max_tokens": 20}}
        asked = {"name": "run_batch", "arguments": arguments}
        child.send({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": asked})
        text = child.answer(1)["result"]["content"][0]["text"]
        child.process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        child.ended()
    job = re.search(r"job-[0-9a-f]{12}", text)
    assert job
    report = json.loads(run(priced, "usage", "--json").stdout)
    assert (report["lost"], report["total"]["held"]) == (0, 30)
    step(gateway, 4)
    done = run(priced, "call", "get_job", f"job={job[0]}")
    assert done.returncode == 0, done.stderr
    assert rows(priced, "state", "cny") == [("done", counted(gateway) / 2)]


@pytest.mark.parametrize("path", ["/v1/files", "/v1/batches"])
def test_a_server_killed_while_it_hands_in_is_found_out(priced: Environ, gateway: Sandbox, path: str) -> None:
    """Our promise: what was not made costs nothing, once somebody looks; until then it is held."""
    gateway.arm("stall:0", path)
    with running(priced, "serve") as child:
        child.shake_hands()
        arguments = {"prompts": PROMPTS, "model": MODEL, "options": {"max_tokens": 20}}
        asked = {"name": "run_batch", "arguments": arguments}
        child.send({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": asked})
        gateway.journal.wait(lambda entry: entry.path == path and bool(entry.notes.get("stalled") or entry.asked))
        child.process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        child.ended()
    gateway.release()
    report = json.loads(run(priced, "usage", "--json").stdout)
    assert (report["lost"], report["total"]["held"], report["total"]["cny"]) == (0, 30, 0)
    connection = sqlite3.connect(priced["MTU_DATABASE_URL"])
    with connection:
        connection.execute("UPDATE jobs SET seen = 0")  # the lease of the dead has run out
    connection.close()
    job = rows(priced, "job")[0][0]
    assert run(priced, "call", "get_job", f"job={job}").returncode == 0
    made = bool(gateway.desk.drawer("batches"))
    if made:
        step(gateway, 4)
        run(priced, "call", "get_job", f"job={job}")
    assert rows(priced, "state", "cny", "reserved") == [("done", counted(gateway) / 2, 0) if made else ("failed", 0, 0)]


async def test_a_stopped_batch_costs_what_ran(priced: Environ, gateway: Sandbox) -> None:
    """OpenAI API reference, cancel batch: partial results are kept; our promise: charged for what ran."""
    async with connect(MEMORY, priced) as client:
        job = await handed_in(client)
        step(gateway, 1)
        [batch] = gateway.desk.drawer("batches").values()
        step(gateway, 1)
        batch.good, batch.status = batch.good[:1], "in_progress"
        await answered(client, "get_job", job=job, cancel=True)
        step(gateway, 1)
        assert f"{job} is cancelled" in await answered(client, "get_job", job=job)
    assert rows(priced, "state", "cny", "reserved") == [("cancelled", counted(gateway) / 2, 0)]
    assert cost_of_job(priced) == counted(gateway) / 2 > 0


async def test_an_expired_batch_costs_what_ran(priced: Environ, gateway: Sandbox) -> None:
    """OpenAI API reference, batch: completed lines of an expired batch are returned and billed."""
    async with connect(MEMORY, priced) as client:
        job = await handed_in(client)
        step(gateway, 2)
        [batch] = gateway.desk.drawer("batches").values()
        batch.good, batch.expires = batch.good[:2], 0
        step(gateway, 1)
        assert f"{job} is failed" in await answered(client, "get_job", job=job)
    assert rows(priced, "state", "cny", "reserved") == [("cut", counted(gateway) / 2, 0)]


async def test_a_batch_the_gateway_does_not_take_costs_nothing(priced: Environ, gateway: Sandbox) -> None:
    """OpenAI API reference, batch: a file that fails its check runs no line."""
    async with connect(MEMORY, priced) as client:
        job = await handed_in(client)
        [stored] = [file for file in gateway.desk.files.all() if file.purpose == "batch"]
        stored.data = b"not json\n"
        step(gateway, 1)
        assert f"{job} is failed" in await answered(client, "get_job", job=job)
    assert rows(priced, "state", "cny", "reserved") == [("failed", 0, 0)]


@pytest.mark.parametrize(("fault", "held"), [("status:400", 0), ("rate-limit:99", 0), ("500", 30), ("not-json", 30)])
async def test_what_the_gateway_refuses_is_let_go_and_what_it_may_have_taken_is_not(
    priced: Environ, gateway: Sandbox, fault: str, held: float
) -> None:
    """Our promise: a lost answer does not mean that nothing was made."""
    gateway.arm(fault, "/v1/batches")
    async with connect(MEMORY, priced) as client:
        await refused(client, "run_batch", prompts=PROMPTS, model=MODEL, options={"max_tokens": 20})
    assert rows(priced, "reserved", "cny") == [(held, 0)]


async def test_a_batch_the_gateway_forgot_is_lost_at_what_it_held(priced: Environ, gateway: Sandbox) -> None:
    """Our promise: lost only when the gateway no longer knows it."""
    async with connect(MEMORY, priced) as client:
        job = await handed_in(client)
        gateway.desk.drawer("batches").clear()
        assert f"{job} is lost" in await answered(client, "get_job", job=job)
    assert rows(priced, "state", "cny", "reserved") == [("lost", 30, 0)]


async def test_lines_that_nobody_counted_cost_their_part(priced: Environ, gateway: Sandbox) -> None:
    """Our promise: an answer without usage is not free."""
    async with connect(MEMORY, priced) as client:
        job = await handed_in(client)
        step(gateway, 2)
        [batch] = gateway.desk.drawer("batches").values()
        for row in batch.good:
            row["response"]["body"].pop("usage")
        step(gateway, 2)
        await answered(client, "get_job", job=job)
    assert rows(priced, "state", "cny", "basis") == [("done", 30, "assumed")]


async def test_a_file_holds_what_its_own_lines_ask_for(priced: Environ, gateway: Sandbox, tmp_path: Path) -> None:
    """Our promise: estimated from the JSONL's prompts, models and bounds."""
    lines = [
        {"custom_id": str(bound), "method": "POST", "url": "/v1/chat/completions", "body": body | {"max_tokens": bound}}
        for bound in (10, 30)
        for body in [{"model": MODEL, "messages": [{"role": "user", "content": "hi"}], "n": 2}]
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    async with connect(MEMORY, {**priced, "MTU_BUDGET_DAY": "100"}) as client:
        await answered(client, "run_batch", file=str(tmp_path / "in.jsonl"))
    assert rows(priced, "reserved") == [(40,)]


async def test_ten_batches_at_once_hold_no_more_than_there_is_room_for(priced: Environ, gateway: Sandbox) -> None:
    """Our promise: concurrent calls cannot slip past a cap together, and nothing of the refused ones is uploaded."""
    environ = {**priced, "MTU_BUDGET_DAY": "99"}
    said: list[str] = []
    async with connect(MEMORY, environ) as client:

        async def one(number: int) -> None:
            asked = {"prompts": [*PROMPTS[1:], f"{number}?"], "model": MODEL, "options": {"max_tokens": 20}}
            said.append(text_of(await client.call_tool("run_batch", asked)))

        async with anyio.create_task_group() as tasks:
            for number in range(10):
                tasks.start_soon(one, number)
    assert sorted(sent(gateway)) == ["/v1/batches"] * 3 + ["/v1/files"] * 3
    assert rows(environ, "sum(reserved)", "count(*)") == [(90, 3)]
    assert sum("CNY 9.0000 remain" in each for each in said) == 7


@pytest.mark.parametrize(("more", "bound"), [({}, None), ({"MTU_BUDGET_DAY": "100000"}, 4096)])
async def test_under_a_cap_each_answer_of_a_batch_is_bound_to_what_is_held_for_it(
    priced: Environ, gateway: Sandbox, more: Environ, bound: int | None
) -> None:
    """Our promise: what is held is the most it may cost; without a cap the prompts are asked as they were."""
    async with connect(MEMORY, {**priced, **more}) as client:
        said = await answered(client, "run_batch", prompts=PROMPTS, model=MODEL)
    [stored] = [file for file in gateway.desk.files.all() if file.purpose == "batch"]
    assert [json.loads(line)["body"].get("max_tokens") for line in stored.data.splitlines()] == [bound] * 3
    assert ("bound to 4,096 tokens" in said) == bool(bound)
    assert rows(priced, "reserved") == [(3 * 4096 / 2,)]


@pytest.mark.parametrize("era", [HANDSHAKE, MEMORY.era])
async def test_the_user_is_asked_about_a_dear_batch(priced: Environ, gateway: Sandbox, era: str) -> None:
    """MCP specification, elicitation; our promise: above MTU_CONFIRM_ABOVE, before anything is sent."""
    asked: list[str] = []

    async def user(_: Any, params: Any) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action="decline")

    environ = {**priced, "MTU_CONFIRM_ABOVE": "29"}
    async with connect(Cell("memory", era), environ, elicitation_callback=user) as client:
        said = await refused(client, "run_batch", prompts=PROMPTS, model=MODEL, options={"max_tokens": 20})
    assert "did not approve" in said
    assert "about CNY 30.00" in asked[0]
    assert len(asked) == 1
    assert sent(gateway) == []
