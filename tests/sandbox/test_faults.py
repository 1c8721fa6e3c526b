"""Faults on request, and the journal that proves how calls ended. All rules here are our promises."""

import json
import threading

import httpx
import pytest

from mtu_mcp.sandbox import Sandbox, run
from sandbox.asking import Chat, client_of, read_events


def test_a_rate_limit_tells_when_to_come_back(chat):
    answer = chat(fault="rate-limit:7")
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "7"
    assert answer.json()["error"]["code"] == "rate_limit_exceeded"


@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [
        ("500", 500, "application/json"),
        ("503", 503, "application/json"),
        ("502-html", 502, "text/html; charset=utf-8"),
        ("status:529", 529, "application/json"),
        ("not-offered", 501, "application/json"),
        ("empty", 200, "application/json"),
        ("not-json", 200, "application/json"),
        ("html", 200, "text/html; charset=utf-8"),
    ],
)
def test_a_fault_can_stand_in_for_the_whole_answer(chat, fault, status, kind):
    answer = chat(fault=fault)
    assert (answer.status_code, answer.headers["content-type"]) == (status, kind)
    assert answer.headers["x-mtu-sandbox"] == "1"


@pytest.mark.parametrize("streams", [True, False])
def test_a_cut_answer_breaks_off_without_an_end(sandbox, chat, streams):
    with pytest.raises(httpx.RemoteProtocolError):
        chat(stream=streams, fault="cut")
    assert sandbox.journal.wait(lambda entry: entry.fault == "cut:3" and entry.ended == "cut").status == 200
    sandbox.journal.clear()


def test_an_error_can_come_in_mid_stream_under_200(chat):
    answer = chat(stream=True, fault="error-in-stream:2")
    events = read_events(answer.text)
    assert answer.status_code == 200
    assert len(events) == 3
    assert events[-1]["error"]["message"]


def test_a_plain_answer_can_be_an_error_under_200(chat):
    answer = chat(fault="error-in-stream")
    assert answer.status_code == 200
    assert "error" in json.loads(answer.text)


def test_one_garbled_line_leaves_the_others_whole(chat):
    lines = [line for line in chat(stream=True, fault="garbled").text.splitlines() if line.startswith("data: {")]

    def readable(line: str) -> bool:
        try:
            return bool(json.loads(line.removeprefix("data: ")))
        except ValueError:
            return False

    assert [readable(line) for line in lines].count(False) == 1


def test_the_shape_of_a_stream_can_be_awkward(chat):
    assert ": ping\n\n" in chat(stream=True, fault="pings").text
    assert "\r\n\r\n" in chat(stream=True, fault="crlf").text
    assert "[DONE]" not in chat(stream=True, fault="no-done").text
    assert chat(stream=True, fault="no-blank-end").text.endswith("data: [DONE]")
    assert chat(stream=True, fault="lying-content-type").headers["content-type"] == "application/json"


def test_bytes_can_be_split_inside_characters(raw):
    """The packets do not decode alone, together they do."""
    body = {"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": "重复：你好世界"}]}
    headers = {"x-sandbox-fault": "split-utf8"}
    with raw.stream("POST", "/v1/chat/completions", json=body, headers=headers) as answer:
        packets = list(answer.iter_raw())

    def whole(packet: bytes) -> bool:
        try:
            return bool(packet.decode())
        except UnicodeDecodeError:
            return False

    assert not all(whole(packet) for packet in packets)
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in read_events(b"".join(packets).decode()))
    assert "你好世界" in text


def test_the_journal_knows_that_a_client_left_a_stalled_stream(sandbox, raw):
    """This is how tests prove that a cancelled call closes its upstream connection."""
    body = {"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": "Count to 50"}]}
    headers = {"x-sandbox-fault": "stall:2", "idempotency-key": "abc"}
    with raw.stream("POST", "/v1/chat/completions", json=body, headers=headers) as answer:
        next(answer.iter_raw())
        sandbox.journal.wait(lambda entry: entry.notes.get("stalled", False))
    entry = sandbox.journal.wait(lambda entry: entry.ended == "client closed")
    assert (entry.model, entry.stream, entry.headers["idempotency-key"]) == ("gpt-4o", True, "abc")
    assert entry.sent > 0


