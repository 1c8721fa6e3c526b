"""`call_operation`: every documented operation, called by name against the embedded gateway."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp.types import ElicitResult

from capabilities.material import BROKE, answered, call, picture, refused
from capabilities.operations_bench import CHAT, RECIPES, Bench
from connections import CELLS, HANDSHAKE, MEMORY, Cell, connect, roots, text_of
from mtu_mcp.gateway import all_operations
from mtu_mcp.sandbox import Options, Sandbox, create_app
from mtu_mcp.sandbox.faults import FAULTS
from mtu_mcp.sandbox.refusals import DIALECTS

Environ = dict[str, str]
OPERATIONS = all_operations()
ROUTED_BATCHES = any(getattr(route, "path", "") == "/v1/batches" for route in create_app().routes)
each_operation = pytest.mark.parametrize("name", OPERATIONS)
unlisted = pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.transport != "stdio"], ids=str)
AT_NEW_API = {
    *("create_chat_completion", "create_response", "create_completion", "create_embedding", "create_moderation"),
    *("create_speech", "create_transcription", "create_translation", "create_image", "create_image_edit"),
    *("list_models", "get_model"),
}
"""What New API's routes have (its source, 2025-12)."""


@pytest.fixture(scope="module")
def everything() -> Iterator[Sandbox]:
    """A gateway that serves the Assistants API too."""
    with Sandbox(Options(assistants=True)) as running:
        yield running


@pytest.fixture(scope="module")
def others() -> Iterator[dict[str, Sandbox]]:
    """A gateway of each dialect, as they come."""
    running = {dialect: Sandbox(Options(dialect=dialect)).start() for dialect in DIALECTS}
    yield running
    for sandbox in running.values():
        sandbox.close()


@pytest.fixture
def gateway(everything: Sandbox) -> Sandbox:
    everything.desk.faults.clear()
    everything.journal.clear()
    return everything


@pytest.fixture
def environ(environ: Environ, tmp_path: Path) -> Environ:
    return {**environ, "MTU_TOOLSETS": "api", "MTU_ALLOWED_DIRS": str(tmp_path)}


def test_there_is_a_way_to_call_each_operation() -> None:
    """These tests' own promise: none is left out."""
    assert set(RECIPES) == set(OPERATIONS)


@each_operation
async def test_an_operation_reaches_its_route_and_is_answered(
    name: str, environ: Environ, gateway: Sandbox, tmp_path: Path
) -> None:
    """The OpenAI API reference: method, path and version header of each."""
    operation = OPERATIONS[name]
    if operation.group == "batches" and not ROUTED_BATCHES:
        pytest.skip("the embedded gateway has no batches yet")
    async with connect(MEMORY, environ) as client:
        arguments = await RECIPES[name](Bench(client, tmp_path))
        result = await call(client, "call_operation", name=name, arguments=arguments, confirm=True)
    assert not result.is_error, text_of(result)
    asked = [one for one in gateway.journal if not one.path.startswith("/sandbox/")][-1]
    assert asked.method == operation.method
    assert re.fullmatch("/v1/" + re.sub(r"\{\w+\}", ".+", operation.path), asked.path)
    assert asked.headers.get("openai-beta") == operation.headers.get("OpenAI-Beta")
    assert bool(asked.headers.get("idempotency-key")) == operation.spends
    assert "base64" not in text_of(result)


