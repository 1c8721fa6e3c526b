"""`mtu-mcp demo`: the main job from end to end with no key.

The real server runs as a child over stdio, as a host would start it; a real client calls it; the embedded gateway
answers. Every step looks at what came back, and the exit code is 0 only if all of it was what it should be.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtu_mcp.cli._checks import Check, files_open, has_sources, heard_words, mentions, subtitles
from mtu_mcp.cli._hosts import naming, shell

if TYPE_CHECKING:
    from mcp import Client
    from mcp.types import CallToolResult
    from rich.console import Console

WORDS_SHOWN = 600
PACE = 0.03
"""Seconds between two pieces of the embedded gateway's answers, so that the progress bars can be seen."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call of the demo: what a person reads, what is called, and what must come back."""

    title: str
    tool: str
    arguments: Mapping[str, Any]
    check: Check


def steps(files: Mapping[str, Path]) -> list[Step]:
    """Return the demo's calls on the files it brings."""
    path = {name: str(file) for name, file in files.items()}
    return [
        Step("What does this gateway offer?", "list_models", {"can": "image"}, mentions("gpt-image")),
        Step(
            "Chat: tell it something",
            "chat",
            {"prompt": "My name is Ada and my favourite number is 42.", "conversation": "demo"},
            mentions("Ada"),
        ),
        Step(
            "Chat: ask for it in the next turn, of another model",
            "chat",
            {"prompt": "What is my name?", "conversation": "demo", "model": "deepseek-chat"},
            mentions("Ada"),
        ),
        Step(
            "Look at a picture",
            "understand",
            {"question": "What is in this picture?", "media": [path["picture"]]},
            mentions("800", "600"),
        ),
        Step(
            "Listen to a sound",
            "understand",
            {"question": "What do you hear, and when?", "media": [path["sound"]]},
            mentions("0.70", "1.30"),
        ),
        Step(
            "Watch a video",
            "understand",
            {"question": "What kind of video is this?", "media": [path["video"]]},
            mentions("320", "240"),
        ),
        Step(
            "Make a picture",
            "generate_image",
            {"prompt": "A red circle over a blue mountain at night", "size": "1024x1024"},
            files_open(1),
        ),
        Step(
            "Edit a picture",
            "generate_image",
            {"prompt": "Add a purple star", "images": [path["picture"]]},
            files_open(1),
        ),
        Step("Transcribe a recording", "transcribe", {"file": path["recording"]}, heard_words()),
        Step("Subtitles for it", "transcribe", {"file": path["recording"], "output": "srt"}, subtitles()),
        Step("Search the web", "web_search", {"query": "How do tides work?"}, has_sources()),
    ]


def run(arguments: argparse.Namespace) -> int:
    """Run the demo; 0 only if every step gave what it should."""
    import anyio
    from rich.console import Console

    console = Console(no_color=arguments.plain or None, force_interactive=False if arguments.plain else None)
    folder = Path(arguments.folder or f"mtu-mcp-demo-{time.strftime('%Y%m%d-%H%M%S')}").absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = bring_files(folder)
    except OSError as error:
        console.print(f"Cannot use the folder {folder}: {error}. Choose another with --folder.", markup=False)
        return 1
    failures = anyio.run(_demo, console, folder, files)
    console.rule()
    console.print(f"Files: {folder}", markup=False, soft_wrap=True)
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            console.print(
                f"  {file.relative_to(folder)}  {file.stat().st_size:,} bytes",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
    total = len(steps(files))
    console.print(f"{total - len(failures)} of {total} steps gave what they should.", markup=False)
    for failure in failures:
        console.print(f"  failed: {failure}", markup=False)
    return 1 if failures else 0


def bring_files(folder: Path) -> dict[str, Path]:
    """Copy the shipped picture, sound, video and recording into the folder, where the server may read them."""
    from mtu_mcp.sandbox import samples

    sources = {
        "picture": samples.PICTURE,
        "sound": samples.SOUND,
        "video": samples.VIDEO,
        "recording": samples.RECORDING,
    }
    return {name: Path(shutil.copyfile(source, folder / source.name)) for name, source in sources.items()}


async def _demo(console: Console, folder: Path, files: Mapping[str, Path]) -> list[str]:
    from mcp import Client, StdioServerParameters

    from mtu_mcp.sandbox import Options, Sandbox

    with Sandbox(Options(pace=PACE)) as gateway:
        environ = {
            "MTU_BASE_URL": gateway.base_url,
            "MTU_API_KEY": "sk-demo",
            "MTU_OUTPUT_DIR": str(folder / "made"),
            "MTU_DATABASE_URL": str(folder / "mtu.db"),
        }
        server = StdioServerParameters(command=sys.executable, args=["-m", "mtu_mcp", "serve"], env=environ)
        console.print(
            "No key, no network: the answers come from the embedded gateway, which is no model.", markup=False
        )
        async with Client(server, list_roots_callback=naming(folder), client_info=shell()) as client:
            console.print(f"Connected to the server over stdio, protocol {client.protocol_version}.", markup=False)
            return [title for step in steps(files) for title in await _take(console, client, step)]


async def _take(console: Console, client: Client, step: Step) -> list[str]:
    """Make one call and show it; return its title if it failed."""
    console.rule(step.title, align="left")
    shown = ", ".join(f"{name}={value!r}" for name, value in step.arguments.items())
    console.print(f"{step.tool}({shown})", style="dim", markup=False, highlight=False, soft_wrap=True)
    started = time.perf_counter()
    result = await _with_bar(
        console, lambda report: client.call_tool(step.tool, dict(step.arguments), progress_callback=report)
    )
    text = "\n".join(block.text for block in result.content if block.type == "text")
    console.print(
        text[:WORDS_SHOWN] + ("…" if len(text) > WORDS_SHOWN else ""), markup=False, highlight=False, soft_wrap=True
    )
    missing = "it answered with an error" if result.is_error else step.check(text, result)
    seconds = time.perf_counter() - started
    console.print(
        f"{'✗ ' + missing if missing else '✓'} {seconds:.1f} s", style="red" if missing else "green", markup=False
    )
    return [f"{step.title}: {missing}"] if missing else []


async def _with_bar(console: Console, call: Callable[[Any], Any]) -> CallToolResult:
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=24),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("asking", total=None)

        async def report(done: float, total: float | None, message: str | None) -> None:
            progress.update(task, completed=done, total=total, description=(message or "")[:60])

        return await call(report)
