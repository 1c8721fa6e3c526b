"""What a cancel costs that crosses with its answer: a seeded storm of cancels near the end, on each way in.

    python benchmarks/crossings.py [calls] [seed ...]

The embedded gateway's journal is the judge, as in `paid_twice.py`.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from connections import CELLS, Cell
from mtu_mcp.sandbox import Sandbox
from near_ends import NearEnds


async def one(cell: Cell, calls: int, seed: int) -> None:
    """Print the figures of one storm."""
    with tempfile.TemporaryDirectory() as folder, Sandbox() as gateway:
        environ = {
            "MTU_BASE_URL": gateway.base_url,
            "MTU_API_KEY": "sk-benchmark-0123456789",
            "MTU_OUTPUT_DIR": f"{folder}/made",
            "MTU_DATABASE_URL": f"{folder}/mtu.db",
        }
        began = time.monotonic()
        figures = await NearEnds(seed, gateway).blow(cell, environ, calls)
        print(f"{cell!s:18} seed {seed}: {figures} ({time.monotonic() - began:.0f} s)", flush=True)


def main() -> None:
    """Run each storm in a process of its own: what is left of one server must not meet the next."""
    calls, *rest = sys.argv[1:] or ["150"]
    only = [cell for cell in CELLS if str(cell) in rest]
    seeds = [int(word) for word in rest if word.isdecimal()] or [1, 2, 3, 4, 5]
    if only and len(seeds) == 1:
        anyio.run(one, only[0], int(calls), seeds[0])
        return
    for cell in only or CELLS:
        for seed in seeds:
            subprocess.run([sys.executable, __file__, calls, str(seed), str(cell)], check=False)


if __name__ == "__main__":
    main()
