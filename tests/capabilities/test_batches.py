"""`run_batch` and `get_job`: handed in once, found again by anyone, told truly."""

import json
import re
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.types import ResourceTemplateReference

from capabilities.material import answered, call, refused, spent
from connections import HANDSHAKE, MEMORY, Cell, connect, roots, text_of
from mtu_mcp.records import Records
from mtu_mcp.sandbox import Sandbox
from mtu_mcp.sandbox.faults import FAULTS

Environ = dict[str, str]
PROMPTS = ["What is 1+1?", "What is 2+2?", "重复：你好"]


@pytest.fixture
def listed(environ: Environ, tmp_path: Path) -> Environ:
    return environ | {"MTU_TOOLSETS": "core,batches", "MTU_ALLOWED_DIRS": str(tmp_path), "MTU_MAX_RETRIES": "0"}


def request(number: int, model: str = "gpt-4o-mini", **changes: Any) -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": f"What is {number}+1?"}]}
    return {"custom_id": f"n{number}", "method": "POST", "url": "/v1/chat/completions", "body": body, **changes}


def jsonl(*lines: Any) -> str:
    return "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)


async def handed_in(client: Client, **arguments: Any) -> str:
    """Run a batch and give the id of its job."""
    said = await answered(client, "run_batch", **arguments)
    found = re.search(r"job-[0-9a-f]{12}", said)
    assert found, said
    return found[0]


async def state_of(environ: Environ, job_id: str) -> Any:
    records = Records(Path(environ["MTU_DATABASE_URL"]))
    job = await records.jobs.load(job_id)
    await records.aclose()
    assert job is not None
    return job


def posts(gateway: Sandbox, path: str) -> int:
    return sum(entry.method == "POST" for entry in gateway.journal.find(path))


@pytest.mark.parametrize("cell", [MEMORY, Cell("memory", HANDSHAKE)], ids=str)
async def test_prompts_are_answered_and_saved_at_half_the_price(cell: Cell, listed: Environ, gateway: Sandbox) -> None:
    """OpenAI API reference and Model Studio, batch: results file, half price."""
    async with connect(cell, listed) as client:
        job = await handed_in(client, prompts=PROMPTS, model="gpt-4o-mini", system="Be brief", options={"seed": 7})
        result = await call(client, "get_job", job=job, wait=30)
        said = text_of(result)
        assert f"{job} is done: 3 prompts for gpt-4o-mini: What is 1+1?" in said
        assert "| 1 | What is 1+1? | 1+1 = 2 [embedded gateway] |" in said
        assert "| 3 | 重复：你好 | 你好 [embedded gateway] |" in said
        assert "3 answered, 0 refused" in said
        assert re.search(r"\[gpt-4o-mini · \d+ tokens in, \d+ out", said)
        [link] = [block for block in result.content if block.type == "resource_link"]
    lines = (await anyio.Path(listed["MTU_OUTPUT_DIR"], link.name).read_text(encoding="utf-8")).splitlines()
    assert [json.loads(line)["custom_id"] for line in lines] == ["1", "2", "3"]
    [stored] = [file for file in gateway.desk.files.all() if file.purpose == "batch"]
    body = json.loads(stored.data.splitlines()[0])["body"]
    assert body["messages"][0] == {"role": "system", "content": "Be brief"}
    assert body["seed"] == 7
    assert (await state_of(listed, job)).delivered


async def test_the_receipt_halves_a_known_price(listed: Environ, gateway: Sandbox, tmp_path: Path) -> None:
    """Model Studio: batch calls are billed at 50 %; our promise: marked as an estimate."""
    from mtu_mcp.catalogue import Catalogue
    from mtu_mcp.gateway import Usage
    from mtu_mcp.settings import Settings

    async def nothing() -> list[Any]:
        return []

    catalogue = Catalogue(Settings.read({}), nothing)
    usage = Usage(input_tokens=1000, output_tokens=1000)
    whole, half = (catalogue.estimate("qwen-omni-turbo", usage, batch=batch) for batch in (False, True))
    assert whole is not None
    assert half is not None
    assert half.cny == pytest.approx(whole.cny / 2)
    row = {"custom_id": "1", "response": {"status_code": 200, "body": {"choices": [], "usage": {}}}, "error": None}
    row["response"]["body"] |= {"usage": {"prompt_tokens": 1000, "completion_tokens": 1000}, "model": "qwen-omni-turbo"}
    made = gateway.desk.files.add(jsonl(row).encode(), "out.jsonl", "batch_output").id
    async with connect(MEMORY, listed) as client:
        job = await handed_in(client, prompts=["x"], model="qwen-omni-turbo")
        [batch] = gateway.desk.drawer("batches").values()
        batch.status, batch.output_file_id = "completed", made
        said = await answered(client, "get_job", job=job)
    assert f"about CNY {half.cny:.4f} (batch, half the list price)" in said
    assert (await state_of(listed, job)).cost == pytest.approx(half.cny)


