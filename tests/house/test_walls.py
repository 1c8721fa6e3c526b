"""The house's own rules: which way imports go, how large things may grow, what is written where."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtu_mcp.capabilities import INDEX
from mtu_mcp.settings import Settings, variable

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "mtu_mcp"
OURS = sorted(SOURCE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
ALL = [*OURS, *TESTS, *sorted((ROOT / "benchmarks").rglob("*.py"))]
PACKAGES = sorted(file.parent for file in OURS if file.name == "__init__.py" and file.parent.parent == SOURCE)
TEXTS = {".py", ".md", ".toml", ".json", ".txt", ".yml", ".yaml", ".cfg", ".sh", ""}
SKIPPED = {"__pycache__", ".git", ".venv", ".venv-test", ".venv-demo", ".ruff_cache", ".pytest_cache", "dist", "build"}


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def nodes(file: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(file.read_text(encoding="utf-8")))


def functions(file: Path) -> Iterator[tuple[str, int]]:
    """Every function of a file and how many lines it takes, docstring included."""
    for node in nodes(file):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield f"{name_of(file)}:{node.name}", node.end_lineno - node.lineno + 1


def calls(file: Path) -> Iterator[tuple[ast.Call, str]]:
    """Every call of a file, and what is called: `print`, `os.open`, `path.read_text`."""
    for node in nodes(file):
        if isinstance(node, ast.Call):
            yield node, ast.unparse(node.func)


def test_imports_go_one_way() -> None:
    """Our promise: the contracts in pyproject.toml, from the front door down to the errors."""
    lint = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run(
        [sys.executable, "-c", lint], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_index_of_capabilities_is_complete() -> None:
    """Our promise: one capability, one file, one line in the index; files with an underscore are shared by them."""
    files = {file.stem for file in (SOURCE / "capabilities").glob("*.py") if not file.stem.startswith("_")}
    assert set(INDEX) == files
    assert len(INDEX) == len(set(INDEX))


def test_capabilities_are_independent_by_contract() -> None:
    """Our promise: every file of the index is in the contract that keeps capabilities apart."""
    listed = re.findall(r'"mtu_mcp\.capabilities\.(\w+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(INDEX)


@pytest.mark.parametrize("folder", PACKAGES, ids=lambda one: one.name)
def test_every_package_says_what_it_owns(folder: Path) -> None:
    """Our promise: a package's docstring is its architecture note."""
    note = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    if folder.name == "samples":
        return
    flowing = " ".join(note.split())
    for word in ("Owns: ", "Asks for: ", "Knows nothing of: ", "Because: "):
        assert word in flowing, f"{folder.name} lacks {word!r}"


def test_every_module_has_a_note() -> None:
    """Our promise: a module's docstring says why it is as it is."""
    bare = [name_of(file) for file in OURS if not ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))]
    assert bare == []


def test_files_stay_under_four_hundred_lines() -> None:
    """Our promise: what does not fit in one reading is two things."""
    lengths = {name_of(file): len(file.read_text(encoding="utf-8").splitlines()) for file in OURS}
    assert {name: length for name, length in lengths.items() if length >= 400} == {}


def test_functions_fit_on_a_screen() -> None:
    """Our promise: nine in ten within 30 lines, none over 60."""
    sizes = dict(one for file in OURS for one in functions(file))
    assert {name: size for name, size in sizes.items() if size > 60} == {}
    long = {name: size for name, size in sizes.items() if size > 30}
    assert len(long) <= len(sizes) / 10, sorted(long.items(), key=lambda one: -one[1])[:20]


def test_modules_are_named_for_what_they_are() -> None:
    """Our promise: a module called utils is where the next thing without a place would go."""
    vague = {"utils", "util", "helpers", "helper", "common", "base", "manager", "service", "handler", "core", "misc"}
    assert [name_of(file) for file in OURS if vague & {file.stem.strip("_"), file.parent.name}] == []


def test_print_lives_in_the_command_line_alone() -> None:
    """MCP transports, stdio: stdout belongs to the protocol."""
    printing = {
        name_of(file)
        for file in OURS
        if file.parent.name != "cli"
        for call, called in calls(file)
        if called in ("print", "sys.stdout.write", "builtins.print")
        and not any(word.arg == "file" for word in call.keywords)
    }
    assert printing == set()


