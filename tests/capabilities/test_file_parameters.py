"""Every parameter that names a file, found by its type, against names that lead where nobody was let in."""

import inspect
import os
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from capabilities.material import BROKE, call, mask, picture, sound
from connections import MEMORY, connect, text_of
from mtu_mcp.capabilities import capabilities
from mtu_mcp.capabilities._spec import ToolSpec
from mtu_mcp.gateway import all_operations

ONE_GATEWAY = True

SPECS: dict[str, ToolSpec] = {tool.name: tool for capability in capabilities() for tool in capability.tools}
SECRET = "THE-CROWN-JEWELS"
BATCH = '{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{"model":"qwen-plus","messages":[]}}'
BESIDE: dict[tuple[str, str], dict[str, Any]] = {
    ("chat", "images"): {"prompt": "What?", "model": "gpt-4o"},
    ("understand", "media"): {"question": "What?"},
    ("generate_image", "images"): {"prompt": "a fox", "model": "dall-e-2", "size": "256x256"},
    ("generate_image", "mask"): {"prompt": "a fox", "images": ["mask.png"], "model": "dall-e-2", "size": "256x256"},
    ("transcribe", "file"): {},
    ("speak", "file"): {},
    ("translate_text", "file"): {"target": "German"},
    ("ask_document", "documents"): {"question": "What?"},
    ("run_batch", "file"): {},
    ("embed_text", "file"): {},
    ("moderate_content", "images"): {},
    ("manage_files", "file"): {"action": "upload"},
}
GOOD = {"transcribe": "voice.wav", "speak": "tea.txt", "translate_text": "tea.txt", "ask_document": "tea.txt"}
GOOD |= {"run_batch": "batch.jsonl", "embed_text": "tea.txt", "manage_files": "tea.txt"}

EVIL = [
    "{outside}/secret{ext}",
    "{inside}/../outside/secret{ext}",
    "../outside/secret{ext}",
    "sub/../../outside/secret{ext}",
    "./..//outside/./secret{ext}",
    "file://{outside}/secret{ext}",
    "file:{outside}/secret{ext}",
    "FILE://LOCALHOST{outside}/secret{ext}",
    "file://{inside}/%2e%2e/outside/secret{ext}",
    "file://{inside}/..%2Foutside%2Fsecret{ext}",
    "file://{inside}/%252e%252e/outside/secret{ext}",
    "file://{inside}/../outside/secret{ext}?x=1#y",
    "file://127.0.0.1{outside}/secret{ext}",
    "file://server/share/secret{ext}",
    "link{ext}",
    "{inside}/link{ext}",
    "folder/secret{ext}",
    "chain{ext}",
    "pipe",
    "sub",
    ".",
    "..",
    "/",
    "/dev/zero",
    "/dev/stdin",
    "/dev/fd/0",
    "/proc/self/environ",
    "/proc/self/root{outside}/secret{ext}",
    "/proc/self/cwd",
    "/proc/1/environ",
    "/etc/passwd",
    "~root/.ssh/id_rsa",
    "~/.ssh/id_rsa",
    "$HOME/.ssh/id_rsa",
    "{outside}/secret{ext}\x00{inside}/good{ext}",
    "{inside}/good{ext}\x00",
    " {outside}/secret{ext} ",
    "{outside}/secret{ext}\n",
    "*",
    "[a-z]*{ext}",
    "\\\\server\\share\\secret{ext}",
    "\\\\?\\C:\\secret{ext}",
    "//?/C:/secret{ext}",
    "\\\\.\\PhysicalDrive0",
    "C:\\Windows\\win.ini",
    "CON",
    "good{ext}::$DATA",
    "mtu://media/..%2F..%2Foutside%2Fsecret{ext}",
    "mtu://media/../mtu.db",
    "mtu://media/%2Fetc%2Fpasswd",
    "mtu://media/",
    "mtu://conversations/x",
    "data:text/plain;base64,!!!",
    "data:,",
    "ftp://127.0.0.1/secret{ext}",
    "gopher://127.0.0.1/secret{ext}",
    "jar:file://{outside}/secret{ext}!/",
    "javascript:alert(1)",
    "-",
    "/" * 5000,
    "a" * 300 + "{ext}",
    "../" * 400 + "etc/passwd",
]


def parameters() -> Iterator[tuple[str, str, bool]]:
    """Tool, parameter, and whether it takes several."""
    for name, spec in SPECS.items():
        hints = typing.get_type_hints(spec.fn, include_extras=True)
        for parameter in spec.files:
            yield name, parameter, "list" in str(hints[parameter])


FOUND = list(parameters())


