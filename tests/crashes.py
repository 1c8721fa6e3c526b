"""kill -9 of a real server in the middle of many calls, and what must hold of what it left."""

import json
import random
import signal
import sqlite3
import threading
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from capabilities.material import picture, sound
from mtu_mcp.media import Library
from mtu_mcp.records import Records
from mtu_mcp.sandbox import Sandbox
from processes import ENVELOPE, MODERN, Child, modern, request, running

Answers = dict[int, dict[str, Any]]


@dataclass
class Left:
    """What one killed server left."""

    answered: int = 0
    handed_off: int = 0
    done: int = 0
    running: int = 0
    missing: list[str] = field(default_factory=list[str])

    def __str__(self) -> str:
        return (
            f"{self.answered} answered, {self.handed_off} handed off, {self.done} ledger rows settled, {self.running} were "
            f"running and are lost; missing {len(self.missing)} {self.missing[:3]}"
        )


def asked(number: int, folder: Path) -> dict[str, Any]:
    """One of a hundred mixed calls."""
    say = f"What is {number} * 7?"
    kinds: list[dict[str, Any]] = [
        {"name": "chat", "arguments": {"prompt": say, "conversation": f"talk {number % 7}"}},
        {"name": "generate_image", "arguments": {"prompt": f"fox {number}", "model": "dall-e-2", "size": "256x256"}},
        {"name": "web_search", "arguments": {"query": f"tea {number}", "engine": "baidu", "results_only": True}},
        {"name": "transcribe", "arguments": {"file": str(folder / f"voice {number}.wav")}},
        {"name": "understand", "arguments": {"question": f"What is it? {number}", "media": [str(folder / "fox.png")]}},
    ]
    return kinds[number % 5]


