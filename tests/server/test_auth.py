"""Who may come in over HTTP: tokens of the operator's list, tokens an issuer signed, and everything that only looks so."""

import base64
import hashlib
import hmac
import json
import socket
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest
from mcp.types import TextResourceContents

from callers import ANN, AUDIENCE, BOB, JSON, OVER_HTTP, TEAM, Issuer, fresh_key, issuing, knock, public, serving
from connections import MODERN, Cell, text_of
from mtu_mcp.errors import SettingsError, Unreachable
from mtu_mcp.server.auth import Verifier, require_way_in
from mtu_mcp.server.http import LOOPBACK, security
from mtu_mcp.server.issuer import FLOOR, KEPT, MOST_KEYS, STALE, IssuerKeys
from mtu_mcp.settings import Settings
from processes import HELLO, PATIENCE, request, run, running

Environ = dict[str, str]
every_way = pytest.mark.parametrize("cell", OVER_HTTP, ids=str)


@pytest.fixture
def team(environ: Environ) -> Environ:
    """Variables of a server for two callers."""
    return {**environ, "MTU_SERVER_TOKENS": TEAM}


def by_issuer(environ: Environ, issuer: Issuer) -> Environ:
    """Variables of a server that takes an issuer's tokens."""
    return {**environ, "MTU_JWT_ISSUER": issuer.address, "MTU_JWT_AUDIENCE": AUDIENCE}


@every_way
async def test_a_caller_with_a_token_is_served(team: Environ, cell: Cell) -> None:
    """RFC 6750: the token in the Authorization header, in both protocol eras and on the older transport."""
    async with serving(team, cell.transport) as served, served.caller(ANN, cell.era) as client:
        assert "42" in text_of(await client.call_tool("chat", {"prompt": "What is 6 * 7?"}))


WRONG: dict[str, list[str]] = {
    "none": [],
    "empty": ["Bearer"],
    "another": ["Bearer " + "x" * 20],
    "a beginning": ["Bearer " + ANN[:-1]],
    "one too long": ["Bearer " + ANN + "0"],
    "other case": ["Bearer " + ANN.upper()],
    "with its name": [f"Bearer ann:{ANN}"],
    "basic": ["Basic " + base64.b64encode(f"ann:{ANN}".encode()).decode()],
    "bare": [ANN],
    "twice": [f"Bearer {ANN}", f"Bearer {BOB}"],
    "two in one": [f"Bearer {ANN}, Bearer {BOB}"],
    "not ASCII": ["Bearer tökén-0123456789"],
    "endless": ["Bearer " + "a" * 20_000],
}


@pytest.mark.parametrize("given", WRONG.values(), ids=WRONG)
async def test_without_the_right_token_nothing_is_served(team: Environ, given: list[str]) -> None:
    """RFC 6750, section 3: 401 and a challenge, on every path; which part was wrong is not said."""
    async with serving(team) as served:
        for path in ("/mcp", "/messages/?session_id=0", "/anything", "/mcp?access_token=" + ANN):
            answer = await knock(served.base, *given, path=path)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert ANN not in answer.text


async def test_a_wrong_token_is_told_from_none(team: Environ) -> None:
    """RFC 6750, section 3.1: no error code where no token was sent, so that a client knows to fetch one."""
    async with serving(team) as served:
        assert (await knock(served.base)).headers["www-authenticate"] == "Bearer"
        assert 'error="invalid_token"' in (await knock(served.base, "Bearer nobody")).headers["www-authenticate"]


async def test_tokens_are_demanded_of_the_older_stream_too(team: Environ) -> None:
    """Our promise: every transport has the same door."""
    async with serving(team, "sse") as served, httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"{served.base}/sse")).status_code == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_is_read_in_any_case(team: Environ, scheme: str) -> None:
    """RFC 9110, section 11.1: the scheme is case-insensitive."""
    async with serving(team) as served:
        assert (await knock(served.base, f"{scheme} {ANN}")).status_code == 200


