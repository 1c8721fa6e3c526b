"""`mtu-mcp demo`: the main job from end to end with no key.

The real server runs as a child over stdio, as a host would start it; a real client calls it; the embedded gateway
answers. Every step looks at what came back, and the exit code is 0 only if all of it was what it should be. The first
words are on the screen before anything slow is loaded, and a picture is made before anything else is tried.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mtu_mcp
from mtu_mcp.cli._checks import Check, files_open, has_sources, heard_words, mentions, saved_files, subtitles
from mtu_mcp.cli._command import as_typed
from mtu_mcp.cli._hosts import naming, shell
from mtu_mcp.cli._language import gettext as _
from mtu_mcp.cli._language import person, told

if TYPE_CHECKING:
    from mcp import Client

    from mtu_mcp.cli._screen import Screen

FOLDER = "mtu-mcp-demo"
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
        Step(_("What does this gateway offer?"), "list_models", {"can": "image"}, mentions("gpt-image")),
        Step(
            _("Make a picture"),
            "generate_image",
            {
                "prompt": _("A red boat on a blue sea before mountains at night, moon and stars"),
                "size": "1024x1024",
            },
            files_open(1),
        ),
        Step(
            _("Edit a picture"),
            "generate_image",
            {"prompt": _("Add a purple star"), "images": [path["picture"]]},
            files_open(1),
        ),
        Step(
            _("Chat: tell it something"),
            "chat",
            {"prompt": _("My name is Ada and my favourite number is 42."), "conversation": "demo"},
            mentions(_("Ada")),
        ),
        Step(
            _("Chat: ask for it in the next turn, of another model"),
            "chat",
            {"prompt": _("What is my name?"), "conversation": "demo", "model": "deepseek-chat"},
            mentions(_("Ada")),
        ),
        Step(
            _("Look at a picture"),
            "understand",
            {"question": _("What is in this picture?"), "media": [path["picture"]]},
            mentions("800", "600"),
        ),
        Step(
            _("Listen to a sound"),
            "understand",
            {"question": _("What do you hear, and when?"), "media": [path["sound"]]},
            mentions("0.70", "1.30"),
        ),
        Step(
            _("Watch a video"),
            "understand",
            {"question": _("What kind of video is this?"), "media": [path["video"]]},
            mentions("320", "240"),
        ),
        Step(_("Transcribe a recording"), "transcribe", {"file": path["recording"]}, heard_words(recording()[1])),
        Step(_("Subtitles for it"), "transcribe", {"file": path["recording"], "output": "srt"}, subtitles()),
        Step(_("Search the web"), "web_search", {"query": _("How do tides work?")}, has_sources()),
    ]


def run(arguments: argparse.Namespace) -> int:
    """Run the demo; 0 only if every step gave what it should."""
    began = time.perf_counter()
    folder = Path(arguments.folder or FOLDER).absolute()
    hello = _(
        "mtu-mcp {version}: a real client calls the real server, which asks the embedded gateway.\n"
        "No key, no network, no cost; the embedded gateway is no model, and says so."
    )
    print(hello.format(version=mtu_mcp.__version__), flush=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = bring_files(folder)
    except OSError as error:
        said = _("Cannot use the folder {folder}: {error}. Choose another with --folder.")
        print(said.format(folder=folder, error=error.strerror or error))
        return 1
    import anyio

    from mtu_mcp.cli._screen import Patient, Screen

    console = Patient(no_color=arguments.plain or None, force_interactive=False if arguments.plain else None)
    screen = Screen(console, moving=not arguments.plain)
    failures = anyio.run(play, screen, folder, steps(files))
    console.rule()
    screen.says(ending(folder, len(steps(files)), failures, time.perf_counter() - began))
    return 1 if failures else 0


def ending(folder: Path, total: int, failures: Sequence[str], seconds: float) -> str:
    """Return the last words: how it went, where the files are, and what to do next."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    lines = [
        _("{good} of {total} steps gave what they should, in {seconds} s.").format(
            good=total - len(failures), total=total, seconds=f"{seconds:.0f}"
        ),
        *(_("  failed: {step}").format(step=failure) for failure in failures),
        "",
        _("Files: {folder}").format(folder=folder),
        *(
            _("  {file}  {size} bytes").format(file=file.relative_to(folder), size=f"{file.stat().st_size:,}")
            for file in files
        ),
        "",
        _("Next, with a key of the Mtu API (or cursor, vscode, claude-code in the place of claude-desktop):"),
        as_typed("  mtu-mcp install claude-desktop --key sk-your-key"),
        _("Or call any tool without one:"),
        as_typed(_('  mtu-mcp call --sandbox generate_image prompt="A lighthouse at dusk"')),
    ]
    return "\n".join(lines)


def bring_files(folder: Path) -> dict[str, Path]:
    """Copy the shipped picture, sound, video and recording into the folder, where the server may read them."""
    from mtu_mcp.sandbox import samples

    sources = {
        "picture": samples.PICTURE,
        "sound": samples.SOUND,
        "video": samples.VIDEO,
        "recording": recording()[0],
    }
    for source in sources.values():
        _bring(source, folder / source.name)
    return {name: folder / source.name for name, source in sources.items()}


def _bring(source: Path, target: Path) -> None:
    """Copy a file, unless it is there already; one of the same name that is somebody's own is left alone."""
    if target.exists() and target.read_bytes() != source.read_bytes():
        raise FileExistsError(f"it has another {target.name}")
    shutil.copyfile(source, target)


def recording() -> tuple[Path, str]:
    """Return a recording in the person's language, and its words."""
    from mtu_mcp.sandbox import samples

    if person() == "zh":
        return samples.RECORDING_ZH, samples.RECORDING_ZH_WORDS
    return samples.RECORDING, samples.RECORDING_WORDS


async def play(screen: Screen, folder: Path, taken: Sequence[Step], pace: float = PACE) -> list[str]:
    """Take the steps; return the titles of those that failed, each with what was missing."""
    with screen.lit(len(taken)):
        screen.waits_for(_("loading"))
        from mcp import Client, StdioServerParameters

        from mtu_mcp.sandbox import Options, Sandbox

        with Sandbox(Options(pace=pace)) as gateway:
            environ = {
                "MTU_BASE_URL": gateway.base_url,
                "MTU_API_KEY": "sk-demo",
                "MTU_OUTPUT_DIR": str(folder / "made"),
                "MTU_DATABASE_URL": str(folder / "mtu.db"),
            }
            server = StdioServerParameters(command=sys.executable, args=["-m", "mtu_mcp", "serve"], env=environ)
            screen.waits_for(_("starting the server"))
            async with Client(server, list_roots_callback=naming(folder), client_info=shell()) as client:
                connected = _("Connected to the server over stdio, protocol {version}.")
                screen.says(connected.format(version=client.protocol_version))
                return [title for step in taken for title in await _take(screen, client, step)]


async def _take(screen: Screen, client: Client, step: Step) -> list[str]:
    """Make one call and show it; return its title if it failed."""
    report = screen.opens(step.title, step.tool, step.arguments)
    started = time.perf_counter()
    result = await client.call_tool(step.tool, dict(step.arguments), progress_callback=report)
    text = "\n".join(block.text for block in result.content if block.type == "text")
    missing = told("it answered with an error" if result.is_error else step.check(text, result))
    if step.tool == "generate_image" and not missing:
        for file in saved_files(text):
            screen.draws(file)
    screen.closes(text, missing, time.perf_counter() - started)
    return [f"{step.title}: {missing}"] if missing else []
