"""Draw the README's pictures anew: pages of `/ui/` as Chromium shows them, after real calls to the embedded gateway.

    PYTHONPATH=tests python packaging/draw_pictures.py

Needs Chromium and its driver (`tests/pages/browser.py`). Two runs differ in times of day only, so this is run by hand
when the pages change.
"""

import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
from mcp import Client
from PIL import Image

from pages.browser import Browser, browsing  # pyright: ignore[reportMissingImports] - stands in tests/

PICTURES = Path(__file__).parent / "pictures"
PROMPTS = (
    "A cat under a tree in a green field, sun",
    "月光下的山与海，一只小船",
    "A house by a lake with trees before mountains, rainbow",
    "A red boat on a blue sea before mountains, sunset, clouds",
)
SIZE = (1000, 372)
SHARP = 1.5
COLOURS = 192


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The real server over HTTP with the embedded gateway, keeping its files in `folder`."""
    own = {"MTU_OUTPUT_DIR": str(folder / "made"), "MTU_DATABASE_URL": str(folder / "mtu.db"), "MTU_TOOLSETS": "all"}
    words = [sys.executable, "-m", "mtu_mcp", "serve", "--sandbox", "--transport", "http", "--port", "0"]
    server = subprocess.Popen(words, env={**os.environ, **own}, stderr=subprocess.PIPE, encoding="utf-8")
    try:
        assert server.stderr is not None
        said = next(line for line in server.stderr if "listening" in line)
        yield re.sub(r"/mcp$", "", said.split()[-1])
    finally:
        server.terminate()
        server.communicate()


async def call(base: str) -> None:
    """Make what the pages are to show."""
    async with Client(f"{base}/mcp") as client:
        for prompt in PROMPTS:
            made = await client.call_tool("generate_image", {"prompt": prompt, "size": "1024x1024"})
            assert not made.is_error, made.content


def keep(browser: Browser, name: str) -> None:
    """Write what the browser shows, in few colours."""
    with Image.open(io.BytesIO(browser.picture())) as shown:
        few = shown.convert("RGB").quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        few.save(PICTURES / name, "PNG", optimize=True)


def main() -> None:
    """Draw every picture."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, serving(Path(scratch)) as base:
        anyio.run(call, base)
        with browsing(Path(scratch)) as browser:
            width, height = SIZE
            browser.dev(
                "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=SHARP, mobile=False
            )
            browser.open(f"{base}/ui/gallery")
            browser.wait(
                "[...document.images].filter((one) => one.naturalWidth > 500).length >= arguments[0]", len(PROMPTS)
            )
            keep(browser, "gallery.png")


if __name__ == "__main__":
    main()
