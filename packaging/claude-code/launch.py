"""Start the server this plugin brings, on whatever Python there is.

A host starts one command on every machine, and no command that installs is on all of them: `uvx` is missing where
nobody installed uv, and a package of the index is not the one this plugin was tested with. Python is what the server
needs anyway. So this file, which needs nothing but Python 3.8, finds a Python that is new enough, keeps a virtual
environment with the server's dependencies in the plugin's data folder (made once for each set of dependencies, by uv
where it is there, since it is faster, else by pip), and runs the source beside it in there. An update that changes code
alone installs nothing.

The first start installs, and a host waits about 30 seconds. So a process of its own installs, which outlives this
one, and what takes longer is answered by a stand-in with one tool that says so. The same stand-in speaks when nothing
could be installed: a server that just ends shows a person "connection closed".

    python3 launch.py serve      what the host runs; any other arguments go to `mtu-mcp` too
    python3 launch.py --install  install now, and say how it went
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

OLDEST = (3, 11)
NEWEST_TRIED = 20
PATIENCE = 24.0
"""Seconds to wait for the first installation; Claude Code gives a server 30 (MCP_TIMEOUT) to answer."""
STALE = 900.0
"""Seconds after which an installation under way is taken for one that died."""
KEPT_DAYS = 30
OPTION = "MTU_OPTION_"
NETWORK = re.compile(
    r"(?i)connection|name resolution|resolve host|proxy|certificate|ssl|timed out|unreachable|dns|fetch"
)
ERROR = re.compile(r"(?i)^(error|fatal)")
HERE = Path(__file__).resolve().parent
NO_PYTHON = (
    "The Mtu plugin needs Python 3.11 or newer, and {found} is all there is. Install it (or uv, which brings one), "
    "or set MTU_PYTHON to the path of one, then restart Claude Code."
)
NO_INSTALL = (
    "The Mtu plugin could not install the packages it needs: {reason}. It needs the network once, and again after an "
    "update: connect, or set HTTPS_PROXY, then run /mcp and reconnect. What was said is in {log}."
)
STILL = "The Mtu plugin is installing the packages it needs, which happens once. Wait a minute, then run /mcp and reconnect."


class SetupError(Exception):
    """What keeps the server from starting, with what to do about it."""


def main(argv: list[str]) -> int:
    """Run the server, or the stand-in that says why not.

    Returns:
        The exit code of the server; with `--install`, 0 once everything is there.
    """
    try:
        if sys.version_info < OLDEST:
            return run([newer_python(), str(Path(__file__).resolve()), *argv], dict(os.environ))
        if argv == ["--install"]:
            install()
            return 0
        python = ready(argv[:1] == ["serve"])
    except SetupError as error:
        print(f"mtu-mcp: {error}", file=sys.stderr, flush=True)
        if argv[:1] == ["serve"] and not sys.stdin.isatty():
            stand_in(str(error))
        return 1
    # -P: a module of the project that is worked in must not be taken for one of ours.
    return run([str(python), "-P", "-m", "mtu_mcp", *(argv or ["serve"])], environment(os.environ))


def run(command: list[str], environ: dict[str, str]) -> int:
    """Become a command; on Windows, where that detaches from the host, run it and wait."""
    sys.stderr.flush()
    if os.name != "nt":
        os.execvpe(command[0], command, environ)
    return subprocess.call(command, env=environ)


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """The server's environment: what was typed into the plugin's form goes before what the shell holds.

    An empty field must not hide a variable, and hosts without forms pass the placeholder itself.
    """
    environ = {name: value for name, value in given.items() if not name.startswith(OPTION)}
    for name, value in given.items():
        if name.startswith(OPTION) and value.strip() and not value.startswith("${"):
            environ["MTU_" + name[len(OPTION) :]] = value
    found = source()
    environ.pop("PYTHONPATH", None)
    if found is not None:
        environ["PYTHONPATH"] = str(found / "src")
    return environ


def newer_python() -> str:
    """A Python that can run the server, where this one cannot.

    Raises:
        SetupError: There is none.
    """
    for minor in range(NEWEST_TRIED, OLDEST[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found and _says([found, "-c", "print('yes')"]) == "yes":  # version managers leave names that lead nowhere
            return found
    uv = shutil.which("uv")
    if uv:
        found = _says([uv, "python", "find", ">=3.11"]) or _uv_python(uv)
        if found:
            return found
    raise SetupError(NO_PYTHON.format(found=f"Python {platform.python_version()}"))


def _uv_python(uv: str) -> str:
    subprocess.run([uv, "python", "install", "3.13"], capture_output=True, check=False)
    return _says([uv, "python", "find", ">=3.11"])


def _says(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def source() -> Path | None:
    """The folder that holds the server's own files: beside this one when installed, above it in a checkout."""
    for folder in (HERE / "server", HERE.parent.parent):
        if (folder / "src" / "mtu_mcp" / "__init__.py").is_file() and (folder / "pyproject.toml").is_file():
            return folder
    return None


