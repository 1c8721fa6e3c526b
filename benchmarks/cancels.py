"""How long a cancel takes to reach the gateway: from the host's word to the upstream connection's end, per transport and era.

    python benchmarks/cancels.py [cancels]

On stdio, SSE and the handshake protocol the word is `notifications/cancelled`; on 2026-07-28 over HTTP it is the closed
stream. The embedded gateway tells when its client is gone.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from connections import CELLS, Cell, connect
from mtu_mcp.sandbox import Sandbox

PATH = "/chat/completions"


async def measured(cell: Cell, cancels: int) -> list[float]:
    """Return the seconds of each cancel."""
    seconds: list[float] = []
    with tempfile.TemporaryDirectory() as folder, Sandbox() as gateway:
        environ = {
            "MTU_BASE_URL": gateway.base_url,
            "MTU_API_KEY": "sk-benchmark-0123456789",
            "MTU_OUTPUT_DIR": f"{folder}/made",
            "MTU_DATABASE_URL": f"{folder}/mtu.db",
        }
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


async def main() -> None:
    """Print median and maximum of each way to reach the server."""
    cancels = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    for cell in CELLS:
        seconds = await measured(cell, cancels)
        print(
            f"{cell!s:20} {len(seconds)} cancels: median {statistics.median(seconds) * 1000:.0f} ms, "
            f"longest {max(seconds) * 1000:.0f} ms",
            flush=True,
        )


if __name__ == "__main__":
    anyio.run(main)
