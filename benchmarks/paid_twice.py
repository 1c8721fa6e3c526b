"""What impatient hosts cost: a seeded storm of hang-ups, retries and hand-offs on a real HTTP server.

    python benchmarks/paid_twice.py [calls] [seed ...]

The embedded gateway's journal is the judge: an answer it gave to the end twice for one call was paid twice.
"""

import sys
import tempfile
import time
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from mtu_mcp.sandbox import Sandbox
from storms import Storm


async def main() -> None:
    """Print the figures of each storm."""
    calls, *seeds = [int(one) for one in sys.argv[1:]] or [300]
    for seed in seeds or [1, 2, 3]:
        with tempfile.TemporaryDirectory() as folder, Sandbox() as gateway:
            environ = {
                "MTU_BASE_URL": gateway.base_url,
                "MTU_API_KEY": "sk-benchmark-0123456789",
                "MTU_OUTPUT_DIR": f"{folder}/made",
                "MTU_DATABASE_URL": f"{folder}/mtu.db",
            }
            began = time.monotonic()
            figures = await Storm(seed, gateway).blow(environ, calls)
            print(f"seed {seed}: {figures} ({time.monotonic() - began:.0f} s)")


if __name__ == "__main__":
    anyio.run(main)