def requirements() -> list[str]:
    """What is to be installed; the published package where the plugin came without its files.

    That happens on Windows, where git makes no symbolic links unless asked.
    """
    import tomllib

    found = source()
    if found is None:
        manifest = json.loads((HERE / ".claude-plugin" / "plugin.json").read_text(encoding="utf-8"))
        return [f"mtu-mcp=={manifest['version']}"]
    project = tomllib.loads((found / "pyproject.toml").read_text(encoding="utf-8"))
    return list(project["project"]["dependencies"])


def pins() -> Path | None:
    """The versions this release was tested with."""
    found = source()
    return found / "constraints.txt" if found and (found / "constraints.txt").is_file() else None


def folder() -> Path:
    """Where this set of dependencies is or will be installed."""
    pinned = pins()
    held = pinned.read_text(encoding="utf-8") if pinned else ""
    key = f"{requirements()} {held} {sys.version_info[:2]} {sys.platform} {platform.machine()} {sys.base_prefix}"
    return data() / f"env-{hashlib.sha256(key.encode()).hexdigest()[:12]}"


def data() -> Path:
    """The plugin's data folder, which outlives updates; a cache folder where no host names one."""
    named = os.environ.get("CLAUDE_PLUGIN_DATA")
    if named:
        return Path(named)
    home = Path.home()
    caches = {"win32": os.environ.get("LOCALAPPDATA", ""), "darwin": str(home / "Library" / "Caches")}
    return Path(caches.get(sys.platform) or os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "mtu-mcp-plugin"


def python_of(env: Path) -> Path:
    """The interpreter of a virtual environment."""
    return env / "Scripts" / "python.exe" if os.name == "nt" else env / "bin" / "python"


def ready(impatient: bool) -> Path:
    """The interpreter to run, installing first where that has not been done.

    Raises:
        SetupError: It could not be installed, or is not yet.
    """
    env = folder()
    if not (env / "complete").exists():
        log = _log()
        lock = env.with_suffix(".lock")
        child = None if _held(lock) else _begin(log)
        give_up = time.monotonic() + (PATIENCE if impatient else STALE)
        while ((child is not None and child.poll() is None) or _held(lock)) and not (env / "complete").exists():
            if time.monotonic() > give_up:
                raise SetupError(STILL)
            time.sleep(0.1)
        if not (env / "complete").exists():
            raise SetupError(NO_INSTALL.format(reason=_last_words(log), log=log))
    os.utime(env / "complete")
    return python_of(env)


def _log() -> Path:
    path = data() / "install.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not _held(folder().with_suffix(".lock")):
            path.write_bytes(b"")
    except OSError as error:
        raise SetupError(f"The Mtu plugin cannot write to {path.parent}: {error.strerror or error}.") from error
    return path


def _begin(log: Path) -> subprocess.Popen[bytes]:
    """Install in a process that goes on when the host ends this one."""
    detached = 0x00000208 if os.name == "nt" else 0  # DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve()), "--install"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            creationflags=detached,
            start_new_session=os.name != "nt",
        )


def _held(lock: Path) -> bool:
    try:
        return time.time() - lock.stat().st_mtime < STALE
    except OSError:
        return False