@each_operation
async def test_what_new_api_lacks_is_said_in_one_sentence(
    name: str, environ: Environ, others: dict[str, Sandbox], tmp_path: Path
) -> None:
    """New API's routes (its source): 501 for some documented paths, 404 `Invalid URL` for others."""
    settings = {**environ, "MTU_BASE_URL": others["new-api"].base_url}
    operation = OPERATIONS[name]
    ids = dict.fromkeys(operation.placeholders, "made-up")
    async with connect(MEMORY, settings) as client:
        if name in AT_NEW_API:
            arguments = await RECIPES[name](Bench(client, tmp_path))
            assert await answered(client, "call_operation", name=name, arguments=arguments)
            return
        arguments = {**_filled(name), **ids}
        if operation.files:
            arguments |= {
                each: str(_picture(tmp_path)) for each in operation.schema["required"] if each in operation.files
            }
        said = await refused(client, "call_operation", name=name, arguments=arguments, confirm=True)
    told = said.replace("offer GET ", "offer ", 1)  # a list that shares its path with what makes things
    assert told.startswith(
        f"This gateway does not offer {operation.path} (it answered {'404' if '404' in said else '501'})."
    )
    assert ("removed by OpenAI on 20" in said) == (operation.state == "removed")
    assert said.endswith(operation.instead or "Use another way, or check MTU_BASE_URL.")
    assert operation.instead or operation.group in ("fine-tuning", "models")


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_id_nobody_has_is_refused_in_the_gateways_own_words(
    dialect: str, environ: Environ, others: dict[str, Sandbox]
) -> None:
    """Our promise: in each dialect of errors, the answer says what happened and what to do."""
    settings = {**environ, "MTU_BASE_URL": others[dialect].base_url}
    async with connect(MEMORY, settings) as client:
        for name, operation in OPERATIONS.items():
            if operation.placeholders and not operation.files:
                arguments = {**_filled(name), **dict.fromkeys(operation.placeholders, "made-up")}
                said = await refused(client, "call_operation", name=name, arguments=arguments, confirm=True)
                assert "made-up" in said or "does not offer" in said, said
                assert len(said) < 500


@pytest.mark.parametrize("fault", sorted(set(FAULTS) - {"stall", "slow"}))
@pytest.mark.parametrize("name", ["get_chat_completion", "create_thread", "get_file_content", "create_speech"])
async def test_a_gateway_that_breaks_is_told_clearly(
    name: str, fault: str, environ: Environ, gateway: Sandbox, tmp_path: Path
) -> None:
    """Our promise: every fault of a gateway gives a clear error or the bytes that came."""
    async with connect(MEMORY, {**environ, "MTU_MAX_RETRIES": "0"}) as client:
        arguments = await RECIPES[name](Bench(client, tmp_path))
        gateway.arm(fault)
        result = await call(client, "call_operation", name=name, arguments=arguments)
    assert BROKE not in text_of(result)
    assert "<html" not in text_of(result)


def _picture(folder: Path) -> Path:
    path = folder / "fox.png"
    path.write_bytes(picture(256, 256))
    return path


def _filled(name: str) -> dict[str, Any]:
    """Values that fit the schema of what an operation cannot do without."""
    schema = OPERATIONS[name].schema
    return {each: _value(each, schema["properties"][each]) for each in schema["required"]}


def _value(name: str, schema: dict[str, Any]) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    known = {
        "tool_outputs": [{"tool_call_id": "a", "output": "b"}],
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        "model": "gpt-4o",
    }
    kind = schema["type"] if isinstance(schema["type"], str) else schema["type"][0]
    return known.get(name, {"string": "some", "object": {}, "array": [{}]}[kind])


# ---- before anything is sent


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("get_file", {}, "arguments.file_id is missing"),
        ("get_file", {"file_id": "../models"}, "arguments.file_id is ../models, which has not the form"),
        ("get_model", {"model": "../../files"}, "arguments.model is ../../files, which has not the form"),
        ("get_file", {"file_id": "a", "colour": "red"}, "arguments has no colour"),
        ("list_files", {"limit": 0}, "arguments.limit must be at least 1, not 0"),
        ("list_files", {"limit": "5"}, "arguments.limit must be integer, not string"),
        ("list_files", {"order": "up"}, "arguments.order must be one of asc or desc"),
        ("create_speech", {"model": "tts-1", "input": "x" * 5000, "voice": "nova"}, "5,000 characters; at most 4,096"),
        ("create_chat_completion", {"model": "gpt-4o", "messages": []}, "arguments.messages is empty"),
        ("create_chat_completion", {"model": "gpt-4o", "messages": [{}]}, "arguments.messages[0].role is missing"),
        (
            "create_chat_completion",
            {"model": "gpt-4o", "messages": CHAT, "extra_body": {"temperature": 1}},
            "extra_body may not set temperature",
        ),
        ("update_chat_completion", {"completion_id": "a", "metadata": {"k": 1}}, "arguments.metadata.k must be string"),
        (
            "update_chat_completion",
            {"completion_id": "a", "metadata": {str(place): "v" for place in range(17)}},
            "17 entries; at most 16",
        ),
    ],
)
async def test_arguments_that_do_not_fit_are_refused_by_path_and_figure(
    name: str, arguments: dict[str, Any], words: str, environ: Environ, gateway: Sandbox
) -> None:
    """Our promise: checked against the schema before anything is sent, and the error says what would fit."""
    async with connect(MEMORY, environ) as client:
        said = await refused(client, "call_operation", name=name, arguments=arguments)
    assert words in said
    named = any(part in said for part in ("arguments has no ", " is missing")) and "[0]" not in said
    assert (f"It takes: {OPERATIONS[name].takes}" in said) == named
    assert not list(gateway.journal)


