"""The front door: the `mtu-mcp` command.

Owns: arguments, exit codes, what a person reads in a terminal. Asks for: the environment and the server.
Knows nothing of: the gateway's wire. Because: `print` may exist only where stdout belongs to a person.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

import mtu_mcp
from mtu_mcp.cli._console import set_up
from mtu_mcp.cli._help import Parser

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[Parser]  # pyright: ignore[reportPrivateUsage] - argparse names it nowhere else

HOSTS = ("claude-desktop", "claude-code", "cursor", "vscode")
EPILOG = """\
first steps:
  mtu-mcp demo                         see it work, with no key and no network
  MTU_API_KEY=sk-... mtu-mcp call chat prompt="Hello"
  mtu-mcp install claude-desktop --key sk-...
  mtu-mcp doctor                       say what is wrong, and what mends it

settings are environment variables that begin with MTU_; the README lists them.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit code: 0 done, 1 failed, 2 wrong arguments, 130 interrupted.
    """
    set_up(sys.stdout, sys.stderr)
    parser = _parser()
    if not (sys.argv[1:] if argv is None else argv):
        parser.print_help(sys.stderr)  # stdout is a host's, when it forgot to say `serve`
        parser.exit(2)
    arguments = parser.parse_args(argv)
    try:
        command = import_module(f"mtu_mcp.cli.{arguments.module}")  # takes long enough to be interrupted in
        code: int = command.run(arguments)
        if sys.stdout is not None:  # pyright: ignore[reportUnnecessaryComparison] - None where there is no console
            sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python complains when it flushes at exit
        return 0
    return code


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="mtu-mcp", description="An MCP server for the models behind the Mtu API.", epilog=EPILOG)
    parser.add_argument("--version", action="version", version=f"mtu-mcp {mtu_mcp.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_serve(commands)
    _add_demo(commands)
    _add_call(commands)
    _add_usage(commands)
    _add_sandbox(commands)
    _add_install(commands)
    _add_uninstall(commands)
    _add_doctor(commands)
    _add_claude_code_env(commands)
    return parser


def _add_serve(commands: "Commands") -> None:
    serve = commands.add_parser("serve", help="serve hosts (Claude Desktop, Claude Code, ...) over stdio or HTTP")
    serve.set_defaults(module="serve")
    serve.add_argument(
        "--transport",
        choices=("stdio", "sse", "http"),
        default="stdio",
        help="stdio (default); http: streamable HTTP at /mcp and the older /sse pair; sse: the older pair alone",
    )
    serve.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; other than loopback only with MTU_SERVER_TOKENS or MTU_JWT_ISSUER (default %(default)s)",
    )
    serve.add_argument(
        "--port", type=_port, default=8000, help="port to listen on; 0 takes a free one (default %(default)s)"
    )
    _add_sandbox_flag(serve)


def _add_demo(commands: "Commands") -> None:
    demo = commands.add_parser("demo", help="run the main job end to end with no key: real server, real files")
    demo.set_defaults(module="demo")
    demo.add_argument("--folder", help="where the files go (default: mtu-mcp-demo in the working folder)")
    demo.add_argument("--plain", action="store_true", help="no colours and no moving progress bars")


def _add_call(commands: "Commands") -> None:
    call = commands.add_parser(
        "call",
        help="call one tool from the shell: mtu-mcp call TOOL key=value ...",
        description="Call one tool. Values are text; one that is JSON ([...], {...}, true, 3) is read as such. "
        "key=@FILE takes the value from a file, key=- from standard input; a key given twice is a list. "
        "Without TOOL, lists the tools.",
    )
    call.set_defaults(module="call")
    call.add_argument("tool", nargs="?", metavar="TOOL")
    call.add_argument("arguments", nargs="*", metavar="key=value")
    call.add_argument("--json", action="store_true", help="print the whole result as JSON")
    call.add_argument("--yes", action="store_true", help="answer every question with yes: what may be spent or deleted")
    _add_sandbox_flag(call)


def _add_usage(commands: "Commands") -> None:
    usage = commands.add_parser("usage", help="what was spent, by day, model and tool, against the caps")
    usage.set_defaults(module="usage")
    usage.add_argument("--month", default="", metavar="YYYY-MM", help="another month than this one")
    usage.add_argument("--json", action="store_true", help="print the figures as JSON")
    usage.add_argument("--html", metavar="FILE", help="write them as a page with plots")


def _add_sandbox(commands: "Commands") -> None:
    sandbox = commands.add_parser("sandbox", help="serve the embedded gateway, for curl and any OpenAI client")
    sandbox.set_defaults(module="sandbox")
    sandbox.add_argument(
        "--port", type=_port, default=8787, help="port on 127.0.0.1; 0 takes a free one (default %(default)s)"
    )
    sandbox.add_argument(
        "--dialect", choices=("openai", "new-api", "dashscope"), default="openai", help="whose error messages it speaks"
    )
    sandbox.add_argument(
        "--assistants", action="store_true", help="serve the Assistants API too, which OpenAI removed on 2026-08-26"
    )


def _add_install(commands: "Commands") -> None:
    install = commands.add_parser(
        "install",
        help="write this server into a host's configuration, and try it",
        description="Write this server into a host's configuration: the change is shown, the old file is kept beside it, "
        "other servers stay as they are, and what was written is started as the host will start it. Proxy, certificate "
        "and MTU_ variables that are set are passed on, except the key.",
    )
    _add_host(install, uninstall=False)
    install.add_argument("--print", action="store_true", help="print the entry and write nothing")
    install.add_argument("--key", default="", help="write this key; - reads it from the terminal or standard input")
    install.add_argument("--with-key", action="store_true", help="write the key that MTU_API_KEY holds")
    install.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="FOLDER",
        help="a folder whose files may be sent; may be repeated",
    )
    _add_sandbox_flag(install)


def _add_uninstall(commands: "Commands") -> None:
    uninstall = commands.add_parser("uninstall", help="take this server out of a host's configuration")
    _add_host(uninstall, uninstall=True)


def _add_host(parser: argparse.ArgumentParser, *, uninstall: bool) -> None:
    parser.set_defaults(module="install", uninstall=uninstall)
    parser.add_argument("host", choices=HOSTS)
    parser.add_argument("--name", default="mtu", help="the server's name in the host (default %(default)s)")
    parser.add_argument(
        "--project",
        nargs="?",
        const=".",
        metavar="FOLDER",
        help="the project's own file instead of yours (not Desktop)",
    )
    parser.add_argument("--file", action="store_true", help="change Claude Code's file instead of using its command")
    parser.add_argument("--dry-run", action="store_true", help="show the change and write nothing")


def _add_doctor(commands: "Commands") -> None:
    doctor = commands.add_parser(
        "doctor",
        help="check everything a call needs, and say what mends what is wrong",
        description="Check key, address, proxy, certificates, network, gateway, folders, database and hosts. Costs "
        "nothing: the gateway is asked for its list of models, and sent requests that nobody can read. The exit code is "
        "the number of bad lines.",
    )
    doctor.set_defaults(module="doctor")
    doctor.add_argument(
        "--host",
        choices=HOSTS,
        default="",
        help="check with the variables of this host's entry (default: the shell's; without a key, the first entry's)",
    )
    doctor.add_argument("--offline", action="store_true", help="check only what needs no network")
    doctor.add_argument("--json", action="store_true", help="print the findings as JSON")
    _add_sandbox_flag(doctor)


def _add_claude_code_env(commands: "Commands") -> None:
    printed = commands.add_parser(
        "claude-code-env",
        help="print the settings that run Claude Code itself on the Mtu API",
        description="Print the variables that make Claude Code, or Claude Code Router, use the Mtu API. "
        'In a shell: eval "$(mtu-mcp claude-code-env)"',
    )
    printed.set_defaults(module="claude_code_env")
    printed.add_argument("--router", action="store_true", help="Claude Code Router's config.json instead")
    printed.add_argument(
        "--format",
        choices=("sh", "fish", "powershell", "json"),
        help="json is ~/.claude/settings.json (default: your shell)",
    )
    printed.add_argument("--model", default="", help="the model for everything")
    printed.add_argument("--small-model", default="", help="the model for small background tasks")
    printed.add_argument("--with-key", action="store_true", help="print the key that MTU_API_KEY holds, not its name")


def _add_sandbox_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sandbox", action="store_true", help="use the embedded gateway: no key, no network, no cost")


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")
    return int(text)
