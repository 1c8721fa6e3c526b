"""Queries of lists, and pages of what a list holds.

Lists are kept oldest first; the order of the page is the query's, or else the endpoint's own: most lists of the API begin
with the newest, stored completions with the oldest. `before` cuts the page at its other end.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request

from mtu_mcp.sandbox.bodies import note
from mtu_mcp.sandbox.fields import Table, check_form, integer, mapping, one_of, string
from mtu_mcp.sandbox.refusals import Invalid, Refusal

Body = dict[str, Any]

AFTER: Table = {"after": string(1), "limit": integer(1, 100)}
PAGE: Table = {**AFTER, "order": one_of("asc", "desc")}
PAGES: Table = {**PAGE, "before": string(1)}
USUAL = 20
_FILTER = mapping(string(0, 512), 16, 64)


def read_query(request: Request, table: Table, *, filtered: bool = False) -> Body:
    """The query, checked; with `filtered`, `metadata[key]=value` pairs come as `metadata`."""
    pairs = request.query_params.multi_items()
    inside = {name: value for name, value in pairs if filtered and name.startswith("metadata[") and name.endswith("]")}
    asked = check_form(table, [(name, value) for name, value in pairs if name not in inside])
    if inside:
        asked["metadata"] = _FILTER.check({name[9:-1]: value for name, value in inside.items()}, "metadata")
    note(request, asked)
    return asked


def page(
    rows: Sequence[Body], asked: Body, *, kind: str, order: str = "desc", ids: bool = True, usual: int = USUAL
) -> Body:
    """One page of `rows` (oldest first), of `usual` length; `kind` names them when a cursor points nowhere, `ids` adds
    first and last.
    """
    shown = list(rows) if asked.get("order", order) == "asc" else list(reversed(rows))
    if "after" in asked:
        shown = shown[_place(shown, asked, "after", kind) + 1 :]
    limit = asked.get("limit", usual)
    if "before" in asked:
        shown = shown[: _place(shown, asked, "before", kind)]
        shown, more = shown[-limit:], len(shown) > limit
    else:
        shown, more = shown[:limit], len(shown) > limit
    listing: Body = {"object": "list", "data": shown, "has_more": more}
    if not ids:
        return listing
    return listing | {"first_id": shown[0]["id"] if shown else None, "last_id": shown[-1]["id"] if shown else None}


def _place(rows: Sequence[Body], asked: Body, cursor: str, kind: str) -> int:
    place = next((place for place, row in enumerate(rows) if row["id"] == asked[cursor]), None)
    if place is None:
        msg = f"No {kind} found with id '{asked[cursor]}'."
        raise Invalid(msg, param=cursor, code="invalid_cursor")
    return place


def matches(row: Body, asked: Body) -> bool:
    """Whether an object carries every pair of the query's `metadata`."""
    carried: Body = row.get("metadata") or {}
    return all(carried.get(key) == value for key, value in asked.get("metadata", {}).items())


def missing(kind: str, wanted: str) -> Refusal:
    """Nothing is kept under that id."""
    return Refusal(404, f"No {kind} found with id '{wanted}'.", code="not_found")


def find(drawer: Mapping[str, Any], wanted: str, kind: str) -> Any:
    """What is kept under that id; 404 when there is nothing."""
    found = drawer.get(wanted)
    if found is None:
        raise missing(kind, wanted)
    return found


async def read_nothing(request: Request) -> None:
    """A POST that takes no fields: its body is empty or an empty object."""
    raw = (await request.body()).strip()
    if raw not in {b"", b"{}", b"null"}:
        raise Invalid("This endpoint takes no fields.", code="unknown_parameter")
