import datetime
import gc
import ipaddress
import socket
import ssl
import threading
from contextlib import asynccontextmanager

import anyio.to_thread
import httpx
import pytest
import uvicorn

from media import samples
from mtu_mcp.errors import BadInput, LimitExceeded, MtuError, NotFound, StorageError, Unreachable, UrlNotAllowed
from mtu_mcp.media import Library, Workspace, fetch, open_reference

PNG = samples.picture()
INSIDE = [
    "10.0.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "0.0.0.0",
    "100.64.0.1",
    "224.0.0.1",
    "::1",
    "fd00:ec2::254",
    "::ffff:10.0.0.1",
]


class Names:
    """A resolver that knows what it is told and counts."""

    def __init__(self, **known):
        self.known = {
            name.replace("_", "."): value if isinstance(value, list) else [value] for name, value in known.items()
        }
        self.asked = []

    async def __call__(self, host, port):
        self.asked.append((host, port))
        if host not in self.known:
            raise OSError("unknown")
        answers = self.known[host]
        return answers.pop(0) if isinstance(answers[0], list) else answers


def wire(answer):
    """A transport that notes what was sent and answers."""
    seen = []

    def handle(request):
        seen.append(request)
        return answer(request) if callable(answer) else answer

    return httpx.MockTransport(handle), seen


async def get(url, resolver=None, answer=None, **options):
    transport, seen = wire(answer or httpx.Response(200, content=PNG))
    options = {"max_bytes": 100_000, "timeout": 10, **options}
    found = await fetch(url, resolver=resolver or Names(example_com="93.184.216.34"), transport=transport, **options)
    return found, seen


async def test_the_checked_address_is_the_one_asked_under_the_hosts_name():
    """Our promise: a second look-up cannot change the answer (DNS rebinding)."""
    resolver = Names(example_com=[["93.184.216.34"], ["127.0.0.1"]])
    found, seen = await get("https://example.com:8443/a/My%20Cat.png?x=1", resolver)
    assert (found.data, found.mime, found.name) == (PNG, "image/png", "My-Cat.png")
    assert str(seen[0].url) == "https://93.184.216.34:8443/a/My%20Cat.png?x=1"
    assert seen[0].headers["host"] == "example.com:8443"
    assert seen[0].extensions["sni_hostname"] == "example.com"
    assert resolver.asked == [("example.com", 8443)]


async def test_nothing_secret_and_no_compression_is_sent():
    """Our promise: a download knows no key and no cookie, and asks for plain bytes."""
    _, seen = await get("https://example.com/a.png")
    assert seen[0].headers["accept-encoding"] == "identity"
    assert not {"authorization", "cookie"} & set(seen[0].headers)


@pytest.mark.parametrize("address", INSIDE)
async def test_a_name_that_leads_inside_is_refused_before_connecting(address):
    """Our promise: every resolved address is judged, the second as the first."""
    transport, seen = wire(httpx.Response(200))
    with pytest.raises(UrlNotAllowed, match="public"):
        await fetch(
            "https://example.com/",
            max_bytes=9,
            timeout=9,
            resolver=Names(example_com=["93.184.216.34", address]),
            transport=transport,
        )
    assert seen == []


EVIL = [
    "http://example.com/a.png",
    "ftp://example.com/a.png",
    "file:///etc/passwd",
    "gopher://example.com/",
    "//example.com/a.png",
    "example.com/a.png",
    "https:///a.png",
    "https://",
    "https:example.com",
    "https://user@example.com/",
    "https://user:pass@example.com/",
    "https://example.com@127.0.0.1/",
    "https://@example.com/",
    "https://example.com\\@127.0.0.1/",
    "https://example.com /",
    "https://example.com/a b",
    "https://example.com/\r\nHost: x",
    "https://exa\tmple.com/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://127.0.0.1/",
    "https://127.0.0.1./",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[fe80::1%25eth0]/",
    "https://[::1",
    "https://[v1.x]/",
    "https://１２７.0.0.1/",
    "https://127。0。0。1/",
    "https://①②⑦.0.0.1/",
    "https://localhost/",
    "https://localhost./",
    "https://LOCALHOST/",
    "https://%6c%6f%63alhost/",
    "https://169.254.169.254/latest/meta-data/",
    "https://metadata.google.internal/",
    "https://example.com:99999/",
    "https://" + "a" * 300 + ".com/",
    "https://example.com/" + "a" * 9000,
    "",
]


@pytest.mark.parametrize("url", EVIL, ids=lambda url: ascii(url)[:40])
async def test_an_evil_address_is_refused_in_words_and_never_asked(url):
    """Our promise: https, a plain public host, nothing in disguise."""

    async def resolver(host, port):
        inside = {"localhost": "127.0.0.1", "metadata.google.internal": "169.254.169.254"}
        name = host.rstrip(".").lower()
        try:
            return [str(ipaddress.ip_address(name.strip("[]")))]
        except ValueError:
            return [inside[name]] if name in inside else []

    transport, seen = wire(httpx.Response(200))
    with pytest.raises(MtuError) as caught:
        await fetch(url, max_bytes=9, timeout=9, resolver=resolver, transport=transport)
    assert seen == []
    assert len(str(caught.value)) < 600


