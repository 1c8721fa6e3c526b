"""`manage_files`: what is kept at the gateway, sent from allowed folders and read back onto the disk."""

import json
from pathlib import Path
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError
from mcp.types import ResourceTemplateReference

from capabilities.material import answered, call, refused
from connections import HANDSHAKE, MEMORY, Cell, connect, roots, text_of
from mtu_mcp.sandbox import Sandbox
from mtu_mcp.sandbox.faults import FAULTS

Environ = dict[str, str]


def made(environ: Environ) -> list[str]:
    """Names of everything in the output folder."""
    return [path.name for path in Path(environ["MTU_OUTPUT_DIR"]).glob("*")]


@pytest.fixture
def listed(environ: Environ, tmp_path: Path) -> Environ:
    return environ | {"MTU_TOOLSETS": "all", "MTU_ALLOWED_DIRS": str(tmp_path)}


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "会议 notes.txt"
    path.write_text("The tower is 330 metres high. 你好", encoding="utf-8")
    return path


@pytest.mark.parametrize("cell", [MEMORY, Cell("memory", HANDSHAKE)], ids=str)
async def test_a_file_is_uploaded_listed_read_and_deleted(cell: Cell, listed: Environ, tmp_path: Path) -> None:
    """OpenAI API reference, files; the host's roots bound what is sent."""
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": "你好"}\n', encoding="utf-8")
    async with connect(cell, listed, list_roots_callback=roots(tmp_path)) as client:
        said = await answered(client, "manage_files", action="upload", file=str(path))
        file_id = said.split()[1]
        assert file_id.startswith("file-")
        assert "rows.jsonl" in said
        assert "batch" in said
        shown = await answered(client, "manage_files", action="list")
        assert file_id in shown
        read = await call(client, "manage_files", action="read", file_id=file_id)
        assert '{"a": "你好"}' in text_of(read)
        [link] = [block for block in read.content if block.type == "resource_link"]
        assert link.name.endswith("rows.jsonl")
        assert (Path(listed["MTU_OUTPUT_DIR"]) / link.name).read_bytes() == path.read_bytes()
        assert "Deleted" in await answered(client, "manage_files", action="delete", file_id=file_id)
        assert "There are no such files." in await answered(client, "manage_files", action="list")


async def test_what_may_not_be_read_back_is_described(listed: Environ, notes: Path) -> None:
    """OpenAI API reference: the content of some purposes cannot be downloaded."""
    async with connect(MEMORY, listed) as client:
        said = await answered(client, "manage_files", action="upload", file=str(notes), purpose="file-extract")
        read = await answered(client, "manage_files", action="read", file_id=said.split()[1])
    assert "会议-notes.txt" in read
    assert "cannot be read back" in read
    assert "Not allowed to download files of purpose: file-extract" in read


async def test_a_long_list_is_read_page_by_page(listed: Environ, gateway: Sandbox) -> None:
    """OpenAI API reference, list files: the cursor is an id."""
    ids = [gateway.desk.files.add(b"x", f"{number}.txt", "user_data").id for number in range(130)]
    async with connect(MEMORY, listed) as client:
        first = await answered(client, "manage_files", action="list", purpose="user_data")
        assert first.count("\n- ") == 99
        assert f"file_id={ids[30]} lists those after it" in first
        rest = await answered(client, "manage_files", action="list", file_id=ids[30])
        shown = [line.split()[1] for line in rest.splitlines()]
        assert (len(shown), set(shown) - set(ids)) == (30, set())
        assert shown == ids[29::-1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"action": "upload"}, "upload needs file."),
        ({"action": "read"}, "read needs file_id."),
        ({"action": "delete", "file_id": " "}, "delete needs file_id."),
        ({"action": "read", "file_id": "../models"}, "is no id"),
        ({"action": "read", "file_id": "file-none"}, "No such File object: file-none"),
        ({"action": "delete", "file_id": "file-none"}, "No such File object: file-none"),
        ({"action": "list", "file_id": "file-none"}, "No such File object: file-none"),
        ({"action": "upload", "file": "/etc/passwd"}, "MTU_ALLOWED_DIRS"),
        ({"action": "upload", "file": "nothing.txt"}, "nothing.txt"),
        ({"action": "burn"}, "action"),
    ],
)
async def test_hostile_arguments_give_a_reason(listed: Environ, arguments: dict[str, Any], said: str) -> None:
    """Our promise: an error says what to fix."""
    async with connect(MEMORY, listed) as client:
        assert said in await refused(client, "manage_files", **arguments)


