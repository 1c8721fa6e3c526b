"""The front door: the `mtu-mcp` command.

Owns: arguments, exit codes, what a person reads in a terminal. Asks for: the environment and the server.
Knows nothing of: the gateway's wire. Because: `print` may exist only where stdout belongs to a person.
"""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

import mtu_mcp

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # pyright: ignore[reportPrivateUsage] - argparse names it nowhere else

EPILOG = """\
first steps:
  mtu-mcp demo                         see it work, with no key and no network
  MTU_API_KEY=sk-... mtu-mcp call chat prompt="Hello"
  claude mcp add mtu -e MTU_API_KEY=sk-... -- mtu-mcp serve

settings are environment variables that begin with MTU_; the README lists them.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit code: 0 done, 1 failed, 2 wrong arguments, 130 interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show a character shows a question mark
            stream.reconfigure(errors="replace")
    arguments = _parser().parse_args(argv)
    command = import_module(f"mtu_mcp.cli.{arguments.module}")
    try:
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
    parser = argparse.ArgumentParser(
        prog="mtu-mcp",
        description="An MCP server for the models behind the Mtu API.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"mtu-mcp {mtu_mcp.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_serve(commands)
    _add_demo(commands)
    _add_call(commands)
    _add_sandbox(commands)
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
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on; loopback only (default %(default)s)")
    serve.add_argument(
        "--port", type=_port, default=8000, help="port to listen on; 0 takes a free one (default %(default)s)"
    )
    _add_sandbox_flag(serve)


def _add_demo(commands: "Commands") -> None:
    demo = commands.add_parser("demo", help="run the main job end to end with no key: real server, real files")
    demo.set_defaults(module="demo")
    demo.add_argument(
        "--folder", help="where the files go (default: a new folder mtu-mcp-demo-... in the working folder)"
    )
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
    _add_sandbox_flag(call)


def _add_sandbox(commands: "Commands") -> None:
    sandbox = commands.add_parser("sandbox", help="serve the embedded gateway, for curl and any OpenAI client")
    sandbox.set_defaults(module="sandbox")
    sandbox.add_argument(
        "--port", type=_port, default=8787, help="port on 127.0.0.1; 0 takes a free one (default %(default)s)"
    )
    sandbox.add_argument(
        "--dialect", choices=("openai", "new-api", "dashscope"), default="openai", help="whose error messages it speaks"
    )


def _add_sandbox_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sandbox", action="store_true", help="use the embedded gateway: no key, no network, no cost")


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")
    return int(text)
