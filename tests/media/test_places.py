"""Folders by a word: where each system keeps downloads and screenshots."""

import os
import plistlib
import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest

from mtu_mcp.places import WORDS, known_places, named_folder, screenshots
from mtu_mcp.settings import Settings


def known(home: Path) -> dict[str, Path]:
    return {name: home / name.title() for name in ("downloads", "desktop", "pictures")}


@pytest.mark.parametrize("platform", ["linux", "win32"])
def test_screenshots_lie_in_the_pictures(platform: str, tmp_path: Path) -> None:
    """GNOME, KDE and Windows; the name when none is there yet is the English one."""
    assert screenshots(platform, tmp_path, known(tmp_path)) == tmp_path / "Pictures" / "Screenshots"


def test_screenshots_of_a_chinese_desktop_are_found(tmp_path: Path) -> None:
    """GNOME translates the folder's name."""
    folder = tmp_path / "Pictures" / "截图"
    folder.mkdir(parents=True)
    assert screenshots("linux", tmp_path, known(tmp_path)) == folder


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("~/Shots", "Shots"),
        ("", "Desktop"),
        (None, "Desktop"),
        (7, "Desktop"),
        ("relative", "Desktop"),
    ],
)
def test_screenshots_on_a_mac_lie_where_its_setting_says(said: object, found: str, tmp_path: Path) -> None:
    """Apple support, "Take screenshots on Mac": the desktop, unless another folder was chosen."""
    file = tmp_path / "Library" / "Preferences" / "com.apple.screencapture.plist"
    assert screenshots("darwin", tmp_path, known(tmp_path)) == tmp_path / "Desktop"
    file.parent.mkdir(parents=True)
    content = {} if said is None else {"location": said}
    file.write_bytes(plistlib.dumps(content, fmt=plistlib.FMT_BINARY))
    assert screenshots("darwin", tmp_path, known(tmp_path)) == tmp_path / found
    file.write_bytes(b"no plist")
    assert screenshots("darwin", tmp_path, known(tmp_path)) == tmp_path / "Desktop"


def test_the_words_stand_for_folders_in_the_settings(tmp_path: Path) -> None:
    """Our promise: `downloads` wherever a path may be written, in any case, and never twice."""
    raw = f"Downloads; {tmp_path} ;downloads;SCREENSHOTS"
    settings = Settings.read({"MTU_ALLOWED_DIRS": raw})
    assert settings.problems == ()
    assert settings.allowed_dirs == (platformdirs.user_downloads_path(), tmp_path, named_folder("screenshots"))
    [problem] = Settings.read({"MTU_ALLOWED_DIRS": "uploads"}).problems
    assert "absolute path" in problem


@pytest.mark.skipif(sys.platform != "linux", reason="user-dirs.dirs is of the XDG desktops")
def test_folders_under_another_name_are_found(tmp_path: Path) -> None:
    """freedesktop.org, xdg-user-dirs: the user's own file says where things are; a broken one is no crash."""
    (tmp_path / "user-dirs.dirs").write_text('XDG_DOWNLOAD_DIR="$HOME/下载"\n', encoding="utf-8")
    script = "from mtu_mcp.places import *; print(ascii(str(named_folder('downloads'))), len(known_places()))"

    def run() -> str:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
        environ = {**plain, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
        command = [sys.executable, "-c", script]
        return subprocess.run(command, env=environ, capture_output=True, encoding="utf-8", check=True).stdout

    assert run() == f"{str(tmp_path / '下载')!a} 4\n"
    (tmp_path / "user-dirs.dirs").write_bytes(b"\xff\xfe[[[=\n")
    assert run().endswith((" 0\n", " 4\n"))


def test_every_word_is_known() -> None:
    """Our promise: what the README names is there."""
    assert set(known_places()) == {named_folder(word) for word in WORDS}