def test_every_listed_token_is_compared(environ: Environ) -> None:
    """Our promise: tokens are compared by their digests in constant time, so neither length nor order leaks."""
    settings = Settings.read({"MTU_SERVER_TOKENS": TEAM + ",an-unnamed-0123456789"})
    verifier = Verifier(settings.server_tokens)
    owners = [anyio.run(verifier.verify, token) for token in (ANN, BOB, "an-unnamed-0123456789", "nobody")]
    assert [one.client_id if one else None for one in owners[:2]] == ["ann", "bob"]
    assert owners[2] is not None
    assert owners[2].client_id.startswith("token:")
    assert "unnamed" not in owners[2].client_id
    assert owners[3] is None
    assert all(one.token == "" for one in owners if one)


def test_an_unnamed_token_keeps_its_owner_wherever_it_stands() -> None:
    """Our promise: a token put before it in the list does not hand one caller's things to another."""
    alone = Settings.read({"MTU_SERVER_TOKENS": "an-unnamed-0123456789"}).server_tokens
    second = Settings.read({"MTU_SERVER_TOKENS": f"another-{ANN},an-unnamed-0123456789"}).server_tokens
    found = [anyio.run(Verifier(tokens).verify, "an-unnamed-0123456789") for tokens in (alone, second)]
    assert found[0] is not None
    assert found[0] == found[1]


TOKEN_PROBLEMS = {
    "short": "ann:abc",
    "all the same": "ann:" + "a" * 30,
    "with a space": "ann:0123456789 abcdefgh",
    "a bad name": f"a b:{ANN}",
    "no name": f":{ANN}",
    "twice": f"ann:{ANN},bob:{ANN}",
    "not ASCII": "ann:tökén-0123456789",
}


@pytest.mark.parametrize("raw", TOKEN_PROBLEMS.values(), ids=TOKEN_PROBLEMS)
def test_a_token_that_is_none_is_a_problem_that_does_not_quote_it(raw: str) -> None:
    """Our promise: problems are shown to callers and logged, so no part of a token may stand in one."""
    settings = Settings.read({"MTU_SERVER_TOKENS": raw})
    [problem] = settings.problems
    assert problem.startswith("MTU_SERVER_TOKENS ")
    assert raw.rpartition(":")[2][:6] not in problem
    with pytest.raises(SettingsError, match="MTU_SERVER_TOKENS"):
        require_way_in(settings, "127.0.0.1", LOOPBACK)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "127.0.0.2", "192.168.1.5", "mcp.example.com"])
def test_another_bind_wants_tokens_or_an_issuer(host: str) -> None:
    """Our promise: what others can reach is never open to everybody."""
    with pytest.raises(SettingsError, match=r"MTU_SERVER_TOKENS.*MTU_JWT_ISSUER.*127\.0\.0\.1"):
        require_way_in(Settings(), host, LOOPBACK)
    require_way_in(Settings.read({"MTU_SERVER_TOKENS": TEAM}), host, LOOPBACK)
    require_way_in(Settings.read({"MTU_JWT_ISSUER": "https://id.example", "MTU_JWT_AUDIENCE": "x"}), host, LOOPBACK)


@pytest.mark.parametrize(
    "halves",
    [
        {"MTU_JWT_ISSUER": "https://id.example"},
        {"MTU_JWT_AUDIENCE": "x"},
        {"MTU_JWT_JWKS": "https://id.example/keys"},
        {"MTU_JWT_ISSUER": "http://id.example", "MTU_JWT_AUDIENCE": "x"},
        {"MTU_JWT_ISSUER": "https://id.example?a=1", "MTU_JWT_AUDIENCE": "x"},
        {"MTU_JWT_ISSUER": "https://a:b@id.example", "MTU_JWT_AUDIENCE": "x"},
        {"MTU_JWT_ISSUER": "https://id.example", "MTU_JWT_AUDIENCE": "x", "MTU_JWT_JWKS": "http://id.example/keys"},
        {"MTU_ALLOWED_HOSTS": "*"},
        {"MTU_ALLOWED_HOSTS": "https://mcp.example.com"},
    ],
    ids=str,
)
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_half_a_way_in_is_none(halves: Environ, host: str) -> None:
    """RFC 8725, section 3.9: without an audience, a token for any other service would do; so nobody starts without."""
    with pytest.raises(SettingsError, match="MTU_"):
        require_way_in(Settings.read(halves), host, LOOPBACK)


