"""Objects that satisfy a JSON Schema, filled from a question.

Enough of JSON Schema for what chat APIs accept in `json_schema` and function parameters: types, enum, const, nested
objects and arrays, lengths and ranges, simple formats, anyOf/oneOf/allOf and $ref. `strict` schemas are checked as
OpenAI's structured outputs check them: every property required, no further ones.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mtu_mcp.sandbox.patterns import example_of
from mtu_mcp.sandbox.refusals import Invalid

_DEEPEST = 12
_DEEP = 4
_FORMATS = {
    "date": "2025-01-31",
    "time": "12:00:00Z",
    "date-time": "2025-01-31T12:00:00Z",
    "duration": "PT1H",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
Schema = Mapping[str, Any]


def check_strict(schema: Schema, name: str, path: tuple[str, ...] = ()) -> None:
    """Refuse a schema that structured outputs would refuse."""
    where = "(" + ", ".join(f"'{step}'" for step in path) + ")"
    head = f"Invalid schema for response_format '{name}': In context={where}, "
    if not path and schema.get("type") != "object":
        msg = f"Invalid schema for response_format '{name}': schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{schema.get('type')}\"'."
        raise _refused(msg)
    if schema.get("type") == "object" or "properties" in schema:
        if schema.get("additionalProperties") is not False:
            raise _refused(head + "'additionalProperties' is required to be supplied and to be false.")
        properties: Mapping[str, Schema] = schema.get("properties", {})
        missing = [key for key in properties if key not in schema.get("required", [])]
        if missing:
            msg = f"'required' is required to be supplied and to be an array including every key in properties. Missing '{missing[0]}'."
            raise _refused(head + msg)
        for key, each in properties.items():
            check_strict(each, name, (*path, "properties", key))
    if isinstance(schema.get("items"), dict):
        check_strict(schema["items"], name, (*path, "items"))


def _refused(message: str) -> Invalid:
    return Invalid(message, param="response_format", code="invalid_json_schema")


def make_instance(schema: Schema, question: str) -> Any:
    """A value that validates against `schema`; strings say what was asked, numbers are taken from the question."""
    try:
        return _Maker(schema, question).make(schema, "", 0)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError, re.error) as failure:
        raise _refused(f"Invalid schema: {failure}.") from failure


def _option(options: Sequence[Schema], depth: int) -> Schema:
    return next((each for each in options if depth > _DEEP and each.get("type") == "null"), options[0])


class _Maker:
    """Makes one instance; numbers of the question are used up in order."""

    def __init__(self, root: Schema, question: str) -> None:
        self.root = root
        self.question = question
        self.numbers = [float(each) for each in re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?", question)]

    def make(self, schema: Schema, name: str, depth: int) -> Any:
        """The value for one (sub)schema; `name` is the property it is for."""
        if not isinstance(schema, Mapping):  # `true` is a schema too
            return self.question
        schema = self.resolved(schema, depth)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self.chosen(schema["enum"])
        kind: Any = schema.get("type") or self.guessed(schema)
        if isinstance(kind, list):
            kinds: list[str] = kind  # pyright: ignore[reportUnknownVariableType]
            kind = "null" if depth > _DEEPEST and "null" in kinds else kinds[0]
        if kind == "object":
            return self.object(schema, depth)
        if kind == "array":
            return self.array(schema, name, depth)
        if kind == "string":
            return self.text(schema, name)
        if kind in {"number", "integer"}:
            return self.number(schema, whole=kind == "integer")
        return self.flag() if kind == "boolean" else None

    def resolved(self, schema: Schema, depth: int = 0) -> Schema:
        """Follow $ref, merge allOf, take the first of anyOf and oneOf (null where it gets deep)."""
        for _ in range(_DEEPEST):
            if "$ref" in schema:
                schema = {**self.pointed(str(schema["$ref"])), **{k: v for k, v in schema.items() if k != "$ref"}}
            elif "allOf" in schema:
                merged: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
                for part in schema["allOf"]:
                    found = self.resolved(part, depth)
                    properties = {**merged.get("properties", {}), **found.get("properties", {})}
                    required = [*merged.get("required", []), *found.get("required", [])]
                    merged = {**merged, **found, "properties": properties, "required": required}
                schema = merged
            elif schema.get("anyOf") or schema.get("oneOf"):
                options: list[Schema] = schema.get("anyOf") or schema["oneOf"]
                schema = {**{k: v for k, v in schema.items() if k not in {"anyOf", "oneOf"}}, **_option(options, depth)}
            else:
                break
        return schema

    def pointed(self, reference: str) -> Schema:
        """What a local reference points at."""
        found: Any = self.root
        for step in reference.removeprefix("#").strip("/").split("/") if reference != "#" else []:
            found = found.get(step.replace("~1", "/").replace("~0", "~"), {})
        return found

    def guessed(self, schema: Schema) -> str:
        """The type of a schema that names none."""
        return "object" if "properties" in schema else "array" if "items" in schema else "string"

    def chosen(self, options: list[Any]) -> Any:
        """The option the question names, else the first."""
        low = self.question.lower()
        return next((each for each in options if isinstance(each, str) and each and each.lower() in low), options[0])

    def object(self, schema: Schema, depth: int) -> dict[str, Any]:
        """All properties; only the required ones once it gets deep."""
        properties: Mapping[str, Schema] = schema.get("properties", {})
        required: list[str] = schema.get("required", [])
        wanted = properties if depth < _DEEP else {key: properties[key] for key in required if key in properties}
        made: dict[str, Any] = {
            key: self.make(each, key, depth + 1) for key, each in wanted.items() if depth <= _DEEPEST
        }
        for key in required:
            if key in properties and key not in made:
                raise _refused("Invalid schema: it nests without end.")
            made.setdefault(key, "")
        return made

    def array(self, schema: Schema, name: str, depth: int) -> list[Any]:
        """As few items as allowed, but one when any number is; different ones where they must be."""
        least = int(schema.get("minItems", 0 if depth > _DEEP else 1))
        size = min(max(least, 0 if depth > _DEEP else 1), int(schema.get("maxItems", 100)))
        made = [self.make(schema.get("items") or {"type": "string"}, name, depth + 1) for _ in range(min(size, 100))]
        if schema.get("uniqueItems"):
            made = [f"{each} {place}" if isinstance(each, str) and place else each for place, each in enumerate(made)]
        return made

    def text(self, schema: Schema, name: str) -> str:
        """A string: what the question says of that property, else the question itself."""
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        made = self.said(name) or self.question or "nothing was asked"
        if pattern := schema.get("pattern"):
            words = (made[:200], *self.question.split())
            fitting = next((each for each in words if re.search(pattern, each)), None) or example_of(pattern)
            if fitting is None:
                raise _refused(f"Invalid schema: the embedded gateway finds no string for the pattern '{pattern}'.")
            return fitting
        made = made[: int(schema.get("maxLength", 2000))]
        return made.ljust(int(schema.get("minLength", 0)), ".")

    def said(self, name: str) -> str:
        """The value the question gives a property: `city: Paris`, `city is Paris`, `in Paris`, or a quotation."""
        word = re.escape(name.replace("_", " ")) if name else r"(?!)"
        found = re.search(
            rf"\b{word}\b\s*(?:is|=|:|：|为|是)?\s*[\"“']?([^\s\"”',.;?!，。？！]+)", self.question, re.IGNORECASE
        )
        if found:
            return found[1]
        if re.search(r"city|place|location|town|country|where", name, re.IGNORECASE):
            found = re.search(r"\b(?:in|at|for|to|from)\s+([A-Z][\w-]*(?:\s+[A-Z][\w-]*)*)", self.question)
            return found[1] if found else ""
        found = re.search(r"[\"“]([^\"”]+)[\"”]", self.question)
        return found[1] if found else ""

    def number(self, schema: Schema, *, whole: bool) -> float:
        """The next number of the question, brought within the bounds."""
        value = self.numbers.pop(0) if self.numbers else 0.0
        low, high = schema.get("minimum"), schema.get("maximum")
        if (above := schema.get("exclusiveMinimum")) is not None:
            low = max(above + (1 if whole else 1e-6), low if low is not None else above)
        if (under := schema.get("exclusiveMaximum")) is not None:
            high = min(under - (1 if whole else 1e-6), high if high is not None else under)
        value = max(value, low) if low is not None else value
        value = min(value, high) if high is not None else value
        if step := schema.get("multipleOf"):
            value = -(-value // step) * step
        return int(value) if whole or value == int(value) else value

    def flag(self) -> bool:
        """False if the question denies, else true."""
        return not re.search(r"\b(?:no|not|false|never)\b", self.question, re.IGNORECASE)
