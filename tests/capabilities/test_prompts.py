"""The prompts, each followed to its end: the calls it names are made as it words them, against the embedded gateway."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.types import PromptReference

from capabilities.material import answered, messages, named, picture, sound
from connections import MEMORY, Cell, connect, every_cell
from mtu_mcp.capabilities.prompts import CAPABILITY
from mtu_mcp.sandbox import Sandbox

Environ = dict[str, str]
Step = tuple[str, dict[str, Any]]
NAMES = [
    "second_opinion",
    "describe_media",
    "meeting_minutes",
    "research_report",
    "picture_brief",
    "translate_document",
    "review_code",
]
FEWEST: dict[str, dict[str, str]] = {
    "second_opinion": {"question": "Is 91 prime?"},
    "describe_media": {"media": "fox.png"},
    "meeting_minutes": {"recording": "voice.wav"},
    "research_report": {"topic": "Eiffel Tower height"},
    "picture_brief": {"idea": "a fox in the snow"},
    "translate_document": {"file": "notes.md", "language": "French"},
    "review_code": {"code": "def f(): return 1/0"},
}
"""The least each prompt needs."""


@pytest.fixture
def environ(environ: Environ, tmp_path: Path) -> Environ:
    (tmp_path / "fox.png").write_bytes(picture())
    (tmp_path / "voice.wav").write_bytes(sound(2.0, "Mei: We ship on Friday. Tom: I write the notes."))
    (tmp_path / "notes.md").write_text("# Notes\n\nHello world.\n", encoding="utf-8")
    return {**environ, "MTU_ALLOWED_DIRS": str(tmp_path)}


async def read(client: Client, name: str, **arguments: str) -> str:
    """The text of a prompt."""
    [message] = (await client.get_prompt(name, arguments)).messages
    assert message.role == "user"
    assert message.content.type == "text"
    return message.content.text


def steps(text: str) -> list[Step]:
    """The calls a prompt names, with their arguments."""
    return [(tool, json.loads(given)) for tool, given in re.findall(r"Call `(\w+)` with (\{.*\})$", text, re.MULTILINE)]


async def follow(client: Client, step: Step, **known: Any) -> str:
    """Make a call as worded, with what the host's model would put into the angle brackets."""
    tool, arguments = step
    filled = {name: _filled(value, known) for name, value in arguments.items()}
    assert "<" not in json.dumps(filled), filled
    return await answered(client, tool, **filled)


def _filled(value: Any, known: dict[str, Any]) -> Any:
    return re.sub(r"<the (\w+)>", lambda found: known[found[1]], value) if isinstance(value, str) else value


def fill(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)


async def suggestions(client: Client, name: str, argument: str, typed: str = "") -> list[str]:
    reference = PromptReference(type="ref/prompt", name=name)
    return (await client.complete(reference, {"name": argument, "value": typed})).completion.values


async def test_the_prompts_are_listed_with_titles_and_described_arguments(environ: Environ) -> None:
    """MCP prompts: hosts show title, description and arguments; the list is in a host's memory, so it is small."""
    async with connect(MEMORY, environ) as client:
        prompts = (await client.list_prompts()).prompts
    assert [prompt.name for prompt in prompts] == NAMES
    for prompt in prompts:
        assert prompt.title
        assert prompt.description
        assert "\n" not in prompt.description
        assert {one.name for one in prompt.arguments or () if one.required} == set(FEWEST[prompt.name])
        assert all(one.description for one in prompt.arguments or ())
    listed = [prompt.model_dump(mode="json", by_alias=True, exclude_none=True) for prompt in prompts]
    assert len(json.dumps(listed, separators=(",", ":"))) / 4 <= 600


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("toolsets", ["core", "all"])
async def test_a_prompt_names_only_calls_that_can_be_made(environ: Environ, name: str, toolsets: str) -> None:
    """Our promise: every tool and argument in a prompt is one the server lists."""
    async with connect(MEMORY, {**environ, "MTU_TOOLSETS": toolsets}) as client:
        tools = {tool.name: tool.input_schema for tool in (await client.list_tools()).tools}
        full = {one.name: "x = y" for one in await arguments_of(client, name)}
        for arguments in (FEWEST[name], full):
            text = await read(client, name, **arguments)
            assert steps(text)
            assert "{}" not in text
            for tool, given in steps(text):
                assert set(given) <= set(tools[tool]["properties"]), tool
                assert set(tools[tool].get("required", ())) <= set(given), tool
            for mentioned in re.findall(r"`(\w+)`", text):
                assert mentioned in tools
            assert len(text) < 2_500


