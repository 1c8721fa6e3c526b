"""What can go wrong, sorted by who can put it right.

    MtuError
    +-- BadInput                 the model: an argument is wrong
    |   +-- NotFound             a model, conversation or file that is not there
    |   +-- LimitExceeded        too large, too long, too many; the figure is in the message
    +-- Refused                  the user, or a policy they set
    |   +-- PathNotAllowed       outside the folders this call may touch
    |   +-- UrlNotAllowed        a download this server will not make
    |   +-- OverBudget           a cap on spending leaves no room, or the user was not asked or said no
    +-- UpstreamError            the gateway, or the way to it
    |   +-- Unreachable          no connection, no name, no trust, no answer in time
    |   +-- NotAuthorized        the key is missing, wrong or not allowed
    |   +-- QuotaExhausted       the account has no money or no quota left
    |   +-- Overloaded           too many requests; may carry `retry_after` in seconds
    |   +-- UnknownModel         the gateway does not have this model
    |   +-- NotOffered           the gateway does not have this endpoint
    |   +-- Rejected             the gateway understood the request and refused it
    |   +-- Filtered             content rules stopped the request or the answer
    |   +-- UpstreamFailure      the gateway broke (5xx)
    |   +-- BadAnswer            the gateway answered something that cannot be read
    +-- SettingsError            the operator: a variable is wrong or missing
    +-- RecordsError             the database
    +-- StorageError             the disk: full, read-only, gone

Every error says what happened and what to do next, in words a model can pass on to its user. Text from the
gateway is quoted and shortened by whoever raises, never passed on whole: it is input to a model.
"""


class MtuError(Exception):
    """Something the reader can act on.

    Args:
        message: What happened, one sentence.
        advice: What to do next, one sentence; empty when the message already says it.
    """

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message} {self.advice}" if self.advice else self.message


class BadInput(MtuError):
    """An argument is wrong; a better argument would work."""


class NotFound(BadInput):
    """The thing named is not there."""


class LimitExceeded(BadInput):
    """Over a limit; the message carries the limit and the figure that passed it."""


class Refused(MtuError):
    """The user, or a policy they set, does not allow it."""


class PathNotAllowed(Refused):
    """The path lies outside the folders this call may touch."""


class UrlNotAllowed(Refused):
    """This server will not make that download."""


class OverBudget(Refused):
    """It may cost more than the user allows; the message carries the sums."""


class UpstreamError(MtuError):
    """The gateway did not give what was asked.

    Args:
        message: What happened, one sentence.
        advice: What to do next.
        status: HTTP status, or None when there was no answer.
        code: The gateway's own error code, as text; empty when it gave none.
        request_id: The gateway's id of the request; empty when it gave none.
        retry_after: Seconds the gateway asked to wait, when it said so.
    """

    def __init__(
        self,
        message: str,
        *,
        advice: str = "",
        status: int | None = None,
        code: str = "",
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, advice=advice)
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after


class Unreachable(UpstreamError):
    """No connection, or no answer in time."""


class NotAuthorized(UpstreamError):
    """The key is missing, wrong or not allowed to do this."""


class QuotaExhausted(UpstreamError):
    """The account behind the key has no money or quota left."""


class Overloaded(UpstreamError):
    """The gateway asks for fewer requests."""


class UnknownModel(UpstreamError):
    """The gateway does not have the model asked for."""


class NotOffered(UpstreamError):
    """The gateway does not have the endpoint asked for."""


class Rejected(UpstreamError):
    """The gateway understood the request and refused it."""


class Filtered(UpstreamError):
    """Content rules stopped the request or the answer."""


class UpstreamFailure(UpstreamError):
    """The gateway broke."""


class BadAnswer(UpstreamError):
    """The gateway answered something that cannot be read."""


class SettingsError(MtuError):
    """A variable is wrong or missing; the message names it."""


class RecordsError(MtuError):
    """The database cannot be read or written."""


class StorageError(MtuError):
    """The disk is full, read-only or gone."""
