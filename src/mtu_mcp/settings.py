"""Everything a person can set, read once from a mapping.

The server must start whatever the environment holds, so reading never raises: a value that cannot be used is
noted in `problems`, its default stands in, and the first call that would reach the gateway says what to fix
(`Settings.require_sound`). Silently ignoring a bad value would be worse: a mistyped cap is not "no cap".
"""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from mtu_mcp.admission import ServerToken, hosts, https, issuer, most, tokens
from mtu_mcp.errors import SettingsError
from mtu_mcp.places import WORDS, named_folder

PREFIX: Final = "MTU_"
CORRECT: Final = "Correct it in the host's configuration and restart the host; or in the shell, if it is set there."
DEFAULT_BASE_URL: Final = "https://api.mtuo.ai/v1"
BAIDU_PATH: Final = "/v2/ai_search/web_search"
TOOLSETS: Final = (
    "core",
    "audio",
    "text",
    "documents",
    "compare",
    "batches",
    "vectors",
    "safety",
    "files",
    "api",
    "usage",
)
LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

# Hosts such as Claude Desktop pass "${MTU_API_KEY}" through literally when the person left the field empty.
_PLACEHOLDER: Final = re.compile(r"^\$\{[^}]*\}$")
_ENDPOINT: Final = re.compile(
    r"/(chat/completions|completions|responses|messages|models|embeddings|moderations|files|batches"
    r"|images/\w+|audio/\w+)$"
)
"""What is copied with an address out of an example of a call."""


