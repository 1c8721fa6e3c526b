"""Long work: handed off before the host gives up, joined when asked twice, kept when stopped, never paid for twice."""

import os
import signal
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from math import inf
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.types import CallToolResult

from capabilities.material import picture, refused, spent
from connections import CELLS, HANDSHAKE, MEMORY, Cell, connect, text_of
from mtu_mcp.records import Job, Records
from mtu_mcp.sandbox import Sandbox
from mtu_mcp.server.deadlines import OWN, Deadline, patience
from processes import modern, request, running

Environ = dict[str, str]
PATH = "/chat/completions"
QUESTION = "What is 6 * 7?"
SOON = "0.05"
"""Seconds after which a call is handed off here; the gateway is silent until it is released, so nothing is measured."""

some_cells = pytest.mark.parametrize("cell", [one for one in CELLS if one.transport != "sse"], ids=str)


@pytest.fixture
def soon(environ: Environ) -> Environ:
    """Variables of a server that hands off at once."""
    return {**environ, "MTU_HAND_OFF_AFTER": SOON}


async def ask(client: Any, tool: str = "chat", **arguments: Any) -> CallToolResult:
    return await client.call_tool(tool, arguments or {"prompt": QUESTION})


def job_of(result: CallToolResult) -> str:
    """The job an answer names by its link."""
    [link] = [block for block in result.content if block.type == "resource_link"]
    assert link.uri == f"mtu://jobs/{link.name}"
    assert link.name in text_of(result)
    return link.name


@asynccontextmanager
async def records(environ: Environ) -> AsyncGenerator[Records]:
    """The server's database, as another process sees it."""
    kept = Records(Path(environ["MTU_DATABASE_URL"]))
    try:
        yield kept
    finally:
        await kept.aclose()


async def jobs(environ: Environ) -> list[Job]:
    async with records(environ) as kept:
        return await kept.jobs.list()


async def handed_off(client: Any, gateway: Sandbox) -> str:
    """A call that was handed off while the gateway is silent."""
    gateway.arm("stall:3", PATH)
    result = await ask(client)
    assert not result.is_error
    assert "still running" in text_of(result)
    await silence(gateway)
    return job_of(result)


async def fetched(client: Any, job: str) -> CallToolResult:
    """What became of a job; get_job waits no longer than the host does, so it is asked as often as needed."""
    with anyio.fail_after(30):
        while "It goes on" in text_of(result := await ask(client, "get_job", job=job, wait=60)):
            pass
    return result


async def silence(gateway: Sandbox) -> None:
    """Wait until the gateway has fallen silent in the middle of an answer."""
    await gateway.journal.awaited(lambda entry: bool(entry.notes.get("stalled")))


@some_cells
async def test_a_slow_call_is_handed_off_and_its_answer_fetched(cell: Cell, soon: Environ, gateway: Sandbox) -> None:
    """Our promise: a call still running shortly before the host's deadline answers with a job while the work goes on."""
    async with connect(cell, soon) as client:
        job = await handed_off(client, gateway)
        state = text_of(await ask(client, "get_job", job=job))
        assert f"{job} is running" in state
        gateway.release()
        said = text_of(await fetched(client, job))
        assert f"{job} is done" in said
        assert "6 * 7 = 42" in said
        assert '"state": "done"' in (await client.read_resource(f"mtu://jobs/{job}")).contents[0].text
    assert spent(gateway) == 1


