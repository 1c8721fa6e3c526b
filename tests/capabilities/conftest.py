"""One embedded gateway for a module that says `ONE_GATEWAY = True`: starting and stopping one takes longer than most
tests. It is as new before each test as far as journal and faults go; modules that look at stored files, batches or
responses leave it out and get a fresh one each time.
"""

from collections.abc import Iterator

import pytest

from mtu_mcp.sandbox import Sandbox


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def gateway(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """An embedded gateway with an empty journal, no faults armed and nothing stalled."""
    if not getattr(request.module, "ONE_GATEWAY", False):
        with Sandbox() as fresh:
            yield fresh
        return
    shared: Sandbox = request.getfixturevalue("running")
    shared.desk.faults.clear()
    shared.release()
    shared.journal.clear()
    yield shared