def test_every_parameter_that_takes_a_path_says_so_by_its_type() -> None:
    """Our promise: no tool opens a file by another way; a new parameter is found here or by its words."""
    assert {(tool, name) for tool, name, _ in FOUND} == set(BESIDE)
    assert all(spec.files[name] for spec in SPECS.values() for name in spec.files)
    for tool, spec in SPECS.items():
        hints = typing.get_type_hints(spec.fn, include_extras=True)
        for name in inspect.signature(spec.fn).parameters:
            words = " ".join(str(getattr(note, "description", "")) for note in getattr(hints[name], "__metadata__", ()))
            suspect = name in ("file", "files", "image", "images", "mask", "media", "path", "audio", "video")
            if suspect or "path" in words.lower() or "mtu://media" in words:
                assert (tool, name) in BESIDE or name == "arguments", (tool, name)


@pytest.fixture
def ground(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """An allowed folder with good files and ways out of it, and secrets beside it."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    (inside / "sub").mkdir(parents=True)
    outside.mkdir()
    contents = {".png": picture(), ".wav": sound(0.5, SECRET), ".txt": SECRET.encode(), ".jsonl": BATCH.encode()}
    for extension, content in contents.items():
        (outside / f"secret{extension}").write_bytes(content + SECRET.encode())
        (inside / f"link{extension}").symlink_to(outside / f"secret{extension}")
        (inside / f"chain{extension}").symlink_to(inside / f"link{extension}")
    (inside / "folder").symlink_to(outside)
    os.mkfifo(inside / "pipe")
    (inside / "good.png").write_bytes(picture())
    (inside / "mask.png").write_bytes(mask())
    (inside / "voice.wav").write_bytes(sound(0.5, "Hello."))
    (inside / "tea.txt").write_text("Tea is a plant.", encoding="utf-8")
    (inside / "batch.jsonl").write_text(BATCH.replace("[]", '[{"role":"user","content":"Hi"}]'), encoding="utf-8")
    return {
        **environ,
        "MTU_ALLOWED_DIRS": str(inside),
        "MTU_TOOLSETS": "all",
        "MTU_MAX_RETRIES": "0",
        "HOME": str(outside),
    }


def evil(ground: dict[str, str], extension: str) -> Iterator[str]:
    inside = ground["MTU_ALLOWED_DIRS"]
    places = {"inside": inside, "outside": str(Path(inside).parent / "outside"), "ext": extension}
    for form in EVIL:
        for mark, value in places.items():
            form = form.replace("{" + mark + "}", value)
        yield form


@pytest.mark.skipif(os.name == "nt", reason="links, devices and pipes as POSIX has them")
@pytest.mark.parametrize(("tool", "name", "many"), FOUND, ids=lambda value: str(value))
async def test_no_name_leads_out_of_the_allowed_folders(
    tool: str, name: str, many: bool, ground: dict[str, str]
) -> None:
    """Our promise: one function decides for paths, whatever tool they are given to; nothing hangs on a pipe or device."""
    good = GOOD.get(tool, "mask.png")
    async with connect(MEMORY, ground) as client:
        for reference in evil(ground, Path(good).suffix):
            with anyio.fail_after(20):
                result = await call(client, tool, **{**BESIDE[tool, name], name: [reference] if many else reference})
            said = text_of(result)
            assert result.is_error, (reference, said)
            assert BROKE not in said, (reference, said)
            assert SECRET not in said, reference
            assert "root:" not in said, reference
            assert len(said) < 2_000, (reference[:80], said)
        result = await call(client, tool, **{**BESIDE[tool, name], name: [good] if many else good})
        assert not result.is_error, text_of(result)


@pytest.mark.skipif(os.name == "nt", reason="links, devices and pipes as POSIX has them")
@pytest.mark.parametrize("operation", [entry.name for entry in all_operations().values() if entry.files])
async def test_files_inside_the_arguments_of_an_operation_are_judged_the_same(
    operation: str, ground: dict[str, str]
) -> None:
    """Our promise: the file parameters of every documented operation go the same way."""
    entry = all_operations()[operation]
    required = {"model": "whisper-1" if "audio" in entry.path else "dall-e-2", "prompt": "a fox", "purpose": "batch"}
    properties = entry.schema.get("properties", {})
    beside = {key: value for key, value in required.items() if key in properties}
    async with connect(MEMORY, ground) as client:
        for name in entry.files:
            others = {other: "mask.png" for other in entry.files if other != name and other == "image"}
            for reference in evil(ground, ".png"):
                with anyio.fail_after(20):
                    result = await call(
                        client, "call_operation", name=operation, arguments={**beside, **others, name: reference}
                    )
                said = text_of(result)
                assert result.is_error, (reference, said)
                assert BROKE not in said, (reference, said)
                assert SECRET not in said, reference
