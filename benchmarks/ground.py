"""What every measurement stands on: the tests' tools within reach, an embedded gateway, and files of its own."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mtu_mcp.sandbox import Sandbox

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))


@contextmanager
def own_files() -> Iterator[dict[str, str]]:
    """The environment of a server whose files are its own and gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        yield {
            "MTU_API_KEY": "sk-benchmark-0123456789",
            "MTU_OUTPUT_DIR": f"{folder}/made",
            "MTU_DATABASE_URL": f"{folder}/mtu.db",
        }


@contextmanager
def own_gateway() -> Iterator[tuple[Sandbox, dict[str, str]]]:
    """A gateway, and the environment of a server that asks it."""
    with own_files() as environ, Sandbox() as gateway:
        yield gateway, {**environ, "MTU_BASE_URL": gateway.base_url}