@pytest.mark.parametrize("transport", ["http", "sse"])
def test_a_wide_bind_starts_only_with_tokens(environ: Environ, transport: str) -> None:
    """Our promise: it refuses with the sentence that helps, and serves once that is done."""
    command = ("serve", "--transport", transport, "--host", "0.0.0.0", "--port", "0")
    refused = run(environ, *command)
    assert refused.returncode == 1
    assert "MTU_SERVER_TOKENS" in refused.stderr
    with running({**environ, "MTU_SERVER_TOKENS": TEAM}, *command) as child:
        port = int(child.error_line("listening on").rpartition("/")[0].rpartition(":")[2])
        url = f"http://127.0.0.1:{port}/{'sse' if transport == 'sse' else 'mcp'}"
        hello = json.dumps(request(1, "initialize", HELLO)).encode()
        with httpx.Client(trust_env=False, timeout=PATIENCE) as client:
            method = "GET" if transport == "sse" else "POST"
            assert client.request(method, url, content=hello, headers=JSON).status_code == 401
            with client.stream(
                method, url, content=hello, headers={**JSON, "Authorization": f"Bearer {ANN}"}
            ) as answer:
                assert answer.status_code == 200
            foreign = {**JSON, "Authorization": f"Bearer {ANN}", "Host": "mcp.example.com"}
            answer = client.request(method, url, content=hello, headers=foreign)
            assert answer.status_code == 421
            assert "MTU_ALLOWED_HOSTS" in answer.text
        assert ANN not in child.stderr


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("mcp.example.com", "", 200),
        ("mcp.example.com:8443", "https://mcp.example.com", 200),
        ("other.example.com:8443", "", 200),
        ("other.example.com:8444", "", 421),
        ("evil.example", "", 421),
        ("mcp.example.com.evil.example", "", 421),
        ("mcp.example.com", "https://evil.example", 403),
    ],
)
async def test_names_that_are_allowed_are_answered(team: Environ, host: str, origin: str, status: int) -> None:
    """MCP transports, security warning: Host and Origin are checked on every bind; the refusal says what to set."""
    names = "mcp.example.com, other.example.com:8443"
    async with serving({**team, "MTU_ALLOWED_HOSTS": names}) as served:
        headers = {"Host": host, **({"Origin": origin} if origin else {})}
        answer = await knock(served.base, f"Bearer {ANN}", **headers)
        assert answer.status_code == status
        assert ("MTU_ALLOWED_HOSTS" in answer.text) == (status != 200)


def test_an_address_for_everybody_is_no_name() -> None:
    """Our promise: 0.0.0.0 is where a server listens, not what it is called."""
    assert not [name for name in security("0.0.0.0").allowed_hosts if "0.0.0.0" in name]
    assert "[fe80::1]:*" in security("fe80::1").allowed_hosts


# --- tokens that an issuer signed ---


@every_way
async def test_a_token_of_the_issuer_lets_its_subject_in(environ: Environ, cell: Cell) -> None:
    """OpenID Connect Discovery and RFC 7519: keys where the metadata says, the subject as the caller."""
    async with issuing() as issuer, serving(by_issuer(environ, issuer), cell.transport) as served:
        async with served.caller(issuer.token(), cell.era) as client:
            assert "42" in text_of(await client.call_tool("chat", {"prompt": "What is 6 * 7?"}))
        assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


