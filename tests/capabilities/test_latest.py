"""`latest` in the place of a file, through real clients: what is sent, who is asked, what is said."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from mcp.types import ElicitResult

from capabilities.material import answered, picture, refused, sound, spent
from connections import HANDSHAKE, MEMORY, MODERN, Cell, connect, every_cell, roots
from mtu_mcp.capabilities import capabilities
from mtu_mcp.sandbox import Sandbox

ONE_GATEWAY = True

Environ = dict[str, str]
both_eras = pytest.mark.parametrize("cell", [MEMORY, Cell("memory", HANDSHAKE)], ids=str)
QUIET = 60.0
"""Old enough not to be looked at twice."""


class User:
    """A user who is asked; `meanwhile` happens while the question stands."""

    def __init__(
        self, send: bool = True, meanwhile: Callable[[], object] = lambda: None, action: str = "accept"
    ) -> None:
        self.asked: list[str] = []
        self._send = send
        self._meanwhile = meanwhile
        self._action: Any = action

    async def __call__(self, _: Any, params: Any) -> ElicitResult:
        self.asked.append(params.message)
        self._meanwhile()
        if self._action != "accept":
            return ElicitResult(action=self._action)
        return ElicitResult(action="accept", content={"approve": self._send})


def put(folder: Path, name: str, data: bytes | None = None, age: float = QUIET) -> Path:
    path = folder / name
    path.write_bytes(data if data is not None else picture())
    at = time.time() - age
    os.utime(path, (at, at))
    return path


@pytest.fixture
def downloads(tmp_path: Path) -> Path:
    folder = tmp_path / "下载 Downloads"
    folder.mkdir()
    put(folder, "older.png", age=300)
    put(folder, "红 fox.png", age=120)
    put(folder, "voice.wav", sound(1.0, "Hello."), age=180)
    return folder


@pytest.fixture
def allowing(environ: Environ, downloads: Path) -> Environ:
    return {**environ, "MTU_ALLOWED_DIRS": str(downloads), "MTU_TOOLSETS": "all"}


@every_cell
async def test_the_newest_picture_is_sent_and_named_before_all_else(
    cell: Cell, allowing: Environ, gateway: Sandbox, downloads: Path
) -> None:
    """Our promise: on every transport and era the answer begins with the file, its folder, its size and its age."""
    async with connect(cell, allowing) as client:
        said = await answered(client, "understand", question="What is it?", media=["latest picture"])
    first = said.splitlines()[0]
    size = (downloads / "红 fox.png").stat().st_size
    assert first == f"Latest picture: 红 fox.png in {downloads} ({size} bytes), saved 2 minutes ago."
    assert spent(gateway) == 1
    assert "PNG" in said


@both_eras
@pytest.mark.parametrize(
    ("tool", "arguments", "name"),
    [
        ("chat", {"prompt": "What?", "images": ["latest"], "model": "gpt-4o"}, "红 fox.png"),
        ("generate_image", {"prompt": "snow", "images": ["latest 2"]}, "older.png"),
        ("transcribe", {"file": "latest"}, "voice.wav"),
        ("understand", {"question": "What?", "media": ["latest sound"]}, "voice.wav"),
        ("moderate_content", {"images": ["latest"]}, "红 fox.png"),
        ("manage_files", {"action": "upload", "file": "latest", "purpose": "user_data"}, "红 fox.png"),
        ("ask_document", {"question": "What?", "documents": ["latest document"]}, "paper.txt"),
        ("translate_text", {"target": "zh", "file": "latest"}, "paper.txt"),
        ("embed_text", {"file": "latest"}, "paper.txt"),
        ("speak", {"file": "latest"}, "paper.txt"),
    ],
)
async def test_every_tool_that_takes_files_takes_the_latest(
    cell: Cell, allowing: Environ, downloads: Path, tool: str, arguments: dict[str, Any], name: str
) -> None:
    """Our promise: one rule for all tools, and the family that fits each."""
    put(downloads, "paper.txt", b"A word about foxes.", age=600)
    async with connect(cell, allowing) as client:
        said = await answered(client, tool, **arguments)
    assert said.startswith("Latest ")
    assert name in said.partition("\n\n")[0]


async def test_a_script_agrees_beforehand(allowing: Environ, downloads: Path) -> None:
    """Our promise: `mtu-mcp call --yes` sends it, and without it nothing is sent and the way to allow it is told."""

    def call(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "mtu_mcp", "call", *words, "understand", "question=What?", 'media=["latest"]']
        return subprocess.run(
            command,
            env={**os.environ, **allowing, "PYTHONUTF8": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=False,
            cwd=downloads,
        )

    refused_call, agreed = await anyio.to_thread.run_sync(call), await anyio.to_thread.run_sync(lambda: call("--yes"))
    assert refused_call.returncode != 0
    assert "--yes" in refused_call.stderr
    assert agreed.returncode == 0, agreed.stderr
    assert agreed.stdout.startswith("Latest picture: 红 fox.png")


async def test_the_file_is_named_in_data_too(allowing: Environ, downloads: Path) -> None:
    """Claude Code shows its model only the structured form where there is one."""
    put(downloads, "paper.txt", b"A word about foxes.")
    async with connect(MEMORY, allowing) as client:
        result = await client.call_tool("embed_text", {"file": "latest"})
        structured = result.structured_content
    assert structured is not None
    assert next(iter(structured.items()))[0] == "latest"
    assert "paper.txt" in structured["latest"]


@pytest.mark.parametrize(("word", "times"), [("latest", 1), ("latest 2 pictures", 2), ("latest 16 screenshots", 16)])
async def test_what_it_may_cost_counts_the_files_asked_for(environ: Environ, word: str, times: int) -> None:
    """Our promise: the question about the sum comes before the files are looked for, and is about as many."""
    from mtu_mcp.app import open_app
    from mtu_mcp.capabilities._approval import estimate
    from mtu_mcp.settings import Settings

    async with open_app(Settings.read({**environ, "MTU_CONFIRM_ABOVE": "1"})) as app:
        _, one = await estimate(app, "understand", {"question": "What?", "media": [word]})
        _, named = await estimate(app, "understand", {"question": "What?", "media": ["a.png"] * times})
        _, heard = await estimate(app, "transcribe", {"file": "latest"})
        _, sound = await estimate(app, "transcribe", {"file": "a.mp3"})
    assert one.cny == named.cny
    assert heard.cny == sound.cny


def test_every_parameter_that_is_opened_as_a_file_takes_the_latest() -> None:
    """Our promise: a tool that is added tomorrow takes it too; what asks for roots takes files."""
    tools = [tool for one in capabilities() for tool in one.tools]
    assert [tool.name for tool in tools if "roots" in tool.fn.__annotations__ and not tool.takes_files] == []


@both_eras
async def test_the_user_is_asked_before_it_leaves(
    cell: Cell, allowing: Environ, gateway: Sandbox, downloads: Path
) -> None:
    """Our promise: where the host can ask, the user sees name, folder, size and time before anything is sent."""
    user = User()
    async with connect(cell, allowing, elicitation_callback=user) as client:
        said = await answered(client, "understand", question="What?", media=["latest"])
    [asked] = user.asked
    assert "红 fox.png" in asked
    assert str(downloads) in asked
    assert "127.0.0.1" in asked
    assert said.startswith("Latest picture: 红 fox.png")
    assert spent(gateway) == 1


@both_eras
@pytest.mark.parametrize(
    "user", [User(send=False), User(action="decline"), User(action="cancel")], ids=["no", "d", "c"]
)
async def test_without_the_users_word_nothing_is_sent(
    cell: Cell, allowing: Environ, gateway: Sandbox, user: User
) -> None:
    """Our promise: a no is a no, however it is said."""
    async with connect(cell, allowing, elicitation_callback=user) as client:
        said = await refused(client, "understand", question="What?", media=["latest"])
    assert "did not want 红 fox.png to be sent" in said
    assert spent(gateway) == 0


@both_eras
async def test_the_file_agreed_to_is_the_one_that_is_sent(
    cell: Cell, allowing: Environ, gateway: Sandbox, downloads: Path
) -> None:
    """Our promise: a newer file that comes while the question stands changes nothing."""
    newer = downloads / "newer.png"
    user = User(meanwhile=lambda: newer.exists() or put(downloads, newer.name, picture(width=99), age=30))
    async with connect(cell, allowing, elicitation_callback=user) as client:
        said = await answered(client, "understand", question="What?", media=["latest"])
        assert said.startswith("Latest picture: 红 fox.png")
        assert "64x64" in said
        assert len(user.asked) == 1
        again = await answered(client, "understand", question="What?", media=["latest"])
    assert again.startswith("Latest picture: newer.png")
    assert "99x64" in again
    assert spent(gateway) == 2


@both_eras
async def test_a_file_that_changes_after_the_users_word_is_not_sent(
    cell: Cell, allowing: Environ, gateway: Sandbox, downloads: Path
) -> None:
    """Our promise: size and time are checked again when it is opened."""
    swap = picture(color="blue", width=70)
    user = User(meanwhile=lambda: put(downloads, "红 fox.png", swap, age=119))
    async with connect(cell, allowing, elicitation_callback=user) as client:
        said = await refused(client, "understand", question="What?", media=["latest"])
    assert "changed after it was chosen" in said
    assert spent(gateway) == 0


async def test_an_abandoned_question_does_not_fix_the_file(allowing: Environ, downloads: Path) -> None:
    """MCP 2026-07-28, input required: a host may never come back; the next call looks anew."""

    class GoneError(Exception):
        pass

    def leave() -> None:
        raise GoneError

    users = [User(meanwhile=leave), User()]
    left: list[str] = []

    async def turn(context: Any, params: Any) -> ElicitResult:
        return await users[len(left)](context, params)

    async with connect(MEMORY, allowing, elicitation_callback=turn) as client:
        with pytest.raises(Exception):  # noqa: B017 - whatever the client makes of it
            await answered(client, "understand", question="What?", media=["latest"])
        left.append("gone")
        put(downloads, "newer.png", age=30)
        said = await answered(client, "understand", question="What?", media=["latest"])
    assert said.startswith("Latest picture: newer.png")


@both_eras
async def test_an_old_file_is_not_sent_unasked(cell: Cell, environ: Environ, gateway: Sandbox, tmp_path: Path) -> None:
    """Our promise: what a person just saved for this is not of last week; its path is named instead."""
    folder = tmp_path / "Pictures"
    folder.mkdir()
    old = put(folder, "old.png", age=9 * 86_400)
    allowing = {**environ, "MTU_ALLOWED_DIRS": str(folder)}
    async with connect(cell, allowing) as client:
        said = await refused(client, "understand", question="What?", media=["latest"])
        assert "saved 9 days ago" in said
        assert str(old) in said
        assert spent(gateway) == 0
        await answered(client, "understand", question="What?", media=[str(old)])
    user = User()
    async with connect(cell, allowing, elicitation_callback=user) as client:
        assert "9 days ago" in await answered(client, "understand", question="And?", media=["latest"])
    assert time.strftime("%Y-%m-%d", time.localtime(old.stat().st_mtime)) in user.asked[0]


@both_eras
async def test_the_hosts_roots_are_searched(cell: Cell, environ: Environ, downloads: Path) -> None:
    """MCP specification, roots: allowed like the configured folders."""
    async with connect(cell, environ, list_roots_callback=roots(downloads)) as client:
        said = await answered(client, "understand", question="What?", media=["latest"])
    assert said.startswith("Latest picture: 红 fox.png")


async def test_roots_a_word_on_cost_and_a_word_on_the_file_go_together(
    allowing: Environ, gateway: Sandbox, downloads: Path
) -> None:
    """Our promise: each question is asked once, whatever else is asked in the same call."""
    asked: list[str] = []

    async def user(_: Any, params: Any) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action="accept", content={"approve": True})

    for era in (MODERN, HANDSHAKE):
        careful = {**allowing, "MTU_CONFIRM_ABOVE": "0"}
        async with connect(
            Cell("memory", era), careful, elicitation_callback=user, list_roots_callback=roots(downloads)
        ) as client:
            said = await answered(client, "understand", question=f"What? {era}", media=["latest"])
        assert said.startswith("Latest picture: 红 fox.png")
        assert len(asked) == 2
        asked.clear()
    assert spent(gateway) == 2


async def test_a_conversation_knows_the_file_and_not_the_word(
    allowing: Environ, gateway: Sandbox, downloads: Path
) -> None:
    """Our promise: a later question is about the same picture, whatever was saved since."""
    async with connect(MEMORY, allowing) as client:
        await answered(client, "understand", question="What?", media=["latest"], conversation="fox")
        put(downloads, "newer.png", picture(width=99), age=10)
        said = await answered(client, "understand", question="And now?", conversation="fox")
    assert "not sent again" not in said
    assert "64x64" in said


async def test_the_progress_names_the_file_before_it_is_sent(allowing: Environ, gateway: Sandbox) -> None:
    """Our promise: named before anything is sent."""
    heard: list[tuple[str, int]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        del progress, total
        heard.append((message or "", spent(gateway)))

    async with connect(MEMORY, allowing) as client:
        await client.call_tool("understand", {"question": "What?", "media": ["latest"]}, progress_callback=hear)
    assert heard[0] == ("sending 红 fox.png", 0)


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("transcribe", {"file": "latest 2"}, "takes one file"),
        ("chat", {"prompt": "hi", "images": "latest 99 pictures"}, "1 to 16"),
        (
            "call_operation",
            {"name": "create_transcription", "arguments": {"model": "whisper-1", "file": "latest 2"}},
            "file takes one file; latest 2 asks for 2.",
        ),
        (
            "call_operation",
            {"name": "create_transcription", "arguments": {"model": "whisper-1", "file": "latest picture"}},
            "latest picture does not fit here",
        ),
        (
            "call_operation",
            {"name": "create_transcription", "arguments": {"model": "whisper-1", "file": "upload"}},
            "--transport http",
        ),
        ("transcribe", {"file": "latest picture"}, "latest picture does not fit here"),
        ("chat", {"prompt": "hi", "images": ["latest 99"]}, "1 to 16"),
        ("understand", {"question": "What?", "media": ["latest video"]}, "There is no video in"),
        ("understand", {"question": "What?", "media": ["latest news"]}, "no file 'latest news'"),
        ("understand", {"question": "What?", "media": ["upload"]}, "--transport http"),
    ],
)
async def test_a_wish_that_cannot_be_granted_says_why(
    allowing: Environ, gateway: Sandbox, tool: str, arguments: dict[str, Any], said: str
) -> None:
    """Our promise: every refusal says what to do."""
    async with connect(MEMORY, allowing) as client:
        assert said.replace("'", "") in (await refused(client, tool, **arguments)).replace("'", "")
    assert spent(gateway) == 0


@pytest.mark.parametrize("path", ["/mnt/user-data/uploads/x.png", "sandbox:/mnt/data/x.png", "attachments/x.png"])
async def test_a_path_of_the_chat_is_told_to_be_saved(allowing: Environ, path: str) -> None:
    """Claude Desktop and ChatGPT give files of the chat paths of their own machines."""
    async with connect(MEMORY, allowing) as client:
        said = await refused(client, "understand", question="What?", media=[path])
    assert "only in the chat" in said
    assert '"latest"' in said


async def test_ten_calls_at_once_send_what_each_asked_for(allowing: Environ, gateway: Sandbox) -> None:
    """Our promise: calls do not disturb each other's choice."""
    found: list[str] = []

    async def ask(client: Any, number: int) -> None:
        word = ("latest picture", "latest sound")[number % 2]
        found.append((await answered(client, "understand", question=f"What? {number}", media=[word])).splitlines()[0])

    async with connect(MEMORY, allowing, elicitation_callback=User()) as client, anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(ask, client, number)
    assert (
        sorted(line.split(" in ")[0] for line in found)
        == ["Latest picture: 红 fox.png"] * 5 + ["Latest sound: voice.wav"] * 5
    )
    assert spent(gateway) == 10


