"""One embedded gateway for a module that says `ONE_GATEWAY = True`: starting and stopping one takes longer than most
tests. It is as new before each test as far as journal and faults go; modules that look at stored files, batches or
responses leave it out and get a fresh one each time.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from mtu_mcp.sandbox import Options, Sandbox


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


@pytest.fixture
def other_gateway(listed: dict[str, str]) -> Iterator[Any]:
    """Start a gateway of another kind; gives it and the variables of a server that uses it, beside the module's own."""
    others: list[Sandbox] = []

    def start(**options: Any) -> tuple[Sandbox, dict[str, str]]:
        others.append(Sandbox(Options(**options)).start())
        return others[-1], listed | {"MTU_BASE_URL": others[-1].base_url}

    yield start
    for sandbox in others:
        sandbox.close()
