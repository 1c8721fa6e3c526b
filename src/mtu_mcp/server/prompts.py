"""Prompts as the protocol shows them: their arguments read from the signature, given arguments held against it.

The SDK has a class for prompts; it builds a validator for each at every start and reports a missing argument under a
code that no client understands. All arguments of a prompt are texts, so a signature is all it takes.
"""

import inspect
from collections.abc import Mapping
from typing import get_args, get_type_hints

from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, GetPromptResult, Prompt, PromptArgument, PromptMessage, TextContent

from mtu_mcp.capabilities._spec import PromptSpec
from mtu_mcp.server.edge import hide_key


def shown(spec: PromptSpec) -> Prompt:
    """The prompt as `prompts/list` has it; an argument without a default is required."""
    hints = get_type_hints(spec.fn, include_extras=True)
    arguments = [
        PromptArgument(name=name, description=get_args(hints[name])[1], required=_needed(parameter) or None)
        for name, parameter in inspect.signature(spec.fn).parameters.items()
    ]
    return Prompt(name=spec.name, title=spec.title, description=inspect.getdoc(spec.fn), arguments=arguments)


def rendered(spec: PromptSpec, arguments: Mapping[str, str]) -> GetPromptResult:
    """The prompt's message; a blank argument counts as not given.

    Raises:
        MCPError: -32602, naming the arguments that are missing, or that the prompt does not have.
    """
    parameters = inspect.signature(spec.fn).parameters
    if unknown := sorted(set(arguments) - set(parameters)):
        listed = ", ".join(map(repr, unknown))[:200]
        raise MCPError(
            INVALID_PARAMS, f"{spec.name} has no argument {listed}. Its arguments are: {', '.join(parameters)}."
        )
    given = {name: value.strip() for name, value in arguments.items() if value.strip()}
    if missing := [name for name, parameter in parameters.items() if _needed(parameter) and name not in given]:
        raise MCPError(INVALID_PARAMS, f"{spec.name} needs {' and '.join(missing)}.")
    message = TextContent(type="text", text=hide_key(spec.fn(**given)))
    return GetPromptResult(description=inspect.getdoc(spec.fn), messages=[PromptMessage(role="user", content=message)])


def _needed(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty
