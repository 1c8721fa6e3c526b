"""How long a server with twenty calls at work takes to end, told in each of the ways there are.

python benchmarks/endings.py [rounds]
"""

import statistics
import sys

import anyio
from ground import own_gateway

from endings import WAYS, end


async def main() -> None:
    """Print the seconds, and what was left in the ledger."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    for transport, way in WAYS:
        seconds: list[float] = []
        states: dict[str, int] = {}
        for _ in range(rounds):
            with own_gateway() as (gateway, environ):
                found = await end(transport, way, environ, gateway)
            seconds.append(found.seconds)
            for state, count in found.ledger.items():
                states[state] = states.get(state, 0) + count
        print(
            f"{transport}, {way}: median {statistics.median(seconds):.2f} s, longest {max(seconds):.2f} s; ledger {states}"
        )


if __name__ == "__main__":
    anyio.run(main)
