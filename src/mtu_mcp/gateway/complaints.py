"""Reading an error in any gateway's dialect.

OpenAI wraps it in `error` with message, type, param and code; DashScope adds `request_id` beside it, or in its own
protocol wraps nothing; New API and One API end the message with "(request id: ...)"; LiteLLM writes the HTTP status
as `code`; Anthropic puts a `type` before `error`; Jina's `error` is a plain sentence; Baidu answers 200 with `code` and
`message` on top; FastAPI says `detail`. All become one Complaint; what it means is decided in `failures`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from mtu_mcp.gateway.shapes import QUOTE_LIMIT, compact, mapping, sequence, shortened, text, word

_FINE: Final = frozenset(("", "0", "200", "ok", "success", "true", "none", "null"))
_REQUEST_ID: Final = re.compile(r"[(（]request[ _]id: ?([^)）]{1,200})[)）]", re.IGNORECASE)
# A relay that quotes what it got quotes web pages, too. No lazy repetition over untrusted text: the end is looked for once.
_PAGE: Final = re.compile(r"<(?:!doctype\b|html\b).*", re.IGNORECASE | re.DOTALL)
_PAGE_END: Final = "</html>"
_TITLE: Final = re.compile(r"<title[^>]{0,200}>([^<]{0,400})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Complaint:
    """What the gateway said went wrong.

    Attributes:
        message: Its words as they came, without the request id.
        kind: The field `type`.
        code: The field `code` as text, whatever its type was.
        param: The field it complains of.
        request_id: Its name for the request.
        page: True when it answered with a web page; the message is then the page's title.
    """

    message: str = ""
    kind: str = ""
    code: str = ""
    param: str = ""
    request_id: str = ""
    page: bool = False

    @property
    def quote(self) -> str:
        """The message, fit to be shown, with the field it is about; the code when there is no message."""
        words = shortened(_PAGE.sub(_named_page, self.message)) or shortened(self.code or self.kind, 100)
        about = shortened(self.param, 60)
        if not words or not about or about.lower() in ("none", "null", "model") or about in words:
            return words
        return f"{shortened(words, QUOTE_LIMIT - len(about) - 10)} (about {about})"

    def __bool__(self) -> bool:
        return bool(self.message or self.kind or self.code)


def read_complaint(raw: object) -> Complaint:
    """Read the body of an answer that is known to be an error; an empty complaint when it says nothing."""
    body = mapping(raw) or mapping(next(iter(sequence(raw)), None))
    error = body.get("error")
    if isinstance(error, str) and error.strip():
        # Where both are there, `error` is the name of the status and `message` the sentence.
        found = Complaint(message=_sentence(body) or text(error), code=word(body.get("code")))
    elif mapping(error):
        found = _wrapped(mapping(error))
    else:
        errors = mapping(next(iter(sequence(body.get("errors"))), None))
        found = _wrapped(errors) if errors else _native(body)
    return _with_request_id(found, body)


def reported(raw: object, expected: tuple[str, ...] = ()) -> Complaint | None:
    """The complaint inside a body that came with status 200, None when it is an answer.

    Args:
        raw: The parsed body, or one object of a stream.
        expected: Keys of a real answer; with one of them filled, only a filled `error` is a complaint.
    """
    body = mapping(raw)
    if body.get("error"):
        return read_complaint(body) or None
    if not body or any(body.get(key) for key in expected):
        return None
    if body.get("success") is False or "error" in (body.get("type"), body.get("object")):
        return read_complaint(body) or Complaint(message="no reason given")
    found = read_complaint(body)
    return found if found.message and found.code.lower() not in _FINE else None


def page_title(data: str) -> str:
    """The title of a web page, empty when it has none."""
    found = _TITLE.search(data[:16384])
    return shortened(found.group(1), 120) if found else ""


def _named_page(found: re.Match[str]) -> str:
    """A page inside a sentence by its title, and what follows it."""
    page = found.group()
    end = page.lower().rfind(_PAGE_END)
    title = page_title(page)
    rest = page[end + len(_PAGE_END) :] if end >= 0 else ""
    return (f"an HTML page titled '{title}'" if title else "an HTML page") + rest


def _wrapped(error: Mapping[str, Any]) -> Complaint:
    inner = error.get("error")
    if mapping(inner) and not error.get("message"):
        return _wrapped(mapping(inner))
    return Complaint(
        message=_sentence(error),
        kind=word(error.get("type")) or word(error.get("status")),
        code=word(error.get("code")),
        param=word(error.get("param")),
        request_id=text(error.get("request_id")),
    )


def _native(body: Mapping[str, Any]) -> Complaint:
    return Complaint(
        message=_sentence(body),
        kind=text(body.get("type")),
        code=word(body.get("code")) or word(body.get("error_code")),
        param=word(body.get("param")),
    )


def _sentence(body: Mapping[str, Any]) -> str:
    for key in ("message", "msg", "error_msg", "error_message"):
        if found := text(body.get(key)).strip():
            return found
    detail = body.get("detail")
    for item in sequence(detail)[:3]:  # FastAPI lists what is wrong with each field
        if found := text(mapping(item).get("msg")):
            where = ".".join(word(step) for step in sequence(mapping(item).get("loc"))[:6])
            return f"{where}: {found}" if where else found
    return compact(detail).strip()


def _with_request_id(found: Complaint, body: Mapping[str, Any]) -> Complaint:
    message = found.message
    at = max(message.rfind("("), message.rfind("（"))  # the suffix is the last bracket
    inside = _REQUEST_ID.match(message, at) if at >= 0 else None
    named = text(body.get("request_id")) or text(body.get("requestId")) or found.request_id
    if inside:
        message = (message[:at] + message[inside.end() :]).strip()
        named = named or inside.group(1).strip()
    return replace(found, message=message, request_id=shortened(named, 120))
