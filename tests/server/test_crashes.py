"""A server killed in the middle of a hundred calls: what was answered is there, and the rest is told as lost."""

import os
from pathlib import Path

import pytest

from crashes import kill

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")


@pytest.mark.parametrize(("seed", "transport"), [(1, "stdio"), (2, "http")])
async def test_nothing_that_was_answered_is_missing_after_a_kill(
    seed: int, transport: str, environ: dict[str, str], tmp_path: Path
) -> None:
    """Our promise: kill -9 in the middle of a hundred calls; more rounds in benchmarks/kills.py."""
    left = await kill(seed, environ, tmp_path, transport)
    assert left.missing == []
    assert left.answered > 0