def moves(*places):
    left = list(places)

    def answer(request):
        return httpx.Response(302, headers={"location": left.pop(0)}) if left else httpx.Response(200, content=PNG)

    return answer


async def test_a_redirect_is_followed_and_judged_again():
    """Our promise: each step is resolved and judged by itself."""
    resolver = Names(example_com="93.184.216.34", cdn_example_com="1.1.1.1")
    found, seen = await get("https://example.com/a", resolver, moves("/b", "https://cdn.example.com/c.png"))
    assert found.name == "c.png"
    assert [(request.url.host, request.headers["host"]) for request in seen] == [
        ("93.184.216.34", "example.com"),
        ("93.184.216.34", "example.com"),
        ("1.1.1.1", "cdn.example.com"),
    ]


@pytest.mark.parametrize(
    "place",
    [
        "http://example.com/",
        "https://inside.example.com/",
        "https://127.0.0.1/",
        "file:///etc/passwd",
        "https://a:b@example.com/",
        "https://0x7f.1/",
        "//[::1]/",
    ],
)
async def test_a_redirect_to_a_closed_place_is_refused(place):
    """Our promise: redirects are no way around the rules."""
    names = {
        "example.com": ["93.184.216.34"],
        "inside.example.com": ["10.0.0.1"],
        "127.0.0.1": ["127.0.0.1"],
        "::1": ["::1"],
    }

    async def resolver(host, port):
        return names[host.strip("[]")]

    with pytest.raises(UrlNotAllowed):
        await get("https://example.com/", resolver, moves(place))


async def test_permission_for_one_private_address_does_not_reach_further():
    """Our promise: what is allowed for the configured gateway is not allowed for where it points."""
    resolver = Names(gateway="127.0.0.1", inside="10.0.0.1")
    found, _ = await get("http://gateway:8000/a", resolver, moves("/b.png"), allow_http=True, allow_private=True)
    assert found.data == PNG
    for place in ("https://inside/", "http://gateway:22/", "https://gateway/"):
        with pytest.raises(UrlNotAllowed):
            await get("http://gateway:8000/a", resolver, moves(place), allow_http=True, allow_private=True)


async def test_redirects_end():
    """Our promise: at most five."""
    with pytest.raises(UrlNotAllowed, match="redirects"):
        await get("https://example.com/", None, moves(*["/again"] * 9))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, NotFound),
        (410, NotFound),
        (403, BadInput),
        (401, BadInput),
        (429, Unreachable),
        (500, Unreachable),
        (204, Unreachable),
    ],
)
async def test_a_server_that_does_not_deliver_is_told_with_its_status(status, error):
    """RFC 9110."""
    with pytest.raises(error, match=str(status)):
        await get("https://example.com/", None, httpx.Response(status))


async def test_compressed_answers_are_not_unpacked():
    """Our promise: no decompression, so no bombs."""
    with pytest.raises(Unreachable, match="gzip"):
        await get("https://example.com/", None, httpx.Response(200, headers={"content-encoding": "gzip"}, content=b""))


async def test_an_announced_size_is_refused_before_a_byte_is_read():
    """Our promise: limits come first."""
    with pytest.raises(LimitExceeded, match="5,000,000 bytes; at most 100,000"):
        await get("https://example.com/", None, httpx.Response(200, headers={"content-length": "5000000"}))


async def test_an_unknown_name_is_told():
    """Our promise: every error says what happened."""
    for resolver in (Names(), Names(example_com=[[]])):
        with pytest.raises(Unreachable, match=r"example\.com"):
            await get("https://example.com/", resolver)


async def test_the_next_address_is_tried_when_one_does_not_connect():
    """Many names have an IPv6 address that many networks cannot reach."""

    def answer(request):
        if request.url.host == "2606:4700::1111":
            raise httpx.ConnectError("no route")
        return httpx.Response(200, content=PNG)

    found, seen = await get("https://example.com/", Names(example_com=["2606:4700::1111", "1.1.1.1"]), answer)
    assert found.data == PNG
    assert len(seen) == 2


