"""What a host is told when the gateway refuses, by tool and dialect: one or two sentences, with what to do."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from mtu_mcp.gateway import Operation, all_operations
from mtu_mcp.sandbox import Options
from mtu_mcp.sandbox.refusals import DIALECTS
from server.rows.failures import (
    ADVICE,
    NOBODY,
    WAYS,
    of_a_model,
    spending,
    try_filtered,
    try_key,
    try_model,
)
from server.rows.host import KEY, Host, hosted
from server.rows.operations import AT_NEW_API, Pretender, arguments_for

KEYS = {"": KEY, "key": "sk-wrong", "quota": "sk-broke"}
each_dialect = pytest.mark.parametrize("dialect", DIALECTS)
each_wrong_key = pytest.mark.parametrize("wrong", ["key", "quota"])
each_way = pytest.mark.parametrize("way", WAYS)


@pytest.fixture(scope="module")
def portal() -> Iterator[BlockingPortal]:
    """A loop of its own, in which clients stay connected from one test to the next."""
    with start_blocking_portal() as running:
        yield running


@pytest.fixture(scope="module")
def hosts(portal: BlockingPortal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, str], Host]]:
    """A host for each dialect and key."""
    with ExitStack() as stack:
        found: dict[tuple[str, str], Host] = {}
        for dialect in DIALECTS:
            for wrong, given in KEYS.items():
                folder = tmp_path_factory.mktemp(f"{dialect}{wrong}")
                options = Options(dialect=dialect, assistants=True)
                found[dialect, wrong] = stack.enter_context(hosted(portal, options, folder, given))
        yield found


@each_wrong_key
@each_dialect
@each_way
def test_a_key_that_does_not_do_is_told_with_what_to_do(
    way: str, dialect: str, wrong: str, hosts: dict[tuple[str, str], Host], portal: BlockingPortal
) -> None:
    """OpenAI: 401 and 429; New API: 401 and 403; Model Studio: 401 and 400 Arrearage."""
    host = hosts[dialect, wrong]
    host.begin()
    portal.call(try_key, host, WAYS[way], wrong)


@each_dialect
@pytest.mark.parametrize("way", [name for name, way in WAYS.items() if way.model])
def test_a_model_nobody_has_is_told_with_others(
    way: str, dialect: str, hosts: dict[tuple[str, str], Host], portal: BlockingPortal
) -> None:
    """OpenAI: 404 model_not_found; New API: 503, no channel for the model."""
    host = hosts[dialect, ""]
    host.begin()
    portal.call(try_model, host, WAYS[way])


@each_dialect
@each_way
def test_what_content_rules_stop_is_told_as_that(
    way: str, dialect: str, hosts: dict[tuple[str, str], Host], portal: BlockingPortal
) -> None:
    """Model Studio: 400 data_inspection_failed; others: content_filter, in their own envelope."""
    host = hosts[dialect, ""]
    host.begin()
    portal.call(try_filtered, host, WAYS[way])


@each_wrong_key
@each_dialect
@pytest.mark.parametrize("operation", all_operations().values(), ids=lambda one: one.name)
def test_an_operation_with_a_key_that_does_not_do_says_what_to_do(
    operation: Operation, dialect: str, wrong: str, hosts: dict[tuple[str, str], Host], portal: BlockingPortal
) -> None:
    """Our promise: whatever is called, the one thing to fix."""
    host = hosts[dialect, wrong]

    async def refused() -> str:
        arguments = await arguments_for(operation.name, Pretender(host))
        return await host.refused("call_operation", name=operation.name, arguments=arguments, confirm=True)

    host.begin()
    said = portal.call(refused)
    assert ADVICE[wrong] in said, said


@each_dialect
@pytest.mark.parametrize("operation", spending(), ids=lambda one: one.name)
def test_an_operation_that_is_stopped_or_asks_nobody_says_so(
    operation: Operation, dialect: str, hosts: dict[tuple[str, str], Host], portal: BlockingPortal
) -> None:
    """Our promise: for every operation that makes something, a wrong model and filtered content are told apart."""
    host = hosts[dialect, ""]

    async def refused(**changes: str) -> str:
        arguments = {**await arguments_for(operation.name, Pretender(host)), **changes}
        return await host.refused("call_operation", name=operation.name, arguments=arguments)

    host.begin()
    if host.relay and operation.name not in AT_NEW_API:
        assert "does not offer" in portal.call(refused)
        return
    if operation in of_a_model():
        said = portal.call(lambda: refused(model=NOBODY))
        assert NOBODY in said, said
    host.gateway.arm("filtered")
    assert portal.call(refused).startswith("Content rules stopped it")


@each_dialect
def test_a_panel_says_of_each_member_why_it_is_silent(
    dialect: str, hosts: dict[tuple[str, str], Host], portal: BlockingPortal
) -> None:
    """Our promise: one model nobody has does not take the others' answers with it."""
    host = hosts[dialect, ""]

    async def compared() -> str:
        return await host.ask("compare_models", prompt="Say: hello", models=["gpt-4o", NOBODY])

    said = portal.call(compared)
    assert "hello" in said
    assert NOBODY in said


@each_wrong_key
@each_dialect
def test_what_costs_nothing_still_answers(
    dialect: str, wrong: str, hosts: dict[tuple[str, str], Host], portal: BlockingPortal
) -> None:
    """Our promise: it always starts, and answers first; what could not be asked is said."""
    host = hosts[dialect, wrong]

    async def listed() -> tuple[str, str]:
        return await host.ask("list_models", can="omni"), await host.ask("find_operation", words="fine-tuning")

    models, operations = portal.call(listed)
    assert "qwen3-omni-flash" in models
    assert "MTU_API_KEY" in models
    assert "create_fine_tuning_job" in operations
