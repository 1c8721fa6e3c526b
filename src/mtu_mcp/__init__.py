"""An MCP server for the models behind the Mtu API.

Owns: the version. Asks for: nothing. Knows nothing of: its own rooms.
Because: importing the package must cost nothing; `serve` is measured to its first answer.
"""

__version__ = "0.1.0"
