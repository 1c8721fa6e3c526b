"""`mtu-mcp install` and `uninstall`: our entry in a host's own file, shown before, kept safe, and tried after.

What was written is read back from the host's file and started from there, as the host will start it: in a folder that
is nobody's, with hardly any environment. Only then is it called installed.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mtu_mcp.cli import _claude
from mtu_mcp.cli._command import as_typed
from mtu_mcp.cli._entries import KEY, Entry, is_transient, make_entry
from mtu_mcp.cli._handshake import Greeting, anywhere, greet, minimal
from mtu_mcp.cli._hostfiles import HOSTS, Host, Surroundings, config_file
from mtu_mcp.cli._inscription import erase, existing, inscribe, snippet
from mtu_mcp.cli._jsontext import written
from mtu_mcp.cli._language import gettext as _
from mtu_mcp.cli._language import joined, told
from mtu_mcp.cli._replacement import changes, keep_copy, masked, read_file, replace_file
from mtu_mcp.errors import MtuError, SettingsError
from mtu_mcp.gateway.keys import EXAMPLE, flaw
from mtu_mcp.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_REFERENCE: Final = re.compile(r"\$\{(?:env:)?(\w+)(?::-([^}]*))?\}")


@dataclass(frozen=True, slots=True)
class Job:
    """One installation: which host, under which name, in which file, by which command.

    Attributes:
        claude: The path of Claude Code's command, when it writes its file itself; else empty.
    """

    host: Host
    name: str
    file: Path
    environ: Mapping[str, str]
    claude: str = ""


def run(arguments: argparse.Namespace) -> int:
    """Install or uninstall; 0 done, 1 failed with nothing lost, 2 wrong arguments."""
    try:
        _check(arguments)
        job = _job(arguments)
        return _uninstall(job, arguments.dry_run) if arguments.uninstall else _install(job, arguments)
    except ValueError as error:
        print(f"mtu-mcp {'un' if arguments.uninstall else ''}install: {told(str(error))}", file=sys.stderr)
        return 2
    except MtuError as error:
        print(f"mtu-mcp: {told(error)}", file=sys.stderr)
        return 1


def _check(arguments: argparse.Namespace) -> None:
    if not _NAME.fullmatch(arguments.name):
        raise ValueError(f"--name {arguments.name!r}: a name has 1 to 64 letters, digits, - and _")
    if arguments.project is not None and not HOSTS[arguments.host].project:
        raise ValueError(f"{HOSTS[arguments.host].title} has no files of projects; leave --project away")
    if arguments.project is not None and not Path(arguments.project).is_dir():
        raise ValueError(f"--project {arguments.project}: there is no such folder")


def _job(arguments: argparse.Namespace) -> Job:
    host = HOSTS[arguments.host]
    environ = dict(os.environ)
    project = None if arguments.project is None else Path(arguments.project).absolute()
    around = Surroundings(sys.platform, environ, str(Path.home()))
    file = config_file(host, around, project, os.path.exists)
    by_command = host.name == "claude-code" and project is None and not arguments.file
    return Job(host, arguments.name, file, environ, _claude.find(environ) if by_command else "")


def _install(job: Job, arguments: argparse.Namespace) -> int:
    key, about_key = _key(job, arguments)
    folders = [str(Path(folder).expanduser().absolute()) for folder in arguments.allow]
    entry = make_entry(sys.executable, job.environ, key=key, folders=folders, sandbox=arguments.sandbox)
    if problems := Settings.read(entry.env).problems:
        raise SettingsError(" ".join(problems), advice="Correct or unset it; nothing was written.")
    if arguments.print:
        print(written(snippet(job.host, job.name, entry)))
        return 0
    was = read_file(job.file)
    there = existing(job.host, job.name, was, job.file)
    new = inscribe(job.host, job.name, entry, was, job.file)
    if new == was:
        print(_("{file} holds this entry already.").format(file=job.file))
    elif not _show(job, was, new, dry=arguments.dry_run):
        return 0
    else:
        _write(job, was, new, there, holds_key=not key.startswith("${") and bool(key))
    _explain(entry, about_key, there)
    return 0 if arguments.dry_run else _try(job)


def _key(job: Job, arguments: argparse.Namespace) -> tuple[str, str]:
    """Return what to write as the key, and a sentence on what was done about it."""
    title, shared = job.host.title, arguments.project is not None
    given = _asked_key() if arguments.key == "-" else arguments.key.strip()
    if arguments.with_key and not given:
        known = Settings.read(job.environ).api_key
        if known is None:
            raise ValueError(f"--with-key takes the key from {KEY}, which is not set")
        given = known.get_secret_value()
    if given and shared:
        raise ValueError(f"{job.file.name} of a project is shared with others, so no key is written into it")
    if given:
        trouble = flaw(given)
        if trouble and not (given == EXAMPLE and arguments.print):
            raise ValueError(f"the key {trouble}; put your own key there, and nothing else")
        return given, _("The key was written into {file}; whoever can read that file can use it.").format(file=job.file)
    if arguments.sandbox:
        return "", _("The embedded gateway needs no key.")
    if not job.host.reference:
        said = _(
            "No key was written. To write one, give it with --key sk-..., or with --with-key if {variable} is set; until "
            "then each call says that it is missing."
        )
        return "", said.format(variable=KEY)
    reference = job.host.reference.format(KEY)
    if "input:" in reference:
        said = _(
            "No key was written: {host} asks you for it at the first start. --key or --with-key write one instead."
        )
    else:
        said = _("No key was written: {host} takes it from its own {variable}. --key or --with-key write one instead.")
    return reference, said.format(host=title, variable=KEY)


def _asked_key() -> str:
    if sys.stdin.isatty():
        import getpass

        return getpass.getpass(_("Key of the Mtu API: ")).strip()
    return sys.stdin.readline().strip()


def _show(job: Job, was: str, new: str, *, dry: bool) -> bool:
    """Show the change; return whether it is to be made."""
    print("\n".join(changes(job.file, was, new)))
    if dry:
        print(_("Nothing was written (--dry-run)."))
    return not dry


def _write(job: Job, was: str, new: str, there: Mapping[str, Any] | None, *, holds_key: bool) -> None:
    if not job.claude:
        backup = replace_file(job.file, was, new, private=holds_key)
        print(joined(_("Wrote {file}.").format(file=job.file), _kept(backup)))
        return
    backup = keep_copy(job.file) if job.file.exists() else None
    wanted = existing(job.host, job.name, new, job.file) or {}
    said = _claude.add(job.claude, job.name, wanted, job.environ, replace=there is not None)
    print(joined(f"{masked(said)}.", _kept(backup)))


def _kept(backup: Path | None) -> str:
    return _("What was there is in {backup}.").format(backup=backup) if backup else ""


def _explain(entry: Entry, about_key: str, there: Mapping[str, Any] | None) -> None:
    kept: Mapping[str, Any] = (there or {}).get("env") or {}
    if not str(kept.get(KEY) or "${").startswith("${") and entry.env.get(KEY, "${").startswith("${"):
        about_key = _("The key that was there is kept.")
    print(about_key)
    if entry.forwarded:
        names = _(", ").join(entry.forwarded)
        print(_("Passed on from this environment: {names}.").format(names=names))
    if is_transient(entry.command):
        said = _(
            "Careful: {command} lies in a package runner's cache and may vanish. Install for good first, for example "
            "with: uv tool install mtu-mcp"
        )
        print(said.format(command=entry.command))


def _try(job: Job) -> int:
    """Start what the file now says, as the host would."""
    entry = existing(job.host, job.name, read_file(job.file), job.file)
    if entry is None:
        said = _("{file} does not hold the entry {name}.").format(file=job.file, name=job.name)
        print(f"mtu-mcp: {said}", file=sys.stderr)
        return 1
    greeting = start(job.host, entry, job.environ)
    if greeting.trouble:
        said = _("the entry was written, but the server does not start. {trouble}")
        print(f"mtu-mcp: {said.format(trouble=told(greeting.trouble))}", file=sys.stderr)
        if greeting.said:
            print(greeting.said, file=sys.stderr)
        return 1
    said = _(
        "Started it as {host} will: {version} answered in {seconds} s, protocol {protocol}, {count} tools ({names})."
    )
    print(
        said.format(
            host=job.host.title,
            version=greeting.version,
            seconds=f"{greeting.seconds:.1f}",
            protocol=greeting.protocol,
            count=len(greeting.tools),
            names=_(", ").join(greeting.tools),
        )
    )
    said = _("Next: {reload} `mtu-mcp doctor` checks key, network and gateway.").format(reload=_(job.host.reload))
    print(as_typed(said))
    return 0


def start(
    host: Host, entry: Mapping[str, Any], environ: Mapping[str, str], shake: Callable[..., Greeting] = greet
) -> Greeting:
    """Start an entry of a host's file as that host would: minimal environment, a folder that is nobody's."""
    variables: dict[str, Any] = entry.get("env") or {}
    known = {name: expanded(str(value), environ) for name, value in variables.items()}
    command = [str(entry.get("command", "")), *map(str, entry.get("args") or [])]
    return shake(command, {**minimal(environ), **known}, anywhere(environ), modern=host.modern)


def expanded(text: str, environ: Mapping[str, str]) -> str:
    """Put variables in the place of a host's references to them; a question to the user is left as it is."""
    return _REFERENCE.sub(lambda found: environ.get(found[1]) or found[2] or "", text)


def _uninstall(job: Job, dry: bool) -> int:
    was = read_file(job.file)
    there = existing(job.host, job.name, was, job.file)
    if there is None:
        print(_("{file} has no server {name}; nothing to take out.").format(file=job.file, name=job.name))
        return 0
    new = erase(job.host, job.name, was, job.file)
    if not _show(job, was, new, dry=dry):
        return 0
    if job.claude:
        backup = keep_copy(job.file)
        _claude.remove(job.claude, job.name, job.environ)
    else:
        backup = replace_file(job.file, was, new)
    said = _("Wrote {file}. What was there is in {backup}, with its key if it had one.")
    print(said.format(file=job.file, backup=backup))
    print(_("Next: {reload}").format(reload=_(job.host.reload)))
    return 0
