"""From what a gateway answered, or how the way to it broke, to the error tree.

Codes decide before the status does, because gateways disagree about statuses: New API answers 500 to a missing field
and 503 to an unknown model, DashScope 400 to an overdue account, and everybody can put an error under 200. What they
say is in `phrases`; `_meaning` reads it from the most certain to the least.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

from mtu_mcp.errors import (
    BadAnswer,
    Filtered,
    NotAuthorized,
    NotOffered,
    Overloaded,
    QuotaExhausted,
    Rejected,
    UnknownModel,
    Unreachable,
    UpstreamError,
    UpstreamFailure,
)
from mtu_mcp.gateway import phrases
from mtu_mcp.gateway.complaints import Complaint, page_title, read_complaint
from mtu_mcp.gateway.connections import Way, broken, no_connection
from mtu_mcp.gateway.shapes import loads, number, shortened
from mtu_mcp.settings import DEFAULT_BASE_URL

_ADVICE: Final[Mapping[type[UpstreamError], str]] = {
    NotAuthorized: "Check MTU_API_KEY, in the host's configuration or in the shell.",
    QuotaExhausted: "Top up the account behind MTU_API_KEY, or set another key.",
    Overloaded: "Try again in a minute.",
    UnknownModel: "Choose a model that the gateway lists.",
    NotOffered: "Use another way, or check MTU_BASE_URL.",
    Rejected: "Change the request as it says.",
    Filtered: "Say it in other words, or use other material.",
    UpstreamFailure: "Try again in a minute, or with another model.",
    BadAnswer: "Try again; if it stays so, check MTU_BASE_URL.",
}
_SENTENCE: Final[Mapping[type[UpstreamError], str]] = {
    NotAuthorized: "The gateway refused the key",
    QuotaExhausted: "The account behind the key has no quota left",
    Overloaded: "The gateway asks for fewer requests",
    Rejected: "The gateway rejected the request",
    Filtered: "Content rules stopped it",
    UpstreamFailure: "The gateway failed",
    BadAnswer: "The gateway gave an answer that cannot be read",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked, for the wording of an error.

    Attributes:
        endpoint: As in the API's paths.
        model: The model asked for, if any.
        secret: The key, to be struck from anything quoted.
        verb: The HTTP method.
        path: The path with what it names, where `endpoint` is only its name.
    """

    endpoint: str
    model: str = ""
    secret: str = ""
    verb: str = "POST"
    path: str = ""

    def struck(self, text: str) -> str:
        """The text with the key replaced by asterisks."""
        return text.replace(self.secret, "***") if self.secret else text


def from_response(
    asked: Asked, status: int, headers: Mapping[str, str], body: bytes, now: Callable[[], float]
) -> UpstreamError:
    """The error that an answer with a status outside 200-299 means.

    Args:
        asked: What was asked.
        status: The HTTP status.
        headers: The answer's headers, by names in any case.
        body: As much of the body as was read.
        now: The wall clock in Unix seconds, for a Retry-After that is a date.
    """
    if 300 <= status < 400:
        return _redirected(asked, status, headers.get("location", ""))
    complaint = _from_body(body)
    request_id = complaint.request_id or asked.struck(request_id_of(headers))
    return _error(asked, complaint, status, request_id, retry_after(headers, now))


def from_complaint(asked: Asked, complaint: Complaint, request_id: str = "") -> UpstreamError:
    """The error that a complaint inside an answer with status 200 means."""
    code = complaint.code
    status = int(code) if code.isascii() and code.isdigit() and len(code) == 3 and "400" <= code <= "599" else None
    return _error(asked, complaint, status, complaint.request_id or request_id, None)


def from_page(asked: Asked, body: str) -> UpstreamError:
    """The error that a web page with status 200 means: the address is not one of the gateway's interfaces.

    New API's front end answers so to every path it does not know.
    """
    return _error(asked, Complaint(message=page_title(body), page=True), 404, "", None, seen=200)


def from_transport(error: Exception, seconds: float, way: Way | None = None) -> UpstreamError:
    """The error that a broken connection means.

    Args:
        error: What httpx raised.
        seconds: The read timeout in force.
        way: The way that was tried, for the wording.
    """
    import httpx

    if isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout):
        if way and way.proxy:
            said = f"No bytes for {seconds:g} s through the proxy {way.proxy}."
            return Unreachable(said, advice=f"Try again; if it stays so, check {way.setting}, or raise MTU_TIMEOUT.")
        return Unreachable(f"No bytes for {seconds:g} s.", advice="Try again, or raise MTU_TIMEOUT.")
    detail = shortened(str(error), 200)
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.ProxyError):
        return no_connection(error, detail, way or Way())
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return Unreachable(f"The gateway's address cannot be used ({detail}).", advice="Check MTU_BASE_URL.")
    if isinstance(error, httpx.DecodingError):
        return BadAnswer(f"The gateway's answer cannot be decompressed ({detail}).", advice=_ADVICE[BadAnswer])
    return broken(detail, way or Way())