@both_eras
async def test_one_word_is_a_list_of_one(cell: Cell, allowing: Environ, downloads: Path) -> None:
    """Our promise: models write a word where a list is wanted, and the user is asked about the file all the same."""
    user = User()
    async with connect(cell, allowing, elicitation_callback=user) as client:
        said = await answered(client, "understand", question="What is it?", media="latest picture")
        plain = await answered(client, "understand", question="What is it?", media=str(downloads / "older.png"))
        wrong = await refused(client, "chat", prompt="What?", tools="latest")
    assert said.startswith("Latest picture: 红 fox.png")
    assert len(user.asked) == 1
    assert "png" in plain.lower()
    assert "tools" in wrong


@both_eras
@pytest.mark.parametrize("words", ["latest 2 pictures", '["latest 2 pictures"]', ["latest 2 pictures"]], ids=repr)
async def test_several_are_asked_for_in_one_word_too(
    cell: Cell, allowing: Environ, gateway: Sandbox, words: str | list[str]
) -> None:
    """Our promise: a word where a list is wanted, or the list as JSON, is the list, however many files it stands for."""
    async with connect(cell, allowing) as client:
        said = await answered(client, "understand", question="What is it?", media=words)
    assert [line.partition(" in ")[0] for line in said.splitlines()[:2]] == [
        "Latest picture: 红 fox.png",
        "Latest picture: older.png",
    ]
    assert spent(gateway) == 1