async def test_a_file_of_requests_is_handed_in_as_it_is(listed: Environ, gateway: Sandbox, tmp_path: Path) -> None:
    """OpenAI API reference, batch input; refused lines come in a file of their own."""
    path = tmp_path / "mine.jsonl"
    path.write_text(jsonl(request(1), "", request(2), request(3, body={"model": "gpt-4o-mini"})), encoding="utf-8")
    async with connect(MEMORY, listed, list_roots_callback=roots(tmp_path)) as client:
        job = await handed_in(client, file=str(path))
        said = await answered(client, "get_job", job=job, wait=30)
    assert "2 answered, 1 refused" in said
    assert "| n3 | Missing required parameter: 'messages'. |" in said
    assert "Refused: " in said
    [stored] = [file for file in gateway.desk.files.all() if file.purpose == "batch"]
    assert stored.data == path.read_bytes()
    assert stored.name == "mine.jsonl"


@pytest.mark.parametrize(
    ("endpoint", "model", "answer"),
    [("responses", "gpt-4o", "1+1 = 2"), ("embeddings", "text-embedding-3-small", "numbers")],
)
async def test_other_endpoints_are_batched_too(listed: Environ, endpoint: str, model: str, answer: str) -> None:
    """OpenAI API reference, create batch: endpoint."""
    async with connect(MEMORY, listed) as client:
        job = await handed_in(client, prompts=["What is 1+1?"], endpoint=endpoint, model=model)
        assert answer in await answered(client, "get_job", job=job, wait=30)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["not json"], "line 1: it is not a JSON object"),
        ([request(1), request(1)], "line 2: its custom_id 'n1' stands on an earlier line"),
        ([request(1), request(2, method="GET")], 'line 2: its method is not "POST"'),
        ([request(1), request(2, url="/v1/embeddings")], "line 2: its url is /v1/embeddings, that of the lines before"),
        ([request(1), request(2, "gpt-4o")], "line 2: its model is gpt-4o, that of the lines before is gpt-4o-mini"),
        ([request(1, body={"messages": []})], "line 1: its body names no model"),
        ([request(1, body=3)], "line 1: it has no body"),
        ([request(1, custom_id=7)], "line 1: it has no custom_id"),
        ([request(1, body={"model": "gpt-4o", "stream": True})], "line 1: it asks for a stream"),
        (["\n"], "The file holds no requests."),
        (["x"] * 9, "line 5: it is not a JSON object."),
    ],
)
async def test_a_wrong_file_is_refused_with_its_lines_before_anything_is_sent(
    listed: Environ, gateway: Sandbox, tmp_path: Path, lines: list[Any], said: str
) -> None:
    """OpenAI API reference, batch input format; our promise: checked before sending."""
    (tmp_path / "in.jsonl").write_text(jsonl(*lines), encoding="utf-8")
    async with connect(MEMORY, listed) as client:
        assert said in await refused(client, "run_batch", file=str(tmp_path / "in.jsonl"))
        assert "There are no jobs." in await answered(client, "get_job")
    assert not spent(gateway)