async def kill(seed: int, environ: Mapping[str, str], folder: Path, transport: str, calls: int = 100) -> Left:
    """Begin the calls, kill the server once some are answered, and look at what it left."""
    dice = random.Random(seed)
    (folder / "fox.png").write_bytes(picture())
    for number in range(calls):
        (folder / f"voice {number}.wav").write_bytes(sound(1.0, "Hello."))
    values = {**environ, "MTU_ALLOWED_DIRS": str(folder), "MTU_HAND_OFF_AFTER": dice.choice(["0.5", "60"])}
    enough = dice.randrange(calls // 20, calls * 4 // 5)
    with Sandbox() as gateway:
        gateway.arm(f"slow:{dice.choice([0.001, 0.01, 0.05])}", "*", times=calls)
        values["MTU_BASE_URL"] = gateway.base_url
        if transport == "stdio":
            answers = _over_stdio(values, folder, calls, enough, modern if dice.random() < 0.5 else request)
        else:
            answers = _over_http(values, folder, calls, enough)
    return await _look(answers, values, folder)


def _over_stdio(environ: Mapping[str, str], folder: Path, calls: int, enough: int, ask: Callable[..., Any]) -> Answers:
    with running(environ, "serve") as child:
        if ask is request:
            child.shake_hands()
        child.send(*(ask(number, "tools/call", asked(number, folder)) for number in range(calls)))
        answered = 0
        while answered < enough:
            answered += isinstance(child.next().get("id"), int)
        child.process.send_signal(signal.SIGKILL)
        child.ended()
        return _whole(child)


def _whole(child: Child) -> Answers:
    """The answers that came out whole; the last line may be cut."""
    found: Answers = {}
    for line in child.lines:
        message = json.loads(line) if line.endswith(b"\n") else {}
        if isinstance(message.get("id"), int) and "result" in message:
            found[message["id"]] = message["result"]
    return found


def _over_http(environ: Mapping[str, str], folder: Path, calls: int, enough: int) -> Answers:
    found: Answers = {}
    some = threading.Semaphore(0)
    with running(environ, "serve", "--transport", "http", "--port", "0") as child:
        address = child.error_line("listening on").split()[-1]

        def post(number: int) -> None:
            headers = {
                "Content-Type": "application/json",
                "Accept": "application/json, text/event-stream",
                "MCP-Protocol-Version": MODERN,
                "Mcp-Method": "tools/call",
                "Mcp-Name": asked(number, folder)["name"],
            }
            body = json.dumps(request(number, "tools/call", {**asked(number, folder), "_meta": ENVELOPE})).encode()
            try:
                with urllib.request.urlopen(urllib.request.Request(address, body, headers), timeout=60) as answer:
                    text = answer.read().decode()
            except (OSError, ValueError):
                return
            for line in text.splitlines():
                line = line.removeprefix("data:").strip()
                if line.startswith("{") and "result" in (message := json.loads(line)):
                    found[number] = message["result"]
                    some.release()

        with ThreadPoolExecutor(calls) as threads:
            for number in range(calls):
                threads.submit(post, number)
            try:
                for _ in range(enough):
                    assert some.acquire(timeout=60)
            finally:  # else the threads would read on for as long as the server sends its pings
                child.process.send_signal(signal.SIGKILL)
        return found


async def _look(answers: Answers, environ: Mapping[str, str], folder: Path) -> Left:
    database = Path(environ["MTU_DATABASE_URL"])
    left = Left(answered=len(answers))
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        left.running = connection.execute("SELECT count(*) FROM ledger WHERE state = 'running'").fetchone()[0]
    records = Records(database)
    try:
        await records.ledger.tallies()
        for number, result in answers.items():
            await _look_for(number, result, records, asked(number, folder), left)
    finally:
        await records.aclose()
    with closing(sqlite3.connect(database)) as connection:
        states = dict(connection.execute("SELECT state, count(*) FROM ledger GROUP BY state").fetchall())
        held = connection.execute("SELECT count(*) FROM ledger WHERE reserved <> 0 OR ended IS NULL").fetchone()[0]
        free = connection.execute(
            "SELECT count(*) FROM ledger WHERE state = 'lost' AND basis = 'list' AND cny = 0"
        ).fetchone()[0]
    left.done = states.get("done", 0)
    paid = sum(not result.get("isError") for result in answers.values()) - left.handed_off
    if states.get("lost", 0) != left.running or "running" in states or held or free or left.done < paid:
        left.missing.append(f"ledger: {states}, {held} still hold something, {free} lost for nothing, {paid} answered")
    await _sweep(Path(environ["MTU_OUTPUT_DIR"]), left)
    return left


async def _look_for(
    number: int, result: Mapping[str, Any], records: Records, call: Mapping[str, Any], left: Left
) -> None:
    """Look for everything an answer says is kept."""
    said = "\n".join(block["text"] for block in result["content"] if block["type"] == "text")
    links = [block for block in result["content"] if block["type"] == "resource_link"]
    if "is still running after" in said:
        left.handed_off += 1
        left.missing += [one["name"] for one in links if await records.jobs.load(one["name"]) is None]
    elif result.get("isError"):
        left.missing.append(f"{call['name']} failed: {said[:200]}")
    elif call["name"] == "chat":
        talk = await records.conversations.load(call["arguments"]["conversation"])
        turns = [str(turn.content) for turn in talk.turns] if talk else []
        place = turns.index(call["arguments"]["prompt"]) if call["arguments"]["prompt"] in turns else -2
        if place < 0 or str(number * 7) not in turns[place + 1]:
            left.missing.append(f"turn {number}")
    elif call["name"] == "generate_image":
        path = Path(said.partition("Saved ")[2].splitlines()[0].rpartition(" (")[0])
        if not _is_whole(path):
            left.missing.append(f"picture {path}")


def _is_whole(made: Path) -> bool:
    """Whether a picture is there to its end, with what is told of it beside it."""
    beside = made.with_name(made.name + ".json")
    return made.read_bytes().endswith(b"IEND\xaeB`\x82") and bool(json.loads(beside.read_text(encoding="utf-8")))


def _names(made: Path) -> set[str]:
    return {path.name for path in made.iterdir()} if made.is_dir() else set()


async def _sweep(made: Path, left: Left) -> None:
    """A later server clears away what was half-written, and only that."""
    before = {name for name in _names(made) if not name.endswith(".part")}
    later = Library(made, clock=lambda: 4e9)
    await later.save(b"later", title="later", extension="txt", about={})
    after = _names(made)
    left.missing += [f"not swept: {name}" for name in after if name.endswith(".part")]
    left.missing += [f"swept away: {name}" for name in before - after]