@pytest.mark.parametrize("algorithm", ["RS256", "RS512", "PS256", "PS384", "ES256", "ES384", "ES512", "EdDSA"])
async def test_every_algorithm_of_the_list_is_taken(algorithm: str) -> None:
    """RFC 7518 and RFC 8037."""
    key = fresh_key(algorithm)
    async with issuing(key=key, keys=[public(key, "first", algorithm, alg=algorithm, use="sig")]) as issuer:
        assert await verified(issuer, issuer.token(algorithm=algorithm))


async def verified(issuer: Issuer, token: str, **keys: Any) -> Any:
    """What a verifier makes of a token."""
    verifier = Verifier((), issuer.address, AUDIENCE, IssuerKeys(issuer.address, **keys))
    return await verifier.verify(token)


def unsigned(issuer: Issuer, algorithm: str = "none", **header: Any) -> str:
    """A token with no signature."""
    _, claims, _ = issuer.token().split(".")
    return f"{part({'alg': algorithm, 'typ': 'JWT', 'kid': 'first', **header})}.{claims}."


def with_public_key_as_secret(issuer: Issuer, algorithm: str = "HS256") -> str:
    """A token signed with what everybody can fetch: the public key as HMAC's secret."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    secret = issuer.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = f"{part({'alg': algorithm, 'typ': 'JWT', 'kid': 'first'})}.{issuer.token().split('.')[1]}"
    return f"{head}.{encoded(hmac.digest(secret, head.encode(), hashlib.sha256))}"


def part(value: Any) -> str:
    return encoded(json.dumps(value).encode())


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def changed(issuer: Issuer) -> str:
    head, claims, signature = issuer.token().split(".")
    told = json.loads(base64.urlsafe_b64decode(claims + "=="))
    return f"{head}.{part({**told, 'sub': 'bob'})}.{signature}"


def own_key(issuer: Issuer, **header: Any) -> str:
    """A token signed by a key of the attacker's own."""
    mine = fresh_key()
    brought = {name: mine_of(mine, value) for name, value in header.items()}
    return issuer.token(key=mine, headers=brought)


def mine_of(key: Any, value: Any) -> Any:
    return public(key, "first") if value == "mine" else value


