"""Changing one member of a file that belongs to a host and its person; the rule is our promise: nothing else changes."""

import json
from typing import Any

import pytest

from mtu_mcp.cli._jsontext import JsonTextError, put, read, without, written

COMMENTED = """\
// servers I use
{
\t"servers": {
\t\t"one": {"command": "a"}, // the first
\t\t/* the second, with "quotes" // and slashes */
\t\t"two": {
\t\t\t"args": ["x", "http://host/*", ],
\t\t}, // done
\t},
\t"inputs": [],
}
"""


def stripped(text: str) -> Any:
    return read(text, lax=True)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "{ }",
        '{"a": 1}',
        '{\n  "a": 1\n}\n',
        '{\n    "mcpServers": {\n        "other": {"command": "x"}\n    },\n    "z": [1, 2]\n}\n',
        '{"mcpServers":{"other":{"command":"x"}}}',
        '{\r\n\t"mcpServers": {\r\n\t}\r\n}\r\n',
        '{"mcpServers": {"mtu": {"command": "old", "args": [1]}, "z": 1.50}}',
        '{"x": "a \\" } // no comment", "mcpServers": {"中文": {"command": "\\u4e2d"}}}',
    ],
)
def test_a_member_is_put_in_and_taken_out_and_the_rest_stays(text: str) -> None:
    """What is read back is what was there, and ours."""
    new = put(text, ("mcpServers", "mtu"), {"command": "/x", "args": ["serve"], "env": {}})
    was, now = json.loads(text), json.loads(new)
    assert now["mcpServers"].pop("mtu") == {"command": "/x", "args": ["serve"], "env": {}}
    was.setdefault("mcpServers", {}).pop("mtu", None)
    assert now == was
    assert json.loads(without(new, ("mcpServers", "mtu"))) == was
    assert ("\r\n" in text) == ("\r\n" in new)
    assert "\n" not in new.replace("\r\n", "") or "\r\n" not in text


def test_what_is_put_in_and_taken_out_leaves_the_very_same_text() -> None:
    """Down to the last space, where the object was laid out in lines."""
    text = '{\n   "mcpServers": {\n      "other": {"command": "x"}\n   },\n   "z":   [1,2]\n}\n'
    assert without(put(text, ("mcpServers", "mtu"), {"a": 1}), ("mcpServers", "mtu")) == text


def test_the_file_s_own_indentation_is_used() -> None:
    """A file in tabs stays one in tabs."""
    new = put('{\n\t"mcpServers": {\n\t\t"other": 1\n\t}\n}\n', ("mcpServers", "mtu"), {"a": {"b": 1}})
    assert new == (
        '{\n\t"mcpServers": {\n\t\t"other": 1,\n\t\t"mtu": {\n\t\t\t"a": {\n\t\t\t\t"b": 1\n\t\t\t}\n\t\t}\n\t}\n}\n'
    )


def test_comments_stay_where_a_host_allows_them() -> None:
    """Visual Studio Code's files are JSON with comments."""
    new = put(COMMENTED, ("servers", "mtu"), {"command": "/x"}, lax=True)
    for line in COMMENTED.splitlines():
        assert line in new
    assert stripped(new)["servers"]["mtu"] == {"command": "/x"}
    assert stripped(new)["servers"]["two"] == {"args": ["x", "http://host/*"]}
    again = without(new, ("servers", "mtu"), lax=True)
    assert stripped(again) == stripped(COMMENTED)
    for line in COMMENTED.splitlines():
        assert line.replace(",", "") in again.replace(",", "")


@pytest.mark.parametrize(
    "text",
    [
        "{\n  // only a comment\n}",
        '{\n  "servers": {\n    // none yet\n  }\n}',
        '{\n  "servers": {\n    "one": 1 // no comma\n  }\n}',
        '{\n  "servers": {\n    "one": 1 /* a */, // b\n    "two": 2 // c\n    // d\n  }\n}',
        '{"servers": {"one": 1} /* at the end */ } // after',
    ],
)
def test_a_member_beside_comments_can_be_put_in_and_taken_out(text: str) -> None:
    """Wherever the comments stand."""
    new = put(text, ("servers", "mtu"), {"command": "/x"}, lax=True)
    expected = stripped(text)
    expected.setdefault("servers", {})["mtu"] = {"command": "/x"}
    assert stripped(new) == expected
    del expected["servers"]["mtu"]
    assert stripped(without(new, ("servers", "mtu"), lax=True)) == expected
    for comment in ("only a comment", "none yet", "no comma", "/* a */", "// b", "// c", "// d", "/* at the end */"):
        assert (comment in new) == (comment in text)
    for key in stripped(text).get("servers", {}):
        assert key not in stripped(without(new, ("servers", key), lax=True))["servers"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("{", "missing"),
        ('{"a": 1,}', "comma before the end"),
        ('{"a" 1}', "colon"),
        ('{"a": 1 "b": 2}', "comma or } is missing"),
        ("{'a': 1}", "missing"),
        ('{\n  "a": tru\n}', "line 2, column 8: tru is no value"),
        ("{} {}", "after the end"),
        ('{"a": 1, "a": 2}', "twice"),
        ("{1: 2}", "double quotes"),
        ('{"a": 1} // why', "comments are not allowed"),
        ("[" * 5000, "too deep"),
        ('{"a": NaN', "missing"),
    ],
)
def test_broken_json_is_refused_with_its_place(text: str, said: str) -> None:
    """A file the host cannot read is not made worse."""
    with pytest.raises(JsonTextError, match=said):
        put(text, ("mcpServers", "mtu"), {})


@pytest.mark.parametrize("text", ["[]", '{"mcpServers": []}', '{"mcpServers": null}', '"text"'])
def test_a_file_of_another_shape_is_refused(text: str) -> None:
    """What is there may mean something to somebody."""
    with pytest.raises(JsonTextError, match="not an object"):
        put(text, ("mcpServers", "mtu"), {})


def test_an_open_comment_is_refused() -> None:
    """Even where comments are allowed."""
    with pytest.raises(JsonTextError, match="no end"):
        read("{} /* ", lax=True)


def test_a_short_list_of_words_stands_on_one_line() -> None:
    """As people write them, and the data is the same."""
    data = {"args": ["-m", 'a "quoted" one'], "n": [1, 2], "e": [], "long": ["x" * 60, "y" * 60]}
    text = written(data)
    assert json.loads(text) == data
    assert '"args": ["-m", "a \\"quoted\\" one"],' in text
