"""Refusals, and how each dialect of gateway words them.

A route raises `Refusal` (or `Invalid`, when a field of the body is wrong) in OpenAI's terms. The edge of the app
renders it once, because the dialects differ in the envelope and in the status, not in what is refused:

- `openai`: all four keys, always.
- `new-api`: the message ends in ` (request id: …)`; plain validation failures are HTTP 500; a missing channel is 503.
- `dashscope`: OpenAI's object with a sibling `request_id` and DashScope's own codes.
"""

from collections.abc import Mapping
from typing import Any, Literal

Dialect = Literal["openai", "new-api", "dashscope"]
DIALECTS: tuple[Dialect, ...] = ("openai", "new-api", "dashscope")

_INVALID = "invalid_request_error"


class Refusal(Exception):
    """An answer that says no: an HTTP status with OpenAI's error object.

    `headers` are added to the reply (for example `Retry-After`). `code` and `param` are null when absent.
    """

    def __init__(
        self,
        status: int,
        message: str,
        type: str = _INVALID,  # noqa: A002 - the wire's own word
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type
        self.param = param
        self.code = code
        self.headers = dict(headers or {})


class Invalid(Refusal):
    """One field of the body is wrong; `param` is its path, such as `messages[0].content`."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(400, message, param=param, code=code)


class BareRefusal(Refusal):
    """An error some upstream writes in a shape of its own: `body` is sent as it is, in every dialect."""

    def __init__(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, str(body), headers=headers)
        self.body = dict(body)


def model_missing(model: str) -> Refusal:
    """Nobody serves that model here."""
    message = f"The model `{model}` does not exist or you do not have access to it."
    return Refusal(404, message, code="model_not_found", param="model")


def not_offered(message: str = "API not implemented") -> Refusal:
    """The route exists in the documentation but not here: 501, as such gateways answer."""
    return Refusal(501, message, type="server_error", code="api_not_implemented")


def render(refusal: Refusal, dialect: Dialect, request_id: str) -> tuple[int, dict[str, Any]]:
    """The status and JSON body of a refusal in a dialect."""
    if isinstance(refusal, BareRefusal):
        return refusal.status, refusal.body
    if dialect == "new-api":
        return _render_new_api(refusal, request_id)
    if dialect == "dashscope":
        return _render_dashscope(refusal, request_id)
    return refusal.status, {"error": _four_keys(refusal)}


def _four_keys(refusal: Refusal) -> dict[str, Any]:
    return {"message": refusal.message, "type": refusal.type, "param": refusal.param, "code": refusal.code}


def _render_new_api(refusal: Refusal, request_id: str) -> tuple[int, dict[str, Any]]:
    suffix = f" (request id: {request_id})"
    if refusal.status in {401, 403} and refusal.code != "insufficient_user_quota":
        # The middleware answers before the relay does, in a smaller object.
        error = {"message": refusal.message + suffix, "type": "new_api_error", "code": ""}
        return refusal.status, {"error": error}
    status, message, kind, code = refusal.status, refusal.message, refusal.type, refusal.code or ""
    if status == 404 and message.startswith("Invalid URL"):
        return 404, {"error": {"message": message, "type": _INVALID, "param": "", "code": ""}}
    if status == 501:
        error = {"message": "API not implemented", "type": "new_api_error", "param": "", "code": "api_not_implemented"}
        return 501, {"error": error}
    if code == "model_not_found":
        model = message.split("`")[1] if message.count("`") > 1 else "?"
        status, kind = 503, "new_api_error"
        message = f"分组 default 下模型 {model} 的可用渠道不存在（distributor）"
    elif code == "insufficient_quota":
        status, kind, code = 403, "new_api_error", "insufficient_user_quota"
        message = "用户额度不足, 剩余额度: ＄0.000000"
    elif isinstance(refusal, Invalid):
        status, kind, code = 500, "new_api_error", "invalid_request"
        if refusal.code == "missing_required_parameter":
            message = "model is required" if refusal.param == "model" else f"field {refusal.param} is required"
    param = "" if isinstance(refusal, Invalid) else refusal.param or ""
    return status, {"error": {"message": message + suffix, "type": kind, "param": param, "code": code}}


def _render_dashscope(refusal: Refusal, request_id: str) -> tuple[int, dict[str, Any]]:
    status, error = refusal.status, _four_keys(refusal)
    if status == 401:
        error["message"] = "Incorrect API key provided. For details, see the error code page of Model Studio."
        error["code"] = "invalid_api_key"
    elif refusal.code == "insufficient_quota":
        status = 400
        error |= {"message": "Access denied, please make sure your account is in good standing.", "code": "Arrearage"}
        error["type"] = "Arrearage"
    elif status == 429:
        error |= {"type": "limit_requests", "code": "limit_requests"}
    elif status == 400 and (refusal.code is None or isinstance(refusal, Invalid)):
        error |= {"code": "invalid_parameter_error", "param": None}
    return status, {"error": error, "request_id": request_id}
