"""Strict checking of bodies against a table of fields, in OpenAI's words.

A table maps a field's name to a `Rule`. Rules nest: `listing(record({...}))`. Every failure names the path of the value
(`messages[0].content`). JSON `null` counts as absent, as the API reference has it for optional fields. The same table
reads multipart forms, where all values are strings and lists are spelled `name[]`.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mtu_mcp.sandbox.refusals import Invalid

Table = Mapping[str, "Rule"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What one field may hold. `kind` names it in messages; `check` returns the value or raises `Invalid`.

    `from_text` turns a form's string into what `check` takes; `item` is set for lists.
    """

    kind: str
    check: Callable[[Any, str], Any]
    from_text: Callable[[str], Any]
    needed: bool = False
    item: "Rule | None" = None

    def required(self) -> "Rule":
        """The same rule for a field that must be present."""
        return replace(self, needed=True)


_WORDS: tuple[tuple[type, str], ...] = (
    (bool, "a boolean"),
    (int, "an integer"),
    (float, "a decimal"),
    (str, "a string"),
    (list, "an array"),
    (dict, "an object"),
)


def _word(value: Any) -> str:
    return next((word for kind, word in _WORDS if isinstance(value, kind)), "null")


def wrong_type(path: str, expected: str, value: Any) -> Invalid:
    """The refusal for a value of a wrong type."""
    msg = f"Invalid type for '{path}': expected {expected}, but got {_word(value)} instead."
    return Invalid(msg, param=path, code="invalid_type")


def string(low: int = 0, high: int | None = None) -> Rule:
    """A string of `low` to `high` characters."""

    def check(value: Any, path: str) -> str:
        if not isinstance(value, str):
            raise wrong_type(path, "a string", value)
        if len(value) < low:
            got = "an empty string" if not value else f"a string with length {len(value)}"
            msg = f"Invalid '{path}': string too short. Expected a string with minimum length {low}, but got {got} instead."
            raise Invalid(msg, param=path, code="string_below_min_length")
        if high is not None and len(value) > high:
            msg = (
                f"Invalid '{path}': string too long. Expected a string with maximum length {high}, "
                f"but got a string with length {len(value)} instead."
            )
            raise Invalid(msg, param=path, code="string_above_max_length")
        return value

    return Rule("a string", check, str)


def one_of(*choices: str) -> Rule:
    """One of a few strings."""

    def check(value: Any, path: str) -> str:
        if not isinstance(value, str):
            raise wrong_type(path, f"one of {_listed(choices)}", value)
        if value not in choices:
            msg = f"Invalid value: '{value}'. Supported values are: {_listed(choices)}."
            raise Invalid(msg, param=path, code="invalid_value")
        return value

    return Rule(f"one of {_listed(choices)}", check, str)


def _listed(choices: Sequence[str]) -> str:
    quoted = [f"'{choice}'" for choice in choices]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])}, and {quoted[-1]}"


