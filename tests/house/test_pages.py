"""Every page of the gateway's documentation and what serves it, in the README.

`pages.json` holds the table of contents under the gateway's own titles, with the tools, resources and sections that
serve each page; which operations do is said once, in the operations themselves. `MTU_UPDATE=1` writes the table anew.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

from mtu_mcp.capabilities import capabilities
from mtu_mcp.gateway import Operation, all_operations

README = Path(__file__).parents[2] / "README.md"
PAGES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("pages.json").read_text(encoding="utf-8"))
START, END = "<!-- pages:start -->\n", "<!-- pages:end -->"

AWAITED: frozenset[str] = frozenset()
"""What is named before it is there; to be emptied."""


def serving(page: str) -> list[Operation]:
    return [operation for operation in all_operations().values() if page in operation.titles]


def row(entry: dict[str, Any]) -> str:
    parts = [f"`{name}`" for name in entry.get("tools", [])]
    parts += [f"`{uri}`" for uri in entry.get("resources", [])]
    if found := serving(entry["page"]):
        parts.append("`call_operation`: " + ", ".join(f"{each.name}{_state(each)}" for each in found))
    said = ", ".join(parts)
    note, section = entry.get("note", ""), entry.get("section", "")
    if section:
        note = f"{note}{' ' if note.endswith(' is') else ', ' if note else ''}[{_title(section)}]({section})"
    said = f"{said} ({note})" if said and note else said or note
    return f"| {entry['page']} | {said} |"


def _state(operation: Operation) -> str:
    return f" ({operation.state})" if operation.state != "live" else ""


def _title(section: str) -> str:
    return next(line.lstrip("# ") for line in _headings() if _anchor(line) == section)


def _headings() -> list[str]:
    return [line for line in README.read_text(encoding="utf-8").splitlines() if line.startswith("#")]


def _anchor(heading: str) -> str:
    return "#" + re.sub(r"[^\w -]", "", heading.lstrip("# ").lower()).replace(" ", "-")


def table() -> str:
    return "\n".join(["| page | served by |", "|---|---|", *map(row, PAGES)]) + "\n"


def test_the_readme_maps_every_page_to_what_serves_it() -> None:
    """Our promise: every row of the documentation's table of contents, made from the code and checked."""
    page = README.read_text(encoding="utf-8")
    before, _, rest = page.partition(START)
    stands, _, after = rest.partition(END)
    made = "\n" + table() + "\n"
    if os.environ.get("MTU_UPDATE"):
        README.write_text(before + START + made + END + after, encoding="utf-8")
        return
    assert stands == made


def test_no_page_is_left_out() -> None:
    """The table of contents as it stood in September 2025: 188 pages under their headings, each served or explained."""
    assert len({entry["page"] for entry in PAGES}) == len(PAGES) == 188
    for entry in PAGES:
        assert serving(entry["page"]) or entry.keys() & {"tools", "resources", "section"}, entry["page"]


def test_operations_name_pages_that_there_are() -> None:
    """Our promise: the titles people search by are the documentation's own."""
    titles = {title for operation in all_operations().values() for title in operation.titles}
    assert titles <= {entry["page"] for entry in PAGES}


def test_everything_the_table_names_exists() -> None:
    """Our promise: the table never names a tool or a resource that is not there."""
    found = capabilities()
    tools = {tool.name for capability in found for tool in capability.tools}
    resources = {one.uri.replace("{+", "{") for capability in found for one in capability.resources}
    anchors = {_anchor(line) for line in _headings()}
    for entry in PAGES:
        assert set(entry.get("tools", [])) <= tools | AWAITED, entry
        assert set(entry.get("resources", [])) <= resources | AWAITED, entry
        assert entry.get("section", "#what-it-can-do") in anchors, entry
