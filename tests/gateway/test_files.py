"""Files at the gateway: what is sent, how answers of several shapes are read, and downloads that end on the disk."""

import json
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from gateway.scripted import Scripted, json_body, open_gateway
from mtu_mcp.errors import BadAnswer, BadInput, NotOffered, Rejected, Unreachable, UpstreamError
from mtu_mcp.gateway import Upload, open_scope

FILE = {"id": "file-1", "object": "file", "bytes": 5, "created_at": 7, "filename": "a.txt", "purpose": "user_data"}
MISSING = '{"error":{"message":"No such File object: file-9","type":"invalid_request_error","param":"id","code":null}}'


def stored(**changes: Any) -> str:
    return json.dumps({**FILE, "status": "processed", "status_details": None, **changes})


def sent_path(transport: Any) -> str:
    return transport.sent[-1].url.removeprefix("https://gateway.test/v1/")


def entries(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_a_file_is_sent_from_the_disk_with_its_purpose(tmp_path: Path) -> None:
    """OpenAI API reference, upload file: a multipart form; RFC 7578."""
    path = tmp_path / "报告.txt"
    path.write_bytes(b"hello")
    gateway, transport, _ = open_gateway(json_body(stored()))
    with open_scope() as scope:
        made = await gateway.upload_file(
            Upload("报告.txt", "text/plain", path=path),
            "user_data",
            {"expires_after": {"anchor": "created_at", "seconds": 3600}},
        )
    assert (made.id, made.name, made.size, made.status) == ("file-1", "a.txt", 5, "processed")
    assert not scope.exchanges
    body = transport.sent[0].body.decode()
    assert transport.sent[0].method == "POST"
    for part in ('name="purpose"\r\n\r\nuser_data', 'filename="报告.txt"', "hello", 'name="expires_after[seconds]"'):
        assert part in body
    assert int(transport.sent[0].headers["content-length"]) == len(transport.sent[0].body)


async def test_a_list_is_read_with_and_without_first_and_last() -> None:
    """OpenAI API reference and Model Studio, list files."""
    whole = {"object": "list", "data": [FILE, {"id": "file-2"}, {}, None], "has_more": True, "last_id": "file-2"}
    bare = {"object": "list", "data": [FILE], "has_more": True}
    last = {"data": [], "has_more": False}
    gateway, transport, _ = open_gateway(*(json_body(json.dumps(each)) for each in (whole, bare, last)))
    page = await gateway.list_files(limit=2, purpose="batch", order="asc", after="file-0")
    assert ([one.id for one in page.files], page.after) == (["file-1", "file-2"], "file-2")
    assert sent_path(transport) == "files?after=file-0&limit=2&order=asc&purpose=batch"
    assert (await gateway.list_files()).after == "file-1"
    assert sent_path(transport) == "files"
    assert await gateway.list_files() == type(page)((), "")


@pytest.mark.parametrize("body", ['{"object":"list"}', "[]x", '"hello"', "<html><title>Hi</title></html>", ""])
async def test_no_list_is_said_plainly(body: str) -> None:
    """Our promise: a lying gateway gives a clear error."""
    gateway, _, _ = open_gateway(json_body(body))
    with pytest.raises(UpstreamError):
        await gateway.list_files()


async def test_a_file_is_asked_after_and_deleted_under_its_id() -> None:
    """OpenAI API reference, retrieve and delete file; DELETE may also answer 204 (RFC 9110)."""
    gone = json_body('{"id":"file-1","object":"file","deleted":true}')
    gateway, transport, _ = open_gateway(
        json_body(stored(status="error", status_details="scanned")), gone, Scripted(204)
    )
    entry = await gateway.retrieve_file("file-1")
    assert (entry.status, entry.detail) == ("error", "scanned")
    await gateway.delete_file("file-1")
    assert (transport.sent[-1].method, sent_path(transport)) == ("DELETE", "files/file-1")
    await gateway.delete_file("file-fe-a_b")
    assert sent_path(transport) == "files/file-fe-a_b"


async def test_a_file_that_is_not_there_is_the_callers_mistake() -> None:
    """OpenAI API reference: 404 "No such File object"."""
    gateway, _, _ = open_gateway(
        json_body(MISSING, 404), json_body(MISSING, 404), json_body('{"id":"file-1","deleted":false}')
    )
    with pytest.raises(Rejected, match="No such File object: file-9"):
        await gateway.retrieve_file("file-9")
    with pytest.raises(Rejected):
        await gateway.delete_file("file-9")
    with pytest.raises(Rejected, match="was not deleted"):
        await gateway.delete_file("file-1")


@pytest.mark.parametrize("file_id", ["", "..", "../models", "a/b", "a b", "a?b", "文", "x" * 201])
async def test_what_is_no_id_is_not_sent(file_id: str) -> None:
    """Our promise: a model's argument never leaves the path of its endpoint."""
    gateway, transport, _ = open_gateway()
    for call in (gateway.retrieve_file, gateway.delete_file):
        with pytest.raises(BadInput, match="is no id"):
            await call(file_id)
    assert not transport.sent


@pytest.mark.parametrize(("status", "body"), [(501, '{"error":{"message":"API not implemented"}}'), (404, "")])
async def test_a_gateway_without_files_says_so(status: int, body: str) -> None:
    """New API and One API: 501; others 404."""
    gateway, _, _ = open_gateway(json_body(body, status))
    with pytest.raises(NotOffered, match="does not offer files"):
        await gateway.upload_file(Upload("a.txt", "text/plain", data=b"x"), "batch")


async def test_content_arrives_on_the_disk_byte_for_byte(tmp_path: Path) -> None:
    """OpenAI API reference, retrieve file content."""
    pieces = (b"\x00\xff" * 500, b"", b"end\n")
    gateway, transport, _ = open_gateway(Scripted(200, {"content-type": "application/octet-stream"}, pieces))
    size = await gateway.file_content("file-1", tmp_path / "got", 2_000)
    assert (tmp_path / "got").read_bytes() == b"".join(pieces)
    assert size == 1_004
    assert sent_path(transport) == "files/file-1/content"


@pytest.mark.parametrize(
    ("steps", "kind", "error", "said"),
    [
        ([b"x" * 1500, b"x" * 600], "application/octet-stream", BadAnswer, "2,000 bytes"),
        ([b"half", httpx.ReadError("gone")], "application/octet-stream", Unreachable, "broke"),
        ([b'{"error":{"message":"no quota","code":"oops"}}'], "application/json", UpstreamError, "no quota"),
        ([b"<!doctype html><title>Login</title>"], "text/html", NotOffered, "Login"),
    ],
)
async def test_a_spoilt_download_leaves_nothing_behind(
    tmp_path: Path, steps: list[Any], kind: str, error: type[Exception], said: str
) -> None:
    """Our promise: a file is whole or not there."""
    gateway, _, _ = open_gateway(Scripted(200, {"content-type": kind}, steps))
    with pytest.raises(error, match=said):
        await gateway.file_content("file-1", tmp_path / "got", 2_000)
    assert entries(tmp_path) == []


async def test_a_file_of_one_failed_line_is_content_not_an_error(tmp_path: Path) -> None:
    """OpenAI API reference, batch output: a line carries `custom_id` and perhaps `error`."""
    line = b'{"id":"batch_req_1","custom_id":"a","response":null,"error":{"code":"x","message":"late"}}\n'
    gateway, _, _ = open_gateway(json_body(line))
    assert await gateway.file_content("file-1", tmp_path / "got", 2_000) == len(line)


@pytest.mark.parametrize("length", [1, 2, 5, 12, 13, 14, 40])
async def test_a_key_in_a_file_is_struck_however_it_is_cut(tmp_path: Path, length: int) -> None:
    """Our promise: the key is in nothing that is kept; a file had been written as it came."""
    said = b"before sk-secre sk-secret-key, sk-secret-keysk-secret-key and sk-s"
    packets = [said[at : at + length] for at in range(0, len(said), length)]
    gateway, _, _ = open_gateway(Scripted(200, {}, packets))
    await gateway.file_content("file-1", tmp_path / "got", 2_000)
    assert (tmp_path / "got").read_bytes() == b"before sk-secre ***, ****** and sk-s"


async def test_a_cancelled_download_leaves_nothing_behind(tmp_path: Path) -> None:
    """Our promise: stop means stop."""
    gateway, transport, _ = open_gateway(Scripted(200, {}, (b"half", anyio.Event())))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(gateway.file_content, "file-1", tmp_path / "got", 2_000)
        await transport.stalled.wait()
        tasks.cancel_scope.cancel()
    assert entries(tmp_path) == []
    assert transport.closed == 1