def number(low: float | None = None, high: float | None = None, *, below: float | None = None) -> Rule:
    """A number from `low` to `high`, or strictly below `below`."""

    def check(value: Any, path: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong_type(path, "a decimal", value)
        _bounded(value, low, high, path, "decimal")
        if below is not None and value >= below:
            msg = f"Invalid '{path}': decimal above maximum value. Expected a value < {below}, but got {value} instead."
            raise Invalid(msg, param=path, code="decimal_above_max_value")
        return value

    return Rule("a decimal", check, float)


def integer(low: int | None = None, high: int | None = None) -> Rule:
    """An integer from `low` to `high`."""

    def check(value: Any, path: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong_type(path, "an integer", value)
        _bounded(value, low, high, path, "integer")
        return value

    return Rule("an integer", check, int)


def _bounded(value: float, low: float | None, high: float | None, path: str, kind: str) -> None:
    if low is not None and value < low:
        msg = f"Invalid '{path}': {kind} below minimum value. Expected a value >= {low}, but got {value} instead."
        raise Invalid(msg, param=path, code=f"{kind}_below_min_value")
    if high is not None and value > high:
        msg = f"Invalid '{path}': {kind} above maximum value. Expected a value <= {high}, but got {value} instead."
        raise Invalid(msg, param=path, code=f"{kind}_above_max_value")


def boolean() -> Rule:
    """True or false; `true` and `false` as text in a form."""

    def check(value: Any, path: str) -> bool:
        if not isinstance(value, bool):
            raise wrong_type(path, "a boolean", value)
        return value

    words = {"true": True, "false": False, "1": True, "0": False}
    return Rule("a boolean", check, lambda text: words.get(text.lower(), text))


def listing(item: Rule, low: int = 0, high: int | None = None) -> Rule:
    """A list of `low` to `high` items."""

    def check(value: Any, path: str) -> list[Any]:
        if not isinstance(value, list):
            raise wrong_type(path, f"an array of {item.kind.split(' ', 1)[-1]}s", value)
        found: list[Any] = value  # pyright: ignore[reportUnknownVariableType]
        if len(found) < low:
            got = "an empty array" if not found else f"an array with length {len(found)}"
            msg = f"Invalid '{path}': array too short. Expected an array with minimum length {low}, but got {got} instead."
            raise Invalid(msg, param=path, code="empty_array" if not found else "array_below_min_length")
        if high is not None and len(found) > high:
            msg = (
                f"Invalid '{path}': array too long. Expected an array with maximum length {high}, "
                f"but got an array with length {len(found)} instead."
            )
            raise Invalid(msg, param=path, code="array_above_max_length")
        return [item.check(each, f"{path}[{place}]") for place, each in enumerate(found)]

    return Rule(f"an array of {item.kind.split(' ', 1)[-1]}s", check, json.loads, item=item)


def record(table: Table, *, loose: bool = False) -> Rule:
    """A nested object with a table of its own; `loose` keeps unknown fields."""

    def check(value: Any, path: str) -> dict[str, Any]:
        return check_body(table, value, path=path, unknown="keep" if loose else "refuse")

    return Rule("an object", check, json.loads)


def mapping(value: Rule, high: int | None = None, key_high: int | None = None) -> Rule:
    """An object with free keys and values under one rule, such as `metadata`."""

    def check(found: Any, path: str) -> dict[str, Any]:
        if not isinstance(found, dict):
            raise wrong_type(path, "an object", found)
        pairs: dict[str, Any] = found  # pyright: ignore[reportUnknownVariableType]
        if high is not None and len(pairs) > high:
            msg = f"Invalid '{path}': too many properties. Expected an object with at most {high} properties, but got {len(pairs)}."
            raise Invalid(msg, param=path, code="object_above_max_properties")
        for key in pairs:
            if key_high is not None and len(key) > key_high:
                msg = f"Invalid property name in '{path}': '{key[:20]}…' is longer than {key_high} characters."
                raise Invalid(msg, param=path, code="property_name_above_max_length")
        return {key: value.check(each, f"{path}.{key}") for key, each in pairs.items()}

    return Rule("an object", check, json.loads)


def either(*rules: Rule) -> Rule:
    """The first rule whose type fits; its refusal is the one shown when only the value is wrong."""
    kind = " or ".join(rule.kind for rule in rules)

    def check(value: Any, path: str) -> Any:
        for rule in rules:
            try:
                return rule.check(value, path)
            except Invalid as refusal:
                if refusal.code != "invalid_type" or refusal.param != path:
                    raise
        raise wrong_type(path, f"one of {' or '.join(rule.kind for rule in rules)}", value)

    return Rule(kind, check, str)


def typed(tables: Mapping[str, Table], default: str = "") -> Rule:
    """An object checked by the table of its `type` (or of `default` when it names none)."""

    def check(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise wrong_type(path, "an object", value)
        found: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
        table = tables.get(str(found.get("type", default)))
        kind = one_of(*tables)
        rule = kind if default else kind.required()
        return check_body(
            {"type": rule, **(table or {})}, found, path=path, unknown="refuse" if table is not None else "keep"
        )

    return Rule("an object", check, str)


def anything() -> Rule:
    """Whatever it is, unchecked."""
    return Rule("a value", lambda value, _path: value, str)


def check_body(table: Table, body: Any, *, path: str = "", unknown: str = "refuse") -> dict[str, Any]:
    """Check an object against a table and return it without nulls.

    `unknown` is what happens to fields not in the table: "refuse", "drop" (as gateways that re-serialise do) or "keep".
    """
    if not isinstance(body, dict):
        raise wrong_type(path or "body", "an object", body)
    found: dict[str, Any] = body  # pyright: ignore[reportUnknownVariableType]
    prefix = f"{path}." if path else ""
    checked: dict[str, Any] = {}
    for name, value in found.items():
        rule = table.get(name)
        if rule is None:
            if unknown == "refuse":
                raise Invalid(f"Unknown parameter: '{prefix}{name}'.", param=prefix + name, code="unknown_parameter")
            if unknown == "keep":
                checked[name] = value
        elif value is not None:
            checked[name] = rule.check(value, prefix + name)
    require(table, checked, prefix)
    return checked


def require(table: Table, found: Iterable[str], prefix: str = "") -> None:
    """Refuse if a needed field is missing."""
    present = set(found)
    for name, rule in table.items():
        if rule.needed and name not in present:
            msg = f"Missing required parameter: '{prefix}{name}'."
            raise Invalid(msg, param=prefix + name, code="missing_required_parameter")


def check_form(table: Table, pairs: Iterable[tuple[str, Any]], *, unknown: str = "refuse") -> dict[str, Any]:
    """Check a multipart form: strings are converted, `name[]` (or a repeated name) makes a list.

    Files are passed through as they are, for a table entry made with `anything()` or `listing(anything())`.
    """
    gathered: dict[str, Any] = {}
    for raw, value in pairs:
        name = raw.removesuffix("[]")
        rule = table.get(name)
        if rule is None:
            if unknown == "refuse":
                raise Invalid(f"Unknown parameter: '{raw}'.", param=raw, code="unknown_parameter")
            continue
        if rule.item is not None and (raw.endswith("[]") or not _looks_like_json(value)):
            gathered.setdefault(name, []).append(_converted(rule.item, value))
        elif name in gathered:
            raise Invalid(f"Duplicate parameter: '{raw}'.", param=raw, code="duplicate_parameter")
        else:
            gathered[name] = _converted(rule, value)
    return check_body(table, gathered)


def _looks_like_json(value: Any) -> bool:
    return isinstance(value, str) and value.lstrip().startswith("[")


def _converted(rule: Rule, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return rule.from_text(value)
    except ValueError:
        return value  # the rule says what is wrong with it
