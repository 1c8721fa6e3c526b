"""How long a host waits: from starting the process to the answer to `tools/list`, paired with a bare SDK server.

    python benchmarks/start.py [pairs]

Pairs are run in turn, so that a machine that slows down slows both; the figure to quote is the median of the ratios.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BARE = [sys.executable, str(Path(__file__).with_name("bare_server.py"))]
OURS = [sys.executable, "-m", "mtu_mcp", "serve"]
HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "benchmark", "version": "1"},
}


def first_list(command: list[str]) -> tuple[float, int]:
    """Return seconds to the answer, and its size in characters."""
    with tempfile.TemporaryDirectory() as folder:
        environ = {**os.environ, "MTU_OUTPUT_DIR": folder, "MTU_DATABASE_URL": f"{folder}/mtu.db"}
        started = time.perf_counter()
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environ
        ) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            for message in (
                {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO},
                {"jsonrpc": "2.0", "method": "notifications/initialized"},
                {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
            ):
                child.stdin.write(json.dumps(message).encode() + b"\n")
                child.stdin.flush()
            lines = [child.stdout.readline(), child.stdout.readline()]
            seconds = time.perf_counter() - started
            child.stdin.close()
            child.wait(10)
    tools = json.loads(lines[-1])["result"]["tools"]
    return seconds, len(json.dumps(tools, ensure_ascii=False, separators=(",", ":")))


def main() -> None:
    """Print medians, ratio and the size of the list."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    first_list(OURS)
    first_list(BARE)
    runs = [(first_list(OURS), first_list(BARE)) for _ in range(pairs)]
    ratios = [ours[0] / bare[0] for ours, bare in runs]
    print(f"mtu-mcp: {statistics.median(ours[0] for ours, _ in runs) * 1000:.0f} ms")
    print(f"bare:    {statistics.median(bare[0] for _, bare in runs) * 1000:.0f} ms")
    print(f"ratio:   {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    print(f"tools/list: {runs[0][0][1]:,} characters, about {runs[0][0][1] // 4:,} tokens")


if __name__ == "__main__":
    main()
