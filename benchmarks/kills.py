"""What is missing after kill -9 in the middle of a hundred mixed calls, over stdio and HTTP, in many seeded rounds.

python benchmarks/kills.py [rounds] [first seed]
"""

import sys
from pathlib import Path

import anyio
from ground import own_files

from crashes import Left, kill


async def main() -> None:
    """Print what each killed server left, and the sums."""
    given = [int(one) for one in sys.argv[1:]]
    rounds, first = [*given, *(10, 1)[len(given) :]]
    sums: list[Left] = []
    for seed in range(first, first + rounds):
        transport = ("stdio", "http")[seed % 2]
        with own_files() as environ:
            folder = Path(environ["MTU_DATABASE_URL"]).parent
            sums.append(await kill(seed, environ, folder, transport))
            print(f"seed {seed}, {transport}: {sums[-1]}", flush=True)
    answered, lost = sum(one.answered for one in sums), sum(one.running for one in sums)
    print(
        f"{rounds} kills, {answered} answers, {lost} calls lost with their cost, missing {sum(len(one.missing) for one in sums)}"
    )


if __name__ == "__main__":
    anyio.run(main)
