"""`mtu-mcp doctor`, run as a person runs it, with one thing wrong at a time; what it says is our promise."""

import asyncio
import json
import os
import socket
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mtu_mcp
from mtu_mcp.app import open_app
from mtu_mcp.checkup import Finding, everything, reach
from mtu_mcp.cli.doctor import exit_code, hasty
from mtu_mcp.sandbox import Options, Sandbox
from mtu_mcp.settings import Settings
from processes import run
from strangers import answering, closed_port, saying

HERE = Path(__file__).parent
PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.fixture
def person(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """Variables of a person with an empty home folder and a sound gateway."""
    home = tmp_path / "home"
    home.mkdir()
    names = [*PROXIES, *map(str.lower, PROXIES), *CERTIFICATES, "CLAUDE_CONFIG_DIR", "XDG_CONFIG_HOME"]
    unset = {name: "" for name in names if name in os.environ}
    return {**unset, "HOME": str(home), "USERPROFILE": str(home), "APPDATA": str(home / "Roaming"), **environ}


def examine(environ: dict[str, str], *, offline: bool = False) -> tuple[int, list[dict[str, str]]]:
    """The exit code and the findings of the checks alone, in this process, without hosts."""

    async def look() -> list[Finding]:
        async with open_app(hasty(Settings.read(environ))) as app:
            return await everything(app, environ, offline=offline)

    findings = asyncio.run(look())
    return exit_code(findings), [finding.data() for finding in findings]


def doctor(environ: dict[str, str], *arguments: str) -> tuple[int, list[dict[str, str]]]:
    """The exit code and the findings of the command."""
    done = run(environ, "doctor", "--json", *arguments)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def bad(findings: list[dict[str, str]]) -> dict[str, str]:
    """The one bad finding."""
    [found] = [finding for finding in findings if finding["verdict"] == "bad"]
    return found


def named(findings: list[dict[str, str]], name: str) -> dict[str, str]:
    [found] = [finding for finding in findings if finding["name"] == name]
    return found


def over_tls(certificate: str, answer: Callable[[Any], None]) -> Callable[[socket.socket], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(HERE / "certificates" / certificate)

    def wrapped(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            answer(secure)

    return wrapped


def test_a_sound_machine_has_nothing_bad(person: dict[str, str]) -> None:
    """Every line is there, and the exit code is 0."""
    code, findings = doctor(person)
    assert code == 0
    assert {finding["verdict"] for finding in findings} <= {"ok", "skipped"}
    names = [finding["name"] for finding in findings]
    for name in ("settings", "key", "address", "proxy", "certificates", "working folder", "output folder", "disk"):
        assert name in names
    for name in ("database", "connection", "models", "clock", "key accepted", "chat", "generate_image", "server"):
        assert named(findings, name)["verdict"] == "ok", name
    assert "stdout is clean" in named(findings, "server")["said"]


def test_it_costs_nothing(person: dict[str, str], gateway: Sandbox) -> None:
    """Lists are read, and endpoints asked with a body that cannot be read: nothing that could be billed is answered."""
    code, _ = examine(person)
    assert code == 0
    for endpoint in ("chat/completions", "images/generations", "audio/transcriptions", "responses", "embeddings"):
        entries = gateway.journal.find(endpoint)
        assert entries, endpoint
        assert {entry.status for entry in entries} == {400}, endpoint


def test_a_wrong_key_is_one_bad_line(person: dict[str, str]) -> None:
    """What the gateway says of it, without the key, and what to set."""
    code, findings = examine({**person, "MTU_API_KEY": "sk-wrong"})
    assert code == 1
    assert bad(findings) == {
        "name": "key accepted",
        "verdict": "bad",
        "said": 'The gateway refused the key: "Incorrect API key provided: ***".',
        "mend": "Check MTU_API_KEY, in the host's configuration or in the shell.",
    }
    assert named(findings, "tools")["verdict"] == "skipped"


def test_a_failed_call_says_the_same(person: dict[str, str]) -> None:
    """Our promise: tool errors, status and doctor speak with one voice."""
    wrong = {**person, "MTU_API_KEY": "sk-wrong"}
    found = bad(examine(wrong)[1])
    called = run(wrong, "call", "chat", "prompt=hi")
    assert f"{found['said']} {found['mend']}" in called.stdout + called.stderr


@pytest.mark.parametrize(
    ("changes", "name", "said", "mend"),
    [
        ({"MTU_API_KEY": ""}, "key", "There is no key", "Set MTU_API_KEY"),
        ({"MTU_API_KEY": "sk-тест"}, "key", "no key has", "and nothing else"),
        ({"MTU_API_KEY": "sk-broke"}, "account", "no quota left", "Top up the account"),
        ({"MTU_TIMEOUT": "soon"}, "settings", "MTU_TIMEOUT must be a number", "Correct it"),
        (
            {"MTU_BASE_URL": "https://nowhere.invalid/v1"},
            "name",
            "The name nowhere.invalid cannot be found",
            "MTU_BASE_URL",
        ),
        (
            {"SSL_CERT_FILE": "/not/there.pem"},
            "certificates",
            "/not/there.pem, which is not there",
            "unset SSL_CERT_FILE",
        ),
        ({"SSL_CERT_FILE": __file__}, "certificates", "holds no certificates", "PEM"),
        ({"SSL_CERT_DIR": "/not/there"}, "certificates", "is no folder", "SSL_CERT_DIR"),
    ],
)
def test_one_wrong_thing_is_one_bad_line(
    person: dict[str, str], changes: dict[str, str], name: str, said: str, mend: str
) -> None:
    """With the setting that mends it."""
    environ = {**person, **changes}
    if "SSL_CERT_FILE" in changes:  # which also keeps the connection from being made
        environ["MTU_API_KEY"] = "sk-test"
    code, findings = examine(environ, offline=name == "certificates")
    assert code == 1
    found = bad(findings)
    assert found["name"] == name
    assert said in found["said"]
    assert mend in found["mend"]


def test_a_wrong_path_is_said_with_the_address_that_was_asked(person: dict[str, str], gateway: Sandbox) -> None:
    """The gateway is there, but not below this path."""
    wrong = gateway.base_url.removesuffix("/v1") + "/api/v1"
    found = bad(examine({**person, "MTU_BASE_URL": wrong})[1])
    assert "does not offer models (it answered 404)" in found["said"]
    assert f"{wrong}/models" in found["mend"]
    assert "https://api.mtuo.ai/v1" in found["mend"]


def test_a_web_page_instead_of_a_gateway_is_said(person: dict[str, str]) -> None:
    """A landing page, or the sign-in page of a hotel's network."""
    with answering(saying("200 OK", "<!doctype html><title>Welcome</title>", "Content-Type: text/html")) as port:
        found = bad(examine({**person, "MTU_BASE_URL": f"http://127.0.0.1:{port}/v1"})[1])
    assert 'an HTML page titled "Welcome"' in found["said"]
    assert "MTU_BASE_URL" in found["mend"]


def test_an_address_without_its_version_is_right(person: dict[str, str], gateway: Sandbox) -> None:
    """Our promise: with or without /v1."""
    code, findings = examine({**person, "MTU_BASE_URL": gateway.base_url.removesuffix("/v1")})
    assert code == 0
    assert "/v1 was added" in named(findings, "address")["said"]


def test_an_address_that_is_not_encrypted_is_warned_of(person: dict[str, str]) -> None:
    """The key would travel readable; on this machine it does not travel."""
    _, findings = examine({**person, "MTU_BASE_URL": "http://gateway.example/v1"}, offline=True)
    assert named(findings, "address")["verdict"] == "warn"
    assert "https://" in named(findings, "address")["mend"]


def test_no_network_is_one_bad_line(person: dict[str, str]) -> None:
    """A closed port stands for it."""
    port = closed_port()
    found = bad(examine({**person, "MTU_BASE_URL": f"http://127.0.0.1:{port}/v1"})[1])
    assert found["name"] == "connection"
    assert found["said"] == f"No connection to the gateway: nothing listens at 127.0.0.1:{port}."
    assert found["mend"] == "Check MTU_BASE_URL."


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "ALL_PROXY", "MTU_PROXY"])
def test_a_proxy_that_is_not_there_is_named_with_its_variable(person: dict[str, str], name: str) -> None:
    """And its password is not shown."""
    port = closed_port()
    environ = {**person, "MTU_BASE_URL": "https://gateway.example", name: f"http://user:geheim@127.0.0.1:{port}"}
    code, findings = doctor(environ)
    assert code == 1
    found = bad(findings)
    assert found["said"] == f"No connection to the gateway: nothing listens at the proxy 127.0.0.1:{port}."
    assert found["mend"] == f"Correct or unset {name if os.name != 'nt' else name.upper()}."
    assert "geheim" not in json.dumps(findings)


@pytest.mark.parametrize(
    ("status", "said", "mend"),
    [
        ("403 Forbidden", "refused (403 Forbidden)", "NO_PROXY"),
        ("407 Proxy Authentication Required", "wants a name and a password", "http://name:password@host:port"),
    ],
)
def test_a_proxy_that_refuses_is_told_from_a_gateway_that_does(
    person: dict[str, str], status: str, said: str, mend: str
) -> None:
    """RFC 9110, 9.3.6 (CONNECT) and 15.5.8 (407)."""
    with answering(saying(status)) as port:
        environ = {**person, "MTU_BASE_URL": "https://gateway.example", "MTU_PROXY": f"http://127.0.0.1:{port}"}
        found = bad(examine(environ)[1])
    assert f"the proxy 127.0.0.1:{port} {said}" in found["said"]
    assert mend in found["mend"]


@pytest.mark.parametrize(
    ("certificate", "said", "mend"),
    [("unknown.pem", "not trusted", "SSL_CERT_FILE"), ("expired.pem", "not trusted", "SSL_CERT_FILE")],
)
def test_a_certificate_nobody_vouches_for_is_said(
    person: dict[str, str], certificate: str, said: str, mend: str
) -> None:
    """RFC 5280; a network that inspects TLS looks like this."""
    with answering(over_tls(certificate, saying("401 Unauthorized"))) as port:
        found = bad(examine({**person, "MTU_BASE_URL": f"https://127.0.0.1:{port}/v1"})[1])
    assert said in found["said"]
    assert mend in found["mend"]


def test_the_setting_that_is_named_mends_it(person: dict[str, str]) -> None:
    """With the authority's file the connection is made, and the next thing is said; an expired one points to the clock."""
    with answering(over_tls("unknown.pem", saying("401 Unauthorized", '{"error": {"message": "no"}}'))) as port:
        trusting = {"SSL_CERT_FILE": str(HERE / "certificates" / "unknown.pem")}
        findings = doctor({**person, **trusting, "MTU_BASE_URL": f"https://127.0.0.1:{port}/v1"})[1]
    assert named(findings, "connection")["verdict"] == "ok"
    assert bad(findings)["name"] == "key accepted"
    with answering(over_tls("expired.pem", saying("401 Unauthorized"))) as port:
        trusting = {"SSL_CERT_FILE": str(HERE / "certificates" / "expired.pem")}
        found = bad(doctor({**person, **trusting, "MTU_BASE_URL": f"https://127.0.0.1:{port}/v1"})[1])
    assert "expired" in found["said"]
    assert "date and time" in found["mend"]


def test_a_plain_server_under_https_is_told(person: dict[str, str]) -> None:
    """The other way round of a common slip."""
    with answering(saying("400 Bad Request")) as port:
        found = bad(examine({**person, "MTU_BASE_URL": f"https://127.0.0.1:{port}/v1"})[1])
    assert "does not speak TLS" in found["said"]
    assert "http://" in found["mend"]


def test_a_clock_that_is_wrong_is_said(person: dict[str, str]) -> None:
    """RFC 9110, 6.6.1: the Date header."""
    body = '{"error": {"message": "bad key", "code": "invalid_api_key"}}'
    with answering(saying("401 Unauthorized", body, "Date: Thu, 01 Jan 2015 00:00:00 GMT")) as port:
        code, findings = examine({**person, "MTU_BASE_URL": f"http://127.0.0.1:{port}/v1"})
    assert code == 2
    assert named(findings, "clock")["verdict"] == "bad"
    assert "days ahead of the gateway's" in named(findings, "clock")["said"]


def test_what_a_gateway_lacks_is_told_from_what_it_has(person: dict[str, str]) -> None:
    """New API answers 501 for files; that is no fault of this machine, so the exit code stays 0."""
    with Sandbox(Options(dialect="new-api", without=("/audio/speech",))) as lacking:
        code, findings = examine({**person, "MTU_BASE_URL": lacking.base_url})
    assert code == 0
    assert "it answered 501" in named(findings, "ask_document, manage_files")["said"]
    assert named(findings, "speak")["verdict"] == "warn"
    assert named(findings, "chat")["verdict"] == "ok"


def test_folders_and_database_that_cannot_be_used_are_said(person: dict[str, str], tmp_path: Path) -> None:
    """With the variable that names another."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    (tmp_path / "no.db").write_text("this is no database, " * 100, encoding="utf-8")
    changed = {"MTU_OUTPUT_DIR": str(tmp_path / "file" / "below"), "MTU_DATABASE_URL": str(tmp_path / "no.db")}
    code, findings = examine({**person, **changed}, offline=True)
    assert code == 2
    assert "MTU_OUTPUT_DIR" in named(findings, "output folder")["mend"]
    assert named(findings, "database")["verdict"] == "bad"


def test_a_variable_that_is_no_setting_is_said_with_the_nearest(person: dict[str, str]) -> None:
    """A mistyped name would be ignored in silence."""
    _, findings = examine({**person, "MTU_BASEURL": "https://x"}, offline=True)
    found = named(findings, "settings")
    assert (found["verdict"], found["mend"]) == ("warn", "Did you mean MTU_BASE_URL?")


def test_the_sandbox_needs_no_key_and_no_network(person: dict[str, str]) -> None:
    """Our promise: the doctor can be tried."""
    environ = {**person, "MTU_API_KEY": "", "MTU_BASE_URL": "http://127.0.0.1:9", "MTU_PROXY": "http://127.0.0.1:9"}
    code, findings = doctor(environ, "--sandbox")
    assert code == 0, findings


def test_hosts_are_looked_at_and_their_entries_started(person: dict[str, str]) -> None:
    """An entry whose command is gone, one that is no JSON, one of another server, one that is well."""
    home = Path(person["HOME"])
    run({**person, "PATH": ""}, "install", "cursor")
    vscode = home / ".config/Code/User/mcp.json" if sys.platform == "linux" else None
    (home / ".claude.json").write_text(
        '{"mcpServers": {"mtu": {"command": "/gone/mtu-mcp", "args": ["serve"]}}}', encoding="utf-8"
    )
    if vscode:
        vscode.parent.mkdir(parents=True)
        vscode.write_text('{"servers": {,}}', encoding="utf-8")
    code, findings = doctor(person, "--offline")
    assert code == (2 if vscode else 1)
    assert "/gone/mtu-mcp is not there any more" in named(findings, "claude-code")["said"]
    assert named(findings, "claude-code")["mend"] == "mtu-mcp install claude-code"
    assert f"mtu-mcp {mtu_mcp.__version__} starts" in named(findings, "cursor")["said"]
    if vscode:
        assert "line 1, column 14" in named(findings, "vscode")["said"]


def test_without_a_key_here_the_host_s_own_entry_is_checked(person: dict[str, str]) -> None:
    """A person who gave the key to their host has none in the shell; what counts is what the server will be given."""
    run({**person, "PATH": ""}, "install", "cursor", "--key", "sk-wrong")
    keyless = {name: value for name, value in person.items() if name not in ("MTU_API_KEY", "MTU_BASE_URL")}
    findings = doctor(keyless)[1]
    assert "Cursor's entry" in named(findings, "checked for")["said"]
    assert bad(findings)["name"] == "key accepted"
    assert doctor(person, "--offline", "--host", "vscode")[0] == 1


def test_it_is_plain_where_it_is_piped(person: dict[str, str]) -> None:
    """No colour codes in a file; bad lines carry the mend below them."""
    done = run({**person, "MTU_API_KEY": "sk-wrong"}, "doctor")
    assert done.returncode == 1
    assert "\x1b" not in done.stdout
    lines = done.stdout.splitlines()
    [at] = [number for number, line in enumerate(lines) if " bad " in line and "key accepted" in line]
    assert lines[at + 1].strip() == "-> Check MTU_API_KEY, in the host's configuration or in the shell."
    assert lines[-1] == "1 bad."


@pytest.mark.parametrize(
    ("ahead", "now", "verdict", "words"),
    [
        (None, 0.0, "bad", "This computer's clock says 1970-01-01, which is before this version was made."),
        (None, 1_451_606_400.0, "bad", "2016-01-01"),
        (None, 2_082_758_400.0, "skipped", "did not tell its time"),  # years fast is known by comparing alone
        (86_400.0 * 3650, 2_082_758_400.0, "bad", "3,650 days ahead"),
        (-86_400.0 * 3650, 0.0, "bad", "3,650 days behind"),
        (-2.0, 0.0, "ok", "2 s from the gateway's"),
    ],
)
def test_a_wrong_clock_is_told_with_what_sets_it(ahead: float | None, now: float, verdict: str, words: str) -> None:
    """Our promise: the command that mends it, on this system; without a gateway, a clock that cannot be right."""
    found = reach.clock(ahead, now)
    assert (found.verdict, words in found.said) == (verdict, True)
    if verdict == "bad":
        command = reach.SETTING.get(sys.platform, "")
        assert found.mend.endswith(f"from the network: {command}" if command else "from the network.")


@pytest.mark.parametrize(("key", "offline"), [("sk-test-key-0123456789", True), ("", False)])
def test_a_clock_that_cannot_be_right_needs_no_network_to_be_told(
    person: dict[str, str], key: str, offline: bool
) -> None:
    """Our promise: `doctor --offline` and `doctor` without a key tell it too."""
    environ = {**person, "MTU_API_KEY": key}

    async def look(now: float) -> list[Finding]:
        async with open_app(hasty(Settings.read(environ))) as app:
            return await everything(app, environ, offline=offline, clock=lambda: now)

    assert "says 2016-01-01" in named([one.data() for one in asyncio.run(look(1_451_606_400.0))], "clock")["said"]
    assert [one for one in asyncio.run(look(1_795_000_000.0)) if one.name == "clock"] == []
