"""What impatient hosts cost: a seeded storm of hang-ups, retries and hand-offs on a real HTTP server.

    python benchmarks/paid_twice.py [calls] [seed ...]

The embedded gateway's journal is the judge: an answer it gave to the end twice for one call was paid twice.
"""

import sys
import time

import anyio
from ground import own_gateway

from storms import Storm


async def main() -> None:
    """Print the figures of each storm."""
    calls, *seeds = [int(one) for one in sys.argv[1:]] or [300]
    for seed in seeds or [1, 2, 3]:
        with own_gateway() as (gateway, environ):
            began = time.monotonic()
            figures = await Storm(seed, gateway).blow(environ, calls)
            print(f"seed {seed}: {figures} ({time.monotonic() - began:.0f} s)")


if __name__ == "__main__":
    anyio.run(main)