async def test_limits_are_checked_with_the_figures(listed: Environ, gateway: Sandbox, tmp_path: Path) -> None:
    """OpenAI: 50,000 requests; Model Studio: 6 MB a line."""
    many = tmp_path / "many.jsonl"
    line = json.dumps(request(1))
    many.write_text("".join(line.replace('"n1"', f'"n{n}"') + "\n" for n in range(50_001)), encoding="utf-8")
    long = tmp_path / "long.jsonl"
    long.write_text(jsonl(request(1, "qwen-plus", note="x" * 6_300_000)), encoding="utf-8")
    async with connect(MEMORY, listed) as client:
        assert "more than 50,000 lines" in await refused(client, "run_batch", file=str(many))
        assert "qwen-plus takes 6,291,456" in await refused(client, "run_batch", file=str(long))
        assert "Prompt 2 is empty" in await refused(client, "run_batch", prompts=["a", " "])
    assert not spent(gateway)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "Give prompts or a file"),
        ({"prompts": ["x"], "file": "a.jsonl"}, "one of the two"),
        ({"prompts": []}, "Give prompts or a file"),
        ({"file": "/etc/passwd"}, "MTU_ALLOWED_DIRS"),
        ({"file": "a.jsonl", "model": "gpt-4o"}, "stand in its lines"),
        ({"prompts": ["x"], "completion_window": "soon"}, "completion_window"),
        ({"prompts": ["x"], "completion_window": "99h"}, "completion_window"),
        ({"prompts": ["x"], "endpoint": "audio/speech"}, "endpoint"),
        ({"prompts": ["x"], "options": {"messages": []}}, "options may not set messages"),
    ],
)
async def test_hostile_arguments_give_a_reason(listed: Environ, arguments: dict[str, Any], said: str) -> None:
    """Our promise: an error says what to fix."""
    async with connect(MEMORY, listed) as client:
        assert said in await refused(client, "run_batch", **arguments)


async def test_a_batch_outlives_the_server(other_gateway: Any) -> None:
    """Our promise: jobs outlive the call, the session and the process."""
    sandbox, environ = other_gateway(batch_polls=0)
    async with connect(MEMORY, environ) as client:
        job = await handed_in(client, prompts=PROMPTS, model="gpt-4o-mini")
        assert f"{job} is running" in await answered(client, "get_job", job=job)
    step(sandbox, 3)
    async with connect(MEMORY, environ) as client:
        assert job in await answered(client, "get_job")
        assert "1+1 = 2" in await answered(client, "get_job", job=job)
        downloads = len(sandbox.journal.find("/content"))
        assert "1+1 = 2" in await answered(client, "get_job", job=job)
    assert len(sandbox.journal.find("/content")) == downloads
    assert posts(sandbox, "/v1/batches") == 1


def step(sandbox: Sandbox, times: int) -> None:
    for _ in range(times):
        httpx.post(f"{sandbox.root}/sandbox/batches/step", trust_env=False)


async def test_two_servers_on_one_database_fetch_results_once(other_gateway: Any) -> None:
    """Our promise: two hosts share the file; a result is written down once."""
    sandbox, environ = other_gateway(batch_polls=0)
    async with connect(MEMORY, environ) as one, connect(MEMORY, environ) as two:
        job = await handed_in(one, prompts=PROMPTS, model="gpt-4o-mini")
        step(sandbox, 3)
        heard: list[str] = []

        async def ask(client: Client) -> None:
            heard.append(await answered(client, "get_job", job=job, wait=20))

        async with anyio.create_task_group() as tasks:
            for client in (one, two):
                tasks.start_soon(ask, client)
    assert all(f"{job} is done" in said for said in heard)
    assert len(sandbox.journal.find("/content")) == 1


async def left_behind(environ: Environ, *, file_id: str = "") -> str:
    """What a server that was killed while it handed a batch in leaves in the database."""
    records = Records(Path(environ["MTU_DATABASE_URL"]), lambda: 1_000.0)
    job = await records.jobs.create("batch", "killed", {"model": "gpt-4o-mini", "lines": 1, "file_id": file_id})
    assert await records.jobs._take(job.id)  # pyright: ignore[reportPrivateUsage] - it died holding the job
    await records.aclose()
    return job.id


async def test_a_server_killed_before_the_upload_leaves_a_lost_job(listed: Environ, gateway: Sandbox) -> None:
    """Our promise: what cannot be resumed is reported as lost, never as running."""
    job = await left_behind(listed)
    async with connect(MEMORY, listed) as client:
        said = await answered(client, "get_job", job=job)
    assert f"{job} is lost" in said
    assert "nothing is billed" in said
    assert not posts(gateway, "/v1/batches")