def _last_words(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    for words in (NETWORK, ERROR):
        said = [line for line in lines if words.search(line)]
        if said:
            return said[-1][:300].rstrip(".")
    return (lines or ["nothing was said"])[-1][:300].rstrip(".")


def install() -> None:
    """Make the virtual environment, elsewhere first, so that half of one is never taken for a whole.

    Raises:
        SetupError: A command failed; what it said went to stderr.
    """
    env = folder()
    env.parent.mkdir(parents=True, exist_ok=True)
    if (env / "complete").exists():
        return
    lock, draft = env.with_suffix(".lock"), env.with_suffix(f".{os.getpid()}")
    if not _taken(lock):
        return
    try:
        for command in commands(draft):
            print("+", " ".join(command), file=sys.stderr, flush=True)
            if subprocess.call(command, stdin=subprocess.DEVNULL, stdout=sys.stderr) != 0:
                raise SetupError("installing failed; see above")
        (draft / "complete").write_bytes(b"")
        if not (env / "complete").exists():
            shutil.rmtree(env, ignore_errors=True)
            draft.replace(env)
        prune(env)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        lock.unlink(missing_ok=True)


def _taken(lock: Path) -> bool:
    """Whether it is this process that installs; two windows of a host start at the same moment."""
    if not _held(lock):
        lock.unlink(missing_ok=True)
    try:
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    return True


def commands(env: Path) -> list[list[str]]:
    """What makes and fills a virtual environment on this machine.

    Debian's Python cannot put pip into new environments unless python3-venv is installed; pip itself can fill one
    that has none.
    """
    inside, pinned = str(python_of(env)), pins()
    needed = [*requirements(), *(["-c", str(pinned)] if pinned else [])]
    uv = shutil.which("uv")
    if uv:
        return [
            [uv, "venv", "--quiet", "--no-project", "--python", sys.executable, str(env)],
            [uv, "pip", "install", "--quiet", "--python", inside, *needed],
        ]
    fill = ["install", "--quiet", "--disable-pip-version-check", "--no-input", "--prefer-binary", *needed]
    if importlib.util.find_spec("pip"):
        return [
            [sys.executable, "-m", "venv", "--without-pip", str(env)],
            [sys.executable, "-m", "pip", "--python", inside, *fill],
        ]
    return [[sys.executable, "-m", "venv", str(env)], [inside, "-m", "pip", *fill]]


def prune(current: Path) -> None:
    """Remove environments that nothing has started from for a month."""
    for env in current.parent.glob("env-*"):
        mark = env / "complete"
        if env != current and mark.exists() and time.time() - mark.stat().st_mtime > KEPT_DAYS * 86400:
            shutil.rmtree(env, ignore_errors=True)


def stand_in(problem: str) -> None:
    """Speak the protocol just enough to say what is wrong, until the host leaves."""
    for line in sys.stdin.buffer:
        try:
            asked: Any = json.loads(line)
        except ValueError:
            continue
        request = cast("dict[str, Any]", asked) if isinstance(asked, dict) else {}
        if "id" in request and "method" in request:
            sys.stdout.buffer.write(json.dumps(reply(request, problem)).encode() + b"\n")
            sys.stdout.buffer.flush()


def reply(asked: dict[str, Any], problem: str) -> dict[str, Any]:
    """The stand-in's answer to one request, in the older handshake, which every host still speaks."""
    tool = {
        "name": "explain_setup",
        "title": "What keeps Mtu from starting",
        "description": f"Says what keeps the Mtu tools from being here. {problem}",
        "inputSchema": {"type": "object", "additionalProperties": False},
        "annotations": {"readOnlyHint": True, "openWorldHint": False},
    }
    given: dict[str, Any] = asked.get("params") or {}
    answers: dict[str, dict[str, Any]] = {
        "initialize": {
            "protocolVersion": given.get("protocolVersion", "2025-11-25"),
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "mtu-mcp", "title": "Mtu (not started)", "version": "0"},
            "instructions": f"The Mtu tools are not here yet. Tell the user: {problem}",
        },
        "ping": {},
        "tools/list": {"tools": [tool]},
        "tools/call": {"content": [{"type": "text", "text": problem}], "isError": True},
    }
    head = {"jsonrpc": "2.0", "id": asked["id"]}
    method = str(asked["method"])
    if method in answers:
        return {**head, "result": answers[method]}
    return {**head, "error": {"code": -32601, "message": f"Method not found: {method[:80]}"}}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