async def answers(scope, receive, send):
    """A picture, its own host's name, far more than was asked for, or nothing at all."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/stall":
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    for _ in range(1000 if scope["path"] == "/flood" else 0):
        await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
    host = dict(scope["headers"])[b"host"]
    await send({"type": "http.response.body", "body": PNG if scope["path"] == "/a.png" else host})


@asynccontextmanager
async def serving(**options):
    config = uvicorn.Config(answers, log_level="critical", lifespan="off", timeout_graceful_shutdown=1, **options)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await anyio.to_thread.run_sync(thread.join)


async def local(host, port):
    return ["127.0.0.1"]


async def test_a_flood_is_stopped_at_the_limit():
    """Our promise: bytes are counted as they come, announced or not."""
    async with serving() as port:
        url = f"http://example.com:{port}"
        options = {"timeout": 30, "allow_http": True, "allow_private": True, "resolver": local}
        assert (await fetch(f"{url}/a.png", max_bytes=10_000, **options)).data == PNG
        with pytest.raises(LimitExceeded, match="more than 1,000,000"):
            await fetch(f"{url}/flood", max_bytes=1_000_000, **options)


async def test_a_stall_ends_with_the_time_limit():
    """Our promise: one limit for everything."""
    async with serving() as port:
        with pytest.raises(Unreachable, match=r"0\.2 s"):
            await fetch(
                f"http://example.com:{port}/stall",
                max_bytes=9,
                timeout=0.2,
                allow_http=True,
                allow_private=True,
                resolver=local,
            )


async def test_without_permission_the_own_machine_is_not_asked():
    """Our promise, against a server that would answer."""
    async with serving() as port:
        with pytest.raises(UrlNotAllowed):
            await fetch(f"http://127.0.0.1:{port}/a.png", max_bytes=9, timeout=9, allow_http=True)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for pictures.example alone, and the file with its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pictures.example")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(1)
    )
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("pictures.example")]), critical=False)
    signed = made.sign(key, hashes.SHA256())
    folder = tmp_path_factory.mktemp("tls")
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "cert.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    return folder


async def test_over_tls_the_certificate_is_checked_for_the_hosts_name(certificate):
    """RFC 9110, 4.3.4: the connection goes to an address, the certificate must still be the name's."""
    trust = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
    files = {"ssl_certfile": str(certificate / "cert.pem"), "ssl_keyfile": str(certificate / "key.pem")}
    async with serving(**files) as port:
        options = {"max_bytes": 9999, "timeout": 30, "allow_private": True, "resolver": local}
        found = await fetch(
            f"https://pictures.example:{port}/host", transport=httpx.AsyncHTTPTransport(verify=trust), **options
        )
        assert found.data == f"pictures.example:{port}".encode()
        with pytest.raises(Unreachable, match=r"(?i)certificate"):
            await fetch(
                f"https://other.example:{port}/host", transport=httpx.AsyncHTTPTransport(verify=trust), **options
            )
        with pytest.raises(Unreachable):
            await fetch(f"https://pictures.example:{port}/host", **options)


async def flood(total):
    for _ in range(total // 65_536):
        yield PNG.ljust(65_536, b"\0")


async def test_a_large_download_lies_on_the_disk_until_nobody_wants_it_any_more(tmp_path):
    """Our promise: what is larger than memory is never held; nothing of it stays behind."""
    from mtu_mcp.media.spool import HELD, Spool

    async def download(url, max_bytes):
        answer = httpx.Response(200, content=flood(3 * HELD))
        return (await get(url, answer=answer, max_bytes=max_bytes, spool=lambda: Spool(tmp_path)))[0]

    workspace, library = Workspace([], tmp_path / "made", keep_metadata=True), Library(tmp_path / "made")
    options = {"workspace": workspace, "library": library, "families": ("image",), "keep_urls": False}
    media = await open_reference("https://example.com/large.gif", max_bytes=10 * HELD, download=download, **options)
    assert (media.data, media.size, media.name) == (None, 3 * HELD, "large.png")
    with media.open() as stream:
        assert stream.read(len(PNG)) == PNG
    assert [path.name.partition("-")[0] for path in tmp_path.glob(".*")] == [".scratch"]
    del media
    # An idle thread keeps the arguments of its last job until the next one.
    await anyio.to_thread.run_sync(gc.collect)
    assert not list(tmp_path.glob(".*"))
    with pytest.raises(LimitExceeded):
        await open_reference("https://example.com/large.gif", max_bytes=2 * HELD, download=download, **options)
    assert not list(tmp_path.glob(".*"))


async def test_a_small_download_never_touches_the_disk(tmp_path):
    """Our promise: a file is made only for what is too large to be held."""
    from mtu_mcp.media.spool import Spool

    found, _ = await get("https://example.com/a.png", spool=lambda: Spool(tmp_path))
    assert (found.data, found.spool) == (PNG, None)
    assert not list(tmp_path.iterdir())


async def test_a_spool_that_cannot_be_written_says_so(tmp_path):
    """Our promise: a full or vanished disk is an error that says what to do."""
    from mtu_mcp.media.spool import Spool

    spool = Spool(tmp_path)
    spool.write(b"one")
    spool.remove()
    with pytest.raises(StorageError, match="MTU_OUTPUT_DIR"):
        spool.write(b"two")


async def test_a_full_disk_is_not_kept_full_by_what_did_not_fit(tmp_path):
    """Our promise: nothing half-written stays, whoever still holds the error."""
    from mtu_mcp.media.spool import Spool

    spool = Spool(tmp_path)
    spool.path.mkdir()
    with pytest.raises(StorageError):
        spool.write(b"one")
    assert not list(tmp_path.iterdir())
