"""What is missing after kill -9 in the middle of a hundred mixed calls, over stdio and HTTP, in many seeded rounds.

python benchmarks/kills.py [rounds] [first seed]
"""

import sys
import tempfile
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from crashes import Left, kill


async def main() -> None:
    """Print what each killed server left, and the sums."""
    given = [int(one) for one in sys.argv[1:]]
    rounds, first = [*given, *(10, 1)[len(given) :]]
    sums: list[Left] = []
    for seed in range(first, first + rounds):
        transport = ("stdio", "http")[seed % 2]
        with tempfile.TemporaryDirectory() as folder:
            environ = {
                "MTU_API_KEY": "sk-benchmark-0123456789",
                "MTU_OUTPUT_DIR": f"{folder}/made",
                "MTU_DATABASE_URL": f"{folder}/mtu.db",
            }
            sums.append(await kill(seed, environ, Path(folder), transport))
            print(f"seed {seed}, {transport}: {sums[-1]}", flush=True)
    answered, lost = sum(one.answered for one in sums), sum(one.running for one in sums)
    print(
        f"{rounds} kills, {answered} answers, {lost} calls lost with their cost, missing {sum(len(one.missing) for one in sums)}"
    )


if __name__ == "__main__":
    anyio.run(main)
