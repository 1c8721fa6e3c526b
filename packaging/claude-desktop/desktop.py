"""Start the server as a bundle of Claude Desktop does.

The form's folders are a list, and a list can be handed over in arguments alone: in a variable the host would leave the
placeholder standing. So they come as arguments and become the variable that every other host sets. A placeholder means
that nothing was chosen.
"""

import os
import sys


def main(argv: list[str]) -> int:
    """Serve over stdio, with the folders of `argv` added to those whose files may be sent."""
    folders = [folder for folder in argv if folder.strip() and not folder.startswith("${")]
    if folders:
        os.environ["MTU_ALLOWED_DIRS"] = ";".join([*folders, os.environ.get("MTU_ALLOWED_DIRS", "")])

    from mtu_mcp.cli import main as command

    return command(["serve"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
