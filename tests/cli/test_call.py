"""`mtu-mcp call`, as typed in a shell."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mtu_mcp.sandbox import Sandbox
from processes import PATIENCE, environment, run

TOOLS = ["chat", "understand", "generate_image", "transcribe", "web_search", "list_models", "get_job"]


def asked(gateway: Sandbox) -> dict[str, object]:
    """What the last chat asked of the gateway."""
    return gateway.journal.find("chat/completions")[-1].asked


def named(listing: str) -> list[str]:
    """The tools of a listing."""
    return [line.split(":")[0] for line in listing.splitlines() if not line.startswith(" ")]


def test_without_a_tool_it_lists_them(environ: dict[str, str]) -> None:
    """Our promise: the listing names each tool, its arguments and which are needed; a shell knows them all."""
    done = run({**environ, "MTU_TOOLSETS": "core"}, "call")
    assert done.returncode == 0
    assert named(done.stdout) == TOOLS
    done = run(environ, "call")
    assert set(TOOLS) < set(named(done.stdout))
    assert "call_operation" in named(done.stdout)
    lines = done.stdout.splitlines()
    assert any(line.startswith("    query (required)  string") for line in lines)
    assert any("none|minimal|low|medium|high" in line for line in lines)
    assert done.stderr == ""


def test_a_tool_that_is_not_there_is_refused_with_the_list(environ: dict[str, str]) -> None:
    """Our promise: exit code 2, the reason on stderr."""
    done = run(environ, "call", "paint")
    assert done.returncode == 2
    assert "'paint'" in done.stderr
    assert "generate_image" in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["generateimage", "generate-images", "Generate_Image"])
def test_a_tool_that_is_nearly_there_is_named(environ: dict[str, str], name: str) -> None:
    """Seventeen tools' descriptions would push the one that was meant off the screen."""
    done = run(environ, "call", name, "prompt=x")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Nearest names: generate_image" in done.stderr


def test_a_tool_may_be_written_with_a_hyphen(environ: dict[str, str]) -> None:
    """As its arguments may."""
    assert run(environ, "call", "list-models").returncode == 0


def test_a_picture_that_cannot_be_saved_is_put_where_the_person_is(environ: dict[str, str], tmp_path: Path) -> None:
    """It is paid for, and a terminal shows none: it was gone, with exit code 0."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    (tmp_path / "here").mkdir()
    command = [sys.executable, "-m", "mtu_mcp", "call", "generate_image", "prompt=A boat"]
    done = subprocess.run(
        command,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        cwd=tmp_path / "here",
        env=environment({**environ, "MTU_OUTPUT_DIR": str(tmp_path / "file")}),
        stdin=subprocess.DEVNULL,
        check=False,
    )
    [kept] = (tmp_path / "here").iterdir()
    assert f"What is left of it is in {kept}." in done.stdout
    assert kept.read_bytes()[:3] == b"\xff\xd8\xff"
    assert kept.suffix == ".jpeg"


def test_text_stays_text_even_if_it_is_json(gateway: Sandbox, environ: dict[str, str]) -> None:
    """Our promise: a value is read as the tool's schema wants it."""
    for prompt in ("3", '{"a": 1}', "a=b=c", ""):
        done = run(environ, "call", "chat", f"prompt={prompt}")
        if not prompt:
            assert done.returncode == 1
            continue
        assert done.returncode == 0, done.stderr
        messages = asked(gateway)["messages"]
        assert isinstance(messages, list)
        assert messages[-1]["content"] == prompt


def test_numbers_objects_and_flags_are_read_as_json(gateway: Sandbox, environ: dict[str, str]) -> None:
    """Our promise, as above."""
    done = run(
        environ,
        "call",
        "chat",
        "prompt=hi",
        "model=qwen-plus",
        "max-tokens=50",
        'options={"temperature": 0.5, "seed": 7}',
    )
    assert done.returncode == 0, done.stdout
    sent = asked(gateway)
    assert (sent["max_tokens"], sent["temperature"], sent["seed"]) == (50, 0.5, 7)


