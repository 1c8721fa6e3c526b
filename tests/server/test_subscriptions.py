"""News of what the server keeps: on both eras, whoever changed it, and to nobody but its owner."""

import json
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ResourceUpdated
from mcp.types import ResourceTemplateReference, ResourceUpdatedNotification, TextResourceContents

from callers import ANN, BOB, TEAM, serving
from capabilities.material import answered
from connections import CELLS, HANDSHAKE, MEMORY, MODERN, Cell, connect, text_of
from mtu_mcp.sandbox import Sandbox
from mtu_mcp.server.subscriptions import MOST
from processes import HELLO, modern, request, running

Environ = dict[str, str]
OLDER = [cell for cell in CELLS if cell.era == HANDSHAKE]
older = pytest.mark.parametrize("cell", OLDER, ids=str)
ONE = Cell("memory", HANDSHAKE)
pytestmark = pytest.mark.filterwarnings("ignore:.*is removed as of 2026-07-28")


class Heard:
    """What one host was told, by address."""

    def __init__(self) -> None:
        self.uris: list[str] = []
        self._changed = anyio.Event()

    async def __call__(self, message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            self.uris.append(str(message.params.uri))
            self._changed.set()
            self._changed = anyio.Event()

    async def until(self, enough: Callable[[set[str]], bool]) -> None:
        with anyio.fail_after(30):
            while not enough(set(self.uris)):
                await self._changed.wait()


async def read(client: Client, uri: str) -> Any:
    (held,) = (await client.read_resource(uri)).contents
    assert isinstance(held, TextResourceContents)
    return json.loads(held.text)


async def follow(client: Client, *uris: str) -> None:
    for uri in uris:
        await client.session.subscribe_resource(uri)  # pyright: ignore[reportDeprecated] - what older hosts send


WATCHED = (
    "mtu://conversations",
    "mtu://conversations/%E8%8C%B6",
    "mtu://usage",
    "mtu://media",
    "mtu://jobs",
    "mtu://models",
)


@older
async def test_older_hosts_hear_of_everything_that_changes(cell: Cell, environ: Environ) -> None:
    """MCP 2025-11-25, resources: a server that declares `subscribe` sends notifications/resources/updated."""
    heard = Heard()
    async with connect(cell, environ, message_handler=heard) as client:
        assert client.server_capabilities.resources
        assert client.server_capabilities.resources.subscribe
        await follow(client, *WATCHED)
        await answered(client, "chat", prompt="Hello", conversation="茶")
        await answered(client, "generate_image", prompt="a fox", model="dall-e-2", size="256x256")
        wanted = {*WATCHED} - {"mtu://jobs"}
        await heard.until(lambda told: told >= wanted)
        assert "mtu://jobs" not in heard.uris


@pytest.mark.parametrize("cell", [MEMORY, Cell("stdio", MODERN), Cell("http", MODERN)], ids=str)
async def test_todays_hosts_hear_the_same(cell: Cell, environ: Environ) -> None:
    """MCP 2026-07-28, subscriptions/listen: an update names the address as it was asked for."""
    wanted = {*WATCHED, "mtu://conversations/茶"} - {"mtu://jobs"}
    told: set[str] = set()
    async with connect(cell, environ) as client, client.listen(resource_subscriptions=[*wanted]) as changes:
        await answered(client, "chat", prompt="Hello", conversation="茶")
        await answered(client, "generate_image", prompt="a fox", model="dall-e-2", size="256x256")
        with anyio.fail_after(30):
            async for change in changes:
                assert isinstance(change, ResourceUpdated)
                told.add(change.uri)
                if told == wanted:
                    break


@older
async def test_a_job_is_followed_to_its_end(cell: Cell, environ: Environ, gateway: Sandbox) -> None:
    """Our promise: who is told of a job may follow it instead of asking again and again."""
    heard = Heard()
    async with connect(cell, {**environ, "MTU_HAND_OFF_AFTER": "0.05"}, message_handler=heard) as client:
        await follow(client, "mtu://jobs")
        gateway.arm("stall:3", "/chat/completions")
        result = await client.call_tool("chat", {"prompt": "What is 6 * 7?"})
        [link] = [block for block in result.content if block.type == "resource_link"]
        await heard.until(lambda told: "mtu://jobs" in told)
        await follow(client, link.uri)
        await gateway.journal.awaited(lambda entry: bool(entry.notes.get("stalled")))
        gateway.release()
        await heard.until(lambda told: link.uri in told)
        with anyio.fail_after(30):
            while (await read(client, link.uri))["state"] != "done":
                pass


async def test_what_is_no_longer_followed_is_not_told(environ: Environ) -> None:
    """MCP 2025-11-25: resources/unsubscribe; the other address of the same call shows that the news went out."""
    heard = Heard()
    async with connect(ONE, environ, message_handler=heard) as client:
        await follow(client, "mtu://usage", "mtu://conversations")
        await client.session.unsubscribe_resource("mtu://usage")  # pyright: ignore[reportDeprecated]
        await client.session.unsubscribe_resource("mtu://media")  # pyright: ignore[reportDeprecated]
        await answered(client, "chat", prompt="Hello", conversation="talk")
        await heard.until(lambda told: "mtu://conversations" in told)
        assert "mtu://usage" not in heard.uris


async def test_an_address_no_resource_has_is_not_followed(environ: Environ) -> None:
    """MCP resources: not found is -32602 with the address; and nobody fills the server's memory with addresses."""
    async with connect(ONE, environ) as client:
        with pytest.raises(MCPError) as caught:
            await follow(client, "mtu://nothing")
        assert (caught.value.error.code, caught.value.error.data) == (-32602, {"uri": "mtu://nothing"})
        await follow(client, *(f"mtu://jobs/{number}" for number in range(MOST)))
        await follow(client, "mtu://jobs/7")
        with pytest.raises(MCPError, match="At most"):
            await follow(client, "mtu://jobs/one-more")


async def test_the_status_is_news_when_the_server_stands_otherwise(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: what the gateway turns out not to offer, and a database in trouble, change mtu://status."""
    heard = Heard()
    async with connect(ONE, environ, message_handler=heard) as client:
        await answered(client, "list_models")
        await follow(client, "mtu://status")
        gateway.arm("not-offered", "/ai_search/web_search")
        await client.call_tool("web_search", {"query": "tea", "engine": "baidu"})
        await heard.until(lambda told: "mtu://status" in told)


@pytest.mark.parametrize("cell", [Cell("http", HANDSHAKE), Cell("sse", HANDSHAKE)], ids=str)
async def test_another_callers_news_is_not_told(cell: Cell, environ: Environ) -> None:
    """Our promise: conversations, media and usage belong to the caller; not even that they change is told."""
    ann_heard, bob_heard = Heard(), Heard()
    async with (
        serving({**environ, "MTU_SERVER_TOKENS": TEAM}, cell.transport) as served,
        served.caller(ANN, cell.era, message_handler=ann_heard) as ann,
        served.caller(BOB, cell.era, message_handler=bob_heard) as bob,
    ):
        for client in (ann, bob):
            await follow(client, *WATCHED, "mtu://conversations/plans")
        await answered(ann, "chat", prompt="Hello", conversation="plans")
        await ann_heard.until(lambda told: told >= {"mtu://conversations/plans", "mtu://usage"})
        assert set(bob_heard.uris) <= {"mtu://models"}


async def test_another_callers_news_is_not_told_today_either(environ: Environ) -> None:
    """Our promise: the same over subscriptions/listen; Bob's own call, made after Ann's, is the first that Bob hears of."""
    async with (
        serving({**environ, "MTU_SERVER_TOKENS": TEAM}) as served,
        served.caller(ANN) as ann,
        served.caller(BOB) as bob,
        ann.listen(resource_subscriptions=["mtu://conversations/plans"]) as hers,
        bob.listen(resource_subscriptions=["mtu://conversations/plans", "mtu://conversations/mine"]) as his,
    ):
        await answered(ann, "chat", prompt="Hello", conversation="plans")
        with anyio.fail_after(30):
            assert await anext(aiter(hers)) == ResourceUpdated("mtu://conversations/plans")
            await answered(bob, "chat", prompt="Hello", conversation="mine")
            assert await anext(aiter(his)) == ResourceUpdated("mtu://conversations/mine")


def test_a_host_that_does_not_read_its_news_delays_no_call(environ: Environ) -> None:
    """Our promise: news is sent beside the calls; here over raw pipes, with every address followed at once."""
    with running(environ, "serve") as child:
        child.shake_hands()
        for number in range(50):
            child.send(request(f"s{number}", "resources/subscribe", {"uri": f"mtu://conversations/{number}"}))
        for number in range(50):
            arguments = {"prompt": f"Hello {number}", "conversation": str(number)}
            child.send(request(number, "tools/call", {"name": "chat", "arguments": arguments}))
        answers, told = set[int](), set[str]()
        while len(answers) < 50 or len(told) < 50:
            message = child.next()
            if message.get("method") == "notifications/resources/updated":
                told.add(message["params"]["uri"])
            elif isinstance(message.get("id"), int):
                assert "result" in message
                answers.add(message["id"])


def test_each_era_is_told_of_subscriptions_as_it_knows_them(environ: Environ) -> None:
    """MCP 2026-07-28 removed resources/subscribe; the handshake of 2025-11-25 declares it."""
    with running(environ, "serve") as child:
        offered = child.ask("hello", "initialize", HELLO)["result"]["capabilities"]
        assert offered["resources"] == {"listChanged": True, "subscribe": True}
    with running(environ, "serve") as child:
        child.send(modern(1, "resources/subscribe", {"uri": "mtu://usage"}))
        assert child.answer(1)["error"]["code"] == -32601


async def test_jobs_are_listed_newest_first_and_complete(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: `mtu://jobs` lists them, `mtu://jobs/{job}` completes by id and by title."""
    gateway.arm("stall:0", "/chat/completions", times=3)
    async with connect(MEMORY, {**environ, "MTU_HAND_OFF_AFTER": "0.05"}) as client:
        ids: list[str] = []
        for word in ("tea", "coffee", "milk"):
            result = await client.call_tool("chat", {"prompt": f"About {word}"})
            ids += [block.name for block in result.content if block.type == "resource_link"]
            assert "still running" in text_of(result)
        listed = await read(client, "mtu://jobs")
        ref = ResourceTemplateReference(type="ref/resource", uri="mtu://jobs/{job}")
        typed = {word: await client.complete(ref, {"name": "job", "value": word}) for word in ("coffee", ids[0], "x-")}
        gateway.release()
    assert [one["id"] for one in listed] == ids[::-1]
    assert {one["state"] for one in listed} == {"running"}
    assert [found.completion.values for found in typed.values()] == [[ids[1]], [ids[0]], []]
