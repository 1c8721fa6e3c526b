"""What the demo's steps must give; each check answers with what is missing, or with nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from mcp.types import CallToolResult

Check = Callable[[str, "CallToolResult"], str]


def mentions(*words: str) -> Check:
    """The answer holds these words."""

    def check(text: str, _: CallToolResult) -> str:
        missing = [word for word in words if word.casefold() not in text.casefold()]
        return f"the answer does not mention {', '.join(missing)}" if missing else ""

    return check


def files_open(count: int) -> Check:
    """So many pictures were saved, open as pictures, and were shown small and linked."""

    def check(text: str, result: CallToolResult) -> str:
        from PIL import Image

        paths = saved_files(text)
        if len(paths) != count:
            return f"{len(paths)} files are named, not {count}"
        for path in paths:
            with Image.open(path) as picture:
                picture.verify()
        links = [unquote(block.uri) for block in result.content if block.type == "resource_link"]
        if not all(any(link.endswith(path.name) for link in links) for path in paths):
            return "a file is not linked"
        return "" if any(block.type == "image" for block in result.content) else "no picture is shown"

    return check


def saved_files(text: str) -> list[Path]:
    """Return the files that an answer says it saved."""
    return [Path(found.strip()) for found in re.findall(r"^Saved (.+?)(?: \(\d+x\d+\))?$", text, re.MULTILINE)]


def heard_words(said: str) -> Check:
    """The transcript holds the words spoken in the recording."""

    def check(text: str, _: CallToolResult) -> str:
        spoken = re.findall(r"\w+", said.casefold())
        heard = set(re.findall(r"\w+", text.casefold()))
        missing = [word for word in spoken if word not in heard]
        return f"not heard: {', '.join(missing)}" if missing else ""

    return check


def subtitles() -> Check:
    """The answer is numbered cues with times."""

    def check(text: str, _: CallToolResult) -> str:
        cue = r"^1\n\d\d:\d\d:\d\d,\d{3} --> \d\d:\d\d:\d\d,\d{3}\n\S"
        return "" if re.search(cue, text, re.MULTILINE) else "no subtitle cue"

    return check


def has_sources() -> Check:
    """The answer names at least one page, in the text and as data."""

    def check(text: str, result: CallToolResult) -> str:
        content: dict[str, Any] = result.structured_content or {}
        sources: list[dict[str, str]] = content.get("sources", [])
        if not sources:
            return "no sources"
        return "" if sources[0]["url"] in text else "the text does not name the first source"

    return check
