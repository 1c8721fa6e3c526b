"""Checks that need no network: variables, files, folders."""

from __future__ import annotations

import difflib
import os
import re
import shutil
import ssl
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from mtu_mcp.checkup.findings import Finding, failed
from mtu_mcp.errors import MtuError
from mtu_mcp.gateway.connections import LOOPBACK, unadorned, way_to
from mtu_mcp.gateway.keys import secret_of
from mtu_mcp.settings import CORRECT, PREFIX, Settings, variable

if TYPE_CHECKING:
    from mtu_mcp.app import App

MIB: Final = 1024 * 1024
LITTLE: Final = 1024 * MIB
"""Bytes of free disk below which a day of pictures may not fit."""
TOO_LITTLE: Final = 50 * MIB
"""Bytes below which the next answer may not fit."""
OTHERS_BUNDLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def variables(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Check that every MTU_ variable is known and could be used."""
    found = [Finding("settings", "bad", problem, CORRECT) for problem in settings.problems]
    known = {variable(name) for name in Settings.model_fields if name != "problems"}
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known and environ[name]:
            near = difflib.get_close_matches(name, known, 1)
            mend = f"Did you mean {near[0]}?" if near else "Unset it, or see the README's table of settings."
            found.append(Finding("settings", "warn", f"{name} is no setting and is not read.", mend))
    if found:
        return found
    count = sum(1 for name in known if environ.get(name))
    said = "No MTU_ variables are set." if not count else "1 MTU_ variable is set, and can be used."
    return [Finding("settings", "ok", said if count < 2 else f"{count} MTU_ variables are set, and all can be used.")]


def key(settings: Settings) -> Finding:
    """Check that there is a key that can be sent; whether it is right only the gateway knows."""
    try:
        secret = secret_of(settings)
    except MtuError as error:
        return failed("key", error)
    said = f"{variable('api_key')} is set ({len(secret)} characters)."
    if not secret.startswith("sk-"):
        said += " It does not begin with sk-, as most keys do."
    return Finding("key", "ok", said)


def address(settings: Settings, environ: Mapping[str, str]) -> Finding:
    """Check the gateway's address as far as it can be read."""
    name = variable("base_url")
    parts = urlsplit(settings.base_url)
    raw = environ.get(name, "").strip().rstrip("/")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        said = f"{settings.base_url} is not encrypted: everybody on the way can read the key and what you send."
        return Finding("address", "warn", said, f"Write https:// in {name}.")
    shown = re.sub(r"//[^/@]*@", "//***@", settings.base_url)
    if not raw:
        return Finding("address", "ok", f"{shown}, the default.")
    if raw != settings.base_url and settings.base_url.startswith(raw):
        return Finding("address", "ok", f"{shown}; {settings.base_url[len(raw) :]} was added to {name}.")
    return Finding("address", "ok", f"{shown}.")


def proxy(settings: Settings, environ: Mapping[str, str] | None) -> Finding:
    """Tell which proxy is in force."""
    way = way_to(settings.base_url, settings.proxy, environ)
    if not way.proxy:
        return Finding("proxy", "ok", "None is used.")
    return Finding("proxy", "ok", f"{way.proxy}, from {way.setting}.")


def certificates(environ: Mapping[str, str]) -> Finding:
    """Check that the authorities' certificates can be read."""
    name = "certificates"
    file, folder = environ.get("SSL_CERT_FILE", ""), environ.get("SSL_CERT_DIR", "")
    if file and not Path(file).is_file():
        mend = "Correct or unset SSL_CERT_FILE."
        return Finding(name, "bad", f"SSL_CERT_FILE names {file}, which is not there.", mend)
    if file:
        try:
            ssl.create_default_context(cafile=file)
        except (OSError, ssl.SSLError) as error:
            mend = "Set SSL_CERT_FILE to a file of certificates in PEM form."
            reason = unadorned(error.strerror or str(error))
            return Finding(name, "bad", f"SSL_CERT_FILE names {file}, which holds no certificates ({reason}).", mend)
        return Finding(name, "ok", f"Those in {file} are trusted (SSL_CERT_FILE).")
    if folder and not Path(folder).is_dir():
        mend = "Correct or unset SSL_CERT_DIR."
        return Finding(name, "bad", f"SSL_CERT_DIR names {folder}, which is no folder.", mend)
    other = next((one for one in OTHERS_BUNDLES if environ.get(one)), "")
    if other and not folder:
        said = f"{other} is set, which this program does not read."
        return Finding(name, "warn", said, f"Set SSL_CERT_FILE={environ[other]} too, if your network inspects TLS.")
    return Finding(name, "ok", f"Those in {folder} are trusted (SSL_CERT_DIR)." if folder else "The usual ones.")


def working_folder(where: Callable[[], str] = os.getcwd) -> Finding:
    """Tell the working folder; nothing depends on it but relative paths, and hosts choose it as they like."""
    try:
        return Finding("working folder", "ok", f"{where()}; nothing is written there.")
    except OSError:
        return Finding("working folder", "warn", "It has been deleted.", "Change to a folder that is there: cd ~")


def allowed(folders: Sequence[Path]) -> list[Finding]:
    """Check that the folders whose files may be sent are there; a mistyped one opens nothing, in silence."""
    name = variable("allowed_dirs")
    missing = [folder for folder in folders if not folder.is_dir()]
    mend = f"Correct it in {name}, which separates folders by {os.pathsep}"
    return [Finding("allowed folders", "warn", f"{name} names {one}, which is no folder.", mend) for one in missing]


def output(folder: Path) -> Finding:
    """Check that files can be written into the output folder, or where it will be made."""
    mend = f"Set {variable('output_dir')} to a folder that you may write to."
    try:
        there = next(one for one in (folder, *folder.parents) if one.exists())
        if not there.is_dir():
            return Finding("output folder", "bad", f"{there} is not a folder.", mend)
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"x")
    except (OSError, StopIteration) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        return Finding("output folder", "bad", f"{folder} cannot be written to: {reason}.", mend)
    return Finding("output folder", "ok", f"{folder}." if there == folder else f"{folder} (made with the first file).")


def disk(folder: Path, usage: Callable[[Path], tuple[int, int, int]] = shutil.disk_usage) -> Finding:
    """Check that there is room for what will be made."""
    mend = f"Delete something, or set {variable('output_dir')} to another disk."
    try:
        free = usage(next(one for one in (folder, *folder.parents) if one.exists()))[2]
    except (OSError, StopIteration) as error:
        return Finding("disk", "warn", f"Its free space cannot be read ({error}).")
    said = f"{free / MIB:,.0f} MiB are free." if free < LITTLE else f"{free / MIB / 1024:,.0f} GiB are free."
    if free < TOO_LITTLE:
        return Finding("disk", "bad", said, mend)
    return Finding("disk", "warn", said, mend) if free < LITTLE else Finding("disk", "ok", said)


async def database(app: App) -> Finding:
    """Check that the database opens, or can be made."""
    try:
        await app.records.check()
    except MtuError as error:
        return failed("database", error)
    return Finding("database", "ok", f"{app.settings.database_url or app.settings.database_path}.")
