"""A running sandbox on a real loopback socket, and a raw client for it."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from mtu_mcp.sandbox import Options, Sandbox
from sandbox.asking import Chat, client_of, data_uri, png

NOW = 1_795_000_000.0
"""2026-11-18, the clock of every sandbox here."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Options(clock=lambda: NOW)) as running:
        yield running


@pytest.fixture
def raw(sandbox: Sandbox) -> Iterator[httpx.Client]:
    sandbox.desk.faults.clear()
    with client_of(sandbox) as client:
        yield client


@pytest.fixture
def speaking(request: pytest.FixtureRequest) -> Iterator[Callable[..., httpx.Client]]:
    """Start further sandboxes: `speaking(dialect="new-api")` gives a client of a new one."""
    running: list[tuple[Sandbox, httpx.Client]] = []

    def start(**options: Any) -> httpx.Client:
        sandbox = Sandbox(Options(clock=lambda: NOW, **options)).start()
        running.append((sandbox, client_of(sandbox)))
        return running[-1][1]

    yield start
    for sandbox, client in running:
        client.close()
        sandbox.close()


@pytest.fixture
def chat(raw: httpx.Client) -> Chat:
    return Chat(raw)


@pytest.fixture
def red_square() -> str:
    return data_uri(png(64, 64), "image/png")
