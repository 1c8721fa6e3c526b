"""The way to the gateway, and probes that cost nothing."""

import socket
import ssl

import httpx
import pytest

from mtu_mcp.errors import NotAuthorized, NotOffered, UpstreamFailure
from mtu_mcp.gateway import Gateway
from mtu_mcp.gateway.connections import Way, no_connection, skew, unusable, way_to
from mtu_mcp.gateway.failures import from_transport
from mtu_mcp.sandbox import Options, Sandbox
from mtu_mcp.settings import Settings

URL = "https://gateway.example/v1"


@pytest.mark.parametrize(
    ("url", "proxy", "environ", "way"),
    [
        (URL, "", {}, Way("gateway.example", 443)),
        ("http://gateway.example:8080/v1", "", {}, Way("gateway.example", 8080, plain=True)),
        (URL, "socks5://me:word@proxy", {}, Way("gateway.example", 443, "proxy:1080", "MTU_PROXY")),
        (URL, "", {"HTTPS_PROXY": "proxy:3128"}, Way("gateway.example", 443, "proxy:3128", "HTTPS_PROXY")),
        (
            URL,
            "",
            {"HTTPS_PROXY": "http://a:1", "https_proxy": "http://b:2"},
            Way("gateway.example", 443, "b:2", "https_proxy"),
        ),
        (URL, "", {"HTTPS_PROXY": "http://a:1", "https_proxy": ""}, Way("gateway.example", 443)),
        (URL, "", {"HTTP_PROXY": "http://a:1"}, Way("gateway.example", 443)),
        (URL, "", {"all_proxy": "http://a:1"}, Way("gateway.example", 443, "a:1", "all_proxy")),
        (URL, "", {"all_proxy": "http://a:1", "no_proxy": "x, .example"}, Way("gateway.example", 443)),
        (
            URL,
            "",
            {"all_proxy": "http://a:1", "NO_PROXY": "way.example"},
            Way("gateway.example", 443, "a:1", "all_proxy"),
        ),
        (URL, "", {"all_proxy": "http://a:1", "NO_PROXY": "*"}, Way("gateway.example", 443)),
        ("http://127.0.0.1:9/v1", "", {"HTTP_PROXY": "http://a:1"}, Way("127.0.0.1", 9, plain=True)),
        ("http://[::1]:9/v1", "", {"HTTP_PROXY": "http://a:1"}, Way("::1", 9, plain=True)),
    ],
)
def test_the_proxy_in_force_is_known(url: str, proxy: str, environ: dict[str, str], way: Way) -> None:
    """The conventions of urllib and httpx: small letters before capitals, NO_PROXY by domain."""
    assert way_to(url, proxy, environ) == way


@pytest.mark.parametrize(
    ("words", "mend"),
    [
        ("self-signed certificate in certificate chain", "SSL_CERT_FILE"),
        ("unable to get local issuer certificate", "SSL_CERT_FILE"),
        ("certificate has expired", "date and time"),
        ("certificate is not yet valid", "date and time"),
        ("Hostname mismatch, certificate is not valid for 'x'", "MTU_BASE_URL"),
    ],
)
def test_a_distrusted_certificate_is_told_with_what_mends_it(words: str, mend: str) -> None:
    """OpenSSL's verification errors."""
    error = no_connection(httpx.ConnectError(""), f"[SSL: CERTIFICATE_VERIFY_FAILED] {words}", Way())
    assert mend in error.advice


@pytest.mark.parametrize(
    ("raised", "detail", "said"),
    [
        (
            ssl.SSLCertVerificationError(),
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate has expired (_ssl.c:1006)",
            "(certificate has expired)",
        ),
        (ssl.SSLError(), "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)", "(wrong version number)"),
        (socket.gaierror(), "[Errno -2] Name or service not known", "(Name or service not known)"),
    ],
)
def test_a_person_reads_no_numbers_of_errors(raised: Exception, detail: str, said: str) -> None:
    """Our promise: plain words; what Python and OpenSSL put around theirs mends nothing."""
    error = httpx.ConnectError(detail)
    error.__cause__ = raised
    told = str(no_connection(error, detail, Way("gateway.example", 443)))
    assert said in told
    assert "_ssl" not in told
    assert "[" not in told


