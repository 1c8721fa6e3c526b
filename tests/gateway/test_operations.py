"""Operations as data, and the one way to call them: what goes onto the wire and what is made of the answer."""

import base64
import json
import re
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from gateway.scripted import Scripted, events, json_body, open_gateway
from mtu_mcp.errors import BadAnswer, BadInput, NotOffered, UpstreamError
from mtu_mcp.gateway import Invocation, Operation, Upload, all_operations, open_scope

OPERATIONS = all_operations()
every = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=list(OPERATIONS))


@every
def test_an_operation_is_described_in_full(operation: Operation) -> None:
    """Our promise: a name of verb and noun, one line of help, a valid and closed schema, a state with its date."""
    assert re.fullmatch(r"[a-z]+(_[a-z]+)+", operation.name)
    assert re.fullmatch(r"[A-Z][^\n]{8,110}\.", operation.help)
    Draft202012Validator.check_schema(operation.schema)
    assert operation.schema["additionalProperties"] is False
    assert set(operation.placeholders) <= set(operation.schema["required"]) <= set(operation.schema["properties"])
    assert set(operation.files) <= set(operation.body)
    assert not set(operation.query) & set(operation.body)
    assert operation.method in {"GET", "POST", "DELETE"}
    assert (operation.effect == "read") == (operation.method == "GET" or operation.name == "count_input_tokens")
    assert (operation.effect == "destroy") == (operation.method == "DELETE")
    assert operation.body == () or operation.method == "POST"
    if operation.state == "removed":
        assert re.fullmatch(r"removed by OpenAI on 20\d\d-\d\d-\d\d, a gateway may still serve it", operation.note)
        assert operation.instead


def test_no_two_operations_share_a_method_and_a_path() -> None:
    """One way to say a thing."""
    routes = [(operation.method, operation.path) for operation in OPERATIONS.values()]
    assert len(set(routes)) == len(routes)


async def ask(name: str, *script: Scripted, files: Any = None, **arguments: Any) -> tuple[Any, Any]:
    gateway, transport, _ = open_gateway(*script)
    outcome = await gateway.invoke(Invocation(OPERATIONS[name], arguments, files or {}))
    return outcome, transport.sent


async def test_ids_go_into_the_path_and_filters_into_the_query() -> None:
    """OpenAI API reference, list chat completions: `metadata[key]=value`; ids never leave their segment."""
    _, [sent] = await ask("get_model", json_body('{"id": "a"}'), model="acme/tiny:free")
    assert sent.url == "https://gateway.test/v1/models/acme%2Ftiny:free"
    found = {"metadata": {"a b": "ü&"}, "limit": 3, "model": "gpt-4o"}
    _, [sent] = await ask("list_chat_completions", json_body('{"object": "list", "data": []}'), **found)
    assert sent.url.endswith("/v1/chat/completions?model=gpt-4o&metadata%5Ba+b%5D=%C3%BC%26&limit=3")
    _, [sent] = await ask(
        "get_response", json_body('{"id": "a"}'), response_id="resp_1", include=["reasoning.encrypted_content"]
    )
    assert sent.url.endswith("/responses/resp_1?include%5B%5D=reasoning.encrypted_content")


async def test_a_post_without_fields_has_no_body_and_its_version_is_named() -> None:
    """OpenAI API reference: cancel takes nothing; `OpenAI-Beta: assistants=v2` names the version."""
    _, [sent] = await ask("cancel_run", json_body('{"id": "a"}'), thread_id="t", run_id="r")
    assert (sent.method, sent.body) == ("POST", b"")
    assert sent.headers["content-length"] == "0"
    assert sent.headers["openai-beta"] == "assistants=v2"
    assert "idempotency-key" not in sent.headers
    _, [sent] = await ask("create_thread", json_body('{"id": "a"}'))
    assert sent.body == b"{}"


async def test_further_fields_lie_beside_the_known_ones() -> None:
    """Gateways have fields of their own; `extra_body` is the public client's word for them."""
    asked = {
        "model": "qwen-plus",
        "messages": [{"role": "user", "content": "你好"}],
        "extra_body": {"enable_search": True},
    }
    _, [sent] = await ask("create_chat_completion", json_body('{"id": "a"}'), **asked)
    assert json.loads(sent.body) == {key: asked[key] for key in ("model", "messages")} | {"enable_search": True}
    assert sent.headers["idempotency-key"]