async def test_a_server_killed_between_upload_and_batch_leaves_a_lost_job(listed: Environ, gateway: Sandbox) -> None:
    """Our promise: the gateway's own list decides; nothing is made twice."""
    file_id = gateway.desk.files.add(jsonl(request(1)).encode(), "batch.jsonl", "batch").id
    job = await left_behind(listed, file_id=file_id)
    async with connect(MEMORY, listed) as client:
        said = await answered(client, "get_job", job=job)
    assert f"{job} is lost" in said
    assert file_id in said
    assert not posts(gateway, "/v1/batches")


async def test_a_server_killed_after_the_batch_was_made_finds_it_again(listed: Environ, gateway: Sandbox) -> None:
    """Our promise: never paid twice."""
    file_id = gateway.desk.files.add(jsonl(request(1)).encode(), "batch.jsonl", "batch").id
    body = {"input_file_id": file_id, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    async with httpx.AsyncClient(headers={"authorization": "Bearer sk-x"}, trust_env=False) as raw:
        await raw.post(f"{gateway.base_url}/batches", json=body)
    job = await left_behind(listed, file_id=file_id)
    async with connect(MEMORY, listed) as client:
        said = await answered(client, "get_job", job=job, wait=30)
    assert f"{job} is done" in said
    assert "1+1 = 2" in said
    assert posts(gateway, "/v1/batches") == 1


@pytest.mark.parametrize("path", ["/v1/files", "/v1/batches"])
async def test_a_call_stopped_while_handing_in_is_found_out(listed: Environ, gateway: Sandbox, path: str) -> None:
    """Our promise: stop means stop, and what was made by then is not lost."""
    async with connect(MEMORY, listed) as client:
        gateway.arm("stall:0", path)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "run_batch", {"prompts": ["What is 1+1?"], "model": "gpt-4o-mini"})
            await gateway.journal.awaited(lambda entry: entry.path == path and entry.asked is not None)
            tasks.cancel_scope.cancel()
        await gateway.journal.awaited(lambda entry: entry.path == path and entry.ended == "client closed")
        job = (await answered(client, "get_job")).split()[1]
        said = await answered(client, "get_job", job=job, wait=30)
    assert f"{job} is {'cancelled' if path == '/v1/files' else 'done'}" in said
    assert posts(gateway, "/v1/batches") == (path == "/v1/batches")


@pytest.mark.parametrize("fault", ["empty", "not-json", "cut", "html", "500"])
async def test_an_answer_lost_while_handing_in_is_found_out(listed: Environ, gateway: Sandbox, fault: str) -> None:
    """Our promise: an unknown outcome is looked up, not repeated."""
    async with connect(MEMORY, listed) as client:
        gateway.arm(fault, "/v1/batches")
        said = await refused(client, "run_batch", prompts=PROMPTS, model="gpt-4o-mini")
        gateway.desk.faults.clear()
        found = re.search(r"get_job\(job='(job-\w+)'\)", said)
        made = bool(gateway.desk.drawer("batches"))
        if fault == "html":  # a web page is no gateway
            return
        assert found, said
        said = await answered(client, "get_job", job=found[1], wait=30)
    assert f"{found[1]} is {'done' if made else 'lost'}" in said
    assert posts(gateway, "/v1/batches") == 1


async def test_results_that_are_missing_are_said_to_be(listed: Environ, gateway: Sandbox) -> None:
    """Our promise: a lying gateway is not believed."""
    async with connect(MEMORY, listed) as client:
        jobs = [await handed_in(client, prompts=["What is 1+1?"], model="gpt-4o-mini") for _ in range(4)]
        gone, none, short, ghost = gateway.desk.drawer("batches").values()
        for batch in (gone, none, short):
            batch.status = "completed"
        gone.output_file_id = "file-gone"
        short.output_file_id = gateway.desk.files.add(b'{"custom_id":"1"}\nrubbish\n', "o.jsonl", "batch_output").id
        short.lines = [request(n) for n in range(5)]
        del gateway.desk.drawer("batches")[ghost.id]
        told = [await answered(client, "get_job", job=job) for job in jobs]
    assert "is failed" in told[0]
    assert "file-gone cannot be fetched" in told[0]
    assert "is failed" in told[1]
    assert "its results are not there" in told[1]
    assert "is done" in told[2]
    assert "counts 5 lines; only 2 came back" in told[2]
    assert "1 of these lines cannot be read" in told[2]
    assert "is lost" in told[3]
    assert "no longer knows the batch" in told[3]


