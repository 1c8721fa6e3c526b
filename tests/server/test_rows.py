"""Each page of the gateway's documentation, tried from a host in each dialect of gateway."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from mtu_mcp.gateway import all_operations
from mtu_mcp.sandbox import Options
from mtu_mcp.sandbox.refusals import DIALECTS
from server.rows.host import CASES, ONCE, Case, Host, hosted
from server.rows.operations import GIVES, require_lacking, try_operation

PAGES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "house" / "pages.json").read_text(encoding="utf-8")
)
for _module in ("news", "api", "media", "qwen", "documents", "omni", "concepts"):
    import_module(f"server.rows.{_module}")
REMOVED = ("assistants", "threads")
TRIED: dict[Case, list[str]] = {}
for _page, _case in CASES.items():
    TRIED.setdefault(_case, []).append(_page)


@pytest.fixture(scope="module")
def portal() -> Iterator[BlockingPortal]:
    """A loop of its own, in which clients stay connected from one test to the next."""
    with start_blocking_portal() as running:
        yield running


@pytest.fixture(scope="module")
def hosts(portal: BlockingPortal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Host]]:
    """A host for each dialect; what OpenAI removed is served, where such gateways may."""
    with ExitStack() as stack:
        yield {
            dialect: stack.enter_context(
                hosted(portal, Options(dialect=dialect, assistants=True), tmp_path_factory.mktemp(dialect))
            )
            for dialect in DIALECTS
        }


@pytest.fixture(scope="module")
def bare(portal: BlockingPortal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host whose gateway serves nothing that OpenAI removed."""
    with hosted(portal, Options(), tmp_path_factory.mktemp("bare")) as host:
        yield host


@pytest.mark.parametrize(
    ("case", "dialect"),
    [(case, dialect) for case in TRIED for dialect in (DIALECTS[:1] if case in ONCE else DIALECTS)],
    ids=lambda given: given if isinstance(given, str) else given.__name__,
)
def test_a_page_can_be_used_from_a_host(
    case: Case, dialect: str, hosts: dict[str, Host], portal: BlockingPortal
) -> None:
    """The gateway's documentation, page by page; where its rules stand is said with each case."""
    host = hosts[dialect]
    host.begin()
    portal.call(case, host)
    named = {name for page in PAGES if page["page"] in TRIED[case] for name in _named(page)}
    assert named <= host.used, f"the README names {named - host.used} too"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", all_operations())
def test_an_operation_gives_what_its_page_describes(
    name: str, dialect: str, hosts: dict[str, Host], portal: BlockingPortal
) -> None:
    """OpenAI API reference: the object each operation documents; where a gateway has no such route, one sentence."""
    host = hosts[dialect]
    host.begin()
    portal.call(try_operation, host, name)


@pytest.mark.parametrize("name", [name for name, one in all_operations().items() if one.path.startswith(REMOVED)])
def test_what_openai_removed_is_told_with_what_takes_its_place(name: str, bare: Host, portal: BlockingPortal) -> None:
    """OpenAI, deprecations: the Assistants API ended on 2026-08-26, its files in 2024; gateways answer 404 since."""
    bare.begin()
    portal.call(require_lacking, bare, all_operations()[name])


def test_no_page_is_forgotten() -> None:
    """These tests' own promise: each of the 188 pages is tried, by a case of its own or by the operation for it."""
    by_operation = {title for operation in all_operations().values() for title in operation.titles}
    assert {page["page"] for page in PAGES} == set(CASES) | by_operation
    assert {page["page"] for page in PAGES if _named(page) or page.get("section")} <= set(CASES)
    assert set(GIVES) == set(all_operations())


def _named(page: dict[str, Any]) -> list[str]:
    return [*page.get("tools", []), *page.get("resources", [])]
