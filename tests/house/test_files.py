"""Every parameter that names a file, found by its description and tried with a file nobody allowed."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from connections import MEMORY, connect, roots, text_of
from mtu_mcp.capabilities import capabilities
from mtu_mcp.capabilities._spec import ToolSpec
from mtu_mcp.sandbox import Sandbox
from mtu_mcp.server.assembly import build_tool

SECRET = "the contents of a file that nobody allowed"
TOOLS = [tool for capability in capabilities() for tool in capability.tools]


def properties(tool: ToolSpec) -> dict[str, dict[str, Any]]:
    return build_tool(tool).parameters.get("properties", {})


def takes_files(name: str, schema: dict[str, Any]) -> bool:
    """A parameter that takes paths says so, or is called what holds the others."""
    words = schema.get("description", "").lower()
    media = {"file", "files", "image", "images", "mask", "audio", "video", "media", "document", "documents"}
    return schema.get("type") in ("string", "array") and (name in media or "path" in words or "mtu://media" in words)


FILES = [(tool, name) for tool in TOOLS for name, schema in properties(tool).items() if takes_files(name, schema)]


def companions(tool: ToolSpec, name: str, picture: Path) -> dict[str, Any]:
    """What a parameter cannot do without, though the schema does not say so."""
    asked = {"prompt": "a cat"} if "prompt" in properties(tool) else {}
    asked |= {"target": "French"} if tool.name == "translate_text" else {}
    return {**asked, "images": [str(picture)]} if name == "mask" else asked


def filled(schema: dict[str, Any]) -> Any:
    """A plain value that a schema takes."""
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "array":
        return [filled(schema.get("items", {}))]
    return {"integer": 1, "number": 1, "boolean": True, "object": {}}.get(schema.get("type", ""), "a question")


def test_the_known_ones_are_found() -> None:
    """This file's own way of finding them works."""
    found = {(tool.name, name) for tool, name in FILES}
    assert {("chat", "images"), ("understand", "media"), ("transcribe", "file"), ("generate_image", "mask")} <= found


@pytest.mark.parametrize(("tool", "name"), FILES, ids=[f"{tool.name}-{name}" for tool, name in FILES])
async def test_a_parameter_that_names_a_file_goes_through_the_one_path_function(
    gateway: Sandbox, environ: dict[str, str], tmp_path: Path, tool: ToolSpec, name: str
) -> None:
    """Our promise: nothing outside the folders the user allowed is read, and the error says how to allow it."""
    secret, allowed = tmp_path / "secret.png", tmp_path / "allowed"
    secret.write_text(SECRET, encoding="utf-8")
    allowed.mkdir()
    ways = [str(secret), secret.as_uri(), f"{allowed}/../secret.png"]
    with suppress(OSError):  # Windows lets few people make links
        (allowed / "link.png").symlink_to(secret)
        ways.append(str(allowed / "link.png"))
    Image.new("RGB", (64, 64), "red").save(allowed / "picture.png")
    known = properties(tool)
    parameters = build_tool(tool).parameters
    needed = {one: filled(known[one]) for one in parameters.get("required", [])}
    needed |= companions(tool, name, allowed / "picture.png")
    for way in ways:
        value = [way] if known[name].get("type") == "array" else way
        asked = {"MTU_TOOLSETS": "all", "MTU_ALLOWED_DIRS": str(allowed), **environ}
        async with connect(MEMORY, asked, list_roots_callback=roots(allowed)) as client:
            result = await client.call_tool(tool.name, {**needed, name: value})
        assert result.is_error, text_of(result)
        assert "MTU_ALLOWED_DIRS" in text_of(result)
        assert SECRET not in result.model_dump_json()
    assert [entry for entry in gateway.journal if entry.method == "POST"] == []
