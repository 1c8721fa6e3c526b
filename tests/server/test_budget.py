"""Money through real clients on the real server: what is entered, what is refused, who is asked."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.types import ElicitResult

from books import rows
from connections import CELLS, HANDSHAKE, MEMORY, MODERN, Cell, connect, text_of
from mtu_mcp.sandbox import Sandbox
from processes import running

Environ = dict[str, str]
MODEL = "qwen-plus"
both_eras = pytest.mark.parametrize("era", [HANDSHAKE, MODERN])


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def gateway(shared: Sandbox) -> Sandbox:
    shared.desk.faults.clear()
    shared.release()
    shared.journal.clear()
    return shared


@pytest.fixture
def priced(environ: Environ, tmp_path: Path) -> Environ:
    """Variables of a server where each call of one model costs exactly one yuan, before and after."""
    prices = {"input_text": 0, "output_text": 0, "call": 1}
    file = tmp_path / "models.json"
    file.write_text(json.dumps({"models": {MODEL: {"prices": prices}}}), encoding="utf-8")
    return {**environ, "MTU_MODELS_FILE": str(file)}


async def chat(client: Any, prompt: str = "What is 6 * 7?", **arguments: Any) -> Any:
    return await client.call_tool("chat", {"prompt": prompt, "model": MODEL, **arguments})


async def test_a_call_is_one_settled_row_whose_sum_is_the_receipts(environ: Environ) -> None:
    """Our promise: receipts and ledger are the same figures."""
    async with connect(MEMORY, environ) as client:
        said = text_of(await chat(client, model="qwen-math-plus"))
    [(tool, model, state, basis, cny, reserved, sent, ended)] = rows(
        environ, "tool", "model", "state", "basis", "cny", "reserved", "input_tokens", "ended"
    )
    assert (tool, model, state, basis, reserved) == ("chat", "qwen-math-plus", "done", "list", 0)
    assert f"about CNY {cny:.4f} (list price)" in said
    assert f"{sent:,} tokens in" in said
    assert ended


async def test_without_a_cap_an_unknown_price_is_unknown_and_with_one_it_is_assumed(environ: Environ) -> None:
    """Our promise: a cap counts what nobody knows at a ceiling, and everything that shows it says so."""
    async with connect(MEMORY, environ) as client:
        assert "CNY" not in text_of(await chat(client, model="acme/tiny:free", max_tokens=100))
    async with connect(MEMORY, {**environ, "MTU_BUDGET_DAY": "100"}) as client:
        assert "(assumed price)" in text_of(await chat(client, model="acme/tiny:free", max_tokens=100))
    found = rows(environ, "basis", "cny")
    assert [basis for basis, _ in found] == ["unknown", "assumed"]
    assert found[0][1] == 0 < found[1][1]


@pytest.mark.parametrize(
    ("fault", "state", "basis"),
    [("500", "failed", "none"), ("cut:3", "cut", "assumed"), ("not-json", "failed", "assumed")],
)
async def test_a_call_that_ends_badly_is_one_row_too(
    priced: Environ, gateway: Sandbox, fault: str, state: str, basis: str
) -> None:
    """Our promise: written once however it ends; what the gateway refused costs nothing."""
    gateway.arm(fault, "/chat/completions")
    async with connect(MEMORY, {**priced, "MTU_BUDGET_DAY": "100"}) as client:
        await chat(client, "Count to 300", model="acme/tiny:free", max_tokens=100)
    assert rows(priced, "state", "basis", "reserved") == [(state, basis, 0)]


async def test_a_retry_is_the_same_row_under_the_same_key(priced: Environ, gateway: Sandbox) -> None:
    """OpenAI API reference: an Idempotency-Key names one request however often it is sent."""
    gateway.arm("rate-limit:0", "/chat/completions")
    async with connect(MEMORY, priced) as client:
        assert not (await chat(client)).is_error
    [(state, key, cny)] = rows(priced, "state", "idempotency_key", "cny")
    assert (state, cny) == ("done", 1)
    assert len(gateway.journal.find("chat/completions")) == 2
    assert key


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.transport in ("memory", "http")], ids=str)
async def test_a_cancelled_call_is_settled_at_what_went_in_and_had_arrived(
    cell: Cell, environ: Environ, gateway: Sandbox
) -> None:
    """Our promise: charged as estimated, by the part that arrived."""
    gateway.arm("stall:3", "/chat/completions")
    async with connect(cell, environ) as client:
        async with anyio.create_task_group() as tasks:

            async def hang() -> None:
                await chat(client, "Count to 300", model="qwen-math-plus")

            tasks.start_soon(hang)
            await gateway.journal.awaited(lambda entry: bool(entry.notes.get("stalled")))
            tasks.cancel_scope.cancel()
        await gateway.journal.awaited(lambda entry: entry.ended == "client closed")
        await client.call_tool("list_models", {"can": "chat"})
    [(state, basis, cny, reserved)] = rows(environ, "state", "basis", "cny", "reserved")
    assert (state, basis, reserved) == ("cancelled", "list", 0)
    assert 0 < cny < 0.01


async def test_fifty_calls_at_once_spend_what_the_cap_has_room_for(priced: Environ, gateway: Sandbox) -> None:
    """Our promise: reserve, then settle; concurrent calls cannot slip past a cap together."""
    results: list[Any] = []

    async with connect(MEMORY, {**priced, "MTU_BUDGET_DAY": "3"}) as client:

        async def one(number: int) -> None:
            results.append(await chat(client, f"Repeat: {number}"))

        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(one, number)
    refused = [text_of(result) for result in results if result.is_error]
    assert (len(results), len(refused)) == (50, 47)
    assert len(gateway.journal.find("chat/completions")) == 3
    assert rows(priced, "sum(cny)", "count(*)", "sum(reserved)") == [(3, 3, 0)]
    assert all("MTU_BUDGET_DAY" in said and "CNY 0.0000 remain" in said for said in refused)


def test_two_processes_share_a_cap_through_their_database(priced: Environ, gateway: Sandbox) -> None:
    """Our promise: the cap belongs to the database; two hosts each start a server."""
    environ = {**priced, "MTU_BUDGET_MONTH": "3"}
    with running(environ, "serve") as one, running(environ, "serve") as two:
        for child in (one, two):
            child.shake_hands()
        for number in range(16):
            asked = {"name": "chat", "arguments": {"prompt": f"Repeat: {number}", "model": MODEL}}
            child = (one, two)[number % 2]
            child.send({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": asked})
        ended = [child.next() for child in (one, two) for _ in range(8)]
    spent = [answer for answer in ended if not answer["result"].get("isError")]
    assert len(spent) == len(gateway.journal.find("chat/completions")) == 3
    assert rows(priced, "sum(cny)") == [(3,)]


@pytest.mark.parametrize(
    ("variable", "says"),
    [("CALL", "one call"), ("DAY", "wait until tomorrow"), ("MONTH", "wait until next month")],
)
async def test_a_refusal_says_what_remains_and_what_to_change(
    priced: Environ, gateway: Sandbox, variable: str, says: str
) -> None:
    """Our promise: caps refuse before spending, with the remaining sum."""
    async with connect(MEMORY, {**priced, f"MTU_BUDGET_{variable}": "0.25"}) as client:
        said = text_of(await chat(client))
    assert "This was not sent: it may cost up to CNY 1.0000" in said
    assert "CNY 0.2500 remain" in said
    assert f"MTU_BUDGET_{variable}" in said
    assert says in said
    assert not gateway.journal.find("chat/completions")
    assert rows(priced, "count(*)") == [(0,)]


async def test_the_cap_of_a_call_holds_for_all_its_parts_together(priced: Environ, gateway: Sandbox) -> None:
    """Our promise: one call of a tool, however many upstream calls it makes."""
    environ = {**priced, "MTU_BUDGET_CALL": "2", "MTU_TOOLSETS": "core,compare"}
    async with connect(MEMORY, environ) as client:
        for _ in range(3):
            assert not (await chat(client)).is_error
    assert len(gateway.journal.find("chat/completions")) == 3
    assert rows(priced, "count(DISTINCT call)") == [(3,)]


class User:
    """A user who answers every question the same, and remembers them."""

    def __init__(self, action: Any, approve: bool = True) -> None:
        self.action = action
        self.approve = approve
        self.asked: list[str] = []

    async def __call__(self, _: Any, params: Any) -> ElicitResult:
        self.asked.append(params.message)
        return ElicitResult(action=self.action, content={"approve": self.approve} if self.action == "accept" else None)


@both_eras
async def test_a_user_who_agrees_is_asked_once_and_the_call_is_made(
    era: str, priced: Environ, gateway: Sandbox
) -> None:
    """MCP specification, elicitation, in both eras; our promise: above MTU_CONFIRM_ABOVE."""
    user = User("accept")
    environ = {**priced, "MTU_CONFIRM_ABOVE": "0.5"}
    async with connect(Cell("memory", era), environ, elicitation_callback=user) as client:
        assert not (await chat(client)).is_error
    [asked] = user.asked
    assert f"chat with {MODEL} may cost up to about CNY 1.00" in asked
    assert len(gateway.journal.find("chat/completions")) == 1
    assert rows(priced, "state") == [("done",)]


@both_eras
@pytest.mark.parametrize(("action", "approve"), [("accept", False), ("decline", True), ("cancel", True)])
async def test_a_user_who_does_not_agree_pays_nothing(
    era: str, action: str, approve: bool, priced: Environ, gateway: Sandbox
) -> None:
    """MCP specification, elicitation: accept, decline and cancel are three answers."""
    user = User(action, approve)
    environ = {**priced, "MTU_CONFIRM_ABOVE": "0.5"}
    async with connect(Cell("memory", era), environ, elicitation_callback=user) as client:
        result = await chat(client)
    assert result.is_error
    assert "did not approve" in text_of(result)
    assert len(user.asked) == 1
    assert not gateway.journal.find("chat/completions")


@both_eras
async def test_a_host_that_cannot_ask_gets_the_sentence_that_would_allow_it(
    era: str, priced: Environ, gateway: Sandbox
) -> None:
    """Our promise."""
    async with connect(Cell("memory", era), {**priced, "MTU_CONFIRM_ABOVE": "0.5"}) as client:
        result = await chat(client)
    assert result.is_error
    assert "setting MTU_CONFIRM_ABOVE to 1 in the host's configuration" in text_of(result)
    assert not gateway.journal.find("chat/completions")
    async with connect(Cell("memory", era), {**priced, "MTU_CONFIRM_ABOVE": "1"}) as client:
        assert not (await chat(client)).is_error


@both_eras
async def test_a_cheap_call_is_not_asked_about(era: str, priced: Environ) -> None:
    """Our promise: above the sum, not at it."""
    user = User("decline")
    environ = {**priced, "MTU_CONFIRM_ABOVE": "1"}
    async with connect(Cell("memory", era), environ, elicitation_callback=user) as client:
        assert not (await chat(client)).is_error
    assert user.asked == []


@both_eras
async def test_a_sum_the_arguments_did_not_tell_is_asked_about_when_the_call_is_made_again(
    era: str, environ: Environ, tmp_path: Path, gateway: Sandbox
) -> None:
    """Our promise: an estimate that falls short is refused at the moment of spending, never slipped past."""
    user = User("accept")
    prices = {"models": {"text-embedding-v4": {"prices": {"input_text": 0, "call": 1}}}}
    (tmp_path / "models.json").write_text(json.dumps(prices), encoding="utf-8")
    own = {"MTU_MODELS_FILE": str(tmp_path / "models.json"), "MTU_TOOLSETS": "vectors", "MTU_CONFIRM_ABOVE": "1.5"}
    arguments = {"texts": [f"text {number}" for number in range(25)], "model": "text-embedding-v4"}
    async with connect(Cell("memory", era), {**environ, **own}, elicitation_callback=user) as client:
        first = await client.call_tool("embed_text", arguments)
        assert "Make the same call again: the user is then asked" in text_of(first)
        assert (user.asked, len(gateway.journal.find("embeddings"))) == ([], 1)
        again = await client.call_tool("embed_text", arguments)
    assert not again.is_error
    assert "incomplete" not in text_of(again)
    assert len(user.asked) == 1
    assert len(gateway.journal.find("embeddings")) == 4


@both_eras
async def test_a_search_before_the_hosts_model_writes_waits_for_the_user(
    era: str, priced: Environ, gateway: Sandbox
) -> None:
    """Our promise: a question that spends by itself comes after the word on its cost."""
    user = User("decline")

    async def model(_: Any, __: Any) -> Any:
        raise AssertionError("asked to write an answer nobody may pay for")

    environ = {**priced, "MTU_CONFIRM_ABOVE": "0.001"}
    async with connect(Cell("memory", era), environ, elicitation_callback=user, sampling_callback=model) as client:
        result = await client.call_tool("web_search", {"query": "tea", "digest": "host"})
    assert "did not approve" in text_of(result)
    assert len(user.asked) == 1
    assert not gateway.journal.find("search")


async def test_a_tool_that_spends_nothing_is_never_asked_about(priced: Environ) -> None:
    """Our promise."""
    user = User("decline")
    environ = {**priced, "MTU_CONFIRM_ABOVE": "0", "MTU_TOOLSETS": "core,usage"}
    async with connect(MEMORY, environ, elicitation_callback=user) as client:
        for tool in ("list_models", "usage_report"):
            assert not (await client.call_tool(tool, {})).is_error
    assert user.asked == []


async def test_a_ledger_that_cannot_be_written_loses_no_answer(environ: Environ, tmp_path: Path) -> None:
    """Our promise: without a cap the answer is worth more than its row; the answer says so."""
    broken = {**environ, "MTU_DATABASE_URL": str(tmp_path)}
    async with connect(MEMORY, broken) as client:
        result = await chat(client)
    assert not result.is_error
    assert "42" in text_of(result)
    assert "not in the ledger" in text_of(result)


async def test_with_a_cap_a_ledger_that_cannot_be_read_refuses_before_spending(
    environ: Environ, tmp_path: Path, gateway: Sandbox
) -> None:
    """Our promise: nobody could say whether there is room."""
    broken = {**environ, "MTU_DATABASE_URL": str(tmp_path), "MTU_BUDGET_DAY": "10"}
    async with connect(MEMORY, broken) as client:
        result = await chat(client)
    assert result.is_error
    assert "caps on spending cannot be checked" in text_of(result)
    assert not gateway.journal.find("chat/completions")


async def test_a_cap_that_is_no_number_is_not_no_cap(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: a mistyped cap stops the first call instead of being ignored."""
    async with connect(MEMORY, {**environ, "MTU_BUDGET_DAY": "five"}) as client:
        result = await chat(client)
    assert "MTU_BUDGET_DAY must be a number" in text_of(result)
    assert not gateway.journal.find("chat/completions")


def test_a_killed_process_leaves_lost_calls_at_what_they_held(priced: Environ, gateway: Sandbox) -> None:
    """Our promise: kill -9 in the middle of calls leaves no row that says it is running."""
    environ = {**priced, "MTU_BUDGET_DAY": "10"}
    gateway.arm("stall:2", "/chat/completions", times=3)
    with running(environ, "serve") as child:
        child.shake_hands()
        for number in range(3):
            asked = {"name": "chat", "arguments": {"prompt": f"Count to 30{number}", "model": MODEL}}
            child.send({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": asked})
        gateway.journal.wait(lambda _: len(gateway.journal.find("chat/completions")) == 3)
        assert rows(environ, "state", "reserved") == [("running", 1)] * 3
        child.process.kill()
        child.ended()
    gateway.release()
    with running(environ, "usage", "--json", read=bytes.strip) as command:
        command.ended()
        report = json.loads(b"".join(command.lines))
    assert report["lost"] == 3
    assert report["total"]["cny"] == 3
    assert rows(environ, "state", "cny", "reserved") == [("lost", 1, 0)] * 3
