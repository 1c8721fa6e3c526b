"""What is wrong, and what mends it.

Owns: the checks behind `mtu-mcp doctor` and `mtu://status`, and their words. Asks for: an App and an environment.
Knows nothing of: MCP, hosts, terminals. Because: a person who reads the doctor, the status or a failed call must be
told the same; so what the gateway's room says of a failure is passed on as it is, and only what it cannot know is added.
"""

from mtu_mcp.checkup.findings import Finding, Verdict
from mtu_mcp.checkup.rounds import everything, standing

__all__ = ["Finding", "Verdict", "everything", "standing"]
