"""`mtu-mcp usage`, as typed in a shell."""

import json
import sqlite3
import time
from datetime import datetime

import pytest

from processes import run

Environ = dict[str, str]


@pytest.fixture
def environ(environ: Environ) -> Environ:
    """A database with a few calls of this month and one of another."""
    assert run(environ, "usage").returncode == 0
    now, then = time.time(), datetime(2024, 2, 29, 12).timestamp()
    columns = (
        "call, tool, endpoint, model, state, cny, basis, started, idempotency_key, process, input_tokens, pictures"
    )
    found = [
        ("a", "chat", "chat/completions", "qwen-plus", "done", 3.0, "list", now, "1", "x", 1200, 0),
        ("b", "chat", "chat/completions", "gpt-5.1", "done", 1.0, "assumed", now, "2", "x", 10, 0),
        ("c", "generate_image", "images/generations", "dall-e-3", "lost", 0.5, "list", now, "3", "x", 0, 2),
        ("d", "", "chat/completions", "qwen-plus", "done", 0, "unknown", then, "4", "x", 5, 0),
    ]
    connection = sqlite3.connect(environ["MTU_DATABASE_URL"])
    with connection:
        connection.executemany(f"INSERT INTO ledger ({columns}) VALUES ({', '.join('?' * 12)})", found)
    connection.close()
    return environ


def test_it_shows_a_table_by_day_model_and_tool_against_the_caps(environ: Environ) -> None:
    """Our promise: one look tells what was spent, on what, and what is left."""
    done = run({**environ, "MTU_BUDGET_DAY": "9", "MTU_BUDGET_MONTH": "90"}, "usage")
    assert done.returncode == 0
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"{datetime.now():%Y-%m}: CNY 4.5000, 3 calls")
    assert "Today       ██████████░░░░░░░░░░  CNY 4.5000 of 9, 4.5000 remain (MTU_BUDGET_DAY)" in lines
    assert any(line.startswith("This month  █░░░") for line in lines)
    titles = [line for line in lines if line.startswith("By ")]
    assert titles == ["By day", "By model", "By tool"]
    models = lines[lines.index("By model") + 1 :][:3]
    assert [line.split()[0] for line in models] == ["qwen-plus", "gpt-5.1", "dall-e-3"]
    assert "1,200 in" in models[0]
    assert "2 pictures" in models[2]
    assert "Note: CNY 1.0000 of it rest on assumed prices." in lines
    assert any(line.startswith("Note: 1 call lost with a process") for line in lines)


def test_another_month_is_shown_when_it_is_named(environ: Environ) -> None:
    """Our promise."""
    done = run(environ, "usage", "--month", "2024-02")
    assert done.stdout.startswith("2024-02: CNY 0.0000, 1 call ")
    assert "(none)" in done.stdout
    assert "without a known price" in done.stdout


def test_json_holds_the_same_figures(environ: Environ) -> None:
    """Our promise: for scripts."""
    report = json.loads(run(environ, "usage", "--json").stdout)
    assert report["total"]["cny"] == 4.5
    assert [one["name"] for one in report["tools"]] == ["chat", "generate_image"]


def test_what_is_no_month_is_exit_code_two(environ: Environ) -> None:
    """Our promise: a sentence, no traceback."""
    done = run(environ, "usage", "--month", "soon")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'soon' is no month" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_cannot_be_read_is_exit_code_one(environ: Environ) -> None:
    """Our promise, as above."""
    done = run({**environ, "MTU_DATABASE_URL": environ["MTU_OUTPUT_DIR"].rsplit("made", 1)[0]}, "usage")
    assert done.returncode == 1
    assert "is a folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_needs_no_key(environ: Environ) -> None:
    """Our promise: what was spent is on this machine."""
    del environ["MTU_API_KEY"]
    assert run(environ, "usage").returncode == 0