def endless(seconds: float) -> UpstreamError:
    """The error for an answer that goes on and on: it never falls silent, and never ends."""
    return Unreachable(
        f"The answer had not ended after {seconds:,g} s, the longest that one is listened to.",
        advice="Ask for less at once; if it stays so, tell whoever runs the gateway.",
    )


def retry_after(headers: Mapping[str, str], now: Callable[[], float]) -> float | None:
    """Seconds the gateway asks to wait: `retry-after-ms`, or `retry-after` as seconds or date (RFC 9110, 10.2.3)."""
    if (ms := number(headers.get("retry-after-ms"))) is not None:
        return max(0.0, ms / 1000)
    raw = headers.get("retry-after", "").strip()
    if not raw:
        return None
    if (seconds := number(raw)) is not None:
        return max(0.0, seconds)
    try:
        return max(0.0, parsedate_to_datetime(raw).timestamp() - now())
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def request_id_of(headers: Mapping[str, str]) -> str:
    """The gateway's name for the request, from whichever header carries it."""
    names = ("x-request-id", "x-oneapi-request-id", "x-ds-request-id", "request-id")
    return next((shortened(headers[name], 120) for name in names if headers.get(name)), "")


def _from_body(body: bytes) -> Complaint:
    text = body.decode("utf-8-sig", "replace").strip()
    if text.startswith("<"):
        return Complaint(message=page_title(text), page=True)
    try:
        return read_complaint(loads(text)) if text else Complaint()
    except ValueError:
        # A stream may be refused in the stream's own form.
        if text.startswith(("data:", "event:")):
            return _from_body(text.partition("data:")[2].partition("\n")[0].encode())
        return _cut_off(text) or Complaint(message=text[:2000])


def _cut_off(text: str) -> Complaint | None:
    """The sentence in an error that is too long to be read whole, such as a list of all that a request could have been."""
    found = phrases.MESSAGE.search(text[:16_384]) if text.startswith("{") else None
    if found is None:
        return None
    words = found.group(1)
    try:
        return Complaint(message=str(loads(f'"{words}"'))[:2000])
    except ValueError:
        return Complaint(message=words[:2000])


def _error(
    asked: Asked, complaint: Complaint, status: int | None, request_id: str, wait: float | None, seen: int | None = None
) -> UpstreamError:
    kind = _meaning(asked, complaint, status, wait)
    message = asked.struck(_message(kind, asked, complaint, seen or status))
    advice = _ADVICE.get(kind, "")
    if kind is Overloaded and wait:
        advice = f"Try again in {wait:.0f} s."
    if kind is Rejected:
        advice = _remedy(asked, complaint, status)
    if kind is NotAuthorized and status is None:
        advice = "Check MTU_API_KEY, and that MTU_BASE_URL is the address of the API, which often ends in /v1."
    if kind is NotOffered and asked.verb == "POST" and asked.endpoint == "chat/completions" and status in (404, 405):
        advice = f"Check MTU_BASE_URL; the Mtu API's own is {DEFAULT_BASE_URL}."  # every gateway completes chats
    if complaint.page and kind in (UpstreamFailure, NotAuthorized):
        advice = "Something before the gateway answered; try again, and check MTU_BASE_URL if it stays so."
    code = shortened(asked.struck(complaint.code), 100)
    return kind(message, advice=advice, status=seen or status, code=code, request_id=request_id, retry_after=wait)


def _remedy(asked: Asked, complaint: Complaint, status: int | None) -> str:
    """What to do about a request that was refused."""
    words = complaint.message[:2000]
    if status == 413:
        return "It is too large: send a smaller file, or less text."
    if _text_only(asked, words):
        return "Ask a model that takes pictures, sound or video, or give this one text alone."
    if phrases.TOO_LONG_WORDS.search(f"{complaint.code} {complaint.kind} {words}"):
        return "Send less text, or ask a model with a larger window."
    return _ADVICE[Rejected]


