"""`mtu-mcp sandbox`: the embedded gateway on a port, for curl and for any OpenAI client."""

import argparse

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

    serve(
        arguments.port,
        Options(dialect=arguments.dialect),
        ready=lambda url: print(HELLO.format(url=url), flush=True),
    )
    return 0