FORGED: dict[str, Callable[[Issuer], str]] = {
    "nothing at all": lambda _: "..",
    "no token": lambda _: "a.b.c",
    "five parts": lambda it: it.token() + ".x.y",
    "alg none": unsigned,
    "alg NONE": lambda it: unsigned(it, "NONE"),
    "alg of no text": lambda it: unsigned(it, ["ES256"]),  # type: ignore[arg-type]
    "signature taken off": lambda it: it.token().rpartition(".")[0] + ".",
    "HS256 with the public key": with_public_key_as_secret,
    "HS512 with the public key": lambda it: with_public_key_as_secret(it, "HS512"),
    "claims changed": changed,
    "another's key": own_key,
    "key in the header": lambda it: own_key(it, jwk="mine"),
    "address of keys in the header": lambda it: own_key(it, jku="https://evil.example/keys"),
    "certificate in the header": lambda it: own_key(it, x5u="https://evil.example/cert", x5c=["MII"]),
    "kid of a path": lambda it: own_key(it, kid="../../../../dev/null"),
    "kid of an address": lambda it: own_key(it, kid="https://evil.example/keys"),
    "kid of SQL": lambda it: own_key(it, kid="x' UNION SELECT 'k"),
    "endless kid": lambda it: own_key(it, kid="k" * 5_000),
    "unknown kid": lambda it: it.token(headers={"kid": "second"}),
    "critical header": lambda it: it.token(headers={"crit": ["exp"], "exp": 1}),
    "a log-out token": lambda it: it.token(headers={"typ": "logout+jwt"}),
    "expired": lambda it: it.token(exp=1),
    "never expires": lambda it: it.token(exp=None),
    "expires in words": lambda it: it.token(exp="tomorrow"),
    "expires at infinity": lambda it: it.token(exp=float("inf")),
    "of the future": lambda it: it.token(nbf=32503680000),
    "issued in the future": lambda it: it.token(iat=32503680000),
    "another issuer": lambda it: it.token(iss="https://evil.example"),
    "the issuer with a slash": lambda it: it.token(iss=it.address + "/"),
    "issuers": lambda it: it.token(iss=[it.address]),
    "no issuer": lambda it: it.token(iss=None),
    "another audience": lambda it: it.token(aud="https://other.example"),
    "part of the audience": lambda it: it.token(aud=AUDIENCE[:-1]),
    "no audience": lambda it: it.token(aud=None),
    "no subject": lambda it: it.token(sub=None),
    "empty subject": lambda it: it.token(subject=""),
    "subject with a line break": lambda it: it.token(subject="ann\nbob"),
    "endless subject": lambda it: it.token(subject="a" * 300),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
async def test_a_token_that_is_not_as_it_must_be_lets_nobody_in(
    environ: Environ, forge: Callable[[Issuer], str]
) -> None:
    """RFC 8725: algorithm confusion, none, keys and addresses the sender brings, other issuers and audiences, time."""
    async with issuing() as issuer, serving(by_issuer(environ, issuer)) as served:
        token = forge(issuer)
        answer = await knock(served.base, f"Bearer {token}")
        assert answer.status_code == 401, token
        assert "invalid_token" in answer.headers["www-authenticate"]
        assert (await knock(served.base, f"Bearer {issuer.token()}")).status_code == 200
        assert set(issuer.asked) <= {"/.well-known/openid-configuration", "/keys"}


async def test_several_audiences_may_hold_ours() -> None:
    """RFC 7519, section 4.1.3; and 30 s by which clocks differ."""
    async with issuing() as issuer:
        assert await verified(issuer, issuer.token(aud=["https://other.example", AUDIENCE]))
        assert await verified(issuer, issuer.token(headers={"typ": "at+jwt"}))


KEYS: dict[str, Callable[[Issuer], Any]] = {
    "for encryption": lambda it: {"keys": [public(it.key, "first", use="enc")]},
    "for signing alone": lambda it: {"keys": [public(it.key, "first", key_ops=["sign"])]},
    "for another algorithm": lambda it: {"keys": [public(it.key, "first", alg="ES384")]},
    "a shared secret": lambda it: {"keys": [{"kty": "oct", "kid": "first", "k": "c2VjcmV0", "alg": "ES256"}]},
    "two of one name": lambda it: {"keys": [public(it.key, "first"), public(fresh_key(), "first")]},
    "broken": lambda it: {"keys": [{**public(it.key, "first"), "x": "!"}]},
    "no keys": lambda _: {"keys": []},
}


@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS)
async def test_a_key_not_meant_for_it_verifies_nothing(keys: Callable[[Issuer], Any]) -> None:
    """RFC 7517, section 4: use, key_ops, alg and kid say what a key is for."""
    async with issuing() as issuer:
        issuer.pages["/keys"] = lambda: keys(issuer)
        assert await verified(issuer, issuer.token()) is None


