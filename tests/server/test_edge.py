"""What leaves the server: never the key, never an exception's text, always a sentence."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult, EmbeddedResource, ResourceLink, TextContent, TextResourceContents

from connections import CELLS, HANDSHAKE, MEMORY, Cell, connect, text_of
from mtu_mcp import errors
from mtu_mcp.app import current_app, open_app
from mtu_mcp.capabilities._spec import Content, ResourceSpec, ToolSpec
from mtu_mcp.gateway import current_scope
from mtu_mcp.sandbox import Sandbox
from mtu_mcp.server.assembly import MtuServer
from mtu_mcp.settings import Settings

KEY = "sk-test-key-0123456789"
HIDDEN = "[key hidden]"
BOTH_ERAS = pytest.mark.parametrize("cell", [MEMORY, Cell("memory", HANDSHAKE)], ids=str)
WIRE = pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.transport in ("stdio", "http")], ids=str)


def answer(*blocks: Any, data: dict[str, Any] | None = None) -> CallToolResult:
    return CallToolResult(content=list(blocks), structured_content=data)


def text(said: str) -> TextContent:
    return TextContent(type="text", text=said)


async def tell_all() -> CallToolResult:
    """Put the key wherever a result can hold text."""
    await current_scope().report(f"asking with {KEY}", 1, 2)
    held = TextResourceContents(uri="mtu://x", text=f"in a resource: {KEY}")
    return answer(
        text(f"in a text: {KEY}, twice: {KEY}"),
        EmbeddedResource(type="resource", resource=held),
        ResourceLink(type="resource_link", name=f"{KEY}.png", uri=f"mtu://media/{KEY}.png"),
        data={"plain": KEY, "deep": [{"list": [f"Bearer {KEY}"]}], KEY: "as a name", "number": 7, "none": None},
    )


async def fail(kind: str) -> CallToolResult:
    """Raise an error of ours, or another."""
    raise getattr(errors, kind, RuntimeError)(f"It said {KEY}.")


async def interrupt() -> CallToolResult:
    """Fail as a library does that gives up."""
    raise TimeoutError


TOOLS = [ToolSpec(fn, title=fn.__name__) for fn in (tell_all, fail, interrupt)]


async def told() -> Content:
    """A text with the key."""
    return Content(f"key: {current_app().settings.api_key.get_secret_value()}")  # type: ignore[union-attr]


async def bytes_told() -> Content:
    """Bytes, which are left alone."""
    return Content(KEY.encode(), "application/octet-stream")


async def broken() -> Content:
    """Break."""
    raise RuntimeError(f"secret {KEY}")


async def failing(kind: str) -> Content:
    """Raise an error of ours."""
    raise getattr(errors, kind)(f"It said {KEY}.")


RESOURCES = [
    ResourceSpec("mtu://told", told, "Told", mime="text/plain"),
    ResourceSpec("mtu://bytes", bytes_told, "Bytes"),
    ResourceSpec("mtu://broken", broken, "Broken"),
    ResourceSpec("mtu://failing/{kind}", failing, "Failing"),
]


@asynccontextmanager
async def misbehaving(cell: Cell, environ: dict[str, str]) -> AsyncGenerator[Client]:
    """A client on a server whose tools and resources misbehave."""
    async with (
        open_app(Settings.read(environ)) as app,
        Client(MtuServer(TOOLS, RESOURCES, app), mode=cell.era) as client,
    ):
        yield client


@BOTH_ERAS
async def test_the_key_is_taken_out_of_everything_a_result_says(cell: Cell, environ: dict[str, str]) -> None:
    """Our promise: the gateway's key never leaves, whatever part of a result quotes it."""
    heard: list[str | None] = []

    async def hear(_: float, __: float | None, message: str | None) -> None:
        heard.append(message)

    async with misbehaving(cell, environ) as client:
        result = await client.call_tool("tell_all", {}, progress_callback=hear)
    whole = result.model_dump_json()
    assert KEY not in whole
    assert whole.count(HIDDEN) == 8
    assert result.structured_content is not None
    assert result.structured_content["number"] == 7
    assert heard == [f"asking with {HIDDEN}"]


async def test_every_error_of_ours_is_told_in_its_own_words_without_the_key(environ: dict[str, str]) -> None:
    """Our promise: an error says what happened; a gateway that quotes the key in its refusal gives nothing away."""
    kinds = {name: one for name, one in vars(errors).items() if isinstance(one, type)}
    async with misbehaving(MEMORY, environ) as client:
        for name, kind in kinds.items():
            result = await client.call_tool("fail", {"kind": name})
            assert result.is_error, name
            assert text_of(result) == f"It said {HIDDEN}."
            with pytest.raises(MCPError) as caught:
                await client.read_resource(f"mtu://failing/{name}")
            assert caught.value.error.message == f"It said {HIDDEN}."
            assert (caught.value.error.code == -32602) == issubclass(kind, errors.BadInput), name


