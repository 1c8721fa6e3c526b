"""Arguments of an operation, checked against its schema before anything is sent, and sorted to where they go.

The checker is the `jsonschema` package; its own sentences quote whole values, which may be megabytes or a picture, so
they are worded anew: the path of the value, what is wrong, and the figures.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote, urlencode

from mtu_mcp.errors import BadInput
from mtu_mcp.gateway.forms import fields
from mtu_mcp.gateway.operations import Operation
from mtu_mcp.gateway.shapes import compact, shortened

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

MOST_COMPLAINTS: Final = 5
EXTRA: Final = "extra_body"


def check_arguments(operation: Operation, arguments: Mapping[str, Any]) -> None:
    """Check arguments against the schema. Blocking for a moment the first time: the checker is loaded then.

    Raises:
        BadInput: Naming the path of each value that does not fit, and what the operation takes.
    """
    from jsonschema import Draft202012Validator

    found = cast(
        "Iterable[ValidationError]", cast("Any", Draft202012Validator(operation.schema)).iter_errors(arguments)
    )
    wrong = sorted(found, key=lambda error: list(map(str, error.absolute_path)))
    clashes = sorted(set(operation.schema["properties"]) & set(arguments.get(EXTRA) or {})) if not wrong else []
    said = [_worded(error) for error in wrong[:MOST_COMPLAINTS]]
    said += [f"arguments.{EXTRA} may not set {name}, which is an argument of its own" for name in clashes]
    if said:
        raise BadInput(
            f"The arguments of {operation.name} do not fit: {'; '.join(said)}.",
            advice=f"It takes: {operation.takes} (* required)." if _of_names(wrong) else "",
        )


def _of_names(wrong: "Iterable[ValidationError]") -> bool:
    """Whether the names of arguments are what does not fit: only then do all of them help."""
    return any(not error.absolute_path and error.validator in ("required", "additionalProperties") for error in wrong)


def _worded(error: "ValidationError") -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{shortened(str(step), 60)}" for step in error.absolute_path)
    path = "arguments" + "".join(steps)
    bound, value = cast("Any", error.validator_value), cast("Any", error.instance)
    words = {
        "type": lambda: f"{path} must be {_either(bound)}, not {_kind(value)}",
        "enum": lambda: f"{path} must be one of {_either(bound)}",
        "minimum": lambda: f"{path} must be at least {bound}, not {_short(value)}",
        "maximum": lambda: f"{path} must be at most {bound}, not {_short(value)}",
        "minLength": lambda: f"{path} is empty",
        "maxLength": lambda: f"{path} has {len(value):,} characters; at most {bound:,} are accepted",
        "minItems": lambda: f"{path} is empty",
        "maxItems": lambda: f"{path} has {len(value):,} items; at most {bound:,} are accepted",
        "maxProperties": lambda: f"{path} has {len(value):,} entries; at most {bound:,} are accepted",
        "pattern": lambda: f"{path} is {_short(value)}, which has not the form it must have",
        "required": lambda: f"{path}.{_missing(error)} is missing",
        "additionalProperties": lambda: f"{path} has no {_unknown(error)}",
    }
    word = words.get(str(error.validator))
    return word() if word else f"{path} breaks the rule {error.validator}"


def _either(choices: object) -> str:
    listed = [choices] if isinstance(choices, str) else cast("list[object]", choices)
    return " or ".join(map(str, listed))


def _kind(value: object) -> str:
    kinds: tuple[tuple[type, str], ...] = (
        (bool, "boolean"),
        (int, "integer"),
        (float, "number"),
        (str, "string"),
        (list, "array"),
        (dict, "object"),
    )
    return next((word for kind, word in kinds if isinstance(value, kind)), "null")


def _short(value: object) -> str:
    return shortened(compact(value), 60) or "empty"


def _missing(error: "ValidationError") -> str:
    given = cast("dict[str, Any]", error.instance)
    return next((name for name in cast("list[str]", error.validator_value) if name not in given), "")


def _unknown(error: "ValidationError") -> str:
    known: Mapping[str, Any] = cast("Any", error.schema).get("properties", {})
    unknown = [name for name in cast("dict[str, Any]", error.instance) if name not in known]
    return ", ".join(shortened(name, 60) for name in unknown[:MOST_COMPLAINTS])


def path_of(operation: Operation, arguments: Mapping[str, Any]) -> str:
    """The path below the base URL, with its query: lists as `name[]`, objects as `name[key]`."""
    names = operation.placeholders
    path = operation.path.format_map({name: quote(str(arguments[name]), safe=":@") for name in names})
    given = {name: arguments[name] for name in operation.query if name in arguments}
    query = urlencode(list(fields(given)), errors="replace")
    return f"{path}?{query}" if query else path


def body_of(operation: Operation, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """The fields of the body, files left out; None where the operation has no body."""
    if not operation.body:
        return None
    named = {name: arguments[name] for name in _within(operation, arguments)}
    extra: Mapping[str, Any] = named.pop(EXTRA, None) or {}
    return {**named, **extra}


def _within(operation: Operation, arguments: Mapping[str, Any]) -> Iterable[str]:
    return (name for name in operation.body if name in arguments and name not in operation.files)
