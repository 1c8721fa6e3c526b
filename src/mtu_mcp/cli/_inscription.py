"""The text of a host's file with our entry in it, or without.

An entry that is there already is changed member by member: what a person added to it (a timeout, an approval, a key)
stays. The result is read again before anybody writes it, so that a mistake here cannot cost another server's entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from mtu_mcp.cli._entries import KEY
from mtu_mcp.cli._jsontext import JsonTextError, put, read, without
from mtu_mcp.cli._replacement import unmarked
from mtu_mcp.errors import SettingsError

if TYPE_CHECKING:
    from mtu_mcp.cli._entries import Entry
    from mtu_mcp.cli._hostfiles import Host

QUESTION_ID: Final = "mtu-api-key"
QUESTION: Final[Mapping[str, Any]] = {
    "type": "promptString",
    "id": QUESTION_ID,
    "description": "Key of the Mtu API",
    "password": True,
}
"""What Visual Studio Code asks its user once, and keeps in the system's key store."""


def snippet(host: Host, name: str, entry: Entry) -> dict[str, Any]:
    """Return what a file holds that has our entry alone."""
    asked = {"inputs": [QUESTION]} if _asks(host, entry.env.get(KEY, "")) else {}
    return {**asked, host.key: {name: entry.data(host)}}


def existing(host: Host, name: str, text: str, path: Path) -> dict[str, Any] | None:
    """Return the entry that a file holds under our name, or None.

    Raises:
        SettingsError: The file is not what the host could read.
    """
    servers = _read(host, text, path).get(host.key)
    entry = cast("dict[str, Any]", servers).get(name) if isinstance(servers, dict) else None
    return cast("dict[str, Any]", entry) if isinstance(entry, dict) else None


def inscribe(host: Host, name: str, entry: Entry, text: str, path: Path) -> str:
    """Return the file's text with our entry.

    Raises:
        SettingsError: The file is not what the host could read; with the text to put in by hand.
    """
    mark, body = unmarked(text)
    was = _read(host, text, path)
    new = body if body.strip() else "{}\n"
    there = existing(host, name, text, path)
    here = (host.key, name)
    try:
        if _asks(host, entry.env.get(KEY, "")):
            new = _with_question(new, was, host)
        if there is None:
            new = put(new, here, entry.data(host), lax=host.lax)
        else:
            new = _updated(new, here, entry.data(host), there, lax=host.lax)
    except JsonTextError as error:
        raise _unwritable(path, error) from error
    _require_the_rest(host, name, was, _read(host, new, path), path)
    return mark + new


def erase(host: Host, name: str, text: str, path: Path) -> str:
    """Return the file's text without our entry, and without the question that was asked for it.

    Raises:
        SettingsError: The file is not what the host could read.
    """
    mark, body = unmarked(text)
    was = _read(host, text, path)
    new = without(body, (host.key, name), lax=host.lax) if body.strip() else body
    if was.get("inputs") == [QUESTION] and new.count(QUESTION_ID) == 1:
        new = without(new, ("inputs",), lax=host.lax)
    _require_the_rest(host, name, was, _read(host, new, path), path)
    return mark + new


def _updated(text: str, here: tuple[str, str], data: dict[str, Any], there: dict[str, Any], *, lax: bool) -> str:
    old = there.get("env")
    for key, value in data.items():
        if key != "env" or not isinstance(old, dict):
            text = put(text, (*here, key), value, lax=lax)
    if isinstance(old, dict):
        for variable, value in data["env"].items():
            if variable == KEY and value.startswith("${") and cast("dict[str, Any]", old).get(KEY):
                continue  # a key that was given before is not exchanged for a reference
            text = put(text, (*here, "env", variable), value, lax=lax)
    return text


def _with_question(text: str, was: dict[str, Any], host: Host) -> str:
    asked: list[Any] = was.get("inputs") or []
    if any(isinstance(one, dict) and cast("dict[str, Any]", one).get("id") == QUESTION_ID for one in asked):
        return text
    return put(text, ("inputs",), [*asked, QUESTION], lax=host.lax)


def _asks(host: Host, key: str) -> bool:
    return host.name == "vscode" and key == host.reference.format(KEY)


def _read(host: Host, text: str, path: Path) -> dict[str, Any]:
    body = unmarked(text)[1]
    try:
        data: Any = read(body, lax=host.lax) if body.strip() else {}
    except JsonTextError as error:
        raise _unwritable(path, error) from error
    if not isinstance(data, dict):
        raise _unwritable(path, "it holds no object")
    return cast("dict[str, Any]", data)


def _unwritable(path: Path, why: object) -> SettingsError:
    return SettingsError(
        f"{path} is not JSON that can be changed: {why}.",
        advice="Nothing was written. Mend it, or put in by hand what --print gives.",
    )


def _require_the_rest(host: Host, name: str, was: dict[str, Any], now: dict[str, Any], path: Path) -> None:
    """What is not ours must read as it did."""

    def rest(data: dict[str, Any]) -> dict[str, Any]:
        servers = cast("dict[str, Any]", data.get(host.key) or {})
        kept = {key: value for key, value in servers.items() if key != name}
        others = {key: value for key, value in data.items() if key not in (host.key, "inputs")}
        inputs = [one for one in cast("list[Any]", data.get("inputs") or []) if one != QUESTION]
        return {**others, host.key: kept, "inputs": inputs}

    if rest(was) != rest(now):
        raise _unwritable(path, "other entries would have changed")