async def test_files_go_as_a_form() -> None:
    """OpenAI API reference, upload file: multipart, nested fields in brackets."""
    files = {"file": [Upload("a.jsonl", "application/jsonl", data=b"{}")]}
    given = {"file": "a.jsonl", "purpose": "batch", "expires_after": {"anchor": "created_at", "seconds": 3600}}
    _, [sent] = await ask("upload_file", json_body('{"id": "a"}'), files=files, **given)
    assert b'name="file"; filename="a.jsonl"' in sent.body
    assert b'name="expires_after[seconds]"\r\n\r\n3600' in sent.body
    assert sent.body.count(b"a.jsonl") == 1


async def test_a_stream_is_gathered_into_a_list_of_its_events() -> None:
    """Our promise: one call, one answer."""
    chunks = [
        {"id": "a", "model": "m", "choices": []},
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}},
    ]
    stream = events(b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in chunks), b"data: [DONE]\n\n")
    with open_scope() as scope:
        outcome, _ = await ask("create_chat_completion", stream, model="m", messages=[{"role": "user"}], stream=True)
    assert outcome.result == chunks
    [entry] = scope.exchanges
    assert (entry.state, entry.served, entry.usage.output_tokens) == ("done", "m", 4)


async def test_an_error_as_the_first_event_is_an_error() -> None:
    """New API puts errors into a stream under status 200."""
    stream = events(b'data: {"error": {"message": "no channel", "type": "new_api_error"}}\n\n')
    with pytest.raises(UpstreamError, match="no channel"):
        await ask("create_chat_completion", stream, model="m", messages=[{"role": "user"}], stream=True)


async def test_what_came_of_a_stream_before_it_broke_is_kept() -> None:
    """Our promise: what was paid for is never lost."""
    first = b'data: {"id": "a", "model": "m", "choices": []}\n\n'
    for end in (b'data: {"error": {"message": "overloaded"}}\n\n', httpx.ReadError("gone")):
        with open_scope() as scope:
            outcome, _ = await ask("create_chat_completion", events(first, end), model="m", messages=[{"role": "user"}])
        assert [each["id"] for each in outcome.result] == ["a"]
        assert outcome.cut
        assert scope.exchanges[0].state == "cut"


async def test_a_transcript_may_begin_with_anything() -> None:
    """A plain-text answer is text whatever its first character; only what calls itself HTML is a page."""
    files = {"file": [Upload("a.wav", "audio/wav", data=b"RIFF")]}
    said = Scripted(200, {"content-type": "text/plain"}, (b"<laughs> Hello",))
    outcome, _ = await ask("create_transcription", said, files=files, file="a.wav", model="whisper-1")
    assert outcome.text == "<laughs> Hello"


async def test_bytes_are_given_as_they_came_and_a_web_page_is_no_file() -> None:
    """New API's front end answers unknown paths with its own page under status 200."""
    data = b'{"error": {"message": "of one line of a batch"}}\n'
    outcome, _ = await ask("get_file_content", json_body(data), file_id="file-a")
    assert outcome.data == data
    xml = Scripted(200, {"content-type": "application/octet-stream"}, (b"<?xml?><a/>",))
    assert (await ask("get_file_content", xml, file_id="file-a"))[0].data == b"<?xml?><a/>"
    page = Scripted(200, {"content-type": "text/html"}, (b"<html><title>Front</title></html>",))
    with pytest.raises(NotOffered, match="Front"):
        await ask("get_file_content", page, file_id="file-a")


async def test_json_where_sound_was_asked_is_an_error() -> None:
    """OpenAI API reference, speech: success is bytes, failure is JSON, whatever the status."""
    for body in ('{"error": {"message": "no voice"}}', '{"id": "a"}'):
        with pytest.raises(UpstreamError):
            await ask("create_speech", json_body(body), model="tts-1", input="a", voice="nova")


async def test_an_empty_answer_is_an_error_unless_something_was_to_be_done() -> None:
    """Some gateways answer a deletion with 204."""
    with pytest.raises(BadAnswer, match="empty"):
        await ask("get_file", Scripted(200), file_id="file-a")
    outcome, [sent] = await ask("delete_file", Scripted(204), file_id="file-a")
    assert sent.method == "DELETE"
    assert outcome.result is None


