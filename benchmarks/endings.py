"""How long a server with twenty calls at work takes to end, told in each of the ways there are.

python benchmarks/endings.py [rounds]
"""

import statistics
import sys
import tempfile
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from endings import WAYS, end
from mtu_mcp.sandbox import Sandbox


async def main() -> None:
    """Print the seconds, and what was left in the ledger."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    for transport, way in WAYS:
        seconds: list[float] = []
        states: dict[str, int] = {}
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder, Sandbox() as gateway:
                environ = {
                    "MTU_BASE_URL": gateway.base_url,
                    "MTU_API_KEY": "sk-benchmark-0123456789",
                    "MTU_OUTPUT_DIR": f"{folder}/made",
                    "MTU_DATABASE_URL": f"{folder}/mtu.db",
                }
                found = await end(transport, way, environ, gateway)
            seconds.append(found.seconds)
            for state, count in found.ledger.items():
                states[state] = states.get(state, 0) + count
        print(
            f"{transport}, {way}: median {statistics.median(seconds):.2f} s, longest {max(seconds):.2f} s; ledger {states}"
        )


if __name__ == "__main__":
    anyio.run(main)
