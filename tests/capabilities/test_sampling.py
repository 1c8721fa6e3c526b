"""Sampling: the host's own model writes prompts and answers where the host lends it, in both protocol eras."""

from typing import Any

import pytest
from mcp.types import ErrorData

from capabilities.material import answered, bodies, call, spent
from connections import CELLS, Cell, HostModel, connect, every_cell, text_of
from mtu_mcp.sandbox import Sandbox

ONE_GATEWAY = True

Environ = dict[str, str]
unlisted = pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.transport != "stdio"], ids=str)


@every_cell
async def test_the_hosts_model_writes_the_prompt(cell: Cell, environ: Environ, gateway: Sandbox) -> None:
    """MCP specification, sampling: system prompt, one user message, a bound on tokens."""
    host = HostModel("A vivid red fox at dawn")
    async with connect(cell, environ, sampling_callback=host) as client:
        said = await answered(client, "generate_image", prompt="a fox", refine_prompt=True)
    [asked] = host.asked
    assert asked.messages[0].content.text == "a fox"
    assert asked.max_tokens == 400
    assert bodies(gateway, "/images/generations")[0]["prompt"] == host.answer
    assert "The host's model (host-model) wrote the prompt" in said
    assert spent(gateway) == 1


@unlisted
async def test_a_host_that_lends_no_model_is_not_asked(cell: Cell, environ: Environ, gateway: Sandbox) -> None:
    """Claude Code declares no sampling; our promise: a gateway model does it, and the answer says so."""
    async with connect(cell, environ) as client:
        said = await answered(client, "generate_image", prompt="a fox", refine_prompt=True)
    assert "The host lends no model, so gpt-5.1 wrote the prompt" in said
    assert len(bodies(gateway, "/chat/completions")) == 1


@unlisted
async def test_the_host_is_asked_only_when_it_was_wanted(cell: Cell, environ: Environ) -> None:
    """Our promise: sampling spends the host's own tokens, so never unasked."""
    host = HostModel("unused")
    async with connect(cell, environ, sampling_callback=host) as client:
        await answered(client, "generate_image", prompt="a fox")
        await answered(client, "web_search", query="tea")
        await answered(client, "web_search", query="tea", digest="host", results_only=True)
    assert not host.asked


@unlisted
async def test_an_empty_answer_of_the_hosts_model_falls_back(cell: Cell, environ: Environ) -> None:
    """Our promise: an answer nobody can use is not used."""
    async with connect(cell, environ, sampling_callback=HostModel("  ")) as client:
        said = await answered(client, "generate_image", prompt="a fox", refine_prompt=True)
        found = await call(client, "web_search", query="How is tea brewed?", digest="host")
    assert "The host's model gave none, so gpt-5.1 wrote the prompt" in said
    assert not found.is_error
    assert "The host's model gave none" in text_of(found)


@unlisted
async def test_a_user_who_declines_gets_an_error_and_the_search_is_not_paid_for_again(
    cell: Cell, environ: Environ, gateway: Sandbox
) -> None:
    """MCP specification, sampling: a rejected request is an error of code -1; our promise: nothing is paid for twice."""
    answers: list[Any] = [ErrorData(code=-1, message="User rejected sampling request")]
    host = HostModel("Brew it at 75 degrees [1].")

    async def decide(context: Any, params: Any) -> Any:
        return answers.pop() if answers else await host(context, params)

    async with connect(cell, environ, sampling_callback=decide) as client:
        try:
            declined = text_of(await call(client, "web_search", query="How is tea brewed?", digest="host"))
        except Exception as error:
            declined = str(error)
        again = await call(client, "web_search", query="How is tea brewed?", digest="host")
    assert "rejected" in declined
    assert not again.is_error
    assert spent(gateway) == 1