async def test_a_name_nobody_has_is_answered_with_the_nearest(environ: Environ) -> None:
    """Our promise: an error heals."""
    async with connect(MEMORY, environ) as client:
        assert "Nearest: delete_file" in await refused(client, "call_operation", name="remove_file")
        assert "find_operation lists them" in await refused(client, "call_operation", name="夢" * 1000)


async def test_a_huge_wrong_value_is_not_repeated(environ: Environ) -> None:
    """Our promise: errors are short enough to be read."""
    async with connect(MEMORY, environ) as client:
        said = await refused(client, "call_operation", name="get_file", arguments={"file_id": "x/" * 500_000})
    assert len(said) < 300


# ---- deleting


class User:
    """A host whose user answers a form, and remembers what it was asked."""

    def __init__(self, action: str, *, approve: bool = True) -> None:
        self.answer = ElicitResult(action=action, content={"approve": approve} if action == "accept" else None)
        self.asked: list[str] = []

    async def __call__(self, _: Any, params: Any) -> ElicitResult:
        self.asked.append(params.message)
        return self.answer


@unlisted
async def test_the_user_is_asked_before_something_is_deleted(cell: Cell, environ: Environ, gateway: Sandbox) -> None:
    """MCP specification, elicitation: a form of flat fields, in both protocol eras."""
    user = User("accept")
    async with connect(cell, environ, elicitation_callback=user) as client:
        file = gateway.desk.files.add(b"x", "x.txt", "user_data")
        said = await answered(client, "call_operation", name="delete_file", arguments={"file_id": file.id})
    assert '"deleted": true' in said
    [asked] = user.asked
    assert file.id in asked
    assert gateway.desk.files.find(file.id) is None


@unlisted
@pytest.mark.parametrize(
    "user", [User("decline"), User("cancel"), User("accept", approve=False)], ids=["no", "away", "off"]
)
async def test_a_user_who_says_no_is_heeded_whatever_the_model_says(
    cell: Cell, user: User, environ: Environ, gateway: Sandbox
) -> None:
    """Our promise: `confirm` is for hosts that cannot ask."""
    file = gateway.desk.files.add(b"x", "x.txt", "user_data")
    async with connect(cell, environ, elicitation_callback=user) as client:
        said = await refused(client, "call_operation", name="delete_file", arguments={"file_id": file.id}, confirm=True)
    assert said == "The user did not approve delete_file, so nothing was deleted."
    assert gateway.desk.files.find(file.id) is not None
    assert not [entry for entry in gateway.journal if entry.method == "DELETE"]


@unlisted
async def test_a_host_that_cannot_ask_is_told_what_would_allow_it(
    cell: Cell, environ: Environ, gateway: Sandbox
) -> None:
    """Our promise: refused with the sentence that would allow it."""
    file = gateway.desk.files.add(b"x", "x.txt", "user_data")
    asked = {"name": "delete_file", "arguments": {"file_id": file.id}}
    async with connect(cell, environ) as client:
        assert "confirm=true" in await refused(client, "call_operation", **asked)
        assert gateway.desk.files.find(file.id) is not None
        await answered(client, "call_operation", **asked, confirm=True)
    assert gateway.desk.files.find(file.id) is None


@pytest.mark.parametrize("era", [HANDSHAKE, MEMORY.era])
async def test_nobody_is_asked_about_a_call_that_would_be_refused_anyway(era: str, environ: Environ) -> None:
    """Our promise: a question to the user is worth asking."""
    user = User("accept")
    async with connect(Cell("memory", era), environ, elicitation_callback=user) as client:
        await refused(client, "call_operation", name="delete_file", arguments={"file_id": "../x"})
        await refused(client, "call_operation", name="get_file", arguments={"file_id": "file-x"})
    assert not user.asked


# ---- files


