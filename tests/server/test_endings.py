"""The end of a server with twenty calls at work: records flushed, upstream closed, no orphan; timed in benchmarks/endings.py."""

import os

import pytest

from endings import WAYS, end
from mtu_mcp.sandbox import Sandbox


@pytest.mark.skipif(os.name == "nt", reason="Windows hosts close stdin and kill")
@pytest.mark.parametrize(("transport", "way"), WAYS)
async def test_what_was_at_work_is_written_down_at_the_end(
    transport: str, way: str, environ: dict[str, str], gateway: Sandbox
) -> None:
    """Our promise: SIGINT, SIGTERM, closed stdin, a parent that died: exit with records flushed and no orphan."""
    found = await end(transport, way, environ, gateway)
    assert "Traceback" not in found.stderr
    assert found.ledger == {"cancelled": 20}
    assert found.jobs.keys() == {"cancelled"}
    gateway.journal.wait(
        lambda _: all(one.ended == "client closed" for one in gateway.journal.find("/chat/completions"))
    )