def _meaning(asked: Asked, complaint: Complaint, status: int | None, wait: float | None) -> type[UpstreamError]:
    labels = f"{complaint.code} {complaint.kind}".lower().replace("-", "_").replace(".", "_")
    words = complaint.message[:2000].strip()
    for pattern, kind in ((phrases.FILTERED, Filtered), (phrases.QUOTA, QuotaExhausted)):
        if pattern.search(labels):
            return kind
    if status in (None, 400, 403, 422) and phrases.FILTERED_WORDS.search(words):
        return Filtered
    if status in (None, 401, 403) and phrases.QUOTA_WORDS.search(words):
        return QuotaExhausted
    if status not in (401, 403, 429) and (phrases.NO_MODEL.search(labels) or phrases.NO_MODEL_WORDS.search(words)):
        return UnknownModel
    if status in (405, 501) or (status != 429 and phrases.LACKING.search(labels)):
        return NotOffered
    if status not in (401, 403, 429) and phrases.UNSET_WORDS.search(words):
        return NotOffered
    if status in (None, 400, 404, 422, 500) and _text_only(asked, words):
        return Rejected
    if phrases.BUSY.search(labels) and status not in (401, 402, 403):
        return Overloaded
    if status in (None, 400, 401, 403) and (phrases.KEY.search(labels) or phrases.KEY_WORDS.search(words)):
        return NotAuthorized
    if status is None:
        return Rejected if phrases.INVALID.search(labels) or phrases.INVALID_WORDS.search(words) else UpstreamFailure
    return _by_status(asked, complaint, status, labels, words, wait)


def _text_only(asked: Asked, words: str) -> bool:
    """Whether a model was given what it cannot see or hear."""
    return asked.endpoint in ("chat/completions", "responses") and bool(phrases.TEXT_ONLY_WORDS.search(words))


def _by_status(
    asked: Asked, complaint: Complaint, status: int, labels: str, words: str, wait: float | None
) -> type[UpstreamError]:
    fixed = {401: NotAuthorized, 402: QuotaExhausted, 403: NotAuthorized, 408: UpstreamFailure, 429: Overloaded}
    if status in fixed:
        return fixed[status]
    if status == 404:
        no_path = words == phrases.NO_PATH and not (asked.path or asked.endpoint).startswith("files/")
        if complaint.page or not complaint or no_path or phrases.LACKING_WORDS.search(words):
            return NotOffered
        return UnknownModel if asked.endpoint.startswith("models/") else Rejected
    if 400 <= status < 500:
        return Rejected
    if status < 500:
        return BadAnswer
    if status == 500 and not complaint.page:
        if phrases.LACKING_WORDS.search(words):
            return NotOffered
        if phrases.INVALID.search(labels) or phrases.INVALID_WORDS.search(words):
            return Rejected
    return Overloaded if status == 529 or (status == 503 and wait is not None) else UpstreamFailure


def _message(kind: type[UpstreamError], asked: Asked, complaint: Complaint, status: int | None) -> str:
    quote = f'an HTML page titled "{complaint.message}"' if complaint.page and complaint.message else ""
    quote = quote or (
        "an HTML page" if complaint.page else f'"{complaint.quote.rstrip(".。")}"' if complaint.quote else ""
    )
    answered = f" (it answered {status})" if status else ""
    if kind is NotOffered:
        tail = f" with {quote}" if complaint.page else ""
        if quote and not complaint.page and not _says_no_more(complaint):
            tail = f": {quote}"
        # Nearly every gateway completes chats, and few list those that were kept: the path alone would deny the wrong one.
        other = asked.verb != "POST" and (status == 405 or asked.endpoint == "chat/completions")
        what = f"{asked.verb} {asked.endpoint}" if other else asked.endpoint
        return f"This gateway does not offer {what} (it answered {status or 'so'}{tail})."
    if kind is UnknownModel:
        sentence = f"The gateway does not have the model {shortened(asked.model, 100)!r}" if asked.model else ""
        sentence = sentence or "The gateway does not have this model"
    elif kind is NotAuthorized and status == 403:
        sentence = "The key is not allowed to do this"
    else:
        sentence = _SENTENCE[kind] + (answered if kind in (UpstreamFailure, BadAnswer) or not quote else "")
    return f"{sentence}: {quote}." if quote else f"{sentence}."


def _says_no_more(complaint: Complaint) -> bool:
    """Whether the words of a missing endpoint say only that it is missing."""
    words = complaint.message.strip()
    return not words or words == phrases.NO_PATH or bool(phrases.LACKING_WORDS.search(words))


def _redirected(asked: Asked, status: int, location: str) -> UpstreamError:
    where = shortened(location.partition("?")[0], 150)
    return BadAnswer(
        f"The gateway answered {asked.endpoint} with a redirect ({status}) to {where or 'nowhere'}, which is not followed.",
        advice="Set MTU_BASE_URL to the address it redirects to, if that is the gateway.",
        status=status,
    )