async def test_a_file_comes_from_the_hosts_folders_only(environ: Environ, gateway: Sandbox, tmp_path: Path) -> None:
    """MCP specification, roots: they bound what may be read."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "data.jsonl").write_text("{}\n", encoding="utf-8")
    bare = {name: value for name, value in environ.items() if name != "MTU_ALLOWED_DIRS"}
    async with connect(MEMORY, bare, list_roots_callback=roots(inside)) as client:
        given = {"file": str(inside / "data.jsonl"), "purpose": "batch"}
        assert '"purpose": "batch"' in await answered(client, "call_operation", name="upload_file", arguments=given)
        given["file"] = str(outside / "data.jsonl")
        said = await refused(client, "call_operation", name="upload_file", arguments=given)
    assert "MTU_ALLOWED_DIRS" in said
    assert len(gateway.journal.find("/files")) == 1


async def test_a_file_of_the_wrong_kind_is_not_sent(environ: Environ, gateway: Sandbox, tmp_path: Path) -> None:
    """Our promise: looked at before it is sent, whatever it is called."""
    (tmp_path / "voice.wav").write_bytes(picture())
    given = {"file": "voice.wav", "model": "whisper-1"}
    async with connect(MEMORY, environ) as client:
        said = await refused(client, "call_operation", name="create_transcription", arguments=given)
    assert "accepted here: audio or video" in said
    assert not list(gateway.journal)


async def test_several_pictures_are_sent_as_a_list(environ: Environ, gateway: Sandbox, tmp_path: Path) -> None:
    """OpenAI API reference, image edits: `image[]`, up to sixteen."""
    names = [str(_picture(tmp_path)), "fox.png"]
    given = {"image": names, "prompt": "snow", "model": "gpt-image-1", "n": 2}
    async with connect(MEMORY, environ) as client:
        await answered(client, "call_operation", name="create_image_edit", arguments=given)
    asked = gateway.journal.find("/images/edits")[-1].asked
    assert "image[]" in asked
    assert asked["n"] == "2"


async def test_pictures_are_saved_and_named_instead_of_shown_as_base64(environ: Environ, tmp_path: Path) -> None:
    """Our promise: never base64 where a model reads."""
    given = {"model": "gpt-image-1", "prompt": "a red fox", "n": 2}
    async with connect(MEMORY, environ) as client:
        result = await call(client, "call_operation", name="create_image", arguments=given)
    assert result.structured_content
    found = [item["b64_json"] for item in result.structured_content["result"]["data"]]
    assert all(uri.startswith("mtu://media/") for uri in found)
    assert len(list((tmp_path / "made").glob("*.png"))) == 2
    assert len([block for block in result.content if block.type == "image"]) == 2
    assert len([block for block in result.content if block.type == "resource_link"]) == 2
    assert len(text_of(result)) < 2_000


async def test_a_picture_that_came_as_an_address_is_saved(environ: Environ) -> None:
    """OpenAI API reference: the url of an image holds for 60 minutes; our promise: what was paid for is not lost."""
    arguments = {"model": "dall-e-3", "prompt": "a fox", "response_format": "url"}
    async with connect(MEMORY, environ) as client:
        result = await call(client, "call_operation", name="create_image", arguments=arguments)
        [made] = (result.structured_content or {})["result"]["data"]
        assert made["url"].startswith("mtu://media/"), text_of(result)
        assert [block.uri for block in result.content if block.type == "resource_link"] == [made["url"]]


async def test_a_sound_is_saved_in_the_format_asked_for(environ: Environ, tmp_path: Path) -> None:
    """OpenAI API reference, speech: pcm has no header, so only the request tells what it is."""
    given = {"model": "gpt-4o-mini-tts", "input": "Hello.", "voice": "coral"}
    async with connect(MEMORY, environ) as client:
        for form in ("wav", "pcm"):
            arguments = {**given, "response_format": form}
            assert f".{form} (" in await answered(client, "call_operation", name="create_speech", arguments=arguments)
    assert {path.suffix for path in (tmp_path / "made").glob("*")} >= {".wav", ".pcm"}


async def test_a_text_file_of_the_gateway_is_shown(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: what a model can read is not hidden in a file."""
    stored = gateway.desk.files.add("第一行\n".encode(), "lines.jsonl", "batch_output")
    async with connect(MEMORY, environ) as client:
        assert "第一行" in await answered(
            client, "call_operation", name="get_file_content", arguments={"file_id": stored.id}
        )


