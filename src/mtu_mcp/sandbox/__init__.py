"""An embedded stand-in for an OpenAI-compatible gateway: strict on requests, modest about answers, signed everywhere.

Owns: the routes, the checking of bodies, three error dialects, faults on request, the journal of what was asked.
Asks for: a port and `Options`. Knows nothing of: our client, our tools or any other room.
Because: a peer written from the published contract cannot agree with our mistakes, and needs no key and no network.
"""

from mtu_mcp.sandbox.app import create_app
from mtu_mcp.sandbox.desk import Desk, Options
from mtu_mcp.sandbox.server import Sandbox, run

__all__ = ["Desk", "Options", "Sandbox", "create_app", "run"]
