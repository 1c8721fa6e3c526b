"""Input schemas as hosts want them: small, and in the subset every client accepts.

Pydantic's schema for a signature repeats each name as a `title` and writes an optional value as a union with null.
Both cost tokens in every conversation of every user, and a union inside array items breaks some clients, so they are
taken out, and so are defaults that say no more than "not given" (null, false, 0, ""). Validation still follows the
signature: leaving a value out and sending null both mean "not given".
"""

from typing import Any


def slim(schema: dict[str, Any]) -> dict[str, Any]:
    """Return an input schema without titles, null unions and empty defaults, closed to unknown arguments."""
    properties = {name: _property(value) for name, value in schema.get("properties", {}).items()}
    slimmed: dict[str, Any] = {"type": "object"}
    if properties:
        slimmed["properties"] = properties
    if schema.get("required"):
        slimmed["required"] = schema["required"]
    if "$defs" in schema:
        slimmed["$defs"] = {name: _property(value) for name, value in schema["$defs"].items()}
    slimmed["additionalProperties"] = False
    return slimmed


def _property(schema: dict[str, Any]) -> dict[str, Any]:
    schema = {key: value for key, value in schema.items() if key != "title"}
    if not schema.get("default", True):
        del schema["default"]
    arms: list[dict[str, Any]] = [arm for arm in schema.get("anyOf", []) if arm != {"type": "null"}]
    if len(arms) == 1:
        del schema["anyOf"]
        schema = {**_property(arms[0]), **schema}
    if isinstance(schema.get("items"), dict):
        schema["items"] = _property(schema["items"])
    if schema.get("additionalProperties") is True:
        del schema["additionalProperties"]
    return schema