async def test_a_stalled_stream_goes_on_when_released(sandbox):
    async with httpx.AsyncClient(base_url=sandbox.root, trust_env=False, timeout=20) as client:
        sandbox.arm("stall:1", "/v1/chat/completions")
        body = {"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": "Count to 3"}]}
        headers = {"authorization": "Bearer k"}
        async with client.stream("POST", "/v1/chat/completions", json=body, headers=headers) as answer:
            await sandbox.journal.awaited(lambda entry: entry.notes.get("stalled", False) and not entry.ended)
            sandbox.release()
            text = (await answer.aread()).decode()
    assert text.endswith("data: [DONE]\n\n")


def test_faults_are_armed_over_http_for_so_many_calls_of_a_path(raw, chat):
    fault = {"path": "/v1/chat/completions", "fault": "500", "times": 2}
    assert raw.post("/sandbox/faults", json=fault).json()["armed"] == [fault | {"fault": "500:0"}]
    assert raw.get("/v1/models").status_code == 200
    assert [chat().status_code for _ in range(3)] == [500, 500, 200]
    assert raw.post("/v1/chat/completions?fault=503", json={}).status_code == 503


def test_an_unknown_fault_is_refused_with_the_list(raw):
    assert "rate-limit" in raw.post("/sandbox/faults", json={"fault": "gremlins"}).json()["error"]["message"]


def test_the_journal_is_served_and_can_be_awaited(raw, chat):
    chat("Hello journal")
    entries = raw.get("/sandbox/journal", params={"path": "/chat/completions"}).json()["entries"]
    assert entries[-1]["asked"]["messages"][0]["content"] == "Hello journal"
    assert entries[-1]["ended"] == "answered"
    found = raw.get("/sandbox/journal/wait", params={"path": "/chat/completions", "ended": "answered"}).json()
    assert found["path"] == "/v1/chat/completions"


def test_the_card_begins_with_its_limits(raw):
    card = raw.get("/sandbox").json()
    assert "Nothing here is a model" in card["limits"][0]
    assert "stall" in card["faults"]


def test_an_open_stream_does_not_delay_the_end():
    """Leaving a sandbox breaks off what is open; a watchdog would be the only other way to end this test."""
    with Sandbox() as sandbox, client_of(sandbox) as client:
        sandbox.arm("stall:0")
        body = {"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": "x"}]}
        with client.stream("POST", "/v1/chat/completions", json=body) as answer:
            sandbox.journal.wait(lambda entry: entry.notes.get("stalled", False))
            sandbox.close()
            with pytest.raises(httpx.RemoteProtocolError):
                answer.read()
    assert sandbox.journal.find(ended="cut")


async def test_a_sandbox_runs_in_the_callers_loop():
    async with Sandbox() as sandbox, httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(sandbox.base_url + "/models", headers={"authorization": "Bearer k"})
        assert answer.status_code == 200
        assert (await sandbox.journal.awaited(lambda entry: entry.ended == "answered")).path == "/v1/models"


def test_chats_run_side_by_side_while_one_stalls(sandbox, raw):
    body = {"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": "x"}]}
    stalled = raw.stream("POST", "/v1/chat/completions", json=body, headers={"x-sandbox-fault": "stall:0"})
    with stalled, client_of(sandbox) as other:
        assert Chat(other)("Hello").status_code == 200


def test_serving_for_good_ends_when_told():
    """`run` is what the command line calls; the event stands for Ctrl-C."""
    told, seen = threading.Event(), []

    def ready(base_url: str) -> None:
        seen.append(httpx.get(base_url + "/models", trust_env=False).status_code)
        told.set()

    run(0, ready=ready, until=told)
    assert seen == [401]