def test_text_files_name_their_encoding() -> None:
    """PEP 597: the default depends on the machine."""
    silent: list[str] = []
    for file in ALL:
        for call, called in calls(file):
            if re.search(r"\.(read_text|write_text|NamedTemporaryFile)$", called) or called in ("open", "io.open"):
                words = {word.arg: word.value for word in call.keywords}
                values = [*(ast.unparse(value) for value in words.values()), *(ast.unparse(one) for one in call.args)]
                binary = any(re.fullmatch(r"'[rwax+]*b[rwax+]*'", value) for value in values)
                if not binary and "encoding" not in words:
                    silent.append(f"{name_of(file)}:{call.lineno}")
    assert silent == []


READERS = r"(^open|^io\.open|^os\.open|\.(read_text|read_bytes|write_text|write_bytes|iterdir|glob|rglob|unlink))$"


@pytest.mark.parametrize("room", ["capabilities", "server", "app.py", "settings.py", "errors.py"])
def test_only_the_rooms_that_own_files_open_them(room: str) -> None:
    """Our promise: a path from a model goes through the one function of `media`, so nobody else opens files."""
    allowed = {"src/mtu_mcp/server/stdio.py", "src/mtu_mcp/server/shutdown.py"}  # the null device
    files = sorted((SOURCE / room).rglob("*.py")) if (SOURCE / room).is_dir() else [SOURCE / room]
    opening = [
        f"{name_of(file)}:{call.lineno} {called}"
        for file in files
        if name_of(file) not in allowed
        for call, called in calls(file)
        if re.search(READERS, called)
    ]
    assert opening == []


def test_tests_wait_for_events() -> None:
    """Our promise: no sleeping, nothing patched."""
    bad: list[str] = []
    for file in TESTS:
        for call, called in calls(file):
            asleep = re.search(r"(^|\.)sleep$", called) and not (call.args and ast.unparse(call.args[0]) == "0")
            if asleep or re.search(r"(monkeypatch|mock)\.|^patch(\.|$)|MonkeyPatch", called):
                bad.append(f"{name_of(file)}:{call.lineno} {called}")
    assert bad == []


def test_tests_are_sentences_with_their_source() -> None:
    """Our promise: a test's name says what holds, its docstring or its file's where the rule comes from."""
    short: list[str] = []
    for file in TESTS:
        sourced = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
        for node in nodes(file):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or not node.name.startswith("test_"):
                continue
            if len(node.name.split("_")) < 3 or not (ast.get_docstring(node) or sourced):
                short.append(f"{name_of(file)}:{node.name}")
    assert short == []


def texts() -> Iterator[Path]:
    """Every text file that is published."""
    for file in sorted(ROOT.rglob("*")):
        parts = file.relative_to(ROOT).parts
        if file.is_file() and file.suffix in TEXTS and not SKIPPED & set(parts) and not parts[0].startswith(".venv"):
            yield file


# Written so that this file does not hold what it looks for.
PRIVATE = {
    "the path of a machine": r"(?<![\w:.])/(?:root|work|tmp/venv)/",
    "a package index": r"(?i)\b(?:pypi\.org|pythonhosted\.org|registry\.npmjs|index[-]url)",
    "a key": r"\bsk-(?!test)[A-Za-z0-9]{32,}",
    "how a text was made": r"(?i)co[-]authored-by|generated wit[h] \[|as an ai languag[e]",
    "unfinished work": r"\b(?:TOD[O]|FIXM[E]|XX[X])\b",
}


@pytest.mark.parametrize("what", PRIVATE)
def test_nothing_private_is_published(what: str) -> None:
    """Our promise: the tree can be shown to anybody."""
    found = [
        f"{name_of(file)}:{number}"
        for file in texts()
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if len(line) < 2000 and re.search(PRIVATE[what], line)
    ]
    assert found == []


def test_every_setting_is_described_and_can_be_set() -> None:
    """Our promise: the README's table is made of these descriptions, and each variable is read."""
    for name, field in Settings.model_fields.items():
        if name == "problems":
            continue
        assert field.description, name
        assert field.description.endswith("."), name
        wrong = Settings.read({variable(name): "\x00 not a value \x00"})
        default = Settings.read({})
        assert wrong.problems or getattr(wrong, name) != getattr(default, name), f"{variable(name)} is not read"


def test_no_setting_makes_the_server_fail_to_start() -> None:
    """Our promise: reading never raises, whatever the environment holds."""
    for nonsense in ("", " ", "\x00", "-1", "nan", "1e999", "٣", "~", "/", "C:\\", "://", "http://", "http://[", "a" * 9000, "${X}", "True", "null", ";", ":"):  # fmt: skip
        settings = Settings.read({variable(name): nonsense for name in Settings.model_fields})
        assert all(problem.startswith("MTU_") for problem in settings.problems)
        assert all(len(problem) < 600 for problem in settings.problems)
        assert settings.database_path
        assert settings.baidu_url