async def test_a_call_answered_in_time_makes_no_job(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: a fast call is not written down."""
    async with connect(MEMORY, environ) as client:
        assert "6 * 7 = 42" in text_of(await ask(client))
    assert await jobs(environ) == []


@some_cells
async def test_the_same_call_joins_the_work_handed_off(cell: Cell, soon: Environ, gateway: Sandbox) -> None:
    """Our promise: an identical call joins the running work, says so, and nothing is paid twice."""
    async with connect(cell, soon) as client:
        job = await handed_off(client, gateway)
        assert job_of(await ask(client)) == job
        gateway.release()
        await fetched(client, job)
    assert spent(gateway) == 1


async def test_twenty_equal_calls_at_once_are_one_upstream_call(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: identical calls join; all are answered, and all but the first say so."""
    gateway.arm("stall:0", PATH)
    said: list[str] = []
    async with connect(MEMORY, environ) as client, anyio.create_task_group() as tasks:

        async def one() -> None:
            said.append(text_of(await ask(client)))

        for _ in range(20):
            tasks.start_soon(one)
        await silence(gateway)
        gateway.release()
    assert len(said) == 20
    assert all("6 * 7 = 42" in text for text in said)
    assert sum("running already" in text for text in said) == 19
    assert spent(gateway) == 1
    assert await jobs(environ) == []


async def test_calls_that_differ_in_anything_are_not_joined(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: only the same tool with the same arguments is the same call."""
    async with connect(MEMORY, environ) as client, anyio.create_task_group() as tasks:
        for number in range(4):
            tasks.start_soon(ask, client, "chat")
            tasks.start_soon(lambda number=number: ask(client, "chat", prompt=QUESTION, max_tokens=100 + number))
    assert spent(gateway) == 5


async def test_an_answer_nobody_was_given_is_given_once(soon: Environ, gateway: Sandbox) -> None:
    """Our promise: the same call gets the finished answer, says so, and the next one is a new call."""
    async with connect(MEMORY, soon) as client:
        job = await handed_off(client, gateway)
        async with client.listen(resource_subscriptions=[f"mtu://jobs/{job}"]) as changes:
            gateway.release()
            async for _ in changes:
                if (await ended(soon, job)).state == "done":
                    break
    async with connect(MEMORY, {**soon, "MTU_HAND_OFF_AFTER": "0"}) as client:
        first, second = text_of(await ask(client)), text_of(await ask(client))
    assert "6 * 7 = 42" in first
    assert f"({job}), which nobody had been given" in first
    assert "nobody had been given" not in second
    assert spent(gateway) == 2


async def ended(environ: Environ, job: str) -> Job:
    async with records(environ) as kept:
        found = await kept.jobs.load(job)
    assert found is not None
    return found


async def test_a_delivered_answer_is_not_used_again(soon: Environ, gateway: Sandbox) -> None:
    """Our promise: an answer fetched with get_job was delivered; asked again it is asked anew."""
    async with connect(MEMORY, soon) as client:
        job = await handed_off(client, gateway)
        gateway.release()
        await fetched(client, job)
    async with connect(MEMORY, {**soon, "MTU_HAND_OFF_AFTER": "0"}) as client:
        assert "nobody had been given" not in text_of(await ask(client))
    assert spent(gateway) == 2


@some_cells
async def test_cancelling_the_only_caller_keeps_the_part_that_arrived(
    cell: Cell, environ: Environ, gateway: Sandbox
) -> None:
    """Our promise: the upstream request is closed, and what had arrived is kept in a job."""
    gateway.arm("slow:0.12", PATH)
    async with connect(cell, environ) as client:
        heard = anyio.Event()

        async def hear(_: float, __: float | None, message: str | None) -> None:
            if message and "characters" in message:
                heard.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: client.call_tool("chat", {"prompt": "Count to 300"}, progress_callback=hear))
            with anyio.fail_after(30):
                await heard.wait()
            tasks.cancel_scope.cancel()
        entry = await gateway.journal.awaited(lambda entry: bool(entry.fault and entry.ended))
        assert entry.ended == "client closed"
    [job] = await jobs(environ)
    assert (job.kind, job.state, job.title) == ("call", "cancelled", "chat: Count to 300")
    with closing(sqlite3.connect(environ["MTU_DATABASE_URL"])) as connection:
        [(state, tokens, cny, held)] = connection.execute("SELECT state, output_tokens, cny, reserved FROM ledger")
    assert (state, held) == ("cancelled", 0)
    assert tokens > 0
    assert cny > 0
    async with connect(MEMORY, environ) as client:
        said = text_of(await ask(client, "get_job", job=job.id))
    assert "What had arrived when it was stopped" in said
    assert "\n1" in said


async def test_cancelling_one_of_two_callers_leaves_the_work_to_the_other(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: work stops when nobody waits for it any more, not before."""
    gateway.arm("stall:3", PATH)
    said: list[str] = []
    first = anyio.CancelScope()

    async def give_up(client: Any) -> None:
        with first:
            await ask(client)

    async def stay(client: Any) -> None:
        said.append(text_of(await ask(client)))

    async with connect(MEMORY, environ) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(give_up, client)
        await silence(gateway)
        tasks.start_soon(stay, client)
        await anyio.wait_all_tasks_blocked()
        first.cancel()
        await anyio.wait_all_tasks_blocked()
        gateway.release()
    [text] = said
    assert "6 * 7 = 42" in text
    assert spent(gateway) == 1


async def test_handed_off_work_is_stopped_with_get_job(soon: Environ, gateway: Sandbox) -> None:
    """Our promise: get_job cancels, the upstream request is closed and the part that arrived is told."""
    async with connect(MEMORY, soon) as client:
        job = await handed_off(client, gateway)
        said = text_of(await ask(client, "get_job", job=job, cancel=True))
        entry = await gateway.journal.awaited(lambda entry: bool(entry.fault and entry.ended))
    assert entry.ended == "client closed"
    assert f"{job} is cancelled" in said
    assert "It was stopped with get_job" in said


async def test_an_error_after_the_hand_off_is_the_jobs_failure(soon: Environ, gateway: Sandbox) -> None:
    """Our promise: errors of handed-off work are kept like its answers, and asking again is a new call."""
    gateway.arm("stall:0", "/images/generations")
    async with connect(MEMORY, {**soon, "MTU_TIMEOUT": "0.3"}) as client:
        job = job_of(await ask(client, "generate_image", prompt="a fox"))
        said = text_of(await fetched(client, job))
        assert f"{job} is failed" in said
        assert "0.3 s" in said
        again = text_of(await ask(client, "generate_image", prompt="a fox"))
        assert job not in again
    assert spent(gateway) == 2


async def test_the_server_that_ends_keeps_the_part_of_what_it_was_at(soon: Environ, gateway: Sandbox) -> None:
    """Our promise: running work is stopped when the server ends, and its part is kept."""
    async with connect(MEMORY, soon) as client:
        job = await handed_off(client, gateway)
    found = await ended(soon, job)
    assert found.state == "cancelled"
    assert "The server ended" in found.note
    assert gateway.journal.wait(lambda entry: bool(entry.fault and entry.ended)).ended == "client closed"


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
@pytest.mark.parametrize("ask_in", [request, modern], ids=["handshake", "modern"])
async def test_work_of_a_killed_server_is_lost_and_says_what_it_may_have_cost(
    soon: Environ, gateway: Sandbox, ask_in: Any
) -> None:
    """Our promise: what cannot be resumed after a crash is reported as lost with its cost, never as running."""
    gateway.arm("stall:3", PATH)
    with running(soon, "serve") as child:
        if ask_in is request:
            child.shake_hands()
        child.send(ask_in(1, "tools/call", {"name": "chat", "arguments": {"prompt": QUESTION}}))
        text = child.answer(1)["result"]["content"][0]["text"]
        await silence(gateway)
        child.process.send_signal(signal.SIGKILL)
        child.ended()
    [left] = await jobs(soon)
    assert left.state == "running"
    assert left.id in text
    async with connect(MEMORY, {**soon, "MTU_HAND_OFF_AFTER": "0"}) as client:
        said = text_of(await ask(client, "get_job", job=left.id))
        assert f"{left.id} is lost" in said
        assert "6 * 7 = 42" in text_of(await ask(client))
    assert (await ended(soon, left.id)).cost is not None


async def test_what_is_free_is_never_handed_off(soon: Environ, gateway: Sandbox) -> None:
    """Our promise: tools that only look things up answer themselves."""
    gateway.arm("slow:0.3", "/models")
    async with connect(MEMORY, soon) as client:
        assert "still running" not in text_of(await ask(client, "list_models", can="chat"))


async def test_pictures_come_back_from_their_job_as_files(soon: Environ, gateway: Sandbox) -> None:
    """Our promise: every slow tool has it by one mechanism; pictures are kept as files, not twice."""
    gateway.arm("stall:0", "/images/generations")
    async with connect(MEMORY, soon) as client:
        job = job_of(await ask(client, "generate_image", prompt="a fox"))
        await silence(gateway)
        gateway.release()
        result = await fetched(client, job)
    assert "Saved" in text_of(result)
    assert {"image", "resource_link"} <= {block.type for block in result.content}
    assert "data" not in str((await ended(soon, job)).result)


async def test_a_database_that_cannot_be_written_hands_nothing_off(
    soon: Environ, gateway: Sandbox, tmp_path: Path
) -> None:
    """Our promise: without a place to keep it, an answer is waited for."""
    (tmp_path / "file").write_bytes(picture())
    gateway.arm("slow:0.05", PATH)
    async with connect(MEMORY, {**soon, "MTU_DATABASE_URL": str(tmp_path / "file" / "mtu.db")}) as client:
        assert "6 * 7 = 42" in text_of(await ask(client))


async def test_a_refused_call_is_not_kept(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: a refused call is not kept, and fails for itself each time."""
    async with connect(Cell("memory", HANDSHAKE), environ) as client:
        for _ in range(2):
            await refused(client, "chat", prompt="hello", model="no-such-model")
    assert await jobs(environ) == []


@pytest.mark.parametrize(
    ("client", "version", "override", "seconds"),
    [
        ("", "", None, 45.0),
        ("some-editor", "1.2", None, 45.0),
        ("claude-ai", "0.1.0", None, 45.0),
        ("claude-code", "2.1.330", None, 285.0),
        ("claude-code", "2.1.330", 20.0, 20.0),
        ("some-editor", "1.2", 0.0, inf),
        (OWN, "1", 5.0, inf),
    ],
)
def test_the_time_of_a_hand_off_depends_on_the_host(
    client: str, version: str, override: float | None, seconds: float
) -> None:
    """Claude Desktop gave up after 60 s, clients of the SDK do; 45 s where nothing is known; the setting goes first."""
    assert patience(client, version, override) == seconds


def test_a_deadline_may_hold_from_a_version_on() -> None:
    """Our promise: hosts are told apart by name and version."""
    table = (Deadline("host", 60), Deadline("host", 240, since="1.10"))
    assert [patience("Host", version, None, table) for version in ("1.9.3", "1.10.0", "2", "odd")] == [45, 225, 225, 45]