async def test_a_file_the_gateway_does_not_take_is_told_with_its_lines(listed: Environ, gateway: Sandbox) -> None:
    """OpenAI API reference, batch object: errors with line numbers."""
    async with connect(MEMORY, listed) as client:
        job = await handed_in(client, prompts=["x"], model="gpt-4o-mini")
        [stored] = gateway.desk.files.all()
        stored.data = b"spoilt on its way\n"
        said = await answered(client, "get_job", job=job, wait=30)
    assert f"{job} is failed" in said
    assert "The gateway did not take the file. line 1: This line is not parseable as valid JSON." in said


async def test_a_batch_can_be_stopped(other_gateway: Any) -> None:
    """OpenAI API reference, cancel batch; what has run is fetched."""
    sandbox, environ = other_gateway(batch_polls=0)
    async with connect(MEMORY, environ) as client:
        job = await handed_in(client, prompts=PROMPTS, model="gpt-4o-mini")
        step(sandbox, 2)
        said = await answered(client, "get_job", job=job, cancel=True)
        assert "the gateway says cancelling" in said
        assert "The gateway is still ending it; ask again with wait." in said
        step(sandbox, 1)
        said = await answered(client, "get_job", job=job)
        assert f"{job} is cancelled" in said
        assert "1+1 = 2" in said
        assert f"{job} is cancelled" in await answered(client, "get_job", job=job, cancel=True)


async def test_an_expired_batch_says_what_was_left(other_gateway: Any) -> None:
    """OpenAI API reference: expired."""
    now = [1_795_000_000.0]
    _, environ = other_gateway(clock=lambda: now[0])
    async with connect(MEMORY, environ) as client:
        job = await handed_in(client, prompts=PROMPTS, model="gpt-4o-mini")
        await answered(client, "get_job", job=job)
        now[0] += 90_000
        said = await answered(client, "get_job", job=job, wait=30)
    assert f"{job} is failed" in said
    assert "Its window was over" in said


@pytest.mark.parametrize("options", [{"dialect": "new-api"}, {"without": ("/files",)}, {"without": ("/batches",)}])
async def test_a_gateway_without_batches_says_so_in_a_sentence(other_gateway: Any, options: dict[str, Any]) -> None:
    """New API answers 501, others 404."""
    _, environ = other_gateway(**options)
    async with connect(MEMORY, environ) as client:
        said = await refused(client, "run_batch", prompts=PROMPTS, model="gpt-4o-mini")
        assert re.match(r"This gateway does not offer (files|batches) \(it answered \d+\), which a batch needs\.", said)
        assert "failed" in await answered(client, "get_job")


async def test_dashscope_takes_batches_by_its_own_rules(other_gateway: Any) -> None:
    """Model Studio, batch: windows up to 14 days, ds_name."""
    sandbox, environ = other_gateway(dialect="dashscope")
    async with connect(MEMORY, environ) as client:
        job = await handed_in(client, prompts=PROMPTS, model="qwen-plus", completion_window="14d")
        assert f"{job} is done" in await answered(client, "get_job", job=job, wait=30)
    [batch] = sandbox.desk.drawer("batches").values()
    assert batch.metadata["ds_description"] == job
    assert len(batch.metadata["ds_name"]) <= 100


