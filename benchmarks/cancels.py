"""How long a cancel takes to reach the gateway: from the host's word to the upstream connection's end, per transport and era.

    python benchmarks/cancels.py [cancels]

On stdio, SSE and the handshake protocol the word is `notifications/cancelled`; on 2026-07-28 over HTTP it is the closed
stream. The embedded gateway tells when its client is gone.
"""

import statistics
import subprocess
import sys
import time

import anyio
from ground import own_gateway

from connections import CELLS, Cell, connect

PATH = "/chat/completions"


async def measured(cell: Cell, cancels: int) -> list[float]:
    """Return the seconds of each cancel."""
    seconds: list[float] = []
    with own_gateway() as (gateway, environ):
        async with connect(cell, environ) as client:
            for number in range(cancels):
                gateway.journal.clear()
                gateway.arm("stall:2", PATH)
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(client.call_tool, "chat", {"prompt": f"Count to 300, {number}"})
                    await gateway.journal.awaited(lambda entry: bool(entry.notes.get("stalled")))
                    began = time.perf_counter()
                    tasks.cancel_scope.cancel()
                await gateway.journal.awaited(lambda entry: entry.ended == "client closed")
                seconds.append(time.perf_counter() - began)
    return seconds


async def one(cell: Cell, cancels: int) -> None:
    """Print median and maximum of one way to reach the server."""
    seconds = await measured(cell, cancels)
    median, longest = statistics.median(seconds) * 1000, max(seconds) * 1000
    print(f"{cell!s:20} {len(seconds)} cancels: median {median:.0f} ms, longest {longest:.0f} ms", flush=True)


def main() -> None:
    """Measure each way in a process of its own: what is left of one server must not meet the next."""
    cancels, *only = sys.argv[1:] or ["100"]
    for cell in CELLS:
        if only == [str(cell)]:
            anyio.run(one, cell, int(cancels))
        elif not only:
            subprocess.run([sys.executable, __file__, cancels, str(cell)], check=False)


if __name__ == "__main__":
    main()
