"""A storm of impatient hosts on one HTTP server: they hang up, retry, ask twice at once, and come back for handed-off work.

Everything is drawn from a seed. What was paid is what the embedded gateway answered to the end and its client read; a
call that was stopped half-way by a host that hung up before the hand-off is a cancellation, and is counted apart, and so
is an answer that crossed with the hanging up: it was still on the wire when the connection was closed.
"""

import json
import random
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx

from callers import ANN, BOB, JSON, TEAM, shake_hands
from mtu_mcp.sandbox import Sandbox
from processes import MODERN, modern, request, running

PATIENT = 60.0


@dataclass
class Figures:
    """What a storm came to."""

    calls: int = 0
    attempts: int = 0
    hung_up: int = 0
    handed_off: int = 0
    given_late: int = 0
    spending: int = 0
    stopped: int = 0
    crossed: int = 0
    paid_twice: list[str] = field(default_factory=list[str])
    lost: list[str] = field(default_factory=list[str])

    def __str__(self) -> str:
        return (
            f"{self.calls} distinct calls, {self.attempts} attempts, {self.hung_up} hung up on, {self.handed_off} handed off, "
            f"{self.given_late} answered by work paid for before; {self.spending} spending requests upstream, "
            f"{self.stopped} of them stopped, {self.crossed} answers crossed with a stop; paid twice {len(self.paid_twice)}, lost {len(self.lost)}"
        )