class Settings(BaseModel):
    """One server's settings, frozen; a field's variable is `MTU_` and its name in capitals.

    Attributes:
        problems: One sentence for each variable that could not be used, naming it.
    """

    model_config = ConfigDict(frozen=True)

    api_key: SecretStr | None = Field(
        None, description="The gateway's key. Without it the tools are listed and each call says what to set."
    )
    base_url: str = Field(DEFAULT_BASE_URL, description="The gateway, with or without `/v1`.")
    search_url: str = Field("", description="Baidu search. Default: the gateway's host and `/v2/ai_search/web_search`.")
    model_chat: str = Field(
        "",
        description="Model for `chat`. Default for this and the next rows: the first of a preference list that the gateway offers.",
    )
    model_omni: str = Field("", description="Model for `understand`.")
    model_image: str = Field("", description="Model for `generate_image`.")
    model_transcribe: str = Field("", description="Model for `transcribe`.")
    model_embed: str = Field("", description="Model for `embed_text`.")
    model_moderate: str = Field("", description="Model for `moderate_content`.")
    model_speech: str = Field("", description="Model for `speak`.")
    model_translate: str = Field("", description="Model for `translate_text`.")
    model_code: str = Field("", description="Model for `complete_code`.")
    model_document: str = Field("", description="Model for `ask_document`.")
    model_search: str = Field("", description="Model for `web_search` with the `openai` engine.")
    model_research: str = Field("", description="Model for `web_search` with the `jina` engine.")
    model_qwen_search: str = Field("", description="Model for `web_search` with the `qwen` engine.")
    models_file: Path | None = Field(
        None,
        description="A JSON file with your own models, prices, preferences and aliases, laid over the shipped ones.",
    )
    budget_call: float | None = Field(
        None, description="The most one call of a tool may cost, in CNY; more is refused before anything is sent."
    )
    budget_day: float | None = Field(None, description="The same for a day of this machine's clock.")
    budget_month: float | None = Field(None, description="The same for a month.")
    confirm_above: float | None = Field(
        None, description="You are asked before a call that may cost more than this, in CNY."
    )
    hand_off_after: float | None = Field(
        None,
        description="Seconds after which a call still running is answered with a job's id while its work goes on; 0 for never. Default: by the host, 45 where it is not known.",
    )
    toolsets: tuple[str, ...] = Field(
        ("core",), description="Which groups of tools are listed, separated by commas, or `all`."
    )
    tool_icons: bool = Field(
        False, description="List the tools with their icons for every host, not only for those known to draw them."
    )
    read_only: bool = Field(False, description="List only tools that make or change no files, and keep no long texts.")
    allowed_dirs: tuple[Path, ...] = Field(
        (),
        description="Folders whose files may be sent, besides the host's roots; separated by `;` or the system's path separator. `downloads`, `screenshots`, `desktop` and `pictures` stand for yours.",
    )
    output_dir: Path = Field(
        default_factory=lambda: default_data_dir() / "media",
        description="Where pictures, sound and long texts are saved. Default: `media` in the user's data folder.",
    )
    keep_metadata: bool = Field(
        False,
        description="Send pictures, sound and video with the place, camera and owner noted in them; else taken out.",
    )
    timeout: float = Field(
        600.0,
        description="Seconds without a byte from the gateway after which a call fails; no answer is listened to for more than two hours.",
    )
    max_retries: int = Field(2, description="Retries where nothing was billed: no connection, 429, 503.")
    proxy: str = Field("", description="Proxy for the gateway; default is the system's `HTTPS_PROXY`.")
    database_url: str = Field(
        "", description="Where conversations are kept. Default: `mtu.db` in the user's data folder."
    )
    server_tokens: tuple[ServerToken, ...] = Field(
        (),
        description="Who may come in over HTTP: `NAME:TOKEN` for each caller, separated by commas; tokens of 16 characters or more.",
    )
    jwt_issuer: str = Field(
        "", description="The issuer whose JSON Web Tokens let callers in; each subject is a caller of its own."
    )
    jwt_audience: str = Field(
        "", description="The audience those tokens must be for; best this server's public address, with `/mcp`."
    )
    jwt_jwks: str = Field("", description="Where the issuer's keys are. Default: where its own metadata says.")
    allowed_hosts: tuple[str, ...] = Field(
        (), description="Names, separated by commas, under which this server is reached over HTTP besides loopback."
    )
    calls_at_once: int = Field(
        16, description="Tool calls one HTTP caller may have running; without tokens only when this is set."
    )
    calls_a_minute: int = Field(120, description="The same for those begun within a minute.")
    request_bytes: int = Field(
        4_194_304, description="The longest HTTP request; larger files go in by path or address, not inside a call."
    )
    log_level: str = Field("WARNING", description="DEBUG, INFO, WARNING, ERROR or CRITICAL; logs go to stderr.")
    problems: tuple[str, ...] = ()

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read settings from a mapping such as `os.environ`; never raises.

        An empty value and a literal `${NAME}` count as unset.
        """
        values: dict[str, Any] = {}
        problems: list[str] = []
        for field, parse in _PARSERS.items():
            name = PREFIX + field.upper()
            raw = environ.get(name, "").strip()
            if not raw or _PLACEHOLDER.match(raw):
                continue
            try:
                values[field] = parse(raw)
            except ValueError as error:
                problems.append(f"{name} {error}.")
        return cls(**values, problems=tuple(problems))

    def require_sound(self) -> None:
        """Refuse to go on when a variable could not be used.

        Raises:
            SettingsError: Naming every such variable.
        """
        if self.problems:
            raise SettingsError(" ".join(self.problems), advice=CORRECT)

    @property
    def secrets(self) -> tuple[SecretStr, ...]:
        """What must never leave: the gateway's key and the callers' tokens."""
        return (*([self.api_key] if self.api_key else []), *(one.token for one in self.server_tokens))

    @property
    def root_url(self) -> str:
        """The gateway's scheme and host, with any path before `/v1`."""
        return self.base_url.removesuffix("/v1")

    @property
    def baidu_url(self) -> str:
        """Where Baidu search is asked."""
        return self.search_url or self.root_url + BAIDU_PATH

    @property
    def database_path(self) -> Path:
        """The SQLite file; `database_url` may be a path or `sqlite:///path`."""
        if not self.database_url:
            return default_data_dir() / "mtu.db"
        return Path(self.database_url.removeprefix("sqlite:///")).expanduser()


def default_data_dir() -> Path:
    """The user's own data folder for this program, absolute; never the working directory."""
    import platformdirs

    return Path(platformdirs.user_data_dir("mtu-mcp", appauthor=False))


def variable(field: str) -> str:
    """The environment variable that sets a field."""
    return PREFIX + field.upper()


def _text(raw: str) -> str:
    return raw


def _url(raw: str) -> str:
    try:
        parts = urlsplit(raw)
        port = parts.port  # raises for letters, and for more than 65535
    except ValueError:
        raise ValueError(f"cannot be read as an address: {raw[:80]!r}") from None
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(f"must be an address that starts with http:// or https://, not {raw[:80]!r}")
    # A pasted address may hold a space, or begin twice.
    if not parts.hostname or port == 0 or " " in raw or not raw.isprintable() or parts.path.startswith("//"):
        raise ValueError(f"cannot be read as an address: {raw[:80]!r}")
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), parts.query, ""))


