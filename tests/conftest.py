"""What most tests need: an embedded gateway, and the variables of a server that uses it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtu_mcp.sandbox import Sandbox

# Before anything imports it: what these modules assert is explained like any test's.
pytest.register_assert_rewrite("server.rows")

os.environ["LC_ALL"] = "C.UTF-8"  # what the commands say is compared in English, whatever this machine speaks


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Half a surrogate pair in a log, as hostile tests leave there, ends a run in several processes: none can send it."""
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]


@pytest.fixture
def gateway() -> Iterator[Sandbox]:
    """A fresh embedded gateway on a free loopback port."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def environ(gateway: Sandbox, tmp_path: Path) -> dict[str, str]:
    """Variables of a server that uses the gateway and keeps everything under the test's own folder."""
    return {
        "MTU_BASE_URL": gateway.base_url,
        "MTU_API_KEY": "sk-test-key-0123456789",
        "MTU_OUTPUT_DIR": str(tmp_path / "made"),
        "MTU_DATABASE_URL": str(tmp_path / "mtu.db"),
    }
