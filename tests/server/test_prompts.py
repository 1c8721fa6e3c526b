"""Prompts on the wire: what is missing is named under the code the protocol has for it, in both eras."""

import logging

import pytest
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS

from connections import MEMORY, Cell, connect, every_cell


@every_cell
async def test_missing_arguments_are_named(cell: Cell, environ: dict[str, str]) -> None:
    """MCP prompts, error handling: missing required arguments: -32602 (invalid params)."""
    async with connect(cell, environ) as client:
        for arguments, missing in (
            ({}, "file and language"),
            ({"file": "a.md"}, "language"),
            ({"file": " ", "language": "French"}, "file"),
        ):
            with pytest.raises(MCPError) as raised:
                await client.get_prompt("translate_document", arguments)
            assert raised.value.code == INVALID_PARAMS
            assert raised.value.message == f"translate_document needs {missing}."
        assert (await client.get_prompt("translate_document", {"file": "a.md", "language": "French"})).messages


@every_cell
async def test_arguments_it_does_not_have_are_refused_by_name(cell: Cell, environ: dict[str, str]) -> None:
    """Our promise: a misspelt argument is not dropped in silence."""
    async with connect(cell, environ) as client:
        with pytest.raises(MCPError) as raised:
            await client.get_prompt("second_opinion", {"question": "x", "modle": "qwen-max"})
    assert raised.value.code == INVALID_PARAMS
    assert "no argument 'modle'" in raised.value.message
    assert "question, model, conversation" in raised.value.message


async def test_a_wrong_prompt_is_the_callers_mistake_and_no_entry_in_the_log(
    environ: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """Our promise: the log is for what is wrong here."""
    with caplog.at_level(logging.WARNING):
        async with connect(MEMORY, environ) as client:
            for name, arguments in (("nothing", {}), ("review_code", {})):
                with pytest.raises(MCPError):
                    await client.get_prompt(name, arguments)
    assert caplog.records == []


@every_cell
async def test_odd_texts_stay_as_they_are_or_do_no_harm(cell: Cell, environ: dict[str, str]) -> None:
    """RFC 8259, section 8.2: half a surrogate pair may stand in JSON; the key never leaves."""
    async with connect(cell, environ) as client:
        for question in ("{0} %s ${HOME} <b> `x`", "línea\r\n二\u2028三", "\x00\x1b[31m", "x" * 100_000):
            result = await client.get_prompt("second_opinion", {"question": question})
            assert result.messages[0].content.type == "text"
        result = await client.get_prompt("second_opinion", {"question": f"Is {environ['MTU_API_KEY']} good?"})
        assert environ["MTU_API_KEY"] not in result.model_dump_json()