def _base_url(raw: str) -> str:
    url = _ENDPOINT.sub("", _url(raw).partition("?")[0])
    url = re.sub(r"(/v\d+)\1$", r"\1", url)
    # Some gateways have something after the version: Google's /v1beta/openai, Cloudflare's /v1/ACCOUNT/NAME/openai.
    return url if re.search(r"/v\d+\w*(/|$)", urlsplit(url).path) else url + "/v1"


def _flag(raw: str) -> bool:
    if raw.lower() in ("1", "true", "yes", "on"):
        return True
    if raw.lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError(f"must be true or false, not {raw[:40]!r}")


def _amount(raw: str) -> float:
    try:
        value = float(raw)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ValueError(f"must be a number of at least 0, not {raw[:40]!r}")
    return value


def _seconds(raw: str) -> float:
    value = _amount(raw)
    if value == 0:
        raise ValueError("must be more than 0 seconds")
    return value


def _count(raw: str) -> int:
    if not raw.isdecimal() or int(raw) > 10:
        raise ValueError(f"must be a whole number from 0 to 10, not {raw[:40]!r}")
    return int(raw)


def _toolsets(raw: str) -> tuple[str, ...]:
    asked = [part.strip().lower() for part in raw.split(",") if part.strip()]
    if "all" in asked:
        return TOOLSETS
    unknown = [name for name in asked if name not in TOOLSETS]
    if unknown:
        raise ValueError(f"names no such toolset: {', '.join(unknown)[:80]}; there are {', '.join(TOOLSETS)} and all")
    return tuple(dict.fromkeys(asked))


def _folder(raw: str) -> Path:
    try:
        path = Path(raw).expanduser()
    except RuntimeError:  # ~NAME of nobody, or ~ where there is no home
        raise ValueError(f"names a home folder that is not there: {raw[:80]!r}") from None
    if not path.is_absolute():
        raise ValueError(f"must be an absolute path, not {raw[:80]!r}: hosts start servers in any folder")
    return path


def _folders(raw: str) -> tuple[Path, ...]:
    parts = raw.split(";") if ";" in raw or os.pathsep == ";" else raw.split(os.pathsep)
    found = [
        named_folder(part.strip().lower()) if part.strip().lower() in WORDS else _folder(part.strip())
        for part in parts
        if part.strip()
    ]
    return tuple(dict.fromkeys(found))


def _database(raw: str) -> str:
    if "://" in raw and not raw.startswith("sqlite:///"):
        raise ValueError(f"must be a file or sqlite:///FILE, not {raw.partition('://')[0][:20]}://")
    if raw != ":memory:":
        _folder(raw.removeprefix("sqlite:///"))
    return raw


def _log_level(raw: str) -> str:
    if raw.upper() not in LOG_LEVELS:
        raise ValueError(f"must be one of {', '.join(LOG_LEVELS)}, not {raw[:40]!r}")
    return raw.upper()


_PARSERS: Final[Mapping[str, Callable[[str], object]]] = {
    "api_key": SecretStr,
    "base_url": _base_url,
    "search_url": _url,
    "model_chat": _text,
    "model_omni": _text,
    "model_image": _text,
    "model_transcribe": _text,
    "model_embed": _text,
    "model_moderate": _text,
    "model_speech": _text,
    "model_translate": _text,
    "model_code": _text,
    "model_document": _text,
    "model_search": _text,
    "model_research": _text,
    "model_qwen_search": _text,
    "models_file": _folder,
    "budget_call": _amount,
    "budget_day": _amount,
    "budget_month": _amount,
    "confirm_above": _amount,
    "hand_off_after": _amount,
    "toolsets": _toolsets,
    "tool_icons": _flag,
    "read_only": _flag,
    "allowed_dirs": _folders,
    "output_dir": _folder,
    "keep_metadata": _flag,
    "timeout": _seconds,
    "max_retries": _count,
    "proxy": _text,
    "database_url": _database,
    "server_tokens": tokens,
    "jwt_issuer": issuer,
    "jwt_audience": _text,
    "jwt_jwks": https,
    "allowed_hosts": hosts,
    "calls_at_once": most,
    "calls_a_minute": most,
    "request_bytes": most,
    "log_level": _log_level,
}
