"""`mtu-mcp sandbox`: the embedded gateway on a port, for curl and for any OpenAI client."""

import argparse
import sys

from mtu_mcp.cli._language import gettext as _

HELLO = """\
The embedded gateway listens on {url}
It is a stand-in: strict on requests, honest in answers, and no model at all.

  curl {url}/models -H "Authorization: Bearer any"
  curl {url}/chat/completions -H "Authorization: Bearer any" -H "Content-Type: application/json" \\
    -d '{{"model": "qwen-plus", "messages": [{{"role": "user", "content": "Hello"}}]}}'

Press Ctrl+C to stop."""


def run(arguments: argparse.Namespace) -> int:
    """Serve until interrupted."""
    from mtu_mcp.sandbox import Options
    from mtu_mcp.sandbox import run as serve

    try:
        serve(
            arguments.port,
            Options(dialect=arguments.dialect, assistants=arguments.assistants),
            ready=lambda url: print(_(HELLO).format(url=url), flush=True),
        )
    except OSError as error:
        said = _("cannot listen on 127.0.0.1:{port}: {reason}. Choose another --port.")
        said = said.format(port=arguments.port, reason=error.strerror or error)
        print(f"mtu-mcp sandbox: {said}", file=sys.stderr)
        return 1
    return 0
