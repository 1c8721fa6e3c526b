"""JSON an answer has to follow: the schema as it is sent, and whether the answer really follows it.

A gateway may take a schema and pass it to a model that never heard of schemas, so the answer is checked here. It is only
told, not mended: another call costs again, and the caller may not mind.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, cast

import anyio.to_thread

from mtu_mcp.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FENCE: Final = re.compile(r"^\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*$", re.DOTALL | re.IGNORECASE)
_MOST_SHOWN: Final = 200
_COSTLY: Final = 10_000_000


def object_schema(given: Any) -> dict[str, Any]:
    """Return the schema itself: models also write the API's wrappings, {"name", "schema"} and that in "json_schema".

    Raises:
        BadInput: It is no JSON Schema of an object.
    """
    for wrapping in ("json_schema", "schema"):
        given = given.get(wrapping, given) if isinstance(given, dict) else given  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if not isinstance(given, dict) or given.get("type", "object") != "object":  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        raise BadInput("json_schema must be a JSON Schema whose type is object.")
    schema = {"type": "object", **cast("dict[str, Any]", given)}
    from jsonschema.exceptions import SchemaError

    try:
        _validator_of(schema).check_schema(schema)
    except SchemaError as error:
        where = _path(error.absolute_path)
        raise BadInput(f"json_schema is no valid JSON Schema at {where}: {error.message[:_MOST_SHOWN]}.") from error
    except (RecursionError, TypeError, ValueError, re.error) as error:
        raise BadInput(f"json_schema is no valid JSON Schema: {str(error)[:_MOST_SHOWN]}.") from error
    return schema


def response_format(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the field that asks for a schema."""
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


def in_words(schema: dict[str, Any]) -> str:
    """Ask for a schema in words, for models that take no such field."""
    written = json.dumps(schema, ensure_ascii=False)
    return f"Answer with one JSON object and nothing else. It must follow this JSON Schema: {written}"


async def mismatch(schema: dict[str, Any], text: str) -> str:
    """Say how an answer fails its schema, with the path of the place; empty when it follows it."""
    return await anyio.to_thread.run_sync(_mismatch, schema, text)


def _mismatch(schema: dict[str, Any], text: str) -> str:
    fenced = _FENCE.match(text)
    try:
        value: Any = json.loads(fenced[1] if fenced else text)
    except (ValueError, RecursionError) as error:
        return f"The answer is not the JSON that was asked for ({str(error)[:_MOST_SHOWN]})."
    from jsonschema import exceptions
    from referencing.exceptions import Unresolvable

    best_match: Any = exceptions.best_match  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    try:
        found: Any = best_match(_validator_of(schema)(schema, registry=_offline()).iter_errors(value))
    except (Unresolvable, RecursionError, re.error, TypeError, ValueError) as error:
        return f"Whether the answer follows json_schema could not be checked ({str(error)[:_MOST_SHOWN]})."
    if found is None:
        return ""
    said = str(found.message)
    said = said if len(said) <= _MOST_SHOWN else said[:_MOST_SHOWN] + "…"
    return f"The answer does not follow json_schema at {_path(found.absolute_path)}: {said}."


def _validator_of(schema: Mapping[str, Any]) -> Any:
    from jsonschema import Draft202012Validator, validators

    extend: Any = validators.extend  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    chosen: Any = validators.validator_for(dict(schema), default=Draft202012Validator)
    return extend(chosen, {"pattern": _check_pattern})


def _offline() -> Any:
    """References inside the schema and to the published drafts alone: a schema must not make this server fetch things."""
    from jsonschema_specifications import REGISTRY

    return REGISTRY


def _check_pattern(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[Any]:
    """Match a pattern, unless that could take for ever: Python's expressions have no time limit."""
    from jsonschema.exceptions import ValidationError

    if not isinstance(instance, str) or _is_costly(pattern, len(instance)):
        return
    if not re.search(pattern, instance):
        yield ValidationError(f"{instance[:80]!r} does not match {pattern[:80]!r}")


def _is_costly(pattern: str, length: int) -> bool:
    """Whether matching may backtrack without bound: a repeated group, or many open repetitions over a long text."""
    if re.search(r"\)(?:[*+]|\{)", pattern) or re.search(r"\\[1-9]", pattern):
        return True
    repeated = len(re.findall(r"[*+]|\{\d*,\d*\}", pattern))
    return max(length, 2) ** (repeated + 1) > _COSTLY and repeated > 0


def _path(steps: Any) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)[:_MOST_SHOWN]