async def test_a_purpose_the_gateway_has_not_is_told_with_those_it_has(other_gateway: Any, notes: Path) -> None:
    """Model Studio, upload file: file-extract, batch, fine-tune."""
    async with connect(MEMORY, other_gateway(dialect="dashscope")[1]) as client:
        given = {"action": "upload", "file": str(notes)}
        assert "file-extract" in await refused(client, "manage_files", **given, purpose="user_data")
        assert "so the purpose is file-extract" in await answered(client, "manage_files", **given)


@pytest.mark.parametrize("options", [{"dialect": "new-api"}, {"without": ("/files",)}])
async def test_a_gateway_without_files_says_so_in_a_sentence(
    other_gateway: Any, notes: Path, options: dict[str, Any]
) -> None:
    """New API answers 501, others 404."""
    async with connect(MEMORY, other_gateway(**options)[1]) as client:
        for arguments in ({"action": "upload", "file": str(notes)}, {"action": "list"}):
            assert "This gateway does not offer files" in await refused(client, "manage_files", **arguments)
        status = json.loads((await client.read_resource("mtu://status")).contents[0].text)
    assert "files" in status["not_offered"]


@pytest.mark.parametrize("fault", [name for name in FAULTS if name != "stall"])
async def test_every_fault_of_a_gateway_gives_an_answer(
    listed: Environ, gateway: Sandbox, notes: Path, fault: str
) -> None:
    """Our promise: a clear error, or an answer; the server lives on."""
    stored = gateway.desk.files.add(b"word " * 2000, "words.txt", "batch").id
    environ = listed | {"MTU_MAX_RETRIES": "0", "MTU_TIMEOUT": "5"}
    async with connect(MEMORY, environ) as client:
        for arguments in (
            {"action": "upload", "file": str(notes)},
            {"action": "list"},
            {"action": "read", "file_id": stored},
            {"action": "delete", "file_id": stored},
        ):
            gateway.arm(fault, times=1)
            said = text_of(await call(client, "manage_files", **arguments))
            assert "Something inside mtu-mcp broke" not in said
            gateway.desk.faults.clear()
        await answered(client, "manage_files", action="list")
    assert not [name for name in made(listed) if name.startswith(".")]


async def test_a_cut_download_is_no_file(listed: Environ, gateway: Sandbox) -> None:
    """Our promise: a file is whole or not there."""
    stored = gateway.desk.files.add(b"word " * 100_000, "words.txt", "batch").id
    async with connect(MEMORY, listed) as client:
        gateway.arm("cut", "/content")
        await refused(client, "manage_files", action="read", file_id=stored)
    assert made(listed) == []


async def test_a_file_is_a_resource_and_its_id_completes(listed: Environ, gateway: Sandbox) -> None:
    """Model Context Protocol, resource templates and completion."""
    stored = gateway.desk.files.add(b"x", "report.txt", "user_data").id
    async with connect(MEMORY, listed) as client:
        read = await client.read_resource(f"mtu://files/{stored}")
        assert json.loads(read.contents[0].text)["filename"] == "report.txt"
        ref = ResourceTemplateReference(type="ref/resource", uri="mtu://files/{file_id}")
        for typed in ("file-", "repo"):
            found = await client.complete(ref, {"name": "file_id", "value": typed})
            assert found.completion.values == [stored]
        with pytest.raises(MCPError, match="No such File object"):
            await client.read_resource("mtu://files/file-none")


async def test_completion_is_silent_when_the_gateway_is(other_gateway: Any) -> None:
    """Our promise: a suggestion is not worth an error."""
    async with connect(MEMORY, other_gateway(dialect="new-api")[1]) as client:
        ref = ResourceTemplateReference(type="ref/resource", uri="mtu://files/{file_id}")
        assert (await client.complete(ref, {"name": "file_id", "value": ""})).completion.values == []


async def test_the_tool_is_small_and_says_that_it_deletes(listed: Environ) -> None:
    """Our promise: the list of tools stays small; Model Context Protocol, tool annotations."""
    async with connect(MEMORY, listed) as client:
        [tool] = [one for one in (await client.list_tools()).tools if one.name == "manage_files"]
    assert len(tool.model_dump_json(by_alias=True, exclude_none=True)) / 4 <= 190
    assert tool.annotations is not None
    assert tool.annotations.destructive_hint
    assert tool.annotations.read_only_hint is False


async def test_a_read_only_server_does_not_list_it(listed: Environ) -> None:
    """Our promise: MTU_READ_ONLY lists only tools that change nothing."""
    async with connect(MEMORY, listed | {"MTU_READ_ONLY": "true"}) as client:
        assert "manage_files" not in [tool.name for tool in (await client.list_tools()).tools]
