"""What a newcomer sees first: the demo's screen, its last words, and commands that can be copied."""

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from mtu_mcp.cli import demo
from mtu_mcp.cli._command import as_typed, quoted
from mtu_mcp.cli._screen import Screen

TAKEN = ("What does this gateway offer?", "Make a picture", "Subtitles for it")


def console(*, terminal: bool = True) -> Console:
    return Console(
        file=io.StringIO(), width=100, force_terminal=terminal, color_system="truecolor" if terminal else None
    )


def shown(one: Console) -> str:
    assert isinstance(one.file, io.StringIO)
    return one.file.getvalue()


async def test_the_demos_calls_are_made_and_looked_at(tmp_path: Path) -> None:
    """Our promise: a real server, a real client, real files; how many steps of how many are done is shown."""
    some = [step for step in demo.steps(demo.bring_files(tmp_path)) if step.title in TAKEN]
    screen = console()
    assert await demo.play(Screen(screen), tmp_path, some, pace=0) == []
    said = shown(screen)
    assert all(title in said for title in TAKEN)
    assert "▀" in said
    assert re.search(r"[12]/3", said)
    assert len(list((tmp_path / "made").glob("*.png"))) == 1


async def test_a_step_that_does_not_give_what_it_should_is_told(tmp_path: Path) -> None:
    """Our promise: the demo fails when its answers are wrong; nothing moves and nothing is drawn without a terminal."""
    wrong = demo.Step("Ask", "chat", {"prompt": "Repeat: moon"}, demo.mentions("sun"))
    bad = demo.Step(
        "Picture", "understand", {"question": "What?", "media": [str(tmp_path / "none.png")]}, demo.mentions()
    )
    screen = console(terminal=False)
    failed = await demo.play(Screen(screen), tmp_path, [wrong, bad], pace=0)
    assert failed == ["Ask: the answer does not mention sun", "Picture: it answered with an error"]
    assert "\x1b" not in shown(screen)
    last = demo.ending(tmp_path, 2, failed, 3.2)
    assert last.startswith("0 of 2 steps gave what they should, in 3 s.\n  failed: Ask: ")


def test_a_reader_who_leaves_early_sees_no_traceback(tmp_path: Path) -> None:
    """POSIX: writing to a pipe that nobody reads any more fails; the demo's files are made all the same."""
    code = """if True:
        import os, sys
        from mtu_mcp.cli._screen import Patient
        console = Patient()
        console.print("one")
        sys.stdin.readline()
        console.print("two")
        console.rule("three")
        print("and four")
    """
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin and child.stdout and child.stderr
        assert child.stdout.readline() == "one\n"
        child.stdout.close()
        child.stdin.write("go on\n")
        child.stdin.close()
        assert child.stderr.read() == ""
    assert child.returncode == 0


def test_the_last_words_say_where_the_files_are_and_what_comes_next(tmp_path: Path) -> None:
    """Our promise: no dead end; the commands are those of `--help`."""
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "月.png").write_bytes(b"1234")
    last = demo.ending(tmp_path, 11, [], 14.0)
    assert f"Files: {tmp_path}\n  {Path('made') / '月.png'}  4 bytes\n" in last
    assert "mtu-mcp install claude-desktop --key" in last
    assert "mtu-mcp call --sandbox generate_image" in last


def test_the_first_words_wait_for_nothing_slow() -> None:
    """Our promise: a person sees at once that something happens."""
    asked = "import sys; from mtu_mcp.cli import demo; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, encoding="utf-8", check=True
    ).stdout.split()
    assert not {"rich", "mcp", "PIL", "anyio", "starlette", "uvicorn", "pydantic"} & set(loaded)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Our promise: what is wrong and what to do, no traceback."""
    from mtu_mcp.cli import main

    (tmp_path / "file").write_text("", encoding="utf-8")
    assert main(["demo", "--folder", str(tmp_path / "file" / "demo")]) == 1
    assert "--folder" in capfd.readouterr().out


def test_a_file_of_the_users_own_is_not_written_over(tmp_path: Path) -> None:
    """Our promise: nothing is overwritten; the demo can be run again in its own folder."""
    demo.bring_files(tmp_path)
    demo.bring_files(tmp_path)
    (tmp_path / "picture.png").write_bytes(b"mine")
    with pytest.raises(OSError, match=r"another picture\.png"):
        demo.bring_files(tmp_path)
    assert (tmp_path / "picture.png").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("typed", "found", "wanted"),
    [
        (".venv/bin/mtu-mcp", "", ".venv/bin/mtu-mcp install x"),
        ("/a b/mtu-mcp", "/usr/bin/mtu-mcp", "'/a b/mtu-mcp' install x"),
        ("/usr/bin/mtu-mcp", "/usr/bin/mtu-mcp", "mtu-mcp install x"),
        ("/x/mtu_mcp/__main__.py", "", "mtu-mcp install x"),
        ("-c", "", "mtu-mcp install x"),
    ],
)
def test_a_command_is_printed_so_that_it_runs_here(typed: str, found: str, wanted: str) -> None:
    """Our promise: what is printed can be copied; a virtual environment is seldom on the path."""
    assert as_typed("mtu-mcp install x", typed, found) == wanted
    left = "mtu-mcp: the mtu-mcp server, mtu-mcp-demo-1, /bin/mtu-mcp call"
    assert as_typed(left, typed, found) == left


def test_a_path_is_one_word_of_each_shell() -> None:
    """PowerShell, about_Operators: `&` calls a quoted path; POSIX quotes with apostrophes."""
    assert quoted(r"C:\My venv\mtu-mcp.exe", windows=True) == r'& "C:\My venv\mtu-mcp.exe"'
    assert quoted(r"C:\venv\mtu-mcp.exe", windows=True) == r"C:\venv\mtu-mcp.exe"
