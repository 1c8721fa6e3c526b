"""The commands where the locale is Chinese: what they say, how it lines up, and that Chinese goes through everywhere."""

import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from mtu_mcp.cli._language import catalogue
from mtu_mcp.columns import width
from mtu_mcp.gateway import all_operations
from mtu_mcp.gateway.failures import Asked, from_response
from mtu_mcp.settings import Settings, variable
from processes import PATIENCE, environment

CHINESE = {"LC_ALL": "zh_CN.UTF-8", "COLUMNS": "80"}
HAN = re.compile("[一-龥]")
ENGLISH = re.compile(r"\b[a-z]{2,} (the|is|are|not|to|of|in|and|for|a|be)\b")


def run(environ: Mapping[str, str], *command: str, stdin: bytes = b"") -> tuple[int, str, str]:
    """Run `mtu-mcp COMMAND` with Chinese as the language; its exit code and what it wrote, read as UTF-8."""
    done = subprocess.run(
        [sys.executable, "-m", "mtu_mcp", *command],
        input=stdin,
        capture_output=True,
        env=environment({**CHINESE, **environ}),
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8")


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """Variables of a person whose home folder is empty and has a Chinese name."""
    folder = tmp_path / "用户 小雅"
    folder.mkdir()
    unset = dict.fromkeys(("SSL_CERT_FILE", "SSL_CERT_DIR", "XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "HTTPS_PROXY"), "")
    return {**unset, "HOME": str(folder), "USERPROFILE": str(folder), "APPDATA": str(folder / "Roaming")}


@pytest.mark.parametrize("command", ["", "serve", "call", "install", "doctor", "claude-code-env"])
def test_help_is_chinese_and_fits_eighty_columns(command: str) -> None:
    """Our promise: help is no wider than a terminal, though a Chinese character takes two columns."""
    code, said, errors = run({}, *([command] if command else []), "--help")
    assert (code, errors) == (0, "")
    assert said.startswith("用法：mtu-mcp")
    assert "\n选项：\n" in said
    assert not ENGLISH.search(said.replace('eval "$(mtu-mcp', ""))
    assert max(map(width, said.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ([], "显示本帮助并退出"),
        (["install"], "缺少必需的参数：host"),
        (["fly"], "无效的取值 'fly'"),
        (["serve", "--port", "99999"], "参数 --port：'99999' 不是端口号（0 到 65535）"),
        (["serve", "--transport"], "参数 --transport：需要一个值"),
        (["serve", "--sandbox=1"], "不接受取值 '1'"),
        (["doctor", "东西"], "无法识别的参数：东西"),
    ],
)
def test_a_wrong_command_line_is_explained_in_chinese(arguments: list[str], wanted: str) -> None:
    """Our promise: argparse's own words are Chinese too."""
    code, said, errors = run({}, *arguments)
    assert (code, said) == (2, "")
    assert errors.startswith("用法：mtu-mcp")
    assert wanted in errors


def test_the_doctor_speaks_chinese_in_columns_and_json_stays_english(
    environ: dict[str, str], home: dict[str, str]
) -> None:
    """Our promise: a person reads Chinese; what programs and models read is the same everywhere."""
    wrong = {**environ, **home, "MTU_TIMEOUT": "soon", "MTU_BUDGET_DAI": "3"}
    code, said, errors = run(wrong, "doctor")
    assert (code, errors) == (1, "")
    lines = said.splitlines()
    assert "MTU_TIMEOUT 必须是不小于 0 的数，而不是 'soon'。" in lines[0]
    assert "请在主机的配置文件中改正，然后重新启动主机；" in lines[1]
    assert lines[-1].startswith("1 项错误，")
    starts = {
        width(line[: re.search(r"\S+  +(?=\S)", line[5:]).end() + 5]) for line in lines[:-1] if not line.startswith(" ")
    }
    assert len(starts) == 1, said
    assert not ENGLISH.search(said)
    code, said, errors = run(wrong, "doctor", "--json", "--offline")
    assert (code, errors) == (1, "")
    assert not HAN.search(said.replace("用户 小雅", ""))
    assert json.loads(said)[0]["said"] == "MTU_TIMEOUT must be a number of at least 0, not 'soon'."


def test_usage_lines_up_in_chinese(environ: dict[str, str]) -> None:
    """Our promise: names of models and sums stand in columns, whatever their letters."""
    assert run(environ, "usage")[0] == 0
    connection = sqlite3.connect(environ["MTU_DATABASE_URL"])
    columns = "call, tool, endpoint, model, state, cny, basis, started, idempotency_key, process, input_tokens"
    rows = [
        ("a", "chat", "chat/completions", "通义千问", "done", 3.0, "list", time.time(), "1", "x", 1200),
        ("b", "", "chat/completions", "qwen-plus-latest", "lost", 1.0, "assumed", time.time(), "2", "x", 10),
    ]
    with connection:
        connection.executemany(f"INSERT INTO ledger ({columns}) VALUES ({', '.join('?' * 11)})", rows)
    connection.close()
    code, said, errors = run({**environ, "MTU_BUDGET_DAY": "9", "MTU_BUDGET_MONTH": "90"}, "usage")
    assert (code, errors) == (0, "")
    assert "2 次调用（按目录价估算；日期以本机时钟为准）" in said.splitlines()[0]
    assert "今天  █████████░░░░░░░░░░░  ¥4.0000 / ¥9，剩余 ¥5.0000（MTU_BUDGET_DAY）" in said
    for title in ("按模型", "按工具"):
        table = said.split(f"\n{title}\n")[1].split("\n\n")[0].splitlines()[:2]
        assert len({width(line[: line.index("█")]) for line in table}) == 1, said
        assert len({width(line[: line.index("¥")]) for line in table}) == 1, said
    assert "注：1 次调用随被终止的进程丢失，按可能的最高费用计入。" in said
    assert not ENGLISH.search(said)


def test_install_and_uninstall_speak_chinese_and_go_into_a_folder_with_a_chinese_name(home: dict[str, str]) -> None:
    """Our promise: paths are kept letter by letter, and what was written starts."""
    pictures = Path(home["HOME"]) / "图片"
    pictures.mkdir()
    code, said, errors = run(home, "install", "cursor", "--sandbox", "--allow", str(pictures))
    assert (code, errors) == (0, ""), errors
    file = Path(home["HOME"]) / ".cursor" / "mcp.json"
    entry = json.loads(file.read_text(encoding="utf-8"))["mcpServers"]["mtu"]
    assert entry["env"]["MTU_ALLOWED_DIRS"] == str(pictures)
    assert f"已写入 {file}。" in said
    assert "已按 Cursor 的方式启动：mtu-mcp" in said
    assert "下一步：Cursor 会询问是否启动" in said
    code, said, errors = run(home, "uninstall", "cursor")
    assert (code, errors) == (0, "")
    assert "用户 小雅" in said
    assert "如有密钥也在其中。" in said
    code, said, errors = run(home, "install", "claude-desktop", "--project", ".")
    assert (code, said) == (2, "")
    assert errors == "mtu-mcp install: Claude Desktop 没有项目级的配置文件，请去掉 --project\n"


CONSOLES = [
    {"LC_ALL": "", "LANG": "C", "LANGUAGE": "zh_CN"},
    {"LC_ALL": "POSIX"},
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "cp936"},
    {"PYTHONIOENCODING": "cp1252:strict"},
]


@pytest.mark.parametrize("console", CONSOLES, ids=lambda console: ",".join(f"{k}={v}" for k, v in console.items()))
def test_no_console_stops_chinese(console: dict[str, str], environ: dict[str, str], tmp_path: Path) -> None:
    """Our promise: UTF-8 on every platform's console, with Chinese arguments, paths and answers, and no traceback."""
    note = tmp_path / "笔记.txt"
    note.write_text("请重复：雨", encoding="utf-8")
    code, said, errors = run({**environ, **console}, "call", "chat", f"prompt=@{note}", "conversation=中文 会话")
    assert (code, errors) == (0, "")
    assert "雨" in said
    code, said, errors = run({**environ, **console}, "call", "聊天")
    assert code == 2
    assert "'聊天'" in errors
    code, said, errors = run({**environ, **console, "MTU_OUTPUT_DIR": str(tmp_path / "输出")}, "doctor", "--offline")
    assert str(tmp_path / "输出") in said
    assert "Traceback" not in errors


def test_a_text_that_a_windows_editor_saved_is_a_prompt(environ: dict[str, str], tmp_path: Path) -> None:
    """Notepad's "Unicode" is UTF-16 with a mark; PowerShell's `>` writes it too."""
    note = tmp_path / "笔记.txt"
    note.write_text("Repeat: 下雨天", encoding="utf-16")
    assert run(environ, "call", "chat", f"prompt=@{note}")[1].startswith("下雨天 [")
    code, said, errors = run(environ, "call", "chat", "prompt=-", stdin="Repeat: 下雨天".encode("utf-8-sig"))
    assert (code, errors) == (0, "")
    assert said.startswith("下雨天 [")


@pytest.mark.skipif(os.name == "nt", reason="arguments are bytes on POSIX systems only")
def test_arguments_in_another_encoding_are_no_traceback(environ: dict[str, str]) -> None:
    """PEP 383: bytes of an argument that are no UTF-8 come as half surrogate pairs, which nothing can write."""
    done = subprocess.run(
        [sys.executable, "-m", "mtu_mcp", "call", "chat", "prompt=你好".encode("gbk")],
        capture_output=True,
        env=environment({**CHINESE, **environ}),
        timeout=PATIENCE,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    assert done.returncode in (0, 1, 2)


def test_the_demo_plays_in_chinese(tmp_path: Path) -> None:
    """Our promise: its steps, its prompts and its recording are Chinese where the locale is."""
    play = (
        "import anyio, sys; from pathlib import Path; from rich.console import Console\n"
        "from mtu_mcp.cli import demo; from mtu_mcp.cli._screen import Screen; from mtu_mcp.cli._console import set_up\n"
        "set_up(sys.stdout); folder = Path(sys.argv[1]); taken = demo.steps(demo.bring_files(folder))\n"
        "taken = [one for one in taken if one.tool in ('chat', 'transcribe', 'web_search')]\n"
        "failed = anyio.run(demo.play, Screen(Console(width=80), moving=False), folder, taken, 0)\n"
        "print(demo.ending(folder, len(taken), failed, 1))"
    )
    done = subprocess.run(
        [sys.executable, "-c", play, str(tmp_path)],
        capture_output=True,
        encoding="utf-8",
        env=environment(CHINESE),
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout
    assert "5 个步骤中有 5 个得到了应有的结果" in said
    assert "You told me your name is 小雅." in said
    assert "你好，欢迎来到图书馆。" in said
    assert "zh.example.org/zaozhishu" in said
    rules = [line for line in said.splitlines() if line.endswith("─")]
    assert rules
    assert {width(line) for line in rules} == {80}


ANSWERS = [
    (status, headers, body)
    for status in (400, 401, 402, 403, 404, 405, 408, 413, 429, 500, 501, 502, 503, 529, 302)
    for headers, body in (
        ({}, b""),
        ({"retry-after": "7"}, b'{"error": {"message": "Something: odd. Really odd"}}'),
        ({}, b'{"error": {"message": "No such thing", "code": "model_not_found"}}'),
        ({}, b'{"error": {"message": "blocked", "code": "content_filter"}}'),
        ({}, b'{"error": {"message": "no money", "code": "insufficient_quota"}}'),
        ({}, b"<html><title>Bad luck</title></html>"),
        ({"location": "https://example.com/v2"}, "<html>你好</html>".encode()),
    )
]


@pytest.mark.parametrize(("status", "headers", "body"), ANSWERS)
def test_whatever_a_gateway_answers_is_told_in_chinese(status: int, headers: dict[str, str], body: bytes) -> None:
    """Our promise: the doctor's lines are Chinese; what the gateway said itself is quoted as it came."""
    known = catalogue("zh")
    assert known is not None
    for model in ("", "qwen-plus"):
        error = from_response(Asked("images/edits", model), status, headers, body, time.time)
        for sentence in filter(None, (error.message, error.advice)):
            told = known.told(sentence)
            assert HAN.search(told), sentence
            assert not ENGLISH.search(re.sub('"[^"]*"', "", told)), told


@pytest.mark.parametrize("name", all_operations())
def test_what_to_use_instead_of_an_operation_is_told_in_chinese(name: str) -> None:
    """Our promise: an operation that a gateway lacks is told with another way, by its own row or by its group's."""
    operation, known = all_operations()[name], catalogue("zh")
    assert known is not None
    was = f"It was {operation.note}." if operation.state == "removed" else ""
    for sentence in filter(None, (operation.instead, was)):
        assert HAN.search(known.told(sentence)), sentence


def test_what_a_tool_refuses_is_chinese_in_a_shell_and_english_for_programs(environ: dict[str, str]) -> None:
    """Our promise: a person reads Chinese; an answer of a model and `--json` are as they came."""
    words = ("call", "call_operation", "name=create_assistant", 'arguments={"model": "gpt-4o"}')
    code, said, errors = run(environ, *words)
    assert (code, errors) == (1, "")
    assert said == (
        "此网关不提供 assistants（返回 404）。OpenAI 已于 2026-08-26 停用它，网关可能仍在提供。"
        "请用 create_response 并给出 previous_response_id，或用 chat 并给对话命名。\n"
    )
    assert "This gateway does not offer assistants" in run(environ, *words, "--json")[1]
    assert run({**environ, "MTU_API_KEY": ""}, "call", "chat", "prompt=hi")[1].startswith("没有网关的密钥")
    answer = "Repeat: Use create_image_edit."
    assert run(environ, "call", "chat", f"prompt={answer}")[1].startswith("Use create_image_edit. [")


@pytest.mark.parametrize(
    "value", ["-1", "soon", "rel/path", "ftp://x.example", "a: b, c", "postgres://x/y", "k:aaaa,k:aaaa"]
)
def test_whatever_is_wrong_with_a_setting_is_told_in_chinese(value: str) -> None:
    """Our promise: the doctor says in the person's language which variable to correct, and what it must be."""
    known = catalogue("zh")
    assert known is not None
    problems = Settings.read({variable(name): value for name in Settings.model_fields}).problems
    assert problems
    for problem in problems:
        told = known.told(problem)
        assert HAN.search(told), problem
        assert not ENGLISH.search(told), told


def loaded(*command: str) -> set[str]:
    """The modules that a command has loaded when it ends."""
    told = (
        "import atexit, json, sys\n"
        "from mtu_mcp.cli import main\n"
        "atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", told, *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        env=environment(CHINESE),
        timeout=PATIENCE,
        check=False,
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_a_server_loads_no_sentences_whatever_the_locale() -> None:
    """Our promise: a host waits for the start, and no person reads what a server says."""
    assert "mtu_mcp.cli._sentences" not in loaded("serve")
    assert "mtu_mcp.cli._sentences" in loaded("serve", "--help")