PAGES: dict[str, Callable[[Issuer], Any]] = {
    "huge": lambda it: b'{"keys": [' + b" " * 300_000 + json.dumps(public(it.key, "first")).encode() + b"]}",
    "many": lambda it: {"keys": [public(it.key, f"key-{number}") for number in range(MOST_KEYS)] + it.keys},
    "no JSON": lambda _: b"<html>",
    "deep": lambda _: b"[" * 100_000,
    "a list": lambda it: it.keys,
    "keys of no list": lambda it: {"keys": it.keys[0]},
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
async def test_what_an_issuer_answers_is_bounded(page: Callable[[Issuer], Any]) -> None:
    """Our promise: bytes, keys and depth have limits; nobody is let in then, and it is said that it is not their fault."""
    async with issuing() as issuer:
        issuer.pages["/keys"] = lambda: page(issuer)
        with pytest.raises(Unreachable, match="issuer"):
            await verified(issuer, issuer.token())


async def test_a_slow_issuer_holds_up_nobody_else(environ: Environ) -> None:
    """Our promise: while keys are waited for, callers with tokens of the list are served; then 503, not 401."""
    async with issuing(slow=True) as issuer:
        variables = {**by_issuer(environ, issuer), "MTU_SERVER_TOKENS": TEAM}
        async with serving(variables) as served, anyio.create_task_group() as tasks:
            tasks.start_soon(knock, served.base, f"Bearer {issuer.token()}")
            while not issuer.asked:
                await anyio.lowlevel.checkpoint()
            assert (await knock(served.base, f"Bearer {ANN}")).status_code == 200
            tasks.cancel_scope.cancel()
        with pytest.raises(Unreachable):
            await verified(issuer, issuer.token(), seconds=0.1)


async def test_an_issuer_that_is_gone_is_no_fault_of_the_caller(environ: Environ) -> None:
    """RFC 9110: 503 with Retry-After; 401 would send a client off to fetch a token it has."""
    async with issuing() as issuer:
        issuer.pages.clear()
        async with serving(by_issuer(environ, issuer)) as served:
            answer = await knock(served.base, f"Bearer {issuer.token()}")
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0


class Clock:
    """Time that stands still until it is told to move."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_rotated_keys_are_fetched_but_not_for_everybody_who_asks() -> None:
    """Our promise: a new name makes us ask the issuer, at most once in 30 s whatever names callers send."""
    clock = Clock()
    async with issuing() as issuer:
        verifier = Verifier((), issuer.address, AUDIENCE, IssuerKeys(issuer.address, clock=clock))
        old = issuer.token()
        assert await verifier.verify(old)
        issuer.key, issuer.kid = fresh_key(), "second"
        issuer.keys = [public(issuer.key, "second")]
        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(verifier.verify, issuer.token(headers={"kid": f"made-up-{number}"}))
        assert issuer.asked.count("/keys") == 1
        clock.now += FLOOR
        assert await verifier.verify(issuer.token())
        assert issuer.asked.count("/keys") == 2
        assert await verifier.verify(old) is None


async def test_known_keys_hold_while_the_issuer_is_away_but_not_for_ever() -> None:
    """Our promise: an hour without asking, a day without an answer, and then nobody is let in."""
    clock = Clock()
    async with issuing() as issuer:
        verifier = Verifier((), issuer.address, AUDIENCE, IssuerKeys(issuer.address, clock=clock))
        assert await verifier.verify(issuer.token())
        issuer.pages["/keys"] = lambda: b"out of order"
        clock.now += KEPT + 1
        assert await verifier.verify(issuer.token())
        assert issuer.asked.count("/keys") == 2
        clock.now += STALE
        with pytest.raises(Unreachable):
            await verifier.verify(issuer.token())


async def test_a_withdrawn_key_stops_within_the_hour() -> None:
    """Our promise: keys are fetched anew after an hour, also when the one asked for is known."""
    clock = Clock()
    async with issuing() as issuer:
        verifier = Verifier((), issuer.address, AUDIENCE, IssuerKeys(issuer.address, clock=clock))
        assert await verifier.verify(issuer.token())
        issuer.keys = [public(fresh_key(), "second")]
        clock.now += KEPT + 1
        assert await verifier.verify(issuer.token()) is None


async def test_a_token_without_a_name_for_its_key_takes_the_only_one() -> None:
    """RFC 7515, section 4.1.4: kid is optional; with two keys nobody could say which."""
    async with issuing() as issuer:
        assert await verified(issuer, issuer.token(headers={"kid": None}))
        issuer.keys.append(public(fresh_key(), "second"))
        assert await verified(issuer, issuer.token(headers={"kid": None})) is None


METADATA: dict[str, tuple[dict[str, Callable[[Issuer], Any]], bool]] = {
    "RFC 8414": ({"/.well-known/oauth-authorization-server": lambda it: it.metadata()}, True),
    "the usual place": ({"/.well-known/jwks.json": lambda it: {"keys": it.keys}}, True),
    "another issuer's": (
        {"/.well-known/openid-configuration": lambda it: {**it.metadata(), "issuer": "https://evil.example"}},
        False,
    ),
    "keys over http": (
        {"/.well-known/openid-configuration": lambda it: {**it.metadata(), "jwks_uri": "http://evil.example/keys"}},
        False,
    ),
    "keys in a file": (
        {"/.well-known/openid-configuration": lambda it: {**it.metadata(), "jwks_uri": "file:///etc/passwd"}},
        False,
    ),
}


@pytest.mark.parametrize(("pages", "good"), METADATA.values(), ids=METADATA)
async def test_keys_are_looked_for_where_the_issuer_says(pages: dict[str, Callable[[Issuer], Any]], good: bool) -> None:
    """OpenID Connect Discovery 1.0, RFC 8414 section 3.3: the metadata is the issuer's own, keys come over https."""
    async with issuing() as issuer:
        del issuer.pages["/.well-known/openid-configuration"]
        for path, page in pages.items():
            issuer.pages[path] = lambda page=page: page(issuer)
        if good:
            assert await verified(issuer, issuer.token())
        else:
            with pytest.raises(Unreachable):
                await verified(issuer, issuer.token())
            assert "/keys" not in issuer.asked


async def test_clients_are_told_where_tokens_come_from(environ: Environ) -> None:
    """RFC 9728 and MCP authorization: the challenge leads to the metadata, the metadata to the issuer."""
    async with issuing() as issuer, httpx.AsyncClient(trust_env=False) as client:
        async with serving({**by_issuer(environ, issuer), "MTU_JWT_AUDIENCE": "mtu"}) as served:
            challenge = (await knock(served.base)).headers["www-authenticate"]
            where = challenge.partition('resource_metadata="')[2].partition('"')[0]
            assert where == f"{served.base}/.well-known/oauth-protected-resource/mcp"
            told = (await client.get(where)).json()
            assert told["resource"] == f"{served.base}/mcp"
            assert told["authorization_servers"] == [issuer.address]
            foreign = await client.get(where, headers={"Host": "evil.example"})
            assert foreign.status_code == 404
        async with serving(by_issuer(environ, issuer)) as served:
            assert (
                "https://mcp.example.com/.well-known/oauth-protected-resource/mcp"
                in (await knock(served.base)).headers["www-authenticate"]
            )


async def test_without_an_issuer_there_is_no_metadata(team: Environ) -> None:
    """RFC 9728: 404 says that there is none."""
    async with serving(team) as served, httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"{served.base}/.well-known/oauth-protected-resource/mcp")).status_code == 404
        assert "resource_metadata" not in (await knock(served.base)).headers["www-authenticate"]