async def test_only_reads_are_tried_again_after_a_failure() -> None:
    """Our promise: retries where nothing can have been billed or made twice."""
    broken = json_body('{"error": {"message": "broken", "type": "server_error"}}', status=500)
    _, sent = await ask("list_files", broken, json_body('{"object": "list", "data": []}'))
    assert len(sent) == 2
    for name, given in (("create_thread", {}), ("delete_file", {"file_id": "a"}), ("cancel_batch", {"batch_id": "a"})):
        with pytest.raises(UpstreamError, match="broken"):
            await ask(name, broken, **given)


async def test_what_does_not_fit_never_leaves() -> None:
    """Our promise: checked before anything is sent."""
    with pytest.raises(BadInput, match="file_id is missing"):
        await ask("get_file")


async def test_a_failed_call_that_spends_is_still_entered() -> None:
    """Our promise: the ledger knows of every call, however it ended."""
    with open_scope() as scope, pytest.raises(UpstreamError):
        await ask("create_embedding", json_body("{}", status=400), model="m", input="a")
    assert [(entry.endpoint, entry.model, entry.state) for entry in scope.exchanges] == [("embeddings", "m", "failed")]


class Disk:
    """Takes bytes in place of the disk."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.pieces.append(data)


async def test_a_large_file_goes_to_the_disk_as_it_comes() -> None:
    """Our promise: 256 MB never sit in memory; found with a gateway that sends as much as it is let."""
    packets = [bytes([number]) * 1_000_000 for number in range(12)]
    disk, given = Disk(), {"model": "tts-1", "input": "a", "voice": "nova"}
    spoken = [{"type": "speech.audio.delta", "audio": base64.b64encode(each).decode()} for each in packets]
    lines = [b"data: " + json.dumps(each).encode() + b"\n\n" for each in spoken]
    for answer in (Scripted(200, {"content-type": "audio/wav"}, packets), events(*lines)):
        gateway, _, _ = open_gateway(answer)
        outcome = await gateway.invoke(Invocation(OPERATIONS["create_speech"], given, store=lambda: disk))
        assert outcome.data is None
        assert outcome.stored is disk
        assert b"".join(disk.pieces) == b"".join(packets)
        assert max(map(len, disk.pieces)) < 6_000_000
        disk.pieces.clear()


async def test_sound_that_arrived_before_the_end_broke_off_is_kept() -> None:
    """Our promise: what was paid for is never lost; a stored file that breaks off is asked for again."""
    half = Scripted(200, {"content-type": "audio/wav"}, (b"RIFF half", httpx.ReadError("gone")))
    with open_scope() as scope:
        outcome, _ = await ask("create_speech", half, model="tts-1", input="a", voice="nova")
    assert (outcome.data, scope.exchanges[0].state) == (b"RIFF half", "cut")
    assert outcome.cut
    with pytest.raises(UpstreamError):
        await ask("get_file_content", half, file_id="file-a")


NEVER = AssertionError("more was read than is kept")


async def test_a_stream_that_never_ends_is_hung_up_on() -> None:
    """Our promise: bounded memory; 260 MB of small events had taken 5.8 GB. A model's longest answer has room."""
    event = b'data: {"id": "a", "data": [' + b"[]," * 200_000 + b"0]}\n\n"
    with open_scope() as scope:
        outcome, _ = await ask(
            "create_chat_completion", events(*[event] * 9, NEVER), model="m", messages=[{"role": "user"}], stream=True
        )
    assert 5 < len(outcome.result) < 9
    assert "most that is kept" in outcome.cut
    assert scope.exchanges[0].state == "cut"


async def test_a_text_that_never_ends_is_cut() -> None:
    """Our promise: the part that arrived is kept, and marked."""
    said = Scripted(200, {"content-type": "text/plain"}, (*[b"a" * 4_000_000] * 5, NEVER))
    files = {"file": [Upload("a.wav", "audio/wav", data=b"RIFF")]}
    outcome, _ = await ask("create_transcription", said, files=files, file="a.wav", model="whisper-1")
    assert outcome.text == "a" * 16_000_000
    assert "larger than" in outcome.cut


async def test_json_of_millions_of_empty_lists_is_not_read() -> None:
    """Our promise: bounded memory; 60 MB of them take 1.5 GB once they are read."""
    with pytest.raises(BadAnswer):
        await ask("list_files", json_body(b'{"object": "list", "data": [' + b"[]," * 3_000_000 + b"0]}"))