OPERATIONS: list[tuple[str, dict[str, Any] | str, list[str]]] = [
    ("create_transcription", {"model": "whisper-1", "file": "latest"}, ["voice.wav"]),
    ("create_transcription", '{"model": "whisper-1", "file": "latest"}', ["voice.wav"]),  # as models write it
    ("upload_file", {"purpose": "user_data", "file": "latest"}, ["红 fox.png"]),
    (
        "create_image_edit",
        {"model": "gpt-image-1", "prompt": "snow", "image": "latest 2"},
        ["红 fox.png", "older.png"],
    ),
    ("create_image_edit", {"model": "gpt-image-1", "prompt": "snow", "image": "latest"}, ["红 fox.png"]),
    ("create_image_edit", {"model": "gpt-image-1", "prompt": "snow", "image": '["latest"]'}, ["红 fox.png"]),
]


@both_eras
@pytest.mark.parametrize(("name", "arguments", "files"), OPERATIONS)
async def test_an_operation_takes_the_latest_too(
    cell: Cell, allowing: Environ, gateway: Sandbox, name: str, arguments: dict[str, Any] | str, files: list[str]
) -> None:
    """Our promise: one rule for all tools; the user is asked, and the answer names the file before all else."""
    user = User()
    async with connect(cell, allowing, elicitation_callback=user) as client:
        said = await answered(client, "call_operation", name=name, arguments=arguments)
    assert [line.partition(" in ")[0].partition(": ")[2] for line in said.splitlines()[: len(files)]] == files
    assert len(user.asked) == 1
    assert files[0] in user.asked[0]
    assert len([one for one in gateway.journal if one.method == "POST" and one.path.startswith("/v1/")]) == 1


