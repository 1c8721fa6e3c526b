r"""Rules about names, as pure functions: what a path, a `file:` URI or a title may hold.

Windows gives special meaning to names that look harmless (`nul.png`, `a.png:stream`, `C:a.png`, `\\.\disk`), so
its rules are written out here, where they can be tried on any system, and nothing is asked of the disk. A path
to another machine must not even be looked at before it is allowed: looking sends the user's credentials there.
"""

import ntpath
import re
import unicodedata
from typing import Final
from urllib.parse import unquote_to_bytes

from mtu_mcp.errors import BadInput, PathNotAllowed

MAX_PATH_TEXT: Final = 4096
"""Characters in a path, as Linux counts them (PATH_MAX); longer text is no path."""

MAX_STEM: Final = 80
"""Characters of a saved file's name before its extension, its time included."""

# "Naming Files, Paths, and Namespaces" in the Windows documentation; superscript digits count as digits there.
_DEVICES: Final = frozenset(
    {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"}
    | {f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789¹²³"}
)
# Compiled when first used: importing must cost next to nothing.
_CONTROL: Final = r"[\x00-\x1f\x7f]"
_HOST: Final = r"[A-Za-z0-9][A-Za-z0-9.\-_]*"


def quote(text: str, limit: int = 120) -> str:
    """Text for a message: control characters shown, shortened in the middle."""
    shown = repr(text if len(text) <= limit else f"{text[: limit // 2]}…{text[-limit // 2 :]}")
    return shown[1:-1]


def check_text(text: str) -> None:
    """Refuse text that can be no path on any system.

    Raises:
        BadInput: Empty, longer than `MAX_PATH_TEXT`, or with a NUL or another control character in it.
    """
    if not text:
        raise BadInput("The path is empty.", advice="Name a file.")
    if len(text) > MAX_PATH_TEXT:
        raise BadInput(
            f"This is no path: it has {len(text):,} characters.",
            advice="Base64 data goes in a data: URI such as data:image/png;base64,...",
        )
    if re.search(_CONTROL, text):
        raise BadInput(f"The path {quote(text)} holds a control character.", advice="Name the file without it.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadInput(f"The path {quote(text)} is not valid text.") from error


def path_from_uri(uri: str, *, windows: bool) -> str:
    """Turn a `file:` URI into a path of the system, RFC 8089 with its appendix E for drives and shares.

    Percent-encoding is undone once. `?` and `#` stay part of the name: hosts that build URIs by gluing mean it so.

    Raises:
        BadInput: Not a `file:` URI, or its encoding is broken.
        PathNotAllowed: It names another machine, where the system has no way to say that.
    """
    scheme, _, rest = uri.partition(":")
    if scheme.lower() != "file":
        raise BadInput(f"{quote(uri)} is not a file: URI.")
    host = ""
    if rest.startswith("//"):
        host, slash, rest = rest[2:].partition("/")
        rest = slash + rest
    path = _decode(rest, uri)
    host = "" if host.lower() == "localhost" else host
    if not path.startswith("/"):
        raise BadInput(f"{quote(uri)} names no absolute path.", advice="Write it as file:///folder/name.")
    if windows:
        return _windows_path(host, path, uri)
    if host:
        raise PathNotAllowed(
            f"{quote(uri)} names a file on the machine {quote(host, 60)}.", advice="Name a local file."
        )
    return "/" + path.lstrip("/")


def windows_flaw(path: str) -> str:
    """Why Windows would take this path for something else than a plain file's; empty when it would not."""
    plain = path.replace("/", "\\")
    if plain.startswith(("\\\\?\\", "\\\\.\\", "\\??\\", "\\\\?", "\\\\.")):
        return "it is a device path"
    drive, tail = ntpath.splitdrive(plain)
    if plain[1:2] == ":" and not tail.startswith("\\"):
        return "it is relative to a drive's current folder"
    if plain.startswith("\\") and not plain.startswith("\\\\"):
        return "it has no drive"
    if plain.startswith("\\\\") and (not drive or not tail or not re.fullmatch(_HOST, plain[2:].partition("\\")[0])):
        return "it is no complete share name"
    if ":" in tail or (plain.startswith("\\\\") and ":" in drive):
        return "it names an alternate data stream"
    if re.search(r'[<>"|?*\x00-\x1f]', tail):
        return "it holds a character no file name can have"
    return next((flaw for part in tail.split("\\") if (flaw := _part_flaw(part))), "")


def is_windows_share(path: str) -> bool:
    """Whether the path leads to another machine (UNC)."""
    return path.replace("/", "\\").startswith("\\\\")


def looks_windows(text: str) -> bool:
    """Whether the text can only be a Windows path: a drive with a slash, or a share."""
    return bool(re.match(r"^[A-Za-z]:[\\/]|^\\\\", text))


def inside_windows(path: str, folder: str) -> bool:
    """Whether a Windows path lies in a folder, by text alone: any case, any slash, `..` undone."""
    low, high = (ntpath.normcase(ntpath.normpath(without_prefix(name))) for name in (folder, path))
    return high == low or high.startswith(low.rstrip("\\") + "\\")


def without_prefix(path: str) -> str:
    """A Windows path as the system tells it, without the prefix that text from outside may never have."""
    path = path.replace("/", "\\")
    if path.upper().startswith("\\\\?\\UNC\\"):
        return "\\\\" + path[8:]
    return path.removeprefix("\\\\?\\")


def safe_stem(title: str, limit: int) -> str:
    """A title as the stem of a file's name that every system takes; empty when nothing usable is left.

    Letters and digits of any script stay, everything else becomes a hyphen, so the stem has no dot, no separator,
    no space at its end. Windows devices get an underscore in front. At most `limit` characters and 180 bytes
    (names end at 255 bytes on Linux, and the time, a number and two extensions follow).
    """
    text = unicodedata.normalize("NFC", title)
    kept = "".join(
        char if char.isalnum() or char == "_" or unicodedata.category(char)[0] == "M" else "-" for char in text
    )
    stem = re.sub(r"-{2,}", "-", kept).strip("-")[:limit].strip("-")
    stem = stem.encode("utf-8", "ignore")[:180].decode("utf-8", "ignore").strip("-")
    return f"_{stem}"[:limit] if stem.upper() in _DEVICES else stem


def safe_name(name: str) -> str:
    """The last part of a name found in an address or a reference, fit to show and to send; never empty."""
    last = re.split(r"[\\/]", name)[-1]
    stem, dot, extension = last.rpartition(".")
    if not dot or not re.fullmatch(r"[A-Za-z0-9]{1,10}", extension):
        return safe_stem(last, MAX_STEM) or "file"
    return f"{safe_stem(stem, MAX_STEM) or 'file'}.{extension.lower()}"


def _decode(text: str, uri: str) -> str:
    try:
        path = unquote_to_bytes(text).decode("utf-8")
    except UnicodeError as error:
        raise BadInput(f"The percent-encoding of {quote(uri)} is not UTF-8.") from error
    check_text(path)
    return path


def _windows_path(host: str, path: str, uri: str) -> str:
    if host:
        if not re.fullmatch(_HOST, host):
            raise PathNotAllowed(f"{quote(uri)} names no machine that a path can name.", advice="Name a local file.")
        return f"\\\\{host}" + path.replace("/", "\\")
    drive = re.match(r"^/+([A-Za-z])[:|](/.*)?$", path)
    if drive:
        return f"{drive[1].upper()}:" + (drive[2] or "/").replace("/", "\\")
    if path.startswith("//"):
        return "\\\\" + path.lstrip("/").replace("/", "\\")
    raise BadInput(f"{quote(uri)} names no drive.", advice="Write it as file:///C:/folder/name.")


def _part_flaw(part: str) -> str:
    if part in ("", ".", ".."):
        return ""
    if part[-1] in " .":
        return "a part of it ends in a dot or a space"
    return "it is a device's name" if part.partition(".")[0].rstrip(" ").upper() in _DEVICES else ""
