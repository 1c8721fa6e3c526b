"""`mtu-mcp claude-code-env`: what makes Claude Code itself, or Claude Code Router, use the Mtu API.

Claude Code speaks Anthropic's protocol and adds `/v1/messages` itself, so it is given the gateway's root; the router
speaks chat completions and is given the whole address. The key is named, not shown, unless it is asked for.

Sources: code.claude.com/docs/en/llm-gateway and /settings; the README of Claude Code Router.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

from mtu_mcp.cli._language import gettext as _
from mtu_mcp.cli._language import told
from mtu_mcp.settings import Settings, variable

KEY: Final = variable("api_key")
PLACEHOLDER: Final = f"the value of {KEY}"
MODELS: Final = ("ANTHROPIC_MODEL", "ANTHROPIC_DEFAULT_OPUS_MODEL", "ANTHROPIC_DEFAULT_SONNET_MODEL")
TOKEN: Final = "ANTHROPIC_AUTH_TOKEN"  # noqa: S105 - a variable's name
SMALL: Final = "ANTHROPIC_DEFAULT_HAIKU_MODEL"
ROUTED: Final = ("default", "think", "longContext")


def run(arguments: argparse.Namespace) -> int:
    """Print the settings; 1 if a variable is wrong, or a key is asked for and there is none."""
    settings = Settings.read(os.environ)
    for problem in settings.problems:
        print(f"mtu-mcp: {told(problem)}", file=sys.stderr)
    if settings.problems:
        return 1
    key = settings.api_key.get_secret_value() if settings.api_key and arguments.with_key else ""
    if arguments.with_key and not key:
        said = _("{variable} is not set, so there is no key to print.").format(variable=KEY)
        print(f"mtu-mcp: {said}", file=sys.stderr)
        return 1
    if arguments.router:
        print(_json(router(settings, key, arguments.model, arguments.small_model)))
        said = _("this is ~/.claude-code-router/config.json; then: ccr restart; ccr code")
        print(f"mtu-mcp: {said}", file=sys.stderr)
        return 0
    shell = arguments.format or shell_of(os.environ, sys.platform)
    print(written(shell, variables(settings, arguments.model, arguments.small_model), key))
    if os.environ.get("ANTHROPIC_API_KEY"):
        said = _("ANTHROPIC_API_KEY is set too and would be used beside it; unset it.")
        print(f"mtu-mcp: {said}", file=sys.stderr)
    return 0


def variables(settings: Settings, model: str = "", small: str = "") -> dict[str, str]:
    """Return Claude Code's variables but the key's."""
    chosen = {name: model for name in MODELS if model} | ({SMALL: small or model} if small or model else {})
    return {"ANTHROPIC_BASE_URL": settings.root_url, **chosen}


def written(shell: str, values: Mapping[str, str], key: str) -> str:
    """Return the variables in a shell's own words, or as Claude Code's settings.json."""
    if shell == "json":
        return _json({"env": {**values, TOKEN: key or PLACEHOLDER}})
    line, quote, reference = {
        "sh": ("export {}={}", shlex.quote, f'"${KEY}"'),
        "fish": ("set -gx {} {}", _fish, f"${KEY}"),
        "powershell": ("$env:{} = {}", _powershell, f"$env:{KEY}"),
    }[shell]
    lines = [line.format(name, quote(value)) for name, value in values.items()]
    return "\n".join([*lines, line.format(TOKEN, quote(key) if key else reference)])


def router(settings: Settings, key: str, model: str = "", small: str = "") -> dict[str, Any]:
    """Return Claude Code Router's configuration with the gateway as its one provider."""
    first, *others = router_models(model, small)
    background = small or (others[0] if others and not model else first)
    provider = {
        "name": "mtu",
        "api_base_url": f"{settings.base_url}/chat/completions",
        "api_key": key or f"${KEY}",
        "models": list(dict.fromkeys([first, *others, background])),
    }
    routes = dict.fromkeys(ROUTED, f"mtu,{first}") | {"background": f"mtu,{background}"}
    return {"Providers": [provider], "Router": routes}


def router_models(model: str = "", small: str = "") -> Sequence[str]:
    """Return the models to offer: those asked for, else the first of the shipped preferences for chat."""
    if model:
        return tuple(dict.fromkeys(name for name in (model, small) if name))
    from datetime import UTC, datetime

    from mtu_mcp.catalogue.choices import preferred
    from mtu_mcp.catalogue.facts import shipped

    return preferred(shipped(), "chat", datetime.now(UTC).date())[:5]


def shell_of(environ: Mapping[str, str], platform: str) -> str:
    """Return the shell to write for: by SHELL, and PowerShell on Windows without it."""
    name = PurePath(environ.get("SHELL", "")).name
    if name in ("fish", "pwsh"):
        return {"pwsh": "powershell"}.get(name, name)
    return "powershell" if platform == "win32" and not name else "sh"


def _fish(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _powershell(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def _json(data: object) -> str:
    return json.dumps(data, ensure_ascii=False, indent=2)