@pytest.mark.parametrize("written", ["{}", '["{}"]'], ids=["one word", "a list"])
def test_one_word_for_a_list_is_a_list_of_one(
    gateway: Sandbox, environ: dict[str, str], tmp_path: Path, written: str
) -> None:
    """Our promise: `media=photo.png` needs no brackets."""
    from PIL import Image

    Image.new("RGB", (64, 64), "red").save(tmp_path / "photo.png")
    done = run(
        {**environ, "MTU_ALLOWED_DIRS": str(tmp_path)},
        "call",
        "understand",
        "question=What colour is it?",
        "media=" + written.format((tmp_path / "photo.png").as_posix()),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "red" in done.stdout.lower()
    assert gateway.journal.find("chat/completions")


def test_a_value_may_come_from_a_file_or_from_standard_input(
    gateway: Sandbox, environ: dict[str, str], tmp_path: Path
) -> None:
    """curl's convention: @FILE is a file, - is standard input."""
    (tmp_path / "问.txt").write_text("Repeat: from a file, 好", encoding="utf-8")
    assert "from a file, 好" in run(environ, "call", "chat", f"prompt=@{tmp_path / '问.txt'}").stdout
    assert "from a pipe, 好" in run(environ, "call", "chat", "prompt=-", stdin="Repeat: from a pipe, 好").stdout
    assert len(gateway.journal.find("chat/completions")) == 2


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        ("prompt", "key=value"),
        ("=hi", "key=value"),
        ("prompt=@/no/such/file", "/no/such/file"),
        ("prompt=@{binary}", "as text"),
        ("prompt=@{folder}", "as text"),
    ],
)
def test_arguments_that_cannot_be_read_are_exit_code_two(
    environ: dict[str, str], tmp_path: Path, argument: str, reason: str
) -> None:
    """Our promise: a sentence, no traceback."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    done = run(environ, "call", "chat", argument.format(binary=tmp_path / "binary", folder=tmp_path))
    assert done.returncode == 2
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_the_same_argument_twice_is_refused(environ: dict[str, str]) -> None:
    """Our promise: nothing is dropped in silence."""
    done = run(environ, "call", "chat", "prompt=a", "prompt=b")
    assert done.returncode == 2
    assert "prompt is given 2 times" in done.stderr


def test_the_same_argument_twice_makes_a_list_where_a_list_is_wanted(gateway: Sandbox, environ: dict[str, str]) -> None:
    """Our promise: `media=1.png media=2.png`."""
    links = [f"media=https://example.com/{name}.png" for name in ("one", "two")]
    run(environ, "call", "understand", "question=Which is larger?", *links)
    assert all(link.removeprefix("media=") in json.dumps(asked(gateway)) for link in links)


def test_an_error_is_exit_code_one(environ: dict[str, str]) -> None:
    """Our promise: scripts can tell; the sentence is the tool's own."""
    done = run(environ, "call", "chat", "prompt=hi", "model=no-such-model")
    assert done.returncode == 1
    assert "no-such-model" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    misspelt = run(environ, "call", "chat", "promt=hi")
    assert misspelt.returncode == 1
    assert "There is no argument 'promt'" in misspelt.stdout + misspelt.stderr


def test_without_a_key_it_says_what_to_set(environ: dict[str, str]) -> None:
    """Our promise."""
    del environ["MTU_API_KEY"]
    done = run(environ, "call", "chat", "prompt=hi")
    assert done.returncode == 1
    assert "MTU_API_KEY" in done.stdout + done.stderr


def test_json_prints_the_whole_result(environ: dict[str, str]) -> None:
    """Our promise: what a host gets, for scripts."""
    done = run(environ, "call", "--json", "web_search", "query=hangzhou weather")
    assert done.returncode == 0
    result = json.loads(done.stdout)
    assert result["structuredContent"]["sources"]
    assert result["content"][0]["type"] == "text"


def test_the_sandbox_flag_needs_neither_key_nor_network(environ: dict[str, str]) -> None:
    """Our promise: the first thing a newcomer tries."""
    del environ["MTU_API_KEY"], environ["MTU_BASE_URL"]
    done = run(environ, "call", "--sandbox", "chat", "prompt=Repeat: good morning")
    assert done.returncode == 0, done.stderr
    assert "good morning" in done.stdout


def test_what_the_sandbox_pretends_to_cost_is_in_no_account(environ: dict[str, str]) -> None:
    """Our promise: the sums and caps are about money."""
    asked = ("call", "--sandbox", "chat", "prompt=My name is Ada.", "model=qwen-omni-turbo", "conversation=try")
    assert run(environ, *asked).returncode == 0
    assert "0 calls" in run(environ, "usage").stdout
    again = run(environ, "call", "--sandbox", "chat", "prompt=What is my name?", "conversation=try")
    assert "Ada" in again.stdout


def test_a_setting_that_is_wrong_is_named_on_stderr(environ: dict[str, str]) -> None:
    """Our promise: also when the call does not reach the gateway."""
    done = run({**environ, "MTU_TIMEOUT": "soon"}, "call")
    assert done.returncode == 0
    assert "MTU_TIMEOUT" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell")
def test_a_reader_that_has_seen_enough_is_no_error(environ: dict[str, str]) -> None:
    """Our promise: `mtu-mcp call | head -1` ends quietly."""
    shell = f'"{sys.executable}" -m mtu_mcp call | true; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["/bin/bash", "-c", shell], capture_output=True, env=environment(environ), timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_pipe_gets_every_character_whatever_the_locale_can_write(environ: dict[str, str]) -> None:
    """Our promise: UTF-8 on every platform, where Python by itself would end with a UnicodeEncodeError."""
    done = run({**environ, "PYTHONIOENCODING": "ascii"}, "call", "chat", "prompt=Repeat: rain 雨 sun")
    assert done.returncode == 0
    assert "rain 雨 sun" in done.stdout