@BOTH_ERAS
async def test_any_other_exception_becomes_an_apology(
    cell: Cell, environ: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """Our promise: an exception's text may hold anything, so it goes to the log alone."""
    async with misbehaving(cell, environ) as client:
        result = await client.call_tool("fail", {"kind": "Unexpected"})
        assert result.is_error
        assert "Something inside mtu-mcp broke while running fail (RuntimeError)" in text_of(result)
        assert "It said" not in text_of(result)
        assert text_of(await client.call_tool("interrupt", {})).count("TimeoutError") == 1
        with pytest.raises(MCPError) as caught:
            await client.read_resource("mtu://broken")
    assert "secret" not in caught.value.error.message
    assert [record.message for record in caplog.records if record.name == "mtu_mcp.server.edge"] == [
        "fail broke",
        "interrupt broke",
        "reading mtu://broken broke",
    ]


@BOTH_ERAS
async def test_the_key_is_taken_out_of_resources(cell: Cell, environ: dict[str, str]) -> None:
    """Our promise: texts are cleaned; bytes of a file the user made are passed on as they are."""
    async with misbehaving(cell, environ) as client:
        (held,) = (await client.read_resource("mtu://told")).contents
        assert isinstance(held, TextResourceContents)
        assert held.text == f"key: {HIDDEN}"
        (held,) = (await client.read_resource("mtu://bytes")).contents
        assert held.mime_type == "application/octet-stream"


@WIRE
async def test_a_model_that_repeats_the_key_does_not_give_it_away(
    cell: Cell, gateway: Sandbox, environ: dict[str, str]
) -> None:
    """Our promise, over the wire: in the answer, in what is kept of the conversation, in progress."""
    heard: list[str] = []

    async def hear(_: float, __: float | None, message: str | None) -> None:
        heard.append(message or "")

    async with connect(cell, environ) as client:
        asked = {"prompt": f"Repeat: {KEY}", "conversation": "leaky"}
        result = await client.call_tool("chat", asked, progress_callback=hear)
        assert "***" in text_of(result)
        kept = await client.read_resource("mtu://conversations/leaky")
        listed = await client.read_resource("mtu://conversations")
        status = await client.read_resource("mtu://status")
    for one in (result, kept, listed, status):
        assert KEY not in one.model_dump_json()
    assert not any(KEY in message for message in heard)
    assert gateway.journal.find("chat/completions")


@BOTH_ERAS
async def test_an_argument_that_is_not_there_is_refused_with_the_list(cell: Cell, environ: dict[str, str]) -> None:
    """Our promise: a misspelt argument is not dropped in silence."""
    async with connect(cell, environ) as client:
        result = await client.call_tool("chat", {"prompt": "hi", "temprature": 0.2, KEY: 1})
    assert result.is_error
    assert "'temprature'" in text_of(result)
    assert "prompt, model, conversation" in text_of(result)
    assert "app" not in text_of(result).split(": ")[-1].split(", ")
    assert KEY not in text_of(result)


async def test_what_resolvers_fill_in_cannot_be_passed(environ: dict[str, str]) -> None:
    """Our promise: folders are named by the host, not by the model."""
    async with connect(MEMORY, environ) as client:
        for name in ("roots", "app", "ctx"):
            result = await client.call_tool("understand", {"question": "?", "media": ["/etc/passwd"], name: ["/"]})
            assert result.is_error
            assert f"no argument '{name}'" in text_of(result)


@BOTH_ERAS
async def test_a_tool_that_is_not_there_is_answered_with_the_list(cell: Cell, environ: dict[str, str]) -> None:
    """Our promise: the model finds the right name in the error."""
    async with connect(cell, environ) as client:
        result = await client.call_tool(f"paint-{KEY}", {})
    assert result.is_error
    assert "generate_image" in text_of(result)
    assert KEY not in text_of(result)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"prompt": ""},
        {"prompt": None},
        {"prompt": {"text": "hi"}},
        {"prompt": KEY, "max_tokens": KEY},
        {"prompt": "hi", "max_tokens": 0},
        {"prompt": "hi", "images": "no list"},
        {"prompt": "hi", "effort": KEY},
        {"prompt": "hi", "options": [KEY]},
    ],
    ids=str,
)
async def test_arguments_that_do_not_fit_are_explained_in_short(
    gateway: Sandbox, environ: dict[str, str], arguments: dict[str, Any]
) -> None:
    """Our promise: which argument, and why; no addresses of documentation, no key, nothing spent."""
    async with connect(MEMORY, environ) as client:
        result = await client.call_tool("chat", arguments)
    assert result.is_error
    assert len(text_of(result)) < 400
    assert "https://" not in text_of(result)
    assert KEY not in text_of(result)
    assert not gateway.journal.find("chat/completions")


async def test_a_cancelled_call_is_cancelled_and_no_apology(gateway: Sandbox, environ: dict[str, str]) -> None:
    """Our promise: a cancellation passes through the edge, and the upstream connection is closed."""
    gateway.arm("stall", "chat/completions")
    async with connect(MEMORY, environ) as client:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(client.call_tool, "chat", {"prompt": "hi"})
                await gateway.journal.awaited(lambda entry: entry.path.endswith("chat/completions"))
                scope.cancel()
        await gateway.journal.awaited(lambda entry: entry.ended == "client closed")


@BOTH_ERAS
async def test_a_prompt_that_is_not_there_is_an_invalid_parameter(cell: Cell, environ: dict[str, str]) -> None:
    """MCP prompts, error handling: invalid prompt name: -32602."""
    async with connect(cell, environ) as client:
        with pytest.raises(MCPError) as caught:
            await client.get_prompt("nothing")
    assert caught.value.error.code == -32602


def test_a_short_test_key_is_not_searched_for() -> None:
    """Our promise: a key such as "any" would tear words apart."""
    from pydantic import SecretStr

    from mtu_mcp.server.logs import hide

    assert hide("anybody", SecretStr("any")) == "anybody"
    assert hide("anybody", None) == "anybody"
    assert hide(f"<{KEY}>", SecretStr(KEY)) == f"<{HIDDEN}>"