async def test_a_name_of_the_list_is_no_subject_of_the_issuer(environ: Environ) -> None:
    """Our promise: whoever the issuer calls "ann" does not get what the list's "ann" owns."""
    async with issuing() as issuer, serving({**by_issuer(environ, issuer), "MTU_SERVER_TOKENS": TEAM}) as served:
        async with served.caller(ANN) as client:
            await client.call_tool("chat", {"prompt": "Hello", "conversation": "plans"})
        async with served.caller(issuer.token("ann")) as client:
            [content] = (await client.read_resource("mtu://conversations")).contents
            assert isinstance(content, TextResourceContents)
            assert json.loads(content.text) == []


def test_a_port_is_not_open_before_it_is_known_who_may_come(environ: Environ) -> None:
    """Our promise: the check comes before the socket."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = run(environ, "serve", "--transport", "http", "--host", "0.0.0.0", "--port", str(port))
    assert done.returncode == 1
    assert "listening" not in done.stderr


async def test_the_door_is_the_same_for_today_and_yesterday(team: Environ) -> None:
    """Our promise: asking for another protocol version is no way round the token."""
    async with serving(team) as served:
        for version in (MODERN, "2025-11-25", "1999-01-01", ""):
            answer = await knock(served.base, **{"MCP-Protocol-Version": version})
            assert answer.status_code == 401