async def arguments_of(client: Client, name: str) -> list[Any]:
    [prompt] = [one for one in (await client.list_prompts()).prompts if one.name == name]
    return list(prompt.arguments or ())


async def test_a_second_opinion_asks_another_model_in_a_conversation(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: the prompt leads to the answer of the model that was named."""
    async with connect(MEMORY, environ) as client:
        text = await read(
            client, "second_opinion", question='What is 7 * 13, in "words"?', model="qwen-max", conversation="数学"
        )
        [step] = steps(text)
        said = await follow(client, step)
        assert await suggestions(client, "second_opinion", "conversation", "数") == ["数学"]
    assert "[qwen-max · " in said
    assert messages(gateway)[-1]["content"] == 'What is 7 * 13, in "words"?'


async def test_media_is_described_and_several_pictures_together(environ: Environ) -> None:
    """Our promise: one picture a line goes into one question."""
    async with connect(MEMORY, environ) as client:
        [step] = steps(await read(client, "describe_media", media="fox.png\nfox.png", question="Which colour is it?"))
        assert step[1]["media"] == ["fox.png", "fox.png"]
        assert "red" in await follow(client, step)
        [step] = steps(await read(client, "describe_media", media="voice.wav"))
        assert "We ship on Friday" in await follow(client, step)


async def test_minutes_begin_with_a_transcript_with_speakers_or_without(environ: Environ) -> None:
    """Our promise: a gateway without a model that tells speakers apart still gives minutes."""
    async with connect(MEMORY, environ) as client:
        text = await read(client, "meeting_minutes", recording="voice.wav", language="French", names="Mei, Tom")
        told_apart, plain = steps(text)
        assert "We ship on Friday" in await follow(client, told_apart)
        assert "We ship on Friday" in await follow(client, plain)
    assert told_apart[1]["speakers"] is True
    assert plain[1]["hint"] == "Mei, Tom"
    assert "in French" in text


@pytest.mark.parametrize("depth", ["quick", "deep"])
async def test_a_report_begins_with_sources(environ: Environ, depth: str) -> None:
    """Our promise: deep means the engine that researches, quick the gateway's usual one."""
    async with connect(MEMORY, environ) as client:
        [step] = steps(await read(client, "research_report", topic="How high is the Eiffel Tower?", depth=depth))
        said = await follow(client, step)
    assert step[1]["engine"] == {"quick": "auto", "deep": "jina"}[depth]
    assert "Sources:" in said
    assert "330" in said


async def test_an_idea_becomes_a_picture_and_a_picture_another(environ: Environ) -> None:
    """Our promise: the picture is a file, and the next prompt can start from it."""
    async with connect(MEMORY, environ) as client:
        [step] = steps(await read(client, "picture_brief", idea="a fox in the snow", style="woodcut"))
        said = await follow(client, step, brief="A red fox in deep snow, woodcut, black lines")
        assert named(said).is_file()
        [uri] = await suggestions(client, "picture_brief", "picture", "fox")
        assert uri.startswith("mtu://media/")
        [step] = steps(await read(client, "picture_brief", idea="the same at night", picture=uri))
        again = await follow(client, step, brief="The same at night")
    assert step[1]["images"] == [uri]
    assert named(again).is_file()


async def test_a_document_is_translated_by_the_tool_for_it_where_that_is_listed(
    environ: Environ, gateway: Sandbox
) -> None:
    """Our promise: the structure stays, terms are kept to, and the translation is a file."""
    async with connect(MEMORY, {**environ, "MTU_TOOLSETS": "all"}) as client:
        text = await read(client, "translate_document", file="notes.md", language="French", terms="world = monde")
        [step] = steps(text)
        said = await follow(client, step)
    assert step == ("translate_text", {"file": "notes.md", "target": "French", "terms": {"world": "monde"}})
    assert named(said).read_text(encoding="utf-8").startswith("# ")


async def test_a_document_is_translated_piece_by_piece_where_only_chat_is_listed(
    environ: Environ, gateway: Sandbox
) -> None:
    """Our promise: the default tools are enough for every prompt."""
    async with connect(MEMORY, environ) as client:
        text = await read(client, "translate_document", file="notes.md", language="German", terms="world = Welt; x\n=y")
        [step] = steps(text)
        assert step[0] == "chat"
        await follow(client, step, piece="# Notes\n\nHello world.")
    sent = messages(gateway)[-1]["content"]
    assert sent.startswith("Translate into German.")
    assert "'world' as 'Welt'" in sent
    assert sent.endswith("# Notes\n\nHello world.")


async def test_code_is_reviewed_by_the_model_that_was_named(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: code arrives as it was given, quotes, braces and all."""
    code = 'def f(x):\n    return {"a": f"{x!r}\\n"}  # 注释'
    async with connect(MEMORY, environ) as client:
        [step] = steps(await read(client, "review_code", code=code, focus="security", model="deepseek-chat"))
        said = await follow(client, step)
    assert "[deepseek-chat · " in said
    system, user = messages(gateway)
    assert system["role"] == "system"
    assert "security" in user["content"]
    assert user["content"].endswith(code)


@every_cell
async def test_arguments_complete_from_what_there_is_now(cell: Cell, environ: Environ) -> None:
    """MCP completion, prompt references: models of the gateway, languages, kept conversations, saved files."""
    async with connect(cell, environ) as client:
        models = await suggestions(client, "second_opinion", "model", "QWEN3-m")
        assert models == ["qwen3-max"]
        assert await suggestions(client, "second_opinion", "model", "best") == ["best"]
        assert "whisper-1" not in await suggestions(client, "review_code", "model")
        assert "French" in await suggestions(client, "meeting_minutes", "language", "fr")
        assert await suggestions(client, "translate_document", "language", "法语") == ["French"]
        assert await suggestions(client, "research_report", "depth") == ["quick", "deep"]
        assert await suggestions(client, "second_opinion", "conversation") == []
        assert await suggestions(client, "describe_media", "media", "x") == []
        assert await suggestions(client, "second_opinion", "question", "x") == []
        assert await suggestions(client, "no_such_prompt", "model") == []


async def test_files_complete_by_what_they_are(environ: Environ) -> None:
    """Our promise: a recording is offered where a recording is wanted, and only there."""
    fill(
        Path(environ["MTU_OUTPUT_DIR"]),
        {"talk.wav": sound(), "fox.png": picture(), "笔记.md": b"# x", "talk.wav.json": b"{}"},
    )
    async with connect(MEMORY, environ) as client:
        assert await suggestions(client, "meeting_minutes", "recording") == ["mtu://media/talk.wav"]
        assert await suggestions(client, "picture_brief", "picture", "MTU://media/f") == ["mtu://media/fox.png"]
        assert set(await suggestions(client, "describe_media", "media")) == {
            "mtu://media/talk.wav",
            "mtu://media/fox.png",
        }
        [uri] = await suggestions(client, "translate_document", "file", "笔")
        assert (await client.read_resource(uri)).contents


@pytest.mark.parametrize("broken", [{"MTU_API_KEY": ""}, {"MTU_BASE_URL": "http://127.0.0.1:9/v1"}])
async def test_completion_and_prompts_work_without_a_gateway(environ: Environ, broken: Environ) -> None:
    """Our promise: it always starts, and answers first."""
    async with connect(MEMORY, {**environ, **broken, "MTU_MAX_RETRIES": "0"}) as client:
        assert "gpt-4.1" in await suggestions(client, "second_opinion", "model", "gpt-4.1")
        for name in NAMES:
            assert steps(await read(client, name, **FEWEST[name]))


async def test_a_prompt_whose_tools_are_not_listed_is_not_listed(environ: Environ) -> None:
    """Our promise: no recipe tells to call what is not there."""
    async with connect(MEMORY, {**environ, "MTU_READ_ONLY": "true"}) as client:
        assert "picture_brief" not in [prompt.name for prompt in (await client.list_prompts()).prompts]
    async with connect(MEMORY, {**environ, "MTU_TOOLSETS": "safety"}) as client:
        assert (await client.list_prompts()).prompts == []


def test_no_prompt_is_forgotten_here() -> None:
    """This file follows every prompt there is."""
    assert list(dict.fromkeys(spec.name for spec in CAPABILITY.prompts)) == NAMES
