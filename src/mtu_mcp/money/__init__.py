"""Money: what calls may cost, what they did cost, and whether they may be made.

Owns: estimates before and after a call, caps, the report of what was spent.
Asks for: settings, the catalogue's prices, the ledger in the records; is told of calls by the gateway's wire.
Knows nothing of: the protocol, hosts, tools and their arguments.
Because: gateway, catalogue and records each know a third of it and nothing of each other, and a person's money should
be one room that can be read in one sitting.
"""

from typing import TYPE_CHECKING, Final

from mtu_mcp.deferral import deferred

if TYPE_CHECKING:
    from mtu_mcp.money.aftermath import Ending
    from mtu_mcp.money.budget import Budget
    from mtu_mcp.money.estimates import Charge
    from mtu_mcp.money.report import Report, rendered

__all__ = ["Budget", "Charge", "Ending", "Report", "rendered"]

# Loaded at their first use: a server lists its tools before anything is spent.
_HOMES: Final = {
    "Budget": "budget",
    "Charge": "estimates",
    "Ending": "aftermath",
    "Report": "report",
    "rendered": "report",
}

__getattr__ = deferred(__name__, _HOMES)
