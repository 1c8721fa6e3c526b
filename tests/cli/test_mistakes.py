"""Settings as people mistype and mispaste them, and what the doctor says of each; that it says it is our promise."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from mtu_mcp.app import open_app
from mtu_mcp.checkup import everything
from mtu_mcp.cli.doctor import hasty
from mtu_mcp.errors import NotAuthorized
from mtu_mcp.gateway.keys import secret_of
from mtu_mcp.settings import Settings
from processes import run
from strangers import answering, saying


def examine(environ: dict[str, str], *, offline: bool = False) -> list[tuple[str, str, str, str]]:
    """What is not well: name, verdict, what was found, what mends it."""

    async def look() -> list[tuple[str, str, str, str]]:
        async with open_app(hasty(Settings.read(environ))) as app:
            found = await everything(app, environ, offline=offline)
        return [(one.name, one.verdict, one.said, one.mend) for one in found if one.verdict in ("bad", "warn")]

    return asyncio.run(look())


@pytest.mark.parametrize(
    "text",
    [
        '"sk-mine"',
        "'sk-mine'",
        "“sk-mine”",
        "<sk-mine>",
        "sk-mine,",
        "Bearer sk-mine",
        "bearer:sk-mine",
        "Authorization: Bearer sk-mine",
        "MTU_API_KEY=sk-mine",
        "api_key: sk-mine",
        "$MTU_API_KEY",
        "%MTU_API_KEY%",
        "sk-your-key",
        "sk-...",
        "sk-mi ne",
        "ｓｋ-mine",
        "sk-mine\u200b",
    ],
)
def test_what_was_copied_with_a_key_is_told_before_a_gateway_refuses_it(text: str) -> None:
    """A gateway would only say that the key is wrong, which its owner knows it is not."""
    with pytest.raises(NotAuthorized, match="and nothing else") as caught:
        secret_of(Settings.read({"MTU_API_KEY": text}))
    assert "mine" not in str(caught.value)


@pytest.mark.parametrize(
    "text", [" sk-mine\n", "sk-P@ss!w0rd", "abc==", "bce-v3/ALTAK-x/y", "monkey", "me:it", "sk-a=b"]
)
def test_a_key_may_look_like_anything_else(text: str) -> None:
    """RFC 6750 allows letters, digits and -._~+/=; those who run a gateway of their own choose more."""
    assert secret_of(Settings.read({"MTU_API_KEY": text})) == text.strip()


@pytest.mark.parametrize("key", ['"sk-mine"', "sk-...", "Bearer sk-mine"])
def test_a_key_that_cannot_be_right_is_not_installed(environ: dict[str, str], tmp_path: Path, key: str) -> None:
    """The same rule as a call's."""
    done = run({**environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": ""}, "install", "claude-desktop", "--key", key)
    assert (done.returncode, done.stdout) == (2, "")
    assert "put your own key there, and nothing else" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://gw.example", "https://gw.example/v1"),
        ("https://gw.example/v1/", "https://gw.example/v1"),
        ("https://gw.example/v1/v1", "https://gw.example/v1"),
        ("https://gw.example/v1/chat/completions", "https://gw.example/v1"),
        ("https://gw.example/v1/images/generations", "https://gw.example/v1"),
        ("https://gw.example/v1/embeddings?x=1", "https://gw.example/v1"),
        ("https://gw.example/messages", "https://gw.example/v1"),
        ("https://gw.example/api/paas/v4/chat/completions", "https://gw.example/api/paas/v4"),
        ("https://gw.example/v1beta/openai/", "https://gw.example/v1beta/openai"),
        ("https://gw.example/v1/me/mine/openai", "https://gw.example/v1/me/mine/openai"),
        ("http://[::1]:8000", "http://[::1]:8000/v1"),
    ],
)
def test_an_address_is_taken_as_it_is_copied(text: str, url: str) -> None:
    """With or without a version, or with an endpoint behind it: Google's and Cloudflare's have more behind theirs."""
    assert Settings.read({"MTU_BASE_URL": text}).base_url == url


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gw.example/v1", "must be an address that starts with"),
        ("https：//gw.example", "must be an address that starts with"),
        ("https://https://gw.example/v1", "cannot be read as an address"),
        ("https://gw.example:99999/v1", "cannot be read as an address"),
        ("https://gw.example:port/v1", "cannot be read as an address"),
        ("https://gw.example /v1", "cannot be read as an address"),
        ("https://:443/v1", "cannot be read as an address"),
        ("https://[::1/v1", "cannot be read as an address"),
    ],
)
def test_an_address_that_is_none_is_said_before_it_is_asked(environ: dict[str, str], text: str, said: str) -> None:
    """A port above 65535 would break the call instead."""
    [(name, verdict, found, mend)] = examine({**environ, "MTU_BASE_URL": text})
    assert (name, verdict) == ("settings", "bad")
    assert found.startswith(f"MTU_BASE_URL {said}")
    assert "in the host's configuration" in mend and "in the shell" in mend