class Host:
    """One owner's host on one protocol era."""

    def __init__(self, http: httpx.AsyncClient, base: str, token: str, era: str) -> None:
        self._http, self._base, self._era = http, base, era
        self._headers = {**JSON, "Authorization": f"Bearer {token}"}
        self._number = 0

    async def open(self, token: str) -> None:
        if self._era != MODERN:
            self._headers = await shake_hands(self._http, self._base, token)
            ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
            await self._http.post(f"{self._base}/mcp", headers=self._headers, content=json.dumps(ready))

    async def call(self, tool: str, arguments: Mapping[str, Any], patience: float) -> dict[str, Any] | None:
        """The result of a call; None when this host hung up before it came."""
        number = self._number = self._number + 1
        params = {"name": tool, "arguments": dict(arguments)}
        message = (modern if self._era == MODERN else request)(number, "tools/call", params)
        headers = dict(self._headers)
        if self._era == MODERN:
            headers |= {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": tool}
        body = await _posted(self._base, headers, json.dumps(message).encode(), patience)
        lines = [line.removeprefix("data:").strip() for line in body.splitlines()]
        for found in (json.loads(line) for line in lines if line.startswith("{")):
            if found.get("id") == number and "result" in found:
                return found["result"]
        return None


async def _posted(base: str, headers: Mapping[str, str], content: bytes, patience: float) -> str:
    """Post over a connection of its own and read the response; when patience ends, hang up.

    An answer may cross with the hanging up: it has left, and no server can know better. So the host hangs up its own
    half and reads what is still on its way; an answer that is there counts as given.
    """
    host, _, port = base.rpartition("/")[2].partition(":")
    lines = [f"{name}: {value}" for name, value in headers.items()]
    head = [
        "POST /mcp HTTP/1.1",
        f"Host: {host}:{port}",
        f"Content-Length: {len(content)}",
        "Connection: close",
        *lines,
    ]
    received = bytearray()
    ended = anyio.Event()
    async with await anyio.connect_tcp(host, int(port)) as stream, anyio.create_task_group() as tasks:

        async def read() -> None:
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                while True:
                    received.extend(await stream.receive())
            ended.set()

        tasks.start_soon(read)
        await stream.send("\r\n".join([*head, "", ""]).encode() + content)
        with anyio.move_on_after(patience):
            await ended.wait()
        if not ended.is_set():
            await stream.send_eof()
            with anyio.move_on_after(PATIENT):
                await ended.wait()
        tasks.cancel_scope.cancel()
    return received.decode("utf-8", "replace") if ended.is_set() or b'"result"' in received else ""


def said(result: Mapping[str, Any]) -> str:
    return "\n".join(block["text"] for block in result["content"] if block["type"] == "text")


def job_of(result: Mapping[str, Any]) -> str:
    """The job an answer sends its caller to; empty when it is the answer itself."""
    if "is still running after" not in said(result):
        return ""
    return next(block["name"] for block in result["content"] if block["type"] == "resource_link")


class Storm:
    """Distinct calls, each made again and again until it is answered."""

    def __init__(self, seed: int, gateway: Sandbox) -> None:
        self._dice = random.Random(seed)
        self._gateway = gateway
        self.figures = Figures()

    async def blow(self, environ: Mapping[str, str], calls: int, at_once: int = 20) -> Figures:
        """Run it and count."""
        more = {"MTU_SERVER_TOKENS": TEAM, "MTU_CALLS_AT_ONCE": "10000", "MTU_CALLS_A_MINUTE": "100000"}
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        serve = ("serve", "--transport", "http", "--port", "0")
        with running({**environ, **more, "MTU_HAND_OFF_AFTER": "0.25"}, *serve) as child:
            base = child.error_line("listening on").split()[-1].removesuffix("/mcp")
            async with httpx.AsyncClient(trust_env=False, timeout=PATIENT, limits=limits) as http:
                await self._rage(http, base, calls, at_once)
        return counted(self.figures, self._gateway)

    async def _rage(self, http: httpx.AsyncClient, base: str, calls: int, at_once: int) -> None:
        room = anyio.CapacityLimiter(at_once)
        hosts: list[Host] = []
        for token in (ANN, BOB):
            for era in (MODERN, "handshake"):
                hosts.append(Host(http, base, token, era))
                await hosts[-1].open(token)
        async with anyio.create_task_group() as tasks:
            for number in range(calls):
                same_owner = hosts[:2] if self._dice.random() < 0.5 else hosts[2:]
                tasks.start_soon(self._one, number, same_owner, room, random.Random(self._dice.random()))

    async def _one(self, number: int, hosts: list[Host], room: anyio.CapacityLimiter, dice: random.Random) -> None:
        tool, arguments, mark = _asked(number, dice)
        async with room:
            self.figures.calls += 1
            self._gateway.arm(f"slow:{dice.choice([0.001, 0.02, 0.05])}", "*")
            for _ in range(60):
                for _ in range(dice.choice([0, 0, 5])):  # what this host does before it tries again
                    await hosts[0].call("list_models", {"can": "chat"}, PATIENT)
                twice = dice.random() < 0.2
                results: list[dict[str, Any]] = []
                async with anyio.create_task_group() as tasks:
                    for host in dice.sample(hosts, 2 if twice else 1):
                        tasks.start_soon(self._attempt, host, tool, arguments, dice, results)
                if results:
                    if mark not in said(results[0]):
                        self.figures.lost.append(f"{tool} {arguments}: {said(results[0])}")
                    return
            self.figures.lost.append(f"{tool} {arguments}: never answered")

    async def _attempt(
        self, host: Host, tool: str, arguments: dict[str, Any], dice: random.Random, results: list[dict[str, Any]]
    ) -> None:
        self.figures.attempts += 1
        # Some hang up at once, some in the middle, some shortly after the hand-off, some wait.
        result = await host.call(tool, arguments, dice.choice([0.03, 0.15, 0.4, PATIENT]))
        if result is None:
            self.figures.hung_up += 1
        elif not (job := job_of(result)):
            late = any(words in said(result) for words in ("nobody had been given", "running already"))
            self.figures.given_late += late
            results.append(result)
        else:
            self.figures.handed_off += 1
            if dice.random() < 0.5:
                found = await host.call("get_job", {"job": job, "wait": 20}, dice.choice([0.1, PATIENT]))
                if found is not None and "It goes on" not in said(found):
                    results.append(found)


def counted(figures: Figures, gateway: Sandbox) -> Figures:
    """The figures with what the gateway's journal says of the calls."""
    paid, asked = Counter[str](), set[str]()
    for entry in gateway.journal:
        if entry.method == "POST":
            figures.spending += 1
            asked.add(_mark(json.dumps(entry.asked)))
            figures.stopped += entry.ended == "client closed"
            figures.crossed += "unread" in entry.notes
            if entry.ended == "answered" and entry.status == 200 and "unread" not in entry.notes:
                paid[_mark(json.dumps(entry.asked))] += 1
    figures.paid_twice = [mark for mark, times in paid.items() if times > 1]
    assert len(asked) + len(figures.lost) >= figures.calls, "every call can be told in the journal"
    return figures


def _asked(number: int, dice: random.Random) -> tuple[str, dict[str, Any], str]:
    """A call, and what its answer has to say."""
    if dice.random() < 0.7:
        return "chat", {"prompt": f"What is {number + 1000} * 7? call-{number:05}"}, str((number + 1000) * 7)
    prompt = f"a fox, call-{number:05}"
    return "generate_image", {"prompt": prompt, "model": "dall-e-2", "size": "256x256"}, "Saved"


def _mark(asked: str) -> str:
    return asked[asked.index("call-") :][:10]
