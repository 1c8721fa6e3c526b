"""Folders a person names by a word: where this system keeps downloads, screenshots, the desktop and pictures.

A word is worth having because the path is a different one on every system and often not where its owner thinks: in
another language, on another drive, or in a cloud's folder. It opens nothing by itself: only a word that the person
wrote into their settings, or a folder that lies inside one they allowed, is ever looked into.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

WORDS: Final = ("downloads", "screenshots", "desktop", "pictures")
_SCREENSHOTS: Final = ("Screenshots", "屏幕截图", "截图", "螢幕截圖", "螢幕擷圖")
"""The folder within the pictures that GNOME, KDE and Windows write to; GNOME translates its name."""
_MAC_SETTING: Final = "Library/Preferences/com.apple.screencapture.plist"


def named_folder(word: str) -> Path:
    """The folder that one of `WORDS` stands for on this machine; it need not exist yet.

    Raises:
        ValueError: This user has none.
    """
    import platformdirs

    ways = {
        "downloads": platformdirs.user_downloads_path,
        "desktop": platformdirs.user_desktop_path,
        "pictures": platformdirs.user_pictures_path,
    }
    try:
        if word == "screenshots":
            home = Path.home()
            found = screenshots(sys.platform, home, {name: way() for name, way in ways.items()})
        else:
            found = ways[word]()
    except Exception as error:  # a broken user-dirs.dirs, no home folder, a registry that does not answer
        raise ValueError(f"names {word}, which this system does not tell; give the folder's path") from error
    if not found.is_absolute():
        raise ValueError(f"names {word}, but there is no home folder here; give the folder's path")
    return found


def screenshots(platform: str, home: Path, known: Mapping[str, Path]) -> Path:
    """Where a system puts screenshots.

    Args:
        platform: As `sys.platform` has it.
        home: The user's folder.
        known: The folders of the other words.
    """
    if platform == "darwin":
        return _mac_setting(home / _MAC_SETTING, home) or known["desktop"]
    candidates = [known["pictures"] / name for name in _SCREENSHOTS]
    return next((folder for folder in candidates if folder.is_dir()), candidates[0])


def known_places() -> tuple[Path, ...]:
    """The folders of all the words, as far as this system tells them; they are not looked into here."""
    found: list[Path] = []
    for word in WORDS:
        try:
            found.append(named_folder(word))
        except ValueError:
            continue
    return tuple(dict.fromkeys(found))


def _mac_setting(file: Path, home: Path) -> Path | None:
    """The folder chosen with the screenshot app (`defaults read com.apple.screencapture location`)."""
    import plistlib

    try:
        said = plistlib.loads(file.read_bytes()).get("location")
    except (OSError, ValueError, AttributeError, plistlib.InvalidFileException):
        return None
    if not isinstance(said, str) or not said:
        return None
    chosen = home / said[2:] if said.startswith("~/") else Path(said)
    return chosen if chosen.is_absolute() else None
