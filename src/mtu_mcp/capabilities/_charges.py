"""What a batch that has ended cost, by its results, or by what the gateway says of it where there are none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from mtu_mcp.gateway import Usage
from mtu_mcp.money import Charge, Ending

if TYPE_CHECKING:
    from mtu_mcp.gateway import Batch
    from mtu_mcp.records import Job

NOTHING: Final = Charge(0.0, "none")
_STATES: Final = {"completed": "done", "failed": "failed", "expired": "cut"}


def ending_of(job: Job, batch: Batch, told: Mapping[str, Any]) -> Ending:
    """How a batch ended and what it cost.

    A line whose tokens the gateway did not count costs its part of what was held. Where the results are not to be had,
    the same goes for each line that the gateway says it completed; without that word, nothing ran in a batch that did
    not complete, and everything in one that did.
    """
    state = _STATES.get(batch.status, "cancelled")
    lines = int(job.request.get("lines") or 0)
    held = float(job.request.get("held") or 0.0)
    output: Mapping[str, Any] | None = told.get("output")
    if output:
        cost: float | None = output.get("cost")
        basis = str(output.get("basis") or "unknown")
        if uncounted := int(output.get("uncounted") or 0):
            cost = None if cost is None else cost + held * min(1.0, uncounted / max(lines, 1))
            basis = "assumed" if basis in ("none", "list") and held else basis
        return Ending(state, Usage(**output.get("usage", {})), Charge(cost, basis), str(output.get("model") or ""))
    ran = batch.completed if batch.completed is not None else lines if state == "done" and "errors" not in told else 0
    if not ran:
        return Ending(state, charge=NOTHING)
    share = min(1.0, ran / max(batch.total or lines, 1))
    return Ending(state, charge=Charge(held * share, "assumed") if held else Charge(None, "unknown"))
