"""Questions of a tool in a shell: a person is asked, a script says --yes beforehand, and nobody is asked in vain."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mcp.types import CallToolResult

from connections import text_of
from mtu_mcp.cli._consent import Consent
from mtu_mcp.cli.call import call_tool
from mtu_mcp.sandbox import Sandbox
from mtu_mcp.settings import Settings
from processes import run

Environ = dict[str, str]
MODEL = "gpt-4o-mini"


@pytest.fixture
def dear(environ: Environ, tmp_path: Path) -> Environ:
    """Each call costs a yuan, and the user wants to be asked above half of one."""
    file = tmp_path / "models.json"
    prices = {"input_text": 0, "output_text": 0, "call": 1}
    names = (MODEL, "text-embedding-v4")
    file.write_text(json.dumps({"models": {name: {"prices": prices} for name in names}}), encoding="utf-8")
    return {**environ, "MTU_MODELS_FILE": str(file), "MTU_CONFIRM_ABOVE": "0.5", "MTU_TOOLSETS": "all"}


class Person:
    """Somebody at a terminal."""

    def __init__(self, *lines: str) -> None:
        self.lines: Iterator[str] = iter(lines)
        self.heard = ""

    def consent(self, *, always: bool = False) -> Consent:
        return Consent(lambda: next(self.lines), self.hear, always)

    def hear(self, text: str) -> None:
        self.heard += text


def sent(gateway: Sandbox) -> int:
    return sum(entry.method == "POST" for entry in gateway.journal)


async def ask(environ: Environ, consent: Consent, tool: str = "chat", **given: list[str]) -> CallToolResult:
    asked = given or {"prompt": ["What is 6 * 7?"], "model": [MODEL]}
    result = await call_tool(Settings.read(environ), tool, asked, consent)
    assert isinstance(result, CallToolResult)
    return result


@pytest.mark.parametrize("word", ["y\n", "Yes\n", "  YES  \n", "是\n", "y"])
async def test_a_person_who_says_yes_gets_the_answer(dear: Environ, gateway: Sandbox, word: str) -> None:
    """Our promise: above MTU_CONFIRM_ABOVE the user is asked, in a shell too."""
    person = Person(word)
    result = await ask(dear, person.consent())
    assert "42" in text_of(result)
    assert f"chat with {MODEL} may cost up to about CNY 1.00" in person.heard
    assert person.heard.count("CNY 1.00") == 1
    assert sent(gateway) == 1


@pytest.mark.parametrize("word", ["n\n", "\n", "", "yesterday\n", "y n\n"])
async def test_anything_but_a_yes_is_a_no(dear: Environ, gateway: Sandbox, word: str) -> None:
    """Our promise: an empty line and the end of the input agree to nothing."""
    result = await ask(dear, Person(word).consent())
    assert result.is_error
    assert "did not approve" in text_of(result)
    assert sent(gateway) == 0


async def test_a_sum_found_out_on_the_way_is_asked_about_in_the_same_process(dear: Environ, gateway: Sandbox) -> None:
    """Our promise: the next process would know nothing of it, and refuse again for ever."""
    person = Person("y\n")
    texts = [f"text {number}" for number in range(25)]
    environ = {**dear, "MTU_CONFIRM_ABOVE": "1.5"}
    result = await ask(environ, person.consent(), "embed_text", texts=texts, model=["text-embedding-v4"])
    assert not result.is_error
    assert "embed_text with text-embedding-v4 may cost" in person.heard
    assert "incomplete" not in text_of(result)


async def test_what_deletes_is_asked_about_too(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: deleting for good is agreed to by a person."""
    made = gateway.desk.files.add(b"{}\n", "a.jsonl", "batch").id
    given: dict[str, Any] = {"name": ["delete_file"], "arguments": [json.dumps({"file_id": made})]}
    environ = {**environ, "MTU_TOOLSETS": "api"}
    assert (await ask(environ, Person("n\n").consent(), "call_operation", **given)).is_error
    assert gateway.desk.files.find(made)
    assert not (await ask(environ, Person("y\n").consent(), "call_operation", **given)).is_error
    assert gateway.desk.files.find(made) is None


def test_a_script_that_said_nothing_hears_what_would_allow_it(dear: Environ, gateway: Sandbox) -> None:
    """Our promise: standard input that is no terminal is never waited for, nor taken for an answer."""
    done = run(dear, "call", "chat", "prompt=What is 6 * 7?", f"model={MODEL}", stdin="y\n")
    assert done.returncode == 1
    assert "may cost up to about CNY 1.00" in done.stderr
    assert "--yes would allow it" in done.stderr
    assert "42" not in done.stdout
    assert sent(gateway) == 0


def test_a_script_that_said_yes_is_not_asked(dear: Environ, gateway: Sandbox) -> None:
    """Our promise: --yes before, also where standard input is the prompt."""
    done = run(dear, "call", "--yes", "chat", "prompt=-", f"model={MODEL}", stdin="What is 6 * 7?")
    assert done.returncode == 0, done.stderr
    assert "42" in done.stdout
    assert done.stderr == ""


def test_a_yes_is_no_way_past_a_cap(dear: Environ, gateway: Sandbox) -> None:
    """Our promise: caps are the limit of what is asked about at all."""
    done = run({**dear, "MTU_BUDGET_DAY": "0.9"}, "call", "--yes", "chat", "prompt=Hi", f"model={MODEL}")
    assert done.returncode == 1
    assert "MTU_BUDGET_DAY" in done.stdout
    with closing(sqlite3.connect(dear["MTU_DATABASE_URL"])) as connection:
        assert connection.execute("SELECT count(*) FROM ledger").fetchone() == (0,)