@pytest.mark.parametrize(("url", "mend"), [("http://gateway.example/v1", "https://"), (URL, "Try again.")])
def test_a_door_that_is_slammed_may_want_tls(url: str, mend: str) -> None:
    """Our promise: http:// where https:// is spoken has its one thing to do too; servers just close such connections."""
    for error in (httpx.RemoteProtocolError("Server disconnected without sending a response."), httpx.ReadError("")):
        told = from_transport(error, 10, way_to(url, environ={}))
        assert mend in told.advice
        assert told.message.startswith("The connection to the gateway broke")


@pytest.mark.parametrize(
    ("error", "proxy", "environ", "variable"),
    [
        (FileNotFoundError(2, "No such file or directory"), "", {"SSL_CERT_FILE": "/x"}, "SSL_CERT_FILE"),
        (ssl.SSLError(1, "[X509] no certificate found (_ssl.c:4149)"), "", {"SSL_CERT_DIR": "/x"}, "SSL_CERT_DIR"),
        (ValueError("Unknown scheme"), "proxy", {"HTTPS_PROXY": "ftp://x"}, "MTU_PROXY"),
        (ValueError("Unknown scheme"), "", {"HTTPS_PROXY": "x:1", "HTTP_PROXY": "ftp://x"}, "HTTP_PROXY"),
        (ValueError("Unknown scheme"), "", {"https_proxy": "http://"}, "https_proxy"),
        (ValueError("Unknown scheme"), "", {}, "the system's proxy settings"),
    ],
)
def test_of_three_variables_the_one_that_cannot_be_used_is_named(
    error: Exception, proxy: str, environ: dict[str, str], variable: str
) -> None:
    """Our promise: one thing to do, not three to look at."""
    told = unusable(error, proxy, environ)
    assert f"{variable} names" in told.message
    assert variable in told.advice
    assert "_ssl" not in told.message


def test_clocks_are_compared_by_the_date_header() -> None:
    """RFC 9110, 6.6.1."""
    assert skew({"date": "Thu, 01 Jan 1970 00:01:00 GMT"}, lambda: 90.0) == 30.0
    assert skew({"date": "yesterday"}, lambda: 90.0) is None
    assert skew({}, lambda: 90.0) is None


def gateway_of(answer: httpx.Response) -> Gateway:
    settings = Settings.read({"MTU_API_KEY": "sk-test", "MTU_MAX_RETRIES": "0"})
    return Gateway(settings, transport=httpx.MockTransport(lambda _: answer))


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(400, json={"error": {"message": "We could not parse the JSON body of your request."}}),
        httpx.Response(422, json={"detail": [{"type": "json_invalid"}]}),
        httpx.Response(500, json={"error": {"message": "unexpected end of JSON input", "type": "new_api_error"}}),
        httpx.Response(503, json={"error": {"message": "no available channel for model ", "code": "model_not_found"}}),
    ],
)
async def test_somebody_who_cannot_read_the_body_is_somebody(answer: httpx.Response) -> None:
    """OpenAI and New API refuse unreadable JSON each in their way."""
    gateway = gateway_of(answer)
    await gateway.probe("chat/completions")
    await gateway.aclose()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(404, json={"error": {"message": "Invalid URL (POST /v1/x)"}}), NotOffered),
        (
            httpx.Response(501, json={"error": {"message": "API not implemented", "code": "api_not_implemented"}}),
            NotOffered,
        ),
        (httpx.Response(405), NotOffered),
        (httpx.Response(200, html="<!doctype html><title>New API</title>"), NotOffered),
        (httpx.Response(401, json={"error": {"message": "bad"}}), NotAuthorized),
        (httpx.Response(502), UpstreamFailure),
    ],
)
async def test_nobody_and_trouble_are_told_apart(answer: httpx.Response, error: type[Exception]) -> None:
    """New API: 404 Invalid URL, 501 not implemented, and its front end's page for everything else."""
    gateway = gateway_of(answer)
    with pytest.raises(error):
        await gateway.probe("audio/speech")
    await gateway.aclose()


async def test_probes_find_what_an_embedded_gateway_lacks() -> None:
    """Over a real socket."""
    with Sandbox(Options(without=("/audio/speech",))) as lacking:
        gateway = Gateway(Settings.read({"MTU_API_KEY": "sk-test", "MTU_BASE_URL": lacking.base_url}))
        await gateway.probe("chat/completions")
        await gateway.probe("baidu")
        with pytest.raises(NotOffered):
            await gateway.probe("audio/speech")
        assert gateway.skew is not None
        await gateway.aclose()