async def test_a_large_file_of_the_gateway_is_saved_without_being_held(
    environ: Environ, gateway: Sandbox, tmp_path: Path
) -> None:
    """Our promise: it goes to the disk as it comes, and nothing else stays there; a read-only server says its size."""
    data = bytes(range(256)) * 20_000
    given = {"file_id": gateway.desk.files.add(data, "numbers.bin", "batch_output").id}
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "call_operation", name="get_file_content", arguments=given)
    assert "5,120,000 bytes" in said
    [path] = (tmp_path / "made").glob("*.bin")
    assert path.read_bytes() == data
    assert not [left for left in (tmp_path / "made").iterdir() if left.name.startswith(".")]
    async with connect(MEMORY, {**environ, "MTU_READ_ONLY": "true"}) as client:
        said = await answered(client, "call_operation", name="get_file_content", arguments=given)
    assert "5,120,000 bytes; it is not kept" in said


async def test_a_long_result_is_cut_and_saved_whole(environ: Environ, tmp_path: Path) -> None:
    """Claude Code moves results of about 50,000 characters into a file; our promise: cut before, with a link."""
    given = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "say: " + "é " * 30_000}]}
    async with connect(MEMORY, environ) as client:
        result = await call(client, "call_operation", name="create_chat_completion", arguments=given)
    assert "Shown: the first 40,000 of " in text_of(result)
    assert result.structured_content is None
    [path] = [path for path in (tmp_path / "made").glob("*.json") if not path.name.endswith(".json.json")]
    assert json.loads(path.read_text(encoding="utf-8"))["object"] == "chat.completion"


# ---- money and settings


async def test_an_operation_that_spends_has_a_receipt(environ: Environ) -> None:
    """Our promise: every answer says which model answered and what it used."""
    given = {"model": "gpt-4o", "messages": CHAT, "stream": True, "stream_options": {"include_usage": True}}
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "call_operation", name="create_chat_completion", arguments=given)
        free = await answered(client, "call_operation", name="list_models")
    assert re.search(r"\[gpt-4o · \d+ tokens in, \d+ out", said)
    assert '"object": "chat.completion.chunk"' in said
    assert "tokens in" not in free


async def test_a_read_only_server_reads_and_asks_but_changes_nothing(
    environ: Environ, gateway: Sandbox, tmp_path: Path
) -> None:
    """MTU_READ_ONLY: nothing is made or changed, here or at the gateway."""
    async with connect(MEMORY, {**environ, "MTU_READ_ONLY": "1"}) as client:
        await answered(client, "call_operation", name="list_models")
        given = {"model": "gpt-4o", "messages": CHAT}
        await answered(client, "call_operation", name="create_chat_completion", arguments=given)
        sent = len(gateway.journal)
        for name, arguments in (
            ("create_thread", {}),
            ("delete_file", {"file_id": "file-a"}),
            ("create_image", {"prompt": "a fox"}),
            ("create_speech", {"model": "tts-1", "input": "a", "voice": "nova"}),
        ):
            said = await refused(client, "call_operation", name=name, arguments=arguments, confirm=True)
            assert "MTU_READ_ONLY" in said
        assert len(gateway.journal) == sent
    assert not (tmp_path / "made").exists()


async def test_a_wrong_model_is_answered_with_the_nearest_names(environ: Environ) -> None:
    """Our promise: an error heals."""
    given = {"model": "gpt4o", "messages": CHAT}
    async with connect(MEMORY, environ) as client:
        assert "Nearest names: gpt-4o" in await refused(
            client, "call_operation", name="create_chat_completion", arguments=given
        )


async def test_a_missing_list_does_not_hide_the_endpoint_beside_it(
    environ: Environ, others: dict[str, Sandbox]
) -> None:
    """New API serves POST /chat/completions but no list of them: web search must not think that chat is missing."""
    settings = {**environ, "MTU_BASE_URL": others["new-api"].base_url, "MTU_TOOLSETS": "all"}
    async with connect(MEMORY, settings) as client:
        await refused(client, "call_operation", name="list_chat_completions")
        status = await client.read_resource("mtu://status")
    assert list(json.loads(status.contents[0].text)["not_offered"]) == ["GET chat/completions"]