@pytest.mark.parametrize("name", ["MTU_PROXY", "https_proxy"])
def test_a_proxy_with_a_port_that_none_has_is_named(environ: dict[str, str], name: str) -> None:
    """httpx takes any number for a port, and breaks when it connects."""
    changes = {"MTU_BASE_URL": "https://gw.example/v1", "no_proxy": "", name: "http://127.0.0.1:99999"}
    done = run({**environ, **changes}, "doctor", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    [found] = [one for one in json.loads(done.stdout) if one["verdict"] == "bad"]
    assert found["said"].lower() == f"what {name.lower()} names cannot be used as a proxy."
    assert name.lower() in found["mend"].lower()


def test_a_redirect_is_no_sign_of_a_gateway(environ: dict[str, str]) -> None:
    """As the sign-in page of a network does; every tool was said to work."""
    with answering(saying("302 Found", "", "Location: https://login.example/portal")) as port:
        found = examine({**environ, "MTU_BASE_URL": f"http://127.0.0.1:{port}/v1"})
    assert [(name, verdict) for name, verdict, _, _ in found] == [("models", "bad"), ("key accepted", "warn")]
    assert all("redirect (302) to https://login.example/portal" in said for _, _, said, _ in found)


def test_a_gateway_that_is_down_is_said_once(environ: dict[str, str]) -> None:
    """And not of every tool again."""
    with answering(saying("502 Bad Gateway", "<title>502 Bad Gateway</title>", "Content-Type: text/html")) as port:
        found = examine({**environ, "MTU_BASE_URL": f"http://127.0.0.1:{port}/v1"})
    assert [(name, verdict) for name, verdict, _, _ in found] == [("models", "bad"), ("key accepted", "warn")]


def test_whoever_hangs_up_where_tls_belongs_is_said_to(environ: dict[str, str]) -> None:
    """A network that does not let a name through often ends the connection at its first bytes."""
    with answering(lambda connection: None) as port:
        [(name, _, said, mend)] = examine({**environ, "MTU_BASE_URL": f"https://127.0.0.1:{port}/v1"})
    assert (name, said) == ("connection", f"No connection to the gateway: 127.0.0.1:{port} hung up.")
    assert "HTTPS_PROXY" in mend


def test_folders_that_are_not_there_are_warned_of(environ: dict[str, str], tmp_path: Path) -> None:
    """A mistyped folder opens nothing, and a comma separates none."""
    missing = f"{tmp_path},{tmp_path / 'more'}"
    found = examine({**environ, "MTU_ALLOWED_DIRS": os.pathsep.join([str(tmp_path), missing])}, offline=True)
    [(name, verdict, said, mend)] = found
    assert (name, verdict) == ("allowed folders", "warn")
    assert said == f"MTU_ALLOWED_DIRS names {missing}, which is no folder."
    assert "MTU_ALLOWED_DIRS" in mend and mend.endswith(os.pathsep)


@pytest.mark.parametrize("name", ["MTU_ALLOWED_DIRS", "MTU_OUTPUT_DIR", "MTU_DATABASE_URL", "MTU_MODELS_FILE"])
def test_the_home_of_nobody_keeps_no_server_from_starting(environ: dict[str, str], name: str) -> None:
    """Our promise: it always starts, and the first call says which variable to correct."""
    done = run({**environ, name: "~nobody-of-that-name/x"}, "call", "chat", "prompt=hi")
    assert done.returncode == 1
    assert done.stdout.startswith(f"{name} names a home folder that is not there: '~nobody-of-that-name/x'.")
    assert "Traceback" not in done.stderr


def test_a_model_that_is_set_and_not_listed_is_told_from_one_that_nobody_knows(environ: dict[str, str]) -> None:
    """The variable that names it is there already."""
    found = examine({**environ, "MTU_MODEL_CHAT": "gpt-5.l"})
    said = "MTU_MODEL_CHAT names gpt-5.l, which the gateway does not list."
    assert found == [("chat", "warn", said, "Correct or unset MTU_MODEL_CHAT.")]