@pytest.mark.parametrize("user", [User(send=False), User(action="decline")], ids=["no", "declined"])
async def test_an_operation_without_the_users_word_sends_nothing(
    allowing: Environ, gateway: Sandbox, user: User
) -> None:
    """Our promise: a no is a no, for operations too."""
    arguments = {"model": "whisper-1", "file": "latest"}
    async with connect(MEMORY, allowing, elicitation_callback=user) as client:
        said = await refused(client, "call_operation", name="create_transcription", arguments=arguments)
    assert "did not want voice.wav to be sent" in said
    assert spent(gateway) == 0


@pytest.mark.parametrize(
    ("name", "arguments", "changed"),
    [
        ("create_transcription", {"file": "latest"}, {}),
        ("create_transcription", {"model": "whisper-1", "file": "latest", "made_up": 1}, {}),
        ("upload_file", {"purpose": "user_data", "file": "latest"}, {"MTU_READ_ONLY": "1"}),
    ],
)
async def test_nobody_is_asked_about_the_file_of_an_operation_that_is_refused(
    allowing: Environ, gateway: Sandbox, name: str, arguments: dict[str, Any], changed: Environ
) -> None:
    """Our promise: what does not fit, or may not be done, is told before any question."""
    user = User()
    async with connect(MEMORY, {**allowing, **changed}, elicitation_callback=user) as client:
        await refused(client, "call_operation", name=name, arguments=arguments)
    assert user.asked == []
    assert spent(gateway) == 0