@pytest.mark.parametrize("path", ["/v1/files", "/v1/batches"])
@pytest.mark.parametrize("fault", [name for name in FAULTS if name != "stall"])
async def test_every_fault_of_a_gateway_gives_an_answer(
    listed: Environ, gateway: Sandbox, fault: str, path: str
) -> None:
    """Our promise: a clear error, or an answer; the server lives on, and the job says how it stands."""
    async with connect(MEMORY, listed) as client:
        gateway.arm(fault, path)
        said = text_of(await call(client, "run_batch", prompts=PROMPTS, model="gpt-4o-mini"))
        assert "Something inside mtu-mcp broke" not in said
        gateway.desk.faults.clear()
        jobs = await answered(client, "get_job")
        job = jobs.split()[1]
        final = await answered(client, "get_job", job=job, wait=30)
        assert re.search(r"is (done|failed|lost)", final), final


@pytest.mark.parametrize("fault", [name for name in FAULTS if name != "stall"])
async def test_every_fault_while_asking_leaves_the_job_to_be_asked_again(
    listed: Environ, gateway: Sandbox, fault: str
) -> None:
    """Our promise: a gateway's bad moment loses no result."""
    async with connect(MEMORY, listed) as client:
        job = await handed_in(client, prompts=PROMPTS, model="gpt-4o-mini")
        batch = next(iter(gateway.desk.drawer("batches")))
        gateway.arm(fault, f"/batches/{batch}")
        gateway.arm(fault, "/content")
        for _ in range(7):
            said = text_of(await call(client, "get_job", job=job))
            assert "Something inside mtu-mcp broke" not in said
        gateway.desk.faults.clear()
        final = await answered(client, "get_job", job=job, wait=30)
    assert re.search(r"is (done|lost|failed)", final), final
    if fault not in ("not-offered", "status", "filtered", "html"):
        assert "1+1 = 2" in final


async def test_a_job_that_is_not_there_is_not_found(listed: Environ) -> None:
    """Our promise: an error says what to do."""
    async with connect(MEMORY, listed) as client:
        for job in ("job-none", "../x", "\u0000", "x" * 500):
            assert "There is no job" in await refused(client, "get_job", job=job)
        with pytest.raises(MCPError, match="There is no job"):
            await client.read_resource("mtu://jobs/job-none")


async def test_a_job_is_a_resource_and_completes(listed: Environ) -> None:
    """Model Context Protocol, resource templates and completion."""
    async with connect(MEMORY, listed) as client:
        job = await handed_in(client, prompts=PROMPTS, model="gpt-4o-mini")
        read = json.loads((await client.read_resource(f"mtu://jobs/{job}")).contents[0].text)
        assert (read["id"], read["kind"], read["state"]) == (job, "batch", "running")
        ref = ResourceTemplateReference(type="ref/resource", uri="mtu://jobs/{job}")
        for typed in ("job-", "what is 1"):
            assert (await client.complete(ref, {"name": "job", "value": typed})).completion.values == [job]


async def test_jobs_of_another_version_are_shown_as_they_were_left(listed: Environ) -> None:
    """Our promise: a newer program's jobs are not touched."""
    records = Records(Path(listed["MTU_DATABASE_URL"]))
    job = await records.jobs.create("painting", "from the future", {})
    await records.aclose()
    async with connect(MEMORY, listed) as client:
        assert f"{job.id} is queued: from the future" in await answered(client, "get_job", job=job.id, wait=0.2)
        assert "cannot stop jobs of the kind 'painting'" in await refused(client, "get_job", job=job.id, cancel=True)


async def test_without_a_database_nothing_is_handed_in(listed: Environ, gateway: Sandbox, tmp_path: Path) -> None:
    """Our promise: what could not be found again is not begun."""
    (tmp_path / "bad.db").write_bytes(b"not a database" * 100)
    async with connect(MEMORY, listed | {"MTU_DATABASE_URL": str(tmp_path / "bad.db")}) as client:
        assert "damaged" in await refused(client, "run_batch", prompts=PROMPTS, model="gpt-4o-mini")
        assert "damaged" in await refused(client, "get_job")
    assert not spent(gateway)


async def test_the_tools_are_small(listed: Environ) -> None:
    """Our promise: the list of tools stays small."""
    async with connect(MEMORY, listed) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    for name, most in (("run_batch", 220), ("get_job", 120)):
        tool = tools[name].model_dump(by_alias=True, exclude_none=True)
        assert len(json.dumps(tool, ensure_ascii=False, separators=(",", ":"))) / 4 <= most
